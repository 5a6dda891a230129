"""A simulated venue at a standstill, with short words for the calls the tests make."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.faults import Faults
from lowcap.paper.state import PaperState, VenueError

T0 = 1_795_300_000_000
BTC, XRP, DOGE = "BTCUSDT", "XRPUSDT", "DOGEUSDT"


class Venue:
    """An exchange whose prices move only when told to, and whose clock only by ``tick``."""

    def __init__(self, state: PaperState | None = None, **setup: Any) -> None:
        self.exchange = Exchange(ExchangeSetup(step_bps=0.0, **setup), state)
        self.now_ms = T0

    def call(self, name: str, **params: Any) -> Any:
        return self.exchange.call(name, params, self.now_ms)

    def refusal(self, name: str, **params: Any) -> int:
        """The code that a call is refused with."""
        with pytest.raises(VenueError) as caught:
            self.call(name, **params)
        return caught.value.code

    def market(self, side: str, quantity: str, symbol: str = XRP, **more: Any) -> Any:
        return self.call("order.place", **order(side, quantity, symbol=symbol, **more))

    def limit(self, side: str, quantity: str, price: str, symbol: str = XRP, **more: Any) -> Any:
        return self.call("order.place", **order(side, quantity, price, symbol=symbol, **more))

    def tick(self, ms: int = 1_000) -> None:
        self.now_ms += ms
        self.exchange.tick(self.now_ms)

    def price(self, price: str, symbol: str = XRP) -> None:
        """Put the market at ``price`` and let the venue act on it."""
        self.exchange.board.set_price(symbol, Decimal(price))
        self.tick()

    def held(self, symbol: str = XRP) -> Decimal:
        return self.exchange.book.position(symbol).qty

    def events(self) -> list[Any]:
        return self.exchange.take_events()

    def faults(self, **faults: Any) -> None:
        self.exchange.replace_faults(Faults(**faults))

    def status(self, client_id: str, symbol: str = XRP) -> Any:
        return self.call("order.status", symbol=symbol, origClientOrderId=client_id)


def order(side: str, quantity: str, price: str = "", **more: Any) -> dict[str, Any]:
    """Parameters of a MARKET order, or of a GTC LIMIT where there is a price."""
    params: dict[str, Any] = {"symbol": XRP, "side": side, "type": "MARKET", "quantity": quantity}
    if price:
        params |= {"type": "LIMIT", "timeInForce": "GTC", "price": price}
    return params | more


def algo(side: str, trigger: str, kind: str = "STOP_MARKET", **more: Any) -> dict[str, Any]:
    """Parameters of a conditional order; it closes the position unless it has a quantity."""
    params: dict[str, Any] = {
        "algoType": "CONDITIONAL",
        "symbol": XRP,
        "side": side,
        "type": kind,
        "triggerPrice": trigger,
    }
    return params | (more if "quantity" in more else {"closePosition": "true", **more})


def names(events: list[Any]) -> list[str]:
    """Events in short: kind, and for orders what happened to them."""
    short = []
    for event in events:
        if event["e"] == "ORDER_TRADE_UPDATE":
            short.append(f"order {event['o']['x']} {event['o']['X']}")
        elif event["e"] == "ALGO_UPDATE":
            short.append(f"algo {event['o']['X']}")
        else:
            short.append(event["e"])
    return short
