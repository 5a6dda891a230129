"""Ledger records become alerts: what is told, how severe, and what mends itself untold."""

from __future__ import annotations

import typing
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from alert_kit import HOSTILE, NOON_MS, Tape, is_harmless
from hypothesis import given, settings
from hypothesis import strategies as st

from lowcap.alerts.alert import EVENTS, LEVELS, Alert, lines_of, title_of
from lowcap.alerts.reader import FEED_GRACE_MS, FILLS_SETTLE_MS, START_GRACE_MS, Reader
from lowcap.alerts.services import payload_of
from lowcap.core import facts
from lowcap.core.facts import FACT_KINDS, Fact
from lowcap.core.messages import Changed, Miss, Purpose, TradingState
from lowcap.core.money import Side

D = Decimal
RECOVERED = facts.Recovered(crashed=False, unknown_settled=0, positions=1, ms=120)


def told(fact: Fact, mode: str = "live") -> Alert:
    """The one alert that a fact raises by itself."""
    (found,) = Reader(mode).read(Tape()(fact))
    return found


def intent(name: str, side: Side = Side.BUY) -> facts.OrderIntended:
    return facts.OrderIntended(
        client_id=name, symbol="BTCUSDT", side=side, purpose=Purpose.ENTRY, type="LIMIT",
        leg="e", recv_window_ms=1_000, timestamp_ms=NOON_MS,
    )  # fmt: skip


def fill(name: str, qty: str, price: str, **more: Any) -> facts.Filled:
    given = {"side": Side.BUY, "trade_id": 1, "fee": D("1.5"), **more}
    return facts.Filled(
        client_id=name, symbol="BTCUSDT", qty=D(qty), price=D(price), venue_ms=NOON_MS, **given
    )


def test_an_entry_in_three_executions_is_told_once_with_its_trigger_and_mean_price() -> None:
    reader, tape = Reader("live"), Tape()
    news = tape(
        facts.NewsSeen(
            feed="tokyo", source_id="1", headline="Elon: Bitcoin again", decision="signal"
        )
    )
    assert reader.read(news) == []
    signal = tape(
        facts.SignalRaised(
            trigger="elon_btc", feed="tokyo", side=Side.BUY, symbols=("BTCUSDT",),
            matched=("bitcoin",), tier="regular", age_ms=30,
        ),
        cause=news.seq,
    )  # fmt: skip
    (raised,) = reader.read(signal)
    assert (raised.event, raised.title, raised.quote) == (
        "signal", "SIGNAL elon_btc", "Elon: Bitcoin again",
    )  # fmt: skip
    reader.read(tape(intent("lcl-1-3-e"), cause=signal.seq))
    for n, (qty, price) in enumerate((("1", "67000"), ("2", "67003"), ("1", "67006"))):
        assert reader.read(tape(fill("lcl-1-3-e", qty, price, trade_id=n), after_ms=5)) == []
    assert reader.due(NOON_MS + FILLS_SETTLE_MS) == []
    assert reader.next_ms() == NOON_MS + 5 + FILLS_SETTLE_MS
    (filled,) = reader.due(NOON_MS + 5 + FILLS_SETTLE_MS)
    assert filled.level == "info"
    assert filled.title == "ENTRY BUY BTCUSDT"
    assert filled.text == "BUY 4 BTCUSDT at 67003.00, 268,012.00 USD, by elon_btc"
    assert title_of(filled, "live") == "LIVE ENTRY BUY BTCUSDT"
    assert filled.fields["notional_usd"] == "268012.00"
    assert reader.next_ms() is None


@pytest.mark.parametrize(
    ("leg", "level", "title"),
    [
        ("s", "warning", "STOP SELL BTCUSDT"),
        ("t2", "info", "TAKE-PROFIT 2 SELL BTCUSDT"),
        ("c", "info", "CLOSE SELL BTCUSDT"),
    ],
)
def test_what_closes_is_told_with_its_result(leg: str, level: str, title: str) -> None:
    reader, tape = Reader("live"), Tape()
    name = f"lcl-1-3-{leg}"
    reader.read(tape(fill(name, "0.5", "0.000012345", side=Side.SELL, realized=D("-20"))))
    (found,) = reader.due(NOON_MS, at_once=True)
    assert (found.level, found.title) == (level, title)
    assert "at 0.0000123450" in found.text
    assert found.text.endswith("result -21.50 USD")
    assert found.fields["pnl_usd"] == "-21.50"


def test_a_closed_position_is_told_with_what_it_made() -> None:
    lost = told(facts.PositionClosed(symbol="BTCUSDT", realized=D("-100"), fees=D("12.345")))
    assert (lost.event, lost.level) == ("position.closed", "warning")
    assert lost.text == "BTCUSDT is flat, result -112.34 USD after 12.34 USD of fees"
    won = told(facts.PositionClosed(symbol="BTCUSDT", realized=D(100), fees=D(1)))
    assert (won.level, won.title) == ("info", "CLOSED BTCUSDT +99.00")


HELD = TradingState.HALTED
REDUCED = TradingState.REDUCING


