"""How many dollars an entry may be: the wish, then every limit; the smallest wins and is named."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from lowcap.core.contract import Contract
from lowcap.core.money import ZERO, percent_of
from lowcap.settings import Limits, Sizing


class Size(Struct, frozen=True):
    """A notional in USD, what decided it, and what was wished for."""

    notional_usd: Decimal
    decided_by: str
    wished_usd: Decimal


def wished_notional(
    sizing: Sizing, symbol: str, trigger_usd: Decimal | None
) -> tuple[Decimal, str]:
    """The configured dollars for a symbol: by trigger, else by symbol, else the default."""
    if trigger_usd is not None:
        return trigger_usd * sizing.scale, "trigger"
    if symbol in sizing.symbol_usd:
        return sizing.symbol_usd[symbol] * sizing.scale, "symbol"
    return sizing.default_usd * sizing.scale, "default"


def size_entry(
    wish: tuple[Decimal, str],
    limits: Limits,
    contract: Contract,
    *,
    leverage: int,
    held_usd: Decimal,
    gross_usd: Decimal,
    margin_available_usd: Decimal,
) -> Size:
    """The dollars that every limit allows. Zero or less: one of them is used up."""
    margin = percent_of(margin_available_usd, limits.margin_pct_max)
    bounds = [
        wish,
        (limits.order_notional_usd_max, "limits.order_notional_usd_max"),
        (limits.position_notional_usd_max - held_usd, "limits.position_notional_usd_max"),
        (limits.gross_notional_usd_max - gross_usd, "limits.gross_notional_usd_max"),
        (margin * leverage - held_usd, "limits.margin_pct_max"),
        (contract.notional_cap_at(leverage) - held_usd, f"venue bracket at {leverage}x"),
    ]
    notional, decided_by = min(bounds, key=lambda bound: bound[0])
    return Size(max(notional, ZERO), decided_by, wish[0])
