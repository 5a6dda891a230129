"""The WebSocket API connection: orders out without waiting, replies in by callback."""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import quote

import msgspec
import trio

from lowcap.binance.budget import HANDSHAKE_WEIGHT, Budget, api_cost
from lowcap.binance.outcome import Outcome, Verdict, refused
from lowcap.binance.sign import Ed25519Signer, Signer
from lowcap.binance.wire import UNREADABLE, AlgoView, ApiReply, OrderView
from lowcap.core.errors import ConnectionLost, NotSent
from lowcap.core.money import ZERO, decimal_from_wire
from lowcap.net.net import Net
from lowcap.net.session import BackOff, stay_connected
from lowcap.net.wire import Wire, WireLimits, run_wire

Params = dict[str, str | int]
OnReply = Callable[[ApiReply], None]

LIMITS = WireLimits(ping_every_s=10, pong_within_s=10, queue_frames=256)
LOGON_WITHIN_S = 5.0

_reply_decoder = msgspec.json.Decoder(ApiReply)
_order_decoder = msgspec.json.Decoder(OrderView)
_algo_decoder = msgspec.json.Decoder(AlgoView)
_encode = msgspec.json.Encoder().encode


class ApiSocket:
    """One connection to the WebSocket API, kept up for ever.

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
        self._budget = budget or Budget()
        self._url = url
        self._signer = signer
        self._venue_ms = venue_ms
        self._on_change = on_change
        self._chance = chance
        self._wire: Wire | None = None
        self._logged_on = False
        self._next_id = 0
        self._waiting: dict[int, OnReply] = {}

    @property
    def is_up(self) -> bool:
        """Whether a request can be handed over now."""
        return self._wire is not None

    async def run(self) -> None:
        """Stay connected until cancelled."""

        def lost(reason: str, wait_s: float) -> None:
            self._on_change(False, reason)

        await stay_connected(self._connect, lost, back_off=BackOff(), chance=self._chance)

    async def _connect(self) -> None:
        self._budget.spend(self._venue_ms(), weight=HANDSHAKE_WEIGHT)
        try:
            await run_wire(self._net, self._url, self._on_frame, self._session, limits=LIMITS)
        finally:
            self._wire = None
            self._logged_on = False
            # Requests without a reply stay unknown: their owners' deadlines run on.
            self._waiting.clear()

    async def _session(self, wire: Wire) -> None:
        self._wire = wire
        if isinstance(self._signer, Ed25519Signer):
            await self._log_on()
        self._on_change(True, "")
        await trio.sleep_forever()

    async def _log_on(self) -> None:
        answered = trio.Event()
        replies: list[ApiReply] = []

        def on_reply(reply: ApiReply) -> None:
            replies.append(reply)
            answered.set()

        self.request("session.logon", {"recvWindow": 5000}, on_reply)
        with trio.move_on_after(LOGON_WITHIN_S):
            await answered.wait()
        if not replies or replies[0].status != 200:
            why = replies[0].error.msg if replies and replies[0].error else "no answer"
            raise ConnectionLost(f"session.logon: {why}")
        self._logged_on = True

    def request(self, method: str, params: Params, on_reply: OnReply) -> None:
        """Sign and hand over one request; ``on_reply`` is called when its reply comes.

        Raises:
            NotSent: the connection is down; nothing has left.
        """
        if self._wire is None:
            raise NotSent("the order connection is down")
        self._next_id += 1
        frame = self._frame(self._next_id, method, params)
        self._wire.send_now(frame)
        self._waiting[self._next_id] = on_reply
        weight, orders = api_cost(method)
        self._budget.spend(self._venue_ms(), weight=weight, orders=orders)

    def _frame(self, number: int, method: str, params: Params) -> bytes:
        params["timestamp"] = self._venue_ms()
        if not self._logged_on:
            params["apiKey"] = self._signer.api_key
            text = "&".join([f"{name}={params[name]}" for name in sorted(params)])
            params["signature"] = self._signer.sign(text.encode())
        return _encode({"id": number, "method": method, "params": params})

    def _on_frame(self, frame: bytes) -> None:
        try:
            reply = _reply_decoder.decode(frame)
        except UNREADABLE:
            return  # nothing to match it to; the request's deadline will settle it
        at_ms = self._venue_ms()
        self._budget.hear_counts(reply.rateLimits, at_ms)
        if reply.error is not None:
            self._budget.hear_refusal(reply.status, reply.error.code, reply.error.msg, {}, at_ms)
        if isinstance(reply.id, int):
            on_reply = self._waiting.pop(reply.id, None)
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
        child_id=_child_id(view.actualOrderId or ""),
        venue_ms=view.updateTime,
    )


def _child_id(text: str) -> int:
    """The number of the order that a conditional one became; at most 19 digits (int64)."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else 0


def query_string(params: Params) -> str:
    """Parameters percent-encoded in order, as they are signed and sent over REST."""
    return "&".join(f"{name}={quote(str(value), safe='')}" for name, value in params.items())
