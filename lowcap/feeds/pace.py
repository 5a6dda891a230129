"""How long to wait before asking an HTTP server again, by what it answered."""

from __future__ import annotations

import random

from msgspec import Struct

from lowcap.core.clock import Clock, now_ms
from lowcap.core.errors import ConnectionLost
from lowcap.net.http import HttpRefused, retry_after_s

HEALTHY_AFTER_S = 10.0
ASKED_LONGEST_S = 3_600.0  # a server that asks for more is tried hourly


class Steps(Struct, frozen=True, kw_only=True):
    """Growing waits in seconds: ``first_s`` times 0, 1, 2, … where ``linear``, else doubling."""

    first_s: float
    longest_s: float
    linear: bool = False

    def wait_s(self, failures: int) -> float:
        """The wait after ``failures`` earlier ones in a row."""
        grown = failures if self.linear else 2 ** min(failures, 30)
        return min(self.first_s * grown, self.longest_s)


class HttpPace:
    """Counts failures of one kind in a row: broken connections, refusals, rate limits."""

    def __init__(
        self,
        *,
        broken: Steps,
        refused: Steps,
        limited: Steps,
        limits: frozenset[int],
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._broken = broken
        self._refused = refused
        self._limited = limited
        self._limits = limits
        self._clock = clock
        self._chance = chance
        self._newest = broken
        self._failures = 0

    def wait_s(self, lost: ConnectionLost, lasted_s: float) -> float:
        """Seconds until the next attempt, never fewer than a server in need of rest asks for."""
        steps, asked_s = self._broken, None
        if isinstance(lost, HttpRefused):
            steps = self._refused
            if lost.status in self._limits:
                steps = self._limited
                asked_s = retry_after_s(lost.headers, now_ms(self._clock))
        if steps is not self._newest or lasted_s >= HEALTHY_AFTER_S:
            self._newest, self._failures = steps, 0
        wait_s = steps.wait_s(self._failures) * self._chance.uniform(1, 1.25)
        self._failures += 1
        if asked_s is None:
            return wait_s
        return max(wait_s, min(asked_s, ASKED_LONGEST_S) + self._chance.uniform(0, 1))
