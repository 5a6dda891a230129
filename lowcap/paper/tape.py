"""Public trades and candles of the simulated venue, kept for the symbols that somebody watches.

A watched symbol trades once a tick. What lies before the first look is made
up: a seeded walk backwards from the price at that time, the same whenever it
is asked for. Section numbers are those of docs/venue.md.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from lowcap.core.contract import Contract
from lowcap.core.money import ZERO, floor_to_step, price_to_tick
from lowcap.paper.prices import PriceBoard
from lowcap.paper.state import PaperQuote, VenueError

MINUTE_MS = 60_000
MINUTES_KEPT = 1_500
TRADES_KEPT = 1_000
PAST_CANDLES_MAX = 20_000
TRADE_USDT = Decimal(500)
_DAY_MINUTES = 1_440
# In minutes; a month counts as 30 days here.
INTERVALS = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360,
    "8h": 480, "12h": 720, "1d": _DAY_MINUTES, "3d": 3 * _DAY_MINUTES, "1w": 7 * _DAY_MINUTES,
    "1M": 30 * _DAY_MINUTES,
}  # fmt: skip


class PublicTrade(Struct, frozen=True, kw_only=True):
    """One trade as everybody sees it."""

    trade_id: int
    price: Decimal
    qty: Decimal
    time_ms: int
    buyer_is_maker: bool


class Candle(Struct, kw_only=True):
    """Prices and volume of an interval that began at ``open_ms``."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote: Decimal = ZERO
    trades: int = 0

    def add(self, other: Candle) -> None:
        """Take in a candle that follows within the same interval."""
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.quote += other.quote
        self.trades += other.trades


class Followed:
    """What is kept of one symbol. ``before`` is its quote one tick ago, at ``before_ms``."""

    def __init__(self, quote: PaperQuote, now_ms: int) -> None:
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)
        self.minutes: deque[Candle] = deque(maxlen=MINUTES_KEPT)
        self.before = self.now = quote
        self.before_ms = self.now_ms = now_ms


