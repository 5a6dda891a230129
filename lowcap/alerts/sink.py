"""One sink: a bounded box, one message at a time, tried again as the service asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from msgspec import Struct

from lowcap.alerts.alert import Alert
from lowcap.alerts.outbox import Job, Outbox
from lowcap.alerts.services import AGAIN, DEAD, SENT, Verdict
from lowcap.core.clock import Clock, now_ms
from lowcap.core.errors import ConnectionLost

# In a row, and the sink is given up: about an hour of trying.
FAILURES_MAX = 12
BACKOFF_FIRST_S, BACKOFF_LONGEST_S = 5.0, 600.0
WAIT_S_MAX = 3_600.0
UP, WAITING, DEAD_STATE, OFF = "up", "waiting", "dead", "off"

Send = Callable[[Alert], Awaitable[Verdict]]


class Counts(Struct):
    """What happened to a sink's messages since the start. Times are wall milliseconds, 0: never.

    ``failed`` are attempts, ``refused`` messages that the service did not
    take, ``dropped`` those that there was no room or no sink for.
    """

    sent: int = 0
    failed: int = 0
    refused: int = 0
    dropped: int = 0
    last_error: str = ""
    last_error_ms: int = 0
    last_success_ms: int = 0
    left: int | None = None


class Sink:
    """A worker with its box. ``opening`` finds its keys, and says how to send.

    ``on_state`` hears of ``dead`` and of ``up`` again, with the reason.
    """

    def __init__(
        self,
        name: str,
        opening: Callable[[], Send],
        clock: Clock,
        *,
        gap_s: float = 0.0,
        on_state: Callable[[str, str, str], None],
    ) -> None:
        self.name = name
        self.off = False
        self.dead = False
        self.waiting = False
        self.counts = Counts()
        self.box = Outbox()
        self.busy = False
        self._opening = opening
        self._clock = clock
        self._gap_s = gap_s
        self._on_state = on_state
        self._failures = 0
        self._bell = trio.Event()
        self._nudge = trio.Event()

    @property
    def state(self) -> str:
        """``up``, ``waiting`` before another try, ``dead``, or ``off`` by an operator."""
        if self.off:
            return OFF
        return DEAD_STATE if self.dead else WAITING if self.waiting else UP

    def put(self, job: Job) -> None:
        """Take a job; never waits. A full box loses its least severe one."""
        if self.off or self.dead:
            lost: Job | None = job
        else:
            lost = self.box.put(job)
            self._bell.set()
        if lost is not None:
            self.counts.dropped += 1
            lost.on_end(self._why_lost())

    @property
    def is_idle(self) -> bool:
        """Nothing is left that could be sent now."""
        return self.state != UP or (not self.box and not self.busy)

    def revive(self) -> None:
        """Up again, and try at once: after a death, or in the middle of a wait."""
        if self.dead:
            self._on_state(self.name, UP, "")
        self.off = self.dead = False
        self._failures = 0
        self._nudge.set()

    def die(self, why: str) -> None:
        """Given up until somebody revives it; what waits is lost."""
        self._erred(why)
        self.dead = True
        self._empty()
        self._on_state(self.name, DEAD_STATE, why)

    def switch_off(self) -> None:
        """Take nothing any more; what waits is lost."""
        self.off = True
        self._empty()
        self._nudge.set()

    async def until_revived(self) -> None:
        """Return once the sink is not given up."""
        while self.dead:
            await self._nudged(float("inf"))

    async def run(self) -> None:
        """Send what comes, for ever."""
        while True:
            await self.until_revived()
            try:
                send = self._opening()
            except ConnectionLost as error:
                self.die(error.message)
                continue
            await self._serve(send)

    async def _serve(self, send: Send) -> None:
        """Send until the sink is given up; whoever revives it may have given it another key."""
        gone = False
        while not gone:
            while not self.box:
                self._bell = trio.Event()
                await self._bell.wait()
            job = self.box.take()
            self.busy = True
            ended = "not sent: the sink was closed"
            try:
                ended = await self._deliver(job.alert, send)
            finally:
                self.busy = False
                job.on_end(ended)
            gone = ended.startswith(DEAD_STATE)
            await trio.sleep(self._gap_s)

    async def _deliver(self, alert: Alert, send: Send) -> str:
        """Try until the service takes it or refuses it; returns why not, or nothing."""
        while True:
            verdict = await send(alert)
            if verdict.left is not None:
                self.counts.left = verdict.left
            if verdict.outcome == SENT:
                self.counts.sent += 1
                self.counts.last_success_ms = now_ms(self._clock)
                self._failures = 0
                return ""
            if verdict.outcome == DEAD:
                self._lose(verdict.why)
                return f"dead: {verdict.why}"
            self._erred(verdict.why)
            self._failures += not verdict.limited
            if self._failures >= FAILURES_MAX:
                why = f"{self._failures} failures in a row, the last: {verdict.why}"
                self._lose(why)
                return f"dead: {why}"
            if verdict.outcome != AGAIN:
                self.counts.refused += 1
                return f"refused: {verdict.why}"
            if (verdict.wait_s or 0) > WAIT_S_MAX:
                why = f"{verdict.why}: asks to wait {verdict.wait_s:.0f} s"
                self._lose(why)
                return f"dead: {why}"
            self.waiting = True
            await self._nudged(self._pause_s(verdict))
            self.waiting = False
            if self.off:
                self.counts.dropped += 1
                return self._why_lost()

    def _pause_s(self, verdict: Verdict) -> float:
        if verdict.wait_s is not None:
            return max(verdict.wait_s, 1.0)
        backoff_s = BACKOFF_FIRST_S * 2.0 ** max(self._failures - 1, 0)
        return min(backoff_s, BACKOFF_LONGEST_S)

    async def _nudged(self, wait_s: float) -> None:
        self._nudge = trio.Event()
        with trio.move_on_after(wait_s):
            await self._nudge.wait()

    def _empty(self) -> None:
        for job in self.box.clear():
            self.counts.dropped += 1
            job.on_end(self._why_lost())

    def _why_lost(self) -> str:
        if self.off:
            return "off: switched off"
        return f"dead: {self.counts.last_error}" if self.dead else "dropped: no room"

    def _lose(self, why: str) -> None:
        self.counts.dropped += 1
        self.die(why)

    def _erred(self, why: str) -> None:
        self.counts.failed += 1
        self.counts.last_error = why
        self.counts.last_error_ms = now_ms(self._clock)
