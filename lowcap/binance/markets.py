"""What the market of each traded symbol looks like now: newest wins, nothing is queued.

Frames of book and trades are kept as they came and read only when somebody
looks: however many arrive, only the newest is ever decoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec
from msgspec import Raw, Struct

from lowcap.binance.candles import Candle, Candles, candle_from
from lowcap.binance.wire import UNREADABLE, AggTradeEvent, BookTickerEvent, KlineEvent, StreamFrame
from lowcap.core.clock import Clock, now_ms
from lowcap.core.money import ZERO, decimal_from_wire

BOOK, TRADE, CANDLE = "bookTicker", "aggTrade", "kline_1m"

_frame_decoder = msgspec.json.Decoder(StreamFrame)
_book_decoder = msgspec.json.Decoder(BookTickerEvent)
_trade_decoder = msgspec.json.Decoder(AggTradeEvent)
_kline_decoder = msgspec.json.Decoder(KlineEvent)
_NOTHING = (Raw(b""), 0)


class BookTop(Struct, frozen=True, kw_only=True):
    """Best bid and ask; ``at_ms`` is our receive time."""

    bid: Decimal
    ask: Decimal
    at_ms: int


class LastTrade(Struct, frozen=True, kw_only=True):
    """The newest aggregated trade; ``at_ms`` is our receive time."""

    price: Decimal
    qty: Decimal
    at_ms: int


class _Newest:
    """The newest frame of each kind, and the candles."""

    def __init__(self) -> None:
        self.frames: dict[str, tuple[Raw, int]] = {}
        self.candles = Candles()
        self.candle_ms = 0


class Markets:
    """Fed by the streams of symbols that are traded; forgets the others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._newest: dict[str, _Newest] = {}

    def keep(self, symbols: Iterable[str]) -> None:
        """These symbols and no others."""
        self._newest = {symbol: self._newest.get(symbol) or _Newest() for symbol in symbols}

    def take(self, frame: bytes) -> None:
        """A frame of a stream; one that cannot be read is left to grow stale."""
        try:
            told = _frame_decoder.decode(frame)
        except UNREADABLE:
            return
        symbol, _, kind = told.stream.partition("@")
        newest = self._newest.get(symbol.upper())
        if newest is None:
            return
        if kind == CANDLE:
            self._take_candle(newest, told.data)
        else:
            newest.frames[kind] = (told.data, now_ms(self._clock))

    def _take_candle(self, newest: _Newest, data: Raw) -> None:
        try:
            k = _kline_decoder.decode(data).k
            newest.candles.fold(candle_from(k.t, (k.o, k.h, k.l, k.c), k.v, closed=k.x))
        except UNREADABLE:
            return
        newest.candle_ms = now_ms(self._clock)

    def fold_history(self, symbol: str, candles: Iterable[Candle]) -> None:
        """Candles from before we listened."""
        newest = self._newest.get(symbol)
        if newest is not None:
            for candle in candles:
                newest.candles.fold(candle)

    # -- reading ----------------------------------------------------------

    def book(self, symbol: str) -> BookTop | None:
        """Best bid and ask, or None where none are known that make sense."""
        data, at_ms = self._frame(symbol, BOOK)
        try:
            told = _book_decoder.decode(data)
            bid, ask = decimal_from_wire(told.b), decimal_from_wire(told.a)
        except UNREADABLE:
            return None
        return BookTop(bid=bid, ask=ask, at_ms=at_ms) if ZERO < bid <= ask else None

    def trade(self, symbol: str) -> LastTrade | None:
        """The newest trade, or None where none is known that makes sense."""
        data, at_ms = self._frame(symbol, TRADE)
        try:
            told = _trade_decoder.decode(data)
            price, qty = decimal_from_wire(told.p), decimal_from_wire(told.q)
        except UNREADABLE:
            return None
        return LastTrade(price=price, qty=qty, at_ms=at_ms) if min(price, qty) > ZERO else None

    def candles(self, symbol: str) -> list[Candle]:
        """One-minute candles, oldest first."""
        newest = self._newest.get(symbol)
        return newest.candles.rows() if newest is not None else []

    def atr(self, symbol: str) -> Decimal | None:
        """Average true range of the last closed minutes, in units of price."""
        newest = self._newest.get(symbol)
        return newest.candles.atr() if newest is not None else None

    def ages_ms(self, symbol: str) -> dict[str, int]:
        """How old the newest of each kind is, by our clock; what never came is left out."""
        newest = self._newest.get(symbol)
        if newest is None:
            return {}
        at_ms = now_ms(self._clock)
        ages = {kind: at_ms - came_ms for kind, (_, came_ms) in newest.frames.items()}
        return ages | ({CANDLE: at_ms - newest.candle_ms} if newest.candle_ms else {})

    def _frame(self, symbol: str, kind: str) -> tuple[Raw, int]:
        """The newest frame of a kind, empty where none has come, and when it came."""
        newest = self._newest.get(symbol)
        return newest.frames.get(kind, _NOTHING) if newest is not None else _NOTHING
