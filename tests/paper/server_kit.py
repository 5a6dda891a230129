"""A running simulator and clients for it: REST by httpx, frames by our own wire."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
import trio
import vectors as v

from lowcap.core.clock import LoopClock, now_ms
from lowcap.core.errors import ConnectionLost
from lowcap.net.http import HttpxPort
from lowcap.net.net import Net
from lowcap.net.wire import Wire, WireLimits, run_wire
from lowcap.paper.auth import Account, ws_signed_text
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.server import PaperServer

ACCOUNT = Account(api_key=v.API_KEY, secret=v.SECRET, public_key_pem=v.PUBLIC_KEY_PEM)
LIMITS = WireLimits(close_s=0.5, connect_s=2)


class Connection:
    """An open wire that keeps every frame it receives."""

    def __init__(self, running: Running) -> None:
        self.frames: list[Any] = []
        self.wire: Wire
        self._running = running
        self._number = 0

    def on_frame(self, frame: bytes) -> None:
        self.frames.append(msgspec.json.decode(frame))

    def send(self, message: object) -> None:
        self.wire.send_now(message if isinstance(message, bytes) else msgspec.json.encode(message))

    async def first(self, wanted: Callable[[Any], bool], within_s: float = 5) -> Any:
        """The first frame, past or to come, that is ``wanted``."""
        with trio.fail_after(within_s):
            while True:
                for frame in self.frames:
                    if wanted(frame):
                        return frame
                await trio.sleep(0.005)

    async def control(self, method: str, *params: object) -> Any:
        """Send a subscription frame and wait for its answer."""
        self._number += 1
        number = self._number
        self.send({"id": number, "method": method, "params": list(params)})
        return await self.first(lambda f: isinstance(f, dict) and f.get("id") == number)

    def ask_soon(self, method: str, **params: Any) -> int:
        """Send a signed request of the WebSocket API; its number."""
        self._number += 1
        signed = {**params, "apiKey": v.API_KEY, "timestamp": self._running.now_ms()}
        text = ws_signed_text(signed)
        signed["signature"] = hmac.new(v.SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        self.send({"id": self._number, "method": method, "params": signed})
        return self._number

    async def ask(self, method: str, **params: Any) -> Any:
        """Send a signed request and wait for its reply."""
        number = self.ask_soon(method, **params)
        return await self.first(lambda f: f.get("id") == number)


class Running:
    """A simulator that serves, and how to reach it."""

    def __init__(self, server: PaperServer, net: Net, clock: LoopClock) -> None:
        self.server = server
        self.exchange = server.exchange
        self._net = net
        self.clock = clock
        self._http = HttpxPort(net)

    def now_ms(self) -> int:
        return now_ms(self.clock)

    async def rest(self, method: str, path: str, *, signed: bool = True, **params: Any) -> Any:
        """The status and decoded body of a REST call; signed in the query."""
        reply = await self.reply(method, path, signed=signed, **params)
        return reply.status, msgspec.json.decode(reply.body)

    async def reply(self, method: str, path: str, *, signed: bool = True, **params: Any) -> Any:
        if signed:
            params["timestamp"] = self.now_ms()
        query = urlencode(params)
        if signed:
            digest = hmac.new(v.SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
            query += f"&signature={digest}"
        return await self.plain(method, f"{path}?{query}" if query else path)

    async def plain(self, method: str, target: str, content: bytes = b"") -> Any:
        url = f"http://127.0.0.1:{self.server.port}{target}"
        headers = {"X-MBX-APIKEY": v.API_KEY}
        return await self._http.request(method, url, headers=headers, content=content, timeout_s=3)

    async def faults(self, **faults: Any) -> None:
        reply = await self.plain("POST", "/sim/faults", msgspec.json.encode(faults))
        assert reply.status == 200, reply.body

    @asynccontextmanager
    async def connect(self, path: str) -> AsyncIterator[Connection]:
        """An open connection at ``path``."""
        connection = Connection(self)
        opened, leave = trio.Event(), trio.Event()

        async def session(wire: Wire) -> None:
            connection.wire = wire
            opened.set()
            await leave.wait()

        url = f"ws://127.0.0.1:{self.server.port}{path}"
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                await run_wire(self._net, url, connection.on_frame, session, limits=LIMITS)

            nursery.start_soon(run)
            await opened.wait()
            yield connection
            leave.set()

    async def refused(self, path: str) -> str:
        """Why a connection at ``path`` is not opened."""
        url = f"ws://127.0.0.1:{self.server.port}{path}"
        with pytest.raises(ConnectionLost) as caught:
            await run_wire(self._net, url, lambda frame: None, _sleep, limits=LIMITS)
        return caught.value.message

    async def aclose(self) -> None:
        await self._http.aclose()


async def _sleep(wire: Wire) -> None:
    await trio.sleep(2)


@asynccontextmanager
async def running(
    net: Net, *, tick_s: float = 0.05, limit_s: float = 20, **server: Any
) -> AsyncIterator[Running]:
    """Serve a simulator at a standstill of prices for the length of the block."""
    clock = LoopClock(v.AT_MS * 1_000_000)
    exchange = Exchange(ExchangeSetup(step_bps=0.0))
    paper = PaperServer(exchange, ACCOUNT, net, clock, tick_s=tick_s, **server)
    with trio.fail_after(limit_s):
        async with trio.open_nursery() as nursery:
            await nursery.start(paper.run)
            here = Running(paper, net, clock)
            try:
                yield here
            finally:
                await here.aclose()
            nursery.cancel_scope.cancel()
