"""Sizing: the smallest limit wins and is named. Leverage: liquidation lies beyond the stop."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.risk.leverage import safe_leverage
from lowcap.risk.sizing import size_entry, wished_notional
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
]


def size(**given: Any) -> tuple[Decimal, str]:
    found = size_entry(
        (D(given.get("wish", "40000")), "trigger"),
        limits(),
        CONTRACTS[XRP],
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


def test_the_wish_is_the_triggers_else_the_symbols_else_the_default() -> None:
    sizing = Sizing(scale=D("0.5"), default_usd=D(100), symbol_usd={XRP: D(300)})
    assert wished_notional(sizing, XRP, D(1_000)) == (500, "trigger")
    assert wished_notional(sizing, XRP, None) == (150, "symbol")
    assert wished_notional(sizing, BTC, None) == (50, "default")
    assert wished_notional(sizing, XRP, D(0)) == (0, "trigger")


@given(
    st.sampled_from([CONTRACTS[XRP], CONTRACTS[BTC]]),
    st.decimals("1", "20000000", places=0),
    st.integers(1, 20),
    st.decimals("0.1", "40", places=1),
)
def test_liquidation_is_at_least_twice_as_far_as_the_stop(
    contract: Any, notional: Decimal, most: int, stop_pct: Decimal
) -> None:
    leverage = safe_leverage(contract, notional, most, stop_pct)
    assert 1 <= leverage <= most
    ratio = contract.maintenance_margin(notional) / notional
    distance = D(1) / leverage - ratio
    assert leverage == 1 or distance * 100 >= 2 * stop_pct
    assert leverage == 1 or notional <= contract.notional_cap_at(leverage)
    if leverage < min(most, contract.leverage_for(notional, most)):
        assert (D(1) / (leverage + 1) - ratio) * 100 < 2 * stop_pct


def test_leverage_of_a_contract_without_a_ladder_or_a_size() -> None:
    bare = msgspec.structs.replace(CONTRACTS[XRP], brackets=())
    assert safe_leverage(bare, D(10_000), 20, D(2)) == 1
    assert safe_leverage(bare, D(0), 20, D(2)) == 1
    assert safe_leverage(CONTRACTS[XRP], D(0), 20, D(2)) == 20
