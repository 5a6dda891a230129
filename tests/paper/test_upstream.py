"""Prices from another venue: one simulator chained to another."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import pytest
import trio
import vectors as v
from hypothesis import given
from hypothesis import strategies as st
from paper_kit import BTC, XRP
from server_kit import Running, running
from trio.testing import MockClock

from lowcap.core.clock import LoopClock
from lowcap.net.net import MemoryNet
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.prices import QUOTED_MS, PriceBoard
from lowcap.paper.upstream import Upstream

AT_MS = v.AT_MS


def board() -> PriceBoard:
    return PriceBoard(listed_contracts(), seed=1, step_bps=50.0)


def upstream(to: PriceBoard, net: MemoryNet | None = None, port: int = 1) -> Upstream:
    url, clock = f"ws://127.0.0.1:{port}", LoopClock(v.AT_MS * 1_000_000)
    return Upstream(net or MemoryNet(), url, to, clock, random.Random(1))


def follow(to: Running, net: MemoryNet, port: int) -> Upstream:
    """Let a running simulator follow the one at ``port``."""
    url = f"ws://127.0.0.1:{port}"
    return Upstream(net, url, to.exchange.board, to.clock, random.Random(1))


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
        following = follow(copy, net, source.server.port)
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


async def test_while_the_upstream_is_away_nothing_is_quoted_and_nothing_filled(
    autojump_clock: MockClock,
) -> None:
    net = MemoryNet()
    async with (
        running(net, limit_s=120) as copy,
        copy.connect("/market/stream?streams=!markPrice@arr@1s/btcusdt@kline_1m") as client,
        trio.open_nursery() as nursery,
    ):
        async with running(net, limit_s=120) as source:
            nursery.start_soon(follow(copy, net, source.server.port).run)
            source.exchange.board.set_price(XRP, Decimal("2.3456"))
            await follows(source, copy.exchange.board, XRP)
            await buy(copy, type="MARKET")
            stop = await copy.rest("POST", "/fapi/v1/algoOrder", **STOP)
            assert stop[0] == 200, stop
            kept = copy.exchange.board.quotes[XRP]
        await trio.sleep(2)
        client.frames.clear()
        await trio.sleep(10)
        assert client.frames == []
        assert copy.exchange.board.quotes[XRP] == kept
        # What is at hand is no price, for nobody: not for orders, stops or margins.
        order = await buy(copy, type="MARKET")
        assert [order["status"], order["executedQty"]] == ["EXPIRED", "0"]
        order = await buy(copy, type="LIMIT", timeInForce="IOC", price=str(kept.ask))
        assert order["status"] == "EXPIRED"
        copy.exchange.board.set_price(XRP, kept.mark / 2)
        await trio.sleep(5)
        assert copy.exchange.book.position(XRP).qty == 100
        assert len(copy.exchange.algos.open_algos(XRP)) == 1
        nursery.cancel_scope.cancel()


STOP = {
    "algoType": "CONDITIONAL",
    "symbol": XRP,
    "side": "SELL",
    "type": "STOP_MARKET",
    "triggerPrice": "1.5",
    "closePosition": "true",
}


async def buy(at: Running, **terms: str) -> dict[str, str]:
    """What became of an order for 100 XRP."""
    status, order = await at.rest(
        "POST", "/fapi/v1/order", symbol=XRP, side="BUY", quantity="100", **terms,
        newOrderRespType="RESULT",
    )  # fmt: skip
    assert status == 200, order
    return dict(order)


def test_a_board_that_follows_moves_by_what_it_is_told_and_by_nothing_else() -> None:
    copy = board()
    own = copy.quotes[BTC]
    copy.follow()
    assert not copy.is_quoted(XRP, AT_MS)
    copy.tell(XRP, AT_MS, mark=Decimal("2.5000"))
    assert copy.quotes[XRP].last == Decimal("2.5")  # our own last price was none of that venue's
    copy.tell(XRP, AT_MS, last=Decimal("2.6000"))
    for _ in range(10):
        copy.walk()
    quote = copy.quotes[XRP]
    assert [quote.mark, quote.last, quote.bid, quote.ask] == [
        Decimal(price) for price in ("2.5", "2.6", "2.5999", "2.6001")
    ]
    assert copy.quotes[BTC] == own
    assert not copy.is_quoted(BTC, AT_MS)
    assert copy.is_quoted(XRP, AT_MS + QUOTED_MS)
    assert not copy.is_quoted(XRP, AT_MS + QUOTED_MS + 1)


@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from(["mark", "last"])), max_size=30),
    st.integers(0, 5_000),
)
def test_only_a_young_mark_is_a_quote(told: list[tuple[int, str]], after_ms: int) -> None:
    copy, at_ms, marked_ms = board(), AT_MS, None
    copy.follow()
    for waited_ms, kind in told:
        at_ms += waited_ms
        copy.tell(XRP, at_ms, **{kind: Decimal(3)})
        marked_ms = at_ms if kind == "mark" else marked_ms
    at_ms += after_ms
    young = marked_ms is not None and at_ms - marked_ms <= QUOTED_MS
    assert copy.is_quoted(XRP, at_ms) is young


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
