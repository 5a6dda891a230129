"""Who listens to which feed: frames are handed to them here, and faults done to them."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import trio

from lowcap.core.clock import Clock, now_ms
from lowcap.paper import webfeeds
from lowcap.paper.feedclient import GOING_AWAY, Client, Counts, FeedLine
from lowcap.paper.feedfaults import LASTING, fault_in, harmless, junk, stale

HISTORY_FRAMES = 100
CLOSE_S = 2.0
FLOOD_AHEAD = 1_000
FLOOD_TURN = 100
PAUSE_S = 0.001


class FeedRoom:
    """The feeds without their network.

    ``counts`` says what became of every frame. ``notices`` and ``markets`` are
    what Upbit's board and CoinGecko's table show, newest and largest first.
    """

    def __init__(self, clock: Clock) -> None:
        self.counts: defaultdict[str, Counts] = defaultdict(Counts)
        self.notices: list[dict[str, Any]] = []
        self.markets: list[dict[str, Any]] = webfeeds.default_markets()
        self._clock = clock
        self._nursery: trio.Nursery
        self._clients: defaultdict[str, list[Client]] = defaultdict(list)
        self._lines: defaultdict[str, set[FeedLine]] = defaultdict(set)
        self._news: defaultdict[str, deque[bytes]] = defaultdict(
            partial(deque[bytes], maxlen=HISTORY_FRAMES)
        )
        self._until_s: dict[tuple[str, str], float] = {}
        self._junk_due: defaultdict[str, int] = defaultdict(int)
        self._junked = 0
        self._made = 0
        self._first_client = trio.Event()

    def clients(self, feed: str) -> int:
        """How many are connected to a feed; those that a fault holds half-open do not count."""
        if feed in webfeeds.POLLED:
            return len(self._lines[feed])
        return sum(not client.line.is_held for client in self._clients[feed])

    def send(self, feed: str, frame: bytes) -> int:
        """Send one frame to every client of a feed; returns how many will get it.

        What Upbit and CoinGecko are sent changes what they show to those who ask.
        """
        if feed == "upbit":
            self.notices = webfeeds.with_notice(self.notices, frame)
            return 0
        if feed == "coingecko":
            self.markets = webfeeds.with_markets(self.markets, frame)
            return 0
        if frame.startswith((b"{", b"[")):
            self._news[feed].append(frame)
        return self._spread(feed, frame)

    def _spread(self, feed: str, frame: bytes) -> int:
        got = 0
        is_mute = self._is_on("mute", feed)
        for client in list(self._clients[feed]):
            if is_mute or client.line.is_held or not client.hears_news:
                self.counts[feed].withheld += 1
            else:
                got += client.give(frame, news=True)
        return got

    @contextmanager
    def _connected(self, client: Client) -> Iterator[None]:
        """The client hears news within the block."""
        self._clients[client.feed].append(client)
        self._first_client.set()
        try:
            yield
        finally:
            self._forget(client)
            client.end()

    def _assign(self, line: FeedLine, feed: str) -> None:
        """A connection belongs to the feed that was asked for last: HTTP clients share them."""
        self._part(line)
        self._lines[feed].add(line)

    def _part(self, line: FeedLine) -> None:
        for lines in self._lines.values():
            lines.discard(line)

    def _forget(self, client: Client) -> None:
        if client in self._clients[client.feed]:
            self._clients[client.feed].remove(client)

    # -- faults -------------------------------------------------------------

    def fault(self, feed: str, kind: str, *, seconds: float = 0, count: int = 1) -> int:
        """Do something wrong, now; returns how many clients or frames it concerns.

        - ``drop``: every connection is cut without a word.
        - ``close``: orderly end, code 1001; of a stream of lines an ``errors`` object.
        - ``refuse``: new connections are cut in the handshake for ``seconds``.
        - ``reject``: new connections get HTTP 503 for ``seconds``.
        - ``mute``: nothing is said for ``seconds``, to those who come meanwhile
          either; only protocol pings are answered.
        - ``half-open``: those now connected are neither read nor answered for
          ``seconds``; whoever connects anew is served.
        - ``junk``: ``count`` frames, or replies, that are no news.
        - ``duplicate``: the last news again, ``count`` times.
        - ``stale``: the last news as an old story delivered again, ``count`` times.
        - ``flood``: ``count`` pieces of harmless news as fast as they are taken.

        Raises:
            ValueError: an unknown kind, or a number that makes no sense.
        """
        wrong = fault_in(feed, kind, seconds, count)
        if wrong:
            raise ValueError(wrong)
        if kind in LASTING:
            return self._begin(feed, kind, seconds)
        if kind == "drop":
            return self._drop(feed)
        if kind == "close":
            return self._close(feed)
        if kind == "junk":
            return self._junk(feed, count)
        if kind == "flood":
            self._nursery.start_soon(self._flood, feed, count)
            return count
        return self._repeat(feed, count, as_stale=kind == "stale")

    def _is_on(self, kind: str, feed: str) -> bool:
        return trio.current_time() < self._until_s.get((kind, feed), -math.inf)

    def _begin(self, feed: str, kind: str, seconds: float) -> int:
        if kind == "half-open":
            for line in self._lines[feed]:
                line.hold(seconds)
        else:
            self._until_s[kind, feed] = trio.current_time() + seconds
        return len(self._lines[feed])

    def _drop(self, feed: str) -> int:
        lines = list(self._lines[feed])
        for client in list(self._clients[feed]):
            self._forget(client)
        for line in lines:
            self._nursery.start_soon(line.abort)
        return len(lines)

    def _close(self, feed: str) -> int:
        clients = list(self._clients[feed])
        for client in clients:
            self._forget(client)
            self._nursery.start_soon(self._say_goodbye, client)
        if feed not in webfeeds.POLLED:
            return len(clients)
        return self._drop(feed)  # a connection between two requests ends without words

    async def _say_goodbye(self, client: Client) -> None:
        """After what waits has left, a goodbye; a client that does not answer it is cut."""
        with trio.move_on_after(CLOSE_S):
            while client.waiting and not client.gone.is_set():
                await trio.sleep(PAUSE_S)
            if client.finish is not None:
                client.give(webfeeds.DISCONNECT, news=False)
                client.finish()
            else:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await client.line.send_all(GOING_AWAY)
            await client.gone.wait()
            return
        await client.line.abort()

    def _next_junk(self) -> bytes:
        self._junked += 1
        return junk(self._junked - 1)

    def _junk(self, feed: str, count: int) -> int:
        if feed in webfeeds.POLLED:
            self._junk_due[feed] += count
        else:
            for _ in range(count):
                self._spread(feed, self._next_junk())
        return count

    def _repeat(self, feed: str, count: int, *, as_stale: bool) -> int:
        if feed == "upbit":
            edited_ms = now_ms(self._clock) if as_stale else None
            self.notices = webfeeds.shown_again(self.notices, count, edited_ms)
            return count if self.notices else 0
        if not self._news[feed]:
            return 0
        frame = self._news[feed][-1]
        for _ in range(count):
            self._spread(feed, stale(feed, frame) if as_stale else frame)
        return count

    async def _flood(self, feed: str, count: int) -> None:
        for number in range(count):
            while any(c.waiting >= FLOOD_AHEAD and not c.line.is_held for c in self._clients[feed]):
                await trio.sleep(PAUSE_S)
            self._made += 1
            self.send(feed, harmless(feed, self._made, now_ms(self._clock)))
            if number % FLOOD_TURN == 0:
                await trio.lowlevel.checkpoint()
