"""How much leverage a symbol may use."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from lowcap.core.caps import Cap, NoCap
from lowcap.core.contract import Contract
from lowcap.core.money import HUNDRED
from lowcap.risk.protections import Protections
from lowcap.risk.sizing import wished_notional
from lowcap.settings import Settings

# The stop must trigger long before the position would be liquidated.
LIQUIDATION_TO_STOP_MIN = 2


def safe_leverage(
    contract: Contract, notional: Decimal, leverage_max: int, stop_pct: Decimal
) -> int:
    """The highest leverage whose bracket holds ``notional`` and whose liquidation is far enough.

    Far enough: the price move to liquidation (one over leverage, less the
    maintenance margin ratio) is at least twice the move to the stop.
    """
    leverage = contract.leverage_for(notional, leverage_max)
    needed = LIQUIDATION_TO_STOP_MIN * stop_pct / HUNDRED
    ratio = contract.maintenance_margin(notional) / notional if notional else Decimal(0)
    while leverage > 1 and Decimal(1) / leverage - ratio < needed:
        leverage -= 1
    return leverage


def plan_leverage(
    contracts: dict[str, Contract],
    settings: Settings,
    caps: Callable[[str], Cap] | None = None,
) -> dict[str, int]:
    """The leverage to set ahead of time for every contract, for the largest entry it may see.

    ``caps`` gives the capitalisation of a symbol; without it no table is
    loaded, and coins without amounts of their own count as default-sized.
    """
    protections = Protections(settings)
    fixed: dict[str, list[Decimal]] = {}
    for trigger in settings.trigger:
        for symbol, usd in trigger.notional_usd.items():
            fixed.setdefault(symbol, []).append(usd)

    def largest(symbol: str) -> Decimal:
        cap = caps(symbol) if caps is not None else NoCap.NO_TABLE
        wishes = [
            wished_notional(settings.sizing, symbol, usd, cap)[0]
            for usd in (None, *fixed.get(symbol, ()))
        ]
        return min(max(wishes), settings.limits.position_notional_usd_max)

    return {
        symbol: safe_leverage(
            contract, largest(symbol), settings.leverage.max, protections.stop_pct(symbol)
        )
        for symbol, contract in contracts.items()
        if contract.is_trading
    }
