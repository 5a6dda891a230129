"""What an event of the user data stream means for the book, in any order, twice, or late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcap.binance.userevents import (
    AccountEvent,
    AlgoEvent,
    AnyEvent,
    ConfigEvent,
    LiteEvent,
    MarginCall,
    OrderEvent,
    TriggerRejected,
)
from lowcap.binance.wire import OrderEventBody
from lowcap.core import facts
from lowcap.core.ids import prefix
from lowcap.core.money import ZERO
from lowcap.execution import reports
from lowcap.execution.forced import forced_by, take_forced

if TYPE_CHECKING:
    from lowcap.execution.desk import Desk

# The full report of an execution follows its hint within milliseconds, or has been lost.
REPORT_WITHIN_MS = 500
# Reasons of an account event that leave the wallet alone, or that orders tell about.
WITHOUT_INCOME = frozenset({"", "ORDER", "MARGIN_TYPE_CHANGE", "MARGIN_TRANSFER"})


def take_event(desk: Desk, event: AnyEvent | str) -> None:
    """Record what is news in ``event``, then look after the symbols that it names."""
    desk.heard_ms, desk.awaiting_event_ms = desk.now_ms(), 0
    match event:
        case OrderEvent():
            _take_order(desk, event.body)
        case AlgoEvent():
            _take_algo(desk, event)
        case AccountEvent():
            _take_account(desk, event)
        case LiteEvent():
            _take_hint(desk, event)
        case TriggerRejected():
            _take_rejected(desk, event)
        case ConfigEvent():
            _take_config(desk, event)
        case MarginCall():
            names = ", ".join(event.symbols)
            desk.alarm("margin-call", f"close to liquidation: {names}", "lowcapctl positions")
        case str() if event.startswith("unreadable"):
            desk.alarm("user-event", f"user data event {event}")


def _take_order(desk: Desk, body: OrderEventBody) -> None:
    order = desk.book.orders.get(body.c)
    if order is None and (parent := desk.children.get(body.i)) is not None:
        order = desk.book.orders.get(parent)
    if order is None and forced_by(body.c):
        take_forced(desk, body)
        return
    if order is None:
        desk.foreign_events += 1
        if body.x == "TRADE":
            desk.read_again("income")
        if body.c.startswith(prefix(desk.mode)):
            desk.alarm("orphan", f"{body.c} has no intent in the ledger", "lowcapctl orders")
        return
    if body.x == "TRADE" and body.t and body.t not in order.trade_ids:
        desk.record(reports.fill_of(order, body), order.seq)
    desk.note(order, reports.of_order_event(order, body))
    desk.look_after(body.s)


def _take_algo(desk: Desk, event: AlgoEvent) -> None:
    order = desk.book.orders.get(event.body.caid)
    if order is None:
        desk.foreign_events += 1
        return
    if event.child_id:
        desk.children[event.child_id] = order.client_id
    desk.note(order, reports.of_algo_event(order, event))
    if order.is_final:
        desk.children = {i: name for i, name in desk.children.items() if name in desk.book.orders}
    desk.look_after(order.symbol)


def _take_hint(desk: Desk, event: LiteEvent) -> None:
    """An execution that the full report must confirm, or else a query."""
    order = desk.book.orders.get(event.client_id)
    if order is not None and event.trade_id not in order.trade_ids:
        due_ms = desk.now_ms() + REPORT_WITHIN_MS
        desk.to_ask.setdefault(order.client_id, (due_ms, event.trade_id))


def _take_rejected(desk: Desk, event: TriggerRejected) -> None:
    """A stop that triggered in vain leaves its position bare: it is asked for at once."""
    for order in desk.book.orders_of(event.symbol):
        if order.is_algo and order.order_id == event.order_id:
            desk.alarm("trigger-rejected", f"{order.client_id}: {event.reason}")
            desk.to_ask[order.client_id] = (desk.now_ms(), 0)


def _take_config(desk: Desk, event: ConfigEvent) -> None:
    """Modes and leverage that somebody changed behind us are read, and put right."""
    if event.multi_assets:
        desk.alarm("account-mode", "the account was switched to multi-assets mode")
        desk.read_again("contracts")
    known = desk.venue.leverage.get(event.symbol)
    if known is not None and known != event.leverage:
        desk.alarm("leverage", f"{event.symbol}: {known}x was changed to {event.leverage}x")
        del desk.venue.leverage[event.symbol]
        desk.read_again("leverage")


def _take_account(desk: Desk, event: AccountEvent) -> None:
    if event.wallet_usdt is not None:
        desk.venue.wallet_usdt = event.wallet_usdt
    if event.reason not in WITHOUT_INCOME:
        desk.read_again("income")
    for symbol in event.crossed:
        if desk.venue.leverage.pop(symbol, None) is not None:
            desk.alarm("leverage", f"{symbol}: its margin is not isolated any more")
            desk.read_again("leverage")
    for symbol, qty, entry_price in event.positions:
        if qty == ZERO and symbol not in desk.book.state.positions:
            continue  # a change of margin type, not of a position
        desk.record(
            facts.PositionSeen(
                symbol=symbol,
                qty=qty,
                entry_price=entry_price,
                source="stream",
                venue_ms=event.at_ms,
            )
        )
        desk.look_after(symbol)
