"""Placements prepared ahead of time: what is known of an order is signed text and JSON already.

An order then costs a look-up, two texts filled in and a signature. Templates
are made from ``place_params`` itself, so both ways say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TypeAlias

import msgspec
from msgspec import Struct

from lowcap.binance.orders import place_params
from lowcap.binance.sign import Signer
from lowcap.core.facts import OrderIntended
from lowcap.core.messages import Purpose
from lowcap.core.money import Side, wire

# Symbol, side, type, and which of its parameters an order has.
Shape: TypeAlias = tuple[str, Side, str, bool, bool, bool, bool]
_SLOTS = frozenset(
    {"newClientOrderId", "clientAlgoId", "price", "quantity", "triggerPrice", "recvWindow"}
)
_ONE = Decimal(1)


class Template(Struct, frozen=True):
    """One shape of order. Both texts take the same values, in the order of ``names``."""

    method: str
    names: tuple[str, ...]
    signed: str
    frame: str
    logged_on_frame: str

    def fill(
        self, intent: OrderIntended, number: int, timestamp_ms: int, signer: Signer | None
    ) -> bytes:
        """The frame of an order; without a ``signer`` the connection has logged on."""
        values = tuple(_value(name, intent, timestamp_ms) for name in self.names)
        if signer is None:
            return (self.logged_on_frame % (number, *values)).encode()
        signature = signer.sign((self.signed % values).encode())
        return (self.frame % (number, *values, signature)).encode()


def _value(name: str, intent: OrderIntended, timestamp_ms: int) -> str | int:
    if name == "timestamp":
        return timestamp_ms
    if name == "recvWindow":
        return intent.recv_window_ms
    if name == "price" and intent.price is not None:
        return wire(intent.price)
    if name == "quantity" and intent.qty is not None:
        return wire(intent.qty)
    if name == "triggerPrice" and intent.trigger_price is not None:
        return wire(intent.trigger_price)
    return intent.client_id


def shape_of(intent: OrderIntended) -> Shape:
    """What decides which template an order takes."""
    return (
        intent.symbol,
        intent.side,
        intent.type,
        intent.reduce_only,
        intent.close_position,
        intent.qty is not None,
        intent.price is not None,
    )


class Templates:
    """Templates of one key. One that was not prepared is made when it is first wanted."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key
        self._ready: dict[Shape, Template] = {}

    def __len__(self) -> int:
        return len(self._ready)

    def prepare(self, symbols: Iterable[str]) -> None:
        """Every shape that the desk sends of ``symbols``."""
        for symbol in symbols:
            for intent in _examples(symbol):
                self.of(intent)

    def of(self, intent: OrderIntended) -> Template:
        """The template of an order."""
        shape = shape_of(intent)
        template = self._ready.get(shape)
        if template is None:
            template = _template(intent, self._api_key)
            self._ready[shape] = template
        return template


def _template(example: OrderIntended, api_key: str) -> Template:
    method, params = place_params(example)
    static = {name: value for name, value in params.items() if name not in _SLOTS}
    slots = {name: params[name] for name in params if name in _SLOTS} | {"timestamp": 0}
    signed, fields, keyless = [], [], []
    for name in sorted({*static, *slots, "apiKey"}):
        value = static.get(name, api_key)
        if name in slots:
            text, field = "%s", "%d" if isinstance(slots[name], int) else '"%s"'
        else:
            text, field = _escaped(str(value)), _escaped(msgspec.json.encode(value).decode())
        signed.append(f"{name}={text}")
        fields.append(f'"{name}":{field}')
        if name != "apiKey":
            keyless.append(fields[-1])
    head = f'{{"id":%d,"method":"{method}","params":{{'
    return Template(
        method=method,
        names=tuple(sorted(slots)),
        signed="&".join(signed),
        frame=head + ",".join(fields) + ',"signature":"%s"}}',
        logged_on_frame=head + ",".join(keyless) + "}}",
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _examples(symbol: str) -> Iterator[OrderIntended]:
    """An entry, a take-profit leg, a close, a stop and its bridge, on either side."""
    for side in Side:
        yield _example(symbol, side, Purpose.ENTRY, "LIMIT", qty=_ONE, price=_ONE)
        yield _example(
            symbol, side, Purpose.TAKE_PROFIT, "LIMIT", qty=_ONE, price=_ONE, reduce_only=True
        )
        yield _example(symbol, side, Purpose.CLOSE, "MARKET", qty=_ONE, reduce_only=True)
        yield _example(
            symbol, side, Purpose.STOP, "STOP_MARKET", trigger_price=_ONE, close_position=True
        )
        yield _example(
            *(symbol, side, Purpose.STOP, "STOP_MARKET"),
            qty=_ONE,
            trigger_price=_ONE,
            reduce_only=True,
        )


def _example(
    symbol: str,
    side: Side,
    purpose: Purpose,
    kind: str,
    *,
    qty: Decimal | None = None,
    price: Decimal | None = None,
    trigger_price: Decimal | None = None,
    reduce_only: bool = False,
    close_position: bool = False,
) -> OrderIntended:
    return OrderIntended(
        client_id="",
        symbol=symbol,
        side=side,
        purpose=purpose,
        type=kind,
        leg="",
        recv_window_ms=0,
        timestamp_ms=0,
        qty=qty,
        price=price,
        trigger_price=trigger_price,
        reduce_only=reduce_only,
        close_position=close_position,
    )
