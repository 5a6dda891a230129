"""The simulator's answers and events in the venue's own field names (docs/venue.md §3, §4, §6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lowcap.core.money import ZERO, wire
from lowcap.paper.state import (
    PaperAlgo,
    PaperAmendment,
    PaperIncome,
    PaperOrder,
    PaperPosition,
    PaperTrade,
)

Json = dict[str, Any]


def _padded(value: Decimal, places: int) -> str:
    return f"{value:.{places}f}"


def _trimmed(value: Decimal) -> str:
    return wire(value.normalize()) if value else "0"


def _child_type(algo: PaperAlgo) -> str:
    return "MARKET" if algo.type.endswith("_MARKET") else "LIMIT"


def order_view(order: PaperOrder, *, query: bool = False) -> Json:
    """The order object; queries add averages and drop cumQty (§3)."""
    view: Json = {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": _trimmed(order.price),
        "origQty": wire(order.qty),
        "executedQty": wire(order.executed),
        "cumQty": wire(order.executed),
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": "BOTH",
        "stopPrice": _trimmed(order.stop_price),
        "workingType": order.working_type,
        "priceProtect": False,
        "origType": order.orig_type or order.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": order.good_till_ms,
        "updateTime": order.updated_ms,
    }
    if query:
        del view["cumQty"]
        average = order.cum_quote / order.executed if order.executed else ZERO
        view["avgPrice"] = _padded(average, 8)
        view["cumQuote"] = _trimmed(order.cum_quote)
        view["time"] = order.created_ms
    return view


def ack_view(order: PaperOrder) -> Json:
    """The order object as newOrderRespType ACK shows it: accepted, nothing executed yet (§5)."""
    return order_view(order) | {"status": "NEW", "executedQty": "0", "cumQty": "0"}


def algo_view(algo: PaperAlgo, *, query: bool = False) -> Json:
    """The algo object; queries add the child order (§3)."""
    view: Json = {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.type,
        "symbol": algo.symbol,
        "side": algo.side,
        "positionSide": "BOTH",
        "timeInForce": algo.time_in_force,
        "quantity": wire(algo.qty),
        "algoStatus": algo.status,
        "triggerPrice": wire(algo.trigger_price),
        "price": wire(algo.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": algo.working_type,
        "priceMatch": "NONE",
        "closePosition": algo.close_position,
        "priceProtect": algo.price_protect,
        "reduceOnly": algo.reduce_only or algo.close_position,
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.triggered_ms,
        "goodTillDate": 0,
    }
    if query:
        view |= {
            "actualOrderId": str(algo.child_id) if algo.child_id else "",
            "actualPrice": _padded(algo.child_price, 8),
            "actualType": _child_type(algo),
            "actualQty": wire(algo.child_qty),
            "tpOrderType": "",
            "activatePrice": wire(algo.activate_price),
            "callbackRate": wire(algo.callback_rate),
        }
    return view


def position_view(
    position: PaperPosition,
    *,
    mark: Decimal,
    initial: Decimal,
    maintenance: Decimal,
    isolated: Decimal,
    liquidation: Decimal,
) -> Json:
    """A positionRisk v3 row (§4); ``isolated`` is the margin set aside, zero for cross."""
    return {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": wire(position.qty),
        "entryPrice": _trimmed(position.entry_price),
        "breakEvenPrice": _trimmed(position.entry_price),
        "markPrice": _padded(mark, 8),
        "unRealizedProfit": _padded(position.qty * (mark - position.entry_price), 8),
        "liquidationPrice": _padded(liquidation, 8),
        "isolatedMargin": _padded(isolated, 8),
        "notional": _padded(position.qty * mark, 8),
        "marginAsset": "USDT",
        "isolatedWallet": _padded(isolated, 8),
        "initialMargin": _padded(initial, 8),
        "maintMargin": _padded(maintenance, 8),
        "positionInitialMargin": _padded(initial, 8),
        "openOrderInitialMargin": "0",
        "adl": 1,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


def trade_view(trade: PaperTrade) -> Json:
    """A userTrades row (§4)."""
    quote_qty = trade.price * trade.qty
    return {
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "symbol": trade.symbol,
        "pair": trade.symbol,
        "side": trade.side,
        "positionSide": "BOTH",
        "price": wire(trade.price),
        "qty": wire(trade.qty),
        "quoteQty": wire(quote_qty),
        "baseQty": wire(trade.qty),
        "realizedPnl": _padded(trade.realized, 8),
        "marginAsset": "USDT",
        "commission": _padded(trade.fee, 8),
        "commissionAsset": "USDT",
        "buyer": trade.side == "BUY",
        "maker": trade.maker,
        "time": trade.time_ms,
    }


def amendment_view(row: PaperAmendment) -> Json:
    """An orderAmendment row (§4)."""
    return {
        "amendmentId": row.amendment_id,
        "symbol": row.symbol,
        "pair": row.symbol,
        "orderId": row.order_id,
        "clientOrderId": row.client_id,
        "time": row.time_ms,
        "amendment": {
            "price": {"before": wire(row.price_before), "after": wire(row.price_after)},
            "origQty": {"before": wire(row.qty_before), "after": wire(row.qty_after)},
            "count": row.count,
        },
    }


def income_view(row: PaperIncome) -> Json:
    """An income row (§4)."""
    return {
        "symbol": row.symbol,
        "incomeType": row.kind,
        "income": _padded(row.amount, 8),
        "asset": "USDT",
        "info": row.kind,
        "time": row.time_ms,
        "tranId": row.number,
        "tradeId": str(row.trade_id) if row.trade_id else "",
    }


def order_event(order: PaperOrder, execution: str, trade: PaperTrade | None, now_ms: int) -> Json:
    """ORDER_TRADE_UPDATE (§6)."""
    average = order.cum_quote / order.executed if order.executed else ZERO
    body: Json = {
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": _trimmed(order.qty),
        "p": _trimmed(order.price),
        "ap": _trimmed(average.quantize(Decimal("0.00000001"))),
        "sp": _trimmed(order.stop_price),
        "x": execution,
        "X": order.status,
        "i": order.order_id,
        "l": _trimmed(trade.qty) if trade else "0",
        "z": _trimmed(order.executed),
        "L": _trimmed(trade.price) if trade else "0",
        "T": now_ms,
        "t": trade.trade_id if trade else 0,
        "b": "0",
        "a": "0",
        "m": trade.maker if trade else False,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.orig_type or order.type,
        "ps": "BOTH",
        "cp": order.close_position,
        "rp": _trimmed(trade.realized) if trade else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": order.good_till_ms,
        "er": order.expiry_reason,
    }
    if trade:
        body["n"] = wire(trade.fee)
        body["N"] = "USDT"
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": now_ms, "o": body}


def trade_lite_event(trade: PaperTrade, order: PaperOrder, now_ms: int) -> Json:
    """TRADE_LITE (§6): the quick hint of a fill."""
    return {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": now_ms,
        "s": trade.symbol,
        "q": wire(order.qty),
        "p": wire(order.price),
        "m": trade.maker,
        "c": trade.client_id,
        "S": trade.side,
        "L": wire(trade.price),
        "l": wire(trade.qty),
        "t": trade.trade_id,
        "i": trade.order_id,
    }


def account_event(
    reason: str,
    wallet: Decimal,
    position: PaperPosition,
    *,
    mark: Decimal,
    isolated: Decimal | None,
    now_ms: int,
) -> Json:
    """ACCOUNT_UPDATE (§6): absolute values, the changed symbol only; ``isolated`` None is cross."""
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now_ms,
        "T": now_ms,
        "a": {
            "m": reason,
            "B": [{"a": "USDT", "wb": wire(wallet), "cw": wire(wallet), "bc": "0"}],
            "P": [
                {
                    "s": position.symbol,
                    "pa": _trimmed(position.qty),
                    "ep": _trimmed(position.entry_price),
                    "bep": _trimmed(position.entry_price),
                    "cr": _trimmed(position.realized),
                    "up": _trimmed(position.qty * (mark - position.entry_price)),
                    "mt": "cross" if isolated is None else "isolated",
                    "iw": _trimmed(isolated or ZERO),
                    "ps": "BOTH",
                    "ma": "USDT",
                }
            ],
        },
    }


def margin_call(
    position: PaperPosition,
    wallet: Decimal,
    *,
    mark: Decimal,
    needed: Decimal,
    isolated: Decimal | None,
    now_ms: int,
) -> Json:
    """MARGIN_CALL (§6); ``isolated`` None is cross, which alone tells the wallet."""
    row = {
        "s": position.symbol,
        "ps": "BOTH",
        "pa": _trimmed(position.qty),
        "mt": "CROSSED" if isolated is None else "ISOLATED",
        "iw": _trimmed(isolated or ZERO),
        "mp": _trimmed(mark),
        "up": _trimmed(position.qty * (mark - position.entry_price)),
        "mm": _trimmed(needed),
    }
    event: Json = {"e": "MARGIN_CALL", "E": now_ms, "p": [row]}
    return event | ({"cw": wire(wallet)} if isolated is None else {})


def algo_event(algo: PaperAlgo, now_ms: int) -> Json:
    """ALGO_UPDATE (§6)."""
    body: Json = {
        "caid": algo.client_id,
        "aid": algo.algo_id,
        "at": "CONDITIONAL",
        "o": algo.type,
        "s": algo.symbol,
        "S": algo.side,
        "ps": "BOTH",
        "f": algo.time_in_force,
        "q": _trimmed(algo.qty),
        "X": algo.status,
        "ai": str(algo.child_id) if algo.child_id else "",
        "tp": wire(algo.trigger_price),
        "p": _trimmed(algo.price),
        "V": "EXPIRE_MAKER",
        "wt": algo.working_type,
        "pm": "NONE",
        "cp": algo.close_position,
        "pP": algo.price_protect,
        "R": algo.reduce_only or algo.close_position,
        "tt": algo.triggered_ms,
        "gtd": 0,
    }
    if algo.status == "FINISHED":
        body |= {"ap": wire(algo.child_price), "aq": wire(algo.child_qty), "act": _child_type(algo)}
    if algo.type == "TRAILING_STOP_MARKET":
        body |= {"ia": algo.activated, "AP": wire(algo.activate_price)}
        body["cr"] = wire(algo.callback_rate)
    if algo.reason:
        body["rm"] = algo.reason
    return {"e": "ALGO_UPDATE", "T": now_ms, "E": now_ms, "o": body}
