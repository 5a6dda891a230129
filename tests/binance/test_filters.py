"""Contracts from exchangeInfo and leverageBracket: what cannot be read is left out, alone."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from lowcap.binance.filters import contracts_from
from lowcap.binance.wire import ExchangeInfo
from lowcap.core.contract import Contract
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.market import bracket_view, contract_view

LISTED = {s: c for s, (c, _) in listed_contracts().items() if s in {"BTCUSDT", "XRPUSDT"}}
XRP = LISTED["XRPUSDT"]


def parse(symbols: list[Any], ladders: list[Any] | None = None) -> dict[str, Contract]:
    """As the answers come: JSON in which decimals of the ladder are numbers."""
    encode = msgspec.json.Encoder(decimal_format="number").encode
    info = msgspec.json.decode(encode({"symbols": symbols}), type=ExchangeInfo)
    if ladders is None:
        ladders = [bracket_view(c) for c in LISTED.values()]
    return contracts_from(info, msgspec.json.decode(encode(ladders), type=list[msgspec.Raw]))


def row(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(contract_view(XRP)) | changes


def with_filter(kind: str, **changes: Any) -> dict[str, Any]:
    found = row()
    for one in found["filters"]:
        if one["filterType"] == kind:
            one |= changes
    return found


def test_a_contract_survives_the_way_over_the_wire() -> None:
    found = parse([contract_view(c) for c in LISTED.values()])
    assert found == LISTED
    assert found["XRPUSDT"].brackets[1].maint_margin_ratio == Decimal("0.01")


def test_filters_are_read_by_type_in_any_order() -> None:
    turned = row()
    turned["filters"] = [{"filterType": "NEW_ONE", "x": None}, *reversed(turned["filters"])]
    assert parse([turned])["XRPUSDT"] == XRP


@pytest.mark.parametrize(
    "changes",
    [
        {"contractType": "TRADIFI_PERPETUAL"},
        {"contractType": "CURRENT_QUARTER"},
        {"quoteAsset": "USDC"},
    ],
)
def test_what_is_no_usdt_perpetual_is_left_out(changes: dict[str, Any]) -> None:
    assert parse([row(**changes)]) == {}


def test_an_unknown_status_is_kept_and_not_trading() -> None:
    assert not parse([row(status="SOMETHING")])["XRPUSDT"].is_trading


@pytest.mark.parametrize(
    "bad",
    [
        row(filters=[]),
        row(filters=None),
        row(filters=[5]),
        row(filters=[{}]),
        row(filters=[{"filterType": []}]),
        row(symbol=None),
        row(baseAsset=7),
        {},
        5,
        None,
        with_filter("PRICE_FILTER", tickSize="0"),
        with_filter("PRICE_FILTER", tickSize="-0.1"),
        with_filter("PRICE_FILTER", tickSize="NaN"),
        with_filter("PRICE_FILTER", tickSize="Infinity"),
        with_filter("PRICE_FILTER", tickSize="x"),
        with_filter("PRICE_FILTER", tickSize=None),
        with_filter("PRICE_FILTER", tickSize=0.1),
        with_filter("PRICE_FILTER", minPrice="NaN"),
        with_filter("PRICE_FILTER", maxPrice=[]),
        with_filter("LOT_SIZE", stepSize="0"),
        with_filter("LOT_SIZE", minQty="1e400"),
        with_filter("LOT_SIZE", maxQty={}),
        with_filter("LOT_SIZE", filterType="GONE"),
        with_filter("MIN_NOTIONAL", notional="sNaN"),
        with_filter("MIN_NOTIONAL", filterType="GONE"),
        with_filter("MARKET_LOT_SIZE", maxQty="Infinity"),
        with_filter("PERCENT_PRICE", multiplierUp="NaN"),
    ],
)
def test_a_row_that_cannot_be_read_leaves_the_others(bad: object) -> None:
    found = parse([bad, contract_view(LISTED["BTCUSDT"])])
    assert found == {"BTCUSDT": LISTED["BTCUSDT"]}


def test_missing_optional_filters_take_the_strictest_known_bounds() -> None:
    bare = row()
    bare["filters"] = [
        f for f in bare["filters"] if f["filterType"] not in {"MARKET_LOT_SIZE", "PERCENT_PRICE"}
    ]
    found = parse([bare])["XRPUSDT"]
    assert found.market_qty_max == XRP.qty_max
    assert (found.price_up, found.price_down) == (Decimal("1.05"), Decimal("0.95"))


@pytest.mark.parametrize(
    "ladder",
    [None, 5, {}, {"symbol": "XRPUSDT"}, {"symbol": "XRPUSDT", "brackets": None},
     {"symbol": "XRPUSDT", "brackets": [{"initialLeverage": "x"}]},
     {"symbol": "XRPUSDT", "brackets": []}],
)  # fmt: skip
def test_a_ladder_that_cannot_be_read_leaves_a_contract_that_cannot_grow(ladder: object) -> None:
    found = parse(
        [contract_view(c) for c in LISTED.values()], [ladder, bracket_view(LISTED["BTCUSDT"])]
    )
    assert found["BTCUSDT"] == LISTED["BTCUSDT"]
    assert found["XRPUSDT"].notional_cap_at(1) == 0
    assert found["XRPUSDT"].is_trading


def test_the_ladder_is_sorted_and_exact() -> None:
    turned = bracket_view(XRP)
    turned["brackets"].reverse()
    assert parse([row()], [turned])["XRPUSDT"].brackets == XRP.brackets
