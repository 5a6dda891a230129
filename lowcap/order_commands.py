"""What the daemon answers about orders: open ones, ended ones, and what was turned down."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import trio
import trio.lowlevel

from lowcap.actions import Parts, whole_number
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS, iso_ms
from lowcap.core.errors import CommandError
from lowcap.core.facts import Record
from lowcap.core.order import Order, Status
from lowcap.rows import order_row

Json = dict[str, Any]
ORDERS_SHOWN, REFUSALS_KEPT = 100, 1_000
TURNED_DOWN = frozenset({Status.REJECTED, Status.DENIED})


class OrderCommands:
    """The handler; ``read`` takes in what the gate refused, for it never became an order."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self._refusals: deque[Json] = deque(maxlen=REFUSALS_KEPT)
        self.handlers: dict[str, Handler] = {"orders": self._orders}

    def read(self, record: Record) -> None:
        """Take a ledger record in."""
        if isinstance(record.body, facts.Refused):
            self._refusals.append(refusal_row(record, record.body))

    async def _orders(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        book = self._ready().desk.book
        given = params.get("count")
        count = ORDERS_SHOWN if given is None else max(1, whole_number("count", given))
        asked = [name for name in ("open", "closed", "rejected", "id") if params.get(name)]
        if len(asked) > 1:
            raise CommandError(f"--{asked[0]} and --{asked[1]}: one of them, not both")
        if params.get("rejected"):
            rows = [order_row(order) for order in book.orders.values() if _turned_down(order)]
            return sorted([*rows, *self._refusals], key=lambda row: str(row["updated"]))[-count:]
        wanted = str(params.get("id") or "")
        orders = [
            order
            for order in book.orders.values()
            if not (wanted and wanted not in (order.client_id, str(order.order_id)))
            and not (params.get("open") and order.is_final)
            and not (params.get("closed") and not order.is_final)
        ]
        return [order_row(order) for order in orders[-count:]]


def _turned_down(order: Order) -> bool:
    return order.status in TURNED_DOWN


def refusal_row(record: Record, fact: facts.Refused) -> Json:
    """What the gate refused, in the shape of an order that never was."""
    return {
        "client_id": None,
        "symbol": fact.symbol,
        "purpose": "entry",
        "side": fact.side.value,
        "type": None,
        "qty": None,
        "price": None,
        "trigger_price": None,
        "status": "refused",
        "executed_qty": "0",
        "average_price": None,
        "order_id": 0,
        "updated": iso_ms(record.ts // NS_PER_MS),
        "reason": f"{fact.check}: {fact.measured} (limit {fact.limit})",
        "trace": record.cause or record.seq,
    }
