"""The WebSocket API of the simulated venue: one frame in, one reply out (docs/venue.md §3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from lowcap.paper.auth import Account, check_time, ws_signed_text
from lowcap.paper.exchange import Exchange
from lowcap.paper.faults import Answer
from lowcap.paper.paths import limit_weight
from lowcap.paper.state import VenueError
from lowcap.paper.usage import Usage

_encode = msgspec.json.Encoder(decimal_format="number").encode

# What this interface offers, with its weight; the rest of the exchange's methods are REST only.
METHODS = {
    "order.place": 0,
    "order.modify": 0,
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
    "ticker.book": 5,
    "ticker.price": 2,
    "depth": 10,
}
_WEIGHT_OF_ONE = {"ticker.book": 2, "ticker.price": 1}
# Positions come in the second REST form without a version prefix, in the third with "v2/".
_UNVERSIONED = {"account.position": "account.positionV2"}
_MARKET = frozenset({"ticker.book", "ticker.price", "depth"})
_KEY_ONLY = frozenset({"userDataStream.start", "userDataStream.ping", "userDataStream.stop"})


class Request(msgspec.Struct):
    """A request frame."""

    id: int | str | None = None
    method: str = ""
    params: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The method without a version prefix."""
        return self.method.rpartition("/")[2]


_decoder = msgspec.json.Decoder(Request, float_hook=Decimal)


class WsApi:
    """One connection's view of the venue: it remembers who has logged on."""

    def __init__(
        self,
        exchange: Exchange,
        account: Account,
        usage: Usage,
        connected_ms: int,
        *,
        tell_limits: bool = True,
    ) -> None:
        self._exchange = exchange
        self._account = account
        self._usage = usage
        self._tell_limits = tell_limits
        self._logged_on_ms = 0
        self._connected_ms = connected_ms
        usage.handshake(connected_ms)

    def parse(self, frame: bytes) -> Request | None:
        """The request of a frame, or None where it is none."""
        try:
            return _decoder.decode(frame)
        except (msgspec.MsgspecError, UnicodeError):
            return None

    def answer(self, request: Request, now_ms: int) -> bytes:
        """Carry out a request; refusals are replies too."""
        reply: dict[str, Any] = {"id": request.id}
        try:
            reply |= {"status": 200, "result": self._carry_out(request, now_ms)}
        except VenueError as error:
            reply |= {
                "status": error.status,
                "error": {"code": error.code, "msg": error.msg},
            }
        wanted = request.params.get("returnRateLimits", self._tell_limits)
        if str(wanted).lower() != "false":
            reply["rateLimits"] = self._usage.rate_limits(request.name, now_ms)
        return _encode(reply)

    def refusal(self, request: Request, error: Answer) -> bytes:
        """The reply to a request that the fault script has refused."""
        fault = {"code": error.code, "msg": error.msg}
        return _encode({"id": request.id, "status": error.status, "error": fault})

    def _carry_out(self, request: Request, now_ms: int) -> object:
        method, params = request.name, request.params
        if method.startswith("session."):
            return self._session(method, params, now_ms)
        if method not in METHODS:
            raise VenueError(-1102, f"Unknown method {request.method!r}.")
        weight = METHODS[method]
        if params.get("symbol"):
            weight = _WEIGHT_OF_ONE.get(method, weight)
        if method == "depth":
            weight = limit_weight("/fapi/v1/depth", str(params.get("limit", "")), weight)
        self._usage.count(method, weight, now_ms)
        if method in _KEY_ONLY:
            if "apiKey" in params or not self._logged_on_ms:
                self._account.check_key(params.get("apiKey"))
        elif method not in _MARKET:
            self._check_signed(params, now_ms)
        if request.method == method:
            method = _UNVERSIONED.get(method, method)
        return self._exchange.call(method, params, now_ms)

    def _check_signed(self, params: dict[str, Any], now_ms: int) -> None:
        check_time(params, now_ms)
        if "signature" not in params and self._logged_on_ms:
            return
        self._account.check_key(params.get("apiKey"))
        self._account.check_signature(ws_signed_text(params), str(params.get("signature", "")))

    def _session(self, method: str, params: dict[str, Any], now_ms: int) -> object:
        self._usage.count(method, 2, now_ms)
        if method == "session.logon":
            check_time(params, now_ms)
            self._account.check_key(params.get("apiKey"))
            self._account.check_logon(ws_signed_text(params), str(params.get("signature", "")))
            self._logged_on_ms = now_ms
        elif method == "session.logout":
            self._logged_on_ms = 0
        elif method != "session.status":
            raise VenueError(-1102, f"Unknown method {method!r}.")
        return {
            "apiKey": self._account.api_key if self._logged_on_ms else None,
            "authorizedSince": self._logged_on_ms or None,
            "connectedSince": self._connected_ms,
            "returnRateLimits": self._tell_limits,
            "serverTime": now_ms,
        }


BAD_FRAME = _encode(
    {"id": None, "status": 400, "error": {"code": -1130, "msg": "Malformed frame."}}
)
