"""The stop: where it belongs, how it moves without a bare moment, and that it never loosens."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core import facts
from lowcap.core.messages import Purpose
from lowcap.core.money import Side
from lowcap.core.order import Order
from lowcap.execution.steps import Cancel, CloseNow, PauseSymbol, Place
from lowcap.execution.stops import wanted_price
from tests.execution.bracket_kit import Scene
from tests.risk.risk_kit import XRP, D

SIDES = pytest.mark.parametrize("side", list(Side))


def fill_first_leg(scene: Scene) -> None:
    leg = next(o for o in scene.resting(Purpose.TAKE_PROFIT) if o.leg == "t1")
    scene.fill(leg.client_id, str(leg.open_qty))
    scene.update(leg.client_id, "filled", str(leg.qty))


def following(side: Side = Side.BUY, **protect: object) -> Scene:
    """A position of 100 whose first leg is done; the mark price is still at its entry."""
    scene = Scene(**protect)
    scene.enter("100", side)
    scene.settle()
    fill_first_leg(scene)
    scene.best = D("1.9")
    scene.settle()
    return scene


def the_stop(scene: Scene) -> Order:
    (stop,) = scene.resting(Purpose.STOP)
    assert isinstance(stop, Order)
    return stop


def off(price: str, side: Side, pct: str) -> Decimal:
    """``price`` moved by ``pct`` per cent in the direction of the position."""
    return D(price) * (1 + side.sign * D(pct) / 100)


@SIDES
def test_it_does_not_follow_before_the_first_leg(side: Side) -> None:
    scene = Scene()
    scene.enter("100", side)
    scene.settle()
    before = the_stop(scene)
    scene.best = off("1.9", side, "30")
    assert scene.steps() == []
    assert the_stop(scene) is before


@SIDES
def test_it_moves_by_a_bridge_and_is_never_away(side: Side) -> None:
    scene = following(side)
    old = the_stop(scene)
    scene.best = off("1.9", side, "10")
    (bridge,) = scene.steps()
    assert isinstance(bridge, Place)
    assert (bridge.plan.close_position, bridge.plan.reduce_only) == (False, True)
    assert bridge.plan.qty == 50
    assert bridge.plan.side is side.opposite
    scene.carry_out([bridge])
    assert scene.steps() == [Cancel(old.client_id)]
    scene.carry_out(scene.steps())
    (whole,) = scene.steps()
    assert isinstance(whole, Place)
    assert whole.plan.close_position
    scene.carry_out([whole])
    (last,) = scene.steps()
    assert isinstance(last, Cancel)
    scene.carry_out([last])
    assert scene.steps() == []
    stop = the_stop(scene)
    assert stop.close_position
    assert abs(stop.trigger_price - off(str(scene.best), side, "-1.5")) <= scene.contract.tick


@SIDES
@given(st.lists(st.integers(800, 4_000), min_size=1, max_size=12))
def test_whatever_the_price_does_it_only_tightens(side: Side, marks: list[int]) -> None:
    scene = following(side)
    for mark in marks:
        price = D(mark) / 1_000
        assert scene.best is not None
        scene.best = max(scene.best, price, key=lambda p: p * side.sign)
        before = the_stop(scene).trigger_price
        scene.settle()
        after = the_stop(scene).trigger_price
        assert (after - before) * side.sign >= 0


def test_small_moves_are_not_worth_an_order() -> None:
    scene = following()
    scene.best = D("2.1")
    scene.settle()
    scene.best = D("2.103")
    assert scene.steps() == []
    scene.best = D("2.106")
    assert len(scene.steps()) == 1


def test_a_refused_bridge_lets_the_old_one_go_and_the_next_come_in_time() -> None:
    scene = following()
    old = the_stop(scene)
    scene.best = D("2.1")
    scene.carry_out(scene.steps(), "rejected", code=-4045, reason="too many")
    assert scene.steps() == [Cancel(old.client_id)]
    scene.carry_out(scene.steps())
    assert not any(isinstance(step, CloseNow) for step in scene.steps())
    scene.now_ms += 200
    (place,) = scene.steps()
    assert isinstance(place, Place)
    assert place.plan.close_position
    assert place.plan.trigger_price == D("2.0685")
    scene.now_ms += scene.settings.protect.stop_deadline_ms
    assert scene.steps() == [CloseNow(XRP, "no confirmed stop in time")]


def test_a_move_that_would_trigger_at_once_closes() -> None:
    scene = following()
    scene.best = D("2.1")
    scene.carry_out(scene.steps(), "rejected", code=-2021)
    assert scene.steps() == [CloseNow(XRP, "the price is beyond its moved stop")]


def test_where_the_lasting_stop_is_refused_the_bridge_stays_while_it_covers() -> None:
    scene = following()
    scene.best = D("2.1")
    scene.carry_out(scene.steps())
    scene.carry_out(scene.steps())
    for _ in range(3):
        (place,) = scene.steps()
        assert isinstance(place, Place)
        scene.carry_out([place], "rejected", code=-4130, reason="one rests")
        scene.now_ms += 1_000
    assert scene.steps() == []
    scene.enter("10")
    assert any(isinstance(step, CloseNow) for step in scene.steps())


def test_an_add_while_the_bridge_rests_is_covered_before_the_old_one_goes() -> None:
    scene = following()
    scene.best = D("2.1")
    scene.carry_out(scene.steps())
    scene.enter("30")
    steps = [s for s in scene.steps() if isinstance(s, Place) and s.plan.purpose is Purpose.STOP]
    assert [s.plan.qty for s in steps] == [80]


@pytest.mark.parametrize(("atr", "stop"), [("0.02", "1.86"), ("0.5", "1.805"), (None, "1.805")])
def test_ranges_set_the_distance_within_a_bound(atr: str | None, stop: str) -> None:
    scene = Scene(atr_multiple=D(2))
    scene.atr = D(atr) if atr else None
    scene.enter("100")
    assert wanted_price(scene.look()) == D(stop)


def test_ranges_that_come_late_tighten_and_missing_ones_do_not_wait_for_ever() -> None:
    scene = Scene(atr_multiple=D(2))
    scene.enter("100")
    scene.settle()
    assert the_stop(scene).trigger_price == D("1.805")
    scene.now_ms += 5_001
    scene.settle()
    assert the_stop(scene).trigger_price == D("1.862"), "the fixed distance has to do"
    scene.atr = D("0.01")
    scene.settle()
    assert the_stop(scene).trigger_price == D("1.88")
    scene.atr = D("0.04")
    assert scene.steps() == [], "never loosened by itself"


def test_an_operators_stop_is_kept_and_a_loosened_one_does_not_follow() -> None:
    scene = following()
    scene.tell(facts.StopMoved(symbol=XRP, price=D("1.7"), who="uid 1", trails=False))
    scene.settle()
    assert the_stop(scene).trigger_price == D("1.7")
    scene.best = D("3")
    assert scene.steps() == []
    scene.enter("20", price="2.5")
    scene.settle()
    assert the_stop(scene).trigger_price == D("1.7"), "an add leaves it where it is"


def test_after_a_restart_it_is_where_it_was() -> None:
    scene = following()
    scene.best = D("2.1")
    scene.settle()
    again = scene.replayed()
    assert again.position(XRP).stop_price == scene.book.position(XRP).stop_price == D("2.0685")


def test_a_stop_cancelled_elsewhere_comes_back_then_pauses_then_closes() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    for times in (1, 2):
        scene.update(the_stop(scene).client_id, "cancelled")
        steps = scene.steps()
        assert any(isinstance(s, PauseSymbol) for s in steps) == (times == 2)
        scene.settle()
    scene.update(the_stop(scene).client_id, "cancelled")
    assert scene.steps() == [CloseNow(XRP, "its stop keeps being cancelled elsewhere")]


def test_a_position_that_turned_round_gets_a_stop_of_the_other_side() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    stop, legs = the_stop(scene), scene.resting(Purpose.TAKE_PROFIT)
    scene.see("-40", at_ms=scene.now_ms + 1)
    scene.tell(facts.OwnershipSettled(symbol=XRP, own_qty=D(-40), foreign_qty=D(0), why="w"))
    steps = scene.steps()
    assert {s.client_id for s in steps if isinstance(s, Cancel)} == {
        stop.client_id,
        *(leg.client_id for leg in legs),
    }
    (place,) = [s.plan for s in steps if isinstance(s, Place)]
    assert (place.side, place.trigger_price) == (Side.BUY, D("1.938"))
    scene.settle()
    assert the_stop(scene).side is Side.BUY
    assert scene.claimed() == 40


def test_a_position_is_closed_when_its_time_is_over() -> None:
    scene = Scene(time_exit_s=600)
    scene.enter("100")
    scene.settle()
    scene.now_ms += 599_999
    assert scene.steps() == []
    scene.now_ms += 1
    assert scene.steps() == [CloseNow(XRP, "held for 600 s, at most 600")]
