"""From capitalisations by ticker to capitalisations by symbol."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from lowcap.core.caps import Cap, CapTable, NoCap
from lowcap.core.money import ZERO


class SymbolCaps(Struct, frozen=True):
    """Capitalisations in USD by symbol, and the table that they come from. Empty: none loaded."""

    usd: dict[str, Decimal] = {}
    table: CapTable = CapTable()

    def of(self, symbol: str, now_ms: int) -> Cap:
        """The capitalisation of a symbol's coin, or why there is none."""
        if not self.table.is_usable(now_ms):
            return NoCap.NO_TABLE
        return self.usd.get(symbol, NoCap.UNKNOWN)


def caps_by_symbol(table: CapTable, symbol_of: Callable[[str], str | None]) -> SymbolCaps:
    """``table`` by symbol. ``symbol_of`` gives the symbol of a ticker, None where none trades.

    Several tickers may mean one contract (PEPE and 1000PEPE, MATIC and POL).
    The largest decides: the others are remains of a migration, or copies.
    """
    usd: dict[str, Decimal] = {}
    for ticker, cap in table.usd.items():
        symbol = symbol_of(ticker)
        if symbol is not None:
            usd[symbol] = max(cap, usd.get(symbol, ZERO))
    return SymbolCaps(usd, table)
