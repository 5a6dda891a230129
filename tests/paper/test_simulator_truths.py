"""What the simulated venue refuses and does with regular orders, by section of docs/venue.md."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import BTC, DOGE, XRP, Venue, names, order

from lowcap.core.contract import Contract
from lowcap.paper import rules
from lowcap.paper.contracts import ladder
from lowcap.paper.state import VenueError


@pytest.fixture
def venue() -> Venue:
    return Venue()


# -- §4 and §9: filters and parameters --------------------------------------

REFUSED_ORDERS: list[tuple[str, int, dict[str, Any]]] = [
    ("unknown symbol", -1121, order("BUY", "10", symbol="NOPEUSDT")),
    ("no symbol", -1102, {"side": "BUY", "type": "MARKET", "quantity": "10"}),
    ("no quantity", -1102, {"symbol": XRP, "side": "BUY", "type": "MARKET"}),
    ("quantity is no number", -1102, order("BUY", "ten")),
    ("quantity is not finite", -1102, order("BUY", "NaN")),
    ("quantity with foreign digits", -1102, order("BUY", "١٠")),
    ("limit without price", -1102, order("BUY", "10", type="LIMIT", timeInForce="GTC")),
    ("limit without time in force", -1102, order("BUY", "10", "1.9", timeInForce="")),
    ("reduceOnly is no flag", -1102, order("BUY", "10", reduceOnly="perhaps")),
    ("unknown time in force", -1115, order("BUY", "10", "1.9", timeInForce="GTZ")),
    ("unknown type", -1116, order("BUY", "10", type="FANCY")),
    ("unknown side", -1117, order("LONG", "10")),
    ("hedge-mode side in one-way mode", -4061, order("BUY", "10", positionSide="LONG")),
    ("price zero", -4001, order("BUY", "10", "0")),
    ("price below minPrice", -4013, order("BUY", "10", "0.00009")),
    ("price above maxPrice", -4002, order("BUY", "10", "9999")),
    ("price off the tick", -4014, order("BUY", "10", "1.90005")),
    ("price with too many decimals", -1111, order("BUY", "10", "1.900001")),
    ("price above the cap", -4016, order("BUY", "10", "2.3")),
    ("price below the floor", -4024, order("SELL", "10", "1.6")),
    ("quantity zero", -4003, order("BUY", "0")),
    ("quantity negative", -4003, order("BUY", "-1")),
    ("quantity above maxQty of MARKET", -4005, order("BUY", "9999999")),
    ("quantity with too many decimals", -1111, order("BUY", "10.01")),
    ("notional below the minimum", -4164, order("BUY", "1")),
    ("client id too long", -4015, order("BUY", "10", newClientOrderId="x" * 37)),
    ("client id with a blank", -4015, order("BUY", "10", newClientOrderId="a b")),
    ("margin", -2019, order("BUY", "1900000")),
    ("fok", -5021, order("BUY", "10", "1.9", timeInForce="FOK")),
    ("gtx", -5022, order("BUY", "10", "1.95", timeInForce="GTX")),
]


@pytest.mark.parametrize(("code", "params"), [r[1:] for r in REFUSED_ORDERS], ids=[
    r[0] for r in REFUSED_ORDERS
])  # fmt: skip
def test_refused_orders_leave_no_trace(code: int, params: dict[str, Any]) -> None:
    """§4, §5, §9."""
    venue = Venue(wallet=Decimal(100_000))
    assert venue.refusal("order.place", **params) == code
    assert venue.events() == []
    assert venue.call("order.open") == []
    assert venue.held() == 0


@pytest.mark.parametrize("kind", sorted(rules.CONDITIONAL_TYPES))
def test_conditional_types_moved_to_the_algo_service(venue: Venue, kind: str) -> None:
    """§1, 2025-12-09, and §9: -4120."""
    params = order("SELL", "10", type=kind, stopPrice="1.5", closePosition="true")
    assert venue.refusal("order.place", **params) == -4120


def test_quantity_grid_counts_from_the_minimum() -> None:
    """§4, LOT_SIZE: (q - min) % step, with limits of its own for MARKET."""
    contract = Contract(
        symbol="ODDUSDT", base="ODD", status="TRADING", tick=Decimal("0.1"),
        price_min=Decimal("0.5"), price_max=Decimal(100), step=Decimal(5), qty_min=Decimal(2),
        qty_max=Decimal(102), market_qty_max=Decimal(52), notional_min=Decimal(5),
        price_up=Decimal("1.05"), price_down=Decimal("0.95"), brackets=ladder("other"),
    )  # fmt: skip
    rules.check_qty(contract, Decimal(7), market=True)
    rules.check_qty(contract, Decimal(102), market=False)
    for qty, code in ((1, -4004), (10, -4023), (57, -4005)):
        with pytest.raises(VenueError) as caught:
            rules.check_qty(contract, Decimal(qty), market=True)
        assert caught.value.code == code


def test_highest_client_id_length_and_largest_market_quantity_pass(venue: Venue) -> None:
    """§5: 36 characters pass; §4: MARKET_LOT_SIZE is tighter than LOT_SIZE."""
    assert venue.market("BUY", "10", newClientOrderId="a.B:/_-9" + "x" * 28)["status"] == "NEW"
    contract = venue.exchange.contracts[XRP]
    assert contract.market_qty_max < contract.qty_max


def test_at_most_200_open_orders_per_symbol(venue: Venue) -> None:
    """§4, MAX_NUM_ORDERS: -2025, counted per symbol."""
    for _ in range(200):
        venue.limit("BUY", "10", "1.7")
    assert venue.refusal("order.place", **order("BUY", "10", "1.7")) == -2025
    venue.limit("BUY", "1000", "0.14", symbol=DOGE)


def test_position_cap_of_the_leverage() -> None:
    """§4, leverageBracket: -2027 beyond the cap; an order that reduces is never refused for it."""
    venue = Venue(wallet=Decimal(100_000_000))
    venue.call("account.leverage", symbol=XRP, leverage=50)
    cap = venue.exchange.contracts[XRP].notional_cap_at(50)
    too_many = str((cap / Decimal("1.9")).to_integral_value() + 10)
    assert venue.refusal("order.place", **order("BUY", too_many, "1.9")) == -2027
    venue.market("BUY", str((cap / Decimal("1.9")).to_integral_value() - 10))
    venue.price("2.5")
    assert venue.refusal("order.place", **order("BUY", "10")) == -2027
    venue.market("SELL", "10")


def test_orders_that_do_not_exist(venue: Venue) -> None:
    """§9: -2013 for a query, -2011 for a cancel, also once the order is final."""
    assert venue.refusal("order.status", symbol=XRP, origClientOrderId="never") == -2013
    assert venue.refusal("order.cancel", symbol=XRP, orderId=5) == -2011
    assert venue.refusal("order.status", symbol=XRP) == -1102
    placed = venue.limit("BUY", "10", "1.8", newClientOrderId="a")
    assert venue.refusal("order.status", symbol=BTC, orderId=placed["orderId"]) == -2013
    assert venue.call("order.cancel", symbol=XRP, origClientOrderId="a")["status"] == "CANCELED"
    assert venue.refusal("order.cancel", symbol=XRP, orderId=placed["orderId"]) == -2011


# -- §5: client ids ----------------------------------------------------------


def test_client_id_is_unique_among_open_orders_only(venue: Venue) -> None:
    """§5, §10.1: -4116 while the first rests; afterwards the id is free and fills again."""
    venue.limit("BUY", "10", "1.8", newClientOrderId="twice")
    assert venue.refusal("order.place", **order("BUY", "10", newClientOrderId="twice")) == -4116
    venue.call("order.cancel", symbol=XRP, origClientOrderId="twice")
    first = venue.market("BUY", "10", newClientOrderId="twice")
    second = venue.market("BUY", "10", newClientOrderId="twice")
    assert first["orderId"] != second["orderId"]
    assert venue.held() == 20
    assert venue.status("twice")["orderId"] == second["orderId"]


# -- §5: replies, time in force ----------------------------------------------


def test_place_replies_acknowledge_unless_result_is_asked_for(venue: Venue) -> None:
    """§5: ACK shows NEW with nothing executed; RESULT the end of MARKET, IOC and FOK orders."""
    reply = venue.market("BUY", "10", newClientOrderId="a")
    assert (reply["status"], Decimal(reply["executedQty"])) == ("NEW", 0)
    assert "avgPrice" not in reply
    assert "cumQuote" not in reply
    assert venue.status("a")["status"] == "FILLED"
    reply = venue.market("BUY", "10", newOrderRespType="RESULT")
    assert (reply["status"], Decimal(reply["executedQty"])) == ("FILLED", 10)
    reply = venue.limit("BUY", "10", "1.8", timeInForce="IOC", newOrderRespType="RESULT")
    assert (reply["status"], Decimal(reply["executedQty"])) == ("EXPIRED", 0)
    reply = venue.limit("BUY", "10", "1.8", newOrderRespType="RESULT")
    assert reply["status"] == "NEW"
    query = venue.status("a")
    assert Decimal(query["avgPrice"]) == Decimal("1.9001")
    assert Decimal(query["cumQuote"]) == Decimal("19.001")
    assert "cumQty" not in query


def test_order_ids_are_beyond_what_a_float_holds(venue: Venue) -> None:
    """§10.8."""
    assert venue.market("BUY", "10")["orderId"] > 2**53


def test_ioc_remainder_expires_with_reason_2(venue: Venue) -> None:
    """§6, er 2."""
    venue.faults(fill_share={XRP: Decimal("0.25")})
    venue.limit("BUY", "10", "1.95", timeInForce="IOC", newClientOrderId="part")
    events = venue.events()
    assert names(events)[-1] == "order EXPIRED EXPIRED"
    assert events[-1]["o"]["er"] == "2"
    assert Decimal(events[-1]["o"]["z"]) == Decimal("2.5")
    assert venue.status("part")["status"] == "EXPIRED"
    assert venue.held() == Decimal("2.5")


def test_market_remainder_expires_with_reason_9(venue: Venue) -> None:
    """§5, status machine; §6, er 9."""
    venue.faults(fill_share={XRP: Decimal("0.25")})
    venue.market("BUY", "10")
    last = venue.events()[-1]["o"]
    assert (last["x"], last["X"], last["er"], last["f"]) == ("EXPIRED", "EXPIRED", "9", "GTC")


def test_resting_limit_fills_at_its_own_price_as_maker(venue: Venue) -> None:
    """§5."""
    venue.limit("BUY", "10", "1.8", timeInForce="GTX", newClientOrderId="rest")
    assert [o["clientOrderId"] for o in venue.call("order.open", symbol=XRP)] == ["rest"]
    venue.price("1.7")
    (trade,) = venue.call("account.trades", symbol=XRP)
    assert (Decimal(trade["price"]), trade["maker"]) == (Decimal("1.8"), True)
    assert Decimal(trade["commission"]) == Decimal("0.0036")


def test_cancel_all_leaves_other_symbols_and_algo_orders(venue: Venue) -> None:
    """§4: one symbol, and the regular book only."""
    venue.limit("BUY", "10", "1.8")
    venue.limit("BUY", "1000", "0.14", symbol=DOGE)
    venue.call("algoOrder.place", algoType="CONDITIONAL", symbol=XRP, side="SELL",
               type="STOP_MARKET", triggerPrice="1.5", quantity="10")  # fmt: skip
    venue.call("order.cancelAll", symbol=XRP)
    assert [o["symbol"] for o in venue.call("order.open")] == [DOGE]
    assert len(venue.call("algoOrder.open")) == 1


# -- §5 and §9: reduce-only ---------------------------------------------------


def test_reduce_only_without_or_against_the_position(venue: Venue) -> None:
    """§5: -2022 when flat, and when the order would grow the position."""
    closing = order("SELL", "10", reduceOnly="true")
    assert venue.refusal("order.place", **closing) == -2022
    venue.market("SELL", "10")
    assert venue.refusal("order.place", **closing) == -2022


def test_oversized_reduce_only_order_is_shrunk(venue: Venue) -> None:
    """§5; also exempt from the least notional (§10.6)."""
    venue.market("BUY", "10")
    reply = venue.market("SELL", "50", reduceOnly="true", newOrderRespType="RESULT")
    assert (Decimal(reply["origQty"]), reply["status"]) == (10, "FILLED")
    assert venue.held() == 0


def test_resting_reduce_only_legs_count_against_the_position(venue: Venue) -> None:
    """§5, §9: a close beside a full ladder is refused, -2022 for MARKET and -4118 for LIMIT."""
    venue.market("BUY", "10")
    venue.limit("SELL", "6", "2.0", reduceOnly="true")
    reply = venue.limit("SELL", "6", "2.1", reduceOnly="true", newClientOrderId="shrunk")
    assert Decimal(reply["origQty"]) == 4
    assert venue.refusal("order.place", **order("SELL", "10", reduceOnly="true")) == -2022
    leg = order("SELL", "1", "2.2", reduceOnly="true")
    assert venue.refusal("order.place", **leg) == -4118
    venue.call("order.cancelAll", symbol=XRP)
    venue.market("SELL", "10", reduceOnly="true")
    assert venue.held() == 0


@pytest.mark.parametrize("quantity", ["10", "25"], ids=["flat", "reversed"])
def test_reduce_only_legs_expire_once_nothing_is_left_to_reduce(
    venue: Venue, quantity: str
) -> None:
    """§6, er 4: knocked out, or would reverse."""
    venue.market("BUY", "10")
    venue.limit("SELL", "4", "2.0", reduceOnly="true", newClientOrderId="near")
    venue.limit("SELL", "6", "2.1", reduceOnly="true", newClientOrderId="far")
    venue.limit("BUY", "10", "1.7", newClientOrderId="entry")
    venue.events()
    venue.market("SELL", quantity)
    gone = [e["o"] for e in venue.events() if e["e"] == "ORDER_TRADE_UPDATE" if e["o"]["R"]]
    assert [(o["c"], o["x"], o["er"]) for o in gone] == [
        ("near", "EXPIRED", "4"),
        ("far", "EXPIRED", "4"),
    ]
    assert [o["clientOrderId"] for o in venue.call("order.open")] == ["entry"]
    assert venue.held() == 10 - Decimal(quantity)
