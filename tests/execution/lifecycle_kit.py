"""The desk and its pure parts against the pure simulator, over a wire that does its worst."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import trio
from msgspec import Struct

from lowcap.binance.budget import Budget
from lowcap.binance.orders import PLACE_ALGO, place_params
from lowcap.binance.outcome import Outcome
from lowcap.binance.rest import VenueRefused
from lowcap.binance.socket import algo_outcome, order_outcome, outcome_of
from lowcap.binance.streams import read_user_event
from lowcap.binance.wire import AlgoView, ApiReply, OrderView
from lowcap.core.account import SeenOrder, SeenPosition, Snapshot
from lowcap.core.clock import LoopClock
from lowcap.core.errors import NoAnswer
from lowcap.core.facts import Fact, Filled, OrderIntended, Record
from lowcap.core.ids import prefix
from lowcap.core.messages import OrderPlan, Purpose
from lowcap.core.money import ZERO, Side, floor_to_step, price_to_tick
from lowcap.core.order import RESTING, Order, Status
from lowcap.execution.desk import Desk
from lowcap.execution.reconcile import compare
from lowcap.execution.settle import ask, settle_order
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.state import VenueError
from lowcap.risk.book import Book
from tests.execution.exec_kit import SETTINGS
from tests.risk.risk_kit import BTC, XRP, D
from tests.vectors import AT_MS

SYMBOLS = (XRP, BTC)
TICK_S, RECONCILE_EVERY_S, ASK_EVERY_S = 0.25, 5.0, 1.0
REPLY_WITHIN_MS = 1_500
# After the last wish: lost replies are settled by three queries, ownership by two comparisons.
SETTLE_S = 45.0
_json = msgspec.json.Encoder(decimal_format="number").encode


class Fate(Struct, frozen=True):
    """What the wire does to one message: late by so much, lost, twice, or an error for a reply."""

    late_ms: int = 0
    lost: bool = False
    twice: bool = False
    timeout: bool = False


class Wish(Struct, frozen=True):
    """What happens next, and how long after the last: an entry, a close, or a price."""

    after_ms: int
    kind: str
    symbol: str
    side: Side = Side.BUY
    share: Decimal = Decimal(1)
    move_pct: Decimal = Decimal(0)


class Fates:
    """One fate for each message in turn; all is well once they are used up or ``off``."""

    def __init__(self, fates: list[Fate]) -> None:
        self._left = fates[::-1]

    def next(self) -> Fate:
        """The fate of the next message."""
        return self._left.pop() if self._left else Fate()


class MemoryLedger:
    """A ledger that is a list."""

    def __init__(self, clock: LoopClock) -> None:
        self.run, self.broken = 1, ""
        self.records: list[Record] = []
        self._clock = clock

    @property
    def next_seq(self) -> int:
        return len(self.records) + 1

    def append(self, fact: Fact, cause: int = 0) -> Record:
        record = Record(
            seq=self.next_seq, ts=self._clock.now_ns(), run=1, kind=type(fact).__name__,
            cause=cause, body=fact,
        )  # fmt: skip
        self.records.append(record)
        return record

    def flush(self) -> None:
        """Nothing to hand over."""

    def sync_now(self) -> None:
        """Nothing to sync."""


class PureVenue:
    """The simulator's methods as the desk calls them, each message with its fate."""

    def __init__(self, clock: LoopClock, nursery: trio.Nursery, requests: Fates, replies: Fates,
                 events: Fates, lag_ms: int) -> None:  # fmt: skip
        self.exchange = Exchange(ExchangeSetup(step_bps=0.0))
        self.contracts = self.exchange.contracts
        self.leverage = dict.fromkeys(SYMBOLS, 20)
        self.offset_ms, self.wallet_usdt = 0, D(1_000_000)
        self.budget = Budget()
        self.sent: list[str] = []
        self.desk: Desk
        self._clock, self._nursery = clock, nursery
        self._requests, self._replies, self._events = requests, replies, events
        self._lag_ms = lag_ms

    def venue_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    def _carry(self, fate: Fate, deliver: Callable[[], None]) -> None:
        """Deliver a message by its fate."""
        if fate.lost:
            return

        async def later(late_ms: int) -> None:
            await trio.sleep(late_ms / 1000)
            deliver()

        if fate.late_ms:
            self._nursery.start_soon(later, fate.late_ms)
        else:
            deliver()
        if fate.twice:
            self._nursery.start_soon(later, fate.late_ms + 40)

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """One call at the venue; its events set out for us."""
        try:
            return self.exchange.call(method, params, self.venue_ms())
        finally:
            self.send_events()

    def send_events(self) -> None:
        """Let the user data stream carry what has happened."""
        for event in self.exchange.take_events():
            read = read_user_event(msgspec.json.encode(event))
            self._carry(self._events.next(), lambda read=read: self.desk.on_user_event(read))  # type: ignore[misc]

    # -- what the desk calls ---------------------------------------------------------

    def submit(self, intent: OrderIntended, on_outcome: Callable[[Outcome], None]) -> None:
        method, params = place_params(intent)
        self.sent.append(intent.client_id)
        signed_ms = self.venue_ms()
        fate = self._requests.next()

        def arrive() -> None:
            told = self._replies.next()
            reply: dict[str, Any] = {"id": 1, "status": 200}
            try:
                if self.venue_ms() - signed_ms > intent.recv_window_ms:
                    raise VenueError(-1021, "Timestamp outside of the recvWindow.")
                reply["result"] = self.call(method, params)
            except VenueError as error:
                fault = {"code": error.code, "msg": error.msg}
                reply |= {"status": error.status, "error": fault}
            if told.timeout:
                fault = {"code": -1007, "msg": "Timeout waiting for response from backend server."}
                reply = {"id": 1, "status": 408, "error": fault}
            read = msgspec.json.decode(_json(reply), type=ApiReply)
            outcome = outcome_of(read, algo=method == PLACE_ALGO)
            self._carry(told, lambda: on_outcome(outcome))

        # A request has no second copy, and none is answered before ``submit`` returns.
        self._carry(Fate(late_ms=fate.late_ms + 1, lost=fate.lost), arrive)

    async def query(self, order: Order) -> Outcome:
        await trio.sleep(0.01)
        if self._replies.next().lost:
            raise NoAnswer("no answer")
        name = "clientAlgoId" if order.is_algo else "origClientOrderId"
        method = "algoOrder.status" if order.is_algo else "order.status"
        try:
            view = self.call(method, {"symbol": order.symbol, name: order.client_id})
        except VenueError as error:
            raise VenueRefused(error.code, error.msg, error.status) from error
        if self.venue_ms() - self._born_ms(order) < self._lag_ms:
            raise VenueRefused(-2013, "Order does not exist.", 400)
        if order.is_algo:
            return algo_outcome(msgspec.json.decode(_json(view), type=AlgoView))
        return order_outcome(msgspec.json.decode(_json(view), type=OrderView))

    def _born_ms(self, order: Order) -> int:
        state = self.exchange.state
        books = [*state.orders.values(), *state.algos.values()]
        return max((o.created_ms for o in books if o.client_id == order.client_id), default=0)

    async def fills(self, order: Order, outcome: Outcome) -> list[Filled]:
        await trio.sleep(0.01)
        wanted = outcome.child_id if order.is_algo else outcome.order_id
        return [
            Filled(
                client_id=order.client_id, symbol=t.symbol, side=Side(t.side), trade_id=t.trade_id,
                qty=t.qty, price=t.price, fee=t.fee, realized=t.realized, venue_ms=t.time_ms,
            )
            for t in self.exchange.state.trades
            if t.order_id == wanted
        ]  # fmt: skip

    def snapshot(self) -> Snapshot:
        """Positions and both books as they are."""
        book, algos = self.exchange.book, self.exchange.algos
        return Snapshot(
            at_ms=self.venue_ms(),
            positions=tuple(
                SeenPosition(symbol=p.symbol, qty=p.qty, entry_price=p.entry_price,
                             venue_ms=p.updated_ms)
                for p in self.exchange.state.positions.values() if p.qty != ZERO
            ),
            orders=tuple(
                SeenOrder(symbol=o.symbol, client_id=o.client_id, side=o.side, qty=o.remaining,
                          reduces=o.reduce_only, algo=False)
                for o in book.open_orders()
            ) + tuple(
                SeenOrder(symbol=a.symbol, client_id=a.client_id, side=a.side, qty=a.qty,
                          reduces=a.close_position, algo=True)
                for a in algos.open_algos()
            ),
        )  # fmt: skip


