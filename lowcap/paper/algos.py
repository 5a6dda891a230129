"""The conditional (algo) order book of the simulated venue (docs/venue.md §5, §6)."""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.contract import Contract
from lowcap.core.money import ZERO
from lowcap.paper import rules, triggers, views
from lowcap.paper.matching import TIME_IN_FORCE, OrderBook
from lowcap.paper.rules import Params
from lowcap.paper.state import PaperAlgo, VenueError

ALGO_ORDERS_MAX = 200
FINAL_ALGOS_KEPT = 200
_WORKING_TYPES = frozenset({"CONTRACT_PRICE", "MARK_PRICE"})
_LIMITS = frozenset({"STOP", "TAKE_PROFIT"})


class AlgoBook:
    """Stop and take-profit orders that wait for a price, beside the regular book."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._state = book.state

    def open_algos(self, symbol: str | None = None) -> list[PaperAlgo]:
        """Waiting conditional orders, oldest first."""
        return [
            algo
            for algo in self._state.algos.values()
            if algo.status == "NEW" and symbol in (None, algo.symbol)
        ]

    def find(self, params: Params) -> PaperAlgo | None:
        """The algo order that algoId or clientAlgoId names, the newest of that client id."""
        if params.get("algoId"):
            return self._state.algos.get(rules.int_param(params, "algoId"))
        client_id = rules.text_param(params, "clientAlgoId")
        for algo in reversed(self._state.algos.values()):
            if algo.client_id == client_id:
                return algo
        return None

    def place(self, params: Params) -> PaperAlgo:
        """algoOrder.place and POST /fapi/v1/algoOrder (§5)."""
        contract = self._book.contract(params)
        side = rules.side_param(params)
        self._book.check_mode()
        if rules.text_param(params, "algoType") != "CONDITIONAL":
            raise VenueError(-1102, "Mandatory parameter 'algoType' was malformed.")
        kind = rules.text_param(params, "type")
        if kind not in rules.CONDITIONAL_TYPES:
            raise VenueError(-1116, "Invalid orderType.")
        close_position = rules.flag_param(params, "closePosition")
        qty = ZERO
        if close_position:
            self._check_close_position(params, contract.symbol, side, kind)
        else:
            # Margin and the other filters are looked at when it triggers, not before.
            qty = rules.decimal_param(params, "quantity")
            if qty <= ZERO:
                raise VenueError(-4003, "Quantity less than or equal to zero.")
        client_id = rules.client_id_param(params, "clientAlgoId", f"x-{self._state.next_algo_id}")
        if any(algo.client_id == client_id for algo in self.open_algos()):
            raise VenueError(-4116, "ClientOrderId is duplicated.")
        if len(self.open_algos()) >= ALGO_ORDERS_MAX:
            raise VenueError(-4045, "Reach max stop order limit.")
        working_type = rules.text_param(params, "workingType", "CONTRACT_PRICE")
        if working_type not in _WORKING_TYPES:
            raise VenueError(-1102, "Mandatory parameter 'workingType' was malformed.")
        algo = PaperAlgo(
            algo_id=self._state.next_algo_id,
            client_id=client_id,
            symbol=contract.symbol,
            side=side,
            type=kind,
            trigger_price=ZERO,
            qty=qty,
            price=ZERO,
            working_type=working_type,
            close_position=close_position,
            reduce_only=rules.flag_param(params, "reduceOnly"),
            price_protect=rules.flag_param(params, "priceProtect"),
            status="NEW",
            created_ms=self._book.now_ms,
            updated_ms=self._book.now_ms,
            time_in_force="GTE_GTC" if close_position else "GTC",
        )
        self._set_prices(algo, params, contract)
        self._state.next_algo_id += 1
        self._state.algos[algo.algo_id] = algo
        self._forget_old()
        self._tell(algo)
        return algo

    def _set_prices(self, algo: PaperAlgo, params: Params, contract: Contract) -> None:
        """What each type needs besides a quantity (§5): -4006, -4007, -1115, -4001, -2021."""
        quote = self._book.board.quotes[algo.symbol]
        latest = triggers.watched(quote, algo.working_type)
        if algo.type == triggers.TRAILING:
            algo.activate_price, algo.callback_rate = triggers.trailing_params(
                params, algo.side, latest
            )
            algo.activated = algo.activate_price == ZERO
            algo.extreme = latest
            return
        algo.trigger_price = rules.decimal_param(params, "triggerPrice")
        if algo.trigger_price <= ZERO:
            raise VenueError(-4006, "Stop price less than zero.")
        if algo.trigger_price > contract.price_max:
            raise VenueError(-4007, "Stop price greater than max price.")
        if algo.type in _LIMITS:
            algo.time_in_force = rules.text_param(params, "timeInForce", "GTC")
            if algo.time_in_force not in TIME_IN_FORCE:
                raise VenueError(-1115, "Invalid timeInForce.")
            algo.price = rules.decimal_param(params, "price")
            if algo.price <= ZERO:
                raise VenueError(-4001, "Price less than 0.")
        if triggers.reached(algo.type, algo.side, algo.trigger_price, latest):
            raise VenueError(-2021, "Order would immediately trigger.")

    def _check_close_position(self, params: Params, symbol: str, side: str, kind: str) -> None:
        """The rules of closePosition: -4137, -4509, -4130 (§5)."""
        if kind in _LIMITS or kind == triggers.TRAILING:
            raise VenueError(-1106, "Parameter 'closePosition' sent when not required.")
        if "quantity" in params:
            raise VenueError(-4137, "Quantity must be zero with closePosition equals true")
        if rules.flag_param(params, "reduceOnly"):
            raise VenueError(-1106, "Parameter 'reduceonly' sent when not required.")
        held = self._book.position(symbol).qty
        if held == ZERO or (held > 0) == (side == "BUY"):
            raise VenueError(-4509, "Time in Force (TIF) GTE can only be used with open positions.")
        if any(
            algo.close_position and algo.type == kind and algo.side == side
            for algo in self.open_algos(symbol)
        ):
            raise VenueError(
                -4130,
                "An open stop or take profit order with GTE and closePosition in the "
                "direction is existing.",
            )

    def cancel(self, params: Params) -> PaperAlgo:
        """algoOrder.cancel and DELETE /fapi/v1/algoOrder."""
        algo = self.find(params)
        if algo is None or algo.status != "NEW":
            raise VenueError(-2011, "Unknown order sent.")
        self._end(algo, "CANCELED")
        return algo

    def cancel_all(self, params: Params) -> None:
        """DELETE /fapi/v1/algoOpenOrders of one symbol."""
        for algo in self.open_algos(self._book.contract(params).symbol):
            self._end(algo, "CANCELED")

    def expire_orphans(self) -> None:
        """Closing a position expires its close-position orders (§5)."""
        for algo in self.open_algos():
            held = self._book.position(algo.symbol).qty
            if algo.close_position and (held == ZERO or (held > 0) == (algo.side == "BUY")):
                self._end(algo, "EXPIRED")

    def trigger_due(self, symbol: str) -> None:
        """Send the children of conditional orders whose price has been reached."""
        for algo in self.open_algos(symbol):
            quote = self._book.board.quotes[symbol]
            if algo.type == triggers.TRAILING and triggers.follow(algo, quote):
                self._tell(algo)
            if algo.status == "NEW" and triggers.is_due(algo, quote):
                self._trigger(algo)
                self.expire_orphans()

    def _trigger(self, algo: PaperAlgo) -> None:
        """TRIGGERING, the child with its fills, TRIGGERED, and FINISHED with the child (§6)."""
        algo.triggered_ms = self._book.now_ms
        self._end(algo, "TRIGGERING")
        try:
            child = self._book.place_child(algo, self._child_qty(algo))
        except VenueError as error:
            algo.reason = error.msg
            self._end(algo, "REJECTED")
            return
        algo.child_id = child.order_id
        self._end(algo, "TRIGGERED")
        self.finish_children()

    def finish_children(self) -> None:
        """An order whose child has been filled or cancelled is finished (§6)."""
        for algo in self._state.algos.values():
            if algo.status != "TRIGGERED":
                continue
            child = self._state.orders.get(algo.child_id)
            if child is None or not child.is_open:
                if child is not None and child.executed:
                    algo.child_price = child.cum_quote / child.executed
                    algo.child_qty = child.executed
                self._end(algo, "FINISHED")

    def _child_qty(self, algo: PaperAlgo) -> Decimal:
        """What the child takes; filters and margin are checked only now (§5).

        Raises:
            VenueError: the engine would refuse the child.
        """
        contract = self._book.contracts[algo.symbol]
        held = self._book.position(algo.symbol).qty
        if algo.close_position and (held > 0) == (algo.side == "SELL"):
            return abs(held)
        mark = self._book.board.quotes[algo.symbol].mark
        rules.check_qty(contract, algo.qty, market=not algo.price)
        if algo.price:
            rules.check_price(contract, algo.price, algo.side, mark)
        if algo.reduce_only:
            return self._book.reducible(contract, algo.side, algo.qty, "MARKET")
        self._book.check_opening(contract, algo.side, algo.qty, algo.price or mark)
        return algo.qty

    def _end(self, algo: PaperAlgo, status: str) -> None:
        algo.status = status
        algo.updated_ms = self._book.now_ms
        self._tell(algo)

    def _tell(self, algo: PaperAlgo) -> None:
        self._book.events.append(views.algo_event(algo, self._book.now_ms))

    def _forget_old(self) -> None:
        if len(self._state.algos) <= FINAL_ALGOS_KEPT * 2:
            return
        final = [
            aid
            for aid, algo in self._state.algos.items()
            if algo.status not in {"NEW", "TRIGGERED"}
        ]
        for algo_id in final[:-FINAL_ALGOS_KEPT]:
            del self._state.algos[algo_id]
