"""Payloads of the simulated venue's market streams, and the route that carries each (§1, §7).

Section numbers are those of docs/venue.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from lowcap.core.money import wire
from lowcap.paper import depth
from lowcap.paper.exchange import Exchange
from lowcap.paper.market import FUNDING_RATE
from lowcap.paper.tape import INTERVALS, interval_ms

Json = dict[str, Any]
_PERPETUAL = "_perpetual"
_encode = msgspec.json.Encoder().encode
_PARTIAL_DEPTH = re.compile(r"depth(5|10|20)(@100ms|@500ms)?\Z")
_DIFF_DEPTH = re.compile(r"depth(@100ms|@500ms)?\Z")


def mark_update(exchange: Exchange, symbol: str, now_ms: int) -> Json:
    """MarkPriceUpdate."""
    price = f"{exchange.board.quotes[symbol].mark:.8f}"
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": symbol,
        "p": price,
        "ap": price,
        "i": price,
        "P": price,
        "r": f"{FUNDING_RATE:.8f}",
        "T": exchange.next_funding_ms(),
        "st": 1,
    }


def mini_ticker(exchange: Exchange, symbol: str, now_ms: int) -> Json:
    """24hrMiniTicker, which counts from the simulator's first price."""
    last, opened = exchange.board.quotes[symbol].last, exchange.board.opening[symbol]
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": symbol,
        "c": wire(last),
        "o": wire(opened),
        "h": wire(max(last, opened)),
        "l": wire(min(last, opened)),
        "v": "0",
        "q": "0",
        "ps": symbol,
        "st": 1,
    }


def day_ticker(exchange: Exchange, symbol: str, now_ms: int) -> Json:
    """24hrTicker: the mini ticker with the change and the last trade."""
    last, opened = exchange.board.quotes[symbol].last, exchange.board.opening[symbol]
    return mini_ticker(exchange, symbol, now_ms) | {
        "e": "24hrTicker",
        "p": wire(last - opened),
        "P": f"{(last - opened) / opened * 100:.3f}",
        "w": wire((last + opened) / 2),
        "Q": "1",
        "O": now_ms - 86_400_000,
        "C": now_ms,
        "F": 0,
        "L": 0,
        "n": 0,
    }


def book_ticker(exchange: Exchange, symbol: str, now_ms: int) -> Json:
    """Best bid and ask."""
    quote = exchange.board.quotes[symbol]
    return {
        "e": "bookTicker",
        "u": now_ms,
        "E": now_ms,
        "T": now_ms,
        "s": symbol,
        "b": wire(quote.bid),
        "B": depth.LEVEL_QTY,
        "a": wire(quote.ask),
        "A": depth.LEVEL_QTY,
        "ps": symbol,
        "st": 1,
    }


def agg_trade(exchange: Exchange, symbol: str, now_ms: int) -> Json | None:
    """The trade of this tick."""
    trade = exchange.tape.follow(symbol, now_ms).trades[-1]
    if trade.time_ms != now_ms:
        return None
    return {
        "e": "aggTrade",
        "E": now_ms,
        "s": symbol,
        "a": trade.trade_id,
        "p": wire(trade.price),
        "q": wire(trade.qty),
        "nq": wire(trade.qty),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "st": 1,
    }


def trade(exchange: Exchange, symbol: str, now_ms: int) -> Json | None:
    """The trade of this tick as ``@trade`` has it, a stream that clients use undocumented."""
    told = agg_trade(exchange, symbol, now_ms)
    if told is None:
        return None
    kept = {name: told[name] for name in ("E", "T", "s", "p", "q", "m", "st")}
    return {"e": "trade", "t": told["a"], "X": "MARKET", **kept}


def continuous_kline(exchange: Exchange, symbol: str, interval: str, now_ms: int) -> Json:
    """The same candle under the pair and its contract type."""
    told = kline(exchange, symbol, interval, now_ms)
    candle = {name: value for name, value in told["k"].items() if name != "s"}
    return {"e": "continuous_kline", "E": now_ms, "ps": symbol, "ct": "PERPETUAL", "k": candle}


