"""The REPL's connection to the daemon: survives its restarts, never blocks the prompt."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import trio

from lowcap.control.client import CallFailed
from lowcap.control.protocol import PROTOCOL, Json, Lines, encode, request
from lowcap.core.errors import LowcapError

RETRY_S = 2
CALL_WITHIN_S = 130.0
REFRESH_EVERY_S = 1.0
SILENT_AFTER_S = 5.0
TRACES_KEPT = 30
LINE_BYTES_LONGEST = 64 * 1024 * 1024


_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Link:
    """Calls, live events and a status snapshot once a second.

    ``on_change`` is called when any of ``status``, ``why`` (there is none) or ``is_silent``
    may have changed. ``place`` is the socket of the last daemon.
    """

    def __init__(
        self,
        places: list[Path],
        on_event: Callable[[Json], None],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.status: Json | None = None
        self.hello: Json = {}
        self.why = "connecting"
        self.is_silent = False
        self.place: Path | None = None
        self.symbols: list[str] = []
        self.keys: list[str] = []
        self.traces: deque[tuple[str, str]] = deque(maxlen=TRACES_KEPT)
        self._on_change = on_change
        self._places = places
        self._on_event = on_event
        self._stream: trio.SocketStream | None = None
        self._next_id = 0
        self._waiting: dict[int, trio.MemorySendChannel[Json]] = {}
        self._sending = trio.Lock()
        self._last_seq: int | None = None
        self._early: list[Json] | None = None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            why = await self._session()
            self._stream, self.status, self.is_silent = None, None, False
            for waiting in self._waiting.values():
                waiting.close()
            self._waiting.clear()
            for left_s in range(RETRY_S, 0, -1):
                self.why = f"daemon lost, retrying in {left_s}s ({why})"
                self._on_change()
                await trio.sleep(1)

    async def _session(self) -> str:
        """One connection, from its opening to its end; returns why it ended."""
        try:
            stream = await self._open()
        except OSError as error:
            return error.strerror or str(error)
        why = "it hung up"
        async with stream, trio.open_nursery() as nursery:
            self._stream = stream
            try:
                async for message in _messages(stream):
                    if message.get("method") == "hello":
                        self._greet(message["params"])
                        nursery.start_soon(self._refresh)
                        nursery.start_soon(self._learn)
                    elif message.get("method") == "bye":
                        why = f"it said goodbye: {message['params']['reason']}"
                    else:
                        self._take(message)
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

    def _greet(self, hello: Json) -> None:
        if hello.get("protocol") != PROTOCOL:
            raise CallFailed(
                f"the daemon speaks protocol {hello.get('protocol')}, this client {PROTOCOL}"
            )
        self.hello, self.why = hello, "waiting for the first status"

    def _take(self, message: Json) -> None:
        number = message.get("id")
        if message.get("method") == "event":
            if self._early is not None:
                self._early.append(message["params"])
            else:
                self._show(message["params"])
        elif number in self._waiting:
            self._waiting.pop(number).send_nowait(message)
        elif number is None and "error" in message:
            raise CallFailed(message["error"]["message"])

    def _show(self, event: Json) -> None:
        self._last_seq = event.get("seq", self._last_seq)
        self._remember(event)
        self._on_event(event)

    def _remember(self, event: Json) -> None:
        """News that was told of can be explained."""
        if event.get("kind") == "NewsSeen" and event.get("text"):
            about = (str(event["seq"]), str(event["text"]))
            if about not in self.traces:
                self.traces.appendleft(about)

    async def _refresh(self) -> None:
        """Follow events from the last one seen, then ask for the status once a second."""
        following = False
        while True:
            with trio.move_on_after(SILENT_AFTER_S) as patience:
                try:
                    if not following:
                        await self._follow()
                        following = True
                    self.status = await self.call("status", {})
                except CallFailed as error:
                    self.why = error.message
            self.is_silent = patience.cancelled_caught
            if self.is_silent and self.status is None:
                self.why = "the daemon does not answer"
            self._on_change()
            await trio.sleep(REFRESH_EVERY_S)

    async def _learn(self) -> None:
        """Words that completion offers; a daemon that does not tell them is none the worse."""
        with suppress(CallFailed):
            news = await self.call("events", {"type": "NewsSeen", "count": TRACES_KEPT})
            for event in news:
                self._remember(event)
        contracts = sorted(await self._rows("prices", {}), key=_by_size)
        self.symbols = [str(row["symbol"]) for row in contracts if "symbol" in row]
        settings = await self._rows("config", {"action": "show"})
        self.keys = [str(row["key"]) for row in settings if "key" in row]

    async def _rows(self, method: str, params: Json) -> list[Json]:
        try:
            rows = await self.call(method, params)
        except CallFailed:
            return []
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    async def _follow(self) -> None:
        """Show what was missed, then what came while we asked, in order."""
        before = self._last_seq
        params: Json = {"follow": True}
        params |= {"count": 1} if before is None else {"since": before}
        self._early = []
        try:
            missed = await self.call("events", params)
            if before is None and missed:
                self._last_seq = missed[-1]["seq"]
            else:
                for event in missed:
                    self._show(event)
        finally:
            early, self._early = self._early, None
            for event in early:
                self._show(event)

    async def call(self, method: str, params: Json) -> Any:  # noqa: ANN401  # JSON
        """One request and its reply. Cancelling tells the daemon so.

        Raises:
            CallFailed: refused, or the connection went away before the reply.
        """
        if self._stream is None:
            raise CallFailed(self.why or "no daemon", code="unreachable")
        self._next_id += 1
        number = self._next_id
        send, receive = trio.open_memory_channel[Json](1)
        self._waiting[number] = send
        try:
            await self._send(request(number, method, params))
            with trio.fail_after(CALL_WITHIN_S):
                reply = await receive.receive()
        except trio.Cancelled:
            with trio.move_on_after(0.5, shield=True), suppress(*_GONE):
                await self._send(request(0, "$/cancel", {"id": number}))
            raise
        except (trio.EndOfChannel, *_GONE):
            raise CallFailed("the daemon hung up, outcome unknown", code="timeout") from None
        except trio.TooSlowError:
            raise CallFailed("no answer in time, outcome unknown", code="timeout") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in reply:
            fault = reply["error"]
            data = fault.get("data") or {}
            raise CallFailed(fault["message"], hint=data.get("hint", ""), code=data.get("code", ""))
        return reply["result"]

    async def _send(self, message: Json) -> None:
        stream = self._stream
        if stream is None:
            raise trio.ClosedResourceError
        async with self._sending:
            await stream.send_all(encode(message))


def _by_size(contract: Json) -> Decimal:
    """The coins that are worth most come first, those of unknown worth last."""
    try:
        worth = Decimal(str(contract.get("cap_usd") or 0))
    except ArithmeticError:
        worth = Decimal(0)
    return -worth if worth.is_finite() else Decimal(0)


async def _messages(stream: trio.abc.ReceiveStream) -> AsyncIterator[Json]:
    """What the daemon says, until it hangs up.

    Raises:
        CallFailed: it does not speak the protocol.
    """
    lines = Lines(limit=LINE_BYTES_LONGEST)
    while True:
        try:
            data = bytes(await stream.receive_some(65_536))
        except _GONE:
            return
        if not data:
            return
        for line in lines.feed(data):
            try:
                message = json.loads(line) if line is not None else None
            except (ValueError, RecursionError):
                message = None
            if not isinstance(message, dict):
                raise CallFailed("whoever answers on the socket is no lowcap daemon")
            yield message
