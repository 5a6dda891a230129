"""Changing, batching, listing and the countdown at the simulated venue."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from paper_kit import T0, XRP, Venue, names, order

LOW = "1.8000"


def batch(*items: object) -> str:
    return msgspec.json.encode(list(items)).decode()


def change(venue: Venue, number: int, qty: str = "100", price: str = "1.8100", **more: str) -> str:
    named = {"symbol": XRP, "side": "BUY", "orderId": number}
    return venue.call("order.modify", **named, quantity=qty, price=price, **more)["status"]


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def resting(venue: Venue) -> int:
    number = venue.limit("BUY", "100", LOW, newClientOrderId="mine")["orderId"]
    venue.events()
    return int(number)


def test_a_modified_order_keeps_its_id_and_tells_it(venue: Venue, resting: int) -> None:
    params = {"symbol": XRP, "side": "BUY", "origClientOrderId": "mine", "modifyId": "7"}
    reply = venue.call("order.modify", **params, quantity="120", price="1.8100")
    assert [reply["orderId"], reply["origQty"], reply["price"]] == [resting, "120", "1.81"]
    assert [reply["modifyId"], reply["pair"]] == [7, XRP]
    assert names(venue.events()) == ["order AMENDMENT NEW"]
    [row] = venue.call("order.amendments", symbol=XRP)
    assert row["amendment"]["price"] == {"before": "1.8000", "after": "1.8100"}


def test_a_modified_order_that_crosses_is_executed(venue: Venue, resting: int) -> None:
    assert change(venue, resting, price="1.9100") == "FILLED"
    assert venue.held() == 100


def test_a_quantity_that_is_executed_already_cancels_the_order(venue: Venue) -> None:
    venue.faults(fill_share={XRP: Decimal("0.4")})
    number = venue.limit("BUY", "100", "1.9100")["orderId"]
    assert venue.held() == 40
    assert change(venue, number, qty="40", price=LOW) == "CANCELED"


def test_a_post_only_order_that_would_cross_is_cancelled(venue: Venue) -> None:
    number = venue.limit("BUY", "100", LOW, timeInForce="GTX")["orderId"]
    assert change(venue, number, price="1.9100") == "CANCELED"
    assert venue.held() == 0


@pytest.mark.parametrize(
    ("qty", "price", "code"),
    [
        ("100", LOW, -5027),
        ("1", LOW, -5029),
        ("100", "1.80005", -4014),
        ("100", "9.0000", -4016),
        ("0", LOW, -4003),
        ("2000000", LOW, -2027),
    ],
)
def test_a_refused_change_leaves_the_order(
    venue: Venue, resting: int, qty: str, price: str, code: int
) -> None:
    params = {"symbol": XRP, "side": "BUY", "orderId": resting}
    assert venue.refusal("order.modify", **params, quantity=qty, price=price) == code
    assert venue.status("mine")["origQty"] == "100"
    assert venue.status("mine")["price"] == "1.8"


def test_a_change_must_be_paid_for() -> None:
    venue = Venue(wallet=Decimal(20))
    number = venue.limit("BUY", "100", LOW)["orderId"]
    params = {"symbol": XRP, "side": "BUY", "orderId": number, "price": LOW}
    assert venue.refusal("order.modify", **params, quantity="1000") == -2019


def test_a_change_needs_price_quantity_and_an_open_order(venue: Venue, resting: int) -> None:
    params = {"symbol": XRP, "side": "BUY", "orderId": resting}
    assert venue.refusal("order.modify", **params, quantity="100") == -1102
    assert venue.refusal("order.modify", **params, price=LOW) == -1102
    given = params | {"quantity": "90", "price": LOW}
    assert venue.refusal("order.modify", **given, reduceOnly="true") == -5047
    venue.call("order.cancel", symbol=XRP, orderId=resting)
    assert venue.refusal("order.modify", **given) == -2013


def test_a_batch_answers_item_by_item(venue: Venue) -> None:
    good, bad = order("BUY", "100", LOW), order("BUY", "0")
    placed = venue.call("order.placeMany", batchOrders=batch(good, bad, good))
    assert [row.get("status", row.get("code")) for row in placed] == ["NEW", -4003, "NEW"]
    ids = [placed[0]["orderId"], 5, placed[2]["orderId"]]
    text = msgspec.json.encode(ids).decode()
    gone = venue.call("order.cancelMany", symbol=XRP, orderIdList=text)
    assert [row.get("status", row.get("code")) for row in gone] == ["CANCELED", -2011, "CANCELED"]


def test_a_batch_changes_and_cancels_by_own_ids(venue: Venue, resting: int) -> None:
    item = {"symbol": XRP, "side": "BUY", "orderId": resting, "quantity": "90", "price": LOW}
    [row] = venue.call("order.modifyMany", batchOrders=batch(item))
    assert row["origQty"] == "90"
    lowercase = {"origclientorderidlist": '["mine"]'}
    [gone] = venue.call("order.cancelMany", symbol=XRP, **lowercase)
    assert gone["status"] == "CANCELED"


def test_a_batch_has_a_length(venue: Venue) -> None:
    many = batch(*[order("BUY", "100", LOW)] * 6)
    assert venue.refusal("order.placeMany", batchOrders=many) == -4082
    assert venue.refusal("order.placeMany", batchOrders="[]") == -4082
    assert venue.refusal("order.placeMany", batchOrders="{") == -1102
    eleven = msgspec.json.encode(list(range(11))).decode()
    assert venue.refusal("order.cancelMany", symbol=XRP, orderIdList=eleven) == -4032


def test_a_countdown_cancels_one_symbol_when_nobody_re_arms_it(venue: Venue, resting: int) -> None:
    other = venue.limit("BUY", "1000", "0.14000", symbol="DOGEUSDT")["orderId"]
    reply = venue.call("order.countdown", symbol=XRP, countdownTime="2500")
    assert reply == {"symbol": XRP, "countdownTime": "2500"}
    venue.tick(2_000)
    venue.call("order.countdown", symbol=XRP, countdownTime="2500")
    venue.tick(2_000)
    assert venue.status("mine")["status"] == "NEW"
    venue.tick(1_000)
    assert venue.status("mine")["status"] == "CANCELED"
    assert [row["orderId"] for row in venue.call("order.open")] == [other]


def test_a_countdown_of_zero_disarms(venue: Venue, resting: int) -> None:
    venue.call("order.countdown", symbol=XRP, countdownTime="1000")
    venue.call("order.countdown", symbol=XRP, countdownTime="0")
    venue.tick(5_000)
    assert venue.status("mine")["status"] == "NEW"


def test_a_test_order_is_checked_and_not_kept(venue: Venue) -> None:
    before = msgspec.json.encode(venue.exchange.state)
    assert venue.call("order.test", **order("BUY", "100"))["status"] == "NEW"
    assert venue.refusal("order.test", **order("BUY", "0")) == -4003
    assert msgspec.json.encode(venue.exchange.state) == before
    assert venue.events() == []
    assert venue.market("BUY", "100")["status"] == "NEW"


def test_lists_go_onwards_from_an_id_and_back_without_one(venue: Venue) -> None:
    numbers = [venue.limit("BUY", "100", LOW)["orderId"] for _ in range(4)]
    newest = venue.call("order.all", symbol=XRP, limit="2")
    assert [row["orderId"] for row in newest] == numbers[2:]
    onwards = venue.call("order.all", symbol=XRP, orderId=numbers[1], limit="2")
    assert [row["orderId"] for row in onwards] == numbers[1:3]
    eight_days = {"startTime": 1, "endTime": 8 * 86_400_000}
    assert venue.refusal("order.all", symbol=XRP, **eight_days) == -4166


def test_one_open_order_is_found_while_it_is_open(venue: Venue, resting: int) -> None:
    assert venue.call("order.openOne", symbol=XRP, orderId=resting)["orderId"] == resting
    venue.call("order.cancel", symbol=XRP, orderId=resting)
    assert venue.refusal("order.openOne", symbol=XRP, orderId=resting) == -2013


def test_an_order_with_a_date_ends_at_it(venue: Venue) -> None:
    until_ms = T0 // 1_000 * 1_000 + 700_000
    given = {"timeInForce": "GTD", "newClientOrderId": "dated"}
    reply = venue.limit("BUY", "100", LOW, goodTillDate=str(until_ms + 999), **given)
    assert reply["goodTillDate"] == until_ms
    venue.now_ms = until_ms - 2_000
    venue.tick()
    assert venue.status("dated")["status"] == "NEW"
    venue.tick()
    assert venue.status("dated")["status"] == "EXPIRED"


@pytest.mark.parametrize("ahead_ms", [0, 600_000, 10**15])
def test_a_date_is_ahead_by_more_than_ten_minutes(venue: Venue, ahead_ms: int) -> None:
    params = order("BUY", "100", LOW, timeInForce="GTD", goodTillDate=str(T0 + ahead_ms))
    assert venue.refusal("order.place", **params) == -5040
