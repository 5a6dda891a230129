"""What every feed's session does: connect again, tell the operator, watch for silence."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import trio

from lowcap.core.clock import Clock, now_ms
from lowcap.core.errors import ConnectionLost
from lowcap.core.plain import plain
from lowcap.feeds.status import FeedStatus
from lowcap.feeds.window import parse_window
from lowcap.settings import Feed

OnFrame = Callable[[FeedStatus, bytes], None]
OnChange = Callable[[FeedStatus], None]
RENEW_SPREAD = 0.1
AFTER_WINDOW_S = (1.0, 60.0)


class _Pace(Protocol):
    def wait_s(self, lost: ConnectionLost, lasted_s: float) -> float:
        """Seconds until the next attempt."""
        ...


class NewsSession(ABC):
    """Keeps one feed connected for ever; the daemon knows ``status``, ``run`` and ``reconnect``.

    ``renews_when_stale``: a connection that has brought no news for ``stale_s``
    is replaced, since the server may have forgotten who we are.
    """

    renews_when_stale = False

    def __init__(
        self,
        name: str,
        feed: Feed,
        clock: Clock,
        on_frame: OnFrame,
        on_change: OnChange,
        chance: random.Random,
        pace: _Pace,
    ) -> None:
        self.status = FeedStatus(name, since_ms=now_ms(clock))
        self._feed = feed
        self._clock = clock
        self._on_frame = on_frame
        self._on_change = on_change
        self._chance = chance
        self._pace = pace
        self._window = parse_window(feed.hold_open)
        self._ordered = ""  # why we ended the connection ourselves
        self._scope: trio.CancelScope | None = None  # of the connection, or of the wait for one
        self._minders: trio.Nursery | None = None
        self._note = ""  # what is worth saying while all is well
        # Loop times; _up_s is None while there is no connection.
        self._up_s: float | None = None
        self._heard_s = 0.0
        self._quiet_since_s = 0.0
        self._quiet_s = 0.0  # without news, of earlier connections

    async def run(self) -> None:
        """Connect and reconnect until cancelled."""
        self._up_s = None
        while True:
            self._ordered = ""
            lost = await self._attempt()
            lasted_s = self._lasted_s()
            self.status.ended_by_us = bool(self._ordered)
            if self._ordered:
                wait_s, why = 0.0, self._ordered
            else:
                wait_s, why = self._pace.wait_s(lost, lasted_s), plain(lost.message)
            self._change("down", f"{why}; next attempt in {wait_s:.0f} s" if wait_s >= 1 else why)
            with trio.move_on_after(wait_s) as self._scope:
                await trio.sleep_forever()

    def reconnect(self, reason: str) -> None:
        """Drop the present connection, or the wait for the next: it is made at once."""
        self._ordered = reason
        if self._scope is not None:
            self._scope.cancel(reason=reason)

    @abstractmethod
    async def _carry(self) -> None:
        """One connection from its making to its end; calls ``_up`` and ``_receive``.

        Raises:
            ConnectionLost: it could not be made, or has ended other than in order.
        """

    async def _attempt(self) -> ConnectionLost:
        lost = ConnectionLost("closed")
        async with trio.open_nursery() as nursery:
            self._scope, self._minders = nursery.cancel_scope, nursery
            try:
                await self._carry()
            except ConnectionLost as error:
                lost = error
            nursery.cancel_scope.cancel(reason="the connection is over")
        return lost

    def _lasted_s(self) -> float:
        """How long the connection that has just ended stood; its quiet time is carried on."""
        if self._up_s is None:
            return 0.0
        now_s, up_s = trio.current_time(), self._up_s
        self._quiet_s, self._up_s = now_s - self._quiet_since_s, None
        return now_s - up_s

    def _up(self, note: str = "") -> None:
        """Say that the connection stands; ``note`` is what an operator should know about it."""
        now_s = self._up_s = self._heard_s = trio.current_time()
        self._quiet_since_s = now_s - self._quiet_s
        self._note = note
        self.status.connects += 1
        self.status.connected_ms = now_ms(self._clock)
        if 0 < self._feed.stale_s <= self._quiet_s:
            self._change("stale", self._no_news())
        else:
            self._change("up", note)
        if self._minders is not None:
            self._minders.start_soon(self._watch_news)
            self._minders.start_soon(self._renew)

    def _receive(self, frame: bytes) -> None:
        """Hand one frame over, and see whether it was news."""
        status = self.status
        status.frames += 1
        news = status.news
        self._hear()
        self._on_frame(status, frame)
        if status.news != news:
            self._quiet_since_s = self._heard_s
            if status.state == "stale":
                self._change("up", self._note)

    def _hear(self) -> None:
        """Note a sign of life."""
        self.status.last_frame_ms = now_ms(self._clock)
        self._heard_s = trio.current_time()

    async def _watch_news(self) -> None:
        """Say that a connection without news is stale; one that may be deaf is made anew."""
        stale_s = self._feed.stale_s
        since_s = trio.current_time()
        while stale_s:
            now_s = trio.current_time()
            left_s = self._quiet_since_s + stale_s - now_s
            if left_s <= 0 and self.status.state == "up":
                self._change("stale", self._no_news())
            if self.renews_when_stale and left_s <= 0 and now_s - since_s >= stale_s:
                await self._wait_out_window()
                self.reconnect(self._no_news())
            await trio.sleep(left_s if left_s > 0 else stale_s)

    def _no_news(self) -> str:
        return f"no news for {self._feed.stale_s} s"

    async def _renew(self) -> None:
        """End the connection when it has had its hours."""
        hours = self._feed.renew_h
        if not hours:
            return
        spread = self._chance.uniform(1 - RENEW_SPREAD, 1 + RENEW_SPREAD)
        await trio.sleep(hours * 3_600 * spread)
        await self._wait_out_window()
        self.reconnect(f"planned reconnection after {hours} h")

    async def _wait_out_window(self) -> None:
        """Return outside of the hours in which the connection is to be held, not all at once."""
        while (left_s := self._window.left_s(now_ms(self._clock))) > 0:
            await trio.sleep(left_s + self._chance.uniform(*AFTER_WINDOW_S))

    def _change(self, state: str, why: str) -> None:
        status = self.status
        status.why = why
        if status.state != state:
            status.state, status.since_ms = state, now_ms(self._clock)
            self._on_change(status)
