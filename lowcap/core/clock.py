"""The one place that reads clocks.

Three kinds of time, never mixed: *wall* time dates things (frames, ledger
records, order timestamps), *loop* time (``trio.current_time()``) measures
deadlines, and the *stage counter* measures own work. Stage readings explain
and never decide anything.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Wall time and the stage counter, injected into every room that needs them."""

    def now_ns(self) -> int:
        """Wall time in nanoseconds since 1970-01-01 UTC."""
        ...

    def stage_ns(self) -> int:
        """A counter in nanoseconds for measuring own work; only differences mean anything."""
        ...


class SystemClock:
    """The machine's clock, shifted by ``offset_ns`` when running *as of* another time."""

    def __init__(self, offset_ns: int = 0) -> None:
        self.offset_ns = offset_ns

    def now_ns(self) -> int:
        """Wall time plus the shift, in nanoseconds."""
        return time.time_ns() + self.offset_ns

    def stage_ns(self) -> int:
        """The performance counter of the machine."""
        return time.perf_counter_ns()


class LoopClock:
    """Wall time that follows Trio's clock: ``epoch_ns`` plus the loop time since the first call.

    Under ``trio.testing.MockClock`` an hour passes in seconds and every run
    with the same seed sees the same times, stage readings included.
    """

    def __init__(self, epoch_ns: int) -> None:
        self._epoch_ns = epoch_ns
        self._start_s: float | None = None
        self._stage = 0

    def now_ns(self) -> int:
        """Wall time in nanoseconds, derived from the loop's clock."""
        # Here, not above: tools that know these times by name alone need no loop.
        import trio

        now_s = trio.current_time()
        if self._start_s is None:
            self._start_s = now_s
        return self._epoch_ns + round((now_s - self._start_s) * 1_000_000) * 1_000

    def stage_ns(self) -> int:
        """A counter that moves by one microsecond at each reading."""
        self._stage += 1_000
        return self._stage


def now_ms(clock: Clock) -> int:
    """Wall time of ``clock`` in milliseconds since 1970-01-01 UTC."""
    return clock.now_ns() // NS_PER_MS


def parse_as_of(text: str) -> int:
    """Turn an ``--as-of`` value into a clock shift in nanoseconds.

    ``2026-02-06T13:29:50Z`` makes the clock show that time now. With
    ``@SECONDS`` behind it (machine time since 1970) the clock shows that time
    at that moment, so that several processes can share one shifted clock.

    Raises:
        ValueError: the text is not an ISO 8601 time, or has no zone.
    """
    moment, _, anchor = text.partition("@")
    shown = datetime.fromisoformat(moment)
    if shown.tzinfo is None:
        raise ValueError("the time needs a zone, for example a trailing Z")
    anchor_ns = round(float(anchor) * NS_PER_S) if anchor else time.time_ns()
    return round(shown.timestamp() * NS_PER_S) - anchor_ns


def machine_time_s() -> float:
    """The machine's unshifted wall time in seconds, to anchor a shared ``--as-of``."""
    return time.time()


def iso_ms(at_ms: int) -> str:
    """``at_ms`` as ``2026-02-06T13:30:00.123Z``."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def utc_day(at_ns: int) -> str:
    """The UTC calendar day of a wall time, as ``2026-02-06``."""
    return f"{datetime.fromtimestamp(at_ns // NS_PER_S, UTC):%Y-%m-%d}"


def iso_to_ms(text: str) -> int | None:
    """An ISO 8601 time with a zone as milliseconds since 1970, or None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * 1000)
