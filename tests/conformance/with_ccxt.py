"""ccxt's binanceusdm against the exchange simulator; prints one JSON line a step."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import ccxt.pro
from client_steps import UNKNOWN_ORDER_ID, Steps, has

PAIR = "XRP/USDT:USDT"
steps = Steps()


class Local:
    """What a local address needs: hosts replaced, and the error classes of futures put back.

    ccxt picks those classes by the prefix of production URLs.
    """

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__(config or {})
        api = self.urls["api"]  # type: ignore[attr-defined]
        for name in ("Public", "PublicV2", "PublicV3", "Private", "PrivateV2", "PrivateV3"):
            version = name[-2:].lower() if "V" in name else "v1"
            api[f"fapi{name}"] = f"{steps.rest}/fapi/{version}"
        api["fapiData"] = f"{steps.rest}/futures/data"
        if "ws" in api:
            api["ws"]["linear"] = f"{steps.streams}/ws"
            api["ws"]["ws-api"]["linear"] = steps.ws_api
        self.has["fetchCurrencies"] = False  # type: ignore[attr-defined]

    def get_exceptions_by_url(self, url: str, kind: str) -> dict[str, Any]:
        return dict(self.exceptions["linear"].get(kind, {}))  # type: ignore[attr-defined]


class Rest(Local, ccxt.binanceusdm):
    pass


class Pro(Local, ccxt.pro.binanceusdm):
    pass


def client_of(kind: Any, secret: str = steps.secret, key: str = steps.key) -> Any:
    return kind({"apiKey": key, "secret": secret, "timeout": 5000, "enableRateLimit": False})


def market_data(x: Any, run: Any) -> float:
    run("load markets", lambda: len(x.load_markets()))
    run("server time", x.fetch_time)
    run("leverage tiers", lambda: has(len(x.fetch_leverage_tiers([PAIR])[PAIR]) > 3, "tiers"))
    run("order book", lambda: has(len(x.fetch_order_book(PAIR, 5)["bids"]) == 5, "5 bids"))
    run("candles", lambda: has(len(x.fetch_ohlcv(PAIR, "1m", limit=20)) == 20, "20 candles"))
    run("recent trades", lambda: has(len(x.fetch_trades(PAIR)) >= 1, "trades"))
    run("ticker", lambda: x.fetch_ticker(PAIR)["last"])
    run("tickers", lambda: len(x.fetch_tickers()))
    run("book tickers", lambda: len(x.fetch_bids_asks()))
    run("funding rate", lambda: x.fetch_funding_rate(PAIR)["fundingRate"])
    run("funding history", lambda: x.fetch_funding_rate_history(PAIR))
    run("open interest", lambda: x.fetch_open_interest(PAIR)["openInterestAmount"])
    return float(x.fetch_ticker(PAIR)["last"])


def account(x: Any, run: Any) -> None:
    run("set leverage", lambda: x.set_leverage(7, PAIR))
    run("set margin type", lambda: x.set_margin_mode("isolated", PAIR))
    run("position mode", lambda: x.fetch_position_mode(PAIR))
    run("leverages", lambda: x.fetch_leverages([PAIR])[PAIR]["longLeverage"])
    run("margin modes", lambda: x.fetch_margin_modes([PAIR])[PAIR]["marginMode"])
    run("commission rate", lambda: x.fetch_trading_fee(PAIR)["taker"])


def orders(x: Any, run: Any, low: float) -> None:
    number = run("place", lambda: x.create_limit_buy_order(PAIR, 10, low))["id"]
    run("query", lambda: has(x.fetch_order(number, PAIR)["status"] == "open", number))
    run("open order", lambda: x.fetch_open_order(number, PAIR)["id"])
    run("open orders", lambda: has(len(x.fetch_open_orders(PAIR)) == 1, number))
    run("modify", lambda: x.edit_order(number, PAIR, "limit", "buy", 12, low * 0.99)["id"])
    run("cancel", lambda: x.cancel_order(number, PAIR)["status"])
    batch = [
        {"symbol": PAIR, "type": "limit", "side": "buy", "amount": 10, "price": low},
        {"symbol": PAIR, "type": "limit", "side": "buy", "amount": 11, "price": low},
    ]
    many = run("batch place", lambda: x.create_orders(batch))
    run("batch cancel", lambda: x.cancel_orders([order["id"] for order in many], PAIR))
    run("all orders", lambda: has(len(x.fetch_orders(PAIR)) >= 3, "listed"))
    run("closed orders", lambda: x.fetch_canceled_orders(PAIR))
    armed = {"symbol": "XRPUSDT", "countdownTime": 60_000}
    run("countdown", lambda: x.fapiPrivatePostCountdownCancelAll(armed))
    run("countdown off", lambda: x.fapiPrivatePostCountdownCancelAll(armed | {"countdownTime": 0}))
    run("cancel all", lambda: x.cancel_all_orders(PAIR))


def conditional(x: Any, run: Any, low: float) -> None:
    below = {"stopLossPrice": low}
    number = run(
        "conditional place", lambda: x.create_order(PAIR, "market", "sell", 10, None, below)
    )["id"]
    at = {"trigger": True}
    run("conditional query", lambda: has(x.fetch_order(number, PAIR, at)["id"] == number, number))
    run("conditional open", lambda: has(len(x.fetch_open_orders(PAIR, params=at)) == 1, number))
    run("conditional history", lambda: x.fetch_orders(PAIR, params=at))
    run("conditional cancel", lambda: x.cancel_order(number, PAIR, at))
    trailing = {"trailingPercent": 2}
    run("trailing place", lambda: x.create_order(PAIR, "market", "sell", 10, None, trailing)["id"])
    stop_limit = {"triggerPrice": low}
    run("stop limit", lambda: x.create_order(PAIR, "limit", "sell", 10, low, stop_limit)["id"])
    run("conditional cancel all", lambda: x.cancel_all_orders(PAIR, at))


def positions(x: Any, run: Any) -> None:
    run("market order", lambda: has(x.create_market_buy_order(PAIR, 10)["filled"] == 10, "filled"))
    run("positions", lambda: has(x.fetch_positions([PAIR])[0]["contracts"] == 10, "10 held"))
    run("position risk", lambda: x.fetch_positions_risk([PAIR])[0]["liquidationPrice"])
    run("isolated margin", lambda: x.add_margin(PAIR, 1)["amount"])
    run("balance", lambda: has(x.fetch_balance()["USDT"]["total"] > 0, "USDT"))
    run("trades", lambda: has(len(x.fetch_my_trades(PAIR)) >= 1, "a trade"))
    run("income", lambda: has(len(x.fetch_ledger("USDT")) >= 1, "a commission"))
    run("funding paid", lambda: x.fetch_funding_history(PAIR))
    run("adl quantile", lambda: x.fetch_positions_adl_rank([PAIR]))
    run("close", lambda: x.create_market_sell_order(PAIR, 10, {"reduceOnly": True})["id"])


def refusals(x: Any, low: float, high: float) -> None:
    def refused(name: str, code: int, kind: type, call: Any) -> None:
        steps.refused(name, call, kind, code)

    def order(amount: float, price: float | None = low, **more: Any) -> Any:
        return x.create_order(PAIR, "limit", "buy", amount, price, more)

    nobody, stranger = client_of(Rest, "no-such-secret"), client_of(Rest, key="no-such-key")
    for each in (nobody, stranger):
        each.load_markets()
    raw = {"symbol": "NOSUCHUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    off_tick = {"symbol": "XRPUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                "quantity": "10", "price": f"{low + 0.00005:.5f}"}  # fmt: skip
    up = {"stopLossPrice": high}
    refused("symbol", -1121, ccxt.BadSymbol, lambda: x.fapiPrivatePostOrder(raw))
    refused("margin", -2019, ccxt.InsufficientFunds, lambda: order(9_000_000))
    refused("notional", -4164, ccxt.InvalidOrder, lambda: order(1))
    refused("tick", -4014, ccxt.BadRequest, lambda: x.fapiPrivatePostOrder(off_tick))
    refused("query", -2013, ccxt.OrderNotFound, lambda: x.fetch_order(UNKNOWN_ORDER_ID, PAIR))
    refused("cancel", -2011, ccxt.OrderNotFound, lambda: x.cancel_order(UNKNOWN_ORDER_ID, PAIR))
    refused("reduce-only", -2022, ccxt.InvalidOrder, lambda: order(10, reduceOnly=True))
    refused("post-only", -5022, ccxt.OrderNotFillable, lambda: order(10, high, postOnly=True))
    refused("trigger", -2021, ccxt.OrderImmediatelyFillable,
            lambda: x.create_order(PAIR, "market", "sell", 10, None, up))  # fmt: skip
    refused("leverage", -4028, ccxt.BadRequest, lambda: x.set_leverage(120, PAIR))
    refused("conditional type", -4120, ccxt.InvalidOrder,
            lambda: x.fapiPrivatePostOrder(off_tick | {"type": "STOP"}))  # fmt: skip
    refused("signature", -1022, ccxt.AuthenticationError, lambda: nobody.fetch_order(1, PAIR))
    refused("key", -2015, ccxt.AuthenticationError, lambda: stranger.fetch_order(1, PAIR))


async def streams(low: float) -> None:
    pro = client_of(Pro)
    await pro.load_markets()

    async def run(name: str, call: Any, within_s: float = 10) -> Any:
        return await steps.async_step(name, lambda: asyncio.wait_for(call(), within_s))

    await run("stream mark price", lambda: pro.watch_mark_price(PAIR))
    await run("stream ticker", lambda: pro.watch_ticker(PAIR))
    await run("stream book ticker", lambda: pro.watch_bids_asks([PAIR]))
    await run("stream trades", lambda: pro.watch_trades(PAIR))
    await run("stream candle", lambda: pro.watch_ohlcv(PAIR, "1m"))
    await run("stream depth", lambda: pro.watch_order_book(PAIR))
    watching = asyncio.ensure_future(pro.watch_orders(PAIR))
    await asyncio.sleep(1)
    placed = await run("ws place", lambda: pro.create_order_ws(PAIR, "limit", "buy", 10, low))
    await run("stream user", lambda: watching)
    number = placed["id"]
    await run("ws query", lambda: pro.fetch_order_ws(number, PAIR))
    await run("ws modify", lambda: pro.edit_order_ws(number, PAIR, "limit", "buy", 12, low * 0.99))
    await run("ws cancel", lambda: pro.cancel_order_ws(number, PAIR))
    await run("ws balance", pro.fetch_balance_ws)
    await run("ws positions", lambda: pro.fetch_positions_ws([PAIR]))
    await run("ws order book", lambda: pro.fetch_order_book_ws(PAIR))
    await run("ws ticker", lambda: pro.fetch_ticker_ws(PAIR))
    await pro.close()


def main() -> None:
    x = client_of(Rest)
    price = market_data(x, steps.step)
    low, high = round(price * 0.95, 4), round(price * 1.05, 4)
    account(x, steps.step)
    orders(x, steps.step, low)
    conditional(x, steps.step, low)
    positions(x, steps.step)
    refusals(x, low, high)
    asyncio.run(streams(low))


main()
