"""python-binance against the exchange simulator; prints one JSON line a step."""

from __future__ import annotations

import asyncio
from typing import Any

from binance import AsyncClient, BinanceSocketManager, Client
from binance.enums import FuturesType
from binance.exceptions import BinanceAPIException
from client_steps import SYMBOL, UNKNOWN_ORDER_ID, Steps, has

steps = Steps()
# The spot ping at start goes to the class's own address.
for kind in (Client, AsyncClient):
    kind.API_URL = f"{steps.rest}/api"
    kind.FUTURES_URL = f"{steps.rest}/fapi"
    kind.WS_FUTURES_URL = steps.ws_api
BinanceSocketManager.FSTREAM_URL = f"{steps.streams}/"


def order(**more: Any) -> dict[str, Any]:
    base = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return base | {"quantity": 10} | more


def stop(**more: Any) -> dict[str, Any]:
    base = {"symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "quantity": 10}
    return base | more


def market_data(c: Any, run: Any) -> float:
    run("exchange information", lambda: len(c.futures_exchange_info()["symbols"]))
    run("server time", lambda: c.futures_time()["serverTime"])
    run("leverage brackets", lambda: c.futures_leverage_bracket(symbol=SYMBOL))
    run(
        "order book",
        lambda: has(len(c.futures_order_book(symbol=SYMBOL, limit=5)["bids"]) == 5, ""),
    )
    run(
        "candles",
        lambda: has(len(c.futures_klines(symbol=SYMBOL, interval="1m", limit=9)) == 9, ""),
    )
    run("mark price", lambda: c.futures_mark_price(symbol=SYMBOL)["markPrice"])
    run("book ticker", lambda: c.futures_orderbook_ticker(symbol=SYMBOL))
    run("recent trades", lambda: c.futures_recent_trades(symbol=SYMBOL))
    run("aggregate trades", lambda: c.futures_aggregate_trades(symbol=SYMBOL))
    run("ticker 24h", lambda: c.futures_ticker(symbol=SYMBOL))
    run("funding rate", lambda: c.futures_funding_rate(symbol=SYMBOL))
    run("open interest", lambda: c.futures_open_interest(symbol=SYMBOL))
    return float(c.futures_symbol_ticker(symbol=SYMBOL)["price"])


def account(c: Any, run: Any) -> None:
    run("set leverage", lambda: c.futures_change_leverage(symbol=SYMBOL, leverage=7))
    run(
        "set margin type",
        lambda: c.futures_change_margin_type(symbol=SYMBOL, marginType="ISOLATED"),
    )
    run("position mode", c.futures_get_position_mode)
    run("multi assets mode", c.futures_get_multi_assets_mode)
    run("account configuration", c.futures_account_config)
    run("symbol configuration", lambda: c.futures_symbol_config(symbol=SYMBOL))
    run("commission rate", lambda: c.futures_commission_rate(symbol=SYMBOL))
    run("api trading status", c.futures_api_trading_status)


def orders(c: Any, run: Any, low: float) -> None:
    number = run("place", lambda: c.futures_create_order(**order(price=low)))["orderId"]
    named = {"symbol": SYMBOL, "orderId": number}
    run("query", lambda: has(c.futures_get_order(**named)["status"] == "NEW", number))
    run("open orders", lambda: has(len(c.futures_get_open_orders(symbol=SYMBOL)) == 1, number))
    changed = {"side": "BUY", "quantity": 12, "price": round(low * 0.99, 4)}
    run("modify", lambda: c.futures_modify_order(**named, **changed))
    run("cancel", lambda: c.futures_cancel_order(**named))
    run("test order", lambda: c.futures_create_test_order(**order(price=low)))
    texts = {"quantity": "10", "price": str(low)}
    many = run(
        "batch place",
        lambda: c.futures_place_batch_order(batchOrders=[order(**texts), order(**texts)]),
    )
    numbers = [each["orderId"] for each in many]
    run("batch cancel", lambda: c.futures_cancel_orders(symbol=SYMBOL, orderidlist=numbers))
    run("all orders", lambda: has(len(c.futures_get_all_orders(symbol=SYMBOL)) >= 3, "listed"))
    run("countdown", lambda: c.futures_countdown_cancel_all(symbol=SYMBOL, countdownTime=60_000))
    run("countdown off", lambda: c.futures_countdown_cancel_all(symbol=SYMBOL, countdownTime=0))
    run("cancel all", lambda: c.futures_cancel_all_open_orders(symbol=SYMBOL))


def conditional(c: Any, run: Any, low: float) -> None:
    placed = run("conditional place", lambda: c.futures_create_order(**stop(triggerPrice=low)))
    named = {"symbol": SYMBOL, "algoId": placed["algoId"]}
    run(
        "conditional query",
        lambda: has(c.futures_get_algo_order(**named)["algoStatus"] == "NEW", ""),
    )
    run("conditional open", lambda: c.futures_get_open_algo_orders(symbol=SYMBOL))
    run("conditional history", lambda: c.futures_get_all_algo_orders(symbol=SYMBOL))
    run("conditional cancel", lambda: c.futures_cancel_algo_order(**named))
    trailing = stop(type="TRAILING_STOP_MARKET", callbackRate=2)
    run("trailing place", lambda: c.futures_create_algo_order(**trailing))
    run("conditional cancel all", lambda: c.futures_cancel_all_algo_open_orders(symbol=SYMBOL))


def positions(c: Any, run: Any) -> None:
    bought = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": 10}
    run(
        "market order",
        lambda: has(
            c.futures_create_order(**bought, newOrderRespType="RESULT")["status"] == "FILLED", ""
        ),
    )

    def held() -> Any:
        return float(c.futures_position_information(symbol=SYMBOL)[0]["positionAmt"])

    run("positions", lambda: has(held() == 10, "10 held"))
    run(
        "isolated margin",
        lambda: c.futures_change_position_margin(symbol=SYMBOL, amount=1, type=1),
    )
    run("balance", lambda: has(float(c.futures_account_balance()[0]["balance"]) > 0, "USDT"))
    run("account", lambda: c.futures_account()["totalWalletBalance"])
    run("trades", lambda: has(len(c.futures_account_trades(symbol=SYMBOL)) >= 1, "a trade"))
    run("income", lambda: has(len(c.futures_income_history()) >= 1, "a commission"))
    run("adl quantile", lambda: c.futures_adl_quantile_estimate(symbol=SYMBOL))
    sold = bought | {"side": "SELL", "reduceOnly": "true"}
    run("close", lambda: c.futures_create_order(**sold))


def refusals(c: Any, low: float, high: float) -> None:
    def refused(name: str, code: int, call: Any) -> None:
        steps.refused(name, call, BinanceAPIException, code)

    def place(**more: Any) -> Any:
        return c.futures_create_order(**(order(price=low) | more))

    nobody = Client(steps.key, "no-such-secret")
    stranger = Client("no-such-key", steps.secret)
    unknown = {"symbol": SYMBOL, "orderId": UNKNOWN_ORDER_ID}
    refused("symbol", -1121, lambda: place(symbol="NOSUCHUSDT"))
    refused("margin", -2019, lambda: place(quantity=9_000_000))
    refused("notional", -4164, lambda: place(quantity=1))
    refused("tick", -4014, lambda: place(price=f"{low + 0.00005:.5f}"))
    refused("query", -2013, lambda: c.futures_get_order(**unknown))
    refused("cancel", -2011, lambda: c.futures_cancel_order(**unknown))
    refused("reduce-only", -2022, lambda: place(reduceOnly="true"))
    refused("post-only", -5022, lambda: place(price=high, timeInForce="GTX"))
    refused("trigger", -2021, lambda: c.futures_create_order(**stop(triggerPrice=high)))
    refused("leverage", -4028, lambda: c.futures_change_leverage(symbol=SYMBOL, leverage=120))
    refused("side", -1117, lambda: place(side="HOLD"))
    refused("signature", -1022, lambda: nobody.futures_get_order(**unknown))
    refused("key", -2015, lambda: stranger.futures_get_order(**unknown))


async def web_socket(low: float) -> None:
    client = await AsyncClient.create(steps.key, steps.secret)
    client.ws_future._url = steps.ws_api
    manager = BinanceSocketManager(client, user_timeout=60)

    async def run(name: str, call: Any, within_s: float = 10) -> Any:
        return await steps.async_step(name, lambda: asyncio.wait_for(call(), within_s))

    async def first(socket: Any) -> Any:
        async with socket as stream:
            return await stream.recv()

    name = SYMBOL.lower()
    for stream, futures in (
        ("mark price", manager.symbol_mark_price_socket(name)),
        ("book ticker", manager.symbol_ticker_futures_socket(name)),
        ("aggregate trade", manager.aggtrade_futures_socket(name)),
        ("candle", manager.kline_futures_socket(name, interval="1m")),
        ("several", manager.futures_multiplex_socket([f"{name}@markPrice@1s"], FuturesType.USD_M)),
    ):
        await run(f"stream {stream}", lambda socket=futures: first(socket))

    async def user_events() -> Any:
        async with manager.futures_user_socket() as stream:
            placed = await run(
                "ws place", lambda: client.ws_futures_create_order(**order(price=low))
            )
            named = {"symbol": SYMBOL, "orderId": placed["orderId"]}
            await run("ws query", lambda: client.ws_futures_get_order(**named))
            changed = {"side": "BUY", "quantity": 12, "price": round(low * 0.99, 4)}
            await run("ws modify", lambda: client.ws_futures_edit_order(**named, **changed))
            await run("ws cancel", lambda: client.ws_futures_cancel_order(**named))
            event = await stream.recv()
            return has(event["e"] == "ORDER_TRADE_UPDATE", event)

    await run("stream user", user_events, 30)
    await run("ws balance", client.ws_futures_v2_account_balance)
    await run("ws positions", client.ws_futures_v2_account_position)
    await run("ws account", client.ws_futures_v2_account_status)
    await run("ws order book", lambda: client.ws_futures_get_order_book(symbol=SYMBOL))
    await run("ws price ticker", lambda: client.ws_futures_get_all_tickers(symbol=SYMBOL))
    await client.close_connection()


def main() -> None:
    c = Client(steps.key, steps.secret)
    price = market_data(c, steps.step)
    low, high = round(price * 0.95, 4), round(price * 1.05, 4)
    account(c, steps.step)
    orders(c, steps.step, low)
    conditional(c, steps.step, low)
    positions(c, steps.step)
    refusals(c, low, high)
    asyncio.run(web_socket(low))


main()
