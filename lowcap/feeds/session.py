"""One news source: connect, log in, stay alive, hand every frame over as it arrives."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import trio
from msgspec import Struct

from lowcap.core.clock import Clock, now_ms
from lowcap.core.errors import ConnectionLost, NotSent
from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.synoptic import SynopticDecoder
from lowcap.feeds.tree import TreeDecoder
from lowcap.net.net import Net
from lowcap.net.session import BackOff, stay_connected
from lowcap.net.wire import Wire, WireLimits, run_wire
from lowcap.settings import Feed

LIMITS = WireLimits(ping_every_s=15, pong_within_s=5, frame_bytes_max=8_388_608)


class Decoder(Protocol):
    """Frames of one source into news items."""

    def decode(self, frame: bytes, received_ns: int) -> NewsItem | NotNews:
        """Never raises on anything that a server may send."""
        ...


def decoder_for(name: str, feed: Feed) -> Decoder:
    """The decoder of a feed's frame family."""
    return SynopticDecoder(name) if feed.format == "synoptic" else TreeDecoder(name)


class FeedStatus(Struct):
    """What an operator asks about a feed. Times are wall milliseconds, 0 for never."""

    name: str
    state: str = "connecting"
    since_ms: int = 0
    last_frame_ms: int = 0
    frames: int = 0
    news: int = 0
    faults: int = 0
    connects: int = 0
    why: str = ""


class FeedSession:
    """Keeps one feed connected for ever."""

    def __init__(
        self,
        name: str,
        feed: Feed,
        net: Net,
        clock: Clock,
        on_frame: Callable[[FeedStatus, bytes], None],
        on_change: Callable[[FeedStatus], None],
        chance: random.Random,
    ) -> None:
        self.status = FeedStatus(name, since_ms=now_ms(clock))
        self._feed = feed
        self._net = net
        self._clock = clock
        self._on_frame = on_frame
        self._on_change = on_change
        self._chance = chance

    async def run(self) -> None:
        """Connect and reconnect until cancelled."""
        await stay_connected(
            self._connect, self._lost, back_off=BackOff(longest_s=30), chance=self._chance
        )

    async def _connect(self) -> None:
        key = _read_key(self._feed.key_file)
        headers = {"x-api-key": key} if key and self._feed.format == "synoptic" else {}

        async def session(wire: Wire) -> None:
            if key and self._feed.format == "tree":
                _say(wire, f"login {key}")
            self._change("up", "")
            await self._stay_alive(wire)

        await run_wire(
            self._net, self._feed.url, self._receive, session, limits=LIMITS, headers=headers
        )

    def _receive(self, frame: bytes) -> None:
        self.status.frames += 1
        self.status.last_frame_ms = now_ms(self._clock)
        self._on_frame(self.status, frame)

    async def _stay_alive(self, wire: Wire) -> None:
        """Text pings as the server likes them; a socket without frames for too long is dead."""
        heard_s, frames = trio.current_time(), self.status.frames
        wait_s = self._feed.text_ping_s or self._feed.idle_s / 4
        while True:
            await trio.sleep(wait_s)
            if self.status.frames != frames:
                heard_s, frames = trio.current_time(), self.status.frames
            elif trio.current_time() - heard_s > self._feed.idle_s:
                raise ConnectionLost(f"no frame for {self._feed.idle_s} s")
            if self._feed.text_ping_s:
                _say(wire, "ping")

    def _lost(self, reason: str, wait_s: float) -> None:
        self._change("down", reason)

    def _change(self, state: str, why: str) -> None:
        status = self.status
        status.why = why
        if state == "up":
            status.connects += 1
        if status.state != state:
            status.state, status.since_ms = state, now_ms(self._clock)
            self._on_change(status)


def _read_key(path: str) -> str:
    if not path:
        return ""
    try:
        key = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConnectionLost(f"key file {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConnectionLost(f"key file {path}: not text") from error
    # Anything else would log in anonymously, or put a second line on the wire.
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConnectionLost(f"key file {path}: expected one word of plain characters")
    return key


def _say(wire: Wire, text: str) -> None:
    try:
        wire.send_now(text.encode())
    except NotSent as error:
        raise ConnectionLost(error.message) from error
