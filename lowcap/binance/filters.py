"""From exchangeInfo and leverageBracket to contracts: filters come from the venue, not from us."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lowcap.binance.wire import BracketRow, ExchangeInfo, SymbolRow
from lowcap.core.contract import Contract, LeverageBracket


def contracts_from(info: ExchangeInfo, ladders: list[BracketRow]) -> dict[str, Contract]:
    """USDT perpetuals by symbol. A row that cannot be read is left out: it will not trade."""
    brackets = {row.symbol: _ladder(row) for row in ladders}
    found: dict[str, Contract] = {}
    for row in info.symbols:
        if row.contractType != "PERPETUAL" or row.quoteAsset != "USDT":
            continue
        try:
            found[row.symbol] = _contract(row, brackets.get(row.symbol, ()))
        except (KeyError, ArithmeticError):
            continue
    return found


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
        price_min=Decimal(price["minPrice"]),
        price_max=Decimal(price["maxPrice"]),
        step=_positive(lot["stepSize"]),
        qty_min=Decimal(lot["minQty"]),
        qty_max=Decimal(lot["maxQty"]),
        market_qty_max=Decimal(market["maxQty"]),
        notional_min=Decimal(filters["MIN_NOTIONAL"]["notional"]),
        price_up=Decimal(percent.get("multiplierUp", "1.05")),
        price_down=Decimal(percent.get("multiplierDown", "0.95")),
        brackets=brackets,
    )


def _positive(text: str) -> Decimal:
    value = Decimal(text)
    if not value > 0:
        raise ArithmeticError(f"a grid of {text}")
    return value
