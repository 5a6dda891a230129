"""What the venue allows for one symbol: grid, limits, leverage brackets."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from lowcap.core.money import ZERO


class LeverageBracket(Struct, frozen=True, kw_only=True):
    """One step of a leverage ladder (reference §4, leverageBracket); notionals in USDT."""

    leverage: int
    notional_cap: Decimal
    notional_floor: Decimal
    maint_margin_ratio: Decimal
    cum: Decimal


class Contract(Struct, frozen=True, kw_only=True):
    """A perpetual contract and its filters (reference §4, exchangeInfo).

    Prices are in USDT per unit of ``base``; a scaled contract such as
    1000PEPEUSDT has ``base`` 1000PEPE.
    """

    symbol: str
    base: str
    status: str
    tick: Decimal
    price_min: Decimal
    price_max: Decimal
    step: Decimal
    qty_min: Decimal
    qty_max: Decimal
    market_qty_max: Decimal
    notional_min: Decimal
    price_up: Decimal
    price_down: Decimal
    brackets: tuple[LeverageBracket, ...] = ()

    @property
    def is_trading(self) -> bool:
        """Whether the venue takes orders for it."""
        return self.status == "TRADING"

    def leverage_for(self, notional: Decimal, leverage_max: int) -> int:
        """The highest leverage at or below ``leverage_max`` whose bracket holds ``notional``."""
        for bracket in self.brackets:
            if notional <= bracket.notional_cap:
                return min(bracket.leverage, leverage_max)
        return 1

    def notional_cap_at(self, leverage: int) -> Decimal:
        """The largest position in USDT that the venue allows at ``leverage``."""
        caps = [b.notional_cap for b in self.brackets if b.leverage >= leverage]
        return max(caps, default=ZERO)

    def maintenance_margin(self, notional: Decimal) -> Decimal:
        """Maintenance margin in USDT of a position of ``notional`` USDT.

        Without a known ladder it is all of it.
        """
        if not self.brackets:
            return notional
        for bracket in self.brackets:
            if notional <= bracket.notional_cap:
                return notional * bracket.maint_margin_ratio - bracket.cum
        last = self.brackets[-1]
        return notional * last.maint_margin_ratio - last.cum
