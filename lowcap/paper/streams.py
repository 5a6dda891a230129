"""Market and user data streams of the simulated venue: routes, subscriptions, payloads.

Each stream lives on one route; a subscription on another route is
acknowledged and silent (docs/venue.md §1, §7).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from lowcap.core.money import wire
from lowcap.net.wire import Wire
from lowcap.paper.exchange import Exchange

_encode = msgspec.json.Encoder().encode
_MARKET_NAMES = ("@aggTrade", "@markPrice", "@markPrice@1s", "@miniTicker")
_ALL_MARK = frozenset({"!markPrice@arr", "!markPrice@arr@1s"})


def route_of(stream: str) -> str:
    """The route that carries a stream: public, market, or neither."""
    if stream.endswith("@bookTicker") or stream == "!bookTicker":
        return "public"
    if stream in _ALL_MARK or stream == "!miniTicker@arr":
        return "market"
    return "market" if stream.endswith(_MARKET_NAMES) else ""


class Subscriber:
    """One stream connection: what it asked for and how it wants it wrapped."""

    def __init__(self, path: str) -> None:
        target = urlsplit(path)
        parts = [part for part in target.path.split("/") if part]
        self.route = parts[0] if parts and parts[0] in {"public", "market", "private"} else "public"
        rest = parts[1:] if parts and parts[0] == self.route else parts
        self.enveloped = bool(rest) and rest[0] == "stream"
        query = parse_qs(target.query)
        self.names: set[str] = set(rest[1:])
        for names in query.get("streams", []):
            self.names |= set(names.split("/"))
        self.listen_keys: set[str] = set(query.get("listenKey", []))
        if self.route == "private":
            self.listen_keys |= self.names
        self.wire: Wire | None = None

    def control(self, frame: bytes) -> bytes:
        """Answer SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS (§7)."""
        try:
            message = msgspec.json.decode(frame)
            method, params = message["method"], message.get("params") or []
            number = message.get("id")
        except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
            return _encode({"error": {"code": 2, "msg": "Invalid request"}})
        target = self.listen_keys if self.route == "private" else self.names
        if method == "SUBSCRIBE":
            target.update(str(name) for name in params)
            return _encode({"result": None, "id": number})
        if method == "UNSUBSCRIBE":
            target.difference_update(str(name) for name in params)
            return _encode({"result": None, "id": number})
        if method == "LIST_SUBSCRIPTIONS":
            return _encode({"result": sorted(self.names), "id": number})
        return _encode({"error": {"code": 2, "msg": "Invalid request"}, "id": number})

    def wants(self, stream: str) -> bool:
        """Whether ``stream`` was asked for on the route that carries it."""
        return stream in self.names and route_of(stream) == self.route

    def wrap(self, stream: str, payload: bytes) -> bytes:
        """The frame for ``payload``: bare, or in an envelope that names the stream."""
        if not self.enveloped:
            return payload
        return b'{"stream":' + _encode(stream) + b',"data":' + payload + b"}"


def mark_array(exchange: Exchange, now_ms: int) -> bytes:
    """``!markPrice@arr@1s``: the mark of every symbol."""
    funding_ms = exchange.next_funding_ms()
    return _encode(
        [
            mark_update(symbol, quote.mark, now_ms, funding_ms)
            for symbol, quote in exchange.board.quotes.items()
        ]
    )


def mark_update(symbol: str, mark: object, now_ms: int, funding_ms: int) -> dict[str, Any]:
    """One markPriceUpdate (§7)."""
    price = f"{mark:.8f}"
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": symbol,
        "p": price,
        "ap": price,
        "i": price,
        "P": price,
        "r": "0.00010000",
        "T": funding_ms,
        "st": 1,
    }


def mini_ticker_array(exchange: Exchange, now_ms: int) -> bytes:
    """``!miniTicker@arr``: the last price of every symbol."""
    return _encode(
        [
            {
                "e": "24hrMiniTicker",
                "E": now_ms,
                "s": symbol,
                "c": wire(quote.last),
                "o": wire(quote.last),
                "h": wire(quote.last),
                "l": wire(quote.last),
                "v": "0",
                "q": "0",
                "st": 1,
            }
            for symbol, quote in exchange.board.quotes.items()
        ]
    )


def book_ticker(exchange: Exchange, symbol: str, now_ms: int) -> bytes:
    """``<symbol>@bookTicker``."""
    quote = exchange.board.quotes[symbol]
    return _encode(
        {
            "e": "bookTicker",
            "u": now_ms,
            "E": now_ms,
            "T": now_ms,
            "s": symbol,
            "b": wire(quote.bid),
            "B": "1000",
            "a": wire(quote.ask),
            "A": "1000",
            "ps": symbol,
            "st": 1,
        }
    )
