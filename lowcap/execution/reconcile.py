"""Belief against the venue's own word. Pure: differences in, facts and questions out."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from lowcap.core.account import SeenOrder, Snapshot
from lowcap.core.facts import OwnershipSettled, PositionSeen
from lowcap.core.money import ZERO
from lowcap.core.order import RESTING
from lowcap.risk.book import Book, unsettled_qty

# Reads may lag behind events by this much; younger orders are left to the stream.
LAG_MS = 2_000


class Findings(Struct, kw_only=True):
    """What a comparison found. ``differences`` is for people; empty means belief was right."""

    differences: list[str]
    positions: list[PositionSeen]
    ownership: list[OwnershipSettled]
    ask_about: list[str]
    orphans: list[SeenOrder]


def compare(book: Book, seen: Snapshot, now_ms: int, prefix: str) -> Findings:
    """Compare ``book`` with what the venue shows. The venue wins."""
    found = Findings(differences=[], positions=[], ownership=[], ask_about=[], orphans=[])
    symbols = {p.symbol for p in seen.positions} | set(book.state.positions)
    for symbol in sorted(symbols):
        _compare_position(book, seen, symbol, found)
    _compare_orders(book, seen, now_ms, prefix, found)
    return found


def _compare_position(book: Book, seen: Snapshot, symbol: str, found: Findings) -> None:
    position = book.position(symbol)
    held = next((p for p in seen.positions if p.symbol == symbol), None)
    qty = held.qty if held is not None else ZERO
    if max(position.venue_ms, position.fill_ms) > seen.at_ms:
        return  # an event newer than this read has spoken
    if qty != position.qty:
        found.differences.append(f"{symbol}: position {position.qty} is {qty} at the venue")
        found.positions.append(
            PositionSeen(
                symbol=symbol,
                qty=qty,
                entry_price=held.entry_price if held is not None else ZERO,
                source="query",
                # It held when it was read, however long ago it last changed.
                venue_ms=max(held.venue_ms, seen.at_ms) if held is not None else seen.at_ms,
            )
        )
    _compare_ownership(book, symbol, qty, found)


def _compare_ownership(book: Book, symbol: str, qty: Decimal, found: Findings) -> None:
    """Ours is what our fills add up to, never more than there is; the rest is foreign."""
    if any(o.symbol == symbol and unsettled_qty(o) > ZERO for o in book.orders.values()
           if o.status not in RESTING):  # fmt: skip
        return  # fills are still to be reported or asked for
    own = book.position(symbol).own_qty
    settled = own
    if own * qty <= ZERO:
        settled = ZERO
    elif abs(own) > abs(qty):
        settled = qty
    foreign = qty - settled
    if settled != own or foreign != book.state.foreign.get(symbol, ZERO):
        why = f"venue holds {qty}, our fills add up to {own}"
        found.differences.append(f"{symbol}: {why}")
        found.ownership.append(
            OwnershipSettled(symbol=symbol, own_qty=settled, foreign_qty=foreign, why=why)
        )


def _compare_orders(book: Book, seen: Snapshot, now_ms: int, prefix: str, found: Findings) -> None:
    resting = {o.client_id for o in seen.orders}
    for order in book.open_orders():
        if order.status not in RESTING or order.client_id in resting:
            continue
        if now_ms - order.updated_ms > LAG_MS:
            found.differences.append(f"{order.client_id}: {order.status} but not in the book")
            found.ask_about.append(order.client_id)
    for shown in seen.orders:
        known = book.orders.get(shown.client_id)
        if not shown.client_id.startswith(prefix):
            continue
        if known is None:
            if _guards_a_stranger(book, seen, shown):
                continue  # it stays; the position that it guards is blocked as foreign
            found.differences.append(f"{shown.client_id}: at the venue without an intent")
            found.orphans.append(shown)
        elif known.is_final and now_ms - known.updated_ms > LAG_MS:
            found.differences.append(f"{shown.client_id}: {known.status} but still in the book")
            found.orphans.append(shown)


def _guards_a_stranger(book: Book, seen: Snapshot, shown: SeenOrder) -> bool:
    """An exit on a position that is not in our books: taking it away could leave that bare."""
    held, own = seen.qty(shown.symbol), book.position(shown.symbol).own_qty
    return shown.reduces and held != ZERO and own == ZERO
