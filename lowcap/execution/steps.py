"""What protection may ask for, and what it looks at. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from lowcap.core.contract import Contract
from lowcap.core.messages import OrderPlan
from lowcap.core.money import ZERO, Side
from lowcap.core.order import Order, Status
from lowcap.risk.book import Book, Position
from lowcap.settings import Protect

TRIES_MAX = 3
RETRY_AFTER_MS = 200


class Place(Struct, frozen=True):
    """Send this order."""

    plan: OrderPlan


class Cancel(Struct, frozen=True):
    """Take this order out of the book."""

    client_id: str


class CloseNow(Struct, frozen=True):
    """The position cannot be protected, or its time is over: close it at the market."""

    symbol: str
    why: str


class PauseSymbol(Struct, frozen=True):
    """Somebody works against us on this symbol: no new exposure there."""

    symbol: str
    why: str


Step: TypeAlias = Place | Cancel | CloseNow | PauseSymbol


class Look(Struct, kw_only=True):
    """What protection sees of one symbol at one moment.

    ``best`` is the best mark price since the stop began to follow, ``atr``
    the average true range in USDT; None where it is not known.
    """

    book: Book
    symbol: str
    contract: Contract
    protect: Protect
    now_ms: int
    recv_window_ms: int
    time_exit_s: int = 0
    best: Decimal | None = None
    atr: Decimal | None = None

    @property
    def position(self) -> Position:
        """The position looked at."""
        return self.book.position(self.symbol)

    @property
    def sign(self) -> int:
        """+1 for a long position, -1 for a short one."""
        return 1 if self.position.own_qty > ZERO else -1

    @property
    def exit_side(self) -> Side:
        """The side of the orders that reduce it."""
        return Side.SELL if self.sign > 0 else Side.BUY


def refused_since(orders: list[Order], seq: int) -> list[Order]:
    """Those that the venue, or we, would not have, newer than the record ``seq``."""
    refused = (Status.REJECTED, Status.DENIED)
    return [o for o in orders if o.status in refused and o.seq > seq]


def too_soon(refused: list[Order], now_ms: int) -> bool:
    """Whether to wait before asking again: longer after each refusal."""
    return bool(refused) and now_ms - refused[-1].updated_ms < RETRY_AFTER_MS * len(refused)