@pytest.mark.parametrize(
    ("fact", "event", "level"),
    [
        (facts.HoldPlaced(name="panic", state=HELD, reason="r", who="uid 0"),
         "trading.panic", "critical"),
        (facts.HoldPlaced(name="operator-halt", state=HELD, reason="r", who="uid 0"),
         "trading.halted", "critical"),
        (facts.HoldPlaced(name="day-loss", state=HELD, reason="lost", who="risk"),
         "limit.breached", "critical"),
        (facts.HoldPlaced(name="venue-refuses", state=HELD, reason="-2015", who="auto"),
         "trading.halted", "critical"),
        (facts.HoldPlaced(name="operator-pause", state=REDUCED, reason="lunch", who="uid 5"),
         "trading.paused", "warning"),
        (facts.HoldLifted(name="operator-pause", reason="back", who="uid 5"),
         "trading.resumed", "warning"),
        (facts.AlarmRaised(code="unprotected", text="BTCUSDT: no stop"),
         "stop.missing", "critical"),
        (facts.AlarmRaised(code="forced-close", text="x"), "position.forced", "critical"),
        (facts.AlarmRaised(code="margin-call", text="x"), "margin.high", "critical"),
        (facts.AlarmRaised(code="latency-breach", text="x"), "latency.breach", "warning"),
        (facts.AlarmRaised(code="orphan", text="x"), "alarm", "error"),
        (facts.AlarmRaised(code="not-flat", text="x"), "alarm", "critical"),
        (facts.Refused(symbol="X", side=Side.BUY, check="c", measured="9", limit="5"),
         "order.refused", "warning"),
        (facts.BreakerChanged(name="rest", state="open", why="w", rest_ms=60_000),
         "breaker.open", "warning"),
        (facts.BreakerChanged(name="rest", state="closed", why=""), "breaker.closed", "info"),
        (facts.Switched(kind="trigger", name="t", enabled=False, who="guard"),
         "switched", "warning"),
        (facts.ConfigReloaded(config_hash="h", changed=("limits",), who="SIGHUP"),
         "config.changed", "warning"),
        (facts.CommandReceived(method="arm", params="", uid=0, pid=1),
         "trading.armed", "warning"),
        (facts.CommandReceived(method="close", params="", uid=0, pid=1), "command", "debug"),
        (facts.SinkChanged(sink="telegram", state="dead", why="HTTP 401"),
         "notify.dead", "error"),
        (facts.Reconciled(why="w", clean=False, differences=("d",)),
         "reconcile.differs", "warning"),
        (facts.OutcomeUnknown(client_id="lcl-1-2-e", why="no reply"), "order.unknown", "error"),
        (facts.RunEnded(reason="stopped"), "daemon.stopped", "warning"),
        (facts.StopMoved(symbol="X", price=D(5), who="uid 0"), "stop.moved", "info"),
        (RECOVERED, "daemon.ready", "info"),
    ],
)  # fmt: skip
def test_events_and_how_severe_they_are(fact: Fact, event: str, level: str) -> None:
    found = told(fact)
    assert (found.event, found.level) == (event, level)


def test_a_live_start_says_that_it_is_disarmed() -> None:
    start = facts.RunStarted(version="1", mode="live", config_hash="h")
    live = told(start)
    assert live.level == "warning"
    assert "DISARMED" in live.text
    assert "DISARMED" not in told(msgspec.structs.replace(start, mode="dry"), "dry").text


def test_the_venues_refusal_names_the_order_and_a_doubt_is_told_to_its_end() -> None:
    reader, tape = Reader("live"), Tape()
    reader.read(tape(intent("lcl-1-1-e")))
    update = facts.OrderUpdated(
        client_id="lcl-1-1-e", status="rejected", source="reply", code=-2019,
        reason="Margin is insufficient.",
    )  # fmt: skip
    (refused,) = reader.read(tape(update))
    assert refused.text == "entry BUY BTCUSDT: -2019 Margin is insufficient."
    settled = facts.OutcomeSettled(client_id="lcl-1-1-e", outcome="filled", how="query")
    assert reader.read(tape(settled)) == [], "nobody was told of a doubt"
    reader.read(tape(facts.OutcomeUnknown(client_id="lcl-1-1-e", why="no reply")))
    (known,) = reader.read(tape(settled))
    assert known.text == "entry BUY BTCUSDT: filled (query)"


# -- what mends itself -----------------------------------------------------------


def down(feed: str, state: str = "down") -> facts.FeedChanged:
    return facts.FeedChanged(feed=feed, state=state, why="reset by peer")


def test_a_feed_that_comes_back_at_once_is_never_told() -> None:
    reader, tape = Reader("live"), Tape()
    reader.read(tape(RECOVERED))
    assert reader.read(tape(down("tokyo"))) == []
    assert reader.read(tape(down("tokyo", "connecting"), after_ms=500)) == []
    assert reader.read(tape(down("tokyo", "up"), after_ms=500)) == []
    assert reader.due(NOON_MS + 10 * FEED_GRACE_MS) == []


