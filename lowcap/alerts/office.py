"""The alerts of a daemon: every new ledger record comes in, sinks carry out what is to be told.

Records come after orders are on their way, sinks are tasks of their own with
bounded boxes, and whatever goes wrong in here stays in here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import attrs
import trio
from loguru import logger

from lowcap.alerts.alert import SINKS_MAX, Alert
from lowcap.alerts.outbox import Job
from lowcap.alerts.quiet import parse_moment, parse_quiet
from lowcap.alerts.reader import Reader
from lowcap.alerts.senders import gap_s, sender_for
from lowcap.alerts.sieve import Rule, Sieve
from lowcap.alerts.sink import DEAD_STATE, Sink
from lowcap.core.clock import Clock, now_ms
from lowcap.core.facts import Fact, Record, SinkChanged
from lowcap.net.http import HttpxPort
from lowcap.net.net import Net
from lowcap.settings import Notify, NotifySink
from lowcap.supervise import Health, supervise

DRAIN_S = 3.0
SLEEP_S_MAX = 60.0  # the wall clock may be set meanwhile
_RULES = ("events", "min_level", "quiet_hours", "coalesce_s")


class Outlet:
    """A sink, what it wants to hear, and the scope of its task."""

    def __init__(self, settings: NotifySink, sink: Sink, sieve: Sieve) -> None:
        self.settings = settings
        self.sink = sink
        self.sieve = sieve
        self.scope = trio.CancelScope()


class Alerts:
    """All sinks. ``record`` writes a fact; ``is_off`` tells the sinks that an operator put off.

    ``summary`` is the day in one line, for ``notify.daily``.
    """

    def __init__(
        self,
        settings: Notify,
        mode: str,
        net: Net,
        clock: Clock,
        environ: Mapping[str, str],
        *,
        record: Callable[[Fact], object],
        is_off: Callable[[str], bool],
    ) -> None:
        self.settings = settings
        self.outlets: dict[str, Outlet] = {}
        self.faults = 0
        self.summary: Callable[[], str] = lambda: ""
        self._mode = mode
        self._net = net
        self._clock = clock
        self._environ = environ
        self._record = record
        self._is_off = is_off
        self._reader = Reader(mode)
        self._http: HttpxPort | None = None
        self._nursery: trio.Nursery | None = None
        self._bell = trio.Event()
        self._draining = False
        self._daily = parse_moment(settings.daily)
        self._daily_ms = self._next_daily_ms()
        for name, sink in settings.sink.items():
            if sink.enabled:
                self.outlets[name] = self._outlet(name, sink)

    def now_ms(self) -> int:
        """Wall time in milliseconds."""
        return now_ms(self._clock)

    # -- from the ledger ----------------------------------------------------------

    def read(self, record: Record) -> None:
        """Take a new record in. A fault in here is told and ends nothing."""
        if not self.outlets:
            return
        try:
            self._tell(self._reader.read(record))
        except Exception as bug:
            self.faults += 1
            logger.opt(exception=bug).error("{}", f"alerts: record {record.seq} failed: a bug")
        self._bell.set()

    def _tell(self, alerts: Iterable[Alert]) -> None:
        at_ms = self.now_ms()
        for alert in alerts:
            for outlet in self.outlets.values():
                passed = outlet.sieve.offer(alert, at_ms)
                if passed is not None:
                    outlet.sink.put(Job(passed))

    # -- tasks --------------------------------------------------------------------

    async def run(self) -> None:
        """Carry out and keep time, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for outlet in self.outlets.values():
                nursery.start_soon(self._keep, outlet)
            while True:
                with trio.move_on_after(self._wait_s()):
                    await self._bell.wait()
                self._bell = trio.Event()
                self._look()

    async def aclose(self) -> None:
        """Close the connections of all sinks."""
        if self._http is not None:
            await self._http.aclose()

    async def drain(self) -> None:
        """Tell what was held back, and give working sinks a moment; nothing is recorded now."""
        self._draining = True
        self._look(at_once=True)
        with trio.move_on_after(DRAIN_S, shield=True):
            while not all(outlet.sink.is_idle for outlet in self.outlets.values()):
                await trio.sleep(0.02)

    def _look(self, *, at_once: bool = False) -> None:
        at_ms = self.now_ms()
        try:
            self._tell(self._reader.due(at_ms, at_once=at_once))
            if self._daily_ms is not None and at_ms >= self._daily_ms:
                self._daily_ms = self._next_daily_ms()
                text = self.summary()
                self._tell(
                    [Alert(event="summary", level="info", title="DAY", text=text, at_ms=at_ms)]
                )
            for outlet in self.outlets.values():
                for alert in outlet.sieve.due(at_ms, at_once=at_once):
                    outlet.sink.put(Job(alert))
        except Exception as bug:
            self.faults += 1
            logger.opt(exception=bug).error("{}", "alerts: a bug")

    def _wait_s(self) -> float:
        if not self.outlets:
            return float("inf")
        at_ms = self.now_ms()
        times = [self._reader.next_ms(), self._daily_ms]
        times += [outlet.sieve.next_ms(at_ms) for outlet in self.outlets.values()]
        known = [each for each in times if each is not None]
        if not known:
            return float("inf")
        return min(max((min(known) - at_ms) / 1000, 0.05), SLEEP_S_MAX)

    async def _keep(self, outlet: Outlet) -> None:
        """One sink until another configuration; a bug restarts it, three give it up."""
        sink = outlet.sink
        if self._is_off(sink.name):
            sink.switch_off()
        with outlet.scope:
            while True:
                await supervise(sink.name, sink.run, partial(self._on_health, sink))
                await sink.until_revived()

    def _on_health(self, sink: Sink, name: str, health: Health, fault: str) -> None:
        if health is Health.FATAL:
            sink.die(f"bug: {fault}")
        elif health is Health.BACKOFF:
            logger.error("{}", f"alert sink {name} failed: a bug: {fault}")

    # -- what operators change ------------------------------------------------------

    def switch(self, name: str, *, on: bool) -> None:
        """Revive a sink, or take it out; the caller has recorded it."""
        sink = self.outlets[name].sink
        if on:
            sink.revive()
        else:
            sink.switch_off()

    def take(self, settings: Notify) -> None:
        """Go by other settings from now on; every sink that was given up is tried again."""
        self.settings = settings
        self._daily = parse_moment(settings.daily)
        self._daily_ms = self._next_daily_ms()
        for name in list(self.outlets):
            wanted = settings.sink.get(name)
            outlet = self.outlets[name]
            if wanted is None or not wanted.enabled or _way(wanted) != _way(outlet.settings):
                outlet.sink.switch_off()
                outlet.scope.cancel(reason="another configuration")
                del self.outlets[name]
                continue
            self._change_rule(outlet, wanted)
            if outlet.sink.state == DEAD_STATE:
                outlet.sink.revive()
        for name, sink in settings.sink.items():
            if sink.enabled and name not in self.outlets:
                self.outlets[name] = self._outlet(name, sink)
                if self._nursery is not None:
                    self._nursery.start_soon(self._keep, self.outlets[name])
        self._bell.set()

    def _change_rule(self, outlet: Outlet, wanted: NotifySink) -> None:
        rule = rule_of(self.settings, wanted)
        outlet.settings = wanted
        if rule != outlet.sieve.rule:
            for alert in outlet.sieve.due(self.now_ms(), at_once=True):
                outlet.sink.put(Job(alert))
            outlet.sieve = Sieve(rule)

    # -- building -------------------------------------------------------------------

    def _outlet(self, name: str, settings: NotifySink) -> Outlet:
        if self._http is None:  # each sink has one request on its way at most
            self._http = HttpxPort(self._net, connections_max=SINKS_MAX)
        opening = partial(
            sender_for, name, settings, self._mode, self._http, self._clock, self._environ
        )
        sink = Sink(name, opening, self._clock, gap_s=gap_s(settings), on_state=self._on_state)
        return Outlet(settings, sink, Sieve(rule_of(self.settings, settings)))

    def _on_state(self, name: str, state: str, why: str) -> None:
        if not self._draining:
            self._record(SinkChanged(sink=name, state=state, why=why))

    def _next_daily_ms(self) -> int | None:
        return self._daily.next_ms(self.now_ms()) if self._daily is not None else None


def rule_of(settings: Notify, sink: NotifySink) -> Rule:
    """What a sink wants to hear, by its own table and by that of all."""
    hours = settings.quiet_hours if sink.quiet_hours is None else sink.quiet_hours
    coalesce_s = settings.coalesce_s if sink.coalesce_s is None else sink.coalesce_s
    return Rule(
        events=sink.events,
        min_level=settings.level if sink.min_level is None else sink.min_level,
        quiet=parse_quiet(hours),
        coalesce_ms=coalesce_s * 1000,
    )


def _way(settings: NotifySink) -> dict[str, object]:
    """How a sink sends, apart from what it wants to hear."""
    return {
        name: value
        for name, value in attrs.asdict(settings, recurse=False).items()
        if name not in _RULES
    }
