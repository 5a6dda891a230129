"""A news server in memory, what the daemon hears of a feed, and a stage for both."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import trio
import trio.testing

from lowcap.core.clock import LoopClock
from lowcap.core.errors import ConnectionLost
from lowcap.feeds.session import FeedStatus, NewsSession, open_feed
from lowcap.net.http import HttpxPort
from lowcap.net.net import MemoryNet
from lowcap.net.wire import Wire, WireLimits, accept_wire
from lowcap.settings import Feed

EPOCH_NS = 1_770_384_590 * 10**9  # 2026-02-06 13:29:50 UTC, a Friday, 08:29:50 in New York
LIMITS = WireLimits(ping_every_s=10_000)
NEWS = b'{"title":"news"}'
KEY = "s3cret-of-the-feed"


class Server:
    """A WebSocket server in memory: notes what it hears, answers as ``answers`` says."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.opened_s: list[float] = []
        self.answers: dict[bytes, bytes] = {b"ping": b"pong"}
        self.refuse: str | None = None
        self.wires: list[Wire] = []
        self.stay_s = float("inf")

    async def handle(self, stream: trio.abc.Stream) -> None:
        wires: list[Wire] = []

        def on_request(path: str, headers: dict[str, str]) -> str | None:
            self.opened_s.append(trio.current_time())
            self.paths.append(path)
            self.headers.append(headers)
            return self.refuse

        def on_frame(frame: bytes) -> None:
            self.heard.append((trio.current_time(), frame))
            if frame in self.answers:
                wires[0].send_now(self.answers[frame])

        async def session(wire: Wire) -> None:
            wires.append(wire)
            self.wires.append(wire)
            await trio.sleep(self.stay_s)

        try:
            await accept_wire(stream, on_request, on_frame, session, limits=LIMITS)
        except ConnectionLost:
            return

    def texts(self) -> list[bytes]:
        return [frame for _, frame in self.heard]

    def send(self, frame: bytes) -> None:
        self.wires[-1].send_now(frame)


class Listener:
    """What the daemon would hear of a feed; a frame with ``news`` in it counts as news."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.changes: list[tuple[float, str, str]] = []

    def on_frame(self, status: FeedStatus, frame: bytes) -> None:
        self.frames.append(frame)
        if b"news" in frame:
            status.saw_news(None, status.last_frame_ms)

    def on_change(self, status: FeedStatus) -> None:
        self.changes.append((trio.current_time(), status.state, status.why))

    def states(self) -> list[str]:
        return [state for _, state, _ in self.changes]

    def said(self) -> str:
        return "\n".join(why for _, _, why in self.changes)


Handler = Callable[[trio.abc.Stream], Awaitable[None]]
Act = Callable[[NewsSession, Listener], Awaitable[None]]


async def play(
    feed: Feed,
    handler: Handler | None,
    act: Act,
    *,
    environ: Mapping[str, str] | None = None,
    epoch_ns: int = EPOCH_NS,
) -> None:
    """Run a session of ``feed`` against ``handler`` until ``act`` is through."""
    net, listener = MemoryNet(), Listener()
    http = HttpxPort(net)
    async with trio.open_nursery() as nursery:
        if handler is not None:
            await nursery.start(net.serve, handler, "127.0.0.1", 40_000)
        session = open_feed(
            "tokyo",
            feed,
            net=net,
            http=http,
            clock=LoopClock(epoch_ns),
            environ=environ or {},
            on_frame=listener.on_frame,
            on_change=listener.on_change,
            chance=random.Random(1),
        )
        nursery.start_soon(session.run)
        await act(session, listener)
        nursery.cancel_scope.cancel()
    await http.aclose()


def feed_of(**changes: object) -> Feed:
    values: dict[str, object] = {
        "url": "ws://127.0.0.1:40000/x", "format": "tree", "text_ping_s": 15, "idle_s": 75,
    }  # fmt: skip
    return Feed(**(values | changes))  # type: ignore[arg-type]


def key_in(folder: Path, content: bytes = KEY.encode() + b"\n", mode: int = 0o600) -> str:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)
