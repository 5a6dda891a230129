"""An HTTP server in memory whose replies the test writes byte by byte."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

Answer = Callable[["Caller"], Awaitable[None]]


class Caller:
    """One request, and the stream that its reply is written to."""

    def __init__(self, stream: trio.abc.Stream, head: str, at_s: float) -> None:
        self._stream = stream
        first, *lines = head.split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        self.at_s = at_s

    async def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole reply."""
        shown = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{shown}\r\n"
        await self._stream.send_all(head.encode() + body)

    async def begin(self) -> None:
        """The head of an endless reply."""
        await self._stream.send_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")

    async def write(self, data: bytes) -> None:
        """One chunk of it."""
        await self._stream.send_all(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def finish(self) -> None:
        """Its end in order."""
        await self._stream.send_all(b"0\r\n\r\n")


class WebServer:
    """Gives each request to ``answer``; the connection ends with it unless it replied whole."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.callers: list[Caller] = []

    async def handle(self, stream: trio.abc.Stream) -> None:
        try:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = bytes(await stream.receive_some(65_536))
                    if not data:
                        return
                    head += data
                caller = Caller(
                    stream, head.partition(b"\r\n\r\n")[0].decode(), trio.current_time()
                )
                self.callers.append(caller)
                await self.answer(caller)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def times(self) -> list[float]:
        return [caller.at_s for caller in self.callers]