class Tape:
    """Follows a symbol from the first time it is asked for."""

    def __init__(
        self, contracts: dict[str, Contract], board: PriceBoard, *, seed: int, step_bps: float
    ) -> None:
        self._contracts = contracts
        self._board = board
        self._seed = seed
        self._step_bps = step_bps
        self._followed: dict[str, Followed] = {}

    def follow(self, symbol: str, now_ms: int) -> Followed:
        """The record of ``symbol``, begun now where there was none."""
        found = self._followed.get(symbol)
        if found is None:
            found = self._followed[symbol] = Followed(self._board.quotes[symbol], now_ms)
            self._trade(symbol, found, now_ms)
        return found

    def advance(self, now_ms: int) -> None:
        """A tick: every followed symbol trades once at its last price."""
        for symbol, kept in self._followed.items():
            kept.before, kept.before_ms = kept.now, kept.now_ms
            self._trade(symbol, kept, now_ms)

    def _trade(self, symbol: str, kept: Followed, now_ms: int) -> None:
        quote, step = self._board.quotes[symbol], self._contracts[symbol].step
        falling = quote.last < kept.now.last
        kept.now, kept.now_ms = quote, now_ms
        trade = PublicTrade(
            # Ids come from the clock: they rise, and a restart does not repeat them.
            trade_id=now_ms,
            price=quote.last,
            qty=max(floor_to_step(TRADE_USDT / quote.last, step), step),
            time_ms=now_ms,
            buyer_is_maker=falling,
        )
        kept.trades.append(trade)
        added = Candle(
            open_ms=now_ms // MINUTE_MS * MINUTE_MS,
            open=trade.price,
            high=trade.price,
            low=trade.price,
            close=trade.price,
            volume=trade.qty,
            quote=trade.qty * trade.price,
            trades=1,
        )
        if kept.minutes and kept.minutes[-1].open_ms == added.open_ms:
            kept.minutes[-1].add(added)
        else:
            kept.minutes.append(added)

    # -- candles ------------------------------------------------------------

    def candles(
        self, symbol: str, interval: str, now_ms: int, *, start_ms: int, end_ms: int, limit: int
    ) -> list[Candle]:
        """Up to ``limit`` candles that opened within the times: the first with a start, else last.

        Raises:
            VenueError: -1120 for an interval that is none (§4).
        """
        kept = self.follow(symbol, now_ms)
        width_ms = interval_ms(interval)
        rows = _grouped(kept.minutes, width_ms)
        first_ms = start_ms or min(end_ms, now_ms) - limit * width_ms
        missing = math.ceil(max(rows[0].open_ms - first_ms, 0) / width_ms)
        if missing:
            rows = self._past(symbol, rows[0], width_ms, min(missing, PAST_CANDLES_MAX)) + rows
        rows = [row for row in rows if start_ms <= row.open_ms <= end_ms]
        return rows[:limit] if start_ms else rows[-limit:]

    def newest(self, symbol: str, interval: str, now_ms: int) -> tuple[Candle, bool]:
        """The candle to tell at this tick, and whether it is closed: the old one when one begins.

        Raises:
            VenueError: -1120 for an interval that is none.
        """
        kept = self.follow(symbol, now_ms)
        width_ms = interval_ms(interval)
        opened_ms = now_ms // width_ms * width_ms
        recent = [row for row in kept.minutes if row.open_ms >= opened_ms - width_ms]
        rows = _grouped(recent, width_ms)
        if len(rows) > 1 and kept.before_ms < opened_ms:
            return rows[-2], True
        return rows[-1], False

    def _past(self, symbol: str, after: Candle, width_ms: int, count: int) -> list[Candle]:
        """``count`` made-up candles that end where ``after`` opens."""
        chance = random.Random(f"{self._seed}:{symbol}:{width_ms}")
        tick = self._contracts[symbol].tick
        # A minute has sixty steps of the walk, whose spread grows with their root.
        spread = self._step_bps / 10_000 * math.sqrt(width_ms / 1_000)

        def grid(price: float) -> Decimal:
            return max(price_to_tick(Decimal(repr(price)), tick, up=False), tick)

        close, open_ms = float(after.open), after.open_ms
        volume = TRADE_USDT * (width_ms // 1_000) / after.open
        volume = max(floor_to_step(volume, self._contracts[symbol].step), ZERO)
        rows = []
        for _ in range(count):
            open_ms -= width_ms
            opened = close * math.exp(chance.gauss(0.0, spread))
            reach = abs(chance.gauss(0.0, spread / 2))
            rows.append(
                Candle(
                    open_ms=open_ms,
                    open=grid(opened),
                    high=grid(max(opened, close) * (1 + reach)),
                    low=grid(min(opened, close) * (1 - reach)),
                    close=grid(close),
                    volume=volume,
                    quote=volume * grid(close),
                    trades=width_ms // 1_000,
                )
            )
            close = opened
        return rows[::-1]


def interval_ms(interval: str) -> int:
    """The length of a candle; -1120 for what is no interval (§4)."""
    if interval not in INTERVALS:
        raise VenueError(-1120, "Invalid interval.")
    return INTERVALS[interval] * MINUTE_MS


def _grouped(minutes: Iterable[Candle], width_ms: int) -> list[Candle]:
    rows: list[Candle] = []
    for minute in minutes:
        open_ms = minute.open_ms // width_ms * width_ms
        if rows and rows[-1].open_ms == open_ms:
            rows[-1].add(minute)
        else:
            rows.append(
                Candle(
                    open_ms=open_ms,
                    open=minute.open,
                    high=minute.high,
                    low=minute.low,
                    close=minute.close,
                    volume=minute.volume,
                    quote=minute.quote,
                    trades=minute.trades,
                )
            )
    return rows
