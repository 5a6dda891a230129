"""A connection that is replaced before the venue cuts it: the new one is up before the old goes."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from lowcap.core.errors import ConnectionLost
from lowcap.net.session import BackOff, Pace

# A connection lives 24 hours at most (docs/venue.md §3, §7).
RENEW_EVERY_S = 23 * 3_600.0
# Both carry on for so long: what the old one still has to say is heard.
OVERLAP_S = 2.0
TRY_AGAIN_S = 30.0

# Runs one connection to its end, calling its argument once when it is of use.
Connect: TypeAlias = Callable[[Callable[[], None]], Awaitable[None]]


class _Link:
    """One connection: of use once ``up``, over once ``lost`` says why."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.up = False
        self.lost: ConnectionLost | None = None


class Handover:
    """Keeps one connection up until cancelled, and hands over to a fresh one in time."""

    def __init__(
        self, connect: Connect, on_lost: Callable[[str], None], chance: random.Random
    ) -> None:
        self._connect = connect
        self._on_lost = on_lost
        self._chance = chance
        self._stirred = trio.Event()
        self._renewing = False

    def renew(self) -> None:
        """Replace the connection now."""
        self._renewing = True
        self._stirred.set()

    async def run(self) -> None:
        """Reconnect with back-off for ever; ``on_lost`` hears each time that none is up."""
        pace = Pace(BackOff(), self._chance)
        while True:
            started_s = trio.current_time()
            lost = await self._line()
            wait_s = pace.wait_s(lost, trio.current_time() - started_s)
            self._on_lost(lost.message)
            await trio.sleep(wait_s)

    async def _line(self) -> ConnectionLost:
        """A connection and its successors, until the last of them is lost."""
        async with trio.open_nursery() as nursery:
            link = self._open(nursery)
            await self._until(lambda: link.up or link.lost is not None)
            self._renewing = False
            due_s = trio.current_time() + RENEW_EVERY_S
            while not await self._is_over(link, due_s):
                self._renewing = False
                successor = await self._succeed(nursery, link)
                due_s = trio.current_time() + (TRY_AGAIN_S if successor is link else RENEW_EVERY_S)
                link = successor
        return link.lost or ConnectionLost("closed")

    async def _is_over(self, link: _Link, due_s: float) -> bool:
        """Wait until it is time for a successor; whether ``link`` is lost instead."""
        with trio.move_on_at(due_s):
            await self._until(lambda: link.lost is not None or self._renewing)
        return link.lost is not None

    async def _succeed(self, nursery: trio.Nursery, old: _Link) -> _Link:
        """The new connection where it came up, with the old one gone; else the old one."""
        new = self._open(nursery)
        await self._until(lambda: new.up or new.lost is not None)
        if not new.up:
            return old
        with trio.move_on_after(OVERLAP_S):
            await self._until(lambda: old.lost is not None)
        old.scope.cancel(reason="a newer connection has taken over")
        return new

    def _open(self, nursery: trio.Nursery) -> _Link:
        link = _Link()
        nursery.start_soon(self._run_link, link)
        return link

    async def _run_link(self, link: _Link) -> None:
        def on_up() -> None:
            link.up = True
            self._stirred.set()

        lost = ConnectionLost("closed")
        with link.scope:
            try:
                await self._connect(on_up)
            except ConnectionLost as error:
                lost = error
        link.lost = lost
        self._stirred.set()

    async def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            self._stirred = trio.Event()
            await self._stirred.wait()
