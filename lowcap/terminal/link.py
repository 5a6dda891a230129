"""The REPL's connection to the daemon: survives its restarts, never blocks the prompt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from lowcap.control.client import CallFailed
from lowcap.control.protocol import Json, Lines, encode, request
from lowcap.core.errors import LowcapError

RETRY_S = 2.0
CALL_WITHIN_S = 130.0
REFRESH_EVERY_S = 1.0


class Link:
    """Calls, live events and a status snapshot once a second."""

    def __init__(self, places: list[Path], on_event: Callable[[Json], None]) -> None:
        self.status: Json | None = None
        self.hello: Json = {}
        self.why = "connecting"
        self._places = places
        self._on_event = on_event
        self._stream: trio.SocketStream | None = None
        self._next_id = 0
        self._waiting: dict[int, trio.MemorySendChannel[Json]] = {}
        self._sending = trio.Lock()
        self._last_seq: int | None = None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                await self._connect()
            except OSError as error:
                self.why = f"daemon away ({error.strerror or error}), retrying every {RETRY_S:g} s"
            self._stream, self.status = None, None
            for waiting in self._waiting.values():
                waiting.close()
            self._waiting.clear()
            await trio.sleep(RETRY_S)

    async def _connect(self) -> None:
        stream = await self._open()
        async with stream, trio.open_nursery() as nursery:
            self._stream = stream
            nursery.start_soon(self._refresh)
            lines = Lines(limit=16 * 1024 * 1024)
            try:
                while data := bytes(await stream.receive_some(65_536)):
                    for line in lines.feed(data):
                        if line is not None:
                            self._take(json.loads(line))
            except trio.BrokenResourceError:
                self.why = "daemon hung up"
            nursery.cancel_scope.cancel(reason="the daemon has left")

    async def _open(self) -> trio.SocketStream:
        fault: OSError = FileNotFoundError("no socket to try")
        for place in self._places:
            try:
                return await trio.open_unix_socket(place)
            except OSError as error:
                fault = error
        raise fault

    def _take(self, message: Json) -> None:
        if message.get("method") == "hello":
            self.hello, self.why = message["params"], ""
        elif message.get("method") == "event":
            self._last_seq = message["params"].get("seq", self._last_seq)
            self._on_event(message["params"])
        elif message.get("id") in self._waiting:
            self._waiting.pop(message["id"]).send_nowait(message)

    async def _refresh(self) -> None:
        """Follow events from the last one seen, then ask for the status once a second."""
        params: Json = {"follow": True}
        params |= {"count": 1} if self._last_seq is None else {"since": self._last_seq}
        missed = await self.call("events", params)
        if self._last_seq is not None:
            for event in missed:
                self._on_event(event)
        while True:
            try:
                self.status = await self.call("status", {})
            except LowcapError as error:
                self.why = error.message
            await trio.sleep(REFRESH_EVERY_S)

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
            with trio.move_on_after(0.5, shield=True):
                await self._send(request(0, "$/cancel", {"id": number}))
            raise
        except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError):
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
