"""The official USDⓈ-M Futures SDK against the exchange simulator; prints one JSON line a step."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError, UnauthorizedError
from binance_sdk_derivatives_trading_usds_futures import derivatives_trading_usds_futures as sdk
from client_steps import SYMBOL, UNKNOWN_ORDER_ID, Steps, has

steps = Steps()


class Doubts(logging.Handler):
    """The SDK warns where a reply does not fit its declared types: a failure of the step."""

    def emit(self, record: logging.LogRecord) -> None:
        steps.doubt(record.getMessage())


logging.getLogger().addHandler(Doubts(level=logging.WARNING))


def client_of(secret: str, key: str = steps.key) -> Any:
    rest = ConfigurationRestAPI(
        api_key=key, api_secret=secret, base_path=steps.rest, timeout=5000, retries=0
    )
    api = ConfigurationWebSocketAPI(api_key=key, api_secret=secret, stream_url=steps.ws_api)
    streams = ConfigurationWebSocketStreams(stream_url=steps.streams)
    return sdk.DerivativesTradingUsdsFutures(rest, api, streams)


def order(**more: Any) -> dict[str, Any]:
    base = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
    return base | {"quantity": 10.0} | more


def stop(**more: Any) -> dict[str, Any]:
    base = {"algo_type": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET"}
    return base | {"quantity": 10.0} | more


def market_data(rest: Any, run: Any) -> float:
    run("exchange information", lambda: len(rest.exchange_information().data().symbols))
    run("server time", lambda: rest.check_server_time().data().server_time)
    run("leverage brackets", lambda: rest.notional_and_leverage_brackets(SYMBOL).data())
    run("order book", lambda: rest.order_book(SYMBOL).data())
    run("candles", lambda: rest.kline_candlestick_data(SYMBOL, "1m").data())
    run("mark price", lambda: rest.mark_price(SYMBOL).data())
    run("book ticker", lambda: rest.symbol_order_book_ticker(SYMBOL).data())
    run("recent trades", lambda: rest.recent_trades_list(SYMBOL).data())
    run("aggregate trades", lambda: rest.compressed_aggregate_trades_list(SYMBOL).data())
    run("ticker 24h", lambda: rest.ticker24hr_price_change_statistics(SYMBOL).data())
    run("funding rate", lambda: rest.get_funding_rate_history(SYMBOL).data())
    run("funding info", lambda: rest.get_funding_rate_info().data())
    run("open interest", lambda: rest.open_interest(SYMBOL).data())
    return float(rest.symbol_price_ticker_v2(SYMBOL).data().actual_instance.price)


def account(rest: Any, run: Any) -> None:
    run("set leverage", lambda: rest.change_initial_leverage(SYMBOL, 7).data())
    run("set margin type", lambda: rest.change_margin_type(SYMBOL, "ISOLATED").data())
    run("position mode", lambda: rest.get_current_position_mode().data())
    run("account configuration", lambda: rest.futures_account_configuration().data())
    run("symbol configuration", lambda: rest.symbol_configuration(SYMBOL).data())
    run("commission rate", lambda: rest.user_commission_rate(SYMBOL).data())
    run("multi assets mode", lambda: rest.get_current_multi_assets_mode().data())
    run("api trading status", lambda: rest.futures_trading_quantitative_rules_indicators().data())
    run("order rate limit", lambda: rest.query_user_rate_limit().data())


def orders(rest: Any, run: Any, price: float) -> None:
    low = round(price * 0.95, 4)
    placed = run("place", lambda: rest.new_order(**order(price=low)).data())
    number = placed.order_id
    run("query", lambda: has(rest.query_order(SYMBOL, number).data().status == "NEW", number))
    run("open order", lambda: rest.query_current_open_order(SYMBOL, number).data())
    run("open orders", lambda: has(len(rest.current_all_open_orders(SYMBOL).data()) == 1, number))
    run(
        "modify",
        lambda: rest.modify_order(SYMBOL, "BUY", 12.0, round(low * 0.99, 4), number).data(),
    )
    run("modify history", lambda: rest.get_order_modify_history(SYMBOL, number).data())
    run("cancel", lambda: rest.cancel_order(SYMBOL, number).data())
    run("test order", lambda: rest.test_order(**order(price=low)).data())
    batch = [
        {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
         "quantity": "10", "price": str(low)},
        {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0"},
    ]  # fmt: skip
    many = run("batch place", lambda: rest.place_multiple_orders(batch).data())
    run("batch result", lambda: has(many[1].code == -4003 and many[0].order_id, many))
    run(
        "batch cancel",
        lambda: rest.cancel_multiple_orders(SYMBOL, order_id_list=[many[0].order_id]).data(),
    )
    run("all orders", lambda: has(len(rest.all_orders(SYMBOL).data()) >= 2, "listed"))
    run("countdown", lambda: rest.auto_cancel_all_open_orders(SYMBOL, 60_000).data())
    run("countdown off", lambda: rest.auto_cancel_all_open_orders(SYMBOL, 0).data())
    run("cancel all", lambda: rest.cancel_all_open_orders(SYMBOL).data())


def conditional(rest: Any, run: Any, price: float) -> None:
    low = round(price * 0.9, 4)
    placed = run("conditional place", lambda: rest.new_algo_order(**stop(trigger_price=low)).data())
    number = placed.algo_id
    run(
        "conditional query",
        lambda: has(rest.query_algo_order(algo_id=number).data().algo_status == "NEW", number),
    )
    run("conditional open", lambda: rest.current_all_algo_open_orders(symbol=SYMBOL).data())
    run("conditional history", lambda: rest.query_all_algo_orders(SYMBOL).data())
    run("conditional cancel", lambda: rest.cancel_algo_order(algo_id=number).data())
    trailing = stop(type="TRAILING_STOP_MARKET", callback_rate=2.0)
    run("trailing place", lambda: rest.new_algo_order(**trailing).data())
    run("conditional cancel all", lambda: rest.cancel_all_algo_open_orders(SYMBOL).data())


def positions(rest: Any, run: Any) -> None:
    bought = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": 10.0}
    run(
        "market order",
        lambda: has(
            rest.new_order(**bought, new_order_resp_type="RESULT").data().status == "FILLED", ""
        ),
    )
    run(
        "positions",
        lambda: has(
            float(rest.position_information_v3(SYMBOL).data()[0].position_amt) == 10, "10 held"
        ),
    )
    run("positions v2", lambda: rest.position_information_v2(SYMBOL).data())
    run("isolated margin", lambda: rest.modify_isolated_position_margin(SYMBOL, 1.0, 1).data())
    run("balance", lambda: has(float(rest.futures_account_balance_v3().data()[0].balance) > 0, ""))
    run("balance v2", lambda: rest.futures_account_balance_v2().data())
    run("account", lambda: rest.account_information_v3().data().total_wallet_balance)
    run("account v2", lambda: rest.account_information_v2().data().total_wallet_balance)
    run("trades", lambda: has(len(rest.account_trade_list(SYMBOL).data()) >= 1, "a trade"))
    run("income", lambda: has(len(rest.get_income_history().data()) >= 1, "a commission"))
    run("adl quantile", lambda: rest.position_adl_quantile_estimation().data())
    run("force orders", lambda: rest.users_force_orders().data())
    sold = {"symbol": SYMBOL, "side": "SELL", "type": "MARKET", "quantity": 10.0}
    run("close", lambda: rest.new_order(**sold, reduce_only="true").data())


def refusals(rest: Any, price: float) -> None:
    def refused(name: str, code: int, call: Any, kind: type = BadRequestError) -> None:
        steps.refused(name, call, kind, code)

    low = round(price * 0.95, 4)
    nobody = client_of("no-such-secret").rest_api
    stranger = client_of(steps.secret, "no-such-key").rest_api
    refused("symbol", -1121, lambda: rest.new_order(**order(price=low, symbol="NOSUCHUSDT")))
    refused("margin", -2019, lambda: rest.new_order(**order(price=low, quantity=9_000_000.0)))
    refused("notional", -4164, lambda: rest.new_order(**order(price=low, quantity=1.0)))
    refused("tick", -4014, lambda: rest.new_order(**order(price=round(low + 0.00005, 5))))
    refused("query", -2013, lambda: rest.query_order(SYMBOL, UNKNOWN_ORDER_ID))
    refused("cancel", -2011, lambda: rest.cancel_order(SYMBOL, UNKNOWN_ORDER_ID))
    refused("reduce-only", -2022, lambda: rest.new_order(**order(price=low, reduce_only="true")))
    high = round(price * 1.05, 4)
    refused("post-only", -5022, lambda: rest.new_order(**order(price=high, time_in_force="GTX")))
    refused("trigger", -2021, lambda: rest.new_algo_order(**stop(trigger_price=high)))
    refused("leverage", -4028, lambda: rest.change_initial_leverage(SYMBOL, 120))
    refused("conditional type", -4120, lambda: rest.new_order(**order(price=low, type="STOP")))
    refused("signature", -1022, lambda: nobody.query_order(SYMBOL, 1))
    refused("key", -2015, lambda: stranger.query_order(SYMBOL, 1), UnauthorizedError)


async def web_socket_api(client: Any, price: float) -> None:
    low = round(price * 0.95, 4)
    api = await client.websocket_api.create_connection()

    def result(reply: Any) -> Any:
        data = reply.data()
        data = getattr(data, "actual_instance", data)
        return has(getattr(data, "status", None) == 200, data).result

    async def run(name: str, method: Any, *args: Any, **kwargs: Any) -> Any:
        async def call() -> Any:
            return result(await method(*args, **kwargs))

        return await steps.async_step(f"ws {name}", call)

    placed = await run("place", api.new_order, **order(price=low))
    number = placed.order_id
    await run("query", api.query_order, SYMBOL, order_id=number)
    changed = {"quantity": 12.0, "price": round(low * 0.99, 4), "order_id": number}
    await run("modify", api.modify_order, symbol=SYMBOL, side="BUY", **changed)
    await run("cancel", api.cancel_order, SYMBOL, order_id=number)
    algo = await run("conditional place", api.new_algo_order, **stop(trigger_price=low))
    await run("conditional cancel", api.cancel_algo_order, algo_id=algo.algo_id)
    await run("positions", api.position_information_v2)
    await run("balance", api.futures_account_balance_v2)
    await run("account", api.account_information_v2)
    await run("order book", api.order_book, SYMBOL)
    await run("book ticker", api.symbol_order_book_ticker, symbol=SYMBOL)
    await run("price ticker", api.symbol_price_ticker, symbol=SYMBOL)
    await run("listen key", api.start_user_data_stream)
    await run("listen key renewal", api.keepalive_user_data_stream)
    await api.close_connection(close_session=True)


async def streams(client: Any, price: float) -> None:
    rest = client.rest_api
    connection = await client.websocket_streams.create_connection()
    market: dict[str, Any] = {
        "mark price": await connection.mark_price_stream(SYMBOL.lower(), "1s"),
        "book ticker": await connection.individual_symbol_book_ticker_streams(SYMBOL.lower()),
        "aggregate trade": await connection.aggregate_trade_streams(SYMBOL.lower()),
        "candle": await connection.kline_candlestick_streams(SYMBOL.lower(), "1m"),
        "depth": await connection.partial_book_depth_streams(SYMBOL.lower(), 5),
        "mini ticker": await connection.individual_symbol_mini_ticker_stream(SYMBOL.lower()),
    }
    key = rest.start_user_data_stream().data().listen_key
    market["user"] = await connection.user_data(key)
    seen: dict[str, list[Any]] = {name: [] for name in market}
    for name, stream in market.items():
        stream.on("message", seen[name].append)
    number = rest.new_order(**order(price=round(price * 0.95, 4))).data().order_id
    rest.cancel_order(SYMBOL, number)
    for _ in range(100):
        if all(seen.values()):
            break
        await asyncio.sleep(0.1)
    for name, messages in seen.items():
        steps.step(f"stream {name}", lambda m=messages: has(bool(m), m[:1]))
    steps.step("keep-alive", lambda: rest.keepalive_user_data_stream().data())
    steps.step("close user stream", lambda: rest.close_user_data_stream().data())
    await connection.close_connection(close_session=True)


def main() -> None:
    client = client_of(steps.secret)
    rest = client.rest_api
    price = market_data(rest, steps.step)
    account(rest, steps.step)
    orders(rest, steps.step, price)
    conditional(rest, steps.step, price)
    positions(rest, steps.step)
    refusals(rest, price)
    asyncio.run(web_socket_api(client, price))
    asyncio.run(streams(client, price))


main()