class Pair:
    """Desk and simulator, with the little of the keeper's waiting that an order's life needs."""

    def __init__(self, clock: LoopClock, nursery: trio.Nursery, venue: PureVenue) -> None:
        self.venue, self.start = venue, nursery.start_soon
        self.book, self.ledger = self.new_book(), MemoryLedger(clock)
        self.desk = Desk(self.ledger, self.book, SETTINGS, clock, venue)  # type: ignore[arg-type]
        venue.desk = self.desk
        self.desk.settle = lambda name: self.start(settle_order, self.desk, name)
        self.desk.spawn_cancel = self._cancel
        self.desk.spawn_close = self._close
        self._suspect: dict[str, object] = {}
        self._missed: set[str] = set()
        self._asked_s: dict[str, float] = {}
        self.written_off: set[str] = set()

    def new_book(self) -> Book:
        """The book to fold into."""
        return Book()

    # -- wishes ---------------------------------------------------------------------

    def carry_out(self, wish: Wish) -> None:
        exchange = self.venue.exchange
        if wish.kind == "enter":
            exchange.faults.fill_share = {wish.symbol: wish.share}
            self._enter(wish.symbol, wish.side)
        elif wish.kind == "close":
            self._close(wish.symbol)
        else:
            mark = exchange.board.quotes[wish.symbol].mark * (1 + wish.move_pct / 100)
            exchange.board.set_price(wish.symbol, mark)
            exchange.tick(self.venue.venue_ms())
            self.venue.send_events()

    def _enter(self, symbol: str, side: Side) -> None:
        if self.book.position(symbol).own_qty * side.sign < ZERO:
            return  # the other way round is a close, and has its own way
        contract, mark = self.venue.contracts[symbol], self.venue.exchange.board.quotes[symbol].mark
        price = price_to_tick(mark * (1 + D("0.01") * side.sign), contract.tick, up=side.sign > 0)
        qty = floor_to_step(D(5_000) / mark, contract.step)
        plan = OrderPlan(symbol=symbol, side=side, purpose=Purpose.ENTRY, type="LIMIT", qty=qty,
                         price=price, leg="e", recv_window_ms=1_000)  # fmt: skip
        self.desk.submit(plan, 0, {})

    def _close(self, symbol: str) -> None:
        """Legs off, then what the book holds: an exit may be repeated until it is flat."""
        for order in self.book.orders_of(symbol):
            if order.purpose is Purpose.TAKE_PROFIT and order.status in RESTING:
                self._cancel(order.client_id)
        own = self.book.position(symbol).own_qty
        waiting = any(o.purpose is Purpose.CLOSE and not o.is_final
                      for o in self.book.orders_of(symbol))  # fmt: skip
        if own != ZERO and not waiting:
            side = Side.SELL if own > ZERO else Side.BUY
            plan = OrderPlan(
                symbol=symbol,
                side=side,
                purpose=Purpose.CLOSE,
                type="MARKET",
                qty=abs(own),
                reduce_only=True,
                leg="c",
                recv_window_ms=2_000,
            )
            self.desk.submit(plan, 0, {})

    def _cancel(self, name: str) -> None:
        order = self.book.orders[name]

        def arrive() -> None:
            try:
                params = {"symbol": order.symbol, "origClientOrderId": name}
                self.venue.call("order.cancel", params)
            except VenueError:
                return  # it has ended already

        if order.status in RESTING and not order.is_algo:
            self.start(_soon, arrive)

    # -- waiting --------------------------------------------------------------------

    async def keep(self) -> None:
        """Deadlines of replies, missing fills, protection, and the comparison."""
        compare_s = trio.current_time() + RECONCILE_EVERY_S
        while True:
            await trio.sleep(TICK_S)
            at_ms, now_s = self.desk.now_ms(), trio.current_time()
            for order in list(self.book.orders.values()):
                overdue = at_ms - order.updated_ms > REPLY_WITHIN_MS
                if order.status is Status.SENT and overdue:
                    self.desk.mark_unknown(order, "no reply in time")
                last_s = self._asked_s.get(order.client_id, 0.0)
                if order.lacks_fills and now_s - last_s > ASK_EVERY_S:
                    self._asked_s[order.client_id] = now_s
                    self.start(ask, self.desk, order)
            for symbol in SYMBOLS:
                self.desk.look_after(symbol)
            self._look_for_the_absent()
            if now_s >= compare_s:
                compare_s = now_s + RECONCILE_EVERY_S
                await self._reconcile()

    def _look_for_the_absent(self) -> None:
        """What the venue has must never be believed absent, not even for a moment."""
        absent = {o.client_id for o in self.book.orders.values() if o.status is Status.ABSENT}
        if absent:
            state = self.venue.exchange.state
            there = {o.client_id for o in [*state.orders.values(), *state.algos.values()]}
            self.written_off |= absent & there

    async def _reconcile(self) -> None:
        found = compare(self.book, self.venue.snapshot(), self.desk.now_ms(), prefix("dry"))
        for fact in found.positions:
            self.desk.record(fact)
        said = {f.symbol: (f.own_qty, f.foreign_qty) for f in found.ownership}
        for ownership in found.ownership:
            if self._suspect.get(ownership.symbol) == said[ownership.symbol]:
                self.desk.record(ownership)
        self._suspect = dict(said)
        missed = {n for n in found.ask_about if await ask(self.desk, self.book.orders[n]) is True}
        for name in sorted(missed & self._missed):
            self.desk.believe_gone(name)
        self._missed = missed


