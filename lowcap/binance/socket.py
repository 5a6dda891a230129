"""The WebSocket API connection: orders out without waiting, replies in by callback."""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import quote

import msgspec
import trio

from lowcap.binance.budget import HANDSHAKE_WEIGHT, Budget, api_cost
from lowcap.binance.handover import Handover
from lowcap.binance.outcome import Outcome, Verdict, order_number, refused
from lowcap.binance.sign import Ed25519Signer, Signer
from lowcap.binance.templates import Templates
from lowcap.binance.wire import UNREADABLE, AlgoView, ApiReply, OrderView
from lowcap.core.errors import ConnectionLost, NotSent
from lowcap.core.facts import OrderIntended
from lowcap.core.money import ZERO, decimal_from_wire
from lowcap.net.net import Net
from lowcap.net.wire import Wire, WireLimits, run_wire

Params = dict[str, str | int]
OnReply = Callable[[ApiReply], None]

LIMITS = WireLimits(ping_every_s=10, pong_within_s=10, queue_frames=256)
LOGON_WITHIN_S = 5.0

_reply_decoder = msgspec.json.Decoder(ApiReply)
_order_decoder = msgspec.json.Decoder(OrderView)
_algo_decoder = msgspec.json.Decoder(AlgoView)
_encode = msgspec.json.Encoder().encode


class _Line:
    """One connection: its wire, whether it has logged on, and who waits for a reply on it.

    ``asked_ms`` is when the first request was sent since anything was heard, 0 where none was.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.logged_on = False
        self.waiting: dict[int, OnReply] = {}
        self.asked_ms = 0

    def send(self, frame: bytes, number: int, on_reply: OnReply, at_ms: int) -> None:
        """Hand over one request."""
        self.wire.send_now(frame)
        self.waiting[number] = on_reply
        self.asked_ms = self.asked_ms or at_ms


class ApiSocket:
    """The WebSocket API, kept up for ever and renewed before the venue cuts it.

    With an Ed25519 key it logs on and requests need no signature; with HMAC
    each request is signed.
    """

    def __init__(
        self,
        net: Net,
        url: str,
        signer: Signer,
        venue_ms: Callable[[], int],
        on_change: Callable[[bool, str], None],
        chance: random.Random,
        *,
        budget: Budget | None = None,
    ) -> None:
        self._net = net
        self.budget = budget or Budget()
        self._url = url
        self._signer = signer
        self.templates = Templates(signer.api_key)
        self._venue_ms = venue_ms
        self._on_change = on_change
        self._line: _Line | None = None
        self._next_id = 0
        self._handover = Handover(self._connect, lambda why: on_change(False, why), chance)

    @property
    def is_up(self) -> bool:
        """Whether a request can be handed over now."""
        return self._line is not None

    @property
    def round_trip_ms(self) -> float | None:
        """The newest ping's on the present connection; None where there is none."""
        return self._line.wire.round_trip_ms if self._line is not None else None

    def renew(self) -> None:
        """Replace the connection now, new before old."""
        self._handover.renew()

    def distrust(self, silent_ms_max: int) -> bool:
        """Give up a connection that owes an answer and has said nothing for ``silent_ms_max``.

        It may be half-open: nothing more is handed to it, a new one is made,
        and requests take the other road meanwhile. Returns whether it was given up.
        """
        line = self._line
        if line is None or not line.asked_ms:
            return False
        if self._venue_ms() - line.asked_ms <= silent_ms_max:
            return False
        self._line = None
        self._on_change(False, "no answer in time")
        self._handover.renew()
        return True

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await self._handover.run()

    async def _connect(self, on_up: Callable[[], None]) -> None:
        self.budget.spend(self._venue_ms(), weight=HANDSHAKE_WEIGHT)
        lines: list[_Line] = []

        def on_frame(frame: bytes) -> None:
            self._on_frame(lines[0], frame)

        async def session(wire: Wire) -> None:
            line = _Line(wire)
            lines.append(line)
            if isinstance(self._signer, Ed25519Signer):
                await self._log_on(line)
            self._line = line
            on_up()
            self._on_change(True, "")
            await trio.sleep_forever()

        try:
            await run_wire(self._net, self._url, on_frame, session, limits=LIMITS)
        finally:
            # Requests without a reply stay unknown: their owners' deadlines run on.
            if lines and self._line is lines[0]:
                self._line = None

    async def _log_on(self, line: _Line) -> None:
        answered = trio.Event()
        replies: list[ApiReply] = []

        def on_reply(reply: ApiReply) -> None:
            replies.append(reply)
            answered.set()

        self._send(line, "session.logon", {"recvWindow": 5000}, on_reply)
        with trio.move_on_after(LOGON_WITHIN_S):
            await answered.wait()
        if not replies or replies[0].status != 200:
            why = replies[0].error.msg if replies and replies[0].error else "no answer"
            raise ConnectionLost(f"session.logon: {why}")
        line.logged_on = True

    def request(self, method: str, params: Params, on_reply: OnReply) -> None:
        """Sign and hand over one request; ``on_reply`` is called when its reply comes.

        Raises:
            NotSent: the connection is down; nothing has left.
        """
        if self._line is None:
            raise NotSent("the order connection is down")
        self._send(self._line, method, params, on_reply)

    def place(self, intent: OrderIntended, on_reply: OnReply) -> None:
        """Fill in the template of an order, sign it and hand it over.

        Raises:
            NotSent: the connection is down; nothing has left.
        """
        line = self._line
        if line is None:
            raise NotSent("the order connection is down")
        template = self.templates.of(intent)
        self._next_id += 1
        signer = None if line.logged_on else self._signer
        at_ms = self._venue_ms()
        frame = template.fill(intent, self._next_id, at_ms, signer)
        line.send(frame, self._next_id, on_reply, at_ms)
        self.budget.spend(at_ms, orders=1)

    def _send(self, line: _Line, method: str, params: Params, on_reply: OnReply) -> None:
        self._next_id += 1
        frame = self._frame(line, self._next_id, method, params)
        at_ms = self._venue_ms()
        line.send(frame, self._next_id, on_reply, at_ms)
        weight, orders = api_cost(method)
        self.budget.spend(at_ms, weight=weight, orders=orders)

    def _frame(self, line: _Line, number: int, method: str, params: Params) -> bytes:
        params["timestamp"] = self._venue_ms()
        if not line.logged_on:
            params["apiKey"] = self._signer.api_key
            text = "&".join([f"{name}={params[name]}" for name in sorted(params)])
            params["signature"] = self._signer.sign(text.encode())
        return _encode({"id": number, "method": method, "params": params})

    def _on_frame(self, line: _Line, frame: bytes) -> None:
        line.asked_ms = 0
        try:
            reply = _reply_decoder.decode(frame)
        except UNREADABLE:
            return  # nothing to match it to; the request's deadline will settle it
        at_ms = self._venue_ms()
        self.budget.hear_counts(reply.rateLimits, at_ms)
        if reply.error is not None:
            self.budget.hear_refusal(reply.status, reply.error.code, reply.error.msg, {}, at_ms)
        if isinstance(reply.id, int):
            on_reply = line.waiting.pop(reply.id, None)
            if on_reply is not None:
                on_reply(reply)


