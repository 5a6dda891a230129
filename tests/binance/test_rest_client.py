"""The REST road: refused, not sent and no answer are three different things."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from lowcap.binance.outcome import Verdict
from lowcap.binance.rest import VenueRefused
from lowcap.core.errors import LowcapError, NoAnswer, NotSent
from tests import vectors as v
from tests.binance.binance_kit import HMAC, FakeHttp, reply, rest

PARAMS: dict[str, str | int] = {"symbol": "XRPUSDT", "newClientOrderId": "lcd-1-7-e"}
ORDER: dict[str, Any] = {
    "orderId": 5,
    "symbol": "XRPUSDT",
    "status": "FILLED",
    "clientOrderId": "lcd-1-7-e",
    "executedQty": "10",
}
ALGO: dict[str, Any] = {
    "algoId": 6,
    "clientAlgoId": "lcd-1-8-s",
    "symbol": "XRPUSDT",
    "algoStatus": "FINISHED",
    "actualOrderId": "7",
}
READS = [
    "server_time_ms",
    "exchange_info",
    "brackets",
    "account_config",
    "symbol_configs",
    "positions",
    "usdt_balance",
    "open_orders",
    "open_algos",
    "listen_key",
]
ODD_BODIES = [b"", b"<html>", b"5", b"\xff\xfe", b'{"symbol":"\xff"}', b"[[" * 50_000, b'"x"']


async def test_a_request_is_signed_as_it_is_sent() -> None:
    client, http = rest(reply(ORDER))
    await client.query("测试USDT", "lcd-1-7-e", algo=False)
    method, url, headers = http.asked[0]
    base, _, query = url.partition("?")
    assert (method, base) == ("GET", "https://venue.example/fapi/v1/order")
    signed, _, signature = query.rpartition("&signature=")
    assert signature == HMAC.sign(signed.encode())
    assert dict(parse_qsl(signed)) == {
        "symbol": "测试USDT",
        "origClientOrderId": "lcd-1-7-e",
        "timestamp": str(v.AT_MS),
    }
    assert headers == {"X-MBX-APIKEY": v.API_KEY}


@pytest.mark.parametrize("name", READS)
async def test_an_error_answer_is_a_refusal_with_its_code(name: str) -> None:
    client, _ = rest(reply({"code": -1003, "msg": "Too many requests."}, 429))
    with pytest.raises(VenueRefused, match="-1003: Too many") as caught:
        await getattr(client, name)()
    assert (caught.value.venue_code, caught.value.status) == (-1003, 429)


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("body", ODD_BODIES)
async def test_an_answer_that_cannot_be_read_is_none(name: str, body: bytes) -> None:
    client, _ = rest(reply(body))
    with pytest.raises(NoAnswer, match="unreadable"):
        await getattr(client, name)()


@pytest.mark.parametrize("body", ODD_BODIES)
async def test_an_error_that_cannot_be_read_is_still_a_refusal(body: bytes) -> None:
    client, _ = rest(reply(body, 502))
    with pytest.raises(VenueRefused) as caught:
        await client.positions()
    assert (caught.value.venue_code, caught.value.status) == (0, 502)
    assert caught.value.message == "HTTP 502"


@pytest.mark.parametrize("error", [NotSent("refused"), NoAnswer("timeout")])
@pytest.mark.parametrize("name", READS)
async def test_what_the_road_says_is_passed_on(name: str, error: LowcapError) -> None:
    client, _ = rest(error)
    with pytest.raises(type(error)):
        await getattr(client, name)()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (reply(ORDER), Verdict.ACCEPTED),
        (reply(ORDER | {"executedQty": "1e5"}), Verdict.UNKNOWN),
        (reply({"code": -2019, "msg": "Margin is insufficient."}, 400), Verdict.REJECTED),
        (reply({"code": -4116, "msg": "ClientOrderId is duplicated."}, 400), Verdict.UNKNOWN),
        (reply({"code": -1007, "msg": "Timeout"}, 503), Verdict.UNKNOWN),
        (reply({"code": 0, "msg": "Service Unavailable."}, 503), Verdict.REJECTED),
        (reply({"code": -2019, "msg": "an error in a success"}), Verdict.UNKNOWN),
        *((reply(body), Verdict.UNKNOWN) for body in ODD_BODIES),
        *((reply(body, 503), Verdict.UNKNOWN) for body in ODD_BODIES),
        (reply(b"<html>", 403), Verdict.UNKNOWN),
        (NoAnswer("timeout"), Verdict.UNKNOWN),
    ],
)
@pytest.mark.parametrize("algo", [False, True])
async def test_a_placement_always_ends_in_a_verdict(
    answer: Any, verdict: Verdict, algo: bool
) -> None:
    client, http = rest(answer)
    outcome = await client.place(dict(PARAMS), algo=algo)
    readable_order = not isinstance(answer, Exception) and b'"orderId"' in answer.body
    assert outcome.verdict is (Verdict.UNKNOWN if algo and readable_order else verdict)
    assert len(http.asked) == 1, "a placement is never repeated"


async def test_a_placement_that_never_left_says_so() -> None:
    client, http = rest(NotSent("connection refused"))
    with pytest.raises(NotSent):
        await client.place(dict(PARAMS), algo=False)
    assert len(http.asked) == 1


async def test_queries() -> None:
    client, http = rest(reply(ORDER))
    outcome = await client.query("XRPUSDT", "lcd-1-7-e", algo=False)
    assert (outcome.status, outcome.order_id, outcome.executed_qty) == ("FILLED", 5, "10")
    client, http = rest(reply(ALGO))
    outcome = await client.query("XRPUSDT", "lcd-1-8-s", algo=True)
    assert (outcome.status, outcome.order_id, outcome.child_id) == ("FINISHED", 6, 7)
    assert "/fapi/v1/algoOrder?clientAlgoId=lcd-1-8-s&" in http.asked[0][1]
    client, _ = rest(reply(ALGO | {"actualOrderId": None}))
    assert (await client.query("XRPUSDT", "lcd-1-8-s", algo=True)).child_id == 0
    client, _ = rest(reply({"code": -2013, "msg": "Order does not exist."}, 400))
    with pytest.raises(VenueRefused) as caught:
        await client.query("XRPUSDT", "lcd-1-7-e", algo=False)
    assert caught.value.venue_code == -2013


@pytest.mark.parametrize("executed", ["NaN", "", "1e5", "-1"])
async def test_a_query_with_an_odd_quantity_is_no_answer(executed: str) -> None:
    client, _ = rest(reply(ORDER | {"executedQty": executed}))
    with pytest.raises(NoAnswer):
        await client.query("XRPUSDT", "lcd-1-7-e", algo=False)


async def test_cancels_go_to_the_right_book_with_a_short_window() -> None:
    client, http = rest(reply({}))
    await client.cancel("XRPUSDT", "lcd-1-7-e", algo=False)
    await client.cancel("XRPUSDT", "lcd-1-8-s", algo=True)
    (regular, algo) = (f"{method} {url}" for method, url, _ in http.asked)
    assert regular.startswith("DELETE https://venue.example/fapi/v1/order?symbol=XRPUSDT&")
    assert algo.startswith("DELETE https://venue.example/fapi/v1/algoOrder?clientAlgoId=")
    assert "recvWindow=2000" in regular
    assert "recvWindow=2000" in algo


async def test_isolated_already_is_a_success_and_other_refusals_are_not() -> None:
    client, http = rest(reply({"code": -4046, "msg": "No need to change margin type."}, 400))
    await client.set_isolated("XRPUSDT")
    client, http = rest(reply({"code": -4047, "msg": "open orders"}, 400))
    with pytest.raises(VenueRefused):
        await client.set_isolated("XRPUSDT")
    assert isinstance(http, FakeHttp)


async def test_the_usdt_row_or_none() -> None:
    row = {"asset": "USDT", "balance": "5", "availableBalance": "4", "crossUnPnl": "0"}
    client, _ = rest(reply([{"asset": "BNB", "balance": "1", "availableBalance": "1"}, row]))
    balance = await client.usdt_balance()
    assert balance is not None
    assert balance.balance == "5"
    client, _ = rest(reply([]))
    assert await client.usdt_balance() is None


async def test_errors_never_show_a_signature() -> None:
    for answer in (reply(b"x"), reply(b"x", 500)):
        client, _ = rest(answer)
        with pytest.raises(LowcapError) as caught:
            await client.positions()
        assert "signature" not in f"{caught.value!r} {caught.value}"
