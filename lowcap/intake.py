"""The intake: a session per feed, switched on and off by operators, and what hears of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from lowcap.core import facts
from lowcap.core.clock import now_ms
from lowcap.core.errors import CommandError
from lowcap.execution.desk import Desk
from lowcap.feeds.session import FeedStatus, NewsSession
from lowcap.flow import Flow
from lowcap.observe.recorder import Recorder
from lowcap.supervise import Health, supervise

OFF = "off"
CONNECTED = frozenset({"up", "stale"})
Listener = Callable[[str, int, bytes], None]


class Intake:
    """Feeds by name. Runs in the intake nursery; what it does is recorded by the desk."""

    def __init__(self, desk: Desk, flow: Flow, recorder: Recorder) -> None:
        self.desk = desk
        self.flow = flow
        self.recorder = recorder
        self.sessions: dict[str, NewsSession] = {}
        self.listeners: list[Listener] = []
        self._scopes: dict[str, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None
        flow.after = self._after

    def add(self, session: NewsSession) -> None:
        """Take a feed in; it is connected when the intake opens, unless switched off."""
        self.sessions[session.status.name] = session
        if self.is_off(session.status.name):
            session.status.state = OFF

    @property
    def statuses(self) -> Iterable[FeedStatus]:
        """All feeds, in the order of the configuration."""
        return (session.status for session in self.sessions.values())

    def is_off(self, name: str) -> bool:
        """Whether an operator has switched a feed off."""
        return f"feed:{name}" in self.desk.book.state.switched_off

    def open(self, nursery: trio.Nursery) -> None:
        """Connect the feeds and start the batch tier."""
        self._nursery = nursery
        nursery.start_soon(self.flow.run_batch)
        for name in self.sessions:
            if not self.is_off(name):
                nursery.start_soon(self._keep, name)

    def session(self, name: str) -> NewsSession:
        """A feed by name.

        Raises:
            CommandError: there is none, or the configuration has it off.
        """
        if name in self.sessions:
            return self.sessions[name]
        if name in self.desk.settings.feed:
            raise CommandError(
                f"feed {name} is off in the configuration",
                hint=f"set feed.{name}.enabled = true and restart",
                code="refused",
            )
        known = ", ".join(self.sessions)
        raise CommandError(f"no feed {name[:40]!r}", hint=f"one of {known}", code="not-found")

    def switch(self, name: str, on: bool, who: str, reason: str) -> None:
        """Switch a feed on or off; it stays so over restarts."""
        session = self.session(name)
        if on == self.is_off(name):
            self.desk.record(
                facts.Switched(kind="feed", name=name, enabled=on, who=who, reason=reason)
            )
        if on:
            if name not in self._scopes and self._nursery is not None:
                session.status.state = "connecting"
                self._nursery.start_soon(self._keep, name)
        elif name in self._scopes:
            self._scopes[name].cancel(reason=f"switched off by {who}")

    async def _keep(self, name: str) -> None:
        """One feed until it is switched off.

        A feed with a bug is restarted; one with three in five minutes is given up, alone.
        """
        session = self.sessions[name]
        with trio.CancelScope() as self._scopes[name]:
            try:
                await supervise(name, session.run, self._on_health)
            finally:
                del self._scopes[name]
        if self.is_off(name):
            self._say(session.status, OFF, "switched off")

    def _on_health(self, name: str, health: Health, fault: str) -> None:
        if health is not Health.RUNNING:
            self._say(self.sessions[name].status, health.value, fault)
            self.desk.alarm(f"feed-{health.value}", f"{name}: {fault}", "lowcapctl feeds")

    def _say(self, status: FeedStatus, state: str, why: str) -> None:
        status.state, status.why, status.since_ms = state, why, now_ms(self.desk.clock)
        self.desk.record(facts.FeedChanged(feed=status.name, state=state, why=why))

    def _after(self, feed: str, received_ns: int, frame: bytes) -> None:
        self.recorder.tee(feed, received_ns, frame)
        for listener in self.listeners:
            listener(feed, received_ns, frame)
