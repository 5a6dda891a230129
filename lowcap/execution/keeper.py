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
from lowcap.core.money import ZERO
from lowcap.core.order import RESTING, Order, Status
from lowcap.execution.closing import Closed, cancel_order, close_symbols
from lowcap.execution.desk import Desk
from lowcap.execution.reconcile import Findings, compare
from lowcap.execution.settle import ask, settle_order
from lowcap.risk.leverage import plan_leverage

TICK_S = 0.1
RECONCILE_EVERY_S = 10.0
CLOCK_EVERY_S = 60.0
CONTRACTS_EVERY_S = 600.0
RETRY_FIRST_S, RETRY_LONGEST_S = 0.5, 15.0
PRICES_SILENT_MS = 5_000
SHADOW_AFTER_MS = 3_000
CLOCK_OFFSET_MS_MAX = 250
FILLS_LATE_MS, FILLS_WAIT_MS_MAX, FILLS_ALGO_TRIES = 500, 30_000, 5


class Keeper:
    """Runs in the venue's nursery and owns every await that trading needs."""

    def __init__(self, desk: Desk, venue: Venue) -> None:
        self._desk = desk
        self._venue = venue
        self._nursery: trio.Nursery
        self.on_contracts: Callable[[], None] = lambda: None
        self.user_stream_up = False
        self._wanted = trio.Event()
        self._replan = trio.Event()
        self._suspect: dict[str, tuple[object, object]] = {}
        self._beyond_stop_ms: dict[str, int] = {}
        self._asked_fills: dict[str, tuple[int, int]] = {}
        self._cancelling: set[str] = set()
        self._missed: set[str] = set()
        self.recovered = trio.Event()
        self.ticks = 0

    def open(self, nursery: trio.Nursery, *, crashed: bool) -> None:
        """Start the keeper's tasks in the venue's nursery; the desk's hooks start theirs there."""
        desk = self._desk
        self._nursery = nursery
        desk.spawn_rest = lambda intent: nursery.start_soon(self._by_rest, intent)
        desk.spawn_cancel = lambda name: nursery.start_soon(self._cancel, name)
        desk.spawn_close = self._start_close
        desk.settle = lambda name: nursery.start_soon(settle_order, desk, name)
        nursery.start_soon(self._recover, crashed)
        nursery.start_soon(self._keep_contracts)
        nursery.start_soon(self._tick_forever)
        nursery.start_soon(self._reconcile_forever)
        nursery.start_soon(self._clock_forever)

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
        self._watch_prices(desk.now_ms())
        if not self._venue.socket.is_up:
            desk.set_health("order-socket", False, "not connected yet")
        desk.lift_hold("recovery", "belief and venue agree")
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
                self._desk.place_hold(hold, TradingState.REDUCING, error.message)
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
        read_again_s = trio.current_time() + CONTRACTS_EVERY_S
        while True:
            self._replan = trio.Event()
            await self._until_done("venue", self._prepare_symbols)
            with trio.move_on_at(read_again_s) as scope:
                await self._replan.wait()
            if scope.cancelled_caught:
                read_again_s = trio.current_time() + CONTRACTS_EVERY_S
                await self._until_done("venue", self._read_contracts)

    def replan(self) -> None:
        """Sizes have changed, so that leverage may: of symbols without exposure, soon."""
        self._replan.set()

    async def _prepare_symbols(self) -> None:
        def fault(text: str) -> None:
            self._desk.alarm("leverage", text, "lowcapctl events --type AlarmRaised")

        desk, at_ms = self._desk, self._desk.now_ms()
        planned = plan_leverage(
            self._venue.contracts,
            desk.settings,
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
        await self._venue.load_contracts()
        self.on_contracts()

    # -- reconciliation -------------------------------------------------------

    def on_user_stream(self, up: bool, why: str) -> None:
        """The user data stream came or went; what was missed is read at once."""
        self.user_stream_up = up
        self._desk.set_health("user-stream", up, why)
        if up:
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

    # -- the tick -------------------------------------------------------------

    async def _tick_forever(self) -> None:
        """Deadlines: replies, stops, prices, holds, the day's loss."""
        while True:
            await trio.sleep(TICK_S)
            self.tick()

    def tick(self) -> None:
        """One round of deadline checks. The watchdog lives on it."""
        desk, at_ms = self._desk, self._desk.now_ms()
        self.ticks += 1
        for order in desk.book.open_orders():
            overdue = at_ms - order.updated_ms > desk.settings.order.reply_timeout_ms
            if order.status is Status.SENT and overdue:
                desk.mark_unknown(order, "no reply in time")
        for hold in list(desk.book.state.holds.values()):
            if hold.until_ms and hold.until_ms <= at_ms:
                desk.lift_hold(hold.name, "its time is over", hold.who)
        self._watch_prices(at_ms)
        if not self.recovered.is_set():
            return
        loss, most = -desk.book.day_result(), desk.settings.limits.day_loss_usd_max
        if loss >= most:
            reason = f"lost {loss:.2f} USD today, limit {most}"
            desk.place_hold("day-loss", TradingState.HALTED, reason, "risk")
        for order in list(desk.book.orders.values()):
            if order.lacks_fills:
                self._want_fills(order, at_ms)
        for position in desk.book.open_positions():
            self._watch_stop(position.symbol, at_ms)
            desk.look_after(position.symbol)

    def _want_fills(self, order: Order, at_ms: int) -> None:
        """Ask for executions that the stream did not tell: without them nothing is ours."""
        name = order.client_id
        tries, next_ms = self._asked_fills.get(name, (0, order.updated_ms + FILLS_LATE_MS))
        if at_ms < next_ms or (order.is_algo and tries >= FILLS_ALGO_TRIES):
            return
        wait_ms = min(1_000 * 2**tries, FILLS_WAIT_MS_MAX)
        self._asked_fills[name] = (min(tries + 1, 10), at_ms + wait_ms)

        async def fetch() -> None:
            await ask(self._desk, order)
            self._desk.look_after(order.symbol)

        self._nursery.start_soon(fetch)

    def _watch_prices(self, at_ms: int) -> None:
        silent_ms = at_ms - self._desk.prices.newest_ms
        fresh = silent_ms <= PRICES_SILENT_MS
        self._desk.set_health("prices", fresh, "" if fresh else "no mark prices")

    def _watch_stop(self, symbol: str, at_ms: int) -> None:
        """The shadow stop: a price beyond the stop for too long closes the position."""
        desk, position = self._desk, self._desk.book.position(symbol)
        quote = desk.quotes.get(symbol)
        stops = [
            o.trigger_price
            for o in desk.book.orders_of(symbol)
            if o.purpose is Purpose.STOP and o.seq >= position.opened_seq and o.trigger_price
        ]
        if quote is None or not stops or position.own_qty == ZERO:
            self._beyond_stop_ms.pop(symbol, None)
            return
        beyond = (quote.mark - stops[-1]) * position.own_qty <= ZERO
        if not beyond:
            self._beyond_stop_ms.pop(symbol, None)
            return
        since_ms = self._beyond_stop_ms.setdefault(symbol, at_ms)
        if at_ms - since_ms > SHADOW_AFTER_MS and symbol not in desk.closing:
            desk.alarm("shadow-stop", f"{symbol} is beyond its stop and not flat; closing it")
            self._start_close(symbol)

    async def _clock_forever(self) -> None:
        """Measure the venue's clock; too large an offset holds entries back."""
        while True:
            await trio.sleep(CLOCK_EVERY_S)
            try:
                await self._venue.measure_clock()
            except (VenueRefused, NotSent, NoAnswer):
                continue
            self._watch_clock()

    def _watch_clock(self) -> None:
        offset = self._venue.offset_ms
        fine = abs(offset) <= CLOCK_OFFSET_MS_MAX
        self._desk.set_health("clock", fine, f"venue clock is {offset} ms from ours")

    # -- orders by REST, cancels, closing ---------------------------------------

    async def _by_rest(self, intent: OrderIntended) -> None:
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

    def _start_close(self, symbol: str) -> None:
        """Close a symbol in a task; from now on nothing else is placed for it."""
        held = ExitStack()
        held.enter_context(self._desk.closing_of([symbol]))

        async def close() -> None:
            with held:
                await self.close_symbol(symbol)

        self._nursery.start_soon(close)

    async def close_symbol(self, symbol: str) -> Closed:
        """Bring one symbol flat; its stop stays until it is."""
        with self._desk.closing_of([symbol]):
            closed = await close_symbols(self._desk, self._venue, {symbol}, wait_for_entries=False)
        self._desk.look_after(symbol)
        return closed

    async def close_all(self) -> Closed:
        """Bring everything of ours flat; entries of other symbols stay allowed."""
        symbols = {p.symbol for p in self._desk.book.open_positions()}
        with self._desk.closing_of(symbols):
            return await close_symbols(self._desk, self._venue, symbols, wait_for_entries=False)

    async def panic(self, everything: bool) -> Closed:
        """Flatten under a latched halt. The hold must be in place before."""
        self._desk.flattening += 1
        try:
            return await close_symbols(
                self._desk,
                self._venue,
                None,
                everything=everything,
                wait_for_entries=True,
            )
        finally:
            self._desk.flattening -= 1

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
