"""The accounts: trades, sums and equity as a fold of ledger records, exact to the last decimal.

Fills of ours carry their profit and fee; every other booking on the wallet is
an ``IncomeSeen``. What belongs to no trade of ours is kept apart, so that all
sums together still explain the wallet. The whole travels in the checkpoint:
day files before it need not be read again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS, utc_day
from lowcap.core.facts import Record
from lowcap.core.ids import parse_client_id
from lowcap.core.messages import MANUAL, Purpose
from lowcap.core.money import ZERO
from lowcap.observe.curve import Curve
from lowcap.observe.sums import FUNDING, LIQUIDATION, OF_EXECUTIONS, TRANSFERS, Sums, Trade

USDT = "USDT"
TRADES_KEPT, DAYS_KEPT = 2_000, 400
EARLIER = "earlier"
SIGNALS_KEPT, ENTRIES_KEPT, EXECUTIONS_KEPT = 200, 1_000, 20_000
# The venue's income is read again over this time before what is known already; what is
# older than twice that is not asked for any more.
OVERLAP_MS = 600_000
# A funding may be charged to an entry shortly after the hour, and a liquidation's fee is
# booked shortly after its fill.
BEFORE_MS, AFTER_MS = 20_000, 60_000

Key = tuple[str, str, str, str]  # day, trigger, symbol, feed
K = TypeVar("K")
V = TypeVar("V")


class Execution(Struct, frozen=True, array_like=True):
    """A fill of ours, kept to recognise its bookings in the venue's income."""

    client_id: str
    fee: Decimal
    realized: Decimal
    venue_ms: int


class Entry(Struct, frozen=True, array_like=True):
    """What is needed of an entry's intent once it fills."""

    trigger: str
    feed: str
    decision_price: Decimal | None
    number: int


