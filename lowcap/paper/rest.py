"""REST of the simulated venue: one request in, one reply out (docs/venue.md §2, §4)."""

from __future__ import annotations

from typing import Any

import msgspec

from lowcap.net.http import HttpReply
from lowcap.net.serve import HttpRequest
from lowcap.paper.auth import Account, check_time, split_signed
from lowcap.paper.exchange import Exchange, SimEvent
from lowcap.paper.faults import Faults
from lowcap.paper.paths import PATHS, weight_of
from lowcap.paper.state import VenueError
from lowcap.paper.usage import Usage

_encode = msgspec.json.Encoder(decimal_format="number").encode


def method_of(request: HttpRequest) -> str:
    """The exchange method that a request asks for; empty where there is none."""
    return PATHS.get((request.method, request.path), ("", "", 0))[0]


def answer(
    exchange: Exchange, account: Account, request: HttpRequest, now_ms: int, usage: Usage
) -> HttpReply:
    """Carry out one REST request, refusals included."""
    try:
        result: Any = _carry_out(exchange, account, request, now_ms, usage)
        status = 200
    except VenueError as error:
        result, status = {"code": error.code, "msg": error.msg}, error.status
    headers = {
        "content-type": "application/json;charset=UTF-8",
        **usage.headers(method_of(request), now_ms),
    }
    return HttpReply(status, headers, _encode(result))


def _carry_out(
    exchange: Exchange, account: Account, request: HttpRequest, now_ms: int, usage: Usage
) -> object:
    if request.method == "POST" and request.path.startswith("/sim/"):
        return _script(exchange, request, now_ms)
    try:
        method, security, cost = PATHS[request.method, request.path]
    except KeyError:
        raise VenueError(
            -5000, f"Path {request.path}, Method {request.method} is invalid", status=404
        ) from None
    try:
        params, signed, signature = split_signed(request.query, request.body.decode())
    except UnicodeDecodeError:
        raise VenueError(-1100, "Illegal characters found in the request body.") from None
    usage.count(method, weight_of(request.path, cost, params), now_ms)
    if security != "NONE":
        account.check_key(request.headers.get("x-mbx-apikey"))
    if security == "SIGNED":
        check_time(params, now_ms)
        account.check_signature(signed, signature)
    return exchange.call(method, params, now_ms)


def _script(exchange: Exchange, request: HttpRequest, now_ms: int) -> object:
    """The simulator's own paths: a fault script put in force, an event made to happen."""
    try:
        if request.path == "/sim/faults":
            exchange.replace_faults(msgspec.json.decode(request.body, type=Faults))
        elif request.path == "/sim/events":
            exchange.happen(msgspec.json.decode(request.body, type=SimEvent), now_ms)
        else:
            raise VenueError(-5000, f"Path {request.path} is invalid", status=404)
    except msgspec.MsgspecError as error:
        raise VenueError(-1102, f"{request.path.rpartition('/')[2]}: {error}") from error
    return {}
