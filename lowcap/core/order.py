"""One order's life as a table: which state may follow which.

    intended ─ sent ─ working ─ partly-filled ─ filled
        │        │       └─────────┴─ cancelled | expired | rejected when triggered
        │        ├─ rejected (the venue said no)
        │        └─ unknown ─ absent (proved never placed) | any of the above
        └─ denied (never left this process)

Cumulative quantity is the venue's word and never falls. A state that is
final stays final; only an unknown order may still turn into anything.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO, Side


class Status(StrEnum):
    """Where an order stands, as far as we know."""

    INTENDED = "intended"
    SENT = "sent"
    WORKING = "working"
    PARTLY_FILLED = "partly-filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DENIED = "denied"
    UNKNOWN = "unknown"
    ABSENT = "absent"


FINAL = frozenset(
    {
        Status.FILLED,
        Status.CANCELLED,
        Status.EXPIRED,
        Status.REJECTED,
        Status.DENIED,
        Status.ABSENT,
    }
)
RESTING = frozenset({Status.WORKING, Status.PARTLY_FILLED})

_AT_VENUE = frozenset(
    {
        Status.WORKING,
        Status.PARTLY_FILLED,
        Status.FILLED,
        Status.CANCELLED,
        Status.EXPIRED,
        Status.REJECTED,
    }
)
NEXT: dict[Status, frozenset[Status]] = {
    Status.INTENDED: _AT_VENUE | {Status.SENT, Status.DENIED, Status.UNKNOWN, Status.ABSENT},
    Status.SENT: _AT_VENUE | {Status.DENIED, Status.UNKNOWN, Status.ABSENT},
    Status.UNKNOWN: _AT_VENUE | {Status.ABSENT, Status.DENIED},
    # A conditional order may be rejected when it triggers, long after it was accepted.
    Status.WORKING: frozenset(
        {
            Status.PARTLY_FILLED,
            Status.FILLED,
            Status.CANCELLED,
            Status.EXPIRED,
            Status.REJECTED,
        }
    ),
    Status.PARTLY_FILLED: frozenset({Status.FILLED, Status.CANCELLED, Status.EXPIRED}),
    # A query that gave up may be overtaken by a late event of the venue, which is the truth.
    Status.ABSENT: _AT_VENUE,
}

VENUE_STATUS: dict[str, Status] = {
    "NEW": Status.WORKING,
    "PARTIALLY_FILLED": Status.PARTLY_FILLED,
    "FILLED": Status.FILLED,
    "CANCELED": Status.CANCELLED,
    "EXPIRED": Status.EXPIRED,
    "EXPIRED_IN_MATCH": Status.EXPIRED,
    "REJECTED": Status.REJECTED,
    # Algo orders (reference §6, ALGO_UPDATE): on the way to, or at, the matching engine.
    "TRIGGERING": Status.WORKING,
    "TRIGGERED": Status.WORKING,
    "FINISHED": Status.FILLED,
}


class Order(Struct, kw_only=True):
    """An order of ours as the book holds it. ``seq`` is its intent in the ledger."""

    client_id: str
    seq: int
    symbol: str
    side: Side
    purpose: Purpose
    type: str
    leg: str
    qty: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    close_position: bool
    parent: str
    timestamp_ms: int
    recv_window_ms: int
    notional_usd: Decimal
    decision_price: Decimal | None
    trigger: str = ""
    feed: str = ""
    status: Status = Status.INTENDED
    order_id: int = 0
    executed_qty: Decimal = ZERO
    fill_value: Decimal = ZERO
    filled_qty: Decimal = ZERO
    updated_ms: int = 0
    first_fill_ms: int = 0
    trade_ids: list[int] = field(default_factory=list)
    cancel_asked: bool = False
    reason: str = ""
    code: int = 0

    @property
    def is_final(self) -> bool:
        """No further quantity can execute, as far as is known."""
        return self.status in FINAL

    @property
    def is_algo(self) -> bool:
        """It lives in the venue's conditional order book, with calls of its own."""
        return self.type in {"STOP_MARKET", "TAKE_PROFIT_MARKET"}

    @property
    def open_qty(self) -> Decimal:
        """Quantity that may still execute; an unknown order counts in full."""
        if self.is_final or self.qty is None:
            return ZERO
        return max(self.qty - max(self.executed_qty, self.filled_qty), ZERO)

    @property
    def executed(self) -> Decimal:
        """What the venue says has executed; of a filled order that names nothing, all of it."""
        if self.status is Status.FILLED and self.executed_qty == ZERO:
            return self.qty or ZERO
        return self.executed_qty

    @property
    def lacks_fills(self) -> bool:
        """More of it has executed than its fills, as far as they were reported, add up to."""
        if self.is_algo:
            return self.status is Status.FILLED and self.filled_qty == ZERO
        return self.executed > self.filled_qty

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of the fills seen so far."""
        return self.fill_value / self.filled_qty if self.filled_qty else None


def may_become(order: Order, status: Status) -> bool:
    """Whether the table lets ``order`` go to ``status`` from where it stands."""
    return status is not order.status and status in NEXT.get(order.status, frozenset())


def advance(order: Order, status: Status, executed_qty: Decimal, order_id: int) -> bool:
    """Move ``order`` to ``status`` if the table allows it; quantity only grows.

    Returns whether anything changed. A late or repeated report changes nothing,
    and the venue's number of an order is taken once.
    """
    changed = False
    if order_id and not order.order_id:
        order.order_id = order_id
        changed = True
    if executed_qty > order.executed_qty:
        order.executed_qty = executed_qty
        changed = True
    if may_become(order, status):
        order.status = status
        changed = True
    return changed
