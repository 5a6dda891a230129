"""The WebSocket API of the simulated venue: one frame in, one reply out (docs/venue.md §3)."""

from __future__ import annotations

from typing import Any

import msgspec

from lowcap.paper.auth import Account, check_time, ws_signed_text
from lowcap.paper.exchange import Exchange
from lowcap.paper.rest import WeightMeter
from lowcap.paper.state import VenueError

_encode = msgspec.json.Encoder().encode

# What this interface offers, with its weight; the rest of the exchange's methods are REST only.
METHODS = {
    "order.place": 0,
    "order.cancel": 1,
    "order.status": 1,
    "algoOrder.place": 0,
    "algoOrder.cancel": 1,
    "account.position": 5,
    "account.balance": 5,
    "account.status": 5,
    "userDataStream.start": 1,
    "userDataStream.ping": 1,
    "userDataStream.stop": 1,
    "ticker.book": 2,
    "ticker.price": 1,
}
_UNSIGNED = frozenset(
    {
        "userDataStream.start",
        "userDataStream.ping",
        "userDataStream.stop",
        "ticker.book",
        "ticker.price",
    }
)


class Request(msgspec.Struct):
    """A request frame."""

    id: int | str | None = None
    method: str = ""
    params: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(Request)


class WsApi:
    """One connection's view of the venue: it remembers who has logged on."""

    def __init__(self, exchange: Exchange, account: Account, weight: WeightMeter) -> None:
        self._exchange = exchange
        self._account = account
        self._weight = weight
        self._logged_on_ms = 0
        self._connected_ms = 0

    def parse(self, frame: bytes) -> Request | None:
        """The request of a frame, or None where it is none."""
        try:
            return _decoder.decode(frame)
        except msgspec.MsgspecError:
            return None

    def answer(self, request: Request, now_ms: int) -> bytes:
        """Carry out a request; refusals are replies too."""
        self._connected_ms = self._connected_ms or now_ms
        reply: dict[str, Any] = {"id": request.id}
        try:
            reply |= {"status": 200, "result": self._carry_out(request, now_ms)}
        except VenueError as error:
            reply |= {
                "status": error.status,
                "error": {"code": error.code, "msg": error.msg},
            }
        reply["rateLimits"] = [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 2400,
                "count": self._weight.used(now_ms),
            }
        ]
        return _encode(reply)

    def _carry_out(self, request: Request, now_ms: int) -> object:
        method = request.method.rpartition("/")[2]
        if method.startswith("session."):
            return self._session(method, request.params, now_ms)
        if method not in METHODS:
            raise VenueError(-1102, f"Unknown method {request.method!r}.")
        self._weight.add(METHODS[method], now_ms)
        params = request.params
        if method in _UNSIGNED:
            if method.startswith("userDataStream"):
                self._account.check_key(params.get("apiKey"))
        else:
            self._check_signed(params, now_ms)
        return self._exchange.call(method, params, now_ms)

    def _check_signed(self, params: dict[str, Any], now_ms: int) -> None:
        check_time(params, now_ms)
        if "signature" not in params and self._logged_on_ms:
            return
        self._account.check_key(params.get("apiKey"))
        self._account.check_signature(ws_signed_text(params), str(params.get("signature", "")))

    def _session(self, method: str, params: dict[str, Any], now_ms: int) -> object:
        self._weight.add(2, now_ms)
        if method == "session.logon":
            if not self._account.public_key_pem:
                raise VenueError(-4056, "session.logon needs an Ed25519 key.", status=401)
            check_time(params, now_ms)
            self._account.check_key(params.get("apiKey"))
            self._account.check_signature(ws_signed_text(params), str(params.get("signature", "")))
            self._logged_on_ms = now_ms
        elif method == "session.logout":
            self._logged_on_ms = 0
        elif method != "session.status":
            raise VenueError(-1102, f"Unknown method {method!r}.")
        return {
            "apiKey": self._account.api_key if self._logged_on_ms else None,
            "authorizedSince": self._logged_on_ms or None,
            "connectedSince": self._connected_ms,
            "returnRateLimits": True,
            "serverTime": now_ms,
        }


BAD_FRAME = _encode(
    {"id": None, "status": 400, "error": {"code": -1130, "msg": "Malformed frame."}}
)
