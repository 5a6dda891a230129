"""The desk's tasks: recovery, reconciliation, deadlines, closing. They do the waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import trio

from lowcap.binance.outcome import Outcome, Verdict
from lowcap.binance.rest import VenueRefused
from lowcap.binance.venue import Venue
from lowcap.core import facts
from lowcap.core.errors import LowcapError, NoAnswer, NotSent
from lowcap.core.facts import OrderIntended
from lowcap.core.ids import prefix
from lowcap.core.messages import Purpose, TradingState
from lowcap.core.order import RESTING, Status
from lowcap.execution.closing import Closed, cancel_order, close_symbols
from lowcap.execution.desk import Desk
from lowcap.execution.income import IncomeReader
from lowcap.execution.joined import Joined
from lowcap.execution.lastlook import may_leave
from lowcap.execution.reconcile import Findings, compare
from lowcap.execution.settle import ask, settle_order
from lowcap.execution.watch import Watch
from lowcap.risk.leverage import plan_leverage

RECONCILE_EVERY_S = 10.0
CLOCK_EVERY_S = 60.0
KEY_CHECK_EVERY_MS = 24 * 3_600_000
CONTRACTS_EVERY_S, CONTRACTS_APART_S = 600.0, 10.0
RETRY_FIRST_S, RETRY_LONGEST_S = 0.5, 15.0
CLOCK_OFFSET_MS_MAX = 250


class Keeper:
    """Runs in the venue's nursery and owns every await that trading needs."""

    def __init__(self, desk: Desk, venue: Venue) -> None:
        self._desk = desk
        self._venue = venue
        self._nursery: trio.Nursery
        self.on_contracts: Callable[[], None] = lambda: None
        self.user_stream_up = False
        self._wanted = trio.Event()
        self._stirred = trio.Event()
        self._suspect: dict[str, tuple[object, object]] = {}
        self._cancelling: set[str] = set()
        self._missed: set[str] = set()
        self.recovered = trio.Event()
        self.renew_user_stream: Callable[[], None] = lambda: None
        self._measure = trio.Event()
        self._reread = False
        self._key_good_until_ms = 0
        self.watch = Watch(
            *(desk, venue),
            start=self.start,
            start_close=self.start_close,
            start_panic=lambda: self.start(self._panic_by_file),
            on_silence=self._on_silence,
        )
        self.income = IncomeReader(desk, venue)
        self._joined = Joined()
        self.watch.equity.owed_since_ms = lambda: self.income.owed_since_ms

    def open(self, nursery: trio.Nursery, *, crashed: bool) -> None:
        """Start the keeper's tasks in the venue's nursery; the desk's hooks start theirs there."""
        desk = self._desk
        self._nursery = nursery
        desk.spawn_rest = lambda intent: nursery.start_soon(self._by_rest, intent)
        desk.spawn_cancel = lambda name: nursery.start_soon(self._cancel, name)
        desk.spawn_close = self.start_close
        desk.settle = lambda name: nursery.start_soon(settle_order, desk, name)
        desk.read_again = self._read_again
        nursery.start_soon(self._recover, crashed)
        nursery.start_soon(self._keep_contracts)
        nursery.start_soon(self.watch.run)
        nursery.start_soon(self._venue.streams.run)
        nursery.start_soon(self._reconcile_forever)
        nursery.start_soon(self._clock_forever)
        nursery.start_soon(self.income.run, self.recovered)

    @property
    def ticks(self) -> int:
        """Rounds of deadline checks so far; the watchdog lives on them."""
        return self.watch.ticks

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task that outlives whoever asked for it."""
        self._nursery.start_soon(task)

    # -- recovery -------------------------------------------------------------

    async def _recover(self, crashed: bool) -> None:
        """From a folded ledger to a book that agrees with the venue. Retries for ever."""
        desk, started_s = self._desk, trio.current_time()
        desk.place_hold("recovery", TradingState.REDUCING, "comparing with the venue")
        await self._until_done("venue", self._read_venue)
        for order in desk.book.open_orders():
            if order.status in (Status.INTENDED, Status.SENT):
                desk.mark_unknown(order, "the daemon ended before a reply")
            elif order.status is Status.UNKNOWN:
                desk.settle(order.client_id)
        in_doubt = len(desk.book.unknown_orders())
        while not self.user_stream_up or desk.book.unknown_orders():
            await trio.sleep(0.02)
        await self._until_done("venue", self._fetch_missing_fills)
        await self._until_done("venue", self._reconcile_at_start)
        self._look_after_all()
        took_ms = round((trio.current_time() - started_s) * 1000)
        desk.record(
            facts.Recovered(
                crashed=crashed,
                unknown_settled=in_doubt,
                positions=len(desk.book.open_positions()),
                ms=took_ms,
            )
        )
        self.watch.prices(desk.now_ms())
        if not self._venue.socket.is_up:
            desk.set_health("order-socket", False, "not connected yet")
        desk.lift_hold("recovery", "belief and venue agree")
        desk.heard_ms = desk.now_ms()
        self.watch.trading = True
        self.recovered.set()
        if "panic" in desk.book.state.holds and desk.book.open_positions():
            # A panic that a crash interrupted is carried through.
            self._nursery.start_soon(self.panic, False)

    async def _until_done(self, hold: str, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat ``step`` until the venue answers; a hold says why nothing trades meanwhile."""
        wait_s = RETRY_FIRST_S
        while True:
            try:
                await step()
            except LowcapError as error:
                reason = f"{error.message}; {error.hint}" if error.hint else error.message
                self._desk.place_hold(hold, TradingState.REDUCING, reason)
                await trio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_LONGEST_S)
            else:
                self._desk.lift_hold(hold, "the venue answers")
                return

    async def _read_venue(self) -> None:
        await self._venue.measure_clock()
        self._watch_clock()
        await self._read_contracts()

    async def _fetch_missing_fills(self) -> None:
        for order in list(self._desk.book.orders.values()):
            if order.lacks_fills and not order.is_algo:
                await ask(self._desk, order)

    async def _reconcile_at_start(self) -> None:
        """Twice, so that a difference in ownership is seen twice and settled."""
        await self.reconcile("start", record_always=True)
        if self._suspect:
            await trio.sleep(1)
            await self.reconcile("start", record_always=False)

    async def _keep_contracts(self) -> None:
        """Leverage and margin type of every symbol, ahead of any signal; filters kept young."""
        await self.recovered.wait()
        read_s = trio.current_time()
        while True:
            self._stirred = trio.Event()
            await self._until_done("venue", self._prepare_symbols)
            due_s = read_s + (CONTRACTS_APART_S if self._reread else CONTRACTS_EVERY_S)
            with trio.move_on_at(due_s) as scope:
                await self._stirred.wait()
            if scope.cancelled_caught:
                self._reread, read_s = False, trio.current_time()
                await self._until_done("venue", self._read_contracts)

    def replan(self) -> None:
        """Sizes have changed, so that leverage may: of symbols without exposure, soon."""
        self._desk.prepare_tables()
        self._stirred.set()

    async def _prepare_symbols(self) -> None:
        def fault(text: str) -> None:
            self._desk.alarm("leverage", text, "lowcapctl events --type AlarmRaised")

        desk, at_ms = self._desk, self._desk.now_ms()
        planned = plan_leverage(
            self._venue.contracts,
            desk.settings,
            desk.tables,
            desk.protections.stop_pct,
            lambda symbol: desk.caps.of(desk.coin_of(symbol), at_ms),
        )
        exposed = desk.book.exposed_symbols()
        missing = {
            s: n
            for s, n in planned.items()
            if self._venue.leverage.get(s) != n
            and (s not in self._venue.leverage or s not in exposed)
        }
        if missing:
            await self._venue.prepare_symbols(missing, fault)

    async def _read_contracts(self) -> None:
        await self._check_key()
        venue, fault = self._venue, self._venue.brackets_fault
        await venue.load_contracts()
        self._desk.prepare_tables()
        if venue.brackets_fault and venue.brackets_fault != fault:
            text = f"leverage brackets could not be read again: {venue.brackets_fault}"
            self._desk.alarm("brackets", text, "entries go on until the old ones are 12 h old")
        self.on_contracts()

    async def _check_key(self) -> None:
        """At start and daily: with real money a key that can take it away is refused."""
        at_ms = self._desk.now_ms()
        if self._desk.mode != "live" or at_ms < self._key_good_until_ms:
            return
        remark = await self._venue.check_key()
        if remark:
            self._desk.alarm("key-permissions", remark)
        self._key_good_until_ms = at_ms + KEY_CHECK_EVERY_MS

    # -- reconciliation -------------------------------------------------------

    def on_user_stream(self, up: bool, why: str) -> None:
        """The user data stream came or went; what was missed is read at once."""
        self.user_stream_up = up
        self._desk.set_health("user-stream", up, why)
        if up:
            self._wanted.set()
            self.income.want()

    def _on_silence(self, why: str) -> None:
        """A stream that cannot be trusted: a new one, and the venue's own word meanwhile."""
        if self.user_stream_up:
            self.renew_user_stream()
        self._wanted.set()

    async def _reconcile_forever(self) -> None:
        """Every few seconds, and at once after a reconnection."""
        await self.recovered.wait()
        while True:
            with trio.move_on_after(RECONCILE_EVERY_S):
                await self._wanted.wait()
            self._wanted = trio.Event()
            await self._until_done("venue", self._reconcile_now)

    async def _reconcile_now(self) -> None:
        await self.reconcile("periodic", record_always=False)

    async def reconcile(self, why: str, *, record_always: bool) -> Findings:
        """One comparison; the venue wins. Differences are recorded and put right."""
        desk = self._desk
        seen = await self._venue.snapshot(self._venue.rest)
        found = compare(desk.book, seen, desk.now_ms(), prefix(desk.mode))
        for fact in found.positions:
            desk.record(fact)
        self._settle_ownership(found)
        if record_always or found.differences:
            desk.record(
                facts.Reconciled(
                    why=why,
                    clean=not found.differences,
                    differences=tuple(found.differences[:50]),
                )
            )
        await self._ask_about(found.ask_about)
        for orphan in found.orphans:
            await cancel_order(desk, self._venue.rest, orphan.symbol, orphan.client_id, orphan.algo)
        self._look_after_all()
        return found

    async def _ask_about(self, names: list[str]) -> None:
        """Orders that should rest and are not shown. Missed by two comparisons, one has ended."""
        missed = {n for n in names if await ask(self._desk, self._desk.book.orders[n]) is True}
        for name in sorted(missed & self._missed):
            self._desk.believe_gone(name)
        self._missed = missed

    def _settle_ownership(self, found: Findings) -> None:
        """Believed only when two comparisons in a row agree: fills may still be on their way."""
        suspect: dict[str, tuple[object, object]] = {}
        for fact in found.ownership:
            said = (fact.own_qty, fact.foreign_qty)
            if self._suspect.get(fact.symbol) == said:
                self._desk.record(fact)
            else:
                suspect[fact.symbol] = said
        self._suspect = suspect

    def _look_after_all(self) -> None:
        for symbol in sorted({o.symbol for o in self._desk.book.open_orders()}
                             | set(self._desk.book.state.positions)):  # fmt: skip
            self._desk.look_after(symbol)

    # -- clocks ---------------------------------------------------------------

    async def _clock_forever(self) -> None:
        """Measure the venue's clock; too large an offset holds entries back."""
        while True:
            with trio.move_on_after(CLOCK_EVERY_S):
                await self._measure.wait()
            self._measure = trio.Event()
            try:
                await self._venue.measure_clock()
            except (VenueRefused, NotSent, NoAnswer):
                await trio.sleep(RETRY_FIRST_S)
                continue
            self._watch_clock()

    def _read_again(self, what: str) -> None:
        """The venue's word shows that our clock, contracts or leverage are not its own."""
        if what == "income":
            self.income.want()
            return
        if what == "clock":
            self._measure.set()
            return
        if what == "brackets":
            self._venue.doubt_brackets()
        self._reread = self._reread or what in ("contracts", "brackets")
        self._stirred.set()

    def _watch_clock(self) -> None:
        offset = self._venue.offset_ms
        fine = abs(offset) <= CLOCK_OFFSET_MS_MAX
        self._desk.set_health("clock", fine, f"venue clock is {offset} ms from ours")

    # -- orders by REST, cancels, closing ---------------------------------------

    async def _by_rest(self, intent: OrderIntended) -> None:
        if not may_leave(self._desk, intent):
            return
        try:
            outcome = await self._venue.submit_by_rest(intent)
        except NotSent as error:
            outcome = Outcome(verdict=Verdict.REJECTED, reason=f"not sent: {error.message}")
        self._desk.on_outcome(intent.client_id, outcome)

    async def _cancel(self, name: str) -> None:
        order = self._desk.book.orders[name]
        if order.status not in RESTING or name in self._cancelling:
            return
        self._cancelling.add(name)
        try:
            await cancel_order(
                self._desk, self._venue.urgent, order.symbol, name, algo=order.is_algo
            )
        finally:
            self._cancelling.discard(name)

    def start_close(self, symbol: str) -> None:
        """Close a symbol in a task; from now on nothing else is placed for it."""
        held = ExitStack()
        held.enter_context(self._desk.closing_of([symbol]))

        async def close() -> None:
            with held:
                await self.close_symbol(symbol)

        self._nursery.start_soon(close)

    async def close_symbol(self, symbol: str) -> Closed:
        """Bring one symbol flat; its stop stays until it is."""
        closed = await self._close({symbol})
        self._desk.look_after(symbol)
        return closed

    async def close_all(self) -> Closed:
        """Bring everything of ours flat; entries of other symbols stay allowed."""
        return await self._close({p.symbol for p in self._desk.book.open_positions()})

    async def _close(self, symbols: set[str]) -> Closed:
        desk, venue = self._desk, self._venue
        with desk.closing_of(symbols):
            return await self._joined.do(
                f"close {' '.join(sorted(symbols))}",
                lambda: close_symbols(desk, venue, symbols, wait_for_entries=False),
            )

    async def panic(self, everything: bool) -> Closed:
        """Flatten under a latched halt. The hold must be in place before."""
        desk, venue = self._desk, self._venue
        desk.flattening += 1
        try:
            return await self._joined.do(
                "panic --all" if everything else "panic",
                lambda: close_symbols(
                    desk, venue, None, everything=everything, wait_for_entries=True
                ),
            )
        finally:
            desk.flattening -= 1

    async def _panic_by_file(self) -> None:
        await self.panic(False)

    async def cancel_entries(self) -> int:
        """Cancel resting entries; returns how many were asked for."""
        entries = [
            o
            for o in self._desk.book.open_orders()
            if o.purpose is Purpose.ENTRY and o.status in RESTING
        ]
        for order in entries:
            await cancel_order(
                self._desk, self._venue.urgent, order.symbol, order.client_id, algo=False
            )
        return len(entries)
