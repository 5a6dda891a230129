"""Getting flat, safely: what to do next, from what the venue shows. Pure.

Order matters. Resting reduce-only legs make a reduce-only close fail, so they
go first, with the entries. Stops go last, once the venue reports the symbol
flat, so that no position is ever naked.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from lowcap.core.account import SeenOrder, Snapshot
from lowcap.core.contract import Contract
from lowcap.core.money import ZERO, Side, ceil_to_step, floor_to_step
from lowcap.risk.book import Book


class CancelSeen(Struct, frozen=True):
    """Cancel an order that the venue shows."""

    symbol: str
    client_id: str
    algo: bool


class CloseQty(Struct, frozen=True):
    """Close ``qty`` of a position by a reduce-only market order."""

    symbol: str
    side: Side
    qty: Decimal


FlattenStep: TypeAlias = CancelSeen | CloseQty

SETTLE_MARGIN_MS = 1_000
# A read of everything weighs 90, of one symbol 12, out of 2,400 a minute
# (docs/venue.md §4, §8): what does not come off at once goes on at a pace that
# can be kept up, or the address is banned and nothing closes any more.
READ_EVERY_S, READ_WAITING_S, READS_QUICK = 0.15, 0.4, 10
# Where nothing was believed open and nothing was found, no event is on its way
# that the second read would have to wait for.
READ_IDLE_S = 0.02
READ_LATER_S, READ_ALL_LATER_S = 2.0, 8.0
ALARM_AFTER_S = 30.0


def next_steps(
    seen: Snapshot,
    contracts: dict[str, Contract],
    *,
    symbols: set[str] | None,
    ours: dict[str, Decimal] | None,
    prefix: str,
) -> list[FlattenStep]:
    """The next steps for ``symbols`` (None: all of them), each symbol for itself.

    ``ours`` holds our signed quantity by symbol; with None everything is
    closed and every order cancelled, whoever placed it. A foreign reduce-only
    order goes only where it lays claim to what is ours.
    """
    steps: list[FlattenStep] = []
    touched = {p.symbol for p in seen.positions} | {o.symbol for o in seen.orders}
    for symbol in sorted(touched):
        if symbols is None or symbol in symbols:
            steps += _symbol_steps(seen, symbol, contracts, ours, prefix)
    return steps


def _symbol_steps(
    seen: Snapshot,
    symbol: str,
    contracts: dict[str, Contract],
    ours: dict[str, Decimal] | None,
    prefix: str,
) -> list[FlattenStep]:
    shown = [o for o in seen.orders if o.symbol == symbol]
    mine = [o for o in shown if ours is None or o.client_id.startswith(prefix)]
    held = seen.qty(symbol)
    qty = closable(held, None if ours is None else ours.get(symbol, ZERO))
    if held != ZERO and qty == ZERO:
        # What is left here is somebody else's: its stop may be all that guards it.
        mine = [o for o in mine if not o.reduces]
    regular = [o for o in mine if not o.algo]
    if qty != ZERO:
        regular += _rivals([o for o in shown if o not in mine], abs(held) - abs(qty))
    if regular:
        return [CancelSeen(symbol, o.client_id, algo=False) for o in regular]
    if qty != ZERO:
        return _closes(symbol, qty, contracts.get(symbol), whole=qty == held)
    return [CancelSeen(symbol, o.client_id, algo=True) for o in mine]


def _rivals(foreign: list[SeenOrder], foreign_qty: Decimal) -> list[SeenOrder]:
    """Foreign reduce-only orders that claim more than the foreign part, and so block our close."""
    legs = [o for o in foreign if o.reduces and not o.algo]
    return legs if sum((o.qty for o in legs), ZERO) > foreign_qty else []


def ours_of(book: Book) -> dict[str, Decimal]:
    """What is ours by symbol: known fills, and whatever of our entries is not known yet."""
    return {
        symbol: book.position(symbol).own_qty + book.pending_qty(symbol)
        for symbol in book.exposed_symbols()
    }


def closable(held: Decimal, own: Decimal | None) -> Decimal:
    """How much of the venue's position we close: ours, never more than there is."""
    if own is None:
        return held
    if held * own <= ZERO:
        return ZERO
    return held if abs(held) <= abs(own) else own


def _closes(
    symbol: str, qty: Decimal, contract: Contract | None, *, whole: bool
) -> list[FlattenStep]:
    """One market order, or several where the venue limits their size.

    A step that grew coarser leaves a position between two steps: the
    ``whole`` of it is rounded up, and the venue shrinks what only reduces.
    """
    side = Side.SELL if qty > 0 else Side.BUY
    left = abs(qty)
    if contract is None:
        return [CloseQty(symbol, side, left)]
    left = ceil_to_step(left, contract.step) if whole else floor_to_step(left, contract.step)
    most = floor_to_step(contract.market_qty_max, contract.step)
    most = most if most > ZERO else left
    steps: list[FlattenStep] = []
    while left > ZERO:
        part = min(left, most)
        steps.append(CloseQty(symbol, side, part))
        left -= part
    return steps


class FlatProof:
    """Flat is proved by two reads in a row, the later one after the last entry must have died.

    An entry that was written before the stop may still arrive; the venue
    refuses it once its timestamp is older than its receive window.
    ``believed_flat`` says that our own book shows nothing open either.
    """

    def __init__(self, last_entry_dies_ms: int, *, believed_flat: bool = False) -> None:
        self._dies_ms = last_entry_dies_ms + SETTLE_MARGIN_MS
        self._quiet_reads = 0
        self._idle = believed_flat

    def read(self, seen: Snapshot, remaining: list[FlattenStep]) -> bool:
        """Take one read into account; True when flat is proved."""
        self._quiet_reads = 0 if remaining else self._quiet_reads + 1
        self._idle = self._idle and not remaining
        return self._quiet_reads >= 2 and seen.at_ms > self._dies_ms

    @property
    def dies_ms(self) -> int:
        """Venue time after which no earlier entry can arrive any more."""
        return self._dies_ms

    def pause_s(self, seen: Snapshot, *, busy: bool, reads: int, one_symbol: bool) -> float:
        """How long to wait before read number ``reads`` + 1; ``busy`` while steps remain."""
        if not busy:
            if seen.at_ms <= self._dies_ms:
                return READ_WAITING_S
            return READ_IDLE_S if self._idle else READ_EVERY_S
        if reads < READS_QUICK:
            return READ_EVERY_S
        return READ_LATER_S if one_symbol else READ_ALL_LATER_S
