"""The equity curve as spans that can be joined: what a plot and a drawdown need. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import reduce

from msgspec import Struct, field

from lowcap.core.money import HUNDRED, ZERO

HOUR_MS = 3_600_000
FINE_KEPT = 2_880
HOURS_KEPT = 2_400


class Span(Struct, frozen=True, array_like=True):
    """Equity over some time, in USDT: its last, highest and lowest, and its largest fall.

    ``drop`` is the largest fall from a height to a later depth inside the
    span, ``peak`` the height it fell from; times are wall milliseconds.
    """

    start_ms: int
    last: Decimal
    high: Decimal
    high_ms: int
    low: Decimal
    low_ms: int
    drop: Decimal = ZERO
    peak: Decimal = ZERO
    peak_ms: int = 0
    trough_ms: int = 0

    @property
    def drop_pct(self) -> Decimal:
        """The fall in per cent of the height that it began at."""
        return self.drop / self.peak * HUNDRED if self.peak > ZERO else ZERO


def point(at_ms: int, equity: Decimal) -> Span:
    """One reading."""
    return Span(at_ms, equity, equity, at_ms, equity, at_ms)


def join(first: Span, then: Span) -> Span:
    """Two spans, one after the other, as one."""
    across = first.high - then.low
    falls = (
        (first.drop, first.peak, first.peak_ms, first.trough_ms),
        (across, first.high, first.high_ms, then.low_ms),
        (then.drop, then.peak, then.peak_ms, then.trough_ms),
    )
    # The earliest of equal falls, whichever way the spans were joined.
    drop, peak, peak_ms, trough_ms = max(falls, key=lambda fall: fall[0])
    high, low = then.high > first.high, then.low < first.low
    return Span(
        first.start_ms,
        then.last,
        then.high if high else first.high,
        then.high_ms if high else first.high_ms,
        then.low if low else first.low,
        then.low_ms if low else first.low_ms,
        *((drop, peak, peak_ms, trough_ms) if drop > ZERO else ()),
    )


def joined(spans: Iterable[Span]) -> Span | None:
    """All spans as one; None where there is none."""
    found = list(spans)
    return reduce(join, found) if found else None


class Curve(Struct, kw_only=True):
    """Readings of the last days one by one, as time and value, and hours further back."""

    fine: list[tuple[int, Decimal]] = field(default_factory=list)
    hours: list[Span] = field(default_factory=list)

    def add(self, at_ms: int, equity: Decimal) -> None:
        """Take a reading in."""
        span = point(at_ms, equity)
        self.fine.append((at_ms, equity))
        del self.fine[:-FINE_KEPT]
        if self.hours and self.hours[-1].start_ms // HOUR_MS == at_ms // HOUR_MS:
            self.hours[-1] = join(self.hours[-1], span)
        else:
            self.hours.append(span)
            del self.hours[:-HOURS_KEPT]

    def since(self, from_ms: int) -> list[Span]:
        """What is known from a time on: readings where they reach that far, else hours."""
        if len(self.fine) == FINE_KEPT and self.fine[0][0] > from_ms:
            return [span for span in self.hours if span.start_ms >= from_ms]
        return [point(at_ms, equity) for at_ms, equity in self.fine if at_ms >= from_ms]

    def before(self, from_ms: int) -> Decimal | None:
        """The last equity known before a time."""
        older = [equity for at_ms, equity in self.fine if at_ms < from_ms]
        older = older or [s.last for s in self.hours if s.start_ms + HOUR_MS <= from_ms]
        return older[-1] if older else None
