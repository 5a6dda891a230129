"""Intents as placement parameters (docs/venue.md §5)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.binance.orders import PLACE, PLACE_ALGO, place_params
from lowcap.core.facts import OrderIntended
from lowcap.core.messages import Purpose
from lowcap.core.money import Side

D = Decimal


def intent(**changes: Any) -> OrderIntended:
    given: dict[str, Any] = {
        "client_id": "lcd-1-7-e",
        "symbol": "XRPUSDT",
        "side": Side.BUY,
        "purpose": Purpose.ENTRY,
        "type": "LIMIT",
        "leg": "e",
        "recv_window_ms": 1_000,
        "timestamp_ms": 5,
        "qty": D("10.5"),
        "price": D("1.9300"),
    }
    return OrderIntended(**given | changes)


def test_an_entry_is_a_limit_ioc() -> None:
    assert place_params(intent()) == (
        PLACE,
        {
            "symbol": "XRPUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "newClientOrderId": "lcd-1-7-e",
            "newOrderRespType": "RESULT",
            "recvWindow": 1_000,
            "quantity": "10.5",
            "price": "1.9300",
            "timeInForce": "IOC",
        },
    )


def test_a_take_profit_leg_rests_and_only_reduces() -> None:
    _, params = place_params(intent(purpose=Purpose.TAKE_PROFIT, reduce_only=True, side=Side.SELL))
    assert (params["timeInForce"], params["reduceOnly"], params["side"]) == ("GTC", "true", "SELL")


def test_a_close_is_a_reduce_only_market_order_without_price() -> None:
    method, params = place_params(
        intent(purpose=Purpose.CLOSE, type="MARKET", price=None, reduce_only=True)
    )
    assert method == PLACE
    assert (params["type"], params["reduceOnly"], params["quantity"]) == ("MARKET", "true", "10.5")
    assert not {"price", "timeInForce", "closePosition"} & params.keys()


def test_a_stop_closes_the_position_through_the_algo_book() -> None:
    stop = intent(
        purpose=Purpose.STOP, type="STOP_MARKET", qty=None, price=None, close_position=True,
        trigger_price=D("1.862"), side=Side.SELL, recv_window_ms=2_000,
    )  # fmt: skip
    assert place_params(stop) == (
        PLACE_ALGO,
        {
            "algoType": "CONDITIONAL",
            "symbol": "XRPUSDT",
            "side": "SELL",
            "type": "STOP_MARKET",
            "clientAlgoId": "lcd-1-7-e",
            "triggerPrice": "1.862",
            "workingType": "MARK_PRICE",
            "recvWindow": 2_000,
            "closePosition": "true",
        },
    )


def test_a_stop_by_quantity_only_reduces() -> None:
    _, params = place_params(intent(type="STOP_MARKET", trigger_price=D("1.8"), price=None))
    assert (params["quantity"], params["reduceOnly"]) == ("10.5", "true")
    assert "closePosition" not in params


@given(st.decimals("0.00000001", "10000000", allow_nan=False, places=8), st.integers(-7, 4))
def test_numbers_are_plain_digits_whatever_their_exponent(value: Decimal, shift: int) -> None:
    odd = value.normalize().scaleb(shift)
    _, params = place_params(intent(qty=odd, price=odd))
    for name in ("quantity", "price"):
        text = params[name]
        assert isinstance(text, str)
        assert set(text) <= set("0123456789.")
        assert Decimal(text) == odd


@pytest.mark.parametrize("purpose", Purpose)
def test_nothing_but_an_entry_may_open(purpose: Purpose) -> None:
    """Every other purpose is sent with reduceOnly or closePosition."""
    kinds: dict[Purpose, dict[str, Any]] = {
        Purpose.ENTRY: {},
        Purpose.STOP: {"trigger_price": D(1), "close_position": True, "type": "STOP_MARKET"},
        Purpose.TAKE_PROFIT: {"reduce_only": True},
        Purpose.CLOSE: {"reduce_only": True, "type": "MARKET", "price": None},
    }
    _, params = place_params(intent(purpose=purpose, **kinds[purpose]))
    reduces = {"reduceOnly", "closePosition"} & params.keys()
    assert bool(reduces) is (purpose is not Purpose.ENTRY)
