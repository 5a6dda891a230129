"""The news feeds, simulated: plays a capture over real sockets, one path a feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import trio
from msgspec import Struct

from lowcap.core.clock import NS_PER_MS, Clock
from lowcap.core.errors import ConfigError, ConnectionLost, NotSent
from lowcap.core.money import decimal_from_wire
from lowcap.net.net import Net
from lowcap.net.wire import Wire, WireLimits, accept_wire
from lowcap.paper.prices import MarketLine

LIMITS = WireLimits(queue_frames=20_000)


class CaptureLine(Struct):
    """A line of a capture: a feed's frame, or a market stream's, at a wall time."""

    t_ms: int
    frame: msgspec.Raw
    feed: str = ""
    stream: str = ""

    def wire_frame(self) -> bytes:
        """The frame as it stands on the wire: JSON text is kept, a JSON string is bare text."""
        raw = bytes(self.frame)
        if raw.startswith(b'"'):
            return msgspec.json.decode(raw, type=str).encode()
        return raw


class _Mark(Struct):
    s: str
    p: str


def read_capture(paths: Iterable[Path]) -> list[CaptureLine]:
    """All lines of one or more captures in order of time.

    Raises:
        ConfigError: a line that is none, with file and number.
    """
    lines: list[CaptureLine] = []
    decoder = msgspec.json.Decoder(CaptureLine)
    for path in paths:
        try:
            texts = path.read_bytes().splitlines()
        except OSError as error:
            raise ConfigError([f"{path}: {error.strerror}"]) from error
        for number, text in enumerate(texts, start=1):
            if not text.strip():
                continue
            try:
                lines.append(decoder.decode(text))
            except msgspec.MsgspecError as error:
                raise ConfigError([f"{path}:{number}: {error}"]) from error
    return sorted(lines, key=lambda line: line.t_ms)


def market_lines(lines: Iterable[CaptureLine]) -> tuple[MarketLine, ...]:
    """The mark prices that a capture dictates."""
    found = []
    for line in lines:
        if line.stream:
            mark = msgspec.json.decode(line.frame, type=_Mark)
            found.append(MarketLine(line.t_ms, mark.s, decimal_from_wire(mark.p)))
    return tuple(found)


class FeedServer:
    """Serves ``/NAME`` for every feed and plays frames to whoever is connected."""

    def __init__(self, net: Net, clock: Clock) -> None:
        self.port = 0
        self.logins: list[str] = []
        self._net = net
        self._clock = clock
        self._clients: dict[str, list[Wire]] = {}
        self._first_client = trio.Event()

    async def run(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept clients until cancelled; ``started`` with the port."""
        async with trio.open_nursery() as nursery:
            self.port = await nursery.start(self._net.serve, self._handle, host, port)
            task_status.started(self.port)

    async def _handle(self, stream: trio.abc.Stream) -> None:
        paths: list[str] = []
        wires: list[Wire] = []

        def on_request(path: str, headers: dict[str, str]) -> str | None:
            paths.append(urlsplit(path).path.strip("/"))
            return None

        def on_frame(frame: bytes) -> None:
            self._answer(wires[0], frame)

        async def session(wire: Wire) -> None:
            wires.append(wire)
            clients = self._clients.setdefault(paths[0], [])
            clients.append(wire)
            self._first_client.set()
            try:
                await trio.sleep_forever()
            finally:
                clients.remove(wire)

        try:
            await accept_wire(stream, on_request, on_frame, session, limits=LIMITS)
        except ConnectionLost:
            return  # clients come and go

    def _answer(self, wire: Wire, frame: bytes) -> None:
        """Text heartbeats and logins, as the servers answer them."""
        if frame == b"ping":
            _tell(wire, b"pong")
        elif frame.startswith(b"login "):
            self.logins.append(frame.decode())
            _tell(wire, b'{"user":{"username":"trader"}}')

    def clients(self, feed: str) -> int:
        """How many are connected to a feed."""
        return len(self._clients.get(feed, []))

    def send(self, feed: str, frame: bytes) -> int:
        """Send one frame to every client of a feed; returns how many got it."""
        clients = list(self._clients.get(feed, []))
        for wire in clients:
            _tell(wire, frame)
        return len(clients)

    async def play(
        self,
        lines: list[CaptureLine],
        *,
        speed: float | None,
        on_sent: Callable[[CaptureLine, int], None] = lambda line, clients: None,
    ) -> None:
        """Play feed lines in order.

        With ``speed`` None each goes out when the clock shows its time; else
        the first goes out when a client connects, the others after it at
        ``speed`` times the recorded pace.
        """
        news = [line for line in lines if line.feed]
        if not news:
            return
        if speed is not None:
            await self._first_client.wait()
        start_s, first_ms = trio.current_time(), news[0].t_ms
        for line in news:
            if speed is None:
                wait_s = line.t_ms / 1000 - self._clock.now_ns() / (NS_PER_MS * 1000)
            else:
                due_s = (line.t_ms - first_ms) / 1000 / speed
                wait_s = start_s + due_s - trio.current_time()
            if wait_s > 0:
                await trio.sleep(wait_s)
            on_sent(line, self.send(line.feed, line.wire_frame()))


def _tell(wire: Wire, frame: bytes) -> None:
    try:
        wire.send_now(frame)
    except NotSent:
        return  # it has gone, or does not read; a real server would drop it too
