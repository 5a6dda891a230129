"""The newest price of every symbol: one slot each, overwritten, never queued."""

from __future__ import annotations

from lowcap.binance.wire import MarkUpdate, MiniTicker
from lowcap.core.clock import Clock, now_ms
from lowcap.core.messages import Quote
from lowcap.core.money import ZERO, decimal_from_wire


class Prices:
    """Fed by the market stream; read by the gate at the instant of a decision."""

    def __init__(self, clock: Clock) -> None:
        self.quotes: dict[str, Quote] = {}
        self.newest_ms = 0
        self._clock = clock

    def on_marks(self, updates: list[MarkUpdate]) -> None:
        """Newest mark prices; one that cannot be read is left to grow stale."""
        at_ms = now_ms(self._clock)
        for update in updates:
            if update.st != 1:
                continue  # another family of contracts
            try:
                mark = decimal_from_wire(update.p)
            except ValueError:
                continue
            if not mark > ZERO:
                continue
            self.newest_ms = at_ms
            old = self.quotes.get(update.s)
            last = old.last if old is not None else None
            last_ms = old.last_ms if old is not None else 0
            self.quotes[update.s] = Quote(
                symbol=update.s, mark=mark, mark_ms=at_ms, last=last, last_ms=last_ms
            )

    def on_lasts(self, tickers: list[MiniTicker]) -> None:
        """Newest last prices of symbols whose mark is known."""
        at_ms = now_ms(self._clock)
        for ticker in tickers:
            old = self.quotes.get(ticker.s)
            if old is None or ticker.st != 1:
                continue
            try:
                last = decimal_from_wire(ticker.c)
            except ValueError:
                continue
            self.quotes[ticker.s] = Quote(
                symbol=ticker.s, mark=old.mark, mark_ms=old.mark_ms, last=last, last_ms=at_ms
            )

    def clear(self) -> None:
        """Forget everything: nothing known is better than something old."""
        self.quotes.clear()
        self.newest_ms = 0
