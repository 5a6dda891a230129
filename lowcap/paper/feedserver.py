"""The news feeds, simulated: every feed at its own path of one port, each with its manners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import parse_qs, urlsplit

import msgspec
import trio
from msgspec import Struct

from lowcap.core.clock import NS_PER_MS, Clock
from lowcap.core.errors import ConnectionLost, NotSent
from lowcap.net.http import HttpReply
from lowcap.net.net import Net
from lowcap.net.serve import HttpRequest, HttpStream, SendBytes, serve_stream
from lowcap.net.wire import Wire, WireLimits, accept_wire
from lowcap.paper import webfeeds
from lowcap.paper.capture import CaptureLine, market_lines, read_capture
from lowcap.paper.feedclient import Client, FeedLine
from lowcap.paper.feedfaults import TREE_FEEDS
from lowcap.paper.feedroom import FeedRoom

__all__ = ["CaptureLine", "FeedServer", "Manner", "market_lines", "read_capture"]

# Half-open clients answer no ping for as long as the fault lasts and must not be dropped for it.
LIMITS = WireLimits(queue_frames=20_000, pong_within_s=600)
OVER_HTTP = ("twitter", *webfeeds.POLLED)
BAD_LOGIN = b"Invalid login syntax"


class Manner(Struct, frozen=True, kw_only=True):
    """How a feed's WebSocket server behaves (docs/feeds.md, Feeds).

    ``login`` is the shape of the answer to a login line; ``shows_key`` says
    that the handshake carries a key, ``needs_key`` that it has to.
    """

    text_ping: bool = True
    login: str = ""
    shows_key: bool = False
    needs_key: bool = False


PLAIN = Manner(login="tree")
MANNERS = {
    "bwe": Manner(),
    "tokyo": PLAIN,
    "toa_news": PLAIN,
    "phoenix": Manner(login="phoenix", shows_key=True),
    "synoptic": Manner(text_ping=False, shows_key=True, needs_key=True),
}


class FeedServer(FeedRoom):
    """Serves ``/NAME`` for every feed and plays frames to whoever is connected.

    ``keys`` are the keys that count, by feed; a feed without one takes
    anything. Tree feeds with a key are silent before the login unless
    ``silent_without_login`` is off. ``welcome`` holds a first frame by feed,
    ``logins`` collects the login lines, and ``calls_a_minute`` is what Upbit
    and CoinGecko put up with.
    """

    def __init__(
        self,
        net: Net,
        clock: Clock,
        *,
        keys: Mapping[str, str] | None = None,
        silent_without_login: bool = True,
    ) -> None:
        super().__init__(clock)
        self.port = 0
        self.logins: list[str] = []
        self.welcome: dict[str, bytes] = {}
        self.calls_a_minute = {"upbit": 60, "coingecko": 30}
        self._net = net
        self._keys = dict(keys or {})
        self._silent = TREE_FEEDS & set(self._keys) if silent_without_login else frozenset()
        self._hurry = {feed: webfeeds.Hurry() for feed in webfeeds.POLLED}

    async def run(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept clients until cancelled; ``started`` with the port."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self.port = await nursery.start(self._net.serve, self._handle, host, port)
            task_status.started(self.port)

    async def play(
        self,
        lines: list[CaptureLine],
        *,
        speed: float | None,
        on_sent: Callable[[CaptureLine, int], None] = lambda line, concerned: None,
    ) -> None:
        """Play feed lines, frames and faults, in order.

        With ``speed`` None each goes out when the clock shows its time; else
        the first goes out when a client connects, the others after it at
        ``speed`` times the recorded pace. ``on_sent`` hears of each, and how
        many clients (or frames of a fault) it concerns.
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
            on_sent(line, self._play_line(line))

    def _play_line(self, line: CaptureLine) -> int:
        if line.fault:
            return self.fault(line.feed, line.fault, seconds=line.seconds, count=line.count)
        return self.send(line.feed, line.wire_frame())

    # -- WebSocket ------------------------------------------------------------

    async def _handle(self, stream: trio.abc.Stream) -> None:
        line = FeedLine(stream)
        try:
            await serve_stream(
                line, partial(self._reply, line), partial(self._upgrade, line), admit=self._admit
            )
        finally:
            self._part(line)

    def _admit(self, request: HttpRequest) -> HttpReply | None:
        """Why a request for a WebSocket gets a reply of HTTP."""
        feed = _feed_of(request.path)
        if self._is_on("reject", feed):
            return HttpReply(503, {}, b"")
        return HttpReply(400, {}, b"no WebSocket here") if feed in OVER_HTTP else None

    async def _upgrade(self, line: FeedLine, stream: trio.abc.Stream) -> None:
        targets: list[str] = []
        clients: list[Client] = []

        def on_request(target: str, headers: dict[str, str]) -> str | None:
            targets.append(target)
            feed = _feed_of(target)
            if self._is_on("refuse", feed):
                raise ConnectionLost("refused, as ordered")
            return self._key_fault(feed, _query_of(target), headers)

        async def session(wire: Wire) -> None:
            feed = _feed_of(targets[0])
            client = Client(feed, line, self.counts[feed], wire.send_now)
            client.hears_news = feed not in self._silent
            line.on_text = client.gone_out
            clients.append(client)
            self._assign(line, feed)
            self._greet(client, _query_of(targets[0]))
            with self._connected(client):
                await trio.sleep_forever()

        def on_frame(frame: bytes) -> None:
            self._hear(clients[0], frame)

        try:
            await accept_wire(stream, on_request, on_frame, session, limits=LIMITS)
        except ConnectionLost:
            return  # clients come and go

    def _greet(self, client: Client, query: dict[str, list[str]]) -> None:
        """The welcome, and the past posts that a client of Synoptic asked for."""
        feed = client.feed
        if self._is_on("mute", feed):
            return
        if feed in self.welcome:
            client.give(self.welcome[feed], news=False)
        last = _number(query.get("lastPosts", [""])[0])
        if feed == "synoptic" and last:
            for frame in list(self._news[feed])[-last:]:
                client.give(frame, news=True)

    def _key_fault(
        self, feed: str, query: dict[str, list[str]], headers: dict[str, str]
    ) -> str | None:
        """Why a handshake is refused with status 401."""
        manner = MANNERS.get(feed, PLAIN)
        if not manner.shows_key or feed not in self._keys:
            return None
        shown = headers.get("x-api-key") or query.get("apiKey", [""])[0]
        if shown:
            return None if shown == self._keys[feed] else "this key is not known"
        return "a key is needed" if manner.needs_key else None

    def _hear(self, client: Client, frame: bytes) -> None:
        """Text heartbeats and logins, as the servers answer them."""
        feed = client.feed
        if self._is_on("mute", feed):
            return
        manner = MANNERS.get(feed, PLAIN)
        if frame == b"ping":
            if manner.text_ping:
                client.give(b"pong", news=False)
        elif frame.startswith(b"login "):
            line = frame.decode(errors="replace")
            self.logins.append(line)
            if manner.login:
                client.give(self._logged_in(client, manner, line), news=False)
        elif feed in TREE_FEEDS and frame != b"pong":
            client.give(BAD_LOGIN, news=False)

    def _logged_in(self, client: Client, manner: Manner, line: str) -> bytes:
        """The answer to a login line."""
        key = line.removeprefix("login ")
        if not key or " " in key:
            return BAD_LOGIN
        if self._keys.get(client.feed, key) != key:
            return b"Invalid key"
        client.hears_news = True
        if manner.login == "phoenix":
            return msgspec.json.encode({"apiKey": key, "address": f"0x{1:040x}"})
        return b'{"user":{"username":"trader"}}'

    # -- HTTP -----------------------------------------------------------------

    async def _reply(self, line: FeedLine, request: HttpRequest) -> HttpReply | HttpStream | None:
        feed = _feed_of(request.path)
        if self._is_on("refuse", feed):
            return None
        if self._is_on("reject", feed):
            return HttpReply(503, {}, b"")
        if feed not in OVER_HTTP:
            return HttpReply(426, {"upgrade": "websocket"}, b"")
        self._assign(line, feed)
        if feed in webfeeds.POLLED:
            return await self._polled(feed, request)
        refusal = webfeeds.x_refusal(request, self._keys.get(feed, ""), self.clients(feed))
        return refusal or HttpStream(webfeeds.JSON, partial(self._stream_lines, feed, line))

    async def _polled(self, feed: str, request: HttpRequest) -> HttpReply | None:
        self.counts[feed].connects += 1
        self._first_client.set()
        if self._is_on("mute", feed):
            await trio.sleep_until(self._until_s["mute", feed])
            return None
        wait_s = self._hurry[feed].wait_s(self.calls_a_minute[feed])
        if wait_s:
            return webfeeds.too_many(wait_s)
        if self._junk_due[feed]:
            self._junk_due[feed] -= 1
            return HttpReply(200, webfeeds.JSON, self._next_junk())
        if feed == "upbit":
            reply = webfeeds.upbit_reply(request, self.notices)
        else:
            reply = webfeeds.coingecko_reply(request, self.markets, self._keys.get(feed, ""))
        self.counts[feed].sent += reply.status == 200
        return reply

    async def _stream_lines(self, feed: str, line: FeedLine, send: SendBytes) -> None:
        queue, frames = trio.open_memory_channel[bytes](LIMITS.queue_frames)

        def put(frame: bytes) -> None:
            try:
                queue.send_nowait(frame)
            except trio.WouldBlock:
                raise NotSent("the connection's queue is full") from None
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                raise NotSent("the connection is closed") from None

        def on_line(carried_frame: bool) -> None:
            if carried_frame:
                client.gone_out()
            else:
                self.counts[feed].answers += 1

        client = Client(feed, line, self.counts[feed], put, queue.close)
        with self._connected(client):
            await webfeeds.x_lines(
                frames, send, on_line=on_line, is_mute=lambda: self._is_on("mute", feed)
            )


def _feed_of(target: str) -> str:
    """The feed that a path names: its first part."""
    return urlsplit(target).path.strip("/").partition("/")[0]


def _query_of(target: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(target).query)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else 0