def outcome_of(reply: ApiReply, *, algo: bool) -> Outcome:
    """A placement's outcome from its reply; one that cannot be read is unknown."""
    if reply.error is not None:
        return refused(reply.status, reply.error.code, reply.error.msg)
    try:
        if algo:
            return algo_outcome(_algo_decoder.decode(reply.result))
        return order_outcome(_order_decoder.decode(reply.result))
    except UNREADABLE as error:
        return Outcome(verdict=Verdict.UNKNOWN, reason=f"unreadable reply: {error}")


def order_outcome(view: OrderView) -> Outcome:
    """An order object as an outcome.

    Raises:
        ValueError: its executed quantity is no number.
    """
    if decimal_from_wire(view.executedQty) < ZERO:
        raise ValueError(f"executed quantity {view.executedQty}")
    return Outcome(
        verdict=Verdict.ACCEPTED,
        status=view.status,
        order_id=view.orderId,
        executed_qty=view.executedQty,
        venue_ms=view.updateTime,
    )


def algo_outcome(view: AlgoView) -> Outcome:
    """An algo order object as an outcome."""
    return Outcome(
        verdict=Verdict.ACCEPTED,
        status=view.algoStatus,
        order_id=view.algoId,
        child_id=order_number(view.actualOrderId or ""),
        venue_ms=view.updateTime,
    )


def query_string(params: Params) -> str:
    """Parameters percent-encoded in order, as they are signed and sent over REST."""
    return "&".join(f"{name}={quote(str(value), safe='')}" for name, value in params.items())
