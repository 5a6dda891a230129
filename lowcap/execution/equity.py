"""The equity, once a minute, where it moved: what the curve and the drawdown are made of."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from lowcap.core.facts import EquitySeen
from lowcap.core.money import ZERO
from lowcap.execution.desk import Desk

EVERY_MS = 60_000
# Wallet and fills are told by events of their own: a reading between two would tear them apart.
QUIET_MS, LATE_MS = 1_000, 30_000
OWED_MS_MAX = 120_000


class EquityWatch:
    """Looks at every tick; ``owed_since_ms`` tells since when a reading of income is due."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._due_ms = 0
        self._last: EquitySeen | None = None
        self.owed_since_ms: Callable[[], int] = lambda: 0

    def look(self, at_ms: int) -> None:
        """Record the equity if a minute is over and no event is on its way."""
        desk = self._desk
        if at_ms < self._due_ms:
            return
        overdue = self._last is not None and at_ms - self._due_ms > LATE_MS
        if at_ms - desk.heard_ms < QUIET_MS and not overdue:
            return
        owed_ms = self.owed_since_ms()
        if owed_ms and at_ms - owed_ms < OWED_MS_MAX:
            return
        self._due_ms = at_ms + EVERY_MS
        seen = EquitySeen(wallet_usdt=desk.venue.wallet_usdt, unrealized_usd=self._unrealized())
        if seen != self._last:
            self._last = seen
            desk.record(seen)

    def _unrealized(self) -> Decimal:
        """Profit of all open positions at the mark price, in USDT."""
        desk, total = self._desk, ZERO
        for position in desk.book.open_positions():
            quote = desk.quotes.get(position.symbol)
            if quote is not None:
                total += position.qty * (quote.mark - position.entry_price)
        return total
