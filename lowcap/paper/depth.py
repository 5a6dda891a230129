"""The simulated order book as others see it: levels one tick apart, each as deep as the next.

The same depth everywhere makes a book a function of its quote, so that a
snapshot and the changes that follow it agree (docs/venue.md §7).
"""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.money import ZERO, wire
from lowcap.paper.state import PaperQuote

LEVEL_QTY = "1000"
LEVELS_MAX = 100
Level = list[str]


def levels(quote: PaperQuote, tick: Decimal, limit: int) -> tuple[list[Level], list[Level]]:
    """Bids and asks of a book, best first."""
    bids, asks = _prices(quote, tick, min(limit, LEVELS_MAX))
    return (
        [[wire(price), LEVEL_QTY] for price in bids],
        [[wire(price), LEVEL_QTY] for price in asks],
    )


def changes(
    before: PaperQuote, after: PaperQuote, tick: Decimal
) -> tuple[list[Level], list[Level]]:
    """Levels that differ between two quotes; quantity 0 removes one (§7)."""
    old, new = _prices(before, tick, LEVELS_MAX), _prices(after, tick, LEVELS_MAX)
    bids, asks = (_changed(was, now) for was, now in zip(old, new, strict=True))
    return bids, asks


def _changed(was: list[Decimal], now: list[Decimal]) -> list[Level]:
    gone, come = set(was) - set(now), set(now) - set(was)
    rows = [[wire(price), "0"] for price in sorted(gone)]
    return rows + [[wire(price), LEVEL_QTY] for price in sorted(come)]


def _prices(quote: PaperQuote, tick: Decimal, limit: int) -> tuple[list[Decimal], list[Decimal]]:
    bids = [quote.bid - tick * number for number in range(limit)]
    return [price for price in bids if price > ZERO], [
        quote.ask + tick * number for number in range(limit)
    ]
