"""Public calls of the simulated venue about what was traded: book, candles, trades, funding (§4).

Section numbers are those of docs/venue.md.
"""

from __future__ import annotations

from collections.abc import Callable

from lowcap.core.money import ZERO, wire
from lowcap.paper import depth, rules
from lowcap.paper.market import FUNDING_EVERY_MS, FUNDING_RATE
from lowcap.paper.matching import OrderBook
from lowcap.paper.rules import Params
from lowcap.paper.state import VenueError
from lowcap.paper.tape import Candle, Tape, interval_ms
from lowcap.paper.views import Json

DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1_000)
DAY_MS = 86_400_000


class HistoryDesk:
    """What anybody may ask about the past, and about the book."""

    def __init__(self, book: OrderBook, tape: Tape) -> None:
        self._book = book
        self._quotes = book.board.quotes
        self._tape = tape
        self.calls: dict[str, Callable[[Params], object]] = {
            "depth": self._depth,
            "market.klines": self._klines,
            "market.trades": self._trades,
            "market.aggTrades": self._agg_trades,
            "market.ticker24hr": self._day,
            "market.openInterest": self._open_interest,
            "market.fundingRate": self._funding_rates,
            "market.fundingInfo": lambda params: [],
        }

    def _depth(self, params: Params) -> Json:
        contract, now_ms = self._book.contract(params), self._book.now_ms
        limit = rules.int_param(params, "limit", 500)
        if limit not in DEPTH_LIMITS:
            raise VenueError(-4021, f"{limit} is not a valid depth limit.")
        bids, asks = depth.levels(self._quotes[contract.symbol], contract.tick, limit)
        return {"lastUpdateId": now_ms, "E": now_ms, "T": now_ms, "bids": bids, "asks": asks}

    def _klines(self, params: Params) -> list[list[object]]:
        symbol = self._book.contract(params).symbol
        interval = rules.text_param(params, "interval")
        width_ms = interval_ms(interval)
        rows = self._tape.candles(
            symbol,
            interval,
            self._book.now_ms,
            start_ms=rules.int_param(params, "startTime", 0),
            end_ms=rules.int_param(params, "endTime", self._book.now_ms),
            limit=max(min(rules.int_param(params, "limit", 500), 1_500), 1),
        )
        return [kline_row(row, width_ms) for row in rows]

    def _trades(self, params: Params) -> list[Json]:
        rows = self._tape.follow(self._book.contract(params).symbol, self._book.now_ms).trades
        limit = max(min(rules.int_param(params, "limit", 500), 1_000), 1)
        return [
            {
                "id": trade.trade_id,
                "price": wire(trade.price),
                "qty": wire(trade.qty),
                "quoteQty": wire(trade.qty * trade.price),
                "time": trade.time_ms,
                "isBuyerMaker": trade.buyer_is_maker,
                "isRPITrade": False,
            }
            for trade in list(rows)[-limit:]
        ]

    def _agg_trades(self, params: Params) -> list[Json]:
        rows = self._tape.follow(self._book.contract(params).symbol, self._book.now_ms).trades
        limit = max(min(rules.int_param(params, "limit", 500), 1_000), 1)
        from_id = rules.int_param(params, "fromId", 0)
        start_ms = rules.int_param(params, "startTime", 0)
        end_ms = rules.int_param(params, "endTime", self._book.now_ms)
        if "startTime" in params and end_ms - start_ms > 2 * DAY_MS:
            raise VenueError(-4166, "Search window is restricted to recent 48 hours only.")
        found = [
            {
                "a": trade.trade_id,
                "p": wire(trade.price),
                "q": wire(trade.qty),
                "nq": wire(trade.qty),
                "f": trade.trade_id,
                "l": trade.trade_id,
                "T": trade.time_ms,
                "m": trade.buyer_is_maker,
            }
            for trade in rows
            if trade.trade_id >= from_id and start_ms <= trade.time_ms <= end_ms
        ]
        return found[:limit] if from_id or start_ms else found[-limit:]

    def _day(self, params: Params) -> object:
        wanted = self._book.optional_symbol(params)
        return self._day_row(wanted) if wanted else [self._day_row(name) for name in self._quotes]

    def _day_row(self, symbol: str) -> Json:
        """The last day; the simulator counts from its first price instead of from 24 hours ago."""
        now_ms, last = self._book.now_ms, self._quotes[symbol].last
        opened = self._book.board.opening[symbol]
        return {
            "symbol": symbol,
            "priceChange": wire(last - opened),
            "priceChangePercent": f"{(last - opened) / opened * 100:.3f}",
            "weightedAvgPrice": wire((last + opened) / 2),
            "lastPrice": wire(last),
            "lastQty": "1",
            "openPrice": wire(opened),
            "highPrice": wire(max(last, opened)),
            "lowPrice": wire(min(last, opened)),
            "volume": "1000000",
            "quoteVolume": wire(1_000_000 * last),
            "openTime": now_ms - DAY_MS,
            "closeTime": now_ms,
            "firstId": now_ms - DAY_MS,
            "lastId": now_ms,
            "count": DAY_MS // 1_000,
        }

    def _open_interest(self, params: Params) -> Json:
        symbol = self._book.contract(params).symbol
        own = sum((abs(p.qty) for p in self._book.state.positions.values()
                   if p.symbol == symbol), ZERO)  # fmt: skip
        return {
            "symbol": symbol,
            "openInterest": wire(1_000_000 + own),
            "time": self._book.now_ms,
        }

    def _funding_rates(self, params: Params) -> list[Json]:
        """The rates of the times past: the simulator's rate never changes."""
        symbol, now_ms = self._book.contract(params).symbol, self._book.now_ms
        limit = max(min(rules.int_param(params, "limit", 100), 1_000), 1)
        end_ms = min(rules.int_param(params, "endTime", now_ms), now_ms)
        newest_ms = end_ms // FUNDING_EVERY_MS * FUNDING_EVERY_MS
        start_ms = rules.int_param(params, "startTime", newest_ms - (limit - 1) * FUNDING_EVERY_MS)
        first_ms = -(-start_ms // FUNDING_EVERY_MS) * FUNDING_EVERY_MS
        times = range(first_ms, newest_ms + 1, FUNDING_EVERY_MS)[:limit]
        mark = f"{self._quotes[symbol].mark:.8f}"
        return [
            {
                "symbol": symbol,
                "fundingRate": f"{FUNDING_RATE:.8f}",
                "fundingTime": at_ms,
                "markPrice": mark,
            }
            for at_ms in times
        ]


def kline_row(row: Candle, width_ms: int) -> list[object]:
    """A candle as the twelve elements of GET klines (§4); buyers took half of the volume."""
    return [
        row.open_ms,
        wire(row.open),
        wire(row.high),
        wire(row.low),
        wire(row.close),
        wire(row.volume),
        row.open_ms + width_ms - 1,
        wire(row.quote),
        row.trades,
        wire(row.volume / 2),
        wire(row.quote / 2),
        "0",
    ]
