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
STREAMS_MAX = 1_024
ROUTES = frozenset({"public", "market", "private"})
_MARKET_ARRAYS = frozenset({"!markPrice@arr", "!markPrice@arr@1s", "!miniTicker@arr"})
_ROUTE_OF_KIND = {
    "bookTicker": "public",
    "markPrice": "market",
    "markPrice@1s": "market",
    "miniTicker": "market",
}


def route_of(stream: str) -> str:
    """The route that carries a stream, empty where the simulator has no such stream."""
    if stream in _MARKET_ARRAYS:
        return "market"
    symbol, _, kind = stream.partition("@")
    return _ROUTE_OF_KIND.get(kind, "") if symbol == symbol.lower() else ""


def is_stream_path(path: str) -> bool:
    """Whether a stream connection may be opened at ``path`` (§1)."""
    parts = [part for part in urlsplit(path).path.split("/") if part]
    if parts and parts[0] in ROUTES:
        parts = parts[1:]
    return bool(parts) and parts[0] in {"ws", "stream"}


class Subscriber:
    """One stream connection: what it asked for and how it wants it wrapped."""

    def __init__(self, path: str) -> None:
        target = urlsplit(path)
        parts = [part for part in target.path.split("/") if part]
        self.route = parts[0] if parts and parts[0] in ROUTES else "public"
        rest = parts[1:] if parts and parts[0] == self.route else parts
        self.enveloped = bool(rest) and rest[0] == "stream"
        query = parse_qs(target.query)
        self.names: set[str] = set(rest[1:])
        for names in query.get("streams", []):
            self.names |= set(names.split("/"))
        self._events = {name for names in query.get("events", []) for name in names.split("/")}
        self.listen_keys: set[str] = set(query.get("listenKey", []))
        if self.route == "private":
            self.listen_keys |= self.names
        self.wire: Wire | None = None

    def control(self, frame: bytes) -> bytes:
        """Answer a control frame (§7); unknown and wrongly routed names are acknowledged too."""
        try:
            message = msgspec.json.decode(frame)
        except (msgspec.MsgspecError, UnicodeError):
            return _refusal(3, "Invalid JSON")
        if not isinstance(message, dict):
            return _refusal(2, "Invalid request")
        number, params = message.get("id"), message.get("params") or []
        if isinstance(number, bool | list | dict | float) or not isinstance(params, list):
            return _refusal(2, "Invalid request")
        target = self.listen_keys if self.route == "private" else self.names
        match message.get("method"):
            case "SUBSCRIBE" if _all_text(params):
                if len(target | set(params)) > STREAMS_MAX:
                    return _refusal(4, "Too many subscriptions", number)
                target.update(params)
                result: object = None
            case "UNSUBSCRIBE" if _all_text(params):
                target.difference_update(params)
                result = None
            case "LIST_SUBSCRIPTIONS":
                result = sorted(target)
            case "SET_PROPERTY" | "GET_PROPERTY" if params[:1] != ["combined"]:
                return _refusal(0, "Unknown property", number)
            case "SET_PROPERTY" if len(params) != 2 or not isinstance(params[1], bool):
                return _refusal(1, "Invalid value type: expected Boolean", number)
            case "SET_PROPERTY":
                self.enveloped, result = params[1], None
            case "GET_PROPERTY":
                result = self.enveloped
            case _:
                return _refusal(2, "Invalid request", number)
        return _encode({"result": result, "id": number})

    def wants(self, stream: str) -> bool:
        """Whether ``stream`` was asked for on the route that carries it."""
        return stream in self.names and route_of(stream) == self.route

    def hears(self, key: str, event: str) -> bool:
        """Whether a user event of ``key`` reaches this connection; ``events=`` leaves out (§1)."""
        if self.route != "private" or key not in self.listen_keys:
            return False
        return not self._events or event in self._events

    def wrap(self, stream: str, payload: bytes) -> bytes:
        """The frame for ``payload``: bare, or in an envelope that names the stream."""
        if not self.enveloped:
            return payload
        return b'{"stream":' + _encode(stream) + b',"data":' + payload + b"}"


def _all_text(params: list[Any]) -> bool:
    return all(isinstance(name, str) for name in params)


def _refusal(code: int, msg: str, number: object = None) -> bytes:
    reply: dict[str, object] = {"error": {"code": code, "msg": msg}}
    return _encode(reply if number is None else reply | {"id": number})


def array_frame(exchange: Exchange, stream: str, now_ms: int) -> bytes:
    """One payload of an all-market stream."""
    each = _mini_ticker if stream == "!miniTicker@arr" else _mark_update
    return _encode([each(exchange, symbol, now_ms) for symbol in exchange.board.quotes])


def symbol_frame(exchange: Exchange, stream: str, now_ms: int) -> bytes | None:
    """One payload of a symbol's stream; None where there is no such symbol."""
    name, _, kind = stream.partition("@")
    symbol = name.upper()
    if symbol not in exchange.contracts or kind not in _ROUTE_OF_KIND:
        return None
    if kind == "bookTicker":
        return _encode(_book_ticker(exchange, symbol, now_ms))
    if kind == "miniTicker":
        return _encode(_mini_ticker(exchange, symbol, now_ms))
    return _encode(_mark_update(exchange, symbol, now_ms))


def is_slow(stream: str) -> bool:
    """Whether a stream comes every three seconds instead of every one (§7)."""
    return stream.endswith(("@markPrice", "!markPrice@arr"))


def _mark_update(exchange: Exchange, symbol: str, now_ms: int) -> dict[str, Any]:
    price = f"{exchange.board.quotes[symbol].mark:.8f}"
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": symbol,
        "p": price,
        "ap": price,
        "i": price,
        "P": price,
        "r": "0.00010000",
        "T": exchange.next_funding_ms(),
        "st": 1,
    }


def _mini_ticker(exchange: Exchange, symbol: str, now_ms: int) -> dict[str, Any]:
    last = wire(exchange.board.quotes[symbol].last)
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": symbol,
        "c": last,
        "o": last,
        "h": last,
        "l": last,
        "v": "0",
        "q": "0",
        "st": 1,
    }


def _book_ticker(exchange: Exchange, symbol: str, now_ms: int) -> dict[str, Any]:
    quote = exchange.board.quotes[symbol]
    return {
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
