"""Capitalisations by ticker: how long they count, and which is the largest."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lowcap.core.caps import USABLE_MS, CapTable, NoCap

D = Decimal
T0 = 1_795_300_000_000
TABLE = CapTable(usd={"BTC": D(2), "PEPE": D(5), "1000PEPE": D(3), "GONE": D(9)}, loaded_ms=T0)


@pytest.mark.parametrize(
    ("age_ms", "usable"),
    [(0, True), (USABLE_MS, True), (USABLE_MS + 1, False), (-1, True), (-USABLE_MS - 1, False)],
)
def test_a_table_counts_for_a_day(age_ms: int, usable: bool) -> None:
    assert TABLE.is_usable(T0 + age_ms) is usable
    assert TABLE.of("BTC", T0 + age_ms) == (D(2) if usable else NoCap.NO_TABLE)
    assert TABLE.of("XRP", T0 + age_ms) == (NoCap.UNKNOWN if usable else NoCap.NO_TABLE)


@pytest.mark.parametrize(("age_ms", "stale"), [(0, False), (600_000, False), (600_001, True)])
def test_stale_after_two_intervals(age_ms: int, stale: bool) -> None:
    assert TABLE.is_stale(T0 + age_ms, 300) is stale


def test_what_was_never_loaded_is_neither_usable_nor_stale() -> None:
    assert not CapTable().is_usable(T0)
    assert not CapTable().is_usable(0)
    assert not CapTable().is_stale(T0, 300)
    assert CapTable().of("BTC", T0) is NoCap.NO_TABLE


def test_the_largest_coin_comes_first() -> None:
    assert CapTable().by_size() == []
    table = CapTable(usd={"C": D(1), "B": D(7), "A": D(1), "D": D(90)})
    assert table.by_size() == ["D", "B", "A", "C"]
