"""REST paths of the simulated venue: which method each one is, and what it must prove."""

from __future__ import annotations

from typing import Any

import msgspec

from lowcap.net.http import HttpReply
from lowcap.net.serve import HttpRequest
from lowcap.paper.auth import Account, check_time, split_signed
from lowcap.paper.exchange import Exchange
from lowcap.paper.faults import Faults
from lowcap.paper.state import VenueError
from lowcap.paper.usage import Usage

_encode = msgspec.json.Encoder(decimal_format="number").encode

# (HTTP method, path) -> (exchange method, security of §2, request weight of §4 without a symbol)
PATHS: dict[tuple[str, str], tuple[str, str, int]] = {
    ("GET", "/fapi/v1/ping"): ("market.ping", "NONE", 1),
    ("GET", "/fapi/v1/time"): ("market.time", "NONE", 1),
    ("GET", "/fapi/v1/exchangeInfo"): ("market.exchangeInfo", "NONE", 1),
    ("GET", "/fapi/v1/premiumIndex"): ("market.premiumIndex", "NONE", 10),
    ("GET", "/fapi/v1/ticker/bookTicker"): ("ticker.book", "NONE", 5),
    ("GET", "/fapi/v1/ticker/price"): ("ticker.price", "NONE", 2),
    ("GET", "/fapi/v2/ticker/price"): ("ticker.price", "NONE", 2),
    ("POST", "/fapi/v1/order"): ("order.place", "SIGNED", 0),
    ("DELETE", "/fapi/v1/order"): ("order.cancel", "SIGNED", 1),
    ("GET", "/fapi/v1/order"): ("order.status", "SIGNED", 1),
    ("GET", "/fapi/v1/openOrders"): ("order.open", "SIGNED", 40),
    ("DELETE", "/fapi/v1/allOpenOrders"): ("order.cancelAll", "SIGNED", 1),
    ("POST", "/fapi/v1/algoOrder"): ("algoOrder.place", "SIGNED", 0),
    ("DELETE", "/fapi/v1/algoOrder"): ("algoOrder.cancel", "SIGNED", 1),
    ("GET", "/fapi/v1/algoOrder"): ("algoOrder.status", "SIGNED", 1),
    ("GET", "/fapi/v1/openAlgoOrders"): ("algoOrder.open", "SIGNED", 40),
    ("DELETE", "/fapi/v1/algoOpenOrders"): ("algoOrder.cancelAll", "SIGNED", 1),
    ("GET", "/fapi/v2/positionRisk"): ("account.positionV2", "SIGNED", 5),
    ("GET", "/fapi/v3/positionRisk"): ("account.position", "SIGNED", 5),
    ("GET", "/fapi/v2/balance"): ("account.balance", "SIGNED", 5),
    ("GET", "/fapi/v3/balance"): ("account.balance", "SIGNED", 5),
    ("GET", "/fapi/v2/account"): ("account.status", "SIGNED", 5),
    ("GET", "/fapi/v3/account"): ("account.status", "SIGNED", 5),
    ("GET", "/fapi/v1/accountConfig"): ("account.config", "SIGNED", 5),
    ("GET", "/fapi/v1/symbolConfig"): ("account.symbolConfig", "SIGNED", 5),
    ("POST", "/fapi/v1/leverage"): ("account.leverage", "SIGNED", 1),
    ("POST", "/fapi/v1/marginType"): ("account.marginType", "SIGNED", 1),
    ("GET", "/fapi/v1/positionSide/dual"): ("account.positionMode", "SIGNED", 30),
    ("GET", "/fapi/v1/multiAssetsMargin"): ("account.assetMode", "SIGNED", 30),
    ("GET", "/fapi/v1/leverageBracket"): ("market.brackets", "SIGNED", 1),
    ("GET", "/fapi/v1/userTrades"): ("account.trades", "SIGNED", 5),
    ("POST", "/fapi/v1/listenKey"): ("userDataStream.start", "KEY", 1),
    ("PUT", "/fapi/v1/listenKey"): ("userDataStream.ping", "KEY", 1),
    ("DELETE", "/fapi/v1/listenKey"): ("userDataStream.stop", "KEY", 1),
}

# What costs less when it asks for one symbol only.
_WEIGHT_OF_ONE = {
    "/fapi/v1/premiumIndex": 1,
    "/fapi/v1/ticker/bookTicker": 2,
    "/fapi/v1/ticker/price": 1,
    "/fapi/v2/ticker/price": 1,
    "/fapi/v1/openOrders": 1,
    "/fapi/v1/openAlgoOrders": 1,
}


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
    if (request.method, request.path) == ("POST", "/sim/faults"):
        try:
            exchange.replace_faults(msgspec.json.decode(request.body, type=Faults))
        except msgspec.MsgspecError as error:
            raise VenueError(-1102, f"fault script: {error}") from error
        return {}
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
    if params.get("symbol"):
        cost = _WEIGHT_OF_ONE.get(request.path, cost)
    usage.count(method, cost, now_ms)
    if security != "NONE":
        account.check_key(request.headers.get("x-mbx-apikey"))
    if security == "SIGNED":
        check_time(params, now_ms)
        account.check_signature(signed, signature)
    return exchange.call(method, params, now_ms)
