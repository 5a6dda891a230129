"""What waits for a sink: bounded, the severest first, and the least severe is lost first. Pure."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from lowcap.alerts.alert import Alert

WAITING_MAX = 100


class Job(Struct, frozen=True):
    """An alert on its way; ``on_end`` hears how it ended: nothing for sent, else why not."""

    alert: Alert
    on_end: Callable[[str], None] = lambda why: None


class Outbox:
    """At most ``most`` jobs; among equals the oldest goes first and is lost first."""

    def __init__(self, most: int = WAITING_MAX) -> None:
        self._most = most
        self._jobs: list[Job] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job) -> Job | None:
        """Add a job; returns the one that was lost for it, which may be itself."""
        self._jobs.append(job)
        if len(self._jobs) <= self._most:
            return None
        return self._jobs.pop(self._first(min(each.alert.rank for each in self._jobs)))

    def take(self) -> Job:
        """The severest job, the oldest among equals. The box must not be empty."""
        return self._jobs.pop(self._first(max(each.alert.rank for each in self._jobs)))

    def clear(self) -> list[Job]:
        """Empty the box; returns what was in it."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def _first(self, rank: int) -> int:
        return next(n for n, job in enumerate(self._jobs) if job.alert.rank == rank)
