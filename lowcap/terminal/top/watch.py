"""Keeps the model as new as the daemon: what it pushes, and what must be asked for. Trio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from lowcap.control.client import CallFailed
from lowcap.control.protocol import Json
from lowcap.terminal.session import RETRY_S, Session
from lowcap.terminal.top.model import EVENTS_KEPT, Model

ASK_EVERY_S = 1.0
# An event has the figures asked for at once, yet the daemon's budget of requests a minute holds.
ASK_AGAIN_AFTER_S = 0.8
SLOW_EVERY_S = 5.0
ANSWER_WITHIN_S = 10.0
CONNECTIONS = 2
# Ledger records after which settings may be others. They are many: nobody asks without a cause.
CONFIG_KINDS = "Config"
LOGS_AT_FIRST = 500
# For the record, where the kernel does not tell the daemon.
TYPED = "lowcapctl top"


class Watch:
    """Two connections: a session follows one stream only.

    By the first come events, and the operator's own requests travel on it, so
    that its whole budget is theirs; by the second come log records and figures.
    """

    def __init__(
        self,
        places: list[Path],
        model: Model,
        changed: Callable[[], None],
        shows_settings: Callable[[], bool],
    ) -> None:
        self._model = model
        self._changed = changed
        self._shows_settings = shows_settings
        self._events = Session(places, self, self._follow_events, TYPED)
        self._figures = Session(places, self, self._follow_logs, TYPED)
        self._up: set[Session] = set()
        self._early: dict[Session, list[Json]] = {}
        self._wanted = trio.Event()
        self._config_wanted = False

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._events.run)
            nursery.start_soon(self._figures.run)

    async def call(self, method: str, params: Json) -> object:
        """What the operator asks for.

        Raises:
            CallFailed: as ``Session.call``.
        """
        return await self._events.call(method, params)

    def refresh(self, method: str) -> None:
        """Ask soon; for what has been missing too."""
        if method == "all":
            self._model.missing.clear()
        self._config_wanted |= method in ("config", "all")
        self._wanted.set()

    # -- what sessions tell -------------------------------------------------------

    def greeted(self, session: Session, hello: Json) -> None:
        """The daemon is there."""
        self._up.add(session)
        if session is self._events:
            self._model.greeted(hello)
        self._model.connected = len(self._up) == CONNECTIONS
        self._changed()

    def pushed(self, session: Session, value: Json) -> None:
        """An event, or a log record."""
        early = self._early.get(session)
        if early is not None:
            early.append(value)
        elif session is self._figures:
            self._model.took_log(value)
            self._changed()
        elif self._model.took_event(value):
            if str(value.get("kind")).startswith(CONFIG_KINDS):
                self._config_wanted |= self._shows_settings()
            self._wanted.set()
            self._changed()

    def lost(self, session: Session, why: str) -> None:
        """The daemon is away, or has no place for one of the two: half a picture is none."""
        self._up.discard(session)
        self._model.lost(f"{why}, tried again every {RETRY_S:g} s")
        self._changed()

    # -- what runs beside a connection ------------------------------------------------

    async def _follow_events(self, session: Session) -> None:
        since = self._model.last_seq
        params: Json = {"follow": True}
        params |= {"count": EVENTS_KEPT} if since is None else {"since": since}
        async with self._in_order(session):
            for event in await self._asked(session, "events", params) or ():
                self._model.took_event(event)
        self._changed()
        await trio.sleep_forever()

    async def _follow_logs(self, session: Session) -> None:
        async with self._in_order(session):
            rows = await self._asked(session, "logs", {"follow": True, "count": LOGS_AT_FIRST})
            self._model.took_logs(rows or [])
        self._changed()
        slow_s = -SLOW_EVERY_S
        while True:
            self._wanted = trio.Event()
            began_s = trio.current_time()
            await self._ask(session, "status")
            await self._ask(session, "positions")
            if began_s - slow_s >= SLOW_EVERY_S:
                slow_s = began_s
                await self._ask(session, "latency")
                await self._ask(session, "stats")
            if self._config_wanted:
                self._config_wanted = False
                await self._ask_settings(session)
            await trio.sleep(ASK_AGAIN_AFTER_S)
            with trio.move_on_at(began_s + ASK_EVERY_S):
                await self._wanted.wait()

    @asynccontextmanager
    async def _in_order(self, session: Session) -> AsyncIterator[None]:
        """What is pushed before the past has come waits for it."""
        early = self._early[session] = []
        try:
            yield
        finally:
            del self._early[session]
            for value in early:
                self.pushed(session, value)

    async def _asked(self, session: Session, method: str, params: Json) -> list[Json] | None:
        try:
            with trio.fail_after(ANSWER_WITHIN_S):
                rows = await session.call(method, params)
        except trio.TooSlowError:
            self._model.failed(method, f"no answer in {ANSWER_WITHIN_S:g} s")
            return None
        except CallFailed as failure:
            self._model.failed(method, failure.message)
            return None
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None

    async def _ask_settings(self, session: Session) -> None:
        """Every setting: those of triggers are many, and come only where they are named."""
        show: Json = {"action": "show", "origin": True}
        await self._ask(session, "config", show)
        if "config" in self._model.missing:
            return
        more = await self._asked(session, "config", show | {"what": "trigger"})
        self._model.answered("config", [*self._model.config, *(more or ())])
        self._model.missing.pop("config", None)
        self._changed()

    async def _ask(self, session: Session, method: str, params: Json | None = None) -> None:
        """Ask for one answer; a daemon that has no such command is not asked again."""
        before = self._model.missing.get(method, "")
        if before.startswith("no method"):
            return
        try:
            with trio.fail_after(ANSWER_WITHIN_S):
                self._model.answered(method, await session.call(method, params or {}))
        except trio.TooSlowError:
            self._model.failed(method, f"no answer in {ANSWER_WITHIN_S:g} s")
        except CallFailed as failure:
            if failure.code == "busy":
                return  # what is shown is as old as its time says
            self._model.failed(method, failure.message)
        self._changed()
