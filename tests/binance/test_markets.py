"""Book, trades and candles of traded symbols: newest wins, ages are known, odd ones do no harm."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.binance.candles import ATR_LENGTH, KEPT, Candle, Candles, candle_from
from lowcap.binance.markets import Markets
from lowcap.binance.rest import VenueRefused
from lowcap.core.errors import NoAnswer
from tests import vectors as v
from tests.binance.binance_kit import reply, rest

MINUTE_MS = 60_000
D = Decimal
XRP = "XRPUSDT"


class Watchmaker:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.ms = v.AT_MS

    def now_ns(self) -> int:
        return self.ms * 1_000_000

    def stage_ns(self) -> int:
        return 0


def candle(minute: int, low: str, high: str, close: str, *, closed: bool = True) -> Candle:
    return candle_from(minute * MINUTE_MS, (close, high, low, close), "1", closed=closed)


def frame(stream: str, data: Any) -> bytes:
    return msgspec.json.encode({"stream": stream, "data": data})


def kline(minute: int, close: str, *, closed: bool = False, **changes: Any) -> Any:
    k = {
        "t": minute * MINUTE_MS,
        "o": "1.9",
        "h": "2",
        "l": "1.8",
        "c": close,
        "v": "5",
        "x": closed,
    }
    return {"e": "kline", "s": XRP, "k": k | changes}


def test_the_true_range_reaches_to_the_close_before() -> None:
    candles = Candles()
    for each in (candle(1, "9", "11", "10"), candle(2, "12", "13", "12"), candle(3, "5", "6", "5")):
        candles.fold(each)
    assert candles.atr(2) == (D(3) + D(7)) / 2
    assert candles.atr(3) is None


def test_a_candle_that_is_still_forming_does_not_count() -> None:
    candles = Candles()
    for minute in range(ATR_LENGTH + 1):
        candles.fold(candle(minute, "9", "11", "10"))
    candles.fold(candle(ATR_LENGTH + 1, "1", "99", "50", closed=False))
    assert candles.atr() == 2


def test_newest_wins_but_a_closed_candle_stays_closed() -> None:
    candles = Candles()
    candles.fold(candle(2, "9", "11", "10", closed=False))
    candles.fold(candle(2, "8", "11", "9"))
    candles.fold(candle(2, "9", "11", "10", closed=False))
    candles.fold(candle(1, "9", "11", "10"))
    assert [(c.open_ms // MINUTE_MS, c.low, c.closed) for c in candles.rows()] == [
        (1, 9, True),
        (2, 8, True),
    ]


@given(st.lists(st.integers(0, 500)))
def test_candles_are_bounded_and_in_order(minutes: list[int]) -> None:
    candles = Candles()
    for minute in minutes:
        candles.fold(candle(minute, "9", "11", "10"))
    rows = [c.open_ms // MINUTE_MS for c in candles.rows()]
    assert rows == sorted(set(rows))
    assert len(rows) <= KEPT


@pytest.mark.parametrize(
    "prices",
    [("NaN", "1", "1", "1"), ("1", "1", "2", "1"), ("3", "2", "1", "1"), ("0", "1", "0", "1")],
)
def test_candles_that_contradict_themselves(prices: tuple[str, str, str, str]) -> None:
    with pytest.raises(ValueError, match=r"candle|decimal|number|NaN"):
        candle_from(0, prices, "1", closed=True)


def test_the_newest_of_each_kind_and_its_age() -> None:
    clock = Watchmaker()
    markets = Markets(clock)
    markets.keep([XRP])
    assert (markets.book(XRP), markets.trade(XRP), markets.ages_ms(XRP)) == (None, None, {})
    for bid in ("1.8", "1.9"):
        markets.take(frame("xrpusdt@bookTicker", {"b": bid, "a": "1.91", "B": "5", "A": "7"}))
    clock.ms += 40
    markets.take(frame("xrpusdt@aggTrade", {"p": "1.905", "q": "12", "m": True}))
    markets.take(frame("xrpusdt@kline_1m", kline(1, "1.95")))
    clock.ms += 2
    book, trade = markets.book(XRP), markets.trade(XRP)
    assert book is not None
    assert trade is not None
    assert (book.bid, book.ask, book.at_ms) == (D("1.9"), D("1.91"), v.AT_MS)
    assert (trade.price, trade.qty, trade.at_ms) == (D("1.905"), 12, v.AT_MS + 40)
    assert markets.ages_ms(XRP) == {"bookTicker": 42, "aggTrade": 2, "kline_1m": 2}
    assert [c.close for c in markets.candles(XRP)] == [D("1.95")]


def test_symbols_that_are_not_traded_are_forgotten() -> None:
    markets = Markets(Watchmaker())
    markets.keep([XRP, "测试USDT"])
    markets.take(frame("测试usdt@bookTicker", {"b": "1", "a": "2"}))
    markets.take(frame("ethusdt@bookTicker", {"b": "1", "a": "2"}))
    assert markets.book("测试USDT") is not None
    assert markets.book("ETHUSDT") is None
    markets.keep([XRP])
    assert markets.book("测试USDT") is None
    assert (markets.candles("测试USDT"), markets.atr("测试USDT")) == ([], None)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"b": "NaN", "a": "1"},
        {"b": "2", "a": "1"},
        {"b": "0", "a": "1"},
        {"b": 1, "a": 2},
    ],
)
def test_a_book_that_makes_no_sense_is_none(data: Any) -> None:
    markets = Markets(Watchmaker())
    markets.keep([XRP])
    markets.take(frame("xrpusdt@bookTicker", data))
    markets.take(frame("xrpusdt@aggTrade", data))
    assert markets.book(XRP) is None
    assert markets.trade(XRP) is None


@given(
    st.binary(max_size=40) | st.sampled_from([b"[" * 100_000, b'{"stream":5}', b'{"result":null}'])
)
def test_any_frame_is_harmless(noise: bytes) -> None:
    markets = Markets(Watchmaker())
    markets.keep([XRP])
    markets.take(noise)
    markets.take(b'{"stream":"xrpusdt@kline_1m","data":' + noise + b"}")
    assert markets.candles(XRP) == []


def test_an_odd_candle_leaves_the_others() -> None:
    markets = Markets(Watchmaker())
    markets.keep([XRP])
    markets.take(frame("xrpusdt@kline_1m", kline(1, "1.95", closed=True)))
    for changes in ({"h": "1"}, {"t": -1}, {"x": None}, {"v": "x"}):
        markets.take(frame("xrpusdt@kline_1m", kline(2, "1.95", **changes)))
    assert len(markets.candles(XRP)) == 1


async def test_candles_by_rest() -> None:
    row = [
        v.AT_MS - 1 - MINUTE_MS,
        "1.9",
        "2",
        "1.8",
        "1.95",
        "10",
        v.AT_MS - 1,
        "19",
        5,
        "5",
        "9",
        "0",
    ]
    forming = [
        v.AT_MS,
        "1.9",
        "2",
        "1.8",
        "1.95",
        "10",
        v.AT_MS + MINUTE_MS - 1,
        "1",
        5,
        "5",
        "9",
        "0",
    ]
    client, http = rest(reply([row, forming]))
    first, second = await client.candles(XRP)
    assert (first.close, first.closed, second.closed) == (D("1.95"), True, False)
    assert http.asked[0][1].endswith("/fapi/v1/klines?symbol=XRPUSDT&interval=1m&limit=60")
    assert http.asked[0][2] == {}
    for odd in (b"{}", b"[[1]]", b'[[1,"1","2","3","1","1",2]]'):
        client, _ = rest(reply(odd))
        with pytest.raises(NoAnswer, match="unreadable"):
            await client.candles(XRP)
    client, _ = rest(reply({"code": -1121, "msg": "Invalid symbol."}, 400))
    with pytest.raises(VenueRefused):
        await client.candles(XRP)
