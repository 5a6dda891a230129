"""REST paths of the simulated venue: the method behind each, its security and its weight (§4)."""

from __future__ import annotations

from collections.abc import Mapping

# (HTTP method, path) -> (exchange method, security of §2, request weight of §4 without a symbol)
PATHS: dict[tuple[str, str], tuple[str, str, int]] = {
    # A spot ping and time are what some clients begin with.
    ("GET", "/api/v3/ping"): ("market.ping", "NONE", 1),
    ("GET", "/api/v3/time"): ("market.time", "NONE", 1),
    ("GET", "/fapi/v1/ping"): ("market.ping", "NONE", 1),
    ("GET", "/fapi/v1/time"): ("market.time", "NONE", 1),
    ("GET", "/fapi/v1/exchangeInfo"): ("market.exchangeInfo", "NONE", 1),
    ("GET", "/fapi/v1/premiumIndex"): ("market.premiumIndex", "NONE", 10),
    ("GET", "/fapi/v1/ticker/bookTicker"): ("ticker.book", "NONE", 5),
    ("GET", "/fapi/v1/ticker/price"): ("ticker.price", "NONE", 2),
    ("GET", "/fapi/v2/ticker/price"): ("ticker.price", "NONE", 2),
    ("GET", "/fapi/v1/ticker/24hr"): ("market.ticker24hr", "NONE", 40),
    ("GET", "/fapi/v1/depth"): ("depth", "NONE", 1),
    ("GET", "/fapi/v1/klines"): ("market.klines", "NONE", 5),
    ("GET", "/fapi/v1/trades"): ("market.trades", "NONE", 5),
    ("GET", "/fapi/v1/aggTrades"): ("market.aggTrades", "NONE", 20),
    ("GET", "/fapi/v1/openInterest"): ("market.openInterest", "NONE", 1),
    ("GET", "/fapi/v1/fundingRate"): ("market.fundingRate", "NONE", 0),
    ("GET", "/fapi/v1/fundingInfo"): ("market.fundingInfo", "NONE", 0),
    ("POST", "/fapi/v1/order"): ("order.place", "SIGNED", 0),
    ("POST", "/fapi/v1/order/test"): ("order.test", "SIGNED", 0),
    ("PUT", "/fapi/v1/order"): ("order.modify", "SIGNED", 0),
    ("DELETE", "/fapi/v1/order"): ("order.cancel", "SIGNED", 1),
    ("GET", "/fapi/v1/order"): ("order.status", "SIGNED", 1),
    ("GET", "/fapi/v1/openOrder"): ("order.openOne", "SIGNED", 1),
    ("GET", "/fapi/v1/openOrders"): ("order.open", "SIGNED", 40),
    ("GET", "/fapi/v1/allOrders"): ("order.all", "SIGNED", 5),
    ("GET", "/fapi/v1/orderAmendment"): ("order.amendments", "SIGNED", 1),
    ("POST", "/fapi/v1/batchOrders"): ("order.placeMany", "SIGNED", 5),
    ("PUT", "/fapi/v1/batchOrders"): ("order.modifyMany", "SIGNED", 5),
    ("DELETE", "/fapi/v1/batchOrders"): ("order.cancelMany", "SIGNED", 1),
    ("DELETE", "/fapi/v1/allOpenOrders"): ("order.cancelAll", "SIGNED", 1),
    ("POST", "/fapi/v1/countdownCancelAll"): ("order.countdown", "SIGNED", 10),
    ("GET", "/fapi/v1/forceOrders"): ("order.forced", "SIGNED", 50),
    ("GET", "/fapi/v1/rateLimit/order"): ("order.limits", "SIGNED", 1),
    ("POST", "/fapi/v1/algoOrder"): ("algoOrder.place", "SIGNED", 0),
    ("DELETE", "/fapi/v1/algoOrder"): ("algoOrder.cancel", "SIGNED", 1),
    ("GET", "/fapi/v1/algoOrder"): ("algoOrder.status", "SIGNED", 1),
    ("GET", "/fapi/v1/openAlgoOrders"): ("algoOrder.open", "SIGNED", 40),
    ("GET", "/fapi/v1/allAlgoOrders"): ("algoOrder.all", "SIGNED", 5),
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
    ("POST", "/fapi/v1/positionMargin"): ("account.positionMargin", "SIGNED", 1),
    ("GET", "/fapi/v1/positionSide/dual"): ("account.positionMode", "SIGNED", 30),
    ("POST", "/fapi/v1/positionSide/dual"): ("account.setPositionMode", "SIGNED", 1),
    ("GET", "/fapi/v1/multiAssetsMargin"): ("account.assetMode", "SIGNED", 30),
    ("POST", "/fapi/v1/multiAssetsMargin"): ("account.setAssetMode", "SIGNED", 1),
    ("GET", "/fapi/v1/leverageBracket"): ("market.brackets", "SIGNED", 1),
    ("GET", "/fapi/v1/commissionRate"): ("account.commission", "SIGNED", 20),
    ("GET", "/fapi/v1/apiTradingStatus"): ("account.tradingStatus", "SIGNED", 10),
    ("GET", "/fapi/v1/adlQuantile"): ("account.adlQuantile", "SIGNED", 5),
    ("GET", "/fapi/v1/feeBurn"): ("account.feeBurn", "SIGNED", 30),
    ("GET", "/fapi/v1/income"): ("account.income", "SIGNED", 30),
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
    "/fapi/v1/ticker/24hr": 1,
    "/fapi/v1/openOrders": 1,
    "/fapi/v1/openAlgoOrders": 1,
    "/fapi/v1/apiTradingStatus": 1,
    "/fapi/v1/forceOrders": 20,
}
# What costs more the more rows it asks for: (up to this limit, weight), the last for all above.
_WEIGHT_OF_LIMIT = {
    "/fapi/v1/depth": ((50, 2), (100, 5), (500, 10), (1_000, 20)),
    "/fapi/v1/klines": ((100, 1), (500, 2), (1_000, 5), (1_500, 10)),
}


def weight_of(path: str, weight: int, params: Mapping[str, str]) -> int:
    """What a request weighs, given the weight it has without parameters (§4)."""
    if params.get("symbol"):
        weight = _WEIGHT_OF_ONE.get(path, weight)
    return limit_weight(path, params.get("limit", ""), weight)


def limit_weight(path: str, limit: str, weight: int) -> int:
    """The weight of a call whose price depends on how many rows it asks for."""
    if path not in _WEIGHT_OF_LIMIT or not limit.isdecimal():
        return weight
    steps = _WEIGHT_OF_LIMIT[path]
    return next((cost for most, cost in steps if int(limit) <= most), steps[-1][1])
