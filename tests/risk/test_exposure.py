"""Gate and book against an oracle of their own: whatever is lost, late, doubled or reordered,
exposure with unknown orders counted as filled never exceeds a limit.

The oracle keeps the venue's truth: what each order really executed. The book
only hears reports, in two streams that are each in order but not with each
other, some of them twice.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import Raw, Struct

from lowcap.core import facts
from lowcap.core.messages import OrderPlan, Purpose
from lowcap.core.money import ZERO, Side, floor_to_step
from lowcap.core.order import Order, Status
from lowcap.risk.book import Book, unsettled_qty
from lowcap.risk.gate import decide
from tests.risk.risk_kit import CONTRACTS, MARKS, D, Story, quote, situation, wish
from tests.risk.risk_kit import settings as make_settings

SYMBOLS = sorted(MARKS)
SETTINGS = make_settings(day_loss_usd_max=D(10**9), entries_per_s_max=100, entries_per_min_max=1000)
LIMITS = SETTINGS.limits
SHARES = st.sampled_from([D(0), D("0.3"), D("0.7"), D(1)])


class Truth(Struct, kw_only=True):
    """What the venue really did with one order of ours."""

    name: str
    symbol: str
    side: Side
    qty: Decimal
    executed: Decimal = ZERO
    over: bool = False


class GateAndBook(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.truths: list[Truth] = []
        self.held: dict[str, Decimal] = dict.fromkeys(SYMBOLS, ZERO)
        self.marks = dict(MARKS)
        self.order_events: deque[facts.Fact] = deque()
        self.account_events: deque[facts.PositionSeen] = deque()
        self.told: list[facts.Fact] = []

    # -- the venue ----------------------------------------------------------

    def _execute(self, truth: Truth, share: Decimal) -> None:
        """Execute in two halves, then end; events are queued, not told."""
        qty = floor_to_step(truth.qty * share, CONTRACTS[truth.symbol].step)
        half = floor_to_step(qty / 2, CONTRACTS[truth.symbol].step)
        truth.over = True
        for part in (half, qty - half):
            if part == ZERO:
                continue
            truth.executed += part
            self.held[truth.symbol] += truth.side.sign * part
            self.story._trade_id += 1
            self.order_events.append(
                facts.Filled(
                    client_id=truth.name,
                    symbol=truth.symbol,
                    side=truth.side,
                    trade_id=self.story._trade_id,
                    qty=part,
                    price=self.marks[truth.symbol],
                    venue_ms=self.story.now_ms,
                )
            )
            self.account_events.append(
                facts.PositionSeen(
                    symbol=truth.symbol,
                    qty=self.held[truth.symbol],
                    entry_price=self.marks[truth.symbol],
                    source="stream",
                    venue_ms=self.story.now_ms,
                )
            )
        status = Status.FILLED if truth.executed == truth.qty else Status.EXPIRED
        self.order_events.append(self._update(truth, status))

    def _update(self, truth: Truth, status: Status) -> facts.OrderUpdated:
        return facts.OrderUpdated(
            client_id=truth.name,
            status=status.value,
            source="stream",
            executed_qty=truth.executed,
            order_id=1,
        )

    def _pick(self, number: int, *, over: bool) -> Truth | None:
        found = [t for t in self.truths if t.over is over]
        return found[number % len(found)] if found else None

    # -- rules --------------------------------------------------------------

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(Side),
        usd=st.sampled_from(["4000", "30000", "60000", "90000"]),
        margin=st.sampled_from([D(1_000_000), D(8_000)]),
    )
    def signal(self, symbol: str, side: Side, usd: str, margin: Decimal) -> None:
        quotes = {s: quote(s, p, self.story.now_ms) for s, p in self.marks.items()}
        now = situation(now_ms=self.story.now_ms, quotes=quotes, margin_available_usd=margin)
        answer = decide(wish(symbol, side, usd), self.story.book, now, SETTINGS)
        if not isinstance(answer, OrderPlan):
            return
        assert answer.qty is not None
        assert self._worst(symbol) * side.sign >= 0, "reversed a position"
        name = self.story.intend(answer)
        self.story.tell(facts.OrderSent(client_id=name, road="ws"))
        self.truths.append(Truth(name=name, symbol=symbol, side=side, qty=answer.qty))
        worst = {s: abs(self._worst(s)) * self.marks[s] for s in SYMBOLS}
        assert answer.qty * self.marks[symbol] <= LIMITS.order_notional_usd_max
        assert worst[symbol] <= LIMITS.position_notional_usd_max
        assert sum(worst.values()) <= LIMITS.gross_notional_usd_max
        assert worst[symbol] / 20 <= margin * LIMITS.margin_pct_max / 100
        assert sum(1 for usd in worst.values() if usd) <= LIMITS.open_positions_max

    def _worst(self, symbol: str) -> Decimal:
        """The venue's position if everything still open there executed in full."""
        return self.held[symbol] + sum(
            (t.side.sign * t.qty for t in self.truths if t.symbol == symbol and not t.over), ZERO
        )

    @rule(number=st.integers(0, 50), share=SHARES)
    def execute(self, number: int, share: Decimal) -> None:
        truth = self._pick(number, over=False)
        if truth is not None:
            self._execute(truth, share)

    @rule(number=st.integers(0, 50))
    def lose_the_reply(self, number: int) -> None:
        truth = self._pick(number, over=False) or self._pick(number, over=True)
        if truth is not None:
            self.story.tell(facts.OutcomeUnknown(client_id=truth.name, why="no reply"))

    @rule(number=st.integers(0, 50))
    def lose_the_request(self, number: int) -> None:
        truth = self._pick(number, over=False)
        if truth is not None:
            truth.over = True
            self.story.tell(facts.OutcomeUnknown(client_id=truth.name, why="no reply"))
            self.order_events.append(
                facts.OutcomeSettled(client_id=truth.name, outcome="absent", how="query")
            )

    @rule(number=st.integers(0, 50))
    def reply_late(self, number: int) -> None:
        truth = self._pick(number, over=True)
        if truth is not None and truth.executed:
            status = Status.FILLED if truth.executed == truth.qty else Status.EXPIRED
            self.story.tell(self._update(truth, status))

    @rule(symbol=st.sampled_from(SYMBOLS), share=SHARES)
    def close(self, symbol: str, share: Decimal) -> None:
        held = self.held[symbol]
        qty = floor_to_step(abs(held) * share, CONTRACTS[symbol].step)
        if qty == ZERO:
            return
        side = Side.SELL if held > 0 else Side.BUY
        name = self.story.send(
            symbol=symbol, side=side, purpose=Purpose.CLOSE, qty=qty, reduce_only=True, leg="c"
        )
        self._execute(Truth(name=name, symbol=symbol, side=side, qty=qty), D(1))

    @precondition(lambda self: self.order_events)
    @rule(count=st.integers(1, 4))
    def hear_orders(self, count: int) -> None:
        for _ in range(min(count, len(self.order_events))):
            self._hear(self.order_events.popleft())

    @precondition(lambda self: self.account_events)
    @rule(count=st.integers(1, 4))
    def hear_positions(self, count: int) -> None:
        for _ in range(min(count, len(self.account_events))):
            self._hear(self.account_events.popleft())

    def _hear(self, fact: facts.Fact) -> None:
        self.told.append(fact)
        self.story.tell(fact)
        for symbol, position in list(self.story.book.state.positions.items()):
            flat = position.qty == ZERO and position.own_qty == ZERO
            if flat and self.story.book.pending_qty(symbol) == ZERO:
                self.story.tell(facts.PositionClosed(symbol=symbol, realized=ZERO, fees=ZERO))

    @precondition(lambda self: self.told)
    @rule(number=st.integers(0, 50))
    def hear_again(self, number: int) -> None:
        fact = self.told[-1 - number % min(len(self.told), 5)]
        if not isinstance(fact, facts.PositionSeen):
            self.story.tell(fact)

    @rule(symbol=st.sampled_from(SYMBOLS), leg=st.sampled_from(["s", "t1"]))
    def lay_an_exit(self, symbol: str, leg: str) -> None:
        purpose = Purpose.STOP if leg == "s" else Purpose.TAKE_PROFIT
        held = self.held[symbol]
        if held:
            side = Side.SELL if held > 0 else Side.BUY
            name = self.story.send(
                symbol=symbol, side=side, purpose=purpose, qty=abs(held), reduce_only=True, leg=leg
            )
            self.story.update(name, "expired")

    @rule(symbol=st.sampled_from(SYMBOLS), factor=st.sampled_from([D("0.9"), D("1.1")]))
    def move(self, symbol: str, factor: Decimal) -> None:
        self.marks[symbol] = (self.marks[symbol] * factor).quantize(D("0.0001"))

    @rule(ms=st.integers(0, 2))
    def wait(self, ms: int) -> None:
        self.story.now_ms += ms

    @rule()
    def restart(self) -> None:
        book = Book()
        checkpoint = facts.Checkpoint(book=Raw(self.story.book.snapshot()), keys=Raw(b"{}"))
        self.story.book, before = book, self.story.book
        self.story.tell(checkpoint)
        assert book.state == before.state

    # -- always -------------------------------------------------------------

    @invariant()
    def the_book_never_counts_less_than_the_venue_may_hold(self) -> None:
        for symbol in SYMBOLS:
            worst = max(abs(self.held[symbol]), abs(self._worst(symbol)))
            assert self.story.book.exposure_qty(symbol) >= worst, symbol

    @invariant()
    def what_is_kept_ready_is_what_a_look_at_everything_gives(self) -> None:
        book = self.story.book
        found, laid = {}, {}
        entering = {o.symbol for o in book.orders.values() if _may_add(o)}
        held = {p.symbol for p in book.state.positions.values() if p.qty or p.own_qty}
        for symbol in held | entering:
            position, orders = book.position(symbol), book.orders_of(symbol)
            pending = sum((o.side.sign * unsettled_qty(o) for o in orders if _may_add(o)), ZERO)
            found[symbol] = max(abs(position.qty), abs(position.own_qty)) + abs(pending)
            entries = [o.seq for o in orders if o.purpose is Purpose.ENTRY and not o.is_final]
            since = position.opened_seq or min(entries, default=0)
            exits = [o for o in orders if o.purpose in (Purpose.STOP, Purpose.TAKE_PROFIT)]
            laid[symbol] = sum(1 for o in exits if o.seq >= since)
        assert book.exposures() == found
        assert book.figures().exits_laid == laid

    def teardown(self) -> None:
        while self.order_events:
            self._hear(self.order_events.popleft())
        while self.account_events:
            self._hear(self.account_events.popleft())
        for symbol in SYMBOLS:
            position = self.story.book.position(symbol)
            assert position.own_qty == self.held[symbol]
            if all(t.over for t in self.truths if t.symbol == symbol):
                assert self.story.book.pending_qty(symbol) == ZERO
                assert self.story.book.exposure_qty(symbol) == abs(self.held[symbol])


def _may_add(order: Order) -> bool:
    return order.purpose is Purpose.ENTRY and unsettled_qty(order) > ZERO


TestGateAndBook = GateAndBook.TestCase
TestGateAndBook.settings = hypothesis_settings(
    max_examples=120, stateful_step_count=40, deadline=None
)
