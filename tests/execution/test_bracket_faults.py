"""The bracket under refusals, losses and changes: it comes to rest, or the position is closed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core import facts
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO, Side
from lowcap.core.order import Status
from lowcap.execution.bracket import has_confirmed_stop
from lowcap.execution.steps import TRIES_MAX, Cancel, CloseNow, Place
from lowcap.execution.stops import wanted_price
from tests.execution.bracket_kit import DEADLINE_MS, Scene
from tests.risk.risk_kit import T0, XRP, D


@pytest.mark.parametrize("code", [-2021, -4142])
def test_a_stop_that_would_trigger_at_once_closes(code: int) -> None:
    scene = Scene()
    scene.enter("100")
    scene.carry_out(scene.steps()[:1], "rejected", code=code, reason="would trigger")
    assert scene.steps() == [CloseNow(XRP, "the stop would trigger at once")]


def test_a_refused_stop_is_tried_again_later_and_then_closes() -> None:
    scene = Scene()
    scene.enter("100")
    for refusals in range(1, TRIES_MAX + 1):
        assert len(scene.plans(Purpose.STOP)) == 1
        scene.carry_out(
            [s for s in scene.steps() if isinstance(s, Place)][:1],
            "rejected",
            code=-4045,
            reason="Reach max stop order limit.",
        )
        if refusals < TRIES_MAX:
            assert scene.plans(Purpose.STOP) == [], "not at once"
            scene.now_ms += 200 * refusals
    assert scene.steps() == [CloseNow(XRP, "stop refused: Reach max stop order limit.")]


def test_a_stop_rejected_when_it_triggers_is_no_stop_any_more() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    stop = scene.resting(Purpose.STOP)[0]
    scene.now_ms += 60_000
    scene.update(stop.client_id, "rejected", reason="Margin is insufficient.")
    assert not has_confirmed_stop(scene.book, XRP)
    assert scene.steps() == []
    scene.now_ms += 200
    assert len(scene.plans(Purpose.STOP)) == 1


@pytest.mark.parametrize("status", ["sent", "unknown"])
def test_no_confirmed_stop_in_time_closes(status: str) -> None:
    scene = Scene()
    scene.enter("100")
    step = next(s for s in scene.steps() if isinstance(s, Place))
    name = scene.intend(step.plan)
    scene.tell(facts.OrderSent(client_id=name, road="ws"))
    if status == "unknown":
        scene.tell(facts.OutcomeUnknown(client_id=name, why="no reply"))
    scene.now_ms += DEADLINE_MS
    assert not any(isinstance(s, CloseNow) for s in scene.steps())
    scene.now_ms += 1
    assert scene.steps() == [CloseNow(XRP, "no confirmed stop in time")]
    scene.update(name, "working")
    assert not any(isinstance(s, CloseNow) for s in scene.steps())


def test_a_stop_that_vanished_is_laid_again_with_a_deadline_of_its_own() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    stop = scene.resting(Purpose.STOP)[0]
    scene.now_ms += 600_000
    scene.update(stop.client_id, "cancelled")
    (plan,) = scene.plans(Purpose.STOP)
    assert plan.trigger_price == stop.trigger_price
    scene.now_ms += DEADLINE_MS + 1
    assert scene.steps() == [CloseNow(XRP, "no confirmed stop in time")]


def test_after_a_restart_there_is_time_to_lay_the_stop() -> None:
    """Nobody could have laid it while the daemon was down."""
    scene = Scene()
    scene.enter("100")
    scene.now_ms += 600_000
    scene.tell(facts.Reconciled(why="start", clean=True))
    assert len(scene.plans(Purpose.STOP)) == 1
    scene.now_ms += DEADLINE_MS + 1
    assert scene.steps() == [CloseNow(XRP, "no confirmed stop in time")]


def test_the_life_before_does_not_count_against_the_next_position() -> None:
    """An entry in flight while the stop takes the position: one life ends, another begins."""
    scene = Scene()
    scene.enter("100")
    scene.settle()
    late = scene.send(qty=D(40))
    for order in (*scene.resting(Purpose.TAKE_PROFIT)[:1],):
        scene.fill(order.client_id, "50")
        scene.update(order.client_id, "filled", "50")
    stop = scene.resting(Purpose.STOP)[0]
    scene.fill(stop.client_id, "50")
    scene.update(stop.client_id, "filled")
    scene.now_ms += DEADLINE_MS * 2
    scene.fill(late, "40")
    scene.update(late, "filled", "40")
    steps = scene.steps()
    assert not any(isinstance(s, CloseNow) for s in steps)
    stale = {o.client_id for o in scene.resting(Purpose.TAKE_PROFIT)}
    assert {s.client_id for s in steps if isinstance(s, Cancel)} == stale
    scene.settle()
    assert scene.claimed() == 40
    assert len(scene.resting(Purpose.STOP)) == 1


def test_a_leg_in_flight_or_in_doubt_holds_the_ladder_back() -> None:
    scene = Scene()
    scene.enter("100")
    steps = scene.steps()
    scene.carry_out(steps[:1])
    names = []
    for step in steps[1:]:
        assert isinstance(step, Place)
        names.append(scene.intend(step.plan))
    assert scene.steps() == []
    scene.tell(facts.OutcomeUnknown(client_id=names[0], why="no reply"))
    for name in names[1:]:
        scene.update(name, "working")
    assert scene.steps() == []
    scene.tell(facts.OutcomeSettled(client_id=names[0], outcome="absent", how="query"))
    scene.settle()
    assert scene.claimed() == 100


@pytest.mark.parametrize("status", ["rejected", "expired"])
def test_a_leg_that_the_venue_will_not_have_is_given_up(status: str) -> None:
    """The others take its share, and there is an end to trying."""
    scene = Scene()
    scene.enter("100")
    scene.carry_out(scene.steps()[:1])
    for _ in range(TRIES_MAX * 4):
        steps = scene.steps()
        if not steps:
            break
        for step in steps:
            bad = isinstance(step, Place) and step.plan.leg == "t2"
            scene.carry_out([step], status if bad else "working")
    assert scene.steps() == []
    assert {o.leg for o in scene.resting(Purpose.TAKE_PROFIT)} == {"t1", "t3"}
    assert scene.claimed() == 100


def test_leftover_legs_of_a_flat_position_are_cancelled() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    legs = {o.client_id for o in scene.resting(Purpose.TAKE_PROFIT)}
    close = scene.send(side=Side.SELL, purpose=Purpose.CLOSE, qty=D(100), leg="c")
    scene.fill(close, "100")
    assert {s.client_id for s in scene.steps() if isinstance(s, Cancel)} == legs
    assert len(scene.steps()) == len(legs)


def test_legs_do_not_stay_to_nibble_at_a_foreign_position() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    legs = {o.client_id for o in scene.resting(Purpose.TAKE_PROFIT)}
    scene.see("30", at_ms=T0 + 5)
    scene.tell(facts.OwnershipSettled(symbol=XRP, own_qty=D(0), foreign_qty=D(30), why="w"))
    steps = scene.steps()
    assert {s.client_id for s in steps if isinstance(s, Cancel)} == legs
    assert not any(isinstance(s, Place | CloseNow) for s in steps)


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "close", "leg", "lose_stop", "lose_leg", "cancel_all", "rise", "loosen"]
        ),
        st.integers(1, 40),
    ),
    max_size=8,
)


@given(HAPPENINGS, st.sampled_from(Side))
def test_whatever_happens_the_bracket_comes_to_rest_and_fits(
    happenings: list[tuple[str, int]], side: Side
) -> None:
    scene = Scene()
    scene.enter("50", side)
    scene.settle()
    lost = 0
    for what, amount in happenings:
        held = abs(scene.book.position(XRP).own_qty)
        legs = scene.resting(Purpose.TAKE_PROFIT)
        if what == "add":
            scene.enter(f"{amount}.3", side)
        elif what == "close" and held > amount:
            close = scene.send(side=side.opposite, purpose=Purpose.CLOSE, qty=D(amount), leg="c")
            scene.fill(close, str(amount))
            scene.update(close, "filled", str(amount))
        elif what == "leg" and legs and legs[0].open_qty < held:
            left = legs[0].open_qty
            scene.fill(legs[0].client_id, str(left))
            scene.update(legs[0].client_id, "filled", str(legs[0].qty))
        elif what == "rise":
            scene.best = D("1.9") * (1 + side.sign * D(amount) / 100)
        elif what == "loosen":
            price = D("1.9") * (1 - side.sign * D(amount) / 100)
            scene.tell(facts.StopMoved(symbol=XRP, price=price, who="uid 1", trails=False))
        elif what == "lose_stop":
            lost += 1
            scene.update(scene.resting(Purpose.STOP)[0].client_id, "cancelled")
        elif what == "lose_leg" and legs:
            scene.update(legs[-1].client_id, "cancelled")
        elif what == "cancel_all":
            for leg in legs:
                scene.update(leg.client_id, "cancelled")
        scene.now_ms += 50
        if lost >= TRIES_MAX:
            assert any(isinstance(step, CloseNow) for step in scene.steps())
            return
        scene.settle()
        (stop,) = scene.resting(Purpose.STOP)
        assert stop.close_position
        assert stop.side is side.opposite
        assert stop.trigger_price == wanted_price(scene.look())
        taken = {o.leg for o in scene.book.orders_of(XRP) if o.status is Status.FILLED}
        left = abs(scene.book.position(XRP).own_qty)
        assert scene.claimed() == (ZERO if {"t1", "t2", "t3"} <= taken else left)
