"""A connection to the daemon that comes back by itself, and never blocks whoever types."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import trio

from lowcap.control.client import CallFailed
from lowcap.control.protocol import PROTOCOL, Json, Lines, encode, request
from lowcap.core.errors import LowcapError
from lowcap.terminal.top.text import part

RETRY_S = 1.0
CALL_WITHIN_S = 130.0
LINE_BYTES_LONGEST = 64 * 1024 * 1024
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Owner(Protocol):
    """Who uses a session."""

    def greeted(self, session: Session, hello: Json) -> None:
        """The daemon has said hello."""
        ...

    def pushed(self, session: Session, value: Json) -> None:
        """The daemon has pushed an event or a log record."""
        ...

    def lost(self, session: Session, why: str) -> None:
        """The daemon is away, or cannot be reached."""
        ...


class Session:
    """One connection at a time, made anew whenever it is lost.

    ``work`` runs beside each connection, from its hello to its end. ``typed`` is for the
    record, where the kernel does not tell the daemon. ``pause`` waits before the next try;
    ``place`` is the socket of the last daemon.
    """

    def __init__(
        self,
        places: list[Path],
        owner: Owner,
        work: Callable[[Session], Awaitable[None]],
        typed: str,
        pause: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.place: Path | None = None
        self._places = places
        self._owner = owner
        self._work = work
        self._typed = typed
        self._pause = pause or partial(trio.sleep, RETRY_S)
        self._stream: trio.SocketStream | None = None
        self._next_id = 0
        self._waiting: dict[int, trio.MemorySendChannel[Json]] = {}
        self._sending = trio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether a daemon is there."""
        return self._stream is not None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            why = await self._one()
            self._stream = None
            for waiting in self._waiting.values():
                waiting.close()
            self._waiting.clear()
            self._owner.lost(self, why)
            await self._pause()

    async def _one(self) -> str:
        """One connection, from its opening to its end; returns why it ended."""
        try:
            stream = await self._open()
        except OSError as error:
            return f"nobody answers ({error.strerror or error})"
        why = "it hung up"
        async with stream, trio.open_nursery() as nursery:
            self._stream = stream
            try:
                why = await self._read(stream, nursery)
            except LowcapError as error:
                why = error.message
            nursery.cancel_scope.cancel(reason="the daemon has left")
        return why

    async def _open(self) -> trio.SocketStream:
        fault: OSError = FileNotFoundError("no socket to try")
        for place in self._places:
            try:
                stream = await trio.open_unix_socket(place)
            except OSError as error:
                # A daemon that we may not talk to says more than a place without one.
                if not isinstance(fault, PermissionError):
                    fault = error
            else:
                self.place = place
                return stream
        raise fault

    async def _read(self, stream: trio.SocketStream, nursery: trio.Nursery) -> str:
        """Take what the daemon says until it hangs up; returns why it did.

        Raises:
            CallFailed: it refuses us, or does not speak the protocol.
        """
        lines = Lines(limit=LINE_BYTES_LONGEST)
        while True:
            try:
                data = bytes(await stream.receive_some(65_536))
            except _GONE:
                data = b""
            if not data:
                return "it hung up"
            for line in lines.feed(data):
                message = _message_in(line)
                if message.get("method") == "bye":
                    return f"it said goodbye: {message.get('params', {}).get('reason')}"
                if message.get("method") == "hello":
                    self._greet(message.get("params", {}))
                    nursery.start_soon(self._work, self)
                else:
                    self._take(message)

    def _greet(self, hello: Json) -> None:
        if hello.get("protocol") != PROTOCOL:
            raise CallFailed(f"it speaks protocol {hello.get('protocol')}, this client {PROTOCOL}")
        self._owner.greeted(self, hello)

    def _take(self, message: Json) -> None:
        number = message.get("id")
        if message.get("method") == "event":
            self._owner.pushed(self, message.get("params", {}))
        elif isinstance(number, int) and number in self._waiting:
            self._waiting.pop(number).send_nowait(message)
        elif number is None and "error" in message:
            raise _failure(message)

    async def call(self, method: str, params: Json) -> Any:  # noqa: ANN401  # JSON
        """One request and its reply. Cancelling tells the daemon so.

        Raises:
            CallFailed: refused, or the connection went away before the reply.
        """
        stream = self._stream
        if stream is None:
            raise CallFailed("no daemon answers, nothing was sent", code="unreachable")
        self._next_id += 1
        number = self._next_id
        send, receive = trio.open_memory_channel[Json](1)
        self._waiting[number] = send
        try:
            await self._send(stream, request(number, method, params, self._typed))
            with trio.fail_after(CALL_WITHIN_S):
                reply = await receive.receive()
        except trio.Cancelled:
            with trio.move_on_after(0.5, shield=True), suppress(*_GONE):
                await self._send(stream, request(0, "$/cancel", {"id": number}))
            raise
        except (trio.EndOfChannel, *_GONE):
            raise CallFailed("the daemon hung up, outcome unknown", code="timeout") from None
        except trio.TooSlowError:
            raise CallFailed("no answer in time, outcome unknown", code="timeout") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in reply:
            raise _failure(reply)
        return reply.get("result")

    async def _send(self, stream: trio.SocketStream, message: Json) -> None:
        async with self._sending:
            await stream.send_all(encode(message))


def _message_in(line: bytes | None) -> Json:
    """The message that a line holds.

    Raises:
        CallFailed: it holds none.
    """
    try:
        message = json.loads(line) if line is not None else None
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict) or not isinstance(message.get("params", {}), dict):
        raise CallFailed("whoever answers on the socket is no lowcap daemon")
    return message


def _failure(message: Json) -> CallFailed:
    fault = part(message["error"])
    data = part(fault.get("data"))
    return CallFailed(
        str(fault.get("message", "failed")),
        hint=str(data.get("hint", "")),
        code=str(data.get("code", "")),
    )