class State(Struct, kw_only=True):
    """Everything that a checkpoint carries. ``began_ms`` 0: the wallet was never seen yet.

    ``explained`` is what moved the wallet since it was seen first, as far as
    it is known. Keys of executions are ``symbol trade-id``, those of bookings
    kind, symbol, number and time.
    """

    began_ms: int = 0
    start_wallet: Decimal = ZERO
    wallet: Decimal = ZERO
    wallet_ms: int = 0
    explained: Decimal = ZERO
    transferred: Decimal = ZERO
    income_from_ms: int = 0
    income_until_ms: int = 0
    open: dict[str, Trade] = field(default_factory=dict)
    closed: list[Trade] = field(default_factory=list)
    sums: list[tuple[Key, Sums]] = field(default_factory=list)
    signals: dict[int, tuple[str, str]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    bookings: dict[str, int] = field(default_factory=dict)
    unclaimed: dict[str, list[facts.IncomeSeen]] = field(default_factory=dict)
    other_assets: dict[str, Decimal] = field(default_factory=dict)
    curve: Curve = field(default_factory=Curve)


class Accounts:
    """The fold, fed with every record in order, and what the reader of income asks it."""

    def __init__(self) -> None:
        self.state = State()
        self.sums: dict[Key, Sums] = {}
        self._read_seq = 0
        self._newest_day = ""

    def read(self, record: Record) -> None:
        """Take one record in."""
        match record.body:
            case facts.SignalRaised() as fact:
                self.state.signals[record.seq] = (fact.trigger, fact.feed)
                _forget(self.state.signals, SIGNALS_KEPT)
            case facts.CommandReceived(method="trade"):
                self.state.signals[record.seq] = (MANUAL, "")
            case facts.OrderIntended(purpose=Purpose.ENTRY) as fact:
                trigger, feed = self.state.signals.get(record.cause, ("", ""))
                self.state.entries[fact.client_id] = Entry(
                    trigger, feed, fact.decision_price, record.seq
                )
                _forget(self.state.entries, ENTRIES_KEPT)
            case facts.Filled() as fact:
                self._fill(record, fact)
            case facts.PositionClosed() as fact:
                self._close(record, fact.symbol)
            case facts.IncomeSeen() as fact:
                self._income(fact)
            case facts.IncomeRead() as fact:
                self._read_until(fact.until_ms)
            case facts.EquitySeen() as fact:
                self._equity(record, fact)
            case facts.Checkpoint() as fact if not self._read_seq:
                self._restore(bytes(fact.accounts))
            case _:
                pass
        self._read_seq = record.seq

    def snapshot(self) -> bytes:
        """The state as JSON, for a checkpoint."""
        self.state.sums = list(self.sums.items())
        return msgspec.json.encode(self.state)

    def _restore(self, snapshot: bytes) -> None:
        self.state = msgspec.json.decode(snapshot, type=State | None) or State()
        self.sums = dict(self.state.sums)

    # -- what the reader of income asks -----------------------------------------

    @property
    def income_until_ms(self) -> int:
        """The venue time up to which its income is in the ledger; 0 where it never was read."""
        return self.state.income_until_ms or self.state.began_ms

    @property
    def income_from_ms(self) -> int:
        """The venue time that the accounts begin at: bookings before it are not theirs."""
        return self.state.income_from_ms or self.state.began_ms

    def knows_booking(self, kind: str, symbol: str, tran_id: int, venue_ms: int) -> bool:
        """Whether a booking is in the ledger."""
        return _booking_key(kind, symbol, tran_id, venue_ms) in self.state.bookings

    def execution(self, symbol: str, trade_id: int) -> tuple[Decimal, Decimal] | None:
        """Profit and fee of a fill of ours, or None where the ledger knows no such fill."""
        found = self.state.executions.get(f"{symbol} {trade_id}")
        return (found.realized, found.fee) if found is not None else None

    # -- fills --------------------------------------------------------------------

    def _fill(self, record: Record, fact: facts.Filled) -> None:
        at_ms = fact.venue_ms or record.ts // NS_PER_MS
        name = f"{fact.symbol} {fact.trade_id}"
        known = self.state.executions.get(name)
        if known is not None and known.client_id == fact.client_id:
            return  # told twice
        self.state.executions[name] = Execution(fact.client_id, fact.fee, fact.realized, at_ms)
        _forget(self.state.executions, EXECUTIONS_KEPT)
        sums = Sums(realized=fact.realized, fees=fact.fee, volume=fact.qty * fact.price)
        parts = parse_client_id(fact.client_id)
        entry = self.state.entries.get(fact.client_id)
        if entry is not None or (parts is not None and parts.leg.startswith("e")):
            trade: Trade | None = self._entered(record, fact, entry, at_ms, sums)
        else:
            trade = self._trade_of_exit(fact.symbol, record.cause)
            if trade is not None:
                trade.exit_qty += fact.qty
                trade.exit_value += fact.qty * fact.price
        self._book(trade, fact.symbol, at_ms, sums)
        if trade is not None:
            trade.last_ms = max(trade.last_ms, at_ms)
        self._claim(name)

    def _entered(
        self, record: Record, fact: facts.Filled, entry: Entry | None, at_ms: int, sums: Sums
    ) -> Trade:
        entry = entry or Entry("", "", None, record.cause)
        trade = self.state.open.get(fact.symbol)
        if trade is None:
            trade = self.state.open[fact.symbol] = Trade(
                number=entry.number,
                symbol=fact.symbol,
                side=fact.side,
                trigger=entry.trigger,
                feed=entry.feed,
                opened_ms=at_ms,
                sums=Sums(),
            )
        trade.qty += fact.qty
        trade.entry_value += fact.qty * fact.price
        if entry.decision_price is not None:
            sums.slippage = (fact.price - entry.decision_price) * fact.qty * fact.side.sign
            sums.decided = entry.decision_price * fact.qty
        return trade

    def _trade_of_exit(self, symbol: str, intent: int) -> Trade | None:
        """The open trade, or the newest closed one where the order is older than that."""
        trade = self.state.open.get(symbol)
        if trade is not None and not 0 < intent < trade.number:
            return trade
        past = next((t for t in reversed(self.state.closed) if t.symbol == symbol), None)
        return past or trade

    def _close(self, record: Record, symbol: str) -> None:
        trade = self.state.open.pop(symbol, None)
        if trade is None:
            return
        trade.closed_ms = trade.last_ms or record.ts // NS_PER_MS
        self.state.closed.append(trade)
        del self.state.closed[:-TRADES_KEPT]
        self._count(trade, 1)

    # -- booking --------------------------------------------------------------------

    def _book(self, trade: Trade | None, symbol: str, at_ms: int, sums: Sums) -> None:
        """Add an amount to its trade and day."""
        self._of_day(trade, symbol, at_ms).add(sums)
        if at_ms >= self.state.began_ms > 0:
            self.state.explained += sums.moved
        if trade is None:
            return
        if trade.closed_ms:
            # A booking that comes late may turn a win into a loss.
            self._count(trade, -1)
        trade.sums.add(sums)
        if trade.closed_ms:
            self._count(trade, 1)

    def _count(self, trade: Trade, by: int) -> None:
        """Count a closed trade on its last day, or take it out again."""
        result = trade.sums.result
        counts = Sums(trades=by, wins=by * (result > ZERO), losses=by * (result < ZERO))
        self._of_day(trade, trade.symbol, trade.closed_ms).add(counts)

    def _of_day(self, trade: Trade | None, symbol: str, at_ms: int) -> Sums:
        day = utc_day(at_ms * NS_PER_MS)
        key = (day, "", symbol, "") if trade is None else (day, *_words(trade))
        if key not in self.sums:
            self.sums[key] = Sums()
            if day > self._newest_day:
                self._newest_day = day
                self._merge_oldest()
        return self.sums[key]

    def _merge_oldest(self) -> None:
        """Days further back than anybody asks for become one."""
        days = sorted({day for day, *_ in self.sums} - {EARLIER})
        for day in days[:-DAYS_KEPT]:
            for key in [key for key in self.sums if key[0] == day]:
                self.sums.setdefault((EARLIER, *key[1:]), Sums()).add(self.sums.pop(key))

    # -- income -----------------------------------------------------------------------

    def _income(self, fact: facts.IncomeSeen) -> None:
        key = _booking_key(fact.kind, fact.symbol, fact.tran_id, fact.venue_ms)
        if key in self.state.bookings:
            return
        self.state.bookings[key] = fact.venue_ms
        _forget(self.state.bookings, EXECUTIONS_KEPT)
        if fact.asset != USDT:
            held = self.state.other_assets
            held[fact.asset] = held.get(fact.asset, ZERO) + fact.usdt
            return
        trade: Trade | None = None
        if fact.kind in FUNDING or fact.kind in LIQUIDATION:
            trade = self._trade_at(fact.symbol, fact.venue_ms)
        if trade is not None:
            word = "funding" if fact.kind in FUNDING else "liquidation"
        elif fact.kind in OF_EXECUTIONS and fact.trade_id:
            name = f"{fact.symbol} {fact.trade_id}"
            if name in self.state.executions:
                return
            self.state.unclaimed.setdefault(name, []).append(fact)
            _forget(self.state.unclaimed, ENTRIES_KEPT)
            word = "not_ours"
        elif fact.kind in TRANSFERS:
            word = "transfers"
            self.state.transferred += fact.usdt
        else:
            word = "not_ours" if fact.symbol else "other"
        booked = Sums()
        setattr(booked, word, fact.usdt)
        self._book(trade, fact.symbol, fact.venue_ms, booked)

    def _claim(self, name: str) -> None:
        """A fill of ours that came late: what was booked as somebody else's was its own."""
        for fact in self.state.unclaimed.pop(name, ()):
            self._book(None, fact.symbol, fact.venue_ms, Sums(not_ours=-fact.usdt))

    def _trade_at(self, symbol: str, at_ms: int) -> Trade | None:
        """The trade that was open at a time, or nearly so."""
        trade = self.state.open.get(symbol)
        if trade is not None and trade.opened_ms - BEFORE_MS <= at_ms:
            return trade
        return next(
            (
                t
                for t in reversed(self.state.closed)
                if t.symbol == symbol and t.opened_ms - BEFORE_MS <= at_ms <= t.closed_ms + AFTER_MS
            ),
            None,
        )

    def _read_until(self, until_ms: int) -> None:
        state, oldest_ms = self.state, until_ms - 2 * OVERLAP_MS
        state.income_from_ms = self.income_from_ms or until_ms
        state.income_until_ms = until_ms
        state.bookings = {key: ms for key, ms in state.bookings.items() if ms >= oldest_ms}
        state.executions = {k: e for k, e in state.executions.items() if e.venue_ms >= oldest_ms}

    # -- equity -----------------------------------------------------------------------

    def _equity(self, record: Record, fact: facts.EquitySeen) -> None:
        state, at_ms = self.state, record.ts // NS_PER_MS
        if not state.began_ms:
            state.began_ms, state.start_wallet = at_ms, fact.wallet_usdt
        state.wallet, state.wallet_ms = fact.wallet_usdt, at_ms
        # Money paid in is no profit, and money taken out no loss.
        state.curve.add(at_ms, fact.wallet_usdt + fact.unrealized_usd - state.transferred)


def _words(trade: Trade) -> tuple[str, str, str]:
    return trade.trigger, trade.symbol, trade.feed


def _booking_key(kind: str, symbol: str, tran_id: int, venue_ms: int) -> str:
    return f"{kind} {symbol} {tran_id} {venue_ms}"


def _forget(kept: dict[K, V], most: int) -> None:
    """Drop the oldest beyond ``most``."""
    while len(kept) > most:
        del kept[next(iter(kept))]
