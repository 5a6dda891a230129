"""What the venue reports about an order, as facts. Pure: the desk records what is news."""

from __future__ import annotations

from lowcap.binance.outcome import Outcome, Verdict
from lowcap.binance.userevents import AlgoEvent
from lowcap.binance.wire import OrderEventBody
from lowcap.core.facts import Filled, OrderUpdated, OutcomeUnknown
from lowcap.core.money import ZERO, Side, decimal_from_wire
from lowcap.core.order import VENUE_STATUS, Order, Status, may_become


def is_news(order: Order, fact: OrderUpdated) -> bool:
    """Whether a report says more than the book knows."""
    return (
        may_become(order, Status(fact.status))
        or fact.executed_qty > order.executed_qty
        or bool(fact.order_id and not order.order_id)
    )


def of_outcome(order: Order, outcome: Outcome, reply_us: float) -> OrderUpdated | OutcomeUnknown:
    """The answer to a placement; ``reply_us`` is the time from sending to it."""
    name = order.client_id
    if outcome.verdict is Verdict.UNKNOWN:
        return OutcomeUnknown(client_id=name, why=outcome.reason or f"code {outcome.code}")
    status: Status | None = Status.REJECTED
    if outcome.verdict is Verdict.ACCEPTED:
        status = VENUE_STATUS.get(outcome.status)
    if status is None:
        return OutcomeUnknown(client_id=name, why=f"unknown status {outcome.status!r}")
    return OrderUpdated(
        client_id=name,
        status=status.value,
        source="reply",
        order_id=outcome.order_id,
        executed_qty=decimal_from_wire(outcome.executed_qty),
        code=outcome.code,
        reason=outcome.reason,
        venue_ms=outcome.venue_ms,
        reply_us=round(reply_us, 1),
    )


def of_query(order: Order, outcome: Outcome) -> OrderUpdated | None:
    """The answer to a query; None where its status is one that we do not know."""
    status = VENUE_STATUS.get(outcome.status)
    if status is None:
        return None
    return OrderUpdated(
        client_id=order.client_id,
        status=status.value,
        source="query",
        order_id=outcome.order_id,
        executed_qty=decimal_from_wire(outcome.executed_qty),
        venue_ms=outcome.venue_ms,
    )


def of_absence(order: Order) -> OrderUpdated:
    """The venue knows an order no more that once rested there."""
    return OrderUpdated(
        client_id=order.client_id,
        status=Status.CANCELLED.value,
        source="query",
        reason="the venue knows no such order",
    )


def of_denial(name: str, why: str) -> OrderUpdated:
    """An order that never left this process."""
    return OrderUpdated(client_id=name, status=Status.DENIED.value, source="local", reason=why)


def of_algo_event(order: Order, event: AlgoEvent) -> OrderUpdated | None:
    """ALGO_UPDATE of an order of ours; one that finished without a fill was cancelled."""
    status = VENUE_STATUS.get(event.body.X)
    if status is None:
        return None
    if status is Status.FILLED and event.body.aq and decimal_from_wire(event.body.aq) == ZERO:
        status = Status.CANCELLED
    return OrderUpdated(
        client_id=order.client_id,
        status=status.value,
        source="stream",
        reason=event.body.rm or "",
        venue_ms=event.at_ms,
    )


def of_order_event(order: Order, body: OrderEventBody) -> OrderUpdated | None:
    """ORDER_TRADE_UPDATE of an order of ours, or of the child it triggered.

    The child of a conditional order reports under its parent's id, with a
    number of its own: only its end counts for the parent.
    """
    status = VENUE_STATUS.get(body.X)
    if status is None or (order.is_algo and status is Status.WORKING):
        return None
    return OrderUpdated(
        client_id=order.client_id,
        status=status.value,
        source="stream",
        order_id=0 if order.is_algo else body.i,
        executed_qty=decimal_from_wire(body.z),
        reason="" if body.er == "0" else f"expiry reason {body.er}",
        venue_ms=body.T,
    )


def fill_of(order: Order, body: OrderEventBody) -> Filled:
    """The execution of ``order`` that an ORDER_TRADE_UPDATE of type TRADE carries."""
    return Filled(
        client_id=order.client_id,
        symbol=body.s,
        side=Side(body.S),
        trade_id=body.t,
        qty=decimal_from_wire(body.l),
        price=decimal_from_wire(body.L),
        fee=decimal_from_wire(body.n or "0"),
        realized=decimal_from_wire(body.rp),
        venue_ms=body.T,
    )
