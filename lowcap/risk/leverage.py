"""How much leverage a symbol may use."""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.contract import Contract
from lowcap.core.money import HUNDRED, ZERO
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


def plan_leverage(contracts: dict[str, Contract], settings: Settings) -> dict[str, int]:
    """The leverage to set ahead of time for every contract, for the size it would trade at."""
    sizing, limits = settings.sizing, settings.limits
    fixed: dict[str, Decimal] = dict(sizing.symbol_usd)
    for trigger in settings.trigger:
        for symbol, usd in trigger.notional_usd.items():
            fixed[symbol] = max(usd, fixed.get(symbol, ZERO))
    return {
        symbol: safe_leverage(
            contract,
            min(
                fixed.get(symbol, sizing.default_usd) * sizing.scale,
                limits.position_notional_usd_max,
            ),
            settings.leverage.max,
            settings.protect.stop_pct,
        )
        for symbol, contract in contracts.items()
        if contract.is_trading
    }
