"""The income history, page by page: nothing lost between two pages, nothing taken twice."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from lowcap.binance import income
from lowcap.binance.income import read_income
from lowcap.binance.rest import VenueRefused
from lowcap.core.errors import NoAnswer
from tests.binance.binance_kit import FakeHttp, reply, rest

Json = dict[str, Any]


def row(number: int, at_ms: int, **changes: Any) -> Json:
    given: Json = {
        "symbol": "XRPUSDT", "incomeType": "FUNDING_FEE", "income": "-0.37500000",
        "asset": "USDT", "info": "", "time": at_ms, "tranId": number, "tradeId": "",
    }  # fmt: skip
    return given | changes


def starts(http: FakeHttp) -> list[int]:
    return [int(re.findall(r"startTime=(\d+)", url)[0]) for _, url, _ in http.asked]


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(income, "INCOME_ROWS", 3)
    monkeypatch.setattr(income, "PAGES_MAX", 4)


async def test_pages_overlap_by_a_millisecond_and_each_row_counts_once() -> None:
    client, http = rest(
        reply([row(1, 10), row(2, 11), row(3, 12)]),
        reply([row(3, 12), row(4, 12), row(5, 14)]),
        reply([row(5, 14)]),
    )
    rows, more_ms = await read_income(client, 5)
    assert [r.tran_id for r in rows] == [1, 2, 3, 4, 5]
    assert (starts(http), more_ms) == ([5, 12, 14], 0)


async def test_a_millisecond_that_fills_a_page_holds_nobody_up() -> None:
    full = [row(n, 12) for n in range(3)]
    client, http = rest(reply(full), reply(full), reply([]))
    rows, more_ms = await read_income(client, 5)
    assert (len(rows), starts(http), more_ms) == (3, [5, 12, 13], 0)


async def test_a_long_history_is_read_in_parts() -> None:
    pages = [[row(3 * p + n, 10 + 3 * p + n) for n in range(3)] for p in range(9)]
    client, http = rest(*(reply(page) for page in pages))
    rows, more_ms = await read_income(client, 5)
    assert (len(rows), more_ms, len(http.asked)) == (12, 21, 4)


async def test_numbers_may_be_text_and_words_are_made_harmless() -> None:
    given = row(0, 12, tranId="9689322392", tradeId="2059192", incomeType="COMMISSION\x1b[2J")
    client, _ = rest(reply([given, row(7, 13, symbol="", tradeId=0)]))
    (first, second), _ = await read_income(client, 5)
    assert (first.tran_id, first.trade_id, first.amount) == (
        9689322392, 2059192, Decimal("-0.375"),
    )  # fmt: skip
    assert "\x1b" not in first.kind
    assert (second.symbol, second.trade_id) == ("", 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"income": "NaN"},
        {"income": "1e9"},
        {"tranId": "x"},
        {"tranId": "9" * 40},
        {"tradeId": "-5"},
        {"time": -1},
        {"income": None},
    ],
)
async def test_a_row_that_cannot_be_spoils_the_reading(wrong: Json) -> None:
    client, _ = rest(reply([row(1, 10), row(2, 11, **wrong)]))
    with pytest.raises(NoAnswer):
        await read_income(client, 5)


async def test_a_refusal_is_told() -> None:
    client, _ = rest(reply({"code": -2015, "msg": "no right"}, 401))
    with pytest.raises(VenueRefused):
        await read_income(client, 5)
