"""The simulated venue over real sockets: REST, WebSocket API and streams on one port."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import trio
from loguru import logger

from lowcap.core.clock import Clock, now_ms
from lowcap.core.errors import ConnectionLost, LowcapError, NotSent
from lowcap.net.http import HttpReply
from lowcap.net.net import Net
from lowcap.net.serve import HttpRequest, serve_stream
from lowcap.net.wire import Wire, WireLimits, accept_wire
from lowcap.paper import streams
from lowcap.paper.auth import Account
from lowcap.paper.exchange import Exchange
from lowcap.paper.rest import answer, method_of
from lowcap.paper.state import PaperState
from lowcap.paper.usage import Usage
from lowcap.paper.views import Json
from lowcap.paper.wsapi import BAD_FRAME, WsApi

# The venue pings every 3 minutes and waits 10 for the pong (docs/venue.md §3).
LIMITS = WireLimits(ping_every_s=180, pong_within_s=600, queue_frames=4_096)
SAVE_EVERY_S = 1.0
SLOW_STREAMS_MS = 3_000
API_PATH = "/ws-fapi/v1"


class PaperServer:
    """Serves one ``Exchange``. ``on_request`` hears of every order request, for measurements."""

    def __init__(
        self,
        exchange: Exchange,
        account: Account,
        net: Net,
        clock: Clock,
        *,
        tick_s: float = 1.0,
        save_to: Path | None = None,
        seed: int = 1,
    ) -> None:
        self.exchange = exchange
        self.account = account
        self.port = 0
        self._save_fault = ""
        self.on_request: Callable[[str], None] = lambda method: None
        self._net = net
        self._clock = clock
        self._tick_s = tick_s
        self._save_to = save_to
        self._usage = Usage()
        self._slow_turn = -1
        self._subscribers: list[streams.Subscriber] = []
        self._chance = random.Random(seed)

    async def run(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; ``started`` with the port."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self.port = await nursery.start(self._net.serve, self._handle, host, port)
                nursery.start_soon(self._tick)
                if self._save_to is not None:
                    nursery.start_soon(self._save_often, self._save_to)
                task_status.started(self.port)
        finally:
            if self._save_to is not None:
                with suppress(OSError):  # said before, in the log
                    save_state(self.exchange.state, self._save_to)

    # -- time -------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await trio.sleep(self._tick_s)
            at_ms = now_ms(self._clock)
            self.exchange.tick(at_ms)
            self._send_events()
            self._end_expired_key(at_ms)
            self._send_market(at_ms)

    def _send_market(self, at_ms: int) -> None:
        """One round of market frames; each payload is encoded once for all who want it."""
        slow_turn = at_ms // SLOW_STREAMS_MS != self._slow_turn
        if slow_turn:
            self._slow_turn = at_ms // SLOW_STREAMS_MS
        payloads: dict[str, bytes | None] = {}
        for subscriber in self._subscribers:
            for name in sorted(filter(subscriber.wants, subscriber.names)):
                if streams.is_slow(name) and not slow_turn:
                    continue
                if name not in payloads:
                    frame = streams.array_frame if name.startswith("!") else streams.symbol_frame
                    payloads[name] = frame(self.exchange, name, at_ms)
                payload = payloads[name]
                if payload is not None:
                    self._send(subscriber, subscriber.wrap(name, payload))

    def _send_events(self) -> None:
        events = self.exchange.take_events()
        if now_ms(self._clock) < self.exchange.state.listen_key_until_ms:
            self._send_private(self.exchange.state.listen_key, events)

    def _end_expired_key(self, at_ms: int) -> None:
        """Say once that the listen key is over; its sockets stay open and silent (§6)."""
        key = self.exchange.take_expired_key()
        if key is not None:
            gone = {"e": "listenKeyExpired", "E": at_ms, "listenKey": key}
            self._send_private(key, [gone])

    def _send_private(self, key: str, events: list[Json]) -> None:
        if self.exchange.faults.mute_user_stream:
            return
        for event in events:
            payload = msgspec.json.encode(event)
            for subscriber in self._subscribers:
                if subscriber.hears(key, event["e"]):
                    self._send(subscriber, subscriber.wrap(key, payload))

    @staticmethod
    def _send(subscriber: streams.Subscriber, frame: bytes) -> None:
        if subscriber.wire is not None:
            try:
                subscriber.wire.send_now(frame)
            except NotSent:
                subscriber.wire = None  # a client that does not read is dropped, like the venue's

    # -- connections ------------------------------------------------------

    async def _handle(self, stream: trio.abc.Stream) -> None:
        await serve_stream(stream, self._rest, self._upgrade)

    async def _rest(self, request: HttpRequest) -> HttpReply | None:
        method = method_of(request)
        faults = self.exchange.faults
        await self._pause(faults.request_delay_ms, method)
        if faults.take(faults.lose_requests, method):
            return None
        self.on_request(method)
        reply = answer(self.exchange, self.account, request, now_ms(self._clock), self._usage)
        self._send_events()
        await self._pause(faults.reply_delay_ms, method)
        if faults.take(faults.lose_replies, method):
            return None
        return reply

    async def _pause(self, delays: dict[str, list[int]], method: str) -> None:
        if method in delays:
            low, high = delays[method][0], delays[method][-1]
            await trio.sleep(self._chance.uniform(low, high) / 1000)

    async def _upgrade(self, stream: trio.abc.Stream) -> None:
        paths: list[str] = []

        def on_request(path: str, headers: dict[str, str]) -> str | None:
            paths.append(path)
            known = urlsplit(path).path == API_PATH or streams.is_stream_path(path)
            return None if known else f"no such path: {path}"

        handlers: list[Callable[[bytes], None]] = []

        def on_frame(frame: bytes) -> None:
            handlers[0](frame)

        async def session(wire: Wire) -> None:
            target = urlsplit(paths[0])
            if target.path == API_PATH:
                told = parse_qs(target.query).get("returnRateLimits") != ["false"]
                at_ms = now_ms(self._clock)
                api = WsApi(self.exchange, self.account, self._usage, at_ms, tell_limits=told)
                handlers.append(lambda frame: self._on_api_frame(api, wire, frame))
                await trio.sleep_forever()
            subscriber = streams.Subscriber(paths[0])
            subscriber.wire = wire
            handlers.append(lambda frame: _tell(wire, subscriber.control(frame)))
            self._subscribers.append(subscriber)
            try:
                while subscriber.wire is not None:
                    await trio.sleep(1)
            finally:
                self._subscribers.remove(subscriber)

        try:
            await accept_wire(stream, on_request, on_frame, session, limits=LIMITS)
        except ConnectionLost:
            return  # clients come and go

    def _on_api_frame(self, api: WsApi, wire: Wire, frame: bytes) -> None:
        request = api.parse(frame)
        if request is None:
            _tell(wire, BAD_FRAME)
            return
        method, faults = request.name, self.exchange.faults
        self.on_request(method)
        if method not in faults.request_delay_ms and method not in faults.reply_delay_ms:
            # The common case: answered in the same turn, as quick as the venue's own engine.
            if faults.take(faults.lose_requests, method):
                return
            reply = api.answer(request, now_ms(self._clock))
            self._send_events()
            if not faults.take(faults.lose_replies, method):
                _tell(wire, reply)
            return

        async def slowly() -> None:
            await self._pause(faults.request_delay_ms, method)
            if faults.take(faults.lose_requests, method):
                return
            reply = api.answer(request, now_ms(self._clock))
            self._send_events()
            await self._pause(faults.reply_delay_ms, method)
            if not faults.take(faults.lose_replies, method):
                _tell(wire, reply)

        self._nursery.start_soon(slowly)

    async def _save_often(self, path: Path) -> None:
        """A disk that refuses costs the memory of this account, not the exchange."""
        while True:
            await trio.sleep(SAVE_EVERY_S)
            try:
                save_state(self.exchange.state, path)
            except OSError as error:
                if not self._save_fault:
                    logger.error("{}", f"the paper account is not saved: {error}")
                self._save_fault = str(error)
            else:
                self._save_fault = ""


def _tell(wire: Wire, frame: bytes) -> None:
    try:
        wire.send_now(frame)
    except NotSent:
        return  # the client has gone; its requests took effect all the same


def save_state(state: PaperState, path: Path) -> None:
    """Write the account atomically, so that a paper wallet outlives its process."""
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(msgspec.json.encode(state))
        file.flush()
        os.fdatasync(file.fileno())
    beside.replace(path)


def load_state(path: Path) -> PaperState | None:
    """The saved account, or None where there is none yet.

    Raises:
        LowcapError: the file is there and cannot be used.
    """
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=PaperState)
    except (OSError, msgspec.MsgspecError) as error:
        raise LowcapError(
            f"the paper account {path} cannot be read: {error}",
            hint="move the file away to begin with a new wallet",
            code="paper-account",
        ) from error
