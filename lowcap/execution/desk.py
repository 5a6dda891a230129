"""The desk: the only writer of orders, positions and trading state.

Everything arrives by plain synchronous calls (a signal, a reply, an event, a
price, a command), becomes facts in the ledger and then in the book, and leaves
as orders. Nothing here waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from lowcap.binance.budget import Urgency
from lowcap.binance.errors import Remedy, doubted_by, meaning_of
from lowcap.binance.outcome import Outcome
from lowcap.binance.userevents import AnyEvent
from lowcap.binance.venue import Venue
from lowcap.core import facts
from lowcap.core.caps import CapTable
from lowcap.core.clock import Clock, now_ms
from lowcap.core.errors import LedgerError, NotSent
from lowcap.core.facts import Fact, OrderIntended, Record
from lowcap.core.ids import client_id
from lowcap.core.messages import (
    OrderPlan,
    Purpose,
    Refusal,
    Signal,
    Target,
    TradingState,
)
from lowcap.core.money import ZERO, Side
from lowcap.core.order import Order, Status, may_become
from lowcap.core.stopword import StopWord
from lowcap.execution import care, reports
from lowcap.execution.bracket import orders_owed
from lowcap.execution.breakers import Breakers
from lowcap.execution.events import take_event
from lowcap.execution.lastlook import may_leave
from lowcap.execution.prices import Prices
from lowcap.execution.retry import Attempt, try_again
from lowcap.ledger.writer import Ledger
from lowcap.risk.book import Book
from lowcap.risk.gate import EntryWish, Situation, decide, notionals, wish_of
from lowcap.risk.guards import equity_of
from lowcap.risk.leverage import LeverageTables
from lowcap.risk.protections import Protections
from lowcap.risk.sizing import Wish, share_out, wished_notional
from lowcap.settings import Settings

AUTO = "auto"
VENUE_REFUSES = "venue-refuses"
SpawnRest = Callable[[OrderIntended], None]


class Desk:
    """Trading state and the calls that change it.

    The hooks are set by the shells around it: ``spawn_rest`` sends an order
    by the second road, ``spawn_cancel`` and ``spawn_close`` start tasks,
    ``settle`` finds out an unknown outcome, and ``read_again`` looks up what a
    word of the venue says we have wrong: "clock", "contracts", "brackets",
    "leverage" or "income".
    """

    def __init__(
        self, ledger: Ledger, book: Book, settings: Settings, clock: Clock, venue: Venue
    ) -> None:
        self.ledger = ledger
        self.book = book
        self.settings = settings
        self.clock = clock
        self.venue = venue
        self.protections = Protections(settings)
        # The best mark price of positions whose stop follows it.
        self.best: dict[str, Decimal] = {}
        self.mode = settings.mode
        self.armed = settings.mode != "live"
        self.stopping = False
        self.stop_word = StopWord()
        self.prices = Prices(clock)
        self.quotes = self.prices.quotes
        self.breakers = Breakers(book, self.record, self.now_ms)
        # How many closings work on a symbol, and how many panics on everything.
        self.closing: Counter[str] = Counter()
        self.flattening = 0
        self.sent_ns: dict[str, int] = {}
        self.foreign_events = 0
        # Capitalisations, and the coin behind a symbol: what sizes go by.
        self.caps = CapTable()
        self.coin_of: Callable[[str], str] = lambda symbol: ""
        self.tables = LeverageTables()
        self.spawn_rest: SpawnRest = lambda intent: None
        self.spawn_cancel: Callable[[str], None] = lambda client_id: None
        self.spawn_close: Callable[[str], None] = lambda symbol: None
        self.settle: Callable[[str], None] = lambda client_id: None
        self.read_again: Callable[[str], None] = lambda what: None
        # When the user stream spoke last, and since when an accepted order waits to be told of.
        self.heard_ms = 0
        self.awaiting_event_ms = 0
        # Orders to query once a time has come, unless a trade has been told of by then.
        self.to_ask: dict[str, tuple[int, int]] = {}
        # Entries that wait for their outcome, and how to try them again where it is a refusal.
        self.attempts: dict[str, Attempt] = {}
        # The regular order that a triggered conditional one became, to its client id.
        self.children: dict[int, str] = {}

    # -- facts ----------------------------------------------------------------

    def record(self, fact: Fact, cause: int = 0) -> Record:
        """Append a fact and fold it into the book."""
        record = self.ledger.append(fact, cause)
        self.book.apply(record)
        return record

    def take_settings(self, settings: Settings) -> None:
        """Go by other settings from now on."""
        self.settings, self.protections = settings, Protections(settings)

    def now_ms(self) -> int:
        """Wall time in milliseconds."""
        return now_ms(self.clock)

    # -- holds ----------------------------------------------------------------

    def state(self) -> TradingState:
        """The trading state in force."""
        if self.stopping:
            return TradingState.STOPPING
        return self.book.trading_state(self.now_ms())

    def place_hold(
        self, name: str, state: TradingState, reason: str, who: str = AUTO, until_ms: int = 0
    ) -> None:
        """Restrict trading under a name; the same hold again only changes its reason."""
        held = self.book.state.holds.get(name)
        if held is not None and (held.state, held.who, held.until_ms) == (state, who, until_ms):
            return
        self.record(
            facts.HoldPlaced(name=name, state=state, reason=reason, who=who, until_ms=until_ms)
        )
        if state is TradingState.HALTED:
            try:
                self.ledger.sync_now()
            except (LedgerError, OSError) as error:
                # The halt stands in memory, and whoever halts to close must get on.
                self.alarm("ledger", f"the halt is not on the disk: {error}", "free the disk")

    def lift_hold(self, name: str, reason: str, who: str = AUTO) -> None:
        """Lift a hold, if it is there."""
        if name in self.book.state.holds:
            self.record(facts.HoldLifted(name=name, reason=reason, who=who))

    def set_health(self, name: str, healthy: bool, reason: str) -> None:
        """An automatic hold: REDUCING while its cause lasts."""
        if healthy:
            self.lift_hold(name, reason or "healthy again")
        else:
            self.place_hold(name, TradingState.REDUCING, reason)

    def alarm(self, code: str, text: str, hint: str = "") -> None:
        """Record something that a person should look at."""
        self.record(facts.AlarmRaised(code=code, text=text, hint=hint))

    # -- entries --------------------------------------------------------------

    def situation(self) -> Situation:
        """What the gate needs to know at this instant."""
        return Situation(
            now_ms=self.now_ms(),
            armed=self.armed,
            stopping=self.stopping,
            ledger_fault=self.ledger.broken,
            clock_offset_ms=self.venue.offset_ms,
            margin_available_usd=self.margin_available(),
            quotes=self.quotes,
            contracts=self.venue.contracts,
            leverage=self.venue.leverage,
            closing=self.closing,
            budget_lack=self._budget_lack(),
            tables=self.tables,
            stop_of=self.protections.stop_pct,
            filters_age_ms=self.now_ms() - self.venue.filters_ms,
            brackets_age_ms=self.now_ms() - self.venue.brackets_ms,
            stop_word=self.stop_word.raised(),
            equity_usd=self.equity_usd(),
        )

    def prepare_tables(self) -> None:
        """Work the leverage tables out anew, where contracts or settings have changed."""
        self.tables.prepare(
            self.venue.contracts, self.settings.leverage.max, self.protections.stop_pct
        )

    def _budget_lack(self) -> str:
        """Whether one more entry leaves room for the exits of all positions."""
        owed = orders_owed(self.book, self.protections) + self.protections.most_exits
        venue = self.venue
        return venue.budget.lack(Urgency.ROUTINE, venue.venue_ms(), weight=1, orders=1 + owed)

    def equity_usd(self) -> Decimal | None:
        """What the account is worth at mark, in USD; None where a position has no price."""
        return equity_of(self.book, self.quotes, self.venue.wallet_usdt)

    def margin_available(self) -> Decimal:
        """Wallet less the initial margin of everything held or on its way, in USD."""
        free = self.venue.wallet_usdt
        for symbol, notional in notionals(self.book, self.quotes).items():
            free -= notional / self.venue.leverage.get(symbol, 1)
        return max(free, ZERO)

    def wishes(self, targets: Sequence[Target]) -> list[Wish]:
        """The dollars for each symbol of one signal, together within ``sizing.signal_usd_max``."""
        sizing, at_ms = self.settings.sizing, self.now_ms()
        found = [
            wished_notional(
                sizing,
                target.symbol,
                target.notional_usd,
                self.caps.of(self.coin_of(target.symbol), at_ms),
            )
            for target in targets
        ]
        return share_out(found, sizing.signal_usd_max)

    def plan(self, wish: EntryWish) -> Refusal | OrderPlan:
        """What the gate would say now; nothing is recorded, reserved or sent."""
        return decide(wish, self.book, self.situation(), self.settings)

    def enter(
        self,
        signal: Signal,
        target: Target,
        wish: Wish,
        cause: int,
        collar_pct: Decimal | None = None,
    ) -> Refusal | OrderPlan:
        """Gate, size and plan an entry for one symbol of a signal; reserves nothing yet."""
        answer = self.plan(wish_of(signal, target.symbol, wish, cause, collar_pct))
        if isinstance(answer, Refusal):
            self.refuse(answer, signal.side, signal.trigger, cause)
        return answer

    def refuse(self, no: Refusal, side: Side, trigger: str, cause: int) -> None:
        """Record the gate's no to a signal of ``trigger``, or to an operator."""
        self.record(
            facts.Refused(
                symbol=no.symbol,
                side=side,
                check=no.check,
                measured=no.measured,
                limit=no.limit,
                trigger=trigger,
            ),
            cause,
        )

    def submit(
        self, plan: OrderPlan, cause: int, stages_us: dict[str, float], retry_of: str = ""
    ) -> str:
        """Write the intent, then hand the order over. Returns its client id.

        ``retry_of`` names the rejected order that this one follows. An entry
        whose intent cannot be written is denied; an exit goes on without. The
        exposure is reserved by the intent itself.
        """
        seq = self.ledger.next_seq
        name = client_id(self.mode, self.ledger.run, seq, plan.leg)
        intent = OrderIntended(
            client_id=name,
            symbol=plan.symbol,
            side=plan.side,
            purpose=plan.purpose,
            type=plan.type,
            leg=plan.leg,
            recv_window_ms=plan.recv_window_ms,
            timestamp_ms=self.venue.venue_ms(),
            qty=plan.qty,
            price=plan.price,
            trigger_price=plan.trigger_price,
            reduce_only=plan.reduce_only,
            close_position=plan.close_position,
            parent=plan.parent,
            notional_usd=plan.notional_usd,
            decision_price=plan.decision_price,
            sizing=plan.sizing,
            retry_of=retry_of,
        )
        self.record(intent, cause)
        try:
            self.ledger.flush()
        except LedgerError as error:
            if plan.purpose is Purpose.ENTRY:
                self.note(self.book.orders[name], reports.of_denial(name, error.message))
                return name
        prepared_ns = self.clock.stage_ns()
        if not may_leave(self, intent):
            return name
        road = self._hand_over(intent)
        sent_ns = self.clock.stage_ns()
        self.sent_ns[name] = sent_ns
        self.breakers.sent(name, road)
        if stages_us:
            stages_us["prepare"] = (prepared_ns - stages_us.pop("gate_end_ns")) / 1000
            stages_us["submit"] = (sent_ns - prepared_ns) / 1000
        self.record(facts.OrderSent(client_id=name, road=road, stages_us=stages_us), seq)
        return name

    def _hand_over(self, intent: OrderIntended) -> str:
        def on_outcome(outcome: Outcome) -> None:
            self.on_outcome(intent.client_id, outcome)

        try:
            self.venue.submit(intent, on_outcome)
        except NotSent:
            self.spawn_rest(intent)
            return "rest"
        return "ws"

    # -- what the venue says --------------------------------------------------

    def on_outcome(self, name: str, outcome: Outcome) -> None:
        """The answer to a placement, from either road."""
        order = self.book.orders.get(name)
        if order is None:
            return
        attempt = self.attempts.pop(name, None)
        now_ns = self.clock.stage_ns()
        reply_us = (now_ns - self.sent_ns.pop(name, now_ns)) / 1000
        self.breakers.answered(order, outcome)
        fact = reports.of_outcome(order, outcome, reply_us)
        if isinstance(fact, facts.OutcomeUnknown):
            self.mark_unknown(order, fact.why)
            return
        untold = order.status is Status.SENT
        self.record(fact, order.seq)
        if outcome.code:
            self._heed(outcome)
            if attempt is not None and untold:
                try_again(self, attempt, order, outcome.code)
        elif untold and not self.awaiting_event_ms:
            self.awaiting_event_ms = self.now_ms()
        self.look_after(order.symbol)

    def _heed(self, outcome: Outcome) -> None:
        """What a refusal says about more than its own order."""
        if doubted := doubted_by(outcome.code):
            self.read_again(doubted)
        elif outcome.remedy is Remedy.HALT and VENUE_REFUSES not in self.book.state.holds:
            why = f"{outcome.code}: {outcome.reason}"
            self.alarm(VENUE_REFUSES, why, meaning_of(outcome.code).advice)
            self.place_hold(VENUE_REFUSES, TradingState.HALTED, why)

    def mark_unknown(self, order: Order, why: str) -> None:
        """An order in doubt counts as filled until its outcome has been found out."""
        self.breakers.unanswered(order.client_id, why)
        if may_become(order, Status.UNKNOWN):
            self.record(facts.OutcomeUnknown(client_id=order.client_id, why=why), order.seq)
            self.settle(order.client_id)

    def learn(self, order: Order, outcome: Outcome, fills: list[facts.Filled]) -> None:
        """What a query told about an order, its executions included."""
        for fill in fills:
            if fill.trade_id not in order.trade_ids:
                self.record(fill, order.seq)
        self.note(order, reports.of_query(order, outcome))

    def believe_gone(self, name: str) -> None:
        """An order that neither the book nor a query of the venue knows any more has ended."""
        order = self.book.orders[name]
        self.note(order, reports.of_absence(order))
        self.look_after(order.symbol)

    def note(self, order: Order, fact: facts.OrderUpdated | None) -> None:
        """Record a report, if it says anything new."""
        if fact is not None and reports.is_news(order, fact):
            self.record(fact, order.seq)

    def on_user_event(self, event: AnyEvent | str) -> None:
        """One event of the user data stream, in any order, twice, or late."""
        take_event(self, event)

    # -- looking after positions ----------------------------------------------

    @contextmanager
    def closing_of(self, symbols: Iterable[str]) -> Iterator[None]:
        """While these symbols are being closed nothing else is placed for them."""
        closing = Counter(symbols)
        self.closing.update(closing)
        try:
            yield
        finally:
            self.closing = self.closing - closing

    def look_after(self, symbol: str) -> None:
        """Bring one symbol a step closer to protected, or to closed and tidy."""
        care.look_after(self, symbol)
