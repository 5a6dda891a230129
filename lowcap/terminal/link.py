"""The REPL's connection to the daemon: survives its restarts, never blocks the prompt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import trio

from lowcap.control.client import CallFailed
from lowcap.control.protocol import Json
from lowcap.terminal.session import Session

RETRY_S = 2
REFRESH_EVERY_S = 1.0
SILENT_AFTER_S = 5.0
TRACES_KEPT = 30


class Link:
    """Calls, live events and a status snapshot once a second.

    ``on_change`` is called when any of ``status``, ``why`` (there is none) or ``is_silent``
    may have changed.
    """

    def __init__(
        self,
        places: list[Path],
        on_event: Callable[[Json], None],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.status: Json | None = None
        self.hello: Json = {}
        self.why = "connecting"
        self.is_silent = False
        self.symbols: list[str] = []
        self.keys: list[str] = []
        self.traces: deque[tuple[str, str]] = deque(maxlen=TRACES_KEPT)
        self._on_change = on_change
        self._on_event = on_event
        self._lost_why = ""
        self._session = Session(places, self, self._work, "lowcapctl (prompt)", self._count_down)
        self._last_seq: int | None = None
        self._early: list[Json] | None = None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await self._session.run()

    @property
    def place(self) -> Path | None:
        """The socket of the last daemon."""
        return self._session.place

    def greeted(self, session: Session, hello: Json) -> None:
        """The daemon has said hello."""
        self.hello, self.why = hello, "waiting for the first status"

    def pushed(self, session: Session, value: Json) -> None:
        """An event; while the past is being asked for it waits for its turn."""
        if self._early is not None:
            self._early.append(value)
        else:
            self._show(value)

    def lost(self, session: Session, why: str) -> None:
        """The daemon is away."""
        self.status, self.is_silent, self._lost_why = None, False, why

    async def _count_down(self) -> None:
        for left_s in range(RETRY_S, 0, -1):
            self.why = f"daemon lost, retrying in {left_s}s ({self._lost_why})"
            self._on_change()
            await trio.sleep(1)

    async def _work(self, session: Session) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._refresh)
            nursery.start_soon(self._learn)

    def _show(self, event: Json) -> None:
        self._last_seq = event.get("seq", self._last_seq)
        self._remember(event)
        self._on_event(event)

    def _remember(self, event: Json) -> None:
        """News that was told of can be explained."""
        if event.get("kind") == "NewsSeen" and event.get("text"):
            about = (str(event["seq"]), str(event["text"]))
            if about not in self.traces:
                self.traces.appendleft(about)

    async def _refresh(self) -> None:
        """Follow events from the last one seen, then ask for the status once a second."""
        following = False
        while True:
            with trio.move_on_after(SILENT_AFTER_S) as patience:
                try:
                    if not following:
                        await self._follow()
                        following = True
                    self.status = await self.call("status", {})
                except CallFailed as error:
                    self.why = error.message
            self.is_silent = patience.cancelled_caught
            if self.is_silent and self.status is None:
                self.why = "the daemon does not answer"
            self._on_change()
            await trio.sleep(REFRESH_EVERY_S)

    async def _learn(self) -> None:
        """Words that completion offers; a daemon that does not tell them is none the worse."""
        with suppress(CallFailed):
            news = await self.call("events", {"type": "NewsSeen", "count": TRACES_KEPT})
            for event in news:
                self._remember(event)
        contracts = sorted(await self._rows("prices", {}), key=_by_size)
        self.symbols = [str(row["symbol"]) for row in contracts if "symbol" in row]
        settings = await self._rows("config", {"action": "show"})
        self.keys = [str(row["key"]) for row in settings if "key" in row]

    async def _rows(self, method: str, params: Json) -> list[Json]:
        try:
            rows = await self.call(method, params)
        except CallFailed:
            return []
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    async def _follow(self) -> None:
        """Show what was missed, then what came while we asked, in order."""
        before = self._last_seq
        params: Json = {"follow": True}
        params |= {"count": 1} if before is None else {"since": before}
        self._early = []
        try:
            missed = await self.call("events", params)
            if before is None and missed:
                self._last_seq = missed[-1]["seq"]
            else:
                for event in missed:
                    self._show(event)
        finally:
            early, self._early = self._early, None
            for event in early:
                self._show(event)

    async def call(self, method: str, params: Json) -> Any:  # noqa: ANN401  # JSON
        """One request and its reply. Cancelling tells the daemon so.

        Raises:
            CallFailed: refused, or the connection went away before the reply.
        """
        if not self._session.is_open:
            raise CallFailed(self.why or "no daemon", code="unreachable")
        return await self._session.call(method, params)


def _by_size(contract: Json) -> Decimal:
    """The coins that are worth most come first, those of unknown worth last."""
    try:
        worth = Decimal(str(contract.get("cap_usd") or 0))
    except ArithmeticError:
        worth = Decimal(0)
    return -worth if worth.is_finite() else Decimal(0)