def test_a_feed_that_stays_away_is_told_once_and_so_is_its_return() -> None:
    reader, tape = Reader("live"), Tape()
    reader.read(tape(RECOVERED))
    for _ in range(5):  # every try that fails
        assert reader.read(tape(down("tokyo"), after_ms=1_000)) == []
    (lost,) = reader.due(NOON_MS + 1_000 + FEED_GRACE_MS)
    assert lost.event == "feed.lost"
    assert lost.text == "feed tokyo is down: reset by peer"
    assert reader.read(tape(down("tokyo"), after_ms=60_000)) == []
    (back,) = reader.read(tape(down("tokyo", "up")))
    assert (back.event, back.level) == ("feed.back", "info")
    assert reader.read(tape(down("tokyo", "up"))) == []


def test_a_mute_feed_is_told_at_once_and_one_that_was_put_off_is_not() -> None:
    reader, tape = Reader("live"), Tape()
    reader.read(tape(RECOVERED))
    (stale,) = reader.read(tape(down("bwe", "stale")))
    assert stale.event == "feed.stale"
    reader.read(tape(down("phoenix")))
    reader.read(tape(down("phoenix", "off")))
    assert reader.due(NOON_MS + 10 * FEED_GRACE_MS) == []


def test_at_the_start_nothing_is_lost_until_a_minute_has_passed() -> None:
    reader, tape = Reader("live"), Tape()
    hold = facts.HoldPlaced(name="venue", state=REDUCED, reason="refused", who="auto")
    recovery = facts.HoldPlaced(name="recovery", state=REDUCED, reason="comparing", who="auto")
    assert reader.read(tape(recovery)) == []
    assert reader.read(tape(hold)) == []
    assert reader.due(NOON_MS + START_GRACE_MS - 1) == []
    (lost,) = reader.due(NOON_MS + START_GRACE_MS)
    assert (lost.event, lost.level) == ("venue.lost", "error")
    assert reader.read(tape(hold)) == []
    (back,) = reader.read(tape(facts.HoldLifted(name="venue", reason="ok", who="auto")))
    assert back.event == "venue.back"


def test_an_automatic_hold_of_another_kind_is_an_alarm_and_its_end_is_silent() -> None:
    reader, tape = Reader("live"), Tape()
    disk = facts.HoldPlaced(name="ledger", state=REDUCED, reason="disk full", who="auto")
    (found,) = reader.read(tape(disk))
    assert (found.event, found.text) == ("alarm", "disk full")
    assert reader.read(tape(facts.HoldLifted(name="ledger", reason="ok", who="auto"))) == []


# -- any fact, any words -----------------------------------------------------------

_WORDS = st.one_of(
    st.just(HOSTILE),
    st.sampled_from(["auto", "up", "dead", "open", "rejected", "HALTED", "lcl-1-2-e", "venue"]),
    st.text(st.characters(codec=None), max_size=400),
)
_OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: _WORDS,
    int: st.integers(-(10**12), 10**15),
    float: st.floats(0, 1e9),
    bool: st.booleans(),
    Decimal: st.decimals(-(10**14), 10**14, allow_nan=False, places=8),
    Side: st.sampled_from(Side),
    Purpose: st.sampled_from(Purpose),
    TradingState: st.sampled_from(TradingState),
    Miss: st.builds(Miss, trigger=_WORDS, reason=_WORDS, detail=_WORDS),
    Changed: st.builds(Changed, key=_WORDS, old=_WORDS, new=_WORDS),
    msgspec.Raw: st.just(msgspec.Raw(b"{}")),
}


def _strategy(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _OF_TYPE:
        return _OF_TYPE[kind]
    arguments, origin = getattr(kind, "__args__", ()), getattr(kind, "__origin__", None)
    if origin is tuple:
        return st.lists(_strategy(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(_strategy(arguments[0]), _strategy(arguments[1]), max_size=3)
    return st.one_of(*(_strategy(a) if a is not type(None) else st.none() for a in arguments))


def _any(kind: type[Fact]) -> st.SearchStrategy[Fact]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: _strategy(hint) for name, hint in hints.items()})


_FACTS = st.lists(st.one_of(*(_any(kind) for kind in FACT_KINDS.values())), max_size=12)


@settings(max_examples=150, deadline=None)
@given(_FACTS)
def test_no_fact_whatever_raises_or_hurts(given_facts: list[Fact]) -> None:
    reader, tape = Reader("live"), Tape()
    found = []
    for fact in given_facts:
        found += reader.read(tape(fact, after_ms=10, cause=max(tape.seq, 0)))
        found += reader.due(tape.at_ms)
    found += reader.due(tape.at_ms + START_GRACE_MS, at_once=True)
    assert reader.next_ms() is None
    for each in found:
        assert each.event in EVENTS
        assert each.level in LEVELS
        for line in (title_of(each, "live"), *lines_of(each)):
            assert is_harmless(line), line
            assert len(line) <= 1_000
        assert msgspec.json.decode(payload_of(each, "live"))["event"] == each.event
