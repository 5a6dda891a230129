"""Stop-limit, take-profit and trailing orders of the simulator, and their children."""

from __future__ import annotations

from decimal import Decimal

import pytest
from paper_kit import XRP, Venue, algo, names


@pytest.fixture
def venue() -> Venue:
    found = Venue()
    found.market("BUY", "100")
    found.events()
    return found


def place(venue: Venue, side: str, kind: str, **more: str) -> int:
    params = algo(side, "", kind, quantity="50", **more)
    del params["triggerPrice"]
    return int(venue.call("algoOrder.place", **(params | more))["algoId"])


def shown(venue: Venue, number: int) -> dict[str, object]:
    return venue.call("algoOrder.status", algoId=number)


def test_a_stop_limit_rests_at_its_price_and_finishes_when_it_is_filled(venue: Venue) -> None:
    number = place(venue, "SELL", "STOP", triggerPrice="1.8500", price="1.8600")
    venue.price("1.8400")
    row = shown(venue, number)
    assert [row["algoStatus"], row["actualType"]] == ["TRIGGERED", "LIMIT"]
    child = venue.call("order.status", symbol=XRP, orderId=row["actualOrderId"])
    assert [child["status"], child["type"], child["origType"]] == ["NEW", "LIMIT", "STOP"]
    venue.price("1.8700")
    assert shown(venue, number)["algoStatus"] == "FINISHED"
    assert Decimal(str(shown(venue, number)["actualPrice"])) == Decimal("1.86")
    assert venue.held() == 50


def test_a_cancelled_child_finishes_its_order(venue: Venue) -> None:
    number = place(venue, "SELL", "STOP", triggerPrice="1.8500", price="1.8600")
    venue.price("1.8400")
    venue.call("order.cancelAll", symbol=XRP)
    assert shown(venue, number)["algoStatus"] == "FINISHED"
    assert shown(venue, number)["actualQty"] == "0"


def test_a_take_profit_takes_the_other_direction(venue: Venue) -> None:
    number = place(venue, "SELL", "TAKE_PROFIT", triggerPrice="1.9500", price="1.9400")
    venue.price("1.9400")
    assert shown(venue, number)["algoStatus"] == "NEW"
    venue.price("1.9600")
    assert shown(venue, number)["algoStatus"] == "FINISHED"
    assert venue.held() == 50


def test_a_limit_that_no_filter_takes_is_rejected_at_the_trigger(venue: Venue) -> None:
    number = place(venue, "SELL", "STOP", triggerPrice="1.8500", price="1.0000")
    venue.price("1.8400")
    assert shown(venue, number)["algoStatus"] == "REJECTED"
    assert "rm" in venue.events()[-1]["o"]


def test_a_trailing_stop_follows_the_best_price(venue: Venue) -> None:
    number = place(venue, "SELL", "TRAILING_STOP_MARKET", callbackRate="2")
    for price in ("1.9500", "2.0000", "1.9700"):
        venue.price(price)
    assert shown(venue, number)["algoStatus"] == "NEW"
    venue.price("1.9600")
    assert shown(venue, number)["algoStatus"] == "FINISHED"
    assert venue.held() == 50


def test_a_trailing_buy_turns_at_the_lowest(venue: Venue) -> None:
    number = place(venue, "BUY", "TRAILING_STOP_MARKET", callbackRate="5")
    for price in ("1.8000", "1.8800"):
        venue.price(price)
    assert shown(venue, number)["algoStatus"] == "NEW"
    venue.price("1.8900")
    assert shown(venue, number)["algoStatus"] == "FINISHED"
    assert venue.held() == 150


def test_a_trailing_stop_waits_for_its_activation_and_tells_it(venue: Venue) -> None:
    number = place(venue, "SELL", "TRAILING_STOP_MARKET", callbackRate="1", activatePrice="2.0000")
    assert [event["o"]["ia"] for event in venue.events()] == [False]
    venue.price("1.8000")
    assert shown(venue, number)["algoStatus"] == "NEW"
    venue.price("2.0100")
    assert [event["o"].get("ia") for event in venue.events()] == [True]
    venue.price("1.9800")
    assert names(venue.events())[0] == "algo TRIGGERING"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"callbackRate": "0.05"}, -1102),
        ({"callbackRate": "21"}, -1102),
        ({}, -1102),
        ({"callbackRate": "1", "activatePrice": "1.8000"}, -2021),
        ({"callbackRate": "1", "activationPrice": "1.8000"}, -2021),
    ],
)
def test_a_trailing_stop_has_bounds(venue: Venue, more: dict[str, str], code: int) -> None:
    params = algo("SELL", "", "TRAILING_STOP_MARKET", quantity="50", **more)
    del params["triggerPrice"]
    assert venue.refusal("algoOrder.place", **params) == code


def test_only_market_types_close_a_position(venue: Venue) -> None:
    params = algo("SELL", "1.8000", "STOP", price="1.7900")
    assert venue.refusal("algoOrder.place", **params) == -1106


def put(venue: Venue, *, mark: str, last: str) -> None:
    """Mark and last of XRP apart, as only another venue has them."""
    board = venue.exchange.board
    board.follow()
    board.tell(XRP, venue.now_ms, mark=Decimal(mark), last=Decimal(last))


def test_a_protected_order_waits_while_mark_and_last_are_far_apart(venue: Venue) -> None:
    number = place(venue, "SELL", "STOP_MARKET", triggerPrice="1.8500", priceProtect="true")
    put(venue, mark="1.9000", last="1.7000")
    venue.tick()
    assert shown(venue, number)["algoStatus"] == "NEW"
    put(venue, mark="1.7500", last="1.7000")
    venue.tick()
    assert shown(venue, number)["algoStatus"] == "FINISHED"


def test_an_order_on_the_mark_does_not_look_at_the_last_price(venue: Venue) -> None:
    mark = place(venue, "SELL", "STOP_MARKET", triggerPrice="1.8500", workingType="MARK_PRICE")
    last = place(venue, "SELL", "STOP_MARKET", triggerPrice="1.8500")
    put(venue, mark="1.8700", last="1.8400")
    venue.tick()
    assert shown(venue, mark)["algoStatus"] == "NEW"
    assert shown(venue, last)["algoStatus"] == "FINISHED"


def test_history_lists_finished_orders(venue: Venue) -> None:
    number = place(venue, "SELL", "STOP_MARKET", triggerPrice="1.8500")
    venue.call("algoOrder.cancel", algoId=number)
    [row] = venue.call("algoOrder.all", symbol=XRP)
    assert [row["algoId"], row["algoStatus"]] == [number, "CANCELED"]
