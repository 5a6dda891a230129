"""The book: orders, positions, holds and the day's result, as a fold of ledger records.

Only the desk appends the facts it folds. Everything here is a pure function
of the records seen, so that a restart arrives at the same book.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS, utc_day
from lowcap.core.facts import Record
from lowcap.core.messages import MANUAL, STATE_RANK, Purpose, TradingState
from lowcap.core.money import ZERO
from lowcap.core.order import RESTING, Order, Status, advance
from lowcap.risk.book_state import (
    BookState,
    Hold,
    Position,
    moved_qty,
    raise_stop,
    unsettled_qty,
)
from lowcap.risk.figures import Figures

FINAL_ORDERS_KEPT = 200

__all__ = ["Book", "BookState", "Hold", "Position", "unsettled_qty"]


class Book:
    """Belief about the account. ``apply`` is the only way it changes."""

    def __init__(self) -> None:
        self.state = BookState()
        # Trigger and feed of the newest signal, by its record.
        self._signal: dict[int, tuple[str, str]] = {}
        # Indexes over ``state.orders``: kept small, so that a decision costs no scan.
        self._by_symbol: dict[str, dict[str, Order]] = {}
        self._entering: dict[str, Order] = {}
        self._figures = Figures()

    # -- reading ----------------------------------------------------------

    @property
    def orders(self) -> dict[str, Order]:
        """Orders of ours by client id, final ones included while they are remembered."""
        return self.state.orders

    def position(self, symbol: str) -> Position:
        """The position of a symbol; a flat one where there is none."""
        return self.state.positions.get(symbol) or Position(symbol=symbol)

    def open_positions(self) -> list[Position]:
        """Positions that are not flat."""
        return [p for p in self.state.positions.values() if p.qty != ZERO]

    def orders_of(self, symbol: str) -> list[Order]:
        """Every remembered order of a symbol."""
        return list(self._by_symbol.get(symbol, {}).values())

    def open_orders(self) -> list[Order]:
        """Orders that may still execute, unknown ones included."""
        return [o for o in self.orders.values() if not o.is_final]

    def unknown_orders(self) -> list[Order]:
        """Orders whose outcome must be found out by query."""
        return [o for o in self.orders.values() if o.status is Status.UNKNOWN]

    def is_in_doubt(self, symbol: str) -> bool:
        """Whether an entry of a symbol has an unknown outcome."""
        return any(
            o.symbol == symbol and o.status is Status.UNKNOWN for o in self._entering.values()
        )

    def pending_qty(self, symbol: str) -> Decimal:
        """Signed entry quantity that is on its way: not yet seen in fills, unknown in full."""
        total = ZERO
        for order in self._entering.values():
            if order.symbol == symbol:
                total += order.side.sign * unsettled_qty(order)
        return total

    def exposure_qty(self, symbol: str) -> Decimal:
        """The largest position that could result: held plus everything on its way."""
        return self.figures().exposures.get(symbol, ZERO)

    def exposures(self) -> Mapping[str, Decimal]:
        """``exposure_qty`` of every symbol that has any; held and on its way."""
        return self.figures().exposures

    def figures(self) -> Figures:
        """What a decision needs of every exposed symbol."""
        while self._figures.touched:
            symbol = self._figures.touched.pop()
            entering = symbol in {order.symbol for order in self._entering.values()}
            self._figures.look_at(
                self.position(symbol),
                self._by_symbol.get(symbol, {}).values(),
                self.pending_qty(symbol) if entering else None,
            )
        return self._figures

    def price_known(self, symbol: str) -> Decimal:
        """What one unit is worth where no quote says so: its entry, or the limit it is sent at."""
        limits = [o.price or ZERO for o in self._entering.values() if o.symbol == symbol]
        return max([self.position(symbol).entry_price, *limits])

    def exposed_symbols(self) -> set[str]:
        """Symbols with a position or an entry on its way."""
        return set(self.exposures())

    def trading_state(self, now_ms: int) -> TradingState:
        """The worst of all holds in force."""
        worst = TradingState.ACTIVE
        for hold in self.state.holds.values():
            if hold.until_ms and hold.until_ms <= now_ms:
                continue
            if STATE_RANK[hold.state] > STATE_RANK[worst]:
                worst = hold.state
        return worst

    def day_result(self) -> Decimal:
        """Realised profit less fees since 00:00 UTC."""
        return self.state.day_realized - self.state.day_fees

    # -- folding ----------------------------------------------------------

    def apply(self, record: Record) -> None:
        """Fold one record in."""
        self._start_day(record.ts)
        trigger, _ = self._signal.get(record.cause, ("", ""))
        self.state.guards.fold(record, trigger)
        match record.body:
            case facts.SignalRaised() as fact:
                self._signal = {record.seq: (fact.trigger, fact.feed)}
            case facts.CommandReceived(method="trade"):
                self._signal = {record.seq: (MANUAL, "")}
            case facts.OrderIntended() as fact:
                self._intend(record, fact)
            case facts.OrderSent() as fact:
                self._move(fact.client_id, Status.SENT, record.ts)
            case facts.OrderUpdated() as fact:
                self._update(record, fact)
            case facts.OutcomeUnknown() as fact:
                self._move(fact.client_id, Status.UNKNOWN, record.ts)
            case facts.OutcomeSettled() as fact:
                if fact.outcome == Status.ABSENT:
                    self._move(fact.client_id, Status.ABSENT, record.ts)
            case facts.Filled() as fact:
                self._fill(record, fact)
            case facts.PositionSeen() as fact:
                self._see_position(record, fact)
            case facts.PositionClosed() as fact:
                self._close_position(fact)
            case facts.CancelAsked() as fact:
                if (order := self.orders.get(fact.client_id)) is not None:
                    order.cancel_asked = True
            case facts.StopMoved() as fact:
                position = self._own(fact.symbol, record)
                position.stop_price, position.trails = fact.price, fact.trails
            case facts.OwnershipSettled() as fact:
                self._settle_ownership(record, fact)
            case facts.HoldPlaced() as fact:
                self.state.holds[fact.name] = Hold(
                    name=fact.name,
                    state=fact.state,
                    reason=fact.reason,
                    who=fact.who,
                    since_ms=record.ts // NS_PER_MS,
                    until_ms=fact.until_ms,
                )
            case facts.HoldLifted() as fact:
                self.state.holds.pop(fact.name, None)
            case facts.Switched() as fact:
                self._switch(fact)
            case facts.Reconciled(why="start"):
                self.state.compared_ms = record.ts // NS_PER_MS
            case facts.Checkpoint() as fact:
                self._restore(fact)
            case _:
                return

    def snapshot(self) -> bytes:
        """The state as JSON, for a checkpoint."""
        return msgspec.json.encode(self.state)

    def _restore(self, fact: facts.Checkpoint) -> None:
        self.state = msgspec.json.decode(fact.book, type=BookState)
        self._by_symbol.clear()
        self._entering.clear()
        self._figures = Figures()
        self._figures.touched.update(self.state.positions)
        for order in self.orders.values():
            self._index(order)

    def _index(self, order: Order) -> None:
        self._figures.touched.add(order.symbol)
        self._by_symbol.setdefault(order.symbol, {})[order.client_id] = order
        if order.purpose is Purpose.ENTRY and unsettled_qty(order) > ZERO:
            self._entering[order.client_id] = order
        else:
            self._entering.pop(order.client_id, None)

    def _start_day(self, ts: int) -> None:
        day = utc_day(ts)
        if day != self.state.day:
            self.state.day = day
            self.state.day_realized = self.state.day_fees = ZERO
            self.state.day_trades = self.state.day_wins = 0
            self.state.guards.start_day()

    def _intend(self, record: Record, fact: facts.OrderIntended) -> None:
        parent = self.orders.get(fact.parent or fact.retry_of)
        signal = self._signal.get(record.cause, ("", ""))
        trigger, feed = (parent.trigger, parent.feed) if parent else signal
        order = Order(
            client_id=fact.client_id,
            seq=record.seq,
            symbol=fact.symbol,
            side=fact.side,
            purpose=fact.purpose,
            type=fact.type,
            leg=fact.leg,
            qty=fact.qty,
            price=fact.price,
            trigger_price=fact.trigger_price,
            reduce_only=fact.reduce_only,
            close_position=fact.close_position,
            parent=fact.parent,
            timestamp_ms=fact.timestamp_ms,
            recv_window_ms=fact.recv_window_ms,
            notional_usd=fact.notional_usd,
            decision_price=fact.decision_price,
            trigger=trigger,
            feed=feed,
            updated_ms=record.ts // NS_PER_MS,
        )
        self.orders[fact.client_id] = order
        self._index(order)
        self._forget_final()

    def _move(self, client_id: str, status: Status, ts: int) -> None:
        order = self.orders.get(client_id)
        if order is not None and advance(order, status, ZERO, 0):
            order.updated_ms = ts // NS_PER_MS
            self._index(order)

    def _update(self, record: Record, fact: facts.OrderUpdated) -> None:
        order = self.orders.get(fact.client_id)
        if order is None:
            return
        rested = order.status in RESTING
        if advance(order, Status(fact.status), fact.executed_qty, fact.order_id):
            order.updated_ms = record.ts // NS_PER_MS
            self._index(order)
        if fact.code or fact.reason:
            order.code, order.reason = fact.code, fact.reason
        position = self.state.positions.get(order.symbol)
        rests = order.status in RESTING and not rested
        if position is not None and rests and order.purpose is Purpose.STOP:
            raise_stop(position, order)

    def _fill(self, record: Record, fact: facts.Filled) -> None:
        order = self.orders.get(fact.client_id)
        if order is None or fact.trade_id in order.trade_ids or not fact.qty > ZERO:
            return
        self.state.day_realized += fact.realized
        self.state.day_fees += fact.fee
        order.trade_ids.append(fact.trade_id)
        order.filled_qty += fact.qty
        order.fill_value += fact.qty * fact.price
        order.executed_qty = max(order.executed_qty, order.filled_qty)
        order.first_fill_ms = order.first_fill_ms or record.ts // NS_PER_MS
        if order.status in (Status.INTENDED, Status.SENT, Status.UNKNOWN, Status.WORKING):
            advance(order, Status.PARTLY_FILLED, ZERO, 0)
        self._index(order)
        position = self._own(fact.symbol, record)
        position.realized += fact.realized
        position.fees += fact.fee
        if order.purpose is Purpose.ENTRY:
            position.trigger = order.trigger
            if position.own_qty == ZERO:
                position.opened_seq = order.seq
                position.opened_ms = record.ts // NS_PER_MS
                position.stop_price, position.trails = ZERO, True
        position.own_qty = moved_qty(position.own_qty, order, fact)
        if fact.venue_ms > position.venue_ms:
            self._apply_fill(position, fact)

    @staticmethod
    def _apply_fill(position: Position, fact: facts.Filled) -> None:
        """Move the believed quantity ahead of the venue's own word, which will overwrite it."""
        signed = fact.side.sign * fact.qty
        held = position.qty
        if held == ZERO or (held > 0) == (signed > 0):
            total = abs(held) * position.entry_price + abs(signed) * fact.price
            position.entry_price = total / abs(held + signed)
        position.qty = held + signed
        position.fill_ms = max(position.fill_ms, fact.venue_ms)

    def _own(self, symbol: str, record: Record) -> Position:
        self._figures.touched.add(symbol)
        position = self.state.positions.get(symbol)
        if position is None:
            position = Position(symbol=symbol)
            self.state.positions[symbol] = position
        return position

    def _see_position(self, record: Record, fact: facts.PositionSeen) -> None:
        if fact.qty == ZERO and fact.symbol not in self.state.positions:
            return
        position = self._own(fact.symbol, record)
        if fact.venue_ms < position.venue_ms:
            return
        position.qty = fact.qty
        position.venue_ms = fact.venue_ms
        if fact.qty != ZERO and fact.entry_price > ZERO:
            position.entry_price = fact.entry_price

    def _close_position(self, fact: facts.PositionClosed) -> None:
        position = self.state.positions.get(fact.symbol)
        self._figures.touched.add(fact.symbol)
        if position is not None:
            # Its times stay: a fill reported late must not open it again.
            self.state.positions[fact.symbol] = Position(
                symbol=fact.symbol, venue_ms=position.venue_ms, fill_ms=position.fill_ms
            )
        self._forget_foreign(fact.symbol)
        self.state.day_trades += 1
        self.state.day_wins += fact.realized > fact.fees
        for order in self.orders_of(fact.symbol):
            if order.is_final:
                # Whatever of it was never reported is not on its way any more.
                order.filled_qty += unsettled_qty(order)
                self._index(order)

    def _settle_ownership(self, record: Record, fact: facts.OwnershipSettled) -> None:
        position = self._own(fact.symbol, record)
        if position.own_qty * fact.own_qty < ZERO:
            position.stop_price, position.trails = ZERO, True  # it has turned round
        if position.own_qty == ZERO != fact.own_qty:
            # Adopted: what protects it is laid from now on.
            position.opened_seq, position.opened_ms = record.seq, record.ts // NS_PER_MS
            position.stop_price, position.trails = ZERO, True
        position.own_qty = fact.own_qty
        if fact.foreign_qty == ZERO:
            self._forget_foreign(fact.symbol)
        else:
            self.state.foreign[fact.symbol] = fact.foreign_qty

    def _forget_foreign(self, symbol: str) -> None:
        """The next stranger on this symbol is news again."""
        self.state.foreign.pop(symbol, None)
        if f"foreign:{symbol}" in self.state.switched_off:
            self.state.switched_off.remove(f"foreign:{symbol}")

    def paused_symbols(self) -> list[str]:
        """Symbols without new exposure until a person resumes: the venue closed one by force."""
        return [n[7:] for n in self.state.switched_off if n.startswith("symbol:")]

    def _switch(self, fact: facts.Switched) -> None:
        name = f"{fact.kind}:{fact.name}"
        if fact.enabled and name in self.state.switched_off:
            self.state.switched_off.remove(name)
        elif not fact.enabled and name not in self.state.switched_off:
            self.state.switched_off.append(name)

    def _forget_final(self) -> None:
        if len(self.orders) < FINAL_ORDERS_KEPT * 2:
            return
        done = [o.client_id for o in self.orders.values() if self._is_done(o)]
        for client_id in done[:-FINAL_ORDERS_KEPT]:
            order = self.orders.pop(client_id)
            self._by_symbol[order.symbol].pop(client_id, None)

    def _is_done(self, order: Order) -> bool:
        """Nothing of it is awaited, and no position of today's hangs on it."""
        position = self.state.positions.get(order.symbol)
        if not order.is_final or unsettled_qty(order) > ZERO:
            return False
        if position is None or (position.qty == ZERO and position.own_qty == ZERO):
            return True
        replaced = order.purpose is Purpose.STOP and order.cancel_asked
        return replaced or order.seq < position.opened_seq
