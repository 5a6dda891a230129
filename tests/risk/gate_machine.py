"""Gate and book against an oracle written from the words of the rules, in one state machine.

The oracle keeps the truth: what each order really did at the venue, what each
symbol holds, who traded when and what was lost. It never looks into the book.
The book only hears records; what it hears may be late, doubled or never come.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Raw, Struct, field

from lowcap.core import facts
from lowcap.core.facts import Record
from lowcap.core.messages import OrderPlan, Purpose, Quote, Refusal
from lowcap.core.money import ZERO, Side, floor_to_step
from lowcap.core.order import Status
from lowcap.risk.book import Book
from lowcap.risk.gate import EntryWish, Situation, decide
from lowcap.settings import Settings
from tests.risk.risk_kit import BTC, CONTRACTS, ETH, MARKS, XRP, D, Story, quote, situation
from tests.risk.risk_kit import settings as make_settings

SYMBOLS = (BTC, ETH, XRP)
FEEDS = ("tokyo", "bwe")
# The words of the rules as numbers.
ORDER, POSITION, GROSS, FEED, POSITIONS = D(50_000), D(80_000), D(120_000), D(90_000), 2
STREAK, EXECUTIONS, PER_SECOND, LOSS = 3, 3, 5, D(1_000)
PRICE_AGE_MS, APART_PCT, MARGIN_PCT, LEVERAGE = 3_000, 1, 30, 20
SETTINGS = make_settings(
    order_notional_usd_max=ORDER,
    position_notional_usd_max=POSITION,
    gross_notional_usd_max=GROSS,
    feed_notional_usd_max=FEED,
    open_positions_max=POSITIONS,
    losing_streak_max=STREAK,
    executions_per_hour_max=EXECUTIONS,
    entries_per_s_max=PER_SECOND,
    day_loss_usd_max=LOSS,
    drawdown_pct_max=D(0),
)
BAD_MARKS = [D("NaN"), D("sNaN"), D("Infinity"), ZERO, D(-1)]
Decide = Callable[[EntryWish, Book, Situation, Settings], OrderPlan | Refusal]


class Truth(Struct, kw_only=True):
    """What the venue really did with one entry, and whether we have been told its end."""

    name: str
    symbol: str
    side: Side
    feed: str
    qty: Decimal
    executed: Decimal = ZERO
    over: bool = False
    in_doubt: bool = False
    told: bool = False


class Oracle(Struct, kw_only=True):
    """The truth of the account. ``owned`` and ``foreign`` are signed quantities."""

    owned: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, ZERO))
    foreign: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, ZERO))
    truths: list[Truth] = field(default_factory=list)
    entries_ms: list[int] = field(default_factory=list)
    signals: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    by_feed: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    losses_in_a_row: int = 0
    lost_usd: Decimal = ZERO

    def waiting(self, symbol: str) -> list[Truth]:
        """Entries that may still bring quantity, as far as we have been told."""
        return [t for t in self.truths if t.symbol == symbol and not t.told]

    def worst(self, symbol: str) -> Decimal:
        """The largest quantity that could be: everything untold counts as filled in full."""
        untold = sum((t.qty for t in self.waiting(symbol)), ZERO)
        told = abs(self.owned[symbol] - self._untold_fills(symbol))
        return told + abs(self.foreign[symbol]) + untold

    def _untold_fills(self, symbol: str) -> Decimal:
        return sum((t.side.sign * t.executed for t in self.waiting(symbol)), ZERO)

    def must_refuse(
        self, wish: EntryWish, price: Quote | None, now_ms: int, marks: dict[str, Decimal]
    ) -> set[str]:
        """Why the rules forbid this entry; empty where they do not."""
        symbol, sign, why = wish.symbol, wish.side.sign, set()
        if price is None:
            why.add("no price")
        elif not price.mark.is_finite() or price.mark <= 0:
            why.add("bad price")
        elif not 0 <= now_ms - price.mark_ms <= PRICE_AGE_MS:
            why.add("stale price")
        elif price.last is not None and abs(price.last / price.mark - 1) * 100 > APART_PCT:
            why.add("mark and last apart")
        if any(t.in_doubt for t in self.truths if t.symbol == symbol):
            why.add("in doubt")
        if self.foreign[symbol]:
            why.add("foreign")
        held = [self.owned[symbol], *(t.side.sign * t.qty for t in self.waiting(symbol))]
        if any(qty * sign < 0 for qty in held):
            why.add("opposite")
        if sum(1 for at in self.entries_ms if now_ms - at < 1_000) >= PER_SECOND:
            why.add("too many a second")
        if sum(1 for at in self.entries_ms if now_ms - at < 60_000) >= 30:
            why.add("too many a minute")
        if sum(1 for at in self.entries_ms if now_ms - at < 3_600_000) >= 60:
            why.add("too many an hour")
        done = {seq for seq, at in self.signals.get(wish.trigger, []) if now_ms - at < 3_600_000}
        if len(done - {wish.signal_seq}) >= EXECUTIONS:
            why.add("trigger too often")
        if self.losses_in_a_row >= STREAK or self.lost_usd >= LOSS:
            why.add("losses")
        others = [s for s in SYMBOLS if s != symbol and self.worst(s)]
        if len(others) >= POSITIONS and not self.worst(symbol):
            why.add("too many positions")
        return why

    def room(self, wish: EntryWish, marks: dict[str, Decimal], margin: Decimal) -> Decimal:
        """The dollars that every limit leaves for an entry."""
        worth = {s: self.worst(s) * marks[s] for s in SYMBOLS}
        return min(
            wish.wish[0],
            ORDER,
            POSITION - worth[wish.symbol],
            GROSS - sum(worth.values()),
            FEED - self.from_feed(wish.feed, marks),
            margin * MARGIN_PCT / 100 * LEVERAGE - worth[wish.symbol],
        )

    def from_feed(self, feed: str, marks: dict[str, Decimal]) -> Decimal:
        """What is open or may yet open from one feed, in dollars: its share of each symbol."""
        total = ZERO
        for symbol in SYMBOLS:
            shares = dict(self.by_feed.get(symbol, {}))
            for truth in self.waiting(symbol):
                shares[truth.feed] = shares.get(truth.feed, ZERO) + truth.qty
            whole = sum(shares.values(), ZERO)
            if whole:
                share = shares.get(feed, ZERO) / whole
                total += self.worst(symbol) * share * marks[symbol]
        return total


class GateMachine(RuleBasedStateMachine):
    """Entries, fills in parts, lost replies, closes, strangers and restarts, over three symbols."""

    make_book: Callable[[], Book] = Book
    decide: Decide = staticmethod(decide)

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.story.book = type(self).make_book()
        self.truth = Oracle()
        self.marks = dict(MARKS)

    # -- entries ------------------------------------------------------------

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(Side),
        usd=st.sampled_from(["4000", "30000", "60000", "90000"]),
        trigger=st.sampled_from(["a", "b"]),
        feed=st.sampled_from(FEEDS),
        margin=st.sampled_from([D(1_000_000), D(1_000_000), D(8_000)]),
        age_ms=st.sampled_from([0, 0, 0, 0, 3_000, 3_001, -1, 10**9]),
        bad=st.one_of(st.just(None), st.just(None), st.just(None), st.sampled_from(BAD_MARKS)),
        missing=st.sampled_from([False, False, False, False, True]),
        apart=st.sampled_from(["1", "1", "1.009", "0.98", "1.02"]),
    )
    def signal(
        self,
        symbol: str,
        side: Side,
        usd: str,
        trigger: str,
        feed: str,
        margin: Decimal,
        age_ms: int,
        bad: Decimal | None,
        missing: bool,
        apart: str,
    ) -> None:
        now_ms = self.story.now_ms
        quotes = {s: quote(s, p, now_ms) for s, p in self.marks.items()}
        mark = self.marks[symbol] if bad is None else bad
        last = None if bad is not None else mark * D(apart)
        quotes[symbol] = quote(symbol, mark, now_ms - age_ms, last=last)
        if missing:
            del quotes[symbol]
        raised = self.story.tell(
            facts.SignalRaised(
                trigger=trigger, feed=feed, side=side, symbols=(symbol,), matched=(), tier="macro",
                age_ms=0,
            )
        )  # fmt: skip
        wish = EntryWish(
            symbol=symbol, side=side, wish=(D(usd), "trigger"), trigger=trigger, feed=feed,
            signal_seq=raised.seq,
        )  # fmt: skip
        at = situation(now_ms=now_ms, quotes=quotes, margin_available_usd=margin)
        answer = type(self).decide(wish, self.story.book, at, SETTINGS)
        price = quotes.get(symbol)
        why = self.truth.must_refuse(wish, price, now_ms, self.marks)
        room = self.truth.room(wish, self.marks, margin) if not why else ZERO
        if isinstance(answer, Refusal):
            assert why or room < 100, f"refused without a reason: {answer}"
            self.story.tell(
                facts.Refused(
                    symbol=symbol, side=side, check=answer.check, measured=answer.measured,
                    limit=answer.limit,
                )
            )  # fmt: skip
            return
        assert not why, f"let through although {why}"
        assert answer.qty is not None
        assert answer.qty * self.marks[symbol] <= room
        self._send(answer, raised, wish)

    def _send(self, plan: OrderPlan, raised: Record, wish: EntryWish) -> None:
        assert plan.qty is not None
        name = self.story.intend(plan, cause=raised.seq)
        self.story.tell(facts.OrderSent(client_id=name, road="ws"))
        self.truth.entries_ms.append(self.story.now_ms)
        done = self.truth.signals.setdefault(wish.trigger, [])
        done.append((raised.seq, self.story.now_ms))
        self.truth.truths.append(
            Truth(name=name, symbol=plan.symbol, side=plan.side, feed=wish.feed, qty=plan.qty)
        )

    # -- what becomes of them -------------------------------------------------

    def _pick(self, number: int, *, over: bool) -> Truth | None:
        found = [t for t in self.truth.truths if t.over is over and not t.told]
        return found[number % len(found)] if found else None

    @rule(number=st.integers(0, 20), share=st.sampled_from([ZERO, D("0.3"), D(1)]))
    def execute(self, number: int, share: Decimal) -> None:
        """The venue executes an entry, in whole, in part or not at all; nobody tells us yet."""
        truth = self._pick(number, over=False)
        if truth is not None:
            self._execute(truth, share)

    def _execute(self, truth: Truth, share: Decimal) -> None:
        if not truth.over:
            truth.executed = floor_to_step(truth.qty * share, CONTRACTS[truth.symbol].step)
            truth.over = True
            self.truth.owned[truth.symbol] += truth.side.sign * truth.executed

    @rule(number=st.integers(0, 20))
    def lose_the_reply(self, number: int) -> None:
        truth = self._pick(number, over=bool(number % 2))
        if truth is not None:
            truth.in_doubt = True
            self.story.tell(facts.OutcomeUnknown(client_id=truth.name, why="no reply"))

    @rule(number=st.integers(0, 20), parts=st.integers(1, 3), again=st.booleans())
    def hear(self, number: int, parts: int, again: bool) -> None:
        """The venue tells of an entry that is over: fills in parts, perhaps twice, then its end."""
        truth = self._pick(number, over=True)
        if truth is not None:
            self._hear(truth, parts, again)

    def _hear(self, truth: Truth, parts: int, again: bool) -> None:
        left, price = truth.executed, self.marks[truth.symbol]
        for part in range(parts):
            qty = left if part == parts - 1 else floor_to_step(left / 2, D("0.001"))
            if qty > 0:
                fact = self.story.fill(truth.name, str(qty), str(price))
                if again:
                    self.story.tell(fact)
                left -= qty
        if truth.executed == 0 and truth.in_doubt:
            self.story.tell(
                facts.OutcomeSettled(client_id=truth.name, outcome="absent", how="query")
            )
        else:
            status = Status.FILLED if truth.executed == truth.qty else Status.EXPIRED
            self.story.update(truth.name, status.value, str(truth.executed))
        truth.told, truth.in_doubt = True, False
        shares = self.truth.by_feed.setdefault(truth.symbol, {})
        shares[truth.feed] = shares.get(truth.feed, ZERO) + truth.executed
        self._see(truth.symbol)

    def _see(self, symbol: str) -> None:
        """The venue's word on a position, as far as its orders have been told of."""
        if self.truth.waiting(symbol):
            return
        qty = self.truth.owned[symbol] + self.truth.foreign[symbol]
        self.story.see(str(qty), str(self.marks[symbol]), symbol)

    @rule(symbol=st.sampled_from(SYMBOLS), share=st.sampled_from(["0.5", "1"]),
          result=st.sampled_from(["-400", "-90", "150"]))  # fmt: skip
    def close(self, symbol: str, share: str, result: str) -> None:
        """We close a position, or half of it, and are told at once."""
        held = self.truth.owned[symbol]
        if self.truth.waiting(symbol) or not held:
            return
        qty = floor_to_step(abs(held) * D(share), CONTRACTS[symbol].step)
        if qty <= 0:
            return
        side = Side.SELL if held > 0 else Side.BUY
        name = self.story.send(
            symbol=symbol, side=side, purpose=Purpose.CLOSE, qty=qty, reduce_only=True, leg="c"
        )
        self.story.fill(name, str(qty), str(self.marks[symbol]), realized=D(result))
        self.story.update(name, "filled", str(qty))
        self.truth.owned[symbol] += side.sign * qty
        self.truth.lost_usd -= D(result)
        self._see(symbol)
        if self.truth.owned[symbol] == 0:
            net = self.story.book.position(symbol).realized
            self.story.tell(facts.PositionClosed(symbol=symbol, realized=net, fees=ZERO))
            self.truth.by_feed.pop(symbol, None)
            self.truth.losses_in_a_row = self.truth.losses_in_a_row + 1 if net < 0 else 0

    @rule(symbol=st.sampled_from(SYMBOLS), trigger=st.sampled_from(["a", "b"]),
          result=st.sampled_from(["-90", "-600"]))  # fmt: skip
    def losing_trade(self, symbol: str, trigger: str, result: str) -> None:
        """A whole trade that ends at a loss."""
        before = len(self.truth.truths)
        self.signal(symbol, Side.BUY, "4000", trigger, "bwe", D(1_000_000), 0, None, False, "1")
        for truth in self.truth.truths[before:]:
            self._execute(truth, D(1))
            self._hear(truth, 1, False)
            self.close(symbol, "1", result)

    @rule(symbol=st.sampled_from(SYMBOLS), qty=st.sampled_from(["1", "-2", "0"]))
    def stranger(self, symbol: str, qty: str) -> None:
        """Somebody else trades on our account; reconciliation tells whose it is."""
        if self.truth.waiting(symbol):
            return
        own = self.truth.owned[symbol]
        if own * D(qty) < 0:
            return  # an opposite trade of a stranger would have closed ours
        self.truth.foreign[symbol] = D(qty)
        self._see(symbol)
        self.story.tell(
            facts.OwnershipSettled(symbol=symbol, own_qty=own, foreign_qty=D(qty), why="compared")
        )

    # -- time -----------------------------------------------------------------

    @rule(symbol=st.sampled_from(SYMBOLS), factor=st.sampled_from([D("0.9"), D("1.1")]))
    def move(self, symbol: str, factor: Decimal) -> None:
        self.marks[symbol] = (self.marks[symbol] * factor).quantize(D("0.0001"))

    @rule(ms=st.sampled_from([1, 400, 1_000, 30_000, 1_800_000]))
    def wait(self, ms: int) -> None:
        self.story.now_ms += ms

    @rule()
    def unlock(self) -> None:
        """A person acknowledges a streak of losses."""
        self.story.tell(facts.HoldLifted(name="loss-streak", reason="seen", who="uid 0"))
        self.truth.losses_in_a_row = 0

    @rule(trigger=st.sampled_from(["a", "b"]))
    def enable(self, trigger: str) -> None:
        self.story.tell(facts.Switched(kind="trigger", name=trigger, enabled=True, who="uid 0"))
        self.truth.signals.pop(trigger, None)

    @rule(from_checkpoint=st.booleans())
    def restart(self, from_checkpoint: bool) -> None:
        """The daemon starts again, from a checkpoint or from the records alone."""
        before, book = self.story.book, type(self).make_book()
        if not from_checkpoint:
            for record in self.story.records:
                book.apply(record)
        self.story.book = book
        if from_checkpoint:
            checkpoint = facts.Checkpoint(book=Raw(before.snapshot()), keys=Raw(b"{}"))
            self.story.tell(checkpoint)
        assert book.state == before.state

    # -- always ---------------------------------------------------------------

    @invariant()
    def the_book_never_counts_less_than_there_may_be(self) -> None:
        for symbol in SYMBOLS:
            really = abs(self.truth.owned[symbol] + self.truth.foreign[symbol])
            assert self.story.book.exposure_qty(symbol) >= really, symbol
