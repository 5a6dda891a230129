"""The regular order book of the simulated venue: placing, filling, cancelling.

Liquidity at bid and ask is unlimited unless the fault script thins it out.
Section numbers are those of docs/venue.md.
"""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.contract import Contract
from lowcap.core.money import ZERO, floor_to_step
from lowcap.paper import bookings, rules, views
from lowcap.paper.faults import Faults
from lowcap.paper.prices import PriceBoard
from lowcap.paper.rules import Params
from lowcap.paper.state import (
    PaperAlgo,
    PaperOrder,
    PaperPosition,
    PaperState,
    PaperTrade,
    VenueError,
)

TAKER_FEE = Decimal("0.0005")
MAKER_FEE = Decimal("0.0002")
ONE = Decimal(1)
TIME_IN_FORCE = frozenset({"GTC", "IOC", "FOK", "GTX", "GTD"})
TRADES_KEPT = 2_000


class OrderBook:
    """Orders, positions and wallet of the one simulated account."""

    def __init__(
        self,
        state: PaperState,
        contracts: dict[str, Contract],
        board: PriceBoard,
        faults: Faults,
    ) -> None:
        self.state = state
        self.contracts = contracts
        self.board = board
        self.faults = faults
        self.events: list[views.Json] = []
        self.now_ms = 0

    # -- look-ups ---------------------------------------------------------

    def contract(self, params: Params) -> Contract:
        """The contract a request names; -1121 where it is not listed (§9)."""
        symbol = rules.text_param(params, "symbol")
        if symbol not in self.contracts:
            raise VenueError(-1121, "Invalid symbol.")
        return self.contracts[symbol]

    def check_mode(self) -> None:
        """The simulator trades one-way: in hedge mode every order is refused with -4061 (§9)."""
        if self.state.hedge_mode:
            raise VenueError(-4061, "Order's position side does not match user's setting.")

    def optional_symbol(self, params: Params) -> str | None:
        """The symbol a request names, or None where it names none and means all."""
        return self.contract(params).symbol if params.get("symbol") else None

    def position(self, symbol: str) -> PaperPosition:
        """The position row of a symbol, flat where there never was one."""
        return self.state.positions.setdefault(symbol, PaperPosition(symbol=symbol))

    def leverage(self, symbol: str) -> int:
        """Leverage set for a symbol; 20 until changed."""
        return self.state.leverage.get(symbol, 20)

    def open_orders(self, symbol: str | None = None) -> list[PaperOrder]:
        """Resting orders, oldest first."""
        return [
            order
            for order in self.state.orders.values()
            if order.is_open and symbol in (None, order.symbol)
        ]

    def find(self, params: Params) -> PaperOrder | None:
        """The order that orderId or origClientOrderId names, the newest of that client id."""
        symbol = self.contract(params).symbol
        if params.get("orderId"):
            order = self.state.orders.get(rules.int_param(params, "orderId"))
            return order if order is not None and order.symbol == symbol else None
        client_id = rules.text_param(params, "origClientOrderId")
        for order in reversed(self.state.orders.values()):
            if order.client_id == client_id and order.symbol == symbol:
                return order
        return None

    def isolated_wallet(self, position: PaperPosition) -> Decimal:
        """The margin set aside for an isolated position; zero for cross (§4)."""
        if position.symbol not in self.state.isolated:
            return ZERO
        margin = abs(position.qty) * position.entry_price / self.leverage(position.symbol)
        return margin + position.added_margin

    def available_balance(self) -> Decimal:
        """Wallet and profit less the initial margin of positions and resting orders (§4)."""
        free = self.state.wallet
        for position in self.state.positions.values():
            if position.qty:
                mark = self.board.quotes[position.symbol].mark
                free += position.qty * (mark - position.entry_price)
                free -= abs(position.qty) * mark / self.leverage(position.symbol)
                free -= position.added_margin
        for order in self.open_orders():
            if not order.reduce_only:
                free -= order.remaining * order.price / self.leverage(order.symbol)
        return max(free, ZERO)

    # -- placing ----------------------------------------------------------

    def place(self, params: Params) -> PaperOrder:
        """order.place and POST /fapi/v1/order (§5)."""
        contract = self.contract(params)
        side = rules.side_param(params)
        self.check_mode()
        kind = rules.text_param(params, "type")
        if kind in rules.CONDITIONAL_TYPES:
            raise VenueError(
                -4120,
                "Order type not supported for this endpoint. Please use the Algo Order API "
                "endpoints instead.",
            )
        if kind not in {"LIMIT", "MARKET"}:
            raise VenueError(-1116, "Invalid orderType.")
        if not contract.is_trading:
            raise VenueError(-4141, "Symbol is closed.")
        reduce_only = rules.flag_param(params, "reduceOnly")
        qty = rules.decimal_param(params, "quantity")
        rules.check_qty(contract, qty, market=kind == "MARKET")
        price, time_in_force, until_ms = ZERO, "GTC", 0
        mark = self.board.quotes[contract.symbol].mark
        if kind == "LIMIT":
            time_in_force = rules.text_param(params, "timeInForce")
            if time_in_force not in TIME_IN_FORCE:
                raise VenueError(-1115, "Invalid timeInForce.")
            until_ms = rules.good_till_param(params, time_in_force, self.now_ms)
            price = rules.decimal_param(params, "price")
            rules.check_price(contract, price, side, mark)
        client_id = rules.client_id_param(
            params, "newClientOrderId", f"web_{self.state.next_order_id}"
        )
        if any(order.client_id == client_id for order in self.open_orders()):
            raise VenueError(-4116, "ClientOrderId is duplicated.")
        if len(self.open_orders(contract.symbol)) >= rules.OPEN_ORDERS_MAX:
            raise VenueError(-2025, "Reach max open order limit.")
        if reduce_only:
            qty = self.reducible(contract, side, qty, kind)
        else:
            self.check_opening(contract, side, qty, price or mark)
        order = self._new_order(
            contract, client_id, side, kind, time_in_force, qty, price, reduce_only
        )
        order.good_till_ms = until_ms
        self._execute_new(order)
        return order

    def reducible(self, contract: Contract, side: str, qty: Decimal, kind: str) -> Decimal:
        """How much a reduce-only order may still take; -2022 or -4118 where nothing (§5, §9).

        Other resting reduce-only orders count against the position, so a
        close is refused while a full ladder rests.
        """
        held = self.position(contract.symbol).qty
        if held == ZERO or (held > 0) == (side == "BUY"):
            raise VenueError(-2022, "ReduceOnly Order is rejected.")
        claimed = sum(
            (o.remaining for o in self.open_orders(contract.symbol) if o.reduce_only), ZERO
        )
        free = abs(held) - claimed
        if free <= ZERO:
            if kind == "MARKET":
                raise VenueError(-2022, "ReduceOnly Order is rejected.")
            raise VenueError(
                -4118,
                "ReduceOnly Order Failed. Please check your existing position and open orders",
            )
        return min(qty, free)

    def check_opening(self, contract: Contract, side: str, qty: Decimal, price: Decimal) -> None:
        """Least notional, margin and position cap: -4164, -2019, -2027 (§4, §9)."""
        rules.check_notional(contract, qty, price)
        held = self.position(contract.symbol).qty
        signed = qty if side == "BUY" else -qty
        growth = max(abs(held + signed) - abs(held), ZERO)
        if growth * price / self.leverage(contract.symbol) > self.available_balance():
            raise VenueError(-2019, "Margin is insufficient.")
        cap = contract.notional_cap_at(self.leverage(contract.symbol))
        if growth and abs(held + signed) * price > cap:
            raise VenueError(-2027, "Exceeded the maximum allowable position at current leverage.")

    def _new_order(
        self,
        contract: Contract,
        client_id: str,
        side: str,
        kind: str,
        time_in_force: str,
        qty: Decimal,
        price: Decimal,
        reduce_only: bool,
    ) -> PaperOrder:
        order = PaperOrder(
            order_id=self.state.next_order_id,
            client_id=client_id,
            symbol=contract.symbol,
            side=side,
            type=kind,
            time_in_force=time_in_force,
            qty=qty,
            price=price,
            reduce_only=reduce_only,
            status="NEW",
            created_ms=self.now_ms,
            updated_ms=self.now_ms,
        )
        self.state.next_order_id += 1
        self.state.orders[order.order_id] = order
        bookings.forget_old_orders(self.state)
        return order

    def touch(self, symbol: str, side: str, price: Decimal | None) -> Decimal | None:
        """The price an order would take at now; None where its limit does not reach that far.

        A symbol without a quote has nobody to trade with.
        """
        if not self.board.is_quoted(symbol, self.now_ms):
            return None
        quote = self.board.quotes[symbol]
        if side == "BUY":
            return quote.ask if price is None or quote.ask <= price else None
        return quote.bid if price is None or quote.bid >= price else None

    def _execute_new(self, order: PaperOrder) -> None:
        touch = self.touch(
            order.symbol, order.side, None if order.type == "MARKET" else order.price
        )
        if order.time_in_force == "GTX" and touch is not None:
            del self.state.orders[order.order_id]
            raise VenueError(-5022, "Post Only order will be rejected.")
        if order.time_in_force == "FOK" and (touch is None or self._takable(order) < order.qty):
            del self.state.orders[order.order_id]
            raise VenueError(-5021, "FOK order will be rejected.")
        self.events.append(views.order_event(order, "NEW", None, self.now_ms))
        if touch is not None:
            self.take(order)
        if order.is_open and (order.type == "MARKET" or order.time_in_force == "IOC"):
            self.expire(order, "9" if order.type == "MARKET" else "2")

    def take(self, order: PaperOrder) -> None:
        """Let an order that crosses execute at the touch."""
        price = self.touch(order.symbol, order.side, None)
        takes = min(self._takable(order), order.remaining)
        if price is not None and takes > ZERO:
            self.fill(order, takes, price, maker=False)

    def _takable(self, order: PaperOrder) -> Decimal:
        share = self.faults.fill_share.get(order.symbol)
        if share is None or order.reduce_only:
            return order.qty
        return floor_to_step(order.qty * min(share, ONE), self.contracts[order.symbol].step)

    def place_child(self, algo: PaperAlgo, qty: Decimal) -> PaperOrder:
        """The order of a triggered algo order (§5).

        At market it takes what it needs, ahead of resting legs; with a price
        it is an ordinary LIMIT.
        """
        contract, closes = self.contracts[algo.symbol], algo.close_position or algo.reduce_only
        kind = "LIMIT" if algo.price else "MARKET"
        in_force = algo.time_in_force if algo.price else "GTC"
        order = self._new_order(
            contract, algo.client_id, algo.side, kind, in_force, qty, algo.price, closes
        )
        order.orig_type = algo.type
        if kind == "LIMIT":
            self._execute_new(order)
            return order
        self.events.append(views.order_event(order, "NEW", None, self.now_ms))
        price = self.touch(algo.symbol, algo.side, None)
        if price is not None:
            self.fill(order, qty, price, maker=False)
        return order

    # -- executing --------------------------------------------------------

    def fill(
        self,
        order: PaperOrder,
        qty: Decimal,
        price: Decimal,
        *,
        maker: bool,
        execution: str = "TRADE",
    ) -> None:
        """Execute ``qty`` of ``order`` and tell the user stream (§6: lite, account, order)."""
        position = self.position(order.symbol)
        signed = qty if order.side == "BUY" else -qty
        realized = bookings.move_position(position, signed, price, self.now_ms)
        fee = bookings.in_units(qty * price * (MAKER_FEE if maker else TAKER_FEE))
        self.state.wallet += realized - fee
        order.executed += qty
        order.cum_quote += qty * price
        order.status = "FILLED" if order.remaining == ZERO else "PARTIALLY_FILLED"
        order.updated_ms = self.now_ms
        trade = PaperTrade(
            trade_id=self.state.next_trade_id,
            order_id=order.order_id,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            qty=qty,
            fee=fee,
            realized=realized,
            maker=maker,
            time_ms=self.now_ms,
        )
        self.state.next_trade_id += 1
        self.state.trades.append(trade)
        del self.state.trades[:-TRADES_KEPT]
        bookings.book(self.state, "COMMISSION", order.symbol, -fee, self.now_ms, trade.trade_id)
        if realized:
            bookings.book(
                self.state, "REALIZED_PNL", order.symbol, realized, self.now_ms, trade.trade_id
            )
        self.events.append(views.trade_lite_event(trade, order, self.now_ms))
        self.tell_account(order.symbol, "ORDER")
        self.events.append(views.order_event(order, execution, trade, self.now_ms))
        self._expire_reduce_only(position)

    def tell_account(self, symbol: str, reason: str) -> None:
        """ACCOUNT_UPDATE with the wallet and the position of ``symbol`` as they stand (§6)."""
        position = self.position(symbol)
        self.events.append(
            views.account_event(
                reason,
                self.state.wallet,
                position,
                mark=self.board.quotes[symbol].mark,
                isolated=(
                    self.isolated_wallet(position) if symbol in self.state.isolated else None
                ),
                now_ms=self.now_ms,
            )
        )

    def _expire_reduce_only(self, position: PaperPosition) -> None:
        """Resting reduce-only orders die once they would open or grow a position (§6, er 4)."""
        for order in self.open_orders(position.symbol):
            grows = position.qty == ZERO or (position.qty > 0) == (order.side == "BUY")
            if order.reduce_only and grows:
                self.expire(order, "4")

    def expire(self, order: PaperOrder, reason: str) -> None:
        """End an order that nobody cancelled."""
        order.status = "EXPIRED"
        order.expiry_reason = reason
        order.updated_ms = self.now_ms
        self.events.append(views.order_event(order, "EXPIRED", None, self.now_ms))

    def match_resting(self, symbol: str) -> None:
        """Fill resting orders that the market has reached, at their own price."""
        quote = self.board.quotes[symbol]
        for order in self.open_orders(symbol):
            reached = quote.ask <= order.price if order.side == "BUY" else quote.bid >= order.price
            if not reached or not order.is_open:
                continue
            qty = order.remaining
            if order.reduce_only:
                qty = min(qty, abs(self.position(symbol).qty))
            if qty > ZERO:
                self.fill(order, qty, order.price, maker=True)
            if order.is_open and order.reduce_only:
                self.expire(order, "4")

    # -- cancelling -------------------------------------------------------

    def cancel(self, params: Params) -> PaperOrder:
        """order.cancel and DELETE /fapi/v1/order; -2011 where nothing rests (§9)."""
        order = self.find(params)
        if order is None or not order.is_open:
            raise VenueError(-2011, "Unknown order sent.")
        self.cancel_order(order)
        return order

    def cancel_all(self, params: Params) -> None:
        """DELETE /fapi/v1/allOpenOrders: the regular book of one symbol only (§4)."""
        for order in self.open_orders(self.contract(params).symbol):
            self.cancel_order(order)

    def cancel_order(self, order: PaperOrder) -> None:
        """End a resting order for its owner."""
        order.status = "CANCELED"
        order.updated_ms = self.now_ms
        self.events.append(views.order_event(order, "CANCELED", None, self.now_ms))
