"""Market capitalisations by ticker: what is known, since when, and for how long it counts."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

# An older table says nothing about the size of a trade.
USABLE_MS = 24 * 3_600_000


class NoCap(StrEnum):
    """Why there is no capitalisation to size by; the value is the word shown to people."""

    UNKNOWN = "unknown cap"
    NO_TABLE = "default"


# A capitalisation in USD, or why there is none.
Cap: TypeAlias = Decimal | NoCap


class CapTable(Struct, frozen=True, kw_only=True):
    """The newest capitalisations in USD by ticker (capitals); only known ones are in it.

    ``loaded_ms`` is the wall time at which the largest coins were read, 0 for
    never. The smaller ones may be older, by the interval set for them.
    """

    usd: dict[str, Decimal] = {}
    loaded_ms: int = 0

    def age_ms(self, now_ms: int) -> int:
        """Milliseconds since it was read; a clock that went back makes no table younger."""
        return abs(now_ms - self.loaded_ms)

    def is_usable(self, now_ms: int) -> bool:
        """Whether sizes may be decided by it: it exists and is at most 24 hours old."""
        return self.loaded_ms > 0 and self.age_ms(now_ms) <= USABLE_MS

    def is_stale(self, now_ms: int, interval_s: int) -> bool:
        """Whether two readings in a row, ``interval_s`` apart, have been missed."""
        return self.loaded_ms > 0 and self.age_ms(now_ms) > 2_000 * interval_s

    def of(self, ticker: str, now_ms: int) -> Cap:
        """The capitalisation of a coin, or why there is none."""
        if not self.is_usable(now_ms):
            return NoCap.NO_TABLE
        return self.usd.get(ticker, NoCap.UNKNOWN)

    def by_size(self) -> list[str]:
        """All tickers, the largest coin first."""
        return sorted(self.usd, key=lambda ticker: (-self.usd[ticker], ticker))
