"""The simulated venue's algo service: what it refuses, and what a trigger sets in motion."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import BTC, DOGE, XRP, Venue, algo, names, order

SAME_PRICE = "1.9"


@pytest.fixture
def venue() -> Venue:
    """Long 100 XRP at 1.9001."""
    venue = Venue()
    venue.market("BUY", "100")
    venue.events()
    return venue


REFUSED_ALGOS: list[tuple[str, int, dict[str, Any]]] = [
    ("unknown symbol", -1121, algo("SELL", "1.8", symbol="NOPEUSDT")),
    ("no algoType", -1102, algo("SELL", "1.8", algoType="")),
    ("other algoType", -1102, algo("SELL", "1.8", algoType="VP")),
    ("no trigger", -1102, algo("SELL", "")),
    ("trigger zero", -4006, algo("SELL", "0")),
    ("trigger above maxPrice", -4007, algo("SELL", "1e9", "TAKE_PROFIT_MARKET")),
    ("type of the other endpoint", -1116, algo("SELL", "1.8", "LIMIT")),
    ("unknown working type", -1102, algo("SELL", "1.8", workingType="INDEX")),
    ("neither quantity nor closePosition", -1102, algo("SELL", "1.8", closePosition="false")),
    ("quantity zero", -4003, algo("SELL", "1.8", quantity="0")),
    ("quantity with closePosition", -4137, algo("SELL", "1.8", quantity="5", closePosition="true")),
    ("reduceOnly with closePosition", -1106, algo("SELL", "1.8", reduceOnly="true")),
    ("closePosition that would grow", -4509, algo("BUY", "2.0")),
    ("closePosition elsewhere, flat", -4509, algo("SELL", "60000", symbol=BTC)),
    ("client id", -4015, algo("SELL", "1.8", clientAlgoId="x" * 40)),
    ("stop sell reached", -2021, algo("SELL", SAME_PRICE)),
    ("stop buy reached", -2021, algo("BUY", SAME_PRICE, quantity="10")),
    ("take profit sell reached", -2021, algo("SELL", SAME_PRICE, "TAKE_PROFIT_MARKET")),
    ("take profit buy reached", -2021, algo("BUY", "1.95", "TAKE_PROFIT_MARKET", quantity="9")),
]


@pytest.mark.parametrize(("code", "params"), [r[1:] for r in REFUSED_ALGOS], ids=[
    r[0] for r in REFUSED_ALGOS
])  # fmt: skip
def test_refused_conditional_orders(venue: Venue, code: int, params: dict[str, Any]) -> None:
    """§5, §9."""
    assert venue.refusal("algoOrder.place", **params) == code
    assert venue.events() == []
    assert venue.call("algoOrder.open") == []


def test_one_close_position_order_per_type_and_side(venue: Venue) -> None:
    """§5: -4130 for a second stop; a take-profit may rest beside it; cancel first, then place."""
    stop = venue.call("algoOrder.place", **algo("SELL", "1.7"))
    assert venue.refusal("algoOrder.place", **algo("SELL", "1.8")) == -4130
    venue.call("algoOrder.place", **algo("SELL", "2.2", "TAKE_PROFIT_MARKET"))
    assert venue.refusal("algoOrder.place", **algo("SELL", "2.3", "TAKE_PROFIT_MARKET")) == -4130
    venue.call("algoOrder.cancel", algoId=stop["algoId"])
    venue.call("algoOrder.place", **algo("SELL", "1.8"))
    assert len(venue.call("algoOrder.open", symbol=XRP)) == 2


def test_duplicate_client_algo_id(venue: Venue) -> None:
    """§5: -4116 among open algo orders; free again afterwards."""
    venue.call("algoOrder.place", **algo("SELL", "1.7", clientAlgoId="a"))
    repeated = algo("SELL", "1.6", quantity="10", clientAlgoId="a")
    assert venue.refusal("algoOrder.place", **repeated) == -4116
    venue.call("algoOrder.cancel", clientAlgoId="a")
    venue.call("algoOrder.place", **repeated)
    assert venue.call("algoOrder.status", clientAlgoId="a")["algoStatus"] == "NEW"


def test_at_most_200_conditional_orders(venue: Venue) -> None:
    """§4, §9: -4045 over all symbols."""
    for n in range(200):
        symbol, trigger = (XRP, "1.5") if n % 2 else (DOGE, "0.1")
        venue.call("algoOrder.place", **algo("SELL", trigger, quantity="10", symbol=symbol))
    assert venue.refusal("algoOrder.place", **algo("SELL", "1.8")) == -4045


def test_unknown_algo_orders(venue: Venue) -> None:
    """§9: -2013 for a query, -2011 for a cancel; the regular calls do not see algo orders."""
    placed = venue.call("algoOrder.place", **algo("SELL", "1.7", clientAlgoId="a"))
    assert venue.refusal("algoOrder.status", algoId=7) == -2013
    assert venue.refusal("algoOrder.cancel", clientAlgoId="never") == -2011
    assert venue.refusal("order.status", symbol=XRP, origClientOrderId="a") == -2013
    assert venue.call("order.open") == []
    reply = venue.call("algoOrder.cancel", algoId=placed["algoId"])
    assert (reply["code"], reply["clientAlgoId"]) == ("200", "a")
    assert venue.refusal("algoOrder.cancel", algoId=placed["algoId"]) == -2011


def test_close_position_order_as_it_is_shown(venue: Venue) -> None:
    """§5, §6: GTE_GTC, reduce-only, quantity 0, no child yet."""
    reply = venue.call("algoOrder.place", **algo("SELL", "1.70005", workingType="MARK_PRICE"))
    assert (reply["timeInForce"], reply["reduceOnly"], reply["algoStatus"]) == (
        "GTE_GTC", True, "NEW",
    )  # fmt: skip
    assert "actualOrderId" not in reply
    (event,) = venue.events()
    body = event["o"]
    assert (body["f"], body["R"], body["q"], body["ai"]) == ("GTE_GTC", True, "0", "")
    assert {"ap", "aq", "act", "rm"}.isdisjoint(body)
    assert venue.call("algoOrder.status", algoId=reply["algoId"])["actualOrderId"] == ""


def test_trigger_sequence(venue: Venue) -> None:
    """§6: TRIGGERING, the child's own events, TRIGGERED with its id, FINISHED with its fill."""
    venue.limit("SELL", "100", "2.4", reduceOnly="true", newClientOrderId="leg")
    placed = venue.call("algoOrder.place", **algo("SELL", "1.7", clientAlgoId="stop"))
    venue.events()
    venue.price("1.65")
    events = venue.events()
    assert names(events) == [
        "algo TRIGGERING",
        "order NEW NEW",
        "TRADE_LITE",
        "ACCOUNT_UPDATE",
        "order TRADE FILLED",
        "order EXPIRED EXPIRED",
        "algo TRIGGERED",
        "algo FINISHED",
    ]
    triggering, child, triggered, finished = (events[i]["o"] for i in (0, 4, 6, 7))
    assert triggering["ai"] == ""
    assert (child["o"], child["ot"], child["c"]) == ("MARKET", "STOP_MARKET", "stop")
    assert triggered["ai"] == finished["ai"] == str(child["i"])
    assert (finished["aq"], Decimal(finished["ap"])) == ("100", Decimal("1.6499"))
    assert (events[5]["o"]["c"], events[5]["o"]["er"]) == ("leg", "4")
    seen = venue.call("algoOrder.status", algoId=placed["algoId"])
    assert (seen["algoStatus"], seen["actualOrderId"]) == ("FINISHED", str(child["i"]))
    assert venue.held() == 0


