"""The budget: what is used, who may go on, and for how long the venue wants silence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from lowcap.binance.budget import Budget, Urgency, api_cost, rest_cost
from lowcap.core.errors import NotSent
from lowcap.net.http import HttpReply
from tests import vectors as v
from tests.binance.binance_kit import ED25519, line_to_peer, line_to_venue, reply, rest

MINUTE_MS = 60_000
AT_MS = v.AT_MS // MINUTE_MS * MINUTE_MS
ROUTINE, LEG, EXIT = Urgency.ROUTINE, Urgency.LEG, Urgency.EXIT


def rows(*rows: tuple[str, str, int, int, int]) -> bytes:
    names = ("rateLimitType", "interval", "intervalNum", "limit", "count")
    return msgspec.json.encode([dict(zip(names, row, strict=True)) for row in rows])


def test_entries_end_at_80_legs_at_90_and_exits_never() -> None:
    budget = Budget()
    budget.spend(AT_MS, orders=239)
    assert budget.lack(ROUTINE, AT_MS, orders=1) == ""
    assert budget.lack(ROUTINE, AT_MS, orders=2) == "241 of 300 orders in 10 s"
    budget.spend(AT_MS, orders=31)
    assert budget.lack(LEG, AT_MS, orders=1) == "271 of 300 orders in 10 s"
    budget.spend(AT_MS, orders=1_000)
    assert budget.lack(EXIT, AT_MS, orders=1) == ""
    assert budget.lack(ROUTINE, AT_MS, weight=40) == ""  # reads have a limit of their own


def test_a_window_of_the_venues_clock_starts_afresh() -> None:
    budget = Budget()
    budget.spend(AT_MS + 9_999, orders=300, weight=2_400)
    assert budget.lack(ROUTINE, AT_MS + 9_999, orders=1)
    assert budget.lack(ROUTINE, AT_MS + 10_000, orders=1) == ""
    assert budget.lack(ROUTINE, AT_MS + 59_999, weight=1) == "2401 of 2400 weight in 60 s"
    assert budget.lack(ROUTINE, AT_MS + 60_000, weight=1) == ""


def test_what_neighbours_use_is_heard_from_headers_and_replies() -> None:
    budget = Budget()
    budget.spend(AT_MS, weight=10, orders=5)
    told = {"x-mbx-used-weight-1m": "1950", "x-mbx-order-count-10s": "2"}
    budget.hear_headers(told | {"x-mbx-order-count-1m": "-1"}, AT_MS)
    assert budget.used(AT_MS) == {
        "weight-60s": "1950/2400",
        "orders-60s": "5/1200",
        "orders-10s": "5/300",
    }
    budget.hear_counts(rows(("ORDERS", "SECOND", 10, 300, 250)), AT_MS)
    assert budget.lack(ROUTINE, AT_MS, orders=1)


def test_limits_are_the_venues() -> None:
    budget = Budget()
    budget.learn_limits(
        rows(
            ("ORDERS", "SECOND", 10, 100, 0), ("ORDERS", "DAY", 1, 500, 0), ("RAW", "DAY", 1, 1, 0)
        )
    )
    budget.spend(AT_MS, orders=80)
    assert budget.lack(ROUTINE, AT_MS, orders=1) == "81 of 100 orders in 10 s"
    budget.spend(AT_MS + 20_000, orders=320)
    assert budget.lack(ROUTINE, AT_MS + 3_600_000, orders=1) == "401 of 500 orders in 86400 s"


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"{}", b"[1]", b"[[", b"\xff", rows(("ORDERS", "AEON", 1, 5, 9))]
    + [rows(("ORDERS", "SECOND", number, limit, 9)) for number, limit in ((0, 5), (-1, 5), (7, 0))],
)
def test_odd_limits_change_nothing(raw: bytes) -> None:
    budget = Budget()
    budget.learn_limits(raw)
    budget.hear_counts(raw, AT_MS)
    assert budget.used(AT_MS) == Budget().used(AT_MS)


@pytest.mark.parametrize(
    ("status", "code", "msg", "headers", "silent_ms", "ban"),
    [
        (429, -1003, "Too many requests.", {"retry-after": "7"}, 7_000, False),
        (429, -1003, "Too many requests.", {}, 55_000, False),
        (400, -1015, "Too many new orders.", {}, 55_000, False),
        (429, 0, "HTTP 429", {"retry-after": "soon"}, 55_000, False),
        (418, -1003, f"IP banned until {AT_MS + 305_000}.", {}, 300_000, True),
        (418, 0, "HTTP 418", {"retry-after": "120"}, 120_000, True),
        (429, -1003, f"banned until {AT_MS + 65_000}", {"retry-after": "1"}, 60_000, True),
        (400, -2019, "banned until 9999999999999", {"retry-after": "9"}, 0, False),
        (503, -1008, "overloaded", {}, 0, False),
    ],
)
def test_silence_is_kept_by_all_but_exits(
    status: int, code: int, msg: str, headers: dict[str, str], silent_ms: int, ban: bool
) -> None:
    budget, at_ms = Budget(), AT_MS + 5_000
    budget.hear_refusal(status, code, msg, headers, at_ms)
    assert budget.paused_until_ms == (at_ms + silent_ms if silent_ms else 0)
    assert budget.banned_until_ms == (budget.paused_until_ms if ban else 0)
    if silent_ms:
        assert "silence" in budget.lack(ROUTINE, at_ms + silent_ms - 1)
        assert budget.lack(EXIT, at_ms) == ""
        assert budget.lack(LEG, at_ms + silent_ms, orders=1) == ""


def test_a_shorter_wish_does_not_end_a_longer_silence() -> None:
    budget = Budget()
    budget.hear_refusal(418, -1003, f"banned until {AT_MS + 90_000}", {}, AT_MS)
    budget.hear_refusal(429, -1003, "", {"retry-after": "1"}, AT_MS)
    assert (budget.paused_until_ms, budget.pauses) == (AT_MS + 90_000, 1)


@given(st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 40)), max_size=60))
def test_routine_orders_never_break_the_reserve(asked: list[tuple[int, int]]) -> None:
    budget, sent = Budget(), dict[int, int]()
    at_ms = AT_MS
    for later_ms, orders in asked:
        at_ms += later_ms
        if not budget.lack(ROUTINE, at_ms, orders=orders):
            budget.spend(at_ms, orders=orders)
            sent[at_ms // 10_000] = sent.get(at_ms // 10_000, 0) + orders
    assert max(sent.values(), default=0) <= 240


def test_what_requests_cost() -> None:
    assert rest_cost("GET", "/fapi/v1/openOrders", one=True) == (1, 0)
    assert rest_cost("GET", "/fapi/v1/openAlgoOrders", one=False) == (40, 0)
    assert rest_cost("POST", "/fapi/v1/algoOrder", one=True) == (0, 1)
    assert rest_cost("GET", "/fapi/v1/time", one=False) == (1, 0)
    assert api_cost("order.place") == (0, 1)
    assert api_cost("session.logon") == (2, 0)


async def test_a_client_in_disgrace_asks_for_nothing_but_exits() -> None:
    silent = HttpReply(429, {"retry-after": "30"}, b'{"code":-1003,"msg":"Too many requests."}')
    order = {"orderId": 5, "symbol": "X", "status": "NEW", "clientOrderId": "a"}
    client, http = rest(silent, reply(order))
    outcome = await client.place({"symbol": "X"}, algo=False)
    assert outcome.code == -1003
    for read in (client.positions, client.listen_key, client.server_time_ms):
        with pytest.raises(NotSent, match="held back: the venue wants 30 s of silence"):
            await read()
    await client.cancel("X", "a", algo=False)
    assert (await client.place({"symbol": "X"}, algo=False)).order_id == 5
    assert [method for method, _, _ in http.asked] == ["POST", "DELETE", "POST"]


async def test_the_limits_themselves_are_asked_for_though_none_seem_left() -> None:
    used_up = HttpReply(200, {"x-mbx-used-weight-1m": "5000"}, b'{"serverTime":1}')
    told = reply({"symbols": [], "rateLimits": []})
    silent = HttpReply(429, {"retry-after": "30"}, b'{"code":-1003,"msg":"Too many requests."}')
    client, http = rest(used_up, told, silent)
    await client.server_time_ms()
    with pytest.raises(NotSent, match="5005 of 2400 weight"):
        await client.positions()
    assert (await client.exchange_info()).symbols == []
    assert (await client.place({"symbol": "X"}, algo=False)).code == -1003
    with pytest.raises(NotSent, match="30 s of silence"):
        await client.exchange_info()
    assert len(http.asked) == 3


async def test_the_order_socket_counts_and_listens(autojump_clock: Any) -> None:
    async with line_to_venue(ED25519) as (line, server):
        await line.up()
        budget = line.socket.budget
        assert budget.used(v.AT_MS)["weight-60s"] == "7/2400"  # a handshake and a logon
        assert server.port
    async with line_to_peer() as (line, peer):
        await line.up()
        replies: list[Any] = []
        counts = msgspec.json.decode(rows(("ORDERS", "SECOND", 10, 300, 290)))
        peer.answer = lambda request: msgspec.json.encode(
            {
                "id": request["id"],
                "status": 429,
                "error": {"code": -1015, "msg": "Too many new orders."},
                "rateLimits": counts,
            }
        )
        line.socket.request("order.place", {"symbol": "X"}, replies.append)
        while not replies:
            await trio.sleep(0.01)
        budget = line.socket.budget
        assert budget.used(v.AT_MS)["orders-10s"] == "290/300"
        assert budget.paused_until_ms > v.AT_MS
