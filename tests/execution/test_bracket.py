"""The bracket: what a position still lacks. Legs add up, steps come to an end, nothing is bare."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core import facts
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO, Side
from lowcap.execution.bracket import has_confirmed_stop
from lowcap.execution.steps import Cancel, Place
from tests.execution.bracket_kit import CONTRACT, Scene
from tests.risk.risk_kit import XRP, D


def test_nothing_is_asked_for_where_nothing_is_held() -> None:
    scene = Scene()
    assert scene.steps() == []
    scene.send()
    assert scene.steps() == []


@pytest.mark.parametrize(("side", "stop"), [(Side.BUY, "1.8620"), (Side.SELL, "1.9380")])
def test_the_stop_comes_with_the_first_fill_and_closes_the_position(side: Side, stop: str) -> None:
    scene = Scene()
    name = scene.send(side=side, qty=D(100))
    scene.fill(name, "1")
    (step,) = scene.steps()
    assert isinstance(step, Place)
    plan = step.plan
    assert (plan.purpose, plan.type, plan.side) == (Purpose.STOP, "STOP_MARKET", side.opposite)
    assert plan.close_position
    assert plan.qty is None
    assert plan.trigger_price == D(stop)
    scene.carry_out([step])
    assert has_confirmed_stop(scene.book, XRP)
    scene.fill(name, "50")
    assert scene.steps() == [], "the same stop covers any size, the ladder waits for the entry"
    scene.update(name, "expired", "51")
    assert [p.leg for p in scene.plans(Purpose.TAKE_PROFIT)] == ["t1", "t2", "t3"]


def test_the_ladder_of_a_long_and_a_short() -> None:
    for side, prices in (
        (Side.BUY, ["1.9380", "1.9760", "2.0520"]),
        (Side.SELL, ["1.8620", "1.8240", "1.7480"]),
    ):
        scene = Scene()
        scene.enter("100", side)
        legs = scene.plans(Purpose.TAKE_PROFIT)
        assert [p.price for p in legs] == [D(price) for price in prices]
        assert [p.qty for p in legs] == [50, 30, 20]
        for leg in legs:
            assert leg.reduce_only
            assert leg.side is side.opposite
            assert (leg.type, leg.time_in_force) == ("LIMIT", "GTC")


STEPS = st.sampled_from(["1", "0.1", "0.001", "10"])


@given(
    st.integers(1, 5_000),
    STEPS,
    st.integers(1, 12),
    st.sampled_from(Side),
    st.sampled_from([((50, 2), (30, 4), (20, 8)), ((100, 3),), ((98, 1), (1, 2), (1, 3))]),
)
def test_legs_add_up_exactly_and_each_is_legal(
    steps: int, step: str, minimum: int, side: Side, ladder: tuple[tuple[int, int], ...]
) -> None:
    contract = msgspec.structs.replace(CONTRACT, step=D(step), qty_min=D(step) * minimum)
    scene = Scene(contract, ladder=tuple((D(share), D(distance)) for share, distance in ladder))
    held = D(step) * steps
    scene.enter(str(held), side)
    legs = scene.plans(Purpose.TAKE_PROFIT)
    for leg in legs:
        assert leg.qty is not None
        assert leg.qty % contract.step == 0
        assert leg.qty >= contract.qty_min
    total = sum((leg.qty or ZERO for leg in legs), ZERO)
    assert total == (held if steps >= minimum else ZERO)
    assert len(legs) <= len(ladder)
    assert len({leg.leg for leg in legs}) == len(legs)
    scene.settle()
    assert scene.claimed() == total
    assert scene.steps() == []


def test_a_position_of_one_step_has_a_stop_and_one_leg() -> None:
    scene = Scene()
    scene.enter("0.1")
    scene.settle()
    assert len(scene.resting(Purpose.STOP)) == 1
    (leg,) = scene.resting(Purpose.TAKE_PROFIT)
    assert (leg.leg, leg.qty) == ("t3", D("0.1"))


def test_an_add_lays_the_ladder_anew_and_keeps_the_stop() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    (stop,) = scene.resting(Purpose.STOP)
    scene.enter("60", price="2.0")
    assert {type(s) for s in scene.steps()} == {Cancel}
    scene.settle()
    assert scene.claimed() == 160
    assert scene.resting(Purpose.STOP) == [stop]


def test_a_partial_close_shrinks_the_ladder() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    close = scene.send(side=Side.SELL, purpose=Purpose.CLOSE, qty=D(37), leg="c")
    scene.fill(close, "37")
    scene.update(close, "filled", "37")
    scene.settle()
    assert scene.claimed() == 63


def test_a_filled_leg_is_not_laid_again() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    first = scene.resting(Purpose.TAKE_PROFIT)[0]
    scene.fill(first.client_id, "50")
    scene.update(first.client_id, "filled", "50")
    assert scene.steps() == []
    scene.enter("10")
    scene.settle()
    assert scene.claimed() == 60
    assert {o.leg for o in scene.resting(Purpose.TAKE_PROFIT)} == {"t2", "t3"}


def test_a_leg_filled_in_part_still_counts_for_what_is_left() -> None:
    scene = Scene()
    scene.enter("100")
    scene.settle()
    first = scene.resting(Purpose.TAKE_PROFIT)[0]
    scene.fill(first.client_id, "20")
    scene.update(first.client_id, "partly-filled", "20")
    assert scene.steps() == []
    assert scene.claimed() == 80


def test_a_position_between_two_steps_gets_legs_on_the_grid_and_no_more_looks() -> None:
    coarse = msgspec.structs.replace(CONTRACT, step=D(10), qty_min=D(10))
    scene = Scene(coarse)
    scene.enter("105")
    scene.settle()
    assert [o.qty for o in scene.resting(Purpose.TAKE_PROFIT)] == [D(50), D(30), D(20)]
    assert scene.steps() == []


def test_a_stop_in_doubt_is_laid_once_more_unless_the_venue_says_that_it_rests() -> None:
    scene = Scene()
    scene.enter("10")
    (first,) = scene.carry_out(scene.steps()[:1], "sent")
    assert scene.plans(Purpose.STOP) == [], "its reply decides"
    scene.tell(facts.OutcomeUnknown(client_id=first, why="no reply in time"))
    (second,) = scene.plans(Purpose.STOP)
    scene.carry_out([Place(second)], "rejected", code=-4130)
    assert scene.plans(Purpose.STOP) == [], "the first one rests: the query will tell"
    scene.tell(facts.OutcomeSettled(client_id=first, outcome="absent", how="query"))
    scene.now_ms += 1_000
    assert len(scene.plans(Purpose.STOP)) == 1


@pytest.mark.parametrize(
    ("held", "legs"),
    [("200", [100, 60, 40]), ("300", [100, 100, 100]), ("250", [100, 100, 50]),
     ("400", [100, 100, 100])],
)  # fmt: skip
def test_no_leg_is_larger_than_the_venues_largest_order(held: str, legs: list[int]) -> None:
    scene = Scene(msgspec.structs.replace(CONTRACT, qty_max=D(100)))
    scene.enter(held)
    scene.settle()
    assert [o.qty for o in scene.resting(Purpose.TAKE_PROFIT)] == legs
    assert scene.steps() == []
