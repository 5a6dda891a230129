"""What a decision needs of every symbol, kept ready: only what was touched is worked out again."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from decimal import Decimal
from itertools import takewhile
from typing import TYPE_CHECKING

from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO
from lowcap.core.order import Order
from lowcap.risk.book_state import unsettled_qty

if TYPE_CHECKING:
    from lowcap.risk.book import Position

_EXITS = (Purpose.STOP, Purpose.TAKE_PROFIT)


class Figures:
    """Figures of the exposed symbols; the book says which symbols something happened to.

    ``exposures`` are the largest positions that could result, ``exits_laid``
    how many stops and legs a position, or an entry on its way, has been given,
    ``feed_qty`` how much of it entries of each feed brought, or may yet bring.
    """

    def __init__(self) -> None:
        self.exposures: dict[str, Decimal] = {}
        self.exits_laid: dict[str, int] = {}
        self.feed_qty: dict[str, dict[str, Decimal]] = {}
        self.touched: set[str] = set()

    def look_at(
        self, position: Position, orders: Collection[Order], pending: Decimal | None
    ) -> None:
        """Work one symbol out; ``pending`` is what its entries may still add, None without any."""
        symbol = position.symbol
        if not (position.qty or position.own_qty) and pending is None:
            self.exposures.pop(symbol, None)
            self.exits_laid.pop(symbol, None)
            self.feed_qty.pop(symbol, None)
            return
        # Held is what the venue says or our fills add up to: either may be ahead of the other.
        held = max(abs(position.qty), abs(position.own_qty))
        self.exposures[symbol] = held + abs(pending or ZERO)
        since = position.opened_seq or min(
            (o.seq for o in orders if o.purpose is Purpose.ENTRY and not o.is_final), default=0
        )
        self.exits_laid[symbol] = sum(1 for o in orders if o.purpose in _EXITS and o.seq >= since)
        self.feed_qty[symbol] = _by_feed(position.opened_seq, orders)


def _by_feed(opened_seq: int, orders: Collection[Order]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for order in orders:
        if order.purpose is not Purpose.ENTRY or not order.feed:
            continue
        qty = unsettled_qty(order)
        if opened_seq and order.seq >= opened_seq:
            qty += order.filled_qty
        if qty > ZERO:
            found[order.feed] = found.get(order.feed, ZERO) + qty
    return found


def newest_within(times_ms: deque[int], now_ms: int, window_ms: int) -> int:
    """How many of ``times_ms``, oldest first, lie in the ``window_ms`` before ``now_ms``."""
    return sum(1 for _ in takewhile(lambda at: now_ms - at < window_ms, reversed(times_ms)))
