"""The venue's word on an account, as a snapshot. Pure; for every shell that reads it."""

from __future__ import annotations

from lowcap.binance.wire import AlgoView, OrderView, PositionRow
from lowcap.core.account import SeenOrder, SeenPosition, Snapshot
from lowcap.core.money import ZERO, decimal_from_wire


def snapshot_from(
    at_ms: int, regular: list[OrderView], algos: list[AlgoView], rows: list[PositionRow]
) -> Snapshot:
    """Both books and the positions as read; ``at_ms`` is the venue's time before the first read.

    Raises:
        ValueError: a number in it is none.
    """
    return Snapshot(at_ms=at_ms, positions=_positions(rows), orders=_orders(regular, algos))


def _positions(rows: list[PositionRow]) -> tuple[SeenPosition, ...]:
    positions = (
        SeenPosition(
            symbol=row.symbol,
            qty=decimal_from_wire(row.positionAmt),
            entry_price=decimal_from_wire(row.entryPrice),
            venue_ms=row.updateTime,
        )
        for row in rows
        if row.positionSide == "BOTH"
    )
    return tuple(p for p in positions if p.qty != ZERO)


def _orders(regular: list[OrderView], algos: list[AlgoView]) -> tuple[SeenOrder, ...]:
    orders = [
        SeenOrder(
            symbol=row.symbol,
            client_id=row.clientOrderId,
            side=row.side,
            qty=decimal_from_wire(row.origQty) - decimal_from_wire(row.executedQty),
            reduces=row.reduceOnly or row.closePosition,
            algo=False,
        )
        for row in regular
    ]
    orders += [
        SeenOrder(
            symbol=algo.symbol,
            client_id=algo.clientAlgoId,
            side=algo.side,
            qty=decimal_from_wire(algo.quantity or "0"),
            reduces=algo.reduceOnly or algo.closePosition,
            algo=True,
        )
        for algo in algos
    ]
    return tuple(orders)
