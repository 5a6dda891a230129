"""Contracts: which bracket holds a notional, right at its edges, and with no bracket at all."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.contract import Contract
from lowcap.paper.contracts import ladder, listed_contracts

BTC = listed_contracts()["BTCUSDT"][0]
PEPE = listed_contracts()["1000PEPEUSDT"][0]
CENT = Decimal("0.01")


@pytest.mark.parametrize("contract", [BTC, PEPE])
def test_a_bracket_holds_its_cap_and_no_cent_more(contract: Contract) -> None:
    for bracket, above in pairwise(contract.brackets):
        assert contract.leverage_for(bracket.notional_cap, 200) == bracket.leverage
        assert contract.leverage_for(bracket.notional_cap + CENT, 200) == above.leverage
        assert contract.notional_cap_at(bracket.leverage) == bracket.notional_cap
        assert contract.notional_cap_at(bracket.leverage + 1) < bracket.notional_cap
    last = contract.brackets[-1]
    assert contract.leverage_for(last.notional_cap + CENT, 200) == 1
    assert contract.notional_cap_at(1) == last.notional_cap
    assert contract.notional_cap_at(1_000) == 0


@pytest.mark.parametrize("contract", [BTC, PEPE])
def test_maintenance_margin_is_continuous_over_the_edges(contract: Contract) -> None:
    for bracket in contract.brackets[:-1]:
        below = contract.maintenance_margin(bracket.notional_cap)
        above = contract.maintenance_margin(bracket.notional_cap + CENT)
        assert 0 <= above - below < CENT


@given(st.decimals("1", "1000000000", places=2), st.integers(1, 150))
def test_leverage_never_exceeds_the_ceiling_or_the_bracket(notional: Decimal, most: int) -> None:
    leverage = PEPE.leverage_for(notional, most)
    assert 1 <= leverage <= most
    if leverage > 1:
        assert notional <= PEPE.notional_cap_at(leverage)


def test_sample_values_of_the_reference() -> None:
    assert [int(b.cum) for b in ladder("major")[:4]] == [0, 300, 1500, 12000]
    assert [int(b.cum) for b in ladder("other")[:4]] == [0, 70, 1070, 2570]


def test_a_contract_without_brackets_allows_nothing_and_does_not_fail() -> None:
    bare = msgspec.structs.replace(BTC, brackets=())
    assert bare.leverage_for(Decimal(100), 20) == 1
    assert bare.notional_cap_at(1) == 0
    assert bare.maintenance_margin(Decimal(100)) == Decimal(100)
