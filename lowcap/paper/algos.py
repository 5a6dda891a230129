"""The conditional (algo) order book of the simulated venue (docs/venue.md §5, §6)."""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.money import ZERO
from lowcap.paper import rules, views
from lowcap.paper.matching import OrderBook
from lowcap.paper.rules import Params
from lowcap.paper.state import PaperAlgo, VenueError

ALGO_ORDERS_MAX = 200
FINAL_ALGOS_KEPT = 200
_WORKING_TYPES = frozenset({"CONTRACT_PRICE", "MARK_PRICE"})
_SUPPORTED = frozenset({"STOP_MARKET", "TAKE_PROFIT_MARKET"})


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
        if rules.text_param(params, "algoType") != "CONDITIONAL":
            raise VenueError(-1102, "Mandatory parameter 'algoType' was malformed.")
        kind = rules.text_param(params, "type")
        if kind not in _SUPPORTED:
            raise VenueError(-1116, "Invalid orderType.")
        trigger = rules.decimal_param(params, "triggerPrice")
        if trigger <= ZERO:
            raise VenueError(-4006, "Stop price less than zero.")
        if trigger > contract.price_max:
            raise VenueError(-4007, "Stop price greater than max price.")
        close_position = rules.flag_param(params, "closePosition")
        reduce_only = rules.flag_param(params, "reduceOnly")
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
        if self._reached(kind, side, trigger, self._watched(contract.symbol, working_type)):
            raise VenueError(-2021, "Order would immediately trigger.")
        algo = PaperAlgo(
            algo_id=self._state.next_algo_id,
            client_id=client_id,
            symbol=contract.symbol,
            side=side,
            type=kind,
            trigger_price=trigger,
            qty=qty,
            price=ZERO,
            working_type=working_type,
            close_position=close_position,
            reduce_only=reduce_only,
            price_protect=rules.flag_param(params, "priceProtect"),
            status="NEW",
            created_ms=self._book.now_ms,
            updated_ms=self._book.now_ms,
        )
        self._state.next_algo_id += 1
        self._state.algos[algo.algo_id] = algo
        self._forget_old()
        self._tell(algo)
        return algo

    def _check_close_position(self, params: Params, symbol: str, side: str, kind: str) -> None:
        """The rules of closePosition: -4137, -4509, -4130 (§5)."""
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
            watched = self._watched(symbol, algo.working_type)
            due = self._reached(algo.type, algo.side, algo.trigger_price, watched)
            if due and algo.status == "NEW":
                self._trigger(algo)
                self.expire_orphans()

    def _trigger(self, algo: PaperAlgo) -> None:
        """TRIGGERING, the child with its fills, TRIGGERED, FINISHED (§6)."""
        algo.triggered_ms = self._book.now_ms
        self._end(algo, "TRIGGERING")
        try:
            qty = self._child_qty(algo)
        except VenueError as error:
            algo.reason = error.msg
            self._end(algo, "REJECTED")
            return
        child = self._book.place_child(algo, qty)
        algo.child_id = child.order_id
        algo.child_price = child.cum_quote / child.executed
        algo.child_qty = child.executed
        self._end(algo, "TRIGGERED")
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
        rules.check_qty(contract, algo.qty, market=True)
        if algo.reduce_only:
            return self._book.reducible(contract, algo.side, algo.qty, "MARKET")
        mark = self._book.board.quotes[algo.symbol].mark
        self._book.check_opening(contract, algo.side, algo.qty, mark)
        return algo.qty

    def _watched(self, symbol: str, working_type: str) -> Decimal:
        quote = self._book.board.quotes[symbol]
        return quote.mark if working_type == "MARK_PRICE" else quote.last

    @staticmethod
    def _reached(kind: str, side: str, trigger: Decimal, price: Decimal) -> bool:
        """STOP: BUY at or above, SELL at or below; TAKE_PROFIT the other way round (§5)."""
        upwards = (side == "BUY") == kind.startswith("STOP")
        return price >= trigger if upwards else price <= trigger

    def _end(self, algo: PaperAlgo, status: str) -> None:
        algo.status = status
        algo.updated_ms = self._book.now_ms
        self._tell(algo)

    def _tell(self, algo: PaperAlgo) -> None:
        self._book.events.append(views.algo_event(algo, self._book.now_ms))

    def _forget_old(self) -> None:
        if len(self._state.algos) <= FINAL_ALGOS_KEPT * 2:
            return
        final = [aid for aid, algo in self._state.algos.items() if algo.status != "NEW"]
        for algo_id in final[:-FINAL_ALGOS_KEPT]:
            del self._state.algos[algo_id]
