"""What an execution does to a position, and what the wallet was charged for (docs/venue.md §4)."""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.money import ZERO
from lowcap.paper.state import PaperIncome, PaperPosition, PaperState

INCOME_KEPT = 2_000
FINAL_ORDERS_KEPT = 300
UNIT = Decimal("0.00000001")


def in_units(amount: Decimal) -> Decimal:
    """``amount`` in whole hundred-millionths: what a wallet can hold and events can tell."""
    return amount.quantize(UNIT)


def move_position(position: PaperPosition, signed: Decimal, price: Decimal, now_ms: int) -> Decimal:
    """Apply a signed execution; the profit it realises, before fees."""
    held = position.qty
    realized = ZERO
    if held == ZERO or (held > 0) == (signed > 0):
        total = held + signed
        value = abs(held) * position.entry_price + abs(signed) * price
        position.entry_price = (value / abs(total)).quantize(Decimal("1e-12"))
    else:
        closed = min(abs(held), abs(signed))
        direction = 1 if held > 0 else -1
        realized = in_units(closed * (price - position.entry_price) * direction)
        if abs(signed) > abs(held):
            position.entry_price = price
    position.qty = held + signed
    if position.qty == ZERO:
        position.entry_price = position.added_margin = ZERO
    position.realized += realized
    position.updated_ms = now_ms
    return realized


def book(
    state: PaperState, kind: str, symbol: str, amount: Decimal, now_ms: int, trade_id: int = 0
) -> None:
    """Remember what the wallet gained or paid, for GET income."""
    state.income.append(
        PaperIncome(
            number=state.next_income_id,
            symbol=symbol,
            kind=kind,
            amount=amount,
            time_ms=now_ms,
            trade_id=trade_id,
        )
    )
    state.next_income_id += 1
    del state.income[:-INCOME_KEPT]


def forget_old_orders(state: PaperState) -> None:
    """Drop the oldest finished orders once there are many."""
    if len(state.orders) <= FINAL_ORDERS_KEPT * 2:
        return
    final = [order_id for order_id, order in state.orders.items() if not order.is_open]
    for order_id in final[:-FINAL_ORDERS_KEPT]:
        del state.orders[order_id]
