"""Stream connections of the simulated venue: paths, subscriptions, envelopes.

Each stream lives on one route; a subscription on another route is
acknowledged and silent (docs/venue.md §1, §7).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from lowcap.net.wire import Wire
from lowcap.paper.frames import route_of

_encode = msgspec.json.Encoder().encode
STREAMS_MAX = 1_024
ROUTES = frozenset({"public", "market", "private"})


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
