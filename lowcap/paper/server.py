"""The simulated venue over real sockets: REST, WebSocket API and streams on one port."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec
import trio
from loguru import logger

from lowcap.core.clock import Clock, now_ms
from lowcap.core.errors import ConnectionLost, LowcapError, NotSent
from lowcap.net.http import HttpReply
from lowcap.net.net import Net
from lowcap.net.serve import HttpRequest, serve_stream
from lowcap.net.wire import Wire, WireLimits, accept_wire
from lowcap.paper import frames, streams
from lowcap.paper.auth import Account
from lowcap.paper.exchange import Exchange
from lowcap.paper.faults import Answer, Fault, Treatment
from lowcap.paper.rest import answer, method_of
from lowcap.paper.state import PaperState
from lowcap.paper.upsets import Line, strike_lines, strike_listing
from lowcap.paper.usage import Usage
from lowcap.paper.views import Json
from lowcap.paper.wsapi import BAD_FRAME, Request, WsApi

# The venue pings every 3 minutes and waits 10 for the pong (docs/venue.md §3).
LIMITS = WireLimits(ping_every_s=180, pong_within_s=600, queue_frames=4_096)
SAVE_EVERY_S = 1.0
SLOW_STREAMS_MS = 3_000
API_PATH = "/ws-fapi/v1"
# No connection lives longer (docs/venue.md §3, §7).
LIFE_S = 86_400


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
        self._usage = Usage(exchange.limits)
        self._slow_turn = -1
        self._subscribers: list[streams.Subscriber] = []
        self._lines: list[Line] = []
        self._line_of: dict[streams.Subscriber, Line] = {}
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
            self._play_faults(at_ms)
            self.send_events()
            self._end_expired_key(at_ms)
            self._send_market(at_ms)

    def _play_faults(self, at_ms: int) -> None:
        """What the fault script has for connections, keys and listings."""
        for fault in self.exchange.faults.moments(at_ms):
            self._strike(fault, at_ms)

    def _strike(self, fault: Fault, at_ms: int) -> None:
        if fault.kind == "expire-key":
            self.exchange.state.listen_key_until_ms = at_ms
        elif fault.kind in ("cut", "half-open"):
            strike_lines(self._lines, fault)
        else:
            strike_listing(self.exchange, fault)

    def _send_market(self, at_ms: int) -> None:
        """One round of market frames; each payload is encoded once for all who want it."""
        slow_turn = at_ms // SLOW_STREAMS_MS != self._slow_turn
        if slow_turn:
            self._slow_turn = at_ms // SLOW_STREAMS_MS
        payloads: dict[str, bytes | None] = {}
        for subscriber in self._subscribers:
            for name in sorted(filter(subscriber.wants, subscriber.names)):
                if frames.is_slow(name) and not slow_turn:
                    continue
                if name not in payloads:
                    payloads[name] = frames.frame(self.exchange, name, at_ms)
                payload = payloads[name]
                if payload is not None:
                    self._send(subscriber, subscriber.wrap(name, payload))

    def send_events(self) -> None:
        """Tell the user data stream what has happened since it was told last."""
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
        at_ms = now_ms(self._clock)
        for event in events:
            for after_ms in self.exchange.faults.copies(event["e"], at_ms, self._chance):
                if after_ms:
                    self._nursery.start_soon(self._send_late, key, event, after_ms / 1000)
                else:
                    self._send_event(key, event)

    def _send_event(self, key: str, event: Json) -> None:
        payload = msgspec.json.encode(event)
        for subscriber in self._subscribers:
            if subscriber.hears(key, event["e"]):
                self._send(subscriber, subscriber.wrap(key, payload))

    async def _send_late(self, key: str, event: Json, after_s: float) -> None:
        await trio.sleep(after_s)
        self._send_event(key, event)

    def _send(self, subscriber: streams.Subscriber, frame: bytes) -> None:
        if subscriber.wire is not None:
            try:
                subscriber.wire.send_now(frame)
            except NotSent:
                subscriber.wire = None  # a client that does not read is dropped, like the venue's
                self._line_of[subscriber].over.set()

    # -- connections ------------------------------------------------------

    async def _handle(self, stream: trio.abc.Stream) -> None:
        await serve_stream(stream, self._rest, self._upgrade)

    async def _rest(self, request: HttpRequest) -> HttpReply | None:
        method = method_of(request)
        params = dict(parse_qsl(request.query) + parse_qsl(request.body.decode("latin-1")))
        treatment = self._treat(method, params)
        await trio.sleep(treatment.request_ms / 1000)
        if treatment.lose_request:
            return None
        reply: HttpReply | None = None
        if treatment.executed:
            self.on_request(method)
            reply = answer(self.exchange, self.account, request, now_ms(self._clock), self._usage)
            self.send_events()
        if treatment.instead is not None:
            reply = _error_reply(treatment.instead)
        await trio.sleep(treatment.reply_ms / 1000)
        return None if treatment.lose_reply else reply

    def _treat(self, method: str, params: Mapping[str, Any]) -> Treatment:
        at_ms = now_ms(self._clock)
        treatment = self.exchange.faults.treat(method, params, at_ms, self._chance)
        for fault in treatment.moments:
            self.exchange.book.now_ms = at_ms
            self._strike(fault, at_ms)
            self.send_events()
        return treatment

    async def _upgrade(self, stream: trio.abc.Stream) -> None:
        paths: list[str] = []
        line = Line(stream)

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
                handlers.append(lambda frame: self._on_api_frame(api, wire, line, frame))
                await self._until_over(line, "api")
                return
            subscriber = streams.Subscriber(paths[0])
            subscriber.wire = wire
            handlers.append(lambda frame: _tell(wire, subscriber.control(frame)))
            self._subscribers.append(subscriber)
            self._line_of[subscriber] = line
            try:
                await self._until_over(line, subscriber.route)
            finally:
                self._subscribers.remove(subscriber)
                del self._line_of[subscriber]

        try:
            await accept_wire(line, on_request, on_frame, session, limits=LIMITS)
        except ConnectionLost:
            return  # clients come and go

    async def _until_over(self, line: Line, route: str) -> None:
        """Until the script or a connection's longest life ends it."""
        line.route = route
        self._lines.append(line)
        try:
            with trio.move_on_after(LIFE_S):
                await line.over.wait()
        finally:
            self._lines.remove(line)

    def _on_api_frame(self, api: WsApi, wire: Wire, line: Line, frame: bytes) -> None:
        request = api.parse(frame)
        if request is None:
            _tell(wire, BAD_FRAME)
            return
        treatment = self._treat(request.name, request.params)
        treatment.lose_request |= line.is_dead
        treatment.lose_reply |= line.over.is_set()
        if treatment.is_prompt:
            # The common case: answered in the same turn, as quick as the venue's own engine.
            self._reply(wire, treatment, self._carry_out(api, request, treatment))
            return

        async def slowly() -> None:
            await trio.sleep(treatment.request_ms / 1000)
            reply = self._carry_out(api, request, treatment)
            await trio.sleep(treatment.reply_ms / 1000)
            self._reply(wire, treatment, reply)

        self._nursery.start_soon(slowly)

    def _carry_out(self, api: WsApi, request: Request, treatment: Treatment) -> bytes | None:
        if treatment.lose_request:
            return None
        reply: bytes | None = None
        if treatment.executed:
            self.on_request(request.name)
            reply = api.answer(request, now_ms(self._clock))
            self.send_events()
        if treatment.instead is not None:
            reply = api.refusal(request, treatment.instead)
        return reply

    @staticmethod
    def _reply(wire: Wire, treatment: Treatment, reply: bytes | None) -> None:
        if reply is not None and not treatment.lose_reply:
            _tell(wire, reply)

    async def _save_often(self, path: Path) -> None:
        """A disk that refuses costs the memory of this account, not the exchange."""
        while True:
            await trio.sleep(SAVE_EVERY_S)
            try:
                save_state(self.exchange.state, path)
            except OSError as error:
                if not self._save_fault:
                    told = logger.bind(kind="paper.not-saved")
                    told.error("{}", f"the paper account is not saved: {error}")
                self._save_fault = str(error)
            else:
                self._save_fault = ""


def _error_reply(error: Answer) -> HttpReply:
    body = msgspec.json.encode({"code": error.code, "msg": error.msg})
    return HttpReply(error.status, {"content-type": "application/json;charset=UTF-8"}, body)


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
