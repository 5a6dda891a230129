"""A feed server and listeners for it, over any net."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from lowcap.core.clock import Clock, LoopClock
from lowcap.core.errors import ConnectionLost
from lowcap.net.http import HttpReply, HttpxPort
from lowcap.net.net import MemoryNet, Net
from lowcap.net.wire import Wire, WireLimits, run_wire
from lowcap.paper.feedserver import FeedServer

AT_MS = 1_770_384_590_000
LIMITS = WireLimits(close_s=0.5, connect_s=2, frame_bytes_max=8_388_608)
HANDSHAKE = (
    b"GET /%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Listener:
    """A client that keeps what it hears, and why it was parted."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.wire: Wire
        self.lost = ""
        self.over = trio.Event()

    def say(self, text: str) -> None:
        self.wire.send_now(text.encode())

    async def hears(self, count: int, within_s: float = 10) -> list[bytes]:
        """The first ``count`` frames, once they are there."""
        await until(lambda: len(self.frames) >= count, within_s)
        return self.frames[:count]


class Serving:
    """A feed server that runs, and how to reach it."""

    def __init__(self, net: Net, server: FeedServer, s: str) -> None:
        self.net = net
        self._s = s
        self.server = server
        self._http = HttpxPort(net)

    def url(self, path: str, scheme: str = "ws") -> str:
        return f"{scheme}{self._s}://127.0.0.1:{self.server.port}/{path}"

    @asynccontextmanager
    async def listener(self, path: str, **headers: str) -> AsyncIterator[Listener]:
        """A connection for the length of the block; it does not come back by itself."""
        here, opened = Listener(), trio.Event()

        async def session(wire: Wire) -> None:
            here.wire = wire
            opened.set()
            await trio.sleep_forever()

        async def run() -> None:
            try:
                await run_wire(
                    self.net,
                    self.url(path),
                    here.frames.append,
                    session,
                    limits=LIMITS,
                    headers=headers,
                )
            except ConnectionLost as error:
                here.lost = error.message
            here.over.set()
            opened.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await opened.wait()
            # The server begins its session a turn after its handshake answer.
            feed = path.partition("?")[0].partition("/")[0]
            await until(lambda: here.over.is_set() or bool(self.server.clients(feed)))
            yield here
            nursery.cancel_scope.cancel()

    async def refused(self, path: str, **headers: str) -> str:
        """Why a connection is not opened."""
        async with self.listener(path, **headers) as here:
            await here.over.wait()
        return here.lost

    async def get(self, path: str, **headers: str) -> HttpReply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._http.request("GET", self.url(path, "http"), headers=named, timeout_s=400)

    async def raw(self, first_bytes: bytes) -> trio.abc.Stream:
        """A stream that has said ``first_bytes``."""
        port = self.server.port
        stream = await self.net.connect("127.0.0.1", port, tls=False, timeout_s=2)
        await stream.send_all(first_bytes)
        return stream

    async def aclose(self) -> None:
        await self._http.aclose()


async def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.005)


async def read_for(stream: trio.abc.Stream, seconds: float) -> bytes:
    """All that comes within a time."""
    got = bytearray()
    with trio.move_on_after(seconds):
        while data := await stream.receive_some(65_536):
            got += data
    return bytes(got)


@asynccontextmanager
async def serving(
    net: Net | None = None, clock: Clock | None = None, *, s: str = "", **options: Any
) -> AsyncIterator[Serving]:
    """A feed server for the length of the block; ``s`` stands behind ws and http in URLs."""
    server_net = net or MemoryNet()
    server = FeedServer(server_net, clock or LoopClock(AT_MS * 1_000_000), **options)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        here = Serving(server_net, server, s)
        try:
            yield here
        finally:
            await here.aclose()
        nursery.cancel_scope.cancel()
