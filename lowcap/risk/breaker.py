"""Circuit breakers: what fails again and again is left alone for a while, then tried once. Pure.

closed ── failures within a window ──> open ── its rest is over ──> half-open
   ^                                    ^                              │
   └──────────── one success ───────────┼──────────────────────────────┤
                                        └── one failure, a longer rest ┘
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from msgspec import Struct

REJECTIONS = "rejections"
WS, REST = "ws", "rest"
FEED = "feed:"


class BreakerState(StrEnum):
    """Whether a breaker lets things through: yes, no, or one to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Rule(Struct, frozen=True, kw_only=True):
    """When a breaker opens: ``failures`` within ``window_ms``; and how long it rests.

    Each rest after a failed try is twice the one before, up to ``longest_ms``.
    """

    failures: int
    window_ms: int
    rest_ms: int
    longest_ms: int


# A feed's connection that is lost within FLAP_MS weighs as much as FLAP_WEIGHT faulty frames.
# One that is lost later may only have been silent, which says nothing against what it tells.
FLAP_MS, FLAP_WEIGHT = 20_000, 3
FEED_RULE = Rule(failures=10, window_ms=300_000, rest_ms=60_000, longest_ms=900_000)
ROAD_RULE = Rule(failures=3, window_ms=30_000, rest_ms=5_000, longest_ms=60_000)
REJECTIONS_RULE = Rule(failures=6, window_ms=60_000, rest_ms=60_000, longest_ms=900_000)


class Breaker(Struct, kw_only=True):
    """A breaker that is not closed. Wall times; ``until_ms`` is when it is tried again."""

    state: BreakerState
    since_ms: int
    until_ms: int
    rest_ms: int
    why: str = ""


class Change(Struct, frozen=True, kw_only=True):
    """A breaker goes to another state."""

    state: BreakerState
    why: str
    until_ms: int = 0
    rest_ms: int = 0


class Window:
    """The failures of late of one breaker, and what follows from one more."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._failures: deque[tuple[int, int]] = deque()

    def count(self, now_ms: int) -> int:
        """The weight of the failures within the window."""
        while self._failures and self._failures[0][0] <= now_ms - self.rule.window_ms:
            self._failures.popleft()
        return sum(weight for _, weight in self._failures)

    def failed(
        self, breaker: Breaker | None, now_ms: int, why: str, weight: int = 1
    ) -> Change | None:
        """One more failure. While the breaker is open they are expected and change nothing."""
        if breaker is not None and breaker.state is BreakerState.OPEN:
            return None
        rule = self.rule
        if breaker is not None:
            return self._open(now_ms, min(breaker.rest_ms * 2, rule.longest_ms), why)
        self._failures.append((now_ms, weight))
        if self.count(now_ms) < rule.failures:
            return None
        return self._open(now_ms, rule.rest_ms, why)

    def succeeded(self, breaker: Breaker | None) -> Change | None:
        """Something went through: a half-open breaker closes."""
        if breaker is None or breaker.state is not BreakerState.HALF_OPEN:
            return None
        self._failures.clear()
        return Change(state=BreakerState.CLOSED, why="it works again")

    def _open(self, now_ms: int, rest_ms: int, why: str) -> Change:
        self._failures.clear()
        return Change(state=BreakerState.OPEN, why=why, until_ms=now_ms + rest_ms, rest_ms=rest_ms)


def rested(breaker: Breaker, now_ms: int) -> Change | None:
    """What time does to a breaker: an open one whose rest is over lets one through."""
    if breaker.state is not BreakerState.OPEN or now_ms < breaker.until_ms:
        return None
    return Change(
        state=BreakerState.HALF_OPEN,
        why="trying again",
        until_ms=breaker.until_ms,
        rest_ms=breaker.rest_ms,
    )
