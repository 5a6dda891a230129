"""Symbol streams against the simulated venue: followed while wanted, each on its own route."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio
from trio.testing import MockClock

from lowcap.binance.rest import RestClient
from lowcap.binance.symbolstreams import LINGER_S, SILENT_S, SymbolStreams
from lowcap.core.clock import LoopClock, now_ms
from lowcap.core.errors import ConnectionLost
from lowcap.net.http import HttpxPort
from lowcap.net.net import MemoryNet
from lowcap.net.wire import Wire, WireLimits, accept_wire
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.server import PaperServer
from tests import vectors as v
from tests.binance.binance_kit import ACCOUNT, HMAC, reply, rest

XRP, ETH = "XRPUSDT", "ETHUSDT"


@asynccontextmanager
async def followed() -> AsyncIterator[SymbolStreams]:
    net, clock = MemoryNet(), LoopClock(v.AT_MS * 1_000_000)
    server = PaperServer(Exchange(ExchangeSetup()), ACCOUNT, net, clock, tick_s=0.5)
    async with trio.open_nursery() as nursery:
        port = await nursery.start(server.run)
        client = RestClient(HttpxPort(net), f"http://127.0.0.1:{port}", HMAC, lambda: now_ms(clock))
        streams = SymbolStreams(net, f"ws://127.0.0.1:{port}", client, clock, random.Random(1))
        nursery.start_soon(streams.run)
        yield streams
        nursery.cancel_scope.cancel()


async def until(done: Callable[[], bool], within_s: float = 30) -> None:
    with trio.fail_after(within_s):
        while not done():
            await trio.sleep(0.05)


async def test_book_trades_and_candles_of_what_is_traded(autojump_clock: MockClock) -> None:
    async with followed() as streams:
        await trio.sleep(5)
        assert streams.markets.ages_ms(XRP) == {}
        streams.want([XRP])
        await until(lambda: len(streams.markets.ages_ms(XRP)) == 3)
        book = streams.markets.book(XRP)
        assert book is not None
        assert book.bid < book.ask
        assert streams.markets.trade(XRP) is not None
        await trio.sleep(180)
        assert sum(c.closed for c in streams.markets.candles(XRP)) >= 2
        assert max(streams.markets.ages_ms(XRP).values()) < 5_000
        streams.want([XRP, ETH])
        await until(lambda: len(streams.markets.ages_ms(ETH)) == 3)
        streams.want([ETH])
        assert streams.markets.ages_ms(XRP) == {}


async def test_a_quarter_of_an_hour_makes_a_true_range(autojump_clock: MockClock) -> None:
    async with followed() as streams:
        streams.want([XRP])
        await trio.sleep(16 * 60)
        atr = streams.markets.atr(XRP)
        assert atr is not None
        assert atr > 0


class Peer:
    """Far ends of stream connections: what they were asked, and when they were there."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.open_now = 0
        self.opened = 0

    async def handle(self, stream: trio.abc.Stream) -> None:
        async def session(wire: Wire) -> None:
            await trio.sleep_forever()

        self.open_now += 1
        self.opened += 1
        try:
            await accept_wire(
                *(stream, lambda path, headers: None),
                lambda frame: self.asked.append(msgspec.json.decode(frame)),
                session,
                limits=WireLimits(close_s=0),
            )
        except ConnectionLost:
            return
        finally:
            self.open_now -= 1


async def test_silent_connections_are_replaced_and_idle_ones_closed(
    autojump_clock: MockClock,
) -> None:
    net, clock, peer = MemoryNet(), LoopClock(v.AT_MS * 1_000_000), Peer()
    async with trio.open_nursery() as nursery:
        port = await nursery.start(net.serve, peer.handle, "127.0.0.1", 0)
        client = rest(reply({"code": -1121, "msg": "x"}, 400))[0]
        streams = SymbolStreams(net, f"ws://127.0.0.1:{port}", client, clock, random.Random(1))
        nursery.start_soon(streams.run)
        await trio.sleep(1)
        assert peer.opened == 0
        streams.want([XRP])
        streams.want([XRP, ETH])
        await trio.sleep(2)
        streams.want([ETH])
        await trio.sleep(2)
        assert peer.open_now == 2
        assert sorted((r["method"], *r["params"]) for r in peer.asked) == [
            ("SUBSCRIBE", "ethusdt@aggTrade", "ethusdt@kline_1m",
             "xrpusdt@aggTrade", "xrpusdt@kline_1m"),
            ("SUBSCRIBE", "ethusdt@bookTicker", "xrpusdt@bookTicker"),
            ("UNSUBSCRIBE", "xrpusdt@aggTrade", "xrpusdt@kline_1m"),
            ("UNSUBSCRIBE", "xrpusdt@bookTicker"),
        ]  # fmt: skip
        await trio.sleep(SILENT_S + 5)
        assert (peer.opened, peer.open_now) == (4, 2)
        streams.want([])
        await trio.sleep(LINGER_S + 5)
        assert peer.open_now == 0
        nursery.cancel_scope.cancel()
