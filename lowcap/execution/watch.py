"""The tick: deadlines of replies, stops, prices, holds, silence and the day's loss."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from lowcap.binance.venue import Venue
from lowcap.core.messages import Purpose, TradingState
from lowcap.core.money import ZERO
from lowcap.core.order import RESTING, Order, Status
from lowcap.core.stopword import BY_FILE, BY_SIGNAL, OPERATOR_HALT
from lowcap.execution.care import follow
from lowcap.execution.desk import Desk
from lowcap.execution.equity import EquityWatch
from lowcap.execution.guarding import watch_guards
from lowcap.execution.settle import ask

TICK_S = 0.1
PRICES_SILENT_MS = 5_000
SHADOW_AFTER_MS = 3_000
FILLS_LATE_MS, FILLS_WAIT_MS_MAX, FILLS_ALGO_TRIES = 500, 30_000, 5
# An accepted order is told of within seconds; with a position, no minute is without a word
# (docs/venue.md §10).
EVENT_WITHIN_MS, STREAM_SILENT_MS = 5_000, 60_000
BANNED = "banned"


class Watch:
    """Looks at every deadline ten times a second; what needs waiting it has started.

    ``trading`` is set once recovery is over, and ``start_panic`` closes
    everything of ours. ``on_silence`` hears why the user
    data stream cannot be trusted: it is to be replaced, and the venue read.
    """

    def __init__(
        self,
        desk: Desk,
        venue: Venue,
        *,
        start: Callable[[Callable[[], Awaitable[None]]], None],
        start_close: Callable[[str], None],
        start_panic: Callable[[], None],
        on_silence: Callable[[str], None],
    ) -> None:
        self._desk = desk
        self._venue = venue
        self._start = start
        self._start_close = start_close
        self._start_panic = start_panic
        self._panicked = False
        self._on_silence = on_silence
        self._beyond_stop_ms: dict[str, int] = {}
        self._asked_fills: dict[str, tuple[int, int]] = {}
        self.equity = EquityWatch(desk)
        self.trading = False
        self.ticks = 0

    async def run(self) -> None:
        """Deadlines: replies, stops, prices, holds, the day's loss."""
        while True:
            await trio.sleep(TICK_S)
            self.tick()

    def tick(self) -> None:
        """One round of deadline checks. The watchdog lives on it."""
        desk, at_ms = self._desk, self._desk.now_ms()
        self.ticks += 1
        self._heed_stop_word()
        for order in desk.book.open_orders():
            overdue = at_ms - order.updated_ms > desk.settings.order.reply_timeout_ms
            if order.status is Status.SENT and overdue:
                desk.mark_unknown(order, "no reply in time")
        if self._venue.socket.distrust(desk.settings.order.reply_timeout_ms):
            desk.alarm("order-socket", "the order connection does not answer; replacing it")
        for hold in list(desk.book.state.holds.values()):
            if hold.until_ms and hold.until_ms <= at_ms:
                desk.lift_hold(hold.name, "its time is over", hold.who)
        self.prices(at_ms)
        self._watch_ban(at_ms)
        if not self.trading:
            return
        self._watch_stream(at_ms)
        orders = {order.symbol for order in desk.book.open_orders()}
        self._venue.streams.want(orders | desk.book.exposed_symbols())
        watch_guards(desk)
        for order in list(desk.book.orders.values()):
            if order.lacks_fills:
                self._want_fills(order, at_ms)
        for name, (due_ms, trade_id) in list(desk.to_ask.items()):
            if at_ms >= due_ms:
                del desk.to_ask[name]
                self._ask(name, trade_id)
        for position in desk.book.open_positions():
            follow(desk, position.symbol)
            self._watch_stop(position.symbol, at_ms)
            desk.look_after(position.symbol)
        self.equity.look(at_ms)

    def _want_fills(self, order: Order, at_ms: int) -> None:
        """Ask for executions that the stream did not tell: without them nothing is ours."""
        name = order.client_id
        tries, next_ms = self._asked_fills.get(name, (0, order.updated_ms + FILLS_LATE_MS))
        if at_ms < next_ms or (order.is_algo and tries >= FILLS_ALGO_TRIES):
            return
        wait_ms = min(1_000 * 2**tries, FILLS_WAIT_MS_MAX)
        self._asked_fills[name] = (min(tries + 1, 10), at_ms + wait_ms)

        self._ask(name, 0)

    def _ask(self, name: str, trade_id: int) -> None:
        """Query an order, unless ``trade_id`` was told of meanwhile."""
        order = self._desk.book.orders.get(name)
        if order is None or trade_id in order.trade_ids:
            return

        async def fetch() -> None:
            await ask(self._desk, order)
            self._desk.look_after(order.symbol)

        self._start(fetch)

    def _heed_stop_word(self) -> None:
        """A stop from outside becomes a hold that outlives us; resting entries go.

        Where the file asks for it, everything of ours is closed, once: whoever
        closes from outside could not while we put the ladders back.
        """
        desk, word = self._desk, self._desk.stop_word
        who = word.raised()
        if not who:
            self._panicked = False
            return
        held = desk.book.state.holds.get(OPERATOR_HALT)
        if held is None or held.who not in (BY_SIGNAL, BY_FILE):
            reason = (word.text() if word.is_laid() else "") or f"stopped by {who}"
            desk.place_hold(OPERATOR_HALT, TradingState.HALTED, reason, who)
            for order in desk.book.open_orders():
                if order.purpose is Purpose.ENTRY and order.status in RESTING:
                    desk.spawn_cancel(order.client_id)
        if self.trading and not self._panicked and word.asks_to_flatten():
            self._panicked = True
            self._start_panic()

    def prices(self, at_ms: int) -> None:
        """Without mark prices there are no entries."""
        silent_ms = at_ms - self._desk.prices.newest_ms
        fresh = silent_ms <= PRICES_SILENT_MS
        self._desk.set_health("prices", fresh, "" if fresh else "no mark prices")

    def _watch_stop(self, symbol: str, at_ms: int) -> None:
        """The shadow stop: a price beyond the stop for too long closes the position."""
        desk, position = self._desk, self._desk.book.position(symbol)
        quote = desk.quotes.get(symbol)
        if quote is None or position.stop_price == ZERO or position.own_qty == ZERO:
            self._beyond_stop_ms.pop(symbol, None)
            return
        beyond = (quote.mark - position.stop_price) * position.own_qty <= ZERO
        if not beyond:
            self._beyond_stop_ms.pop(symbol, None)
            return
        since_ms = self._beyond_stop_ms.setdefault(symbol, at_ms)
        if at_ms - since_ms > SHADOW_AFTER_MS and symbol not in desk.closing:
            desk.alarm("shadow-stop", f"{symbol} is beyond its stop and not flat; closing it")
            self._start_close(symbol)

    def _watch_ban(self, at_ms: int) -> None:
        """A ban of our address stops entries until it is over; exits are tried all the same."""
        until_ms = self._venue.budget.banned_until_ms - self._venue.offset_ms
        if until_ms > at_ms:
            reason = "the venue has banned this address for a time"
            self._desk.place_hold(BANNED, TradingState.REDUCING, reason, until_ms=until_ms)

    def _watch_stream(self, at_ms: int) -> None:
        """An open user data stream may be deaf: an order untold, or a position without a word."""
        desk = self._desk
        if desk.awaiting_event_ms and at_ms - desk.awaiting_event_ms > EVENT_WITHIN_MS:
            desk.alarm("user-stream", "an accepted order was not told of; replacing the stream")
            self._on_silence("an accepted order was not told of")
        elif desk.book.open_positions() and at_ms - desk.heard_ms > STREAM_SILENT_MS:
            self._on_silence("nothing heard for a minute with a position")
        else:
            return
        desk.heard_ms, desk.awaiting_event_ms = at_ms, 0
