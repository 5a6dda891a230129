"""How much leverage a symbol may use, and how large a position may be at the leverage it has.

Everything is worked out ahead of time into a table for each contract, when
its brackets or the settings change; the gate only looks things up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from decimal import ROUND_FLOOR, Decimal

from lowcap.core.caps import Cap, NoCap
from lowcap.core.contract import Contract, LeverageBracket
from lowcap.core.money import HUNDRED, ZERO
from lowcap.risk.sizing import wished_notional
from lowcap.settings import Settings

# The stop must trigger long before the position would be liquidated.
LIQUIDATION_TO_STOP_MIN = 2
_CENT = Decimal("0.01")
# Per cent from the entry price to the stop, by symbol.
StopOf = Callable[[str], Decimal]


class LeverageTable:
    """What one contract allows at every leverage up to ``leverage_max``; notionals in USDT.

    Two things bound a position at a leverage: the venue's bracket, and the
    distance to liquidation. The price move to liquidation is one over leverage
    less the maintenance margin ratio, which grows with the position; it must
    be at least twice the move to the stop.
    """

    def __init__(self, contract: Contract, leverage_max: int, stop_pct: Decimal) -> None:
        self.contract = contract
        self.leverage_max = leverage_max
        self.stop_pct = stop_pct
        self._needed = LIQUIDATION_TO_STOP_MIN * stop_pct / HUNDRED
        # By leverage, from 1 up: the bracket's bound and the liquidation distance's.
        levels = range(1, leverage_max + 1)
        self._venue = [contract.notional_cap_at(leverage) for leverage in levels]
        self._safe = [
            _largest_far_from_liquidation(contract.brackets, leverage, self._needed)
            for leverage in levels
        ]
        # The smaller of both for the highest leverage first: ascending, to be bisected.
        self._edges = [min(pair) for pair in zip(self._venue, self._safe, strict=True)][::-1]

    def fits(self, contract: Contract, leverage_max: int, stop_pct: Decimal) -> bool:
        """Whether this is the table of these three."""
        return (
            self.leverage_max == leverage_max
            and (self.contract is contract or self.contract == contract)
            and self.stop_pct == stop_pct
        )

    def best(self, notional: Decimal) -> int:
        """The highest leverage that a position of ``notional`` may have; 1 where none is enough."""
        return max(self.leverage_max - bisect_left(self._edges, notional), 1)

    def largest(self, leverage: int) -> Decimal:
        """The largest position at ``leverage`` within bracket and liquidation distance."""
        if 1 <= leverage <= self.leverage_max:
            return self._edges[self.leverage_max - leverage]
        return min(self.bounds(leverage))

    def bounds(self, leverage: int) -> tuple[Decimal, Decimal]:
        """The bracket's bound at ``leverage`` and the liquidation distance's, apart."""
        if 1 <= leverage <= self.leverage_max:
            return self._venue[leverage - 1], self._safe[leverage - 1]
        # Set by somebody else, or before the ceiling was lowered: rare enough to work out.
        safe = _largest_far_from_liquidation(self.contract.brackets, leverage, self._needed)
        return self.contract.notional_cap_at(leverage), safe


def _largest_far_from_liquidation(
    brackets: tuple[LeverageBracket, ...], leverage: int, needed: Decimal
) -> Decimal:
    """The largest notional whose liquidation is ``needed`` (a fraction) away, in whole cents.

    In one bracket: 1/L - (ratio - cum/n) >= needed, which is
    n (L (ratio + needed) - 1) <= L cum. No quotient is rounded on the way.
    """
    largest = ZERO
    for bracket in brackets:
        excess = leverage * (bracket.maint_margin_ratio + needed) - 1
        edge = leverage * bracket.cum / excess if excess > ZERO else bracket.notional_cap
        if edge < bracket.notional_cap:
            # Where the ratio is too high already as the bracket begins, the one before was it.
            return max(edge.quantize(_CENT, ROUND_FLOOR), largest)
        largest = bracket.notional_cap
    return largest


class LeverageTables:
    """The tables of all contracts, each built once for what it is built from."""

    def __init__(self) -> None:
        self._by_symbol: dict[str, LeverageTable] = {}

    def of(self, contract: Contract, leverage_max: int, stop_pct: Decimal) -> LeverageTable:
        """The table of a contract: prepared, else built now and kept."""
        table = self._by_symbol.get(contract.symbol)
        if table is None or not table.fits(contract, leverage_max, stop_pct):
            table = LeverageTable(contract, leverage_max, stop_pct)
            self._by_symbol[contract.symbol] = table
        return table

    def prepare(
        self, contracts: Mapping[str, Contract], leverage_max: int, stop_of: StopOf
    ) -> None:
        """Build what is missing or out of date, and forget contracts that are gone."""
        self._by_symbol = {
            symbol: self.of(contract, leverage_max, stop_of(symbol))
            for symbol, contract in contracts.items()
        }


def plan_leverage(
    contracts: Mapping[str, Contract],
    settings: Settings,
    tables: LeverageTables,
    stop_of: StopOf,
    caps: Callable[[str], Cap] | None = None,
) -> dict[str, int]:
    """The leverage to set ahead of time for every contract, for the largest entry it may see.

    ``caps`` gives the capitalisation of a symbol; without it no table of them
    is loaded, and coins without amounts of their own count as default-sized.
    """
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
        symbol: tables.of(contract, settings.leverage.max, stop_of(symbol)).best(largest(symbol))
        for symbol, contract in contracts.items()
        if contract.is_trading
    }
