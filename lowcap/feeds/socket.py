"""A feed on a WebSocket: show the key as the server wants it, ping, notice silence."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from urllib.parse import quote

import trio

from lowcap.core.clock import Clock
from lowcap.core.errors import ConnectionLost, NotSent
from lowcap.feeds.base import NewsSession, OnChange, OnFrame
from lowcap.feeds.keys import hiding, how_to_give, read_key, scrubbed
from lowcap.net.net import Net
from lowcap.net.session import BackOff, Pace
from lowcap.net.wire import Wire, WireLimits, run_wire
from lowcap.settings import Feed

# The session pings by itself, since it wants to know how long the answer takes.
LIMITS = WireLimits(ping_every_s=math.inf, pong_within_s=5, close_s=0.5, frame_bytes_max=8_388_608)


class FeedSession(NewsSession):
    """Keeps one WebSocket feed connected for ever."""

    renews_when_stale = True

    def __init__(
        self,
        name: str,
        feed: Feed,
        net: Net,
        clock: Clock,
        on_frame: OnFrame,
        on_change: OnChange,
        chance: random.Random,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        pace = Pace(BackOff(longest_s=30), chance)
        super().__init__(name, feed, clock, on_frame, on_change, chance, pace)
        self._net = net
        self._environ = environ or {}
        self._pinged_s: float | None = None
        self._answered = False  # whether the server has said anything of its own

    async def _carry(self) -> None:
        feed = self._feed
        key = read_key(self.status.name, feed.auth, feed.key_file, feed.key_env, self._environ)
        shown = key.encode()

        def receive(frame: bytes) -> None:
            self.status.taken_ns = self._clock.stage_ns()
            self._receive(scrubbed(frame, shown))

        async def session(wire: Wire) -> None:
            login = f"login {key}" if key and feed.auth == "login" else ""
            self._answered = False
            if login:
                _say(wire, login)
            self._up("" if key or feed.auth == "none" else self._anonymous())
            await self._stay_alive(wire, login)

        headers = {"x-api-key": key} if key and feed.auth == "header" else {}
        url = _with_key(feed.url, key) if key and feed.auth == "query" else feed.url
        with hiding(key):
            await run_wire(self._net, url, receive, session, limits=LIMITS, headers=headers)

    def _anonymous(self) -> str:
        give = how_to_give(self.status.name, self._feed.key_env)
        return f"connected without a key, so the server may stay silent: {give}"

    def _receive(self, frame: bytes) -> None:
        if frame == b"pong" and self._pinged_s is not None:
            self.status.round_trip_ms = (trio.current_time() - self._pinged_s) * 1000
            self._pinged_s = None
        self._answered = self._answered or frame.startswith(b"{")
        super()._receive(frame)

    async def _stay_alive(self, wire: Wire, login: str) -> None:
        self._pinged_s = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ping, wire)
            nursery.start_soon(self._watch_frames)
            if self._feed.text_ping_s:
                nursery.start_soon(self._ping_by_text, wire, login)

    async def _ping(self, wire: Wire) -> None:
        """Protocol pings: one without an answer ends the connection."""
        while True:
            await trio.sleep(self._feed.ping_s)
            self.status.round_trip_ms = await wire.ping() * 1000

    async def _ping_by_text(self, wire: Wire, login: str) -> None:
        """Text pings, as servers with a heartbeat of their own want them.

        A login that was lost would leave us connected and never told a thing:
        it is said again until the server answers.
        """
        while True:
            await trio.sleep(self._feed.text_ping_s)
            if login and not self._answered:
                _say(wire, login)
            _say(wire, "ping")
            self._pinged_s = trio.current_time()

    async def _watch_frames(self) -> None:
        """End a connection on which nothing comes.

        Where only protocol pings prove life, and they are answered, silence
        can wait for the end of ``hold_open``: a release in these minutes must
        not meet a socket that is just being made.
        """
        idle_s = self._feed.idle_s
        while True:
            left_s = self._heard_s + idle_s - trio.current_time()
            if left_s > 0:
                await trio.sleep(left_s)
                continue
            if not self._feed.text_ping_s:
                await self._wait_out_window()
            if self._heard_s + idle_s <= trio.current_time():
                raise ConnectionLost(f"no frame for {idle_s} s")


def _with_key(url: str, key: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}apiKey={quote(key, safe='')}"


def _say(wire: Wire, text: str) -> None:
    try:
        wire.send_now(text.encode())
    except NotSent as error:
        raise ConnectionLost(error.message) from error
