"""Positions that the venue closes by force: liquidation, deleveraging, settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcap.binance.wire import OrderEventBody
from lowcap.core import facts
from lowcap.core.facts import OrderIntended
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO, Side, decimal_from_wire
from lowcap.execution import reports

if TYPE_CHECKING:
    from lowcap.execution.desk import Desk

# Own ids of the venue's orders (docs/venue.md §6), and what they mean.
_FORCED = {
    "autoclose-": "liquidation",
    "adl_autoclose": "auto-deleveraging",
    "settlement_autoclose-": "settlement",
}
_EXECUTED = frozenset({"TRADE", "CALCULATED"})
SYMBOL = "symbol"


def forced_by(client_id: str) -> str:
    """Why the venue placed an order of this id; empty where somebody else did."""
    return next((why for start, why in _FORCED.items() if client_id.startswith(start)), "")


def take_forced(desk: Desk, body: OrderEventBody) -> None:
    """An execution of the venue's own: the loss is ours, and the symbol is paused.

    Its order enters the book as a close of ours, so that quantity, profit and
    repeated reports are counted as those of any other.
    """
    why, qty = forced_by(body.c), decimal_from_wire(body.l)
    symbol_off(desk, body.s, f"{why} of a position")
    if body.x not in _EXECUTED or qty <= ZERO or decimal_from_wire(body.L) <= ZERO:
        return
    position = desk.book.position(body.s)
    desk.alarm(
        "forced-close", f"{body.s}: {why}, {body.S} {qty} at {body.L}", "lowcapctl positions"
    )
    if position.own_qty * Side(body.S).sign >= ZERO:
        desk.foreign_events += 1
        return  # nothing of ours on that side
    intent = OrderIntended(
        client_id=body.c,
        symbol=body.s,
        side=Side(body.S),
        purpose=Purpose.CLOSE,
        type="MARKET",
        leg="x",
        recv_window_ms=0,
        timestamp_ms=body.T,
        reduce_only=True,
    )
    order_seq = desk.record(intent, position.opened_seq).seq
    order = desk.book.orders[body.c]
    desk.record(reports.fill_of(order, body), order_seq)
    desk.note(order, reports.of_order_event(order, body))
    desk.look_after(body.s)


def symbol_off(desk: Desk, symbol: str, reason: str) -> None:
    """No new exposure in a symbol until a person switches it on again."""
    if f"{SYMBOL}:{symbol}" not in desk.book.state.switched_off:
        desk.record(
            facts.Switched(kind=SYMBOL, name=symbol, enabled=False, who="auto", reason=reason)
        )
