"""Leverage set ahead of time: for the largest entry that a symbol may see."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.caps import Cap, NoCap
from lowcap.core.contract import Contract
from lowcap.core.money import Side
from lowcap.detection.matchers.payroll import PayrollMatch
from lowcap.detection.rules import Trigger
from lowcap.risk.leverage import LeverageTable, LeverageTables, plan_leverage
from lowcap.settings import Settings, Sizing
from tests.risk.risk_kit import BTC, CONTRACTS, ETH, XRP, D, settings


def _settings(**sizing: object) -> Settings:
    base = settings(position_notional_usd_max=D(2_000_000))
    return attrs.evolve(base, sizing=Sizing(**sizing))  # type: ignore[arg-type]


def _trigger(usd: dict[str, Decimal]) -> Trigger:
    match = PayrollMatch(stream_id="x", rate="in-line", symbols=(ETH,), at_most=D(1))
    return Trigger(
        id="t", feeds=("f",), side=Side.BUY, matcher="payroll", key="k", match=match,
        notional_usd=usd,
    )  # fmt: skip


def _for(symbol: str, usd: int) -> int:
    return LeverageTable(CONTRACTS[symbol], 20, D(2)).best(D(usd))


def _planned(
    contracts: dict[str, Contract], made: Settings, caps: Callable[[str], Cap] | None = None
) -> dict[str, int]:
    return plan_leverage(contracts, made, LeverageTables(), lambda symbol: D(2), caps)


def test_without_a_table_the_default_or_the_symbols_own_amount() -> None:
    planned = _planned(CONTRACTS, _settings(symbol_usd={BTC: D(1_500_000)}))
    assert planned == {
        BTC: _for(BTC, 1_500_000),
        ETH: _for(ETH, 14_567),
        XRP: _for(XRP, 14_567),
    }


def test_with_a_table_the_tier() -> None:
    caps: dict[str, Cap] = {BTC: D(10**12), ETH: D(10**11), XRP: NoCap.UNKNOWN}
    tiers = ((D(10**12), D(1_900_000)), (D(10**11), D(1_200_000)), (D(0), D(1)))
    planned = _planned(CONTRACTS, _settings(tiers=tiers, unknown_usd=D(700_000)), caps.__getitem__)
    assert planned == {
        BTC: _for(BTC, 1_900_000),
        ETH: _for(ETH, 1_200_000),
        XRP: _for(XRP, 700_000),
    }
    assert planned[XRP] < _for(XRP, 14_567)  # the amounts do matter here


def test_the_largest_of_triggers_and_the_rest() -> None:
    made = _settings(scale=D("0.5"), unknown_usd=D(10_000))
    triggers = (_trigger({XRP: D(1_400_000)}), _trigger({XRP: D(20)}), _trigger({BTC: D(20)}))
    made = attrs.evolve(made, trigger=triggers)
    planned = _planned(CONTRACTS, made, lambda symbol: NoCap.UNKNOWN)
    assert planned == {BTC: _for(BTC, 5_000), ETH: _for(ETH, 5_000), XRP: _for(XRP, 700_000)}


def test_no_more_than_a_position_may_be_and_trading_contracts_only() -> None:
    made = attrs.evolve(settings(), sizing=Sizing(symbol_usd={XRP: D(1_900_000)}))
    settling = msgspec.structs.replace(CONTRACTS[BTC], status="SETTLING")
    planned = _planned({XRP: CONTRACTS[XRP], BTC: settling}, made)
    assert planned == {XRP: _for(XRP, 80_000)}
    assert _for(XRP, 80_000) > _for(XRP, 1_900_000)


# -- the table -------------------------------------------------------------------


def _distance_holds(contract: Contract, usd: Decimal, leverage: int, stop_pct: Decimal) -> bool:
    """The plain rule, times leverage and notional, so that nothing is rounded."""
    margin = contract.maintenance_margin(usd)
    return usd - leverage * margin >= leverage * usd * 2 * stop_pct / 100


def _allowed(contract: Contract, usd: Decimal, leverage: int, stop_pct: Decimal) -> bool:
    fits = usd <= contract.notional_cap_at(leverage)
    return fits and _distance_holds(contract, usd, leverage, stop_pct)


@given(
    st.sampled_from([CONTRACTS[XRP], CONTRACTS[BTC]]),
    st.decimals("0.01", "20000000", places=2),
    st.integers(1, 20),
    st.decimals("0.1", "40", places=1),
)
def test_the_best_leverage_is_the_highest_that_the_plain_rule_allows(
    contract: Contract, usd: Decimal, most: int, stop_pct: Decimal
) -> None:
    table = LeverageTable(contract, most, stop_pct)
    allowed = [n for n in range(1, most + 1) if _allowed(contract, usd, n, stop_pct)]
    assert table.best(usd) == max(allowed, default=1)


STOPS = [D(tenths) / 10 for tenths in (1, 5, 10, 15, *range(18, 41), 50, 80, 100, 200, 400)]


@pytest.mark.parametrize("contract", [CONTRACTS[XRP], CONTRACTS[BTC]], ids=[XRP, BTC])
@pytest.mark.parametrize("stop_pct", STOPS)
def test_the_largest_position_is_allowed_and_a_cent_more_is_not(
    contract: Contract, stop_pct: Decimal
) -> None:
    table, cent = LeverageTable(contract, 20, stop_pct), D("0.01")
    for leverage in range(1, 126):
        largest = table.largest(leverage)
        assert largest == min(table.bounds(leverage))
        assert not largest or _allowed(contract, largest, leverage, stop_pct)
        assert not _allowed(contract, largest + cent, leverage, stop_pct)


EDGES: list[tuple[str, int, int]] = [
    # Bracket 3 of XRP: 214,000 leaves exactly twice the stop at 20x (docs/venue.md, margin).
    (XRP, 1, 20),
    (XRP, 20_000, 20),
    (XRP, 200_000, 20),
    (XRP, 214_000, 20),
    (XRP, 214_001, 19),
    # The ratio of the bracket from 1,500,000 up is reached only beyond it.
    (XRP, 1_500_001, 17),
    # Bitcoin: ratios up to 1 % hold at 20x, which its fourth bracket has.
    (BTC, 3_000_000, 20),
    (BTC, 12_000_000, 20),
]


@pytest.mark.parametrize(("symbol", "usd", "leverage"), EDGES)
def test_edges_of_brackets_and_of_the_liquidation_distance(
    symbol: str, usd: int, leverage: int
) -> None:
    assert _for(symbol, usd) == leverage


def test_a_wider_stop_leaves_less_leverage() -> None:
    stops = [D("0.5"), D(2), D(5), D(10), D(40)]
    found = [LeverageTable(CONTRACTS[XRP], 20, stop).best(D(10_000)) for stop in stops]
    assert found == [20, 20, 9, 4, 1]


def test_without_a_ladder_there_is_room_for_nothing() -> None:
    bare = LeverageTable(msgspec.structs.replace(CONTRACTS[XRP], brackets=()), 20, D(2))
    assert bare.best(D(10_000)) == 1
    assert [bare.largest(n) for n in (1, 20, 75)] == [0, 0, 0]


def test_tables_are_built_once_for_what_they_are_built_from() -> None:
    tables = LeverageTables()
    tables.prepare(CONTRACTS, 20, lambda symbol: D(3) if symbol == BTC else D(2))
    xrp = tables.of(CONTRACTS[XRP], 20, D(2))
    assert xrp is tables.of(msgspec.structs.replace(CONTRACTS[XRP]), 20, D(2))
    assert tables.of(CONTRACTS[BTC], 20, D(3)).stop_pct == 3

    changes: list[tuple[Any, int, Decimal]] = [
        (msgspec.structs.replace(CONTRACTS[XRP], brackets=()), 20, D(2)),
        (CONTRACTS[XRP], 10, D(2)),
        (CONTRACTS[XRP], 10, D(1)),
    ]
    for changed in changes:
        assert tables.of(*changed).fits(*changed)
    tables.prepare({XRP: CONTRACTS[XRP]}, 20, lambda symbol: D(2))
    assert tables.of(CONTRACTS[XRP], 20, D(2)) is not xrp


def test_the_stop_of_each_symbol_decides_its_leverage() -> None:
    planned = plan_leverage(
        CONTRACTS, _settings(), LeverageTables(), lambda symbol: D(5) if symbol == XRP else D(2)
    )
    assert planned[XRP] < planned[ETH] == 20
