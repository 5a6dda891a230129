"""Changing resting orders at the simulated venue (docs/venue.md §5, Modify)."""

from __future__ import annotations

from decimal import Decimal

from lowcap.paper import rules, views
from lowcap.paper.matching import OrderBook
from lowcap.paper.rules import Params
from lowcap.paper.state import PaperAmendment, PaperOrder, VenueError
from lowcap.paper.views import Json

AMENDMENTS_MAX = 10_000
AMENDMENTS_KEPT = 200


class Amendments:
    """Price and total quantity of a LIMIT order replaced in place."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._state = book.state

    def modify(self, params: Params) -> Json:
        """order.modify and PUT /fapi/v1/order.

        A filter breach leaves the order as it was. The order is cancelled
        where the new quantity has been executed already, or where a GTX order
        would cross.
        """
        order = self._open_limit(params)
        contract = self._book.contract(params)
        side = rules.side_param(params)
        if side != order.side:
            raise VenueError(-1106, "Parameter 'side' does not match the order.")
        price = rules.decimal_param(params, "price")
        qty = rules.decimal_param(params, "quantity")
        if "reduceOnly" in params and rules.flag_param(params, "reduceOnly") != order.reduce_only:
            raise VenueError(-5047, "reduceOnly cannot be changed by a modification.")
        if (price, qty) == (order.price, order.qty):
            raise VenueError(-5027, "No need to modify the order.")
        rules.check_qty(contract, qty, market=False)
        rules.check_price(contract, price, side, self._book.board.quotes[contract.symbol].mark)
        self._check_means(order, price, qty)
        self._note(order, price, qty)
        crosses = self._book.touch(order.symbol, side, price) is not None
        if qty <= order.executed or (order.time_in_force == "GTX" and crosses):
            self._book.cancel_order(order)
        else:
            self._put(order, price, qty, crosses=crosses)
        modify_id = rules.int_param(params, "modifyId", 0)
        return views.order_view(order) | {"pair": order.symbol, "modifyId": modify_id}

    def _open_limit(self, params: Params) -> PaperOrder:
        order = self._book.find(params)
        if order is None or not order.is_open:
            raise VenueError(-2013, "Order does not exist.")
        if order.type != "LIMIT":
            raise VenueError(-5025, "Only limit orders are supported.")
        if order.amendments >= AMENDMENTS_MAX:
            raise VenueError(-5026, "The order has been modified too often.")
        return order

    def _check_means(self, order: PaperOrder, price: Decimal, qty: Decimal) -> None:
        """Least notional is -5029 here; what the order binds more than before must be free."""
        if order.reduce_only:
            return
        if qty * price < self._book.contracts[order.symbol].notional_min:
            raise VenueError(-5029, "Order's notional is too small.")
        more = (qty - order.executed) * price - order.remaining * order.price
        if more / self._book.leverage(order.symbol) > self._book.available_balance():
            raise VenueError(-2019, "Margin is insufficient.")
        held = self._book.position(order.symbol).qty
        signed = qty - order.executed if order.side == "BUY" else order.executed - qty
        cap = self._book.contracts[order.symbol].notional_cap_at(self._book.leverage(order.symbol))
        if abs(held + signed) > abs(held) and abs(held + signed) * price > cap:
            raise VenueError(-2027, "Exceeded the maximum allowable position at current leverage.")

    def _put(self, order: PaperOrder, price: Decimal, qty: Decimal, *, crosses: bool) -> None:
        order.price, order.qty = price, qty
        order.updated_ms = self._book.now_ms
        # The priority in the queue is lost: the order goes to the end of its book.
        self._state.orders[order.order_id] = self._state.orders.pop(order.order_id)
        self._book.events.append(views.order_event(order, "AMENDMENT", None, self._book.now_ms))
        if crosses:
            self._book.take(order)

    def _note(self, order: PaperOrder, price: Decimal, qty: Decimal) -> None:
        order.amendments += 1
        self._state.amendments.append(
            PaperAmendment(
                amendment_id=self._state.next_amendment_id,
                order_id=order.order_id,
                client_id=order.client_id,
                symbol=order.symbol,
                time_ms=self._book.now_ms,
                price_before=order.price,
                price_after=price,
                qty_before=order.qty,
                qty_after=qty,
                count=order.amendments,
            )
        )
        self._state.next_amendment_id += 1
        del self._state.amendments[:-AMENDMENTS_KEPT]

    def history(self, params: Params) -> list[Json]:
        """GET /fapi/v1/orderAmendment of a symbol, oldest first."""
        symbol = self._book.contract(params).symbol
        order_id = rules.int_param(params, "orderId", 0)
        client_id = params.get("origClientOrderId")
        limit = max(min(rules.int_param(params, "limit", 50), 100), 1)
        rows = [
            views.amendment_view(row)
            for row in self._state.amendments
            if row.symbol == symbol
            and order_id in (0, row.order_id)
            and client_id in (None, row.client_id)
        ]
        return rows[-limit:]
