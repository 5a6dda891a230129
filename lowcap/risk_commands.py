"""What the daemon tells operators about leverage: of one symbol, how much and how large."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import trio
import trio.lowlevel

from lowcap.actions import Parts
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core.contract import Contract
from lowcap.core.errors import CommandError
from lowcap.core.messages import Target
from lowcap.core.money import ZERO, percent_of
from lowcap.execution.desk import Desk
from lowcap.position_commands import contract_of

Json = dict[str, Any]


class RiskCommands:
    """The handlers."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self.handlers: dict[str, Handler] = {"leverage": self._leverage}

    async def _leverage(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        contract = parts.venue.contracts[contract_of(parts.desk, params.get("symbol"))]
        usd = None if params.get("usd") is None else _dollars(params["usd"])
        return leverage_row(parts.desk, contract, usd)


def leverage_row(desk: Desk, contract: Contract, usd: Decimal | None) -> Json:
    """What a contract may carry; ``usd`` is a position to look at, None for the usual size."""
    symbol, settings = contract.symbol, desk.settings
    table = desk.tables.of(contract, settings.leverage.max, desk.protections.stop_pct(symbol))
    if usd is None:
        wish = desk.wishes([Target(symbol=symbol, key=symbol)])[0]
        usd = min(wish[0], settings.limits.position_notional_usd_max)
    best, is_set = table.best(usd), desk.venue.leverage.get(symbol)
    at = is_set or best
    bracket_usd, liquidation_usd = table.bounds(at)
    largest = min(bracket_usd, liquidation_usd)
    step = next((b for b in contract.brackets if usd <= b.notional_cap), None)
    margin = desk.margin_available()
    return {
        "symbol": symbol,
        "usd": f"{usd:.2f}",
        "set": is_set,
        "best": best,
        "at": at,
        "largest_usd": f"{largest:.2f}",
        "bracket_usd": f"{bracket_usd:.2f}",
        "liquidation_usd": f"{liquidation_usd:.2f}",
        "bound_by": "bracket" if bracket_usd <= liquidation_usd else "liquidation distance",
        "bracket": None
        if step is None
        else {
            "floor_usd": f"{step.notional_floor:f}",
            "cap_usd": f"{step.notional_cap:f}",
            "leverage_max": step.leverage,
            "maintenance_pct": f"{step.maint_margin_ratio * 100:f}",
        },
        "stop_pct": f"{table.stop_pct:f}",
        "margin_usd": f"{usd / at:.2f}",
        "margin_allowed_usd": f"{percent_of(margin, settings.limits.margin_pct_max):.2f}",
        "fits": usd <= largest,
        "brackets_age_s": (desk.now_ms() - desk.venue.brackets_ms) // 1000,
        "filters_age_s": (desk.now_ms() - desk.venue.filters_ms) // 1000,
        "brackets_fault": desk.venue.brackets_fault,
    }


def _dollars(given: object) -> Decimal:
    try:
        usd = Decimal(str(given))
    except ArithmeticError:
        usd = ZERO
    if not (usd.is_finite() and ZERO < usd <= 10**12):
        raise CommandError(f"--usd {str(given)[:40]!r}: expected dollars, more than 0")
    return usd