def kline(exchange: Exchange, symbol: str, interval: str, now_ms: int) -> Json:
    """The running candle, or the one that has just closed."""
    row, closed = exchange.tape.newest(symbol, interval, now_ms)
    return {
        "e": "kline",
        "E": now_ms,
        "s": symbol,
        "k": {
            "t": row.open_ms,
            "T": row.open_ms + interval_ms(interval) - 1,
            "s": symbol,
            "i": interval,
            "f": row.open_ms,
            "L": now_ms,
            "o": wire(row.open),
            "c": wire(row.close),
            "h": wire(row.high),
            "l": wire(row.low),
            "v": wire(row.volume),
            "n": row.trades,
            "x": closed,
            "q": wire(row.quote),
            "V": wire(row.volume / 2),
            "Q": wire(row.quote / 2),
            "B": "0",
        },
    }


def depth_update(exchange: Exchange, symbol: str, limit: int, now_ms: int) -> Json:
    """The best ``limit`` levels, or with 0 what has changed since the tick before (§7)."""
    kept, tick = exchange.tape.follow(symbol, now_ms), exchange.contracts[symbol].tick
    if limit:
        bids, asks = depth.levels(kept.now, tick, limit)
    else:
        bids, asks = depth.changes(kept.before, kept.now, tick)
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "T": now_ms,
        "s": symbol,
        "U": kept.before_ms + 1,
        "u": kept.now_ms,
        "pu": kept.before_ms,
        "b": bids,
        "a": asks,
        "ps": symbol,
        "st": 1,
    }


Payload = Callable[[Exchange, str, int], Json | None]
_OF_KIND: dict[str, tuple[str, Payload]] = {
    "bookTicker": ("public", book_ticker),
    "markPrice": ("market", mark_update),
    "markPrice@1s": ("market", mark_update),
    "miniTicker": ("market", mini_ticker),
    "ticker": ("market", day_ticker),
    "aggTrade": ("market", agg_trade),
    "trade": ("public", trade),
}
# Streams of all symbols come as one array, except the book tickers (§7).
_OF_ALL: dict[str, tuple[str, Payload]] = {
    "!markPrice@arr": ("market", mark_update),
    "!markPrice@arr@1s": ("market", mark_update),
    "!miniTicker@arr": ("market", mini_ticker),
    "!ticker@arr": ("market", day_ticker),
}


def route_of(stream: str) -> str:
    """The route that carries a stream, empty where the simulator has no such stream."""
    if stream in _OF_ALL:
        return _OF_ALL[stream][0]
    symbol, _, kind = stream.partition("@")
    if symbol != symbol.lower():
        return ""
    if kind in _OF_KIND:
        return _OF_KIND[kind][0]
    if _PARTIAL_DEPTH.match(kind) or _DIFF_DEPTH.match(kind):
        return "public"
    candle, _, interval = kind.partition("_")
    return "market" if interval in INTERVALS and _is_candle(candle, symbol) else ""


def _is_candle(candle: str, name: str) -> bool:
    return candle == ("continuousKline" if name.endswith(_PERPETUAL) else "kline")


def is_slow(stream: str) -> bool:
    """Whether a stream comes every three seconds instead of every one (§7)."""
    return stream.endswith(("@markPrice", "!markPrice@arr"))


def frame(exchange: Exchange, stream: str, now_ms: int) -> bytes | None:
    """One payload of a stream; None where there is no such symbol or nothing to tell."""
    board = exchange.board
    if stream in _OF_ALL:
        each = _OF_ALL[stream][1]
        quoted = [symbol for symbol in board.quotes if board.is_quoted(symbol, now_ms)]
        return _encode([each(exchange, s, now_ms) for s in quoted]) if quoted else None
    name, _, kind = stream.partition("@")
    symbol = name.removesuffix(_PERPETUAL).upper()
    if symbol not in exchange.contracts or not board.is_quoted(symbol, now_ms):
        return None
    payload = _payload(exchange, symbol, kind, now_ms)
    return None if payload is None else _encode(payload)


def _payload(exchange: Exchange, symbol: str, kind: str, now_ms: int) -> Json | None:
    if kind in _OF_KIND:
        return _OF_KIND[kind][1](exchange, symbol, now_ms)
    candle, _, interval = kind.partition("_")
    if candle in ("kline", "continuousKline"):
        told = kline if candle == "kline" else continuous_kline
        return told(exchange, symbol, interval, now_ms)
    partial = _PARTIAL_DEPTH.match(kind)
    return depth_update(exchange, symbol, int(partial[1]) if partial else 0, now_ms)