def test_child_names_the_type_it_came_from(venue: Venue) -> None:
    """§6, ot."""
    venue.call("algoOrder.place", **algo("SELL", "2.2", "TAKE_PROFIT_MARKET"))
    venue.events()
    venue.price("2.3")
    assert {e["o"]["ot"] for e in venue.events() if e["e"] == "ORDER_TRADE_UPDATE"} == {
        "TAKE_PROFIT_MARKET"
    }


@pytest.mark.parametrize(
    ("working_type", "mark_only"), [("MARK_PRICE", True), ("CONTRACT_PRICE", False)]
)
def test_which_price_triggers(venue: Venue, working_type: str, mark_only: bool) -> None:
    """§5: mark or last trade, the last trade by default."""
    venue.call("algoOrder.place", **algo("SELL", "1.7", workingType=working_type))
    venue.events()
    venue.exchange.board.quotes[XRP].mark = Decimal("1.6")
    venue.exchange.algos.trigger_due(XRP)
    assert ("algo TRIGGERING" in names(venue.events())) is mark_only


def test_closing_the_position_expires_its_orders(venue: Venue) -> None:
    """§5: ALGO_UPDATE EXPIRED, for every close-position order of the symbol and no other."""
    venue.call("algoOrder.place", **algo("SELL", "1.7", clientAlgoId="stop"))
    venue.call("algoOrder.place", **algo("SELL", "2.2", "TAKE_PROFIT_MARKET", clientAlgoId="tp"))
    venue.call("algoOrder.place", **algo("SELL", "1.6", quantity="10", clientAlgoId="sized"))
    venue.events()
    venue.market("SELL", "100", reduceOnly="true")
    gone = [e["o"] for e in venue.events() if e["e"] == "ALGO_UPDATE"]
    assert [(o["caid"], o["X"]) for o in gone] == [("stop", "EXPIRED"), ("tp", "EXPIRED")]
    assert [a["clientAlgoId"] for a in venue.call("algoOrder.open")] == ["sized"]


