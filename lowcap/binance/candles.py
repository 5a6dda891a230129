"""One-minute candles of a symbol, and the average true range that follows from them. Pure."""

from __future__ import annotations

import itertools
from decimal import Decimal

from msgspec import Struct

from lowcap.core.money import ZERO, decimal_from_wire

KEPT = 120
ATR_LENGTH = 14


class Candle(Struct, frozen=True, kw_only=True):
    """A minute of trading; ``open_ms`` is the venue's time at which it began."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool


class Candles:
    """The newest candles of one symbol; the last may still be forming."""

    def __init__(self) -> None:
        self._by_minute: dict[int, Candle] = {}

    def fold(self, candle: Candle) -> None:
        """Take a candle in. Newest wins, but one that has closed does not open again."""
        known = self._by_minute.get(candle.open_ms)
        if known is not None and known.closed and not candle.closed:
            return
        self._by_minute[candle.open_ms] = candle
        while len(self._by_minute) > KEPT:
            del self._by_minute[min(self._by_minute)]

    def rows(self) -> list[Candle]:
        """All of them, oldest first."""
        return [self._by_minute[minute] for minute in sorted(self._by_minute)]

    def atr(self, length: int = ATR_LENGTH) -> Decimal | None:
        """Mean true range of the last ``length`` closed candles, in units of price.

        A true range reaches to the close before, so one more candle is
        needed; None where there are too few.
        """
        closed = [candle for candle in self.rows() if candle.closed][-length - 1 :]
        if len(closed) <= length:
            return None
        ranges = (
            max(now.high, before.close) - min(now.low, before.close)
            for before, now in itertools.pairwise(closed)
        )
        return sum(ranges, ZERO) / length


def candle_from(
    open_ms: int, prices: tuple[str, str, str, str], volume: str, *, closed: bool
) -> Candle:
    """A candle of the wire's texts: open, high, low, close.

    Raises:
        ValueError: a figure is no number, or they contradict each other.
    """
    first, high, low, last = (decimal_from_wire(text) for text in prices)
    amount = decimal_from_wire(volume)
    if not (ZERO < low <= min(first, last) and max(first, last) <= high and amount >= ZERO):
        raise ValueError(f"a candle of {', '.join(prices)}")
    return Candle(
        open_ms=open_ms,
        open=first,
        high=high,
        low=low,
        close=last,
        volume=amount,
        closed=closed,
    )
