"""What a position still lacks: stop at the exchange, take-profit ladder, an end in time. Pure.

``missing`` looks at what is and says what to do next. It keeps no state of
its own, so that a restart, a lost reply or a vanished order all end in the
same repair.
"""

from __future__ import annotations

from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO
from lowcap.core.order import RESTING, Order
from lowcap.execution.ladder import ladder_steps
from lowcap.execution.steps import Cancel, CloseNow, Look, Step
from lowcap.execution.stops import stop_steps
from lowcap.risk.book import Book
from lowcap.risk.book_state import unsettled_qty
from lowcap.risk.protections import Protections


def missing(look: Look) -> list[Step]:
    """The next steps towards a protected position, or towards no leftovers once it is flat."""
    position = look.position
    known = look.book.orders_of(look.symbol)
    if position.own_qty == ZERO:
        return _leftovers(known)
    if position.qty == ZERO:
        return []  # one of the two is ahead of the other
    held_s = (look.now_ms - position.opened_ms) // 1000
    if look.time_exit_s and position.opened_ms and held_s >= look.time_exit_s:
        return [CloseNow(look.symbol, f"held for {held_s} s, at most {look.time_exit_s}")]
    orders = [o for o in known if o.seq >= position.opened_seq]
    steps = stop_steps(look, [o for o in orders if o.purpose is Purpose.STOP])
    steps += [Cancel(o.client_id) for o in _resting_legs(known) if o.seq < position.opened_seq]
    entering = any(o.purpose is Purpose.ENTRY and not o.is_final for o in orders)
    if not entering and not any(isinstance(step, CloseNow) for step in steps):
        steps += ladder_steps(look, orders)
    return steps


def orders_owed(book: Book, protections: Protections) -> int:
    """How many exits positions and entries on their way still lack: a stop and legs for each."""
    return sum(
        max(exits_of(protections, symbol) - laid, 0)
        for symbol, laid in book.figures().exits_laid.items()
    )


def exits_of(protections: Protections, symbol: str) -> int:
    """How many orders protect a position of ``symbol``: its stop and its legs."""
    return 1 + len(protections.of(symbol).ladder)


def has_confirmed_stop(book: Book, symbol: str) -> bool:
    """Whether a stop of this position rests at the venue, as far as is known."""
    return any(o.purpose is Purpose.STOP and o.status in RESTING for o in book.orders_of(symbol))


def _leftovers(orders: list[Order]) -> list[Step]:
    """Resting exits where nothing is ours; a close-position stop is expired by the venue."""
    if any(o.purpose is Purpose.ENTRY and unsettled_qty(o) > ZERO for o in orders):
        return []
    bridges = [
        o
        for o in orders
        if o.purpose is Purpose.STOP and not o.close_position and o.status in RESTING
    ]
    return [Cancel(o.client_id) for o in [*_resting_legs(orders), *bridges]]


def _resting_legs(orders: list[Order]) -> list[Order]:
    return [o for o in orders if o.purpose is Purpose.TAKE_PROFIT and o.status in RESTING]