def test_second_close_position_order_expires_when_both_are_reached(venue: Venue) -> None:
    """§5: the position is gone before its turn comes, so it expires instead of triggering."""
    venue.call("algoOrder.place", **algo("SELL", "1.7", clientAlgoId="stop"))
    venue.call(
        "algoOrder.place",
        **algo("SELL", "2.2", "TAKE_PROFIT_MARKET", workingType="MARK_PRICE", clientAlgoId="tp"),
    )
    venue.events()
    venue.exchange.board.quotes[XRP].mark = Decimal("2.3")
    venue.exchange.board.quotes[XRP].last = Decimal("1.6")
    venue.exchange.algos.trigger_due(XRP)
    tp = [e["o"]["X"] for e in venue.events() if e["e"] == "ALGO_UPDATE" if e["o"]["caid"] == "tp"]
    assert tp == ["EXPIRED"]


def test_sized_order_is_accepted_while_flat_and_opens() -> None:
    """§5: a quantity without reduceOnly needs no position, and its child opens one."""
    venue = Venue()
    venue.call("algoOrder.place", **algo("BUY", "2.0", quantity="10", clientAlgoId="in"))
    venue.price("2.05")
    assert venue.held() == 10
    assert venue.call("algoOrder.status", clientAlgoId="in")["algoStatus"] == "FINISHED"


@pytest.mark.parametrize(
    ("params", "why"),
    [
        (algo("BUY", "2.0", quantity="10.01"), "Precision"),
        (algo("BUY", "2.0", quantity="1"), "notional"),
        (algo("BUY", "2.0", quantity="40000"), "Margin"),
        (algo("BUY", "2.0", quantity="10", reduceOnly="true"), "ReduceOnly"),
    ],
    ids=["filter", "notional", "margin", "flat"],
)
def test_engine_refuses_the_child_only_at_the_trigger(params: dict[str, Any], why: str) -> None:
    """§5, §6: filters and margin are checked then; REJECTED with the reason in rm."""
    venue = Venue(wallet=Decimal(1_000))
    venue.call("algoOrder.place", **params)
    venue.events()
    venue.price("2.05")
    events = venue.events()
    assert names(events) == ["algo TRIGGERING", "algo REJECTED"]
    assert why in events[1]["o"]["rm"]


def test_reduce_only_child_yields_to_resting_legs(venue: Venue) -> None:
    """§5: other reduce-only orders count against the position; closePosition goes ahead of them."""
    venue.limit("SELL", "100", "2.4", reduceOnly="true")
    stop = algo("SELL", "1.7", quantity="100", reduceOnly="true", clientAlgoId="sized")
    venue.call("algoOrder.place", **stop)
    venue.call("algoOrder.place", **algo("SELL", "1.6", clientAlgoId="closing"))
    venue.price("1.65")
    assert venue.call("algoOrder.status", clientAlgoId="sized")["algoStatus"] == "REJECTED"
    assert venue.held() == 100
    venue.price("1.55")
    assert venue.call("algoOrder.status", clientAlgoId="closing")["algoStatus"] == "FINISHED"
    assert venue.held() == 0


def test_cancel_all_algo_orders_of_a_symbol(venue: Venue) -> None:
    """§4: DELETE algoOpenOrders; regular orders stay."""
    venue.call("algoOrder.place", **algo("SELL", "1.7"))
    venue.call("algoOrder.place", **algo("SELL", "0.1", quantity="100", symbol=DOGE))
    venue.call("order.place", **order("BUY", "10", "1.8"))
    venue.call("algoOrder.cancelAll", symbol=XRP)
    assert [a["symbol"] for a in venue.call("algoOrder.open")] == [DOGE]
    assert len(venue.call("order.open")) == 1
