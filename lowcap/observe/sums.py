"""Trades and sums of money: the plain values that the accounts are made of. Pure."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from lowcap.core.money import ZERO, Side

BPS = Decimal(10_000)
# What the venue calls its bookings (docs/venue.md §4), by what they mean here.
FUNDING = frozenset({"FUNDING_FEE", "SPECIAL_FUNDING_FEE"})
LIQUIDATION = frozenset({"INSURANCE_CLEAR", "LIQUIDATION_FEE"})
OF_EXECUTIONS = frozenset({"COMMISSION", "REALIZED_PNL"})
TRANSFERS = frozenset(
    {
        *("TRANSFER", "INTERNAL_TRANSFER", "CROSS_COLLATERAL_TRANSFER"),
        *("STRATEGY_UMFUTURES_TRANSFER", "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW"),
        *("AUTO_EXCHANGE", "DEPOSIT", "WITHDRAW"),
    }
)


class Sums(Struct, kw_only=True, array_like=True):
    """Money in USDT, signed as it moved the wallet, but fees, which are what was paid.

    ``slippage`` is what fills cost against the price that was decided on,
    ``decided`` the notional at that price. ``not_ours`` moved the wallet and
    came from no order of ours; ``transfers`` are no result at all.
    """

    realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    liquidation: Decimal = ZERO
    other: Decimal = ZERO
    not_ours: Decimal = ZERO
    transfers: Decimal = ZERO
    volume: Decimal = ZERO
    slippage: Decimal = ZERO
    decided: Decimal = ZERO
    trades: int = 0
    wins: int = 0
    losses: int = 0

    @property
    def result(self) -> Decimal:
        """What our trading made: profit less fees, funding and what liquidations cost."""
        return self.realized - self.fees + self.funding + self.liquidation + self.other

    @property
    def moved(self) -> Decimal:
        """What the wallet moved by, whoever moved it."""
        return self.result + self.not_ours + self.transfers

    @property
    def slippage_bps(self) -> Decimal | None:
        """Slippage in hundredths of a per cent of the notional decided on; positive is worse."""
        return self.slippage / self.decided * BPS if self.decided > ZERO else None

    def add(self, more: Sums) -> None:
        """Add another sum to this one."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(more, name))


class Trade(Struct, kw_only=True, array_like=True):
    """One position of ours from its first fill until it is flat.

    ``number`` is the intent of the entry that opened it; trigger and feed are
    that entry's. Times are the venue's milliseconds, values price × quantity.
    """

    number: int
    symbol: str
    side: Side
    trigger: str
    feed: str
    opened_ms: int
    closed_ms: int = 0
    last_ms: int = 0
    qty: Decimal = ZERO
    entry_value: Decimal = ZERO
    exit_qty: Decimal = ZERO
    exit_value: Decimal = ZERO
    sums: Sums

    @property
    def entry_price(self) -> Decimal | None:
        """Mean price of the entry fills."""
        return self.entry_value / self.qty if self.qty else None

    @property
    def exit_price(self) -> Decimal | None:
        """Mean price of the exit fills."""
        return self.exit_value / self.exit_qty if self.exit_qty else None
