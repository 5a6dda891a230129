"""What the simulated venue does to an account by itself: funding and forced closes.

Section numbers are those of docs/venue.md.
"""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.money import ZERO
from lowcap.paper import bookings, views
from lowcap.paper.algos import AlgoBook
from lowcap.paper.market import FUNDING_EVERY_MS, FUNDING_RATE
from lowcap.paper.matching import OrderBook
from lowcap.paper.state import PaperOrder, PaperPosition

LIQUIDATION_FEE = Decimal("0.0125")
# MARGIN_CALL is sent when this share of the margin balance is needed for maintenance.
CALL_AT = Decimal("0.8")


class Settlement:
    """Runs at every tick, and on demand for scripted events."""

    def __init__(self, book: OrderBook, algos: AlgoBook) -> None:
        self._book = book
        self._algos = algos
        self._state = book.state
        self._called: set[str] = set()

    def tick(self) -> None:
        """Funding that is due, then positions that their margin no longer carries."""
        window = self._book.now_ms // FUNDING_EVERY_MS * FUNDING_EVERY_MS
        if window > self._state.funded_until_ms:
            if self._state.funded_until_ms:
                self.fund()
            self._state.funded_until_ms = window
        for symbol in self._held():
            if self._book.board.is_quoted(symbol, self._book.now_ms):
                self._watch(symbol)

    # -- funding ------------------------------------------------------------

    def fund(self) -> None:
        """Longs pay the rate on their notional, shorts receive it (§4, Account)."""
        for symbol in self._held():
            position = self._book.position(symbol)
            paid = bookings.in_units(position.qty * self._mark(symbol) * FUNDING_RATE)
            self._state.wallet -= paid
            bookings.book(self._state, "FUNDING_FEE", symbol, -paid, self._book.now_ms)
            self._book.tell_account(symbol, "FUNDING_FEE")
            update = self._book.events[-1]["a"]
            update["S"] = symbol
            if symbol not in self._state.isolated:
                update["P"] = []  # for cross only the balance is told

    # -- liquidation --------------------------------------------------------

    def _watch(self, symbol: str) -> None:
        balance, needed = self._margin_of(symbol)
        if balance <= needed:
            self.liquidate(symbol)
        elif needed <= balance * CALL_AT:
            self._called.discard(symbol)
        elif symbol not in self._called:
            self._called.add(symbol)
            self._call(symbol, needed)

    def _margin_of(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Margin balance and maintenance margin: of the position, or of all that are cross (§4)."""
        if symbol in self._state.isolated:
            position = self._book.position(symbol)
            own = self._book.isolated_wallet(position) + self._profit(position)
            return own, self._maintenance(position)
        cross = [
            self._book.position(name) for name in self._held() if name not in self._state.isolated
        ]
        balance = self._state.wallet + sum((self._profit(p) for p in cross), ZERO)
        return balance, sum((self._maintenance(p) for p in cross), ZERO)

    def _profit(self, position: PaperPosition) -> Decimal:
        return position.qty * (self._mark(position.symbol) - position.entry_price)

    def _maintenance(self, position: PaperPosition) -> Decimal:
        notional = abs(position.qty) * self._mark(position.symbol)
        return self._book.contracts[position.symbol].maintenance_margin(notional)

    def _call(self, symbol: str, needed: Decimal) -> None:
        position = self._book.position(symbol)
        self._book.events.append(
            views.margin_call(
                position,
                self._state.wallet,
                mark=self._mark(symbol),
                needed=needed,
                isolated=(
                    self._book.isolated_wallet(position) if symbol in self._state.isolated else None
                ),
                now_ms=self._book.now_ms,
            )
        )

    def liquidate(self, symbol: str) -> None:
        """Take a position over: its orders expire with er 5, a fee goes to the insurance fund."""
        position = self._book.position(symbol)
        if position.qty == ZERO:
            return
        for order in self._book.open_orders(symbol):
            self._book.expire(order, "5")
        left = max(self._margin_of(symbol)[0], ZERO)
        fee = bookings.in_units(min(abs(position.qty) * self._mark(symbol) * LIQUIDATION_FEE, left))
        self._force(position, "autoclose-", "LIQUIDATION", "CALCULATED")
        if fee:
            self._state.wallet -= fee
            bookings.book(self._state, "INSURANCE_CLEAR", symbol, -fee, self._book.now_ms)
            self._book.tell_account(symbol, "INSURANCE_CLEAR")
        self._called.discard(symbol)

    def deleverage(self, symbol: str) -> None:
        """Close a position against a bankrupt one, at the mark price (§6, forced orders)."""
        position = self._book.position(symbol)
        if position.qty != ZERO:
            self._force(position, "adl_autoclose-", "LIMIT", "TRADE")

    def deliver(self, symbol: str) -> None:
        """End a delisted symbol: its orders expire, its position settles at the mark (§6, er 7)."""
        for order in self._book.open_orders(symbol):
            self._book.expire(order, "7")
        position = self._book.position(symbol)
        if position.qty != ZERO:
            self._force(position, "settlement_autoclose-", "MARKET", "TRADE", reason="7")
        self._algos.expire_orphans()

    def _force(
        self, position: PaperPosition, prefix: str, kind: str, execution: str, reason: str = "0"
    ) -> None:
        order = PaperOrder(
            order_id=self._state.next_order_id,
            client_id=f"{prefix}{self._state.next_order_id}",
            symbol=position.symbol,
            side="SELL" if position.qty > 0 else "BUY",
            type=kind,
            time_in_force="IOC",
            qty=abs(position.qty),
            price=self._mark(position.symbol),
            reduce_only=True,
            status="NEW",
            created_ms=self._book.now_ms,
            updated_ms=self._book.now_ms,
            expiry_reason=reason,
        )
        self._state.next_order_id += 1
        self._state.orders[order.order_id] = order
        self._book.events.append(views.order_event(order, "NEW", None, self._book.now_ms))
        self._book.fill(order, order.qty, order.price, maker=False, execution=execution)
        self._algos.expire_orphans()

    def _held(self) -> list[str]:
        return sorted(s for s, position in self._state.positions.items() if position.qty != ZERO)

    def _mark(self, symbol: str) -> Decimal:
        return self._book.board.quotes[symbol].mark
