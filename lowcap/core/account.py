"""The venue's account as read at one moment, for recovery, reconciliation and flattening."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct


class SeenPosition(Struct, frozen=True, kw_only=True):
    """A position that the venue reports; ``qty`` is signed."""

    symbol: str
    qty: Decimal
    entry_price: Decimal
    venue_ms: int


class SeenOrder(Struct, frozen=True, kw_only=True):
    """An open order of the regular book, or of the algo book (``algo``)."""

    symbol: str
    client_id: str
    side: str
    qty: Decimal
    reduces: bool
    algo: bool


class Income(Struct, frozen=True, kw_only=True):
    """One row of the venue's income history: what moved the wallet, and by how much of ``asset``.

    ``kind`` is the venue's own word. ``trade_id`` names the execution behind a
    commission or a realised profit, 0 where there is none.
    """

    kind: str
    symbol: str
    amount: Decimal
    asset: str
    tran_id: int
    trade_id: int
    venue_ms: int


class Snapshot(Struct, frozen=True, kw_only=True):
    """Positions and both books, read one after the other; ``at_ms`` is venue time before."""

    at_ms: int
    positions: tuple[SeenPosition, ...]
    orders: tuple[SeenOrder, ...]

    def qty(self, symbol: str) -> Decimal:
        """The signed quantity of a symbol; zero where no position is reported."""
        return next((p.qty for p in self.positions if p.symbol == symbol), Decimal(0))
