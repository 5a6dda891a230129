"""Prices from another venue: one simulator chained to another."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import pytest
import trio
from paper_kit import BTC, XRP
from server_kit import Running, running
from trio.testing import MockClock

from lowcap.net.net import MemoryNet
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.prices import PriceBoard
from lowcap.paper.upstream import Upstream


def board() -> PriceBoard:
    return PriceBoard(listed_contracts(), seed=1, step_bps=50.0)


def upstream(to: PriceBoard, net: MemoryNet | None = None, port: int = 1) -> Upstream:
    url = f"ws://127.0.0.1:{port}"
    return Upstream(net or MemoryNet(), url, to, random.Random(1))


async def follows(source: Running, copy: PriceBoard, symbol: str) -> None:
    with trio.fail_after(20):
        while copy.quotes[symbol].last != source.exchange.board.quotes[symbol].last:
            await trio.sleep(0.1)


async def test_a_chained_simulator_fills_at_the_prices_of_the_first(
    autojump_clock: MockClock,
) -> None:
    net = MemoryNet()
    async with (
        running(net, limit_s=120) as source,
        running(net, limit_s=120) as copy,
        trio.open_nursery() as nursery,
    ):
        following = upstream(copy.exchange.board, net, source.server.port)
        nursery.start_soon(following.run)
        source.exchange.board.set_price(XRP, Decimal("2.3456"))
        await follows(source, copy.exchange.board, XRP)
        status, order = await copy.rest(
            "POST", "/fapi/v1/order", symbol=XRP, side="BUY", type="MARKET", quantity="100"
        )
        assert status == 200, order
        _, [trade] = await copy.rest("GET", "/fapi/v1/userTrades", symbol=XRP)
        assert trade["price"] == "2.3457"
        assert copy.exchange.board.quotes[XRP].mark == Decimal("2.3456")
        nursery.cancel_scope.cancel()


async def test_a_lost_upstream_is_found_again(autojump_clock: MockClock) -> None:
    net = MemoryNet()
    copy = board()
    async with trio.open_nursery() as nursery:
        async with running(net, limit_s=120) as source:
            port = source.server.port
            following = upstream(copy, net, port)
            nursery.start_soon(following.run)
            await follows(source, copy, XRP)
        heard = following.frames
        await trio.sleep(5)
        assert following.frames == heard
        nursery.cancel_scope.cancel()


def test_a_dictated_symbol_no_longer_walks_and_the_others_do() -> None:
    copy = board()
    copy.dictate(XRP, mark=Decimal("2.5000"), last=Decimal("2.6000"))
    others = copy.quotes[BTC].mark
    for _ in range(10):
        copy.walk()
    quote = copy.quotes[XRP]
    assert [quote.mark, quote.last, quote.bid, quote.ask] == [
        Decimal(price) for price in ("2.5", "2.6", "2.5999", "2.6001")
    ]
    assert copy.quotes[BTC].mark != others


def frame(**row: object) -> bytes:
    return msgspec.json.encode({"stream": "!markPrice@arr@1s", "data": [row]})


async def test_mark_and_last_are_taken_from_their_own_frames() -> None:
    copy = board()
    following = upstream(copy)
    following.on_frame(frame(s=XRP, p="2.5", st=1))
    following.on_frame(frame(s=XRP, c="2.6", st=1))
    assert [copy.quotes[XRP].mark, copy.quotes[XRP].last] == [Decimal("2.5"), Decimal("2.6")]


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"\xff",
        b'{"data":{}}',
        frame(s="NOSUCHUSDT", p="1"),
        frame(s=XRP, p="NaN"),
        frame(s=XRP, p="0"),
        frame(s=XRP, p="5", st=2),
    ],
)
async def test_what_is_none_of_ours_moves_nothing(data: bytes) -> None:
    copy = board()
    before = copy.quotes[XRP]
    upstream(copy).on_frame(data)
    assert copy.quotes[XRP] == before
