"""Book, candles, trades and funding of the simulator, by call and by stream."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from paper_kit import BTC, T0, XRP, Venue

from lowcap.paper import frames
from lowcap.paper.exchange import Exchange, ExchangeSetup

MINUTE_MS = 60_000


def told(venue: Venue, stream: str) -> Any:
    payload = frames.frame(venue.exchange, stream, venue.now_ms)
    return None if payload is None else msgspec.json.decode(payload)


def test_a_book_has_levels_a_tick_apart_around_its_quote() -> None:
    venue = Venue()
    book = venue.call("depth", symbol=XRP, limit="5")
    quote = venue.call("ticker.book", symbol=XRP)
    assert [book["bids"][0][0], book["asks"][0][0]] == [quote["bidPrice"], quote["askPrice"]]
    assert [len(book["bids"]), len(book["asks"])] == [5, 5]
    gaps = {Decimal(a[0]) - Decimal(b[0]) for a, b in pairwise(book["bids"])}
    assert gaps == {Decimal("0.0001")}
    assert venue.refusal("depth", symbol=XRP, limit="7") == -4021


def test_a_snapshot_and_the_changes_after_it_make_the_next_snapshot() -> None:
    venue = Venue()
    told(venue, "xrpusdt@depth")
    venue.tick()
    before = venue.call("depth", symbol=XRP, limit="1000")
    last_u = told(venue, "xrpusdt@depth")["u"]
    venue.price("1.9107")
    update = told(venue, "xrpusdt@depth")
    assert update["pu"] == last_u
    assert update["U"] <= before["lastUpdateId"] + 1 <= update["u"]
    after = venue.call("depth", symbol=XRP, limit="1000")
    for side, key in (("bids", "b"), ("asks", "a")):
        book = dict(before[side])
        book |= dict(update[key])
        rebuilt = {price: qty for price, qty in book.items() if qty != "0"}
        assert rebuilt == dict(after[side])


def test_a_partial_depth_stream_tells_its_levels() -> None:
    update = told(Venue(), "xrpusdt@depth5@100ms")
    assert [len(update["b"]), len(update["a"])] == [5, 5]


def test_candles_join_and_hold_every_price_of_their_minute() -> None:
    venue = Venue()
    venue.call("market.klines", symbol=XRP, interval="1m")
    for price in ("1.9500", "1.8000", "1.9200"):
        venue.price(price)
    rows = venue.call("market.klines", symbol=XRP, interval="1m", limit="30")
    assert len(rows) == 30
    assert all(b[0] - a[0] == MINUTE_MS for a, b in pairwise(rows))
    assert all(row[6] == row[0] + MINUTE_MS - 1 and len(row) == 12 for row in rows)
    opened, high, low, close = rows[-1][1:5]
    assert [opened, high, low, close] == ["1.9", "1.9500", "1.8000", "1.9200"]
    assert venue.refusal("market.klines", symbol=XRP, interval="1s") == -1120


def test_the_past_is_the_same_whenever_it_is_asked_for() -> None:
    exchange = Exchange(ExchangeSetup(seed=5))
    asked = {"symbol": BTC, "interval": "1h", "limit": "50"}
    first = exchange.call("market.klines", asked, T0)
    exchange.tick(T0 + 1_000)
    second = exchange.call("market.klines", asked, T0 + 1_000)
    assert first[:-1] == second[:-1]
    assert len({row[4] for row in first}) > 10
    assert all(Decimal(r[3]) <= min(Decimal(r[1]), Decimal(r[4])) for r in first)
    assert all(Decimal(r[2]) >= max(Decimal(r[1]), Decimal(r[4])) for r in first)


def test_longer_candles_are_made_of_minutes() -> None:
    venue = Venue()
    venue.call("market.klines", symbol=XRP, interval="1m")
    for minute in range(12):
        venue.price(f"1.9{minute:02}0")
        venue.tick(MINUTE_MS - 1_000)
    short = venue.call("market.klines", symbol=XRP, interval="1m", limit="12")
    long = venue.call("market.klines", symbol=XRP, interval="5m", limit="2")
    inside = [row for row in short if row[0] >= long[0][0]]
    assert max(Decimal(r[2]) for r in inside) == max(Decimal(r[2]) for r in long)
    assert long[-1][4] == short[-1][4]


def test_a_candle_stream_closes_a_minute_before_the_next_one() -> None:
    venue = Venue()
    told(venue, "xrpusdt@kline_1m")
    venue.now_ms = T0 // MINUTE_MS * MINUTE_MS + MINUTE_MS - 500
    venue.exchange.tick(venue.now_ms)
    running = told(venue, "xrpusdt@kline_1m")["k"]
    venue.tick()
    closed = told(venue, "xrpusdt@kline_1m")["k"]
    venue.tick()
    new = told(venue, "xrpusdt@kline_1m")["k"]
    assert [running["x"], closed["x"], new["x"]] == [False, True, False]
    assert running["t"] == closed["t"] == new["t"] - MINUTE_MS


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        ("xrpusdt@aggTrade", "aggTrade"),
        ("xrpusdt@trade", "trade"),
        ("xrpusdt@ticker", "24hrTicker"),
        ("xrpusdt@miniTicker", "24hrMiniTicker"),
        ("xrpusdt_perpetual@continuousKline_1m", "continuous_kline"),
    ],
)
def test_streams_tell_their_kind(stream: str, kind: str) -> None:
    venue = Venue()
    told(venue, stream)
    venue.tick()
    assert told(venue, stream)["e"] == kind


def test_each_trade_is_streamed_once_and_listed() -> None:
    venue = Venue()
    told(venue, "xrpusdt@aggTrade")
    venue.tick()
    first = told(venue, "xrpusdt@aggTrade")
    venue.now_ms += 10
    assert told(venue, "xrpusdt@aggTrade") is None
    listed = venue.call("market.aggTrades", symbol=XRP)
    assert listed[-1]["a"] == first["a"]
    assert venue.call("market.trades", symbol=XRP, limit="1")[0]["id"] == first["a"]
    late = {"startTime": T0 - 3 * 86_400_000, "endTime": T0}
    assert venue.refusal("market.aggTrades", symbol=XRP, **late) == -4166


@pytest.mark.parametrize(
    ("stream", "route"),
    [
        ("xrpusdt@depth", "public"),
        ("xrpusdt@depth20@500ms", "public"),
        ("xrpusdt@depth@250ms", ""),
        ("xrpusdt@depth7", ""),
        ("xrpusdt@kline_1m", "market"),
        ("xrpusdt@kline_1s", ""),
        ("xrpusdt_perpetual@kline_1m", ""),
        ("XRPUSDT@aggTrade", ""),
        ("!ticker@arr", "market"),
    ],
)
def test_a_stream_has_one_route_or_none(stream: str, route: str) -> None:
    assert frames.route_of(stream) == route


def test_funding_rates_of_the_past_stand_at_their_hours() -> None:
    rows = Venue().call("market.fundingRate", symbol=XRP, limit="3")
    assert len(rows) == 3
    assert all(row["fundingTime"] % (8 * 3_600_000) == 0 for row in rows)
    assert rows[-1]["fundingTime"] <= T0


def test_open_interest_counts_what_we_hold() -> None:
    venue = Venue()
    before = Decimal(venue.call("market.openInterest", symbol=XRP)["openInterest"])
    venue.market("BUY", "100")
    after = Decimal(venue.call("market.openInterest", symbol=XRP)["openInterest"])
    assert after - before == 100


def test_a_day_counts_from_the_first_price() -> None:
    venue = Venue()
    venue.price("2.0900")
    row = venue.call("market.ticker24hr", symbol=XRP)
    assert [row["openPrice"], row["lastPrice"]] == ["1.9", "2.0900"]
    assert row["priceChangePercent"] == "10.000"
    assert len(venue.call("market.ticker24hr")) > 100
