"""An intent as the parameters of a placement, for either road (docs/venue.md §5)."""

from __future__ import annotations

from lowcap.core.facts import OrderIntended
from lowcap.core.money import wire

PLACE, PLACE_ALGO = "order.place", "algoOrder.place"


def place_params(intent: OrderIntended) -> tuple[str, dict[str, str | int]]:
    """Method name and parameters, without key, timestamp and signature."""
    if intent.trigger_price is not None:
        return PLACE_ALGO, _algo(intent)
    params: dict[str, str | int] = {
        "symbol": intent.symbol,
        "side": intent.side.value,
        "type": intent.type,
        "newClientOrderId": intent.client_id,
        "newOrderRespType": "RESULT",
        "recvWindow": intent.recv_window_ms,
    }
    if intent.qty is not None:
        params["quantity"] = wire(intent.qty)
    if intent.price is not None:
        params["price"] = wire(intent.price)
        params["timeInForce"] = "GTC" if intent.reduce_only else "IOC"
    if intent.reduce_only:
        params["reduceOnly"] = "true"
    return PLACE, params


def _algo(intent: OrderIntended) -> dict[str, str | int]:
    params: dict[str, str | int] = {
        "algoType": "CONDITIONAL",
        "symbol": intent.symbol,
        "side": intent.side.value,
        "type": intent.type,
        "clientAlgoId": intent.client_id,
        "triggerPrice": wire(intent.trigger_price) if intent.trigger_price is not None else "",
        "workingType": "MARK_PRICE",
        "recvWindow": intent.recv_window_ms,
    }
    if intent.close_position:
        params["closePosition"] = "true"
    elif intent.qty is not None:
        params["quantity"] = wire(intent.qty)
        params["reduceOnly"] = "true"
    return params
