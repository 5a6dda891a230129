"""The order table: final stays final, quantity never falls, late reports change nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.messages import Purpose
from lowcap.core.money import Side
from lowcap.core.order import (
    FINAL,
    NEXT,
    RESTING,
    VENUE_STATUS,
    Order,
    Status,
    advance,
    may_become,
)

# What the venue itself may say; SENT, UNKNOWN, ABSENT and DENIED are our own words.
VENUE_SAYS = frozenset(VENUE_STATUS.values())


def make_order(status: Status = Status.INTENDED, kind: str = "LIMIT") -> Order:
    return Order(
        client_id="lcd-1-1-e",
        seq=1,
        symbol="XRPUSDT",
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        type=kind,
        leg="e",
        qty=Decimal(10),
        price=Decimal(2),
        trigger_price=None,
        reduce_only=False,
        close_position=False,
        parent="",
        timestamp_ms=0,
        recv_window_ms=1_000,
        notional_usd=Decimal(20),
        decision_price=Decimal(2),
        status=status,
    )


REPORTS = st.lists(
    st.tuples(
        st.sampled_from(sorted(Status)), st.integers(0, 10).map(Decimal), st.sampled_from([0, 77])
    ),
    max_size=25,
)


@given(REPORTS)
def test_any_order_of_reports_keeps_the_rules(reports: list[tuple[Status, Decimal, int]]) -> None:
    order = make_order()
    for status, qty, order_id in reports:
        before, executed, known_id = order.status, order.executed_qty, order.order_id
        changed = advance(order, status, qty, order_id)
        assert order.executed_qty >= executed
        assert order.order_id in (known_id, order_id)
        if order.status is not before:
            assert order.status in NEXT[before]
        if before in FINAL - {Status.ABSENT}:
            assert order.status is before
        if not changed:
            assert (order.status, order.executed_qty, order.order_id) == (
                before,
                executed,
                known_id,
            )
        assert not advance(order, status, qty, order_id) or may_become(order, status)
        assert 0 <= order.open_qty <= 10
        assert not (order.is_final and order.open_qty)


@given(REPORTS)
def test_what_the_venue_called_final_is_never_unsaid(
    reports: list[tuple[Status, Decimal, int]],
) -> None:
    order = make_order()
    ended = None
    for status, qty, order_id in reports:
        advance(order, status, qty, order_id)
        if ended is None and order.status in FINAL & VENUE_SAYS:
            ended = order.status
    assert ended is None or order.status is ended


@pytest.mark.parametrize("status", sorted(FINAL))
def test_final_states_lead_nowhere_but_absent_to_the_venues_word(status: Status) -> None:
    reachable = NEXT.get(status, frozenset())
    assert reachable == (VENUE_SAYS if status is Status.ABSENT else frozenset())


@pytest.mark.parametrize("status", [Status.INTENDED, Status.SENT, Status.UNKNOWN])
def test_in_flight_orders_accept_every_word_of_the_venue(status: Status) -> None:
    assert NEXT[status] >= VENUE_SAYS


@pytest.mark.parametrize("ending", sorted(FINAL & VENUE_SAYS))
def test_a_resting_order_can_end_in_every_way_the_venue_ends_orders(ending: Status) -> None:
    """A triggered conditional order may be rejected after it rested (reference §5, §6)."""
    order = make_order(Status.WORKING, "STOP_MARKET")
    assert advance(order, ending, Decimal(0), 0)
    assert order.status is ending
    assert order.status not in RESTING


def test_an_unknown_order_counts_in_full_until_it_is_settled() -> None:
    order = make_order(Status.UNKNOWN)
    assert order.open_qty == 10
    order.executed_qty = Decimal(4)
    assert order.open_qty == 6
    assert advance(order, Status.ABSENT, Decimal(0), 0)
    assert order.open_qty == 0
    assert advance(order, Status.PARTLY_FILLED, Decimal(4), 9)
    assert order.open_qty == 6


def test_a_second_order_number_does_not_replace_the_first() -> None:
    order = make_order(Status.SENT)
    assert advance(order, Status.WORKING, Decimal(0), 5)
    assert not advance(order, Status.WORKING, Decimal(0), 6)
    assert order.order_id == 5


def test_words_of_an_order() -> None:
    order = make_order(kind="STOP_MARKET")
    assert order.is_algo
    assert order.average_price is None
    order.filled_qty, order.fill_value = Decimal(4), Decimal(10)
    assert order.average_price == Decimal("2.5")
    order.qty = None
    assert order.open_qty == 0
