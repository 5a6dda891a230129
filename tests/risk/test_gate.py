"""The gate: each check refuses under its own name, with what was measured and what would pass."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest

from lowcap.core import facts
from lowcap.core.messages import OrderPlan, Purpose, Quote, Refusal, TradingState
from lowcap.core.money import Side
from lowcap.risk.figures import newest_within
from lowcap.risk.gate import decide, gross_exposure
from lowcap.settings import Sizing
from tests.risk.risk_kit import (
    BTC,
    CONTRACTS,
    ETH,
    T0,
    XRP,
    D,
    Story,
    quote,
    settings,
    situation,
    wish,
)


def refusal(answer: OrderPlan | Refusal) -> tuple[str, str, str]:
    assert isinstance(answer, Refusal), answer
    return answer.check, answer.measured, answer.limit


def contract(**changes: Any) -> dict[str, Any]:
    return CONTRACTS | {XRP: msgspec.structs.replace(CONTRACTS[XRP], **changes)}


def quotes(**changes: Any) -> dict[str, Quote]:
    return {XRP: quote(XRP, **{"mark": D("1.9")} | changes)}


SITUATIONS: list[tuple[str, dict[str, Any], str, str]] = [
    ("stopping", {"stopping": True}, "STOPPING (shutdown)", "ACTIVE"),
    ("stopped-outside", {"stop_word": "SIGUSR1"}, "SIGUSR1", "no stop from outside"),
    ("disarmed", {"armed": False}, "not armed", "lowcapctl arm"),
    ("ledger", {"ledger_fault": "disk full"}, "disk full", "a writable ledger"),
    ("clock-offset", {"clock_offset_ms": 251}, "251 ms", "250 ms"),
    ("clock-offset", {"clock_offset_ms": -251}, "-251 ms", "250 ms"),
    ("unknown-symbol", {"contracts": {}}, XRP, "a contract of the venue"),
    ("symbol-status", {"contracts": contract(status="SETTLING")}, "SETTLING", "TRADING"),
    ("leverage-not-set", {"leverage": {}}, "leverage not confirmed by the venue yet",
     "set ahead of time"),
    ("no-price", {"quotes": {}}, "no mark price seen", "a mark price"),
    ("bad-price", {"quotes": quotes(mark=D(0))}, "0", "more than 0"),
    ("bad-price", {"quotes": quotes(mark=D("-1.9"))}, "-1.9", "more than 0"),
    ("bad-price", {"quotes": quotes(mark=D("NaN"))}, "NaN", "more than 0"),
    ("bad-price", {"quotes": quotes(mark=D("Infinity"))}, "Infinity", "more than 0"),
    ("stale-price", {"quotes": quotes(at_ms=T0 - 3_001)}, "3001 ms", "3000 ms"),
    ("stale-price", {"quotes": quotes(at_ms=T0 + 1)}, "-1 ms", "3000 ms"),
    ("mark-last", {"quotes": quotes(last=D("1.92"))}, "1.05 %", "1 %"),
    ("mark-last", {"quotes": quotes(last=D(0))}, "100.00 %", "1 %"),
    ("mark-last", {"quotes": quotes(last=D("NaN"))}, "NaN %", "1 %"),
    ("size", {"margin_available_usd": D(0)}, "0.00 USD (limits.margin_pct_max)",
     "at least 5.00 USD"),
    ("size", {"leverage": {XRP: 100}, "contracts": contract(brackets=())},
     "0.00 USD (venue bracket at 100x)", "at least 5.00 USD"),
    ("filters-stale", {"filters_age_ms": 900_001}, "15 min", "15 min"),
    ("filters-stale", {"filters_age_ms": 1_800_000}, "30 min", "15 min"),
    ("brackets-stale", {"brackets_age_ms": 43_260_000}, "721 min", "720 min"),
    ("size", {"leverage": {XRP: 25}}, "0.00 USD (liquidation distance at 25x)",
     "at least 5.00 USD"),
    ("price-range", {"contracts": contract(price_max=D("1.5"))}, "1.9285", "0.0001 to 1.5"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "changes", "measured", "limit"), SITUATIONS)
def test_each_check_refuses_by_name(
    check: str, changes: dict[str, Any], measured: str, limit: str
) -> None:
    answer = decide(wish(), Story().book, situation(**changes), settings())
    assert refusal(answer) == (check, measured, limit)


def _foreign(story: Story) -> None:
    story.see("5")
    story.tell(
        facts.OwnershipSettled(symbol=XRP, own_qty=D(0), foreign_qty=D(5), why="not explained")
    )


def _unknown(story: Story) -> None:
    story.tell(facts.OutcomeUnknown(client_id=story.send(), why="no reply"))
    story.now_ms += 2_000


def _two_positions(story: Story) -> None:
    story.see("1", "68000", BTC)
    story.see("1", "2400", ETH)


def _loss(story: Story) -> None:
    name = story.send()
    story.fill(name, "10", realized=D(-900), fee=D(100))
    story.now_ms += 2_000


def _five_entries(story: Story) -> None:
    for _ in range(5):
        story.send()


def _thirty_entries(story: Story) -> None:
    for _ in range(30):
        story.update(story.send(), "rejected")
        story.now_ms += 1_500


BOOKS: list[tuple[str, Callable[[Story], object], str, str]] = [
    ("foreign-position", _foreign, "5 not ours", "0"),
    ("order-in-doubt", _unknown, "an order of this symbol has an unknown outcome", "settled"),
    ("open-positions", _two_positions, "2", "2"),
    ("day-loss", _loss, "1000.00 USD", "1000 USD"),
    ("entries-per-second", _five_entries, "5", "5"),
    ("entries-per-minute", _thirty_entries, "30", "30"),
]


@pytest.mark.parametrize(("check", "happened", "measured", "limit"), BOOKS)
def test_each_check_of_the_book_refuses_by_name(
    check: str, happened: Callable[[Story], object], measured: str, limit: str
) -> None:
    story = Story()
    happened(story)
    at = situation(now_ms=story.now_ms, quotes=quotes(at_ms=story.now_ms))
    assert refusal(decide(wish(), story.book, at, settings())) == (check, measured, limit)


@pytest.mark.parametrize("usd", ["NaN", "-1", "0", "Infinity", "-Infinity", "4.9"])
def test_a_size_that_is_none_is_refused(usd: str) -> None:
    check, _, _ = refusal(decide(wish(usd=usd), Story().book, situation(), settings()))
    assert check == "size"


@pytest.mark.parametrize("side", Side)
def test_a_plan_when_all_is_well(side: Side) -> None:
    plan = decide(wish(side=side), Story().book, situation(), settings())
    assert isinstance(plan, OrderPlan)
    assert (plan.purpose, plan.type, plan.time_in_force) == (Purpose.ENTRY, "LIMIT", "IOC")
    assert not plan.reduce_only
    assert not plan.close_position
    assert plan.side is side
    assert plan.qty == D("5263.1")
    assert plan.price == (D("1.9285") if side is Side.BUY else D("1.8715"))
    assert plan.notional_usd == D("5263.1") * D("1.9") <= 10_000
    assert plan.recv_window_ms == 1_000
    assert plan.sizing == "10,000 USD by trigger, 20x"


def test_the_edges_of_every_measure_still_pass() -> None:
    at = situation(
        clock_offset_ms=-250, quotes=quotes(at_ms=T0 - 3_000, last=D("1.919"), mark=D("1.9"))
    )
    assert isinstance(decide(wish(), Story().book, at, settings()), OrderPlan)


@pytest.mark.parametrize("state", [TradingState.REDUCING, TradingState.HALTED])
@pytest.mark.parametrize("until", [0, T0 + 1, T0])
def test_a_hold_refuses_until_its_time_is_over(state: TradingState, until: int) -> None:
    story = Story()
    story.tell(facts.HoldPlaced(name="a", state=state, reason="r", who="w", until_ms=until))
    answer = decide(wish(), story.book, situation(), settings())
    if until == T0:
        assert isinstance(answer, OrderPlan)
        return
    name = "paused" if state is TradingState.REDUCING else "halted"
    assert refusal(answer) == (name, f"{state} (a)", "ACTIVE")


def test_the_worst_of_all_holds_is_in_force() -> None:
    story = Story()
    for name, state in (("clock", TradingState.REDUCING), ("op", TradingState.HALTED)):
        story.tell(facts.HoldPlaced(name=name, state=state, reason="r", who="w"))
    assert refusal(decide(wish(), story.book, situation(), settings()))[0] == "halted"
    story.tell(facts.HoldLifted(name="op", reason="r", who="w"))
    assert refusal(decide(wish(), story.book, situation(), settings()))[0] == "paused"
    story.tell(facts.HoldLifted(name="clock", reason="r", who="w"))
    assert isinstance(decide(wish(), story.book, situation(), settings()), OrderPlan)
    assert refusal(decide(wish(), story.book, situation(stopping=True), settings()))[0] == (
        "stopping"
    )


def _held(story: Story) -> None:
    story.see("10")


def _own_only(story: Story) -> None:
    name = story.send()
    story.fill(name, "10")
    story.see("0", at_ms=T0 + 1)


def _pending(story: Story) -> None:
    story.send()


@pytest.mark.parametrize("happened", [_held, _own_only, _pending])
def test_the_opposite_side_is_refused_and_the_same_side_adds(
    happened: Callable[[Story], None],
) -> None:
    story = Story()
    happened(story)
    check, _, limit = refusal(decide(wish(side=Side.SELL), story.book, situation(), settings()))
    assert (check, limit) == ("opposite-position", "none against SELL")
    assert isinstance(decide(wish(), story.book, situation(), settings()), OrderPlan)


def test_an_entry_without_any_price_of_its_own_is_counted_at_its_limit() -> None:
    story = Story()
    name = story.send(symbol=ETH, qty=D(30), price=D(2_436), decision_price=D(2_400))
    assert gross_exposure(story.book, quotes()) >= 30 * D(2_400)
    story.tell(facts.OutcomeUnknown(client_id=name, why="no reply"))
    plan = decide(wish(usd="50000"), story.book, situation(quotes=quotes()), settings())
    assert isinstance(plan, OrderPlan)
    assert plan.notional_usd <= 100_000 - 30 * D(2_400)


def test_the_collar_stays_inside_the_venues_price_band() -> None:
    narrow = situation(contracts=contract(price_up=D("1.01"), price_down=D("0.99")))
    for side, price in ((Side.BUY, "1.9190"), (Side.SELL, "1.8810")):
        plan = decide(wish(side=side), Story().book, narrow, settings())
        assert isinstance(plan, OrderPlan)
        assert plan.price == Decimal(price)


def test_one_order_never_exceeds_the_venues_largest() -> None:
    small = situation(contracts=contract(qty_max=D(100)))
    plan = decide(wish(), Story().book, small, settings())
    assert isinstance(plan, OrderPlan)
    assert plan.qty == 100


def test_what_the_venue_said_is_good_until_it_is_too_old() -> None:
    edge = situation(filters_age_ms=900_000, brackets_age_ms=43_200_000)
    assert isinstance(decide(wish(), Story().book, edge, settings()), OrderPlan)


def _made(usd: str, changes: dict[str, Any], **sizing: Any) -> OrderPlan | Refusal:
    made = attrs.evolve(
        settings(
            order_notional_usd_max=D(10**6),
            position_notional_usd_max=D(10**6),
            gross_notional_usd_max=D(10**7),
        ),
        sizing=Sizing(**sizing),
    )
    return decide(wish(usd=usd), Story().book, situation(**changes), made)


CUTS: list[tuple[str, dict[str, Any], str]] = [
    ("500000", {"margin_available_usd": D(10_000)}, "60,000.00 USD by limits.margin_pct_max"),
    ("1500000", {"margin_available_usd": D(10**9)},
     "210,837.44 USD by liquidation distance at 20x"),
    ("5000000", {"leverage": {XRP: 10}, "margin_available_usd": D(10**9)},
     "1,000,000.00 USD by limits.order_notional_usd_max"),
    ("50000", {"contracts": contract(qty_max=D(100))}, "190.00 USD by venue's largest order"),
]  # fmt: skip


@pytest.mark.parametrize(("usd", "changes", "limit"), CUTS)
def test_a_limit_cuts_the_wish_or_refuses_it_by_name(
    usd: str, changes: dict[str, Any], limit: str
) -> None:
    plan = _made(usd, changes)
    assert isinstance(plan, OrderPlan)
    most, _, by = limit.partition(" USD by ")
    assert plan.notional_usd <= D(most.replace(",", "")) < plan.notional_usd + 1
    assert f"cut by {by}" in plan.sizing
    assert refusal(_made(usd, changes, partial=False)) == (
        "size-cut", f"{D(usd):,.2f} USD wished, sizing.partial is off", limit
    )  # fmt: skip


def test_without_partial_a_wish_that_fits_is_taken_and_one_cut_before_is_not() -> None:
    made = attrs.evolve(settings(), sizing=Sizing(partial=False))
    assert isinstance(decide(wish(), Story().book, situation(), made), OrderPlan)
    cut = msgspec.structs.replace(wish(), wish=(D(5_000), "sizing.signal_usd_max"))
    check, _, limit = refusal(decide(cut, Story().book, situation(), made))
    assert (check, limit) == ("size-cut", "5,000.00 USD by sizing.signal_usd_max")


def test_a_sale_is_large_enough_at_its_own_limit_price() -> None:
    for side, usd in ((Side.BUY, "5.7"), (Side.SELL, "7.6")):
        plan = decide(wish(side=side, usd=usd), Story().book, situation(), settings())
        assert isinstance(plan, OrderPlan)
        assert plan.qty is not None
        assert plan.price is not None
        assert plan.qty * min(plan.price, D("1.9")) >= 5
    edge = situation(contracts=contract(notional_min=D("5.7")))
    assert isinstance(decide(wish(usd="5.7"), Story().book, edge, settings()), OrderPlan)
    check, measured, _ = refusal(
        decide(wish(side=Side.SELL, usd="5.7"), Story().book, edge, settings())
    )
    assert (check, measured) == ("size", "5.61 USD (trigger)")


def test_the_stop_of_the_symbol_bounds_the_position() -> None:
    wide = situation(margin_available_usd=D(10**9), stop_of=lambda symbol: D(3))
    check, measured, _ = refusal(decide(wish(), Story().book, wide, settings()))
    assert (check, measured) == ("size", "0.00 USD (liquidation distance at 20x)")


def test_a_second_try_brings_its_own_collar() -> None:
    second = msgspec.structs.replace(wish(), collar_pct=D(3))
    plan = decide(second, Story().book, situation(), settings())
    assert isinstance(plan, OrderPlan)
    assert plan.price == D("1.9570")


def test_only_the_entries_of_the_window_count() -> None:
    times = deque([1, 500, 900, 1_500, 1_600])
    counts = [newest_within(times, 1_600, window) for window in (1, 100, 101, 701, 10_000)]
    assert counts == [1, 1, 2, 3, 5]
    assert newest_within(deque(), 1_600, 1_000) == 0
