"""Each protection by itself: what it counts and where it says no; a restart forgets nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec import Raw

from lowcap.core import facts
from lowcap.core.messages import OrderPlan, Purpose, Refusal
from lowcap.core.money import Side
from lowcap.risk.book import Book
from lowcap.risk.gate import EntryWish, decide, notionals, preview
from lowcap.risk.guards import breaches, equity_of, feed_notionals, measures
from lowcap.settings import Settings
from tests.risk.risk_kit import BTC, ETH, MARKS, T0, XRP, D, Story, quote, settings, situation

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def quotes_at(at_ms: int) -> dict[str, Any]:
    return {s: quote(s, p, at_ms) for s, p in MARKS.items()}


def signal(story: Story, trigger: str = "t", feed: str = "tokyo", symbol: str = XRP) -> int:
    return story.tell(
        facts.SignalRaised(
            trigger=trigger, feed=feed, side=Side.BUY, symbols=(symbol,), matched=(), tier="m",
            age_ms=0,
        )
    ).seq  # fmt: skip


def ask(
    story: Story, given: Settings, cause: int = 0, symbol: str = XRP, usd: str = "1000", **more: Any
) -> OrderPlan | Refusal:
    wish = EntryWish(
        symbol=symbol, side=Side.BUY, wish=(D(usd), "trigger"), signal_seq=cause,
        **{"trigger": "t", "feed": "tokyo"} | more,
    )  # fmt: skip
    at = situation(now_ms=story.now_ms, quotes=quotes_at(story.now_ms))
    return decide(wish, story.book, at, given)


def refusal(answer: OrderPlan | Refusal) -> tuple[str, str, str]:
    assert isinstance(answer, Refusal), answer
    return answer.check, answer.measured, answer.limit


def trade(story: Story, result: str, symbol: str = XRP) -> None:
    """An entry and its close; ``result`` is what it made before fees of 2."""
    entry = story.send(symbol=symbol)
    story.fill(entry, "10", fee=D(1))
    story.update(entry, "filled", "10")
    close = story.send(
        symbol=symbol, side=Side.SELL, purpose=Purpose.CLOSE, reduce_only=True, leg="c"
    )
    story.fill(close, "10", realized=D(result), fee=D(1))
    story.update(close, "filled", "10")
    position = story.book.position(symbol)
    story.tell(facts.PositionClosed(symbol=symbol, realized=position.realized, fees=position.fees))
    story.now_ms += 2_000


def restarted(story: Story) -> Book:
    """The book after a restart: by replay, which must equal a checkpoint."""
    book = Book()
    checkpoint = facts.Checkpoint(book=Raw(story.book.snapshot()), keys=Raw(b"{}"))
    record = story.tell(checkpoint)
    book.apply(record)
    assert book.state == story.replayed().state == story.book.state
    return book


# -- losses -------------------------------------------------------------------------


def test_a_streak_counts_results_after_fees_and_a_win_ends_it() -> None:
    story, given = Story(), settings(losing_streak_max=3)
    for result in ("-5", "1.5", "3", "1", "-5"):
        trade(story, result)
    assert story.book.state.guards.losing_streak == 2, "1.5 and 1 are losses after fees of 2"
    assert isinstance(ask(story, given), OrderPlan)
    trade(story, "2")
    assert story.book.state.guards.losing_streak == 2, "nothing gained and nothing lost"
    trade(story, "0")
    assert refusal(ask(story, given)) == ("loss-streak", "3", "3")
    story.book = restarted(story)
    assert refusal(ask(story, given)) == ("loss-streak", "3", "3")
    story.now_ms += 2 * DAY_MS
    assert refusal(ask(story, given)) == ("loss-streak", "3", "3"), "midnight does not end it"
    assert isinstance(ask(story, settings(losing_streak_max=0)), OrderPlan)
    story.tell(facts.HoldLifted(name="loss-streak", reason="seen", who="uid 0"))
    assert isinstance(ask(story, given), OrderPlan)


@pytest.mark.parametrize(
    ("equity", "floor", "found"),
    [
        ("900.01", "900", []),
        ("900", "900", [("equity-floor", "900.00 USD", "900 USD")]),
        ("-5", "900", [("equity-floor", "-5.00 USD", "900 USD")]),
        ("-5", "0", []),
    ],
)
def test_the_equity_floor(equity: str, floor: str, found: list[tuple[str, str, str]]) -> None:
    limits = settings(equity_floor_usd=D(floor), drawdown_pct_max=D(0)).limits
    assert list(breaches(Story().book, limits, D(equity))) == found


def test_drawdown_is_from_the_highest_of_the_day_and_starts_anew_at_midnight() -> None:
    story, limits = Story(), settings(drawdown_pct_max=D(10)).limits
    story.now_ms = T0 - T0 % DAY_MS + 5
    for equity in ("1000", "2000", "1500"):
        story.tell(facts.EquityMarked(equity_usd=D(equity)))
    assert story.book.state.guards.peak_usd == 2_000
    assert not list(breaches(story.book, limits, D("1800.01")))
    assert list(breaches(story.book, limits, D(1_800))) == [("drawdown", "10.00 %", "10 %")]
    story.book = restarted(story)
    assert list(breaches(story.book, limits, D(1_800))) == [("drawdown", "10.00 %", "10 %")]
    story.tell(facts.EquityMarked(equity_usd=D(1_800), anew=True))
    assert not list(breaches(story.book, limits, D(1_800)))
    story.now_ms += DAY_MS
    story.tell(facts.EquityMarked(equity_usd=D(1_000)))
    assert story.book.state.guards.peak_usd == 1_000


def test_equity_needs_a_price_of_each_position_of_ours() -> None:
    story = Story()
    story.fill(story.send(), "10", "1.5")
    assert equity_of(story.book, quotes_at(T0), D(100)) == 104
    for bad in ({}, {XRP: quote(XRP, D("NaN"))}, {XRP: quote(XRP, D(0))}):
        assert equity_of(story.book, bad, D(100)) is None
    at = situation(equity_usd=None, quotes=quotes_at(T0))
    wish = EntryWish(symbol=BTC, side=Side.BUY, wish=(D(1_000), "x"))
    assert refusal(decide(wish, story.book, at, settings()))[0] == "equity-unknown"
    assert isinstance(decide(wish, story.book, at, settings(drawdown_pct_max=D(0))), OrderPlan)
    story.see("3", symbol=ETH)  # a stranger's position without a price is not ours to value
    assert equity_of(story.book, {XRP: quote(XRP, D(2))}, D(100)) == 105


# -- how often ----------------------------------------------------------------------


def test_entries_by_the_hour_and_the_day_over_a_restart() -> None:
    story = Story()
    story.now_ms = T0 - T0 % DAY_MS + 1
    by_hour = settings(entries_per_hour_max=2)
    by_day = settings(entries_per_hour_max=0, entries_per_day_max=2)
    for _ in range(2):
        story.update(story.send(), "rejected")
        story.now_ms += HOUR_MS // 2
    story.book = restarted(story)
    story.now_ms -= 1
    assert refusal(ask(story, by_hour)) == ("entries-per-hour", "2", "2")
    story.now_ms += 1
    assert isinstance(ask(story, by_hour), OrderPlan), "the first is an hour ago"
    assert refusal(ask(story, by_day)) == ("entries-per-day", "2", "2")
    story.now_ms += DAY_MS
    story.tell(facts.EquityMarked(equity_usd=D(1)))
    assert isinstance(ask(story, by_day), OrderPlan)


def test_a_clock_set_back_loses_no_entry() -> None:
    story = Story()
    for _ in range(3):
        story.update(story.send(), "rejected")
        story.now_ms -= 10_000
    assert refusal(ask(story, settings(entries_per_hour_max=3)))[0] == "entries-per-hour"


def test_a_trigger_counts_signals_that_traded_whatever_their_symbols() -> None:
    story, given = Story(), settings(executions_per_hour_max=2)
    for _ in range(2):
        seq = signal(story)
        for symbol in (BTC, ETH):
            assert isinstance(ask(story, given, seq, symbol, "100"), OrderPlan)
            name = story.intend(cause=seq, symbol=symbol)
            story.update(name, "rejected")
        story.now_ms += 2_000
    signal(story, "other")
    seq = signal(story)
    wanted = ("trigger-executions", "2 by t in an hour", "2")
    assert refusal(ask(story, given, seq)) == wanted
    story.book = restarted(story)
    assert refusal(ask(story, given, seq)) == wanted
    assert isinstance(ask(story, given, seq, trigger="other"), OrderPlan)
    assert isinstance(ask(story, given, seq, executions_per_hour=3), OrderPlan), "its own limit"
    assert isinstance(ask(story, settings(executions_per_hour_max=0), seq), OrderPlan)
    story.tell(facts.Switched(kind="trigger", name="t", enabled=False, who="guard", reason="r"))
    assert story.book.state.guards.triggers_off == {"t": "r"}
    story.tell(facts.Switched(kind="trigger", name="t", enabled=True, who="uid 0"))
    assert story.book.state.guards.triggers_off == {}
    assert isinstance(ask(story, given, seq), OrderPlan), "a person has enabled it"


def test_executions_of_an_hour_ago_do_not_count() -> None:
    story, given = Story(), settings(executions_per_hour_max=1)
    story.update(story.intend(cause=signal(story)), "rejected")
    story.now_ms += HOUR_MS - 1
    assert refusal(ask(story, given, signal(story)))[0] == "trigger-executions"
    story.now_ms += 1
    assert isinstance(ask(story, given, signal(story)), OrderPlan)


# -- from one feed --------------------------------------------------------------------


def test_what_is_open_from_one_feed_is_bounded_and_the_last_entry_is_cut() -> None:
    story = Story()
    given = settings(feed_notional_usd_max=D(15_000), open_positions_max=9)
    plan = ask(story, given, signal(story, symbol=ETH), ETH, "12000")
    assert isinstance(plan, OrderPlan)
    name = story.intend(plan, cause=signal(story, symbol=ETH))
    plan = ask(story, given, symbol=XRP, usd="9000")
    assert isinstance(plan, OrderPlan)
    assert plan.notional_usd <= 3_001
    assert "cut by" not in plan.sizing
    assert "limits.feed_notional_usd_max" in plan.sizing
    story.fill(name, str(story.book.orders[name].qty), "2400")
    story.update(name, "filled", str(story.book.orders[name].qty))
    story.now_ms += 2_000
    assert isinstance(ask(story, given, symbol=XRP, usd="9000", feed="bwe"), OrderPlan)
    tight = settings(feed_notional_usd_max=D(11_000))
    check, measured, limit = refusal(ask(story, tight, symbol=XRP))
    assert (check, limit) == ("feed-notional", "11000 USD")
    assert measured.endswith("USD from tokyo")
    assert isinstance(ask(story, tight, symbol=XRP, feed=""), OrderPlan), "a person's own trade"
    story.book = restarted(story)
    assert refusal(ask(story, tight, symbol=XRP))[0] == "feed-notional"


def test_a_position_of_two_feeds_is_shared_by_quantity() -> None:
    story = Story()
    for feed, qty in (("a", "30"), ("b", "10")):
        name = story.intend(cause=signal(story, feed=feed), qty=D(qty))
        story.fill(name, qty)
        story.update(name, "filled", qty)
    worth = notionals(story.book, quotes_at(T0))
    assert feed_notionals(story.book, worth) == {"a": D(30) * D("1.9"), "b": D(10) * D("1.9")}
    # Half of it is closed: each feed's share halves.
    close = story.send(side=Side.SELL, purpose=Purpose.CLOSE, reduce_only=True, qty=D(20), leg="c")
    story.fill(close, "20")
    worth = notionals(story.book, quotes_at(T0))
    assert feed_notionals(story.book, worth) == {"a": D(15) * D("1.9"), "b": D(5) * D("1.9")}


# -- what people see --------------------------------------------------------------------


def test_refusals_are_counted_by_check_until_midnight() -> None:
    story = Story()
    story.now_ms = T0 - T0 % DAY_MS + DAY_MS - 1
    for check in ("stale-price", "paused", "stale-price"):
        story.tell(facts.Refused(symbol=XRP, side=Side.BUY, check=check, measured="m", limit="l"))
    assert story.book.state.guards.hits == {"stale-price": 2, "paused": 1}
    story.book = restarted(story)
    assert story.book.state.guards.hits == {"stale-price": 2, "paused": 1}
    story.now_ms += 1
    story.tell(facts.EquityMarked(equity_usd=D(1)))
    assert story.book.state.guards.hits == {}


def test_each_limit_is_shown_with_what_is_used_of_it() -> None:
    story = Story()
    seq = signal(story)
    name = story.intend(cause=seq, qty=D(1_000))
    story.fill(name, "1000", realized=D(-250))
    story.tell(facts.EquityMarked(equity_usd=D(1_000)))
    given = settings(equity_floor_usd=D(500)).limits
    worth = notionals(story.book, quotes_at(T0))
    rows = {m.name: m for m in measures(story.book, T0, given, worth, D(950))}
    seen = {n: (m.now, m.of, m.used_pct and round(m.used_pct, 1)) for n, m in rows.items()}
    assert seen["position-notional"] == (D(1_900), XRP, D("2.4"))
    assert seen["gross-notional"] == (D(1_900), "", D("1.9"))
    assert seen["feed-notional"] == (D(1_900), "tokyo", D("0.1"))
    assert seen["open-positions"] == (D(1), "", D(50))
    assert seen["day-loss"] == (D(250), "", D(25))
    assert seen["equity-floor"] == (D(950), "", D("52.6"))
    assert seen["drawdown"] == (D(5), "", D(50))
    assert seen["trigger-executions"] == (D(1), "t", D("33.3"))
    assert seen["entries-per-second"] == (D(1), "", D(20))
    off = {m.name: m for m in measures(story.book, T0, settings().limits, worth, None)}
    assert off["equity-floor"].used_pct is None
    assert off["drawdown"].now is None


def test_a_preview_names_every_check_that_says_no_and_what_would_be_sent() -> None:
    story = Story()
    wish = EntryWish(symbol=XRP, side=Side.BUY, wish=(D(10_000), "x"))
    late = situation(now_ms=T0 + 4_000, armed=False)
    refused, plan = preview(wish, story.book, late, settings())
    assert [each.check for each in refused] == ["disarmed", "stale-price"]
    assert plan is not None
    assert plan.notional_usd <= 10_000
    refused, plan = preview(wish, story.book, situation(quotes={}), settings())
    assert ([each.check for each in refused], plan) == (["no-price"], None)
    small = EntryWish(symbol=XRP, side=Side.BUY, wish=(Decimal(1), "x"))
    refused, plan = preview(small, story.book, situation(), settings())
    assert ([each.check for each in refused], plan) == (["size"], None)
