"""Events of the user data stream, read: every kind of docs/venue.md §6, checked before use."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import msgspec

from lowcap.binance.outcome import order_number
from lowcap.binance.wire import (
    UNREADABLE,
    AccountEventBody,
    AlgoEventBody,
    AssetModeBody,
    ConfigEventBody,
    LiteEventBody,
    MarginCallRow,
    OrderEventBody,
    TriggerRejectBody,
    UserEvent,
)
from lowcap.core.money import ZERO, Side, decimal_from_wire
from lowcap.core.plain import plain


class OrderEvent(msgspec.Struct, frozen=True):
    """ORDER_TRADE_UPDATE, read: its figures are numbers, its side is one."""

    body: OrderEventBody
    at_ms: int


class AlgoEvent(msgspec.Struct, frozen=True):
    """ALGO_UPDATE, read; ``child_id`` is the order that it became, 0 before."""

    body: AlgoEventBody
    at_ms: int
    child_id: int = 0


class AccountEvent(msgspec.Struct, frozen=True):
    """ACCOUNT_UPDATE, read: signed quantities with entry prices, and the wallet where it moved.

    ``crossed`` names symbols whose margin type is not isolated any more,
    ``reason`` is the venue's word for what moved the account.
    """

    positions: tuple[tuple[str, Decimal, Decimal], ...]
    wallet_usdt: Decimal | None
    at_ms: int
    crossed: tuple[str, ...] = ()
    reason: str = ""


class LiteEvent(msgspec.Struct, frozen=True):
    """TRADE_LITE: an early hint of an execution, without fee and profit."""

    symbol: str
    client_id: str
    trade_id: int


class MarginCall(msgspec.Struct, frozen=True):
    """MARGIN_CALL: positions that are close to liquidation."""

    symbols: tuple[str, ...]


class ConfigEvent(msgspec.Struct, frozen=True):
    """ACCOUNT_CONFIG_UPDATE: a symbol's leverage, or the asset mode, was changed."""

    symbol: str = ""
    leverage: int = 0
    multi_assets: bool = False


class TriggerRejected(msgspec.Struct, frozen=True):
    """CONDITIONAL_ORDER_TRIGGER_REJECT: a conditional order triggered and was not taken."""

    symbol: str
    order_id: int
    reason: str


class KeyExpired(msgspec.Struct, frozen=True):
    """listenKeyExpired: nothing more will come on connections of this key."""

    listen_key: str


AnyEvent: TypeAlias = (
    OrderEvent
    | AlgoEvent
    | AccountEvent
    | LiteEvent
    | MarginCall
    | ConfigEvent
    | TriggerRejected
    | KeyExpired
)

_event_decoder = msgspec.json.Decoder(UserEvent)
_order_decoder = msgspec.json.Decoder(OrderEventBody)
_algo_decoder = msgspec.json.Decoder(AlgoEventBody)
_lite_decoder = msgspec.json.Decoder(LiteEventBody)


def read_user_event(frame: bytes) -> AnyEvent | str:
    """The event of a frame; a text for those that are only noted, by name or by fault."""
    try:
        event = _event_decoder.decode(frame)
        match event.e:
            case "ORDER_TRADE_UPDATE":
                return OrderEvent(_checked(_order_decoder.decode(event.o)), event.T)
            case "ALGO_UPDATE":
                body = _algo_decoder.decode(event.o)
                decimal_from_wire(body.aq or "0")
                return AlgoEvent(body, event.T, order_number(body.ai or ""))
            case "ACCOUNT_UPDATE" if event.a is not None:
                return _account(event.a, event.T)
            case "TRADE_LITE":
                lite = _lite_decoder.decode(frame)
                return LiteEvent(lite.s, lite.c, lite.t)
        return _rarer(event)
    except UNREADABLE as error:
        return f"unreadable: {plain(str(error), 300)}"


def _rarer(event: UserEvent) -> AnyEvent | str:
    """Events that come once in a while.

    Raises:
        ValueError: a body is not what its kind says.
    """
    match event.e:
        case "MARGIN_CALL":
            rows = msgspec.json.decode(event.p or b"[]", type=list[MarginCallRow])
            return MarginCall(tuple(row.s for row in rows))
        case "ACCOUNT_CONFIG_UPDATE" if event.ac:
            config = msgspec.json.decode(event.ac, type=ConfigEventBody)
            return ConfigEvent(config.s, config.l)
        case "ACCOUNT_CONFIG_UPDATE" if event.ai:
            return ConfigEvent(multi_assets=msgspec.json.decode(event.ai, type=AssetModeBody).j)
        case "CONDITIONAL_ORDER_TRIGGER_REJECT":
            rejected = msgspec.json.decode(event.or_, type=TriggerRejectBody)
            return TriggerRejected(rejected.s, rejected.i, plain(rejected.r, 300))
        case "listenKeyExpired":
            return KeyExpired(event.listenKey)
    return event.e or "unnamed"


def _account(body: AccountEventBody, at_ms: int) -> AccountEvent:
    wallet = next((b.wb for b in body.B if b.a == "USDT"), None)
    return AccountEvent(
        tuple(
            (p.s, decimal_from_wire(p.pa), decimal_from_wire(p.ep))
            for p in body.P
            if p.ps == "BOTH"
        ),
        decimal_from_wire(wallet) if wallet is not None else None,
        at_ms,
        tuple(p.s for p in body.P if p.mt.upper() in ("CROSS", "CROSSED")),
        body.m,
    )


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
