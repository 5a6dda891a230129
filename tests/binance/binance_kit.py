"""The order connection against a simulated venue, or against a peer that sends what it is told."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio

from lowcap.binance.rest import RestClient
from lowcap.binance.sign import Ed25519Signer, HmacSigner, Signer
from lowcap.binance.socket import ApiSocket
from lowcap.core.clock import LoopClock, now_ms
from lowcap.core.errors import ConnectionLost
from lowcap.net.http import HttpReply
from lowcap.net.net import MemoryNet
from lowcap.net.wire import Wire, WireLimits, accept_wire
from lowcap.paper.auth import Account
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.server import PaperServer
from tests import vectors as v

PEM = f"-----BEGIN PRIVATE KEY-----\n{v.ED25519_PKCS8}\n-----END PRIVATE KEY-----\n"
ACCOUNT = Account(api_key=v.API_KEY, secret=v.SECRET, public_key_pem=v.PUBLIC_KEY_PEM)
HMAC = HmacSigner(v.API_KEY, v.SECRET)
ED25519 = Ed25519Signer(v.API_KEY, PEM)


class Peer:
    """The far end of the order connection: keeps what it gets, sends what it is told."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.wires: list[Wire] = []
        self.answer: Callable[[Any], bytes | None] = lambda request: None
        self.drop = trio.Event()

    async def handle(self, stream: trio.abc.Stream) -> None:
        def on_frame(frame: bytes) -> None:
            request = msgspec.json.decode(frame)
            self.got.append(request)
            reply = self.answer(request)
            if reply is not None:
                self.wires[-1].send_now(reply)

        async def session(wire: Wire) -> None:
            self.wires.append(wire)
            self.drop = trio.Event()
            await self.drop.wait()

        try:
            await accept_wire(
                stream, lambda path, headers: None, on_frame, session, limits=WireLimits(close_s=0)
            )
        except ConnectionLost:
            return


class Line:
    """A socket under test, and what it said about its connection."""

    def __init__(self, net: MemoryNet, port: int, signer: Signer, clock: LoopClock) -> None:
        self.changes: list[tuple[bool, str]] = []
        self.socket = ApiSocket(
            net,
            f"ws://127.0.0.1:{port}/ws-fapi/v1",
            signer,
            lambda: now_ms(clock),
            lambda up, why: self.changes.append((up, why)),
            random.Random(1),
        )

    async def up(self, times: int = 1) -> None:
        with trio.fail_after(60):
            while sum(up for up, _ in self.changes) < times or not self.socket.is_up:
                await trio.sleep(0.01)


@asynccontextmanager
async def line_to_peer(signer: Signer = HMAC) -> AsyncIterator[tuple[Line, Peer]]:
    """A socket that keeps connecting to a scripted peer."""
    net, peer, clock = MemoryNet(), Peer(), LoopClock(v.AT_MS * 1_000_000)
    async with trio.open_nursery() as nursery:
        port = await nursery.start(net.serve, peer.handle, "127.0.0.1", 0)
        line = Line(net, port, signer, clock)
        nursery.start_soon(line.socket.run)
        yield line, peer
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def line_to_venue(signer: Signer) -> AsyncIterator[tuple[Line, PaperServer]]:
    """A socket connected to the simulated venue."""
    net, clock = MemoryNet(), LoopClock(v.AT_MS * 1_000_000)
    server = PaperServer(Exchange(ExchangeSetup(step_bps=0.0)), ACCOUNT, net, clock)
    async with trio.open_nursery() as nursery:
        port = await nursery.start(server.run)
        line = Line(net, port, signer, clock)
        nursery.start_soon(line.socket.run)
        yield line, server
        nursery.cancel_scope.cancel()


class FakeHttp:
    """An ``HttpPort`` that answers, or raises, what it is told, and keeps what it was asked."""

    def __init__(self, *answers: HttpReply | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes = b"",
        timeout_s: float,
    ) -> HttpReply:
        await trio.lowlevel.checkpoint()
        self.asked.append((method, url, dict(headers)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def reply(body: object, status: int = 200) -> HttpReply:
    return HttpReply(status, {}, body if isinstance(body, bytes) else msgspec.json.encode(body))


def rest(*answers: HttpReply | Exception, signer: Signer = HMAC) -> tuple[RestClient, FakeHttp]:
    http = FakeHttp(*answers)
    return RestClient(http, "https://venue.example/", signer, lambda: v.AT_MS), http