async def _soon(act: Callable[[], None]) -> None:
    await trio.sleep(0.01)
    act()


def run_pair(
    wishes: list[Wish],
    fates: tuple[list[Fate], list[Fate], list[Fate]],
    lag_ms: int,
    judge: Callable[[Pair], None],
    kind: type[Pair] = Pair,
) -> None:
    """Carry out ``wishes`` on a wire of such requests, replies and events; have the end judged.

    Raises:
        AssertionError: belief was wrong in the end, or an order was written off too early.
    """
    wrong: list[AssertionError] = []

    async def main() -> None:
        clock = LoopClock(AT_MS * 1_000_000)
        clock.now_ns()
        async with trio.open_nursery() as nursery:
            venue = PureVenue(clock, nursery, *(Fates(each) for each in fates), lag_ms)
            pair = kind(clock, nursery, venue)
            nursery.start_soon(pair.keep)
            for wish in wishes:
                await trio.sleep(wish.after_ms / 1000)
                pair.carry_out(wish)
            await trio.sleep(SETTLE_S)
            try:
                assert not pair.written_off, f"believed absent: {pair.written_off}"
                judge(pair)
            except AssertionError as error:
                wrong.append(error)
            nursery.cancel_scope.cancel()

    from trio._core import _run

    _run._r.seed(0)
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    if wrong:
        raise wrong[0]
