"""Prices, quantities and dollars as Decimals, and the only places that round them.

Rounding is named by its direction. Quantities always round toward zero, so a
rounded order is never larger than what was decided.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

ZERO = Decimal(0)
HUNDRED = Decimal(100)
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?\Z")


class Side(StrEnum):
    """Direction of an order, in the venue's words."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: the sign of the position that the order builds."""
        return 1 if self is Side.BUY else -1


def decimal_from_wire(text: str) -> Decimal:
    """A plain ASCII decimal of the wire. No exponent, no NaN, no infinity, no foreign digits.

    Raises:
        ValueError: the text is anything else.
    """
    if _NUMBER.match(text) is None:
        raise ValueError(f"not a plain decimal: {text[:40]!r}")
    return Decimal(text)


def floor_to_step(qty: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is at most ``qty`` (for quantities ≥ 0)."""
    # Integer division is exact; a quotient of 28 digits could round up to the next step.
    return qty // step * step


def ceil_to_step(qty: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of ``step`` that is at least ``qty``: for exits that only reduce."""
    floor = floor_to_step(qty, step)
    return floor if floor == qty else floor + step


def price_to_tick(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    """``price`` moved to the tick grid, upwards or downwards."""
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return (price / tick).to_integral_value(rounding) * tick


def limit_inside_collar(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """An entry limit on the grid that never leaves the collar: BUY rounds down, SELL up."""
    return price_to_tick(price, tick, up=side is Side.SELL)


def stop_to_tick(price: Decimal, tick: Decimal, position_sign: int) -> Decimal:
    """A stop price on the grid, never further from the market: long rounds up, short down."""
    return price_to_tick(price, tick, up=position_sign > 0)


def wire(value: Decimal) -> str:
    """A Decimal as the venue wants it: plain digits, no exponent."""
    return format(value, "f")


def percent_of(value: Decimal, percent: Decimal) -> Decimal:
    """``percent`` per cent of ``value``."""
    return value * percent / HUNDRED
