"""From exchangeInfo and leverageBracket to contracts: filters come from the venue, not from us."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from lowcap.binance.wire import UNREADABLE, BracketRow, ExchangeInfo, SymbolRow
from lowcap.core.contract import Contract, LeverageBracket
from lowcap.core.money import ZERO, decimal_from_wire

T = TypeVar("T")


def contracts_from(info: ExchangeInfo, ladders: list[msgspec.Raw]) -> dict[str, Contract]:
    """USDT perpetuals by symbol.

    A row that cannot be read is left out: it will not trade. One without a
    readable ladder has room for no position.
    """
    brackets = {row.symbol: _ladder(row) for row in _readable(ladders, BracketRow)}
    found: dict[str, Contract] = {}
    for row in _perpetuals(info):
        try:
            found[row.symbol] = _contract(row, brackets.get(row.symbol, ()))
        except (KeyError, TypeError, ValueError):
            continue
    return found


def without_ladder(info: ExchangeInfo, ladders: list[msgspec.Raw]) -> set[str]:
    """Trading contracts that the ladders say nothing of, as one that was listed since."""
    known = {row.symbol for row in _readable(ladders, BracketRow)}
    return {row.symbol for row in _perpetuals(info) if row.status == "TRADING"} - known


def _perpetuals(info: ExchangeInfo) -> Iterator[SymbolRow]:
    for row in _readable(info.symbols, SymbolRow):
        if row.contractType == "PERPETUAL" and row.quoteAsset == "USDT":
            yield row


def _readable(rows: list[msgspec.Raw], kind: type[T]) -> Iterator[T]:
    decoder = msgspec.json.Decoder(kind)
    for row in rows:
        try:
            yield decoder.decode(row)
        except UNREADABLE:
            continue


def _ladder(row: BracketRow) -> tuple[LeverageBracket, ...]:
    return tuple(
        LeverageBracket(
            leverage=step.initialLeverage,
            notional_cap=Decimal(repr(step.notionalCap)),
            notional_floor=Decimal(repr(step.notionalFloor)),
            maint_margin_ratio=Decimal(repr(step.maintMarginRatio)),
            cum=Decimal(repr(step.cum)),
        )
        for step in sorted(row.brackets, key=lambda step: step.notionalCap)
    )


def _contract(row: SymbolRow, brackets: tuple[LeverageBracket, ...]) -> Contract:
    filters: dict[str, dict[str, Any]] = {f["filterType"]: f for f in row.filters}
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    market = filters.get("MARKET_LOT_SIZE", lot)
    percent = filters.get("PERCENT_PRICE", {})
    return Contract(
        symbol=row.symbol,
        base=row.baseAsset,
        status=row.status,
        tick=_positive(price["tickSize"]),
        price_min=decimal_from_wire(price["minPrice"]),
        price_max=decimal_from_wire(price["maxPrice"]),
        step=_positive(lot["stepSize"]),
        qty_min=decimal_from_wire(lot["minQty"]),
        qty_max=decimal_from_wire(lot["maxQty"]),
        market_qty_max=decimal_from_wire(market["maxQty"]),
        notional_min=decimal_from_wire(filters["MIN_NOTIONAL"]["notional"]),
        price_up=decimal_from_wire(percent.get("multiplierUp", "1.05")),
        price_down=decimal_from_wire(percent.get("multiplierDown", "0.95")),
        brackets=brackets,
    )


def _positive(text: str) -> Decimal:
    value = decimal_from_wire(text)
    if not value > ZERO:
        raise ValueError(f"a grid of {text}")
    return value
