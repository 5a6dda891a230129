"""How many dollars an entry may be: the wish, then every limit; the smallest wins and is named."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from lowcap.core.caps import Cap, NoCap
from lowcap.core.money import ZERO, percent_of
from lowcap.settings import Limits, Sizing

# Names of ``sizing.tiers`` by position, largest first.
TIER_NAMES = ("mega", "large", "mid", "small", "micro", "nano")

# Dollars and the word for what decided them.
Wish = tuple[Decimal, str]


class Size(Struct, frozen=True):
    """A notional in USD, what decided it, and what was wished for."""

    notional_usd: Decimal
    decided_by: str
    wished_usd: Decimal


def tier_of(sizing: Sizing, cap: Decimal) -> Wish:
    """The tier of a capitalisation in USD: its size, not scaled, and its name.

    Lower bounds are inclusive, and the last tier takes whatever is left.
    """
    tiers = list(zip(TIER_NAMES, sizing.tiers, strict=False))
    for name, (floor, usd) in tiers:
        if cap >= floor:
            return usd, name
    name, (_, usd) = tiers[-1]
    return usd, name


def wished_notional(
    sizing: Sizing, symbol: str, trigger_usd: Decimal | None, cap: Cap = NoCap.NO_TABLE
) -> Wish:
    """The configured dollars for a symbol, and what decided them.

    The first that applies: the trigger's own amount, the symbol's, the tier of
    the capitalisation, ``unknown_usd`` for a coin without one, and
    ``default_usd`` where no usable table is loaded. All times ``scale``.
    """
    if trigger_usd is not None:
        usd, word = trigger_usd, "trigger"
    elif symbol in sizing.symbol_usd:
        usd, word = sizing.symbol_usd[symbol], "symbol"
    elif isinstance(cap, Decimal):
        usd, name = tier_of(sizing, cap)
        word = f"tier {name}"
    elif cap is NoCap.UNKNOWN:
        usd, word = sizing.unknown_usd, cap.value
    else:
        usd, word = sizing.default_usd, cap.value
    return usd * sizing.scale, word


def share_out(wishes: Sequence[Wish], most: Decimal) -> list[Wish]:
    """The wishes of one signal, in order, cut so that together they are at most ``most`` USD.

    Earlier ones are served in full: a trigger names its main coin first. The
    one that would cross the limit gets what is left and those behind it
    nothing, decided by ``sizing.signal_usd_max``.
    """
    left, shares = most, []
    for usd, word in wishes:
        share = min(usd, left)
        left -= share
        shares.append((share, word if share == usd else "sizing.signal_usd_max"))
    return shares


def is_bound(word: str) -> bool:
    """Whether what decided a wish is a limit that has cut it already, and not where it comes from.

    Limits are named by their path in the configuration.
    """
    return word.startswith(("limits.", "sizing."))


class VenueBounds(Struct, frozen=True):
    """What the venue's side of an entry allows, in USD at mark, beside what is held already."""

    bracket_usd: Decimal
    liquidation_usd: Decimal
    order_usd: Decimal


def size_entry(
    wish: Wish,
    limits: Limits,
    venue: VenueBounds,
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
        (venue.bracket_usd - held_usd, f"venue bracket at {leverage}x"),
        (venue.liquidation_usd - held_usd, f"liquidation distance at {leverage}x"),
        (venue.order_usd, "venue's largest order"),
    ]
    notional, decided_by = min(bounds, key=lambda bound: bound[0])
    return Size(max(notional, ZERO), decided_by, wish[0])
