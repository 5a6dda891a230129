"""Limits of the simulated venue: counted, told, and enforced up to a ban."""

from __future__ import annotations

from typing import Any

import pytest
from paper_kit import T0

from lowcap.paper.paths import PATHS, weight_of
from lowcap.paper.state import VenueError
from lowcap.paper.usage import BAN_MS, REFUSALS_BEFORE_BAN, Usage

START = T0 // 60_000 * 60_000


def refusal(usage: Usage, method: str, weight: int, at_ms: int) -> tuple[int, int, str]:
    with pytest.raises(VenueError) as caught:
        usage.count(method, weight, at_ms)
    return caught.value.status, caught.value.code, caught.value.msg


def test_weight_is_refused_beyond_its_limit_until_the_next_minute() -> None:
    usage = Usage()
    usage.count("a", 2_400, START)
    assert refusal(usage, "a", 1, START + 59_999)[:2] == (429, -1003)
    usage.count("a", 1, START + 60_000)
    assert usage.headers("a", START + 60_000)["x-mbx-used-weight-1m"] == "1"


def test_who_goes_on_is_banned_and_told_until_when() -> None:
    usage = Usage()
    usage.count("a", 2_400, START)
    for _ in range(REFUSALS_BEFORE_BAN):
        assert refusal(usage, "a", 1, START)[0] == 429
    status, code, text = refusal(usage, "a", 1, START)
    assert [status, code] == [418, -1003]
    assert f"banned until {START + BAN_MS}" in text
    assert refusal(usage, "a", 0, START + BAN_MS - 1)[0] == 418
    usage.count("a", 1, START + BAN_MS)


def test_a_second_ban_lasts_twice_as_long() -> None:
    usage = Usage()
    at_ms = START
    for _ in range(2):
        usage.count("a", 2_400, at_ms)
        for _ in range(REFUSALS_BEFORE_BAN):
            refusal(usage, "a", 1, at_ms)
        text = refusal(usage, "a", 1, at_ms)[2]
        until_ms = int(text.partition("until ")[2].partition(".")[0])
        lasted_ms, at_ms = until_ms - at_ms, (until_ms // 60_000 + 1) * 60_000
    assert lasted_ms == 2 * BAN_MS


def test_orders_are_limited_in_ten_seconds_and_in_a_minute() -> None:
    usage = Usage()
    for _ in range(300):
        usage.count("order.place", 0, START)
    assert refusal(usage, "order.place", 0, START + 9_999)[:2] == (429, -1015)
    usage.count("order.cancel", 1, START)
    for window in (1, 2):
        for _ in range(300):
            usage.count("algoOrder.place", 0, START + window * 10_000)
    for _ in range(299):
        usage.count("order.modify", 0, START + 30_000)
    assert refusal(usage, "order.modify", 0, START + 30_000)[1] == -1015
    usage.count("order.place", 0, START + 60_000)


def test_a_batch_counts_as_five_orders_in_ten_seconds() -> None:
    usage = Usage()
    usage.count("order.placeMany", 5, START)
    told = usage.headers("order.placeMany", START)
    assert [told["x-mbx-order-count-10s"], told["x-mbx-order-count-1m"]] == ["5", "1"]


@pytest.mark.parametrize(
    ("path", "params", "weight"),
    [
        ("depth", {}, 1),
        ("depth", {"limit": "50"}, 2),
        ("depth", {"limit": "1000"}, 20),
        ("klines", {"limit": "100"}, 1),
        ("klines", {"limit": "1500"}, 10),
        ("ticker/24hr", {}, 40),
        ("ticker/24hr", {"symbol": "XRPUSDT"}, 1),
        ("forceOrders", {"symbol": "XRPUSDT"}, 20),
    ],
)
def test_weights_depend_on_what_is_asked_for(
    path: str, params: dict[str, Any], weight: int
) -> None:
    full = f"/fapi/v1/{path}"
    assert weight_of(full, PATHS["GET", full][2], params) == weight
