"""Streams of the venue: the user data stream on its private route, prices on the market route."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import quote

import msgspec
import trio

from lowcap.binance.rest import RestClient, VenueRefused
from lowcap.binance.wire import (
    UNREADABLE,
    AlgoEventBody,
    MarkUpdate,
    MiniTicker,
    OrderEventBody,
    UserEvent,
)
from lowcap.core.errors import ConnectionLost, NoAnswer, NotSent
from lowcap.core.money import ZERO, Side, decimal_from_wire
from lowcap.core.plain import plain
from lowcap.net.net import Net
from lowcap.net.session import BackOff, stay_connected
from lowcap.net.wire import Wire, WireLimits, run_wire

RENEW_EVERY_S = 25 * 60
LIMITS = WireLimits(ping_every_s=10, pong_within_s=10, queue_frames=1_024)

_event_decoder = msgspec.json.Decoder(UserEvent)
_order_decoder = msgspec.json.Decoder(OrderEventBody)
_algo_decoder = msgspec.json.Decoder(AlgoEventBody)


class OrderEvent(msgspec.Struct, frozen=True):
    """ORDER_TRADE_UPDATE, read: its figures are numbers, its side is one."""

    body: OrderEventBody
    at_ms: int


class AlgoEvent(msgspec.Struct, frozen=True):
    """ALGO_UPDATE, read."""

    body: AlgoEventBody
    at_ms: int


class AccountEvent(msgspec.Struct, frozen=True):
    """ACCOUNT_UPDATE, read: signed quantities with entry prices, and the wallet where it moved."""

    positions: tuple[tuple[str, Decimal, Decimal], ...]
    wallet_usdt: Decimal | None
    at_ms: int


AnyEvent: TypeAlias = OrderEvent | AlgoEvent | AccountEvent


def read_user_event(frame: bytes) -> AnyEvent | str:
    """The event of a frame; a text for those that are only noted, by name or by fault."""
    try:
        event = _event_decoder.decode(frame)
        if event.e == "ORDER_TRADE_UPDATE":
            return OrderEvent(_checked(_order_decoder.decode(event.o)), event.T)
        if event.e == "ALGO_UPDATE":
            return AlgoEvent(_algo_decoder.decode(event.o), event.T)
        if event.e == "ACCOUNT_UPDATE" and event.a is not None:
            wallet = next((b.wb for b in event.a.B if b.a == "USDT"), None)
            return AccountEvent(
                tuple(
                    (p.s, decimal_from_wire(p.pa), decimal_from_wire(p.ep))
                    for p in event.a.P
                    if p.ps == "BOTH"
                ),
                decimal_from_wire(wallet) if wallet is not None else None,
                event.T,
            )
    except UNREADABLE as error:
        return f"unreadable: {plain(str(error), 300)}"
    return event.e or "unnamed"


def _checked(body: OrderEventBody) -> OrderEventBody:
    """``body``, if whoever uses it later will not stumble.

    Raises:
        ValueError: a figure is no number, a trade is of nothing, or the side is neither.
    """
    Side(body.S)
    qty, price, total = (decimal_from_wire(text) for text in (body.l, body.L, body.z))
    for text in (body.n or "0", body.rp):
        decimal_from_wire(text)
    if total < ZERO:
        raise ValueError(f"executed {total}")
    if body.x == "TRADE" and not (qty > ZERO and price > ZERO):
        raise ValueError(f"a trade of {qty} at {price}")
    return body


class UserStream:
    """The user data stream, kept up for ever; every (re)connection asks for a fresh snapshot."""

    def __init__(
        self,
        net: Net,
        base_url: str,
        rest: RestClient,
        on_event: Callable[[AnyEvent | str], None],
        on_change: Callable[[bool, str], None],
        chance: random.Random,
    ) -> None:
        self._net = net
        self._base_url = base_url.rstrip("/")
        self._rest = rest
        self._on_event = on_event
        self._on_change = on_change
        self._chance = chance
        self._expired = trio.Event()

    async def run(self) -> None:
        """Stay connected until cancelled."""

        def lost(reason: str, wait_s: float) -> None:
            self._on_change(False, reason)

        await stay_connected(self._connect, lost, back_off=BackOff(), chance=self._chance)

    async def _connect(self) -> None:
        self._expired = trio.Event()
        try:
            key = await self._rest.listen_key()
        except (VenueRefused, NotSent, NoAnswer) as error:
            raise ConnectionLost(f"listen key: {error.message}") from error
        url = f"{self._base_url}/private/ws/{quote(key, safe='')}"
        await run_wire(self._net, url, self._on_frame, self._session, limits=LIMITS)

    async def _session(self, wire: Wire) -> None:
        self._on_change(True, "")
        while True:
            with trio.move_on_after(RENEW_EVERY_S):
                await self._expired.wait()
                raise ConnectionLost("the listen key has expired")
            try:
                await self._rest.renew_listen_key()
            except (VenueRefused, NotSent, NoAnswer) as error:
                raise ConnectionLost(f"listen key not renewed: {error.message}") from error

    def _on_frame(self, frame: bytes) -> None:
        event = read_user_event(frame)
        if event == "listenKeyExpired":
            self._expired.set()
        self._on_event(event)


class PriceStream:
    """Mark and last prices of all symbols, newest wins."""

    def __init__(
        self,
        net: Net,
        base_url: str,
        on_marks: Callable[[list[MarkUpdate]], None],
        on_lasts: Callable[[list[MiniTicker]], None],
        on_change: Callable[[bool, str], None],
        chance: random.Random,
    ) -> None:
        self._net = net
        self._url = (
            base_url.rstrip("/") + "/market/stream?streams=!markPrice@arr@1s/!miniTicker@arr"
        )
        self._on_marks = on_marks
        self._on_lasts = on_lasts
        self._on_change = on_change
        self._chance = chance

    async def run(self) -> None:
        """Stay connected until cancelled."""

        def lost(reason: str, wait_s: float) -> None:
            self._on_change(False, reason)

        await stay_connected(self._connect, lost, back_off=BackOff(), chance=self._chance)

    async def _connect(self) -> None:
        await run_wire(self._net, self._url, self._on_frame, self._session, limits=LIMITS)

    async def _session(self, wire: Wire) -> None:
        self._on_change(True, "")
        await trio.sleep_forever()

    def _on_frame(self, frame: bytes) -> None:
        try:
            if b'"!markPrice' in frame[:40]:
                self._on_marks(_mark_decoder.decode(frame).data)
            elif b'"!miniTicker' in frame[:40]:
                self._on_lasts(_ticker_decoder.decode(frame).data)
        except UNREADABLE:
            return  # a price that cannot be read is a price that grows stale


class _Marks(msgspec.Struct):
    data: list[MarkUpdate]


class _Tickers(msgspec.Struct):
    data: list[MiniTicker]


_mark_decoder = msgspec.json.Decoder(_Marks)
_ticker_decoder = msgspec.json.Decoder(_Tickers)
