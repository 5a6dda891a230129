"""What the book remembers: positions, holds and the day, as a checkpoint carries them."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct, field

from lowcap.core import facts
from lowcap.core.messages import TradingState
from lowcap.core.money import ZERO
from lowcap.core.order import FINAL, Order
from lowcap.risk.guard_state import GuardState


class Position(Struct, kw_only=True):
    """What the account holds of one symbol; money in USDT over the position's life.

    ``qty`` is the venue's signed quantity, ``own_qty`` what our own fills add
    up to. ``opened_seq`` is the intent of the entry that opened it, and
    ``fill_ms`` the venue's time of the newest fill in ``qty``. ``stop_price``
    is where its stop belongs: the tightest that has rested, or where an
    operator put it; 0 before the first. ``opened_ms`` is our time of its first fill.
    """

    symbol: str
    qty: Decimal = ZERO
    own_qty: Decimal = ZERO
    opened_seq: int = 0
    entry_price: Decimal = ZERO
    venue_ms: int = 0
    fill_ms: int = 0
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    trigger: str = ""
    stop_price: Decimal = ZERO
    trails: bool = True
    opened_ms: int = 0


class Hold(Struct, kw_only=True, frozen=True):
    """A named restriction. ``until_ms`` 0: until somebody lifts it."""

    name: str
    state: TradingState
    reason: str
    who: str
    since_ms: int
    until_ms: int = 0


class BookState(Struct, kw_only=True):
    """All of the book that a checkpoint must carry.

    ``compared_ms`` is when start-up's comparison with the venue was made.
    """

    orders: dict[str, Order] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    foreign: dict[str, Decimal] = field(default_factory=dict)
    switched_off: list[str] = field(default_factory=list)
    compared_ms: int = 0
    day: str = ""
    day_realized: Decimal = ZERO
    day_fees: Decimal = ZERO
    day_trades: int = 0
    day_wins: int = 0
    guards: GuardState = field(default_factory=GuardState)


def raise_stop(position: Position, order: Order) -> None:
    """A stop rests: its price is the position's, unless that was tighter already."""
    price, sign = order.trigger_price, 1 if position.own_qty > ZERO else -1
    if price is None or order.side.sign == sign or order.seq < position.opened_seq:
        return
    if position.stop_price == ZERO or (price - position.stop_price) * sign > ZERO:
        position.stop_price = price


def moved_qty(own_qty: Decimal, order: Order, fact: facts.Filled) -> Decimal:
    """Our quantity after a fill; what only reduces may have closed foreign quantity too."""
    moved = own_qty + fact.side.sign * fact.qty
    reduces = order.reduce_only or order.close_position
    return ZERO if reduces and moved * own_qty <= ZERO else moved


def unsettled_qty(order: Order) -> Decimal:
    """Quantity of an order that may be, or will be, in the position but has not been seen there."""
    if order.status in FINAL:
        return max(order.executed - order.filled_qty, ZERO)
    return max((order.qty or ZERO) - order.filled_qty, ZERO)
