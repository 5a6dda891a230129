"""A second try after a certain refusal: smaller or wider, at most twice, never in doubt or late."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from lowcap.binance.errors import CODES, OUTSIDE_BAND, TOO_LITTLE_MARGIN
from lowcap.core import facts
from lowcap.core.messages import OrderPlan, Signal, Target, TradingState
from lowcap.core.money import Side
from lowcap.core.order import Order, Status
from lowcap.execution.retry import Attempt, next_try, remember
from lowcap.observe.story import tell
from lowcap.paper.faults import Fault
from lowcap.settings import Orders, Sizing
from tests.execution.exec_kit import SETTINGS, Room, trading
from tests.risk.risk_kit import T0, XRP, D, Story

TARGET = Target(symbol=XRP, key=XRP)
SIGNAL = Signal(
    trigger="test", feed="test", side=Side.BUY, targets=(TARGET,), matched=(), tier="macro",
    age_ms=1, age_ms_max=10_000, cooldown_s=600,
)  # fmt: skip


def attempt(**changes: Any) -> Attempt:
    given_: dict[str, Any] = {
        "signal": SIGNAL, "target": TARGET, "wish": (D(10_000), "trigger"), "cause": 1,
        "good_until_ms": T0,
    }  # fmt: skip
    return Attempt(**given_ | changes)


def rejected() -> Order:
    story = Story()
    name = story.send(notional_usd=D(9_000))
    story.update(name, "rejected")
    return story.book.orders[name]


def after(code: int, now_ms: int = T0, order: Order | None = None, **changes: Any) -> Any:
    return next_try(attempt(**changes), order or rejected(), code, SETTINGS, now_ms)


# -- the core --------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(TOO_LITTLE_MARGIN))
def test_too_little_margin_halves_what_was_sent(code: int) -> None:
    again = after(code)
    assert again.wish == (4_500, f"half, after {code}")
    assert (again.tries, again.collar_pct) == (1, None)


@pytest.mark.parametrize("code", sorted(OUTSIDE_BAND))
def test_a_refused_price_widens_the_collar_up_to_its_end(code: int) -> None:
    again = after(code)
    assert (again.wish, again.collar_pct, again.tries) == ((10_000, "trigger"), D("2.25"), 1)
    assert after(code, collar_pct=D("2.25"), tries=1).collar_pct == D("3.375")
    assert after(code, collar_pct=D(4)).collar_pct == 5
    assert after(code, collar_pct=D(5)) is None


def test_no_third_time_no_old_news_and_nothing_after_other_codes() -> None:
    for code in TOO_LITTLE_MARGIN | OUTSIDE_BAND:
        assert after(code, tries=2) is None
        assert after(code, now_ms=T0 + 1) is None
    others = set(CODES) - TOO_LITTLE_MARGIN - OUTSIDE_BAND
    assert [code for code in others if after(code) is not None] == []


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.REJECTED])
def test_only_an_order_that_is_rejected_for_certain(status: Status) -> None:
    order = rejected()
    order.status = status
    assert after(-2019, order=order) is None
    assert after(-4131, order=order) is None


def test_settings_turn_it_off() -> None:
    none = attrs.evolve(SETTINGS, order=Orders(retries_max=0))
    whole = attrs.evolve(SETTINGS, sizing=Sizing(partial=False))
    assert next_try(attempt(), rejected(), -2019, none, T0) is None
    assert next_try(attempt(), rejected(), -4016, none, T0) is None
    assert next_try(attempt(), rejected(), -2019, whole, T0) is None
    assert next_try(attempt(), rejected(), -4016, whole, T0) is not None


@given(
    st.lists(st.sampled_from(sorted(TOO_LITTLE_MARGIN | OUTSIDE_BAND)), max_size=6),
    st.decimals("0.1", "5", places=2),
    st.decimals("1.1", "3", places=1),
)
def test_any_chain_ends_grows_no_larger_and_never_leaves_the_widest_collar(
    codes: list[int], collar: Decimal, backoff: Decimal
) -> None:
    orders = Orders(collar_pct=collar, retry_backoff=backoff)
    made = attrs.evolve(SETTINGS, order=orders)
    now, order, tries = attempt(wish=(D(9_000), "trigger")), rejected(), 0
    for code in codes:
        again = next_try(now, order, code, made, T0)
        if again is None:
            break
        tries += 1
        assert again.wish[0] <= now.wish[0]
        assert collar <= (again.collar_pct or collar) <= 5
        now, order.notional_usd = again, again.wish[0]
    assert tries <= 2


# -- against the simulator -------------------------------------------------------


async def send(room: Room, usd: str = "10000", **changes: Any) -> list[Order]:
    """An entry as the flow sends it; all entries that came of it, once nothing is open."""
    desk, signal = room.desk, structs.replace(SIGNAL, **changes)
    wish = (D(usd), "trigger")
    cause = desk.record(
        facts.SignalRaised(
            trigger="test", feed="test", side=signal.side, symbols=(XRP,), matched=(),
            tier="macro", age_ms=1,
        )
    ).seq  # fmt: skip
    plan = desk.enter(signal, TARGET, wish, cause)
    assert isinstance(plan, OrderPlan), plan
    until_ms = desk.now_ms() + signal.age_ms_max - signal.age_ms
    name = desk.submit(plan, cause, {})
    remember(desk, name, attempt(signal=signal, wish=wish, cause=cause, good_until_ms=until_ms))
    await trio.sleep(4)
    await room.until(lambda: not room.book.unknown_orders())
    told = [r for r in room.desk.book.orders.values() if r.purpose == "entry"]
    assert all(order.is_final for order in told)
    room.ledger.publish_pending()
    intents = [r for r in room.records if isinstance(r.body, facts.OrderIntended)]
    entries = [r for r in intents if r.body.purpose == "entry"]  # type: ignore[attr-defined]
    assert {r.cause for r in entries} == {cause}
    assert len({order.client_id for order in told}) == len(told)
    return told


def chain(room: Room) -> list[str]:
    """Which order each entry is another try of."""
    return [f.retry_of for f in room.told(facts.OrderIntended) if f.purpose == "entry"]


def poorer(room: Room, wallet: str) -> None:
    """Money that leaves the account without a word."""
    room.exchange.state.wallet = D(wallet)


async def test_less_margin_than_believed_and_half_of_it_fits(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        poorer(room, "400")
        first, second = await send(room)
        assert (first.status, first.code, second.status) == ("rejected", -2019, "filled")
        assert second.notional_usd * 2 <= first.notional_usd
        assert chain(room) == ["", first.client_id]
        assert second.trigger == first.trigger == "test"
        assert second.price == first.price
        texts = [told[2] for r in room.records if (told := tell(r)) is not None]
        assert any(f"half, after -2019, 20x), another try of {first.client_id}" in t for t in texts)


async def test_a_third_order_is_the_last(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        poorer(room, "1")
        orders = await send(room)
        assert [(o.status, o.code) for o in orders] == [("rejected", -2019)] * 3
        assert chain(room) == ["", orders[0].client_id, orders[1].client_id]
        assert room.held() == 0
        assert room.desk.attempts == {}


async def test_a_half_below_the_least_size_is_refused_by_the_gate(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        poorer(room, "0.1")
        orders = await send(room, "8")
        assert [o.status for o in orders] == ["rejected"]
        assert [f.check for f in room.told(facts.Refused)] == ["size"]


async def test_a_price_that_the_market_left_behind_is_wider_and_newer_next_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        # The venue's mark falls; we hear of it before we hear of the refusal.
        room.exchange.board.set_price(XRP, D("1.6"))
        room.faults(fault=[Fault(kind="delay-reply", method="order.place", delay_ms=[1_200])])
        first, second = await send(room)
        assert (first.status, first.code, second.status) == ("rejected", -4016, "filled")
        assert (first.price, second.price) == (D("1.9285"), D("1.6360"))
        assert second.decision_price == D("1.6")


async def test_a_band_that_was_narrowed_ends_it_after_two_more(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        change = {"price_up": D("1.01")}
        room.faults(fault=[Fault(kind="filter-change", symbol=XRP, change=change)])
        await trio.sleep(1)
        orders = await send(room)
        assert [(o.status, o.code) for o in orders] == [("rejected", -4016)] * 3
        assert [o.price for o in orders] == [D("1.9285"), D("1.9427"), D("1.9641")]


async def test_a_lost_reply_is_found_out_and_never_tried_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        poorer(room, "400")
        room.faults(fault=[Fault(kind="lose-reply", method="order.place")])
        orders = await send(room)
        assert [o.status for o in orders] == ["absent"]
        assert room.told(facts.OutcomeUnknown)


async def test_a_refusal_that_comes_when_the_news_is_old_is_the_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        poorer(room, "400")
        room.faults(fault=[Fault(kind="delay-reply", method="order.place", delay_ms=[1_200])])
        orders = await send(room, age_ms_max=1_000)
        assert [o.code for o in orders] == [-2019]


async def test_nothing_is_tried_again_under_a_halt(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        poorer(room, "400")
        room.faults(fault=[Fault(kind="delay-reply", method="order.place", delay_ms=[500])])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(halt_soon, room)
            orders = await send(room)
        assert [o.code for o in orders] == [-2019]
        assert [f.check for f in room.told(facts.Refused)] == ["halted"]


async def halt_soon(room: Room) -> None:
    await trio.sleep(0.2)
    room.desk.place_hold("operator", TradingState.HALTED, "test", "test")


# -- what the venue said, grown old ----------------------------------------------


async def test_brackets_that_cannot_be_read_again_stop_entries_after_twelve_hours(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.venue.brackets_ms -= 11 * 3_600_000
        room.faults(refuse={"market.brackets": -1016})
        room.desk.read_again("contracts")
        await room.until(lambda: "brackets" in room.alarms())
        assert isinstance(room.try_entering(), OrderPlan)
        room.venue.brackets_ms -= 3_600_000
        assert room.try_entering().check == "brackets-stale"
        room.faults()
        room.desk.read_again("contracts")
        await room.until(lambda: isinstance(room.try_entering(), OrderPlan))
        assert room.alarms().count("brackets") == 1


async def test_filters_that_cannot_be_read_again_stop_entries_after_fifteen_minutes(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.venue.filters_ms = room.desk.now_ms() - 900_000
        assert isinstance(room.try_entering(), OrderPlan)
        room.venue.filters_ms -= 1
        assert room.try_entering().check == "filters-stale"


async def test_a_position_too_large_for_the_leverage_has_the_brackets_read_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.faults(refuse={"order.place": -2027})
        before_ms = room.venue.brackets_ms
        await send(room)
        room.faults()
        await room.until(lambda: room.venue.brackets_ms > before_ms)
