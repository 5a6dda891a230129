"""Sizing: the smallest limit wins and is named. Leverage: liquidation lies beyond the stop."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.caps import Cap, NoCap
from lowcap.risk.leverage import LeverageTable
from lowcap.risk.sizing import (
    TIER_NAMES,
    VenueBounds,
    is_bound,
    share_out,
    size_entry,
    tier_of,
    wished_notional,
)
from lowcap.settings import Sizing
from tests.risk.risk_kit import BTC, CONTRACTS, XRP, D, limits

CASES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "40000", "trigger"),
    ({"wish": "60000"}, "50000", "limits.order_notional_usd_max"),
    ({"held_usd": "50000"}, "30000", "limits.position_notional_usd_max"),
    ({"held_usd": "80000"}, "0", "limits.position_notional_usd_max"),
    ({"held_usd": "90000"}, "0", "limits.position_notional_usd_max"),
    ({"gross_usd": "85000"}, "15000", "limits.gross_notional_usd_max"),
    ({"margin_available_usd": "5000"}, "30000", "limits.margin_pct_max"),
    ({"margin_available_usd": "5000", "held_usd": "20000"}, "10000", "limits.margin_pct_max"),
    ({"leverage": 75}, "20000", "venue bracket at 75x"),
    ({"leverage": 75, "held_usd": "15000"}, "5000", "venue bracket at 75x"),
    ({"liquidation_usd": "39999"}, "39999", "liquidation distance at 20x"),
    ({"liquidation_usd": "39999", "held_usd": "1000"}, "38999", "liquidation distance at 20x"),
    ({"order_usd": "700", "held_usd": "1000"}, "700", "venue's largest order"),
    ({"order_usd": "40000"}, "40000", "trigger"),
]


def _venue(given: dict[str, Any]) -> VenueBounds:
    bracket, liquidation = LeverageTable(CONTRACTS[XRP], 75, D("0.1")).bounds(
        given.get("leverage", 20)
    )
    if "liquidation_usd" in given:
        liquidation = D(given["liquidation_usd"])
    return VenueBounds(bracket, liquidation, D(given.get("order_usd", 10**9)))


def size(**given: Any) -> tuple[Decimal, str]:
    found = size_entry(
        (D(given.get("wish", "40000")), "trigger"),
        limits(),
        _venue(given),
        leverage=given.get("leverage", 20),
        held_usd=D(given.get("held_usd", 0)),
        gross_usd=D(given.get("gross_usd", 0)),
        margin_available_usd=D(given.get("margin_available_usd", "1000000")),
    )
    assert found.wished_usd == D(given.get("wish", "40000"))
    return found.notional_usd, found.decided_by


@pytest.mark.parametrize(("given_", "notional", "decided_by"), CASES)
def test_the_smallest_limit_wins_and_is_named(
    given_: dict[str, Any], notional: str, decided_by: str
) -> None:
    assert size(**given_) == (D(notional), decided_by)


def test_what_has_been_cut_already_is_told_from_where_a_wish_comes_from() -> None:
    sources = [wished_notional(Sizing(), XRP, usd, D(9))[1] for usd in (None, D(1))]
    assert [is_bound(word) for word in [*sources, *(cap.value for cap in NoCap)]] == [False] * 4
    assert is_bound(share_out([(D(9), "trigger")], D(1))[0][1])


USD = st.decimals("0", "200000", places=2)


@given(USD, USD, USD, USD, st.integers(1, 75))
def test_no_limit_is_ever_exceeded(
    wish: Decimal, held: Decimal, gross: Decimal, margin: Decimal, leverage: int
) -> None:
    notional, _ = size(
        wish=wish, held_usd=held, gross_usd=gross, margin_available_usd=margin, leverage=leverage
    )
    assert 0 <= notional <= max(wish, D(0))
    if notional:
        assert notional <= 50_000
        assert notional + held <= 80_000
        assert notional + gross <= 100_000
        assert (notional + held) / leverage <= margin * 30 / 100
        assert notional + held <= CONTRACTS[XRP].notional_cap_at(leverage)
        table = LeverageTable(CONTRACTS[XRP], 20, D("0.1"))
        assert notional + held <= table.largest(leverage)


def test_the_wish_is_the_triggers_else_the_symbols_else_the_default() -> None:
    sizing = Sizing(scale=D("0.5"), default_usd=D(100), symbol_usd={XRP: D(300)})
    assert wished_notional(sizing, XRP, D(1_000)) == (500, "trigger")
    assert wished_notional(sizing, XRP, None) == (150, "symbol")
    assert wished_notional(sizing, BTC, None) == (50, "default")
    assert wished_notional(sizing, XRP, D(0)) == (0, "trigger")


B = 10**9
TIER_EDGES: list[tuple[str, int, str]] = [
    ("2000000000000", 500_000, "mega"),
    ("100000000000", 500_000, "mega"),
    ("99999999999.99", 350_000, "large"),
    ("10000000000", 350_000, "large"),
    ("9999999999.99", 150_000, "mid"),
    ("1000000000", 150_000, "mid"),
    ("999999999.99", 50_000, "small"),
    ("100000000", 50_000, "small"),
    ("99999999.99", 20_000, "micro"),
    ("10000000", 20_000, "micro"),
    ("9999999.99", 10_000, "nano"),
    ("1", 10_000, "nano"),
]


@pytest.mark.parametrize(("cap", "usd", "tier"), TIER_EDGES)
def test_lower_bounds_of_tiers_are_inclusive(cap: str, usd: int, tier: str) -> None:
    assert tier_of(Sizing(), D(cap)) == (usd, tier)
    assert wished_notional(Sizing(), XRP, None, D(cap)) == (usd, f"tier {tier}")
    half = Sizing(scale=D("0.5"))
    assert wished_notional(half, XRP, None, D(cap)) == (D(usd) / 2, f"tier {tier}")


@pytest.mark.parametrize(
    ("trigger_usd", "symbol", "cap", "usd", "word"),
    [
        (D(7), XRP, D(B), 7, "trigger"),
        (D(7), BTC, NoCap.NO_TABLE, 7, "trigger"),
        (None, BTC, D(B), 250_000, "symbol"),
        (None, BTC, NoCap.UNKNOWN, 250_000, "symbol"),
        (None, XRP, D(B), 150_000, "tier mid"),
        (None, XRP, NoCap.UNKNOWN, 25_000, "unknown cap"),
        (None, XRP, NoCap.NO_TABLE, 14_567, "default"),
    ],
)
def test_the_first_that_applies_decides(
    trigger_usd: Decimal | None, symbol: str, cap: Cap, usd: int, word: str
) -> None:
    sizing = Sizing(symbol_usd={BTC: D(250_000)})
    assert wished_notional(sizing, symbol, trigger_usd, cap) == (usd, word)


def test_fewer_tiers_take_the_first_names() -> None:
    sizing = Sizing(tiers=((D(B), D(9)), (D(0), D(3))))
    assert tier_of(sizing, D(B)) == (9, "mega")
    assert tier_of(sizing, D(B - 1)) == (3, "large")


@given(st.integers(1, 10**13), st.integers(1, 10**13))
def test_a_larger_coin_is_never_sized_smaller(one: int, other: int) -> None:
    small, large = (tier_of(Sizing(), D(cap)) for cap in sorted((one, other)))
    assert small[0] <= large[0]
    assert TIER_NAMES.index(small[1]) >= TIER_NAMES.index(large[1])


SIGNAL_CASES: list[tuple[list[int], list[tuple[int, str]]]] = [
    ([], []),
    ([100], [(100, "a")]),
    ([101], [(100, "sizing.signal_usd_max")]),
    ([60, 40], [(60, "a"), (40, "b")]),
    ([60, 50], [(60, "a"), (40, "sizing.signal_usd_max")]),
    (
        [100, 1, 5],
        [(100, "a"), (0, "sizing.signal_usd_max"), (0, "sizing.signal_usd_max")],
    ),
    ([30, 80, 10], [(30, "a"), (70, "sizing.signal_usd_max"), (0, "sizing.signal_usd_max")]),
]


@pytest.mark.parametrize(("wishes", "shares"), SIGNAL_CASES)
def test_one_signal_shares_its_dollars_in_order(
    wishes: list[int], shares: list[tuple[int, str]]
) -> None:
    given_ = [(D(usd), word) for usd, word in zip(wishes, "abc", strict=False)]
    assert share_out(given_, D(100)) == shares


@given(st.lists(USD, max_size=6), st.decimals("1", "300000", places=2))
def test_a_signal_never_exceeds_its_dollars(wishes: list[Decimal], most: Decimal) -> None:
    shares = share_out([(usd, "a") for usd in wishes], most)
    assert sum((usd for usd, _ in shares), D(0)) == min(sum(wishes, D(0)), most)
    assert len(shares) == len(wishes)
    for (share, word), usd in zip(shares, wishes, strict=True):
        assert 0 <= share <= usd
        assert (word == "a") is (share == usd)
