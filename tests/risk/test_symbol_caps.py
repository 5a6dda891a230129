"""Capitalisations by ticker and by symbol: how long they count, and which ticker decides."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.caps import USABLE_MS, CapTable, NoCap
from lowcap.risk.caps import SymbolCaps, caps_by_symbol

D = Decimal
T0 = 1_795_300_000_000
TABLE = CapTable(usd={"BTC": D(2), "PEPE": D(5), "1000PEPE": D(3), "GONE": D(9)}, loaded_ms=T0)
SYMBOLS = {"BTC": "BTCUSDT", "PEPE": "1000PEPEUSDT", "1000PEPE": "1000PEPEUSDT", "ETH": "ETHUSDT"}


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
    assert SymbolCaps().of("BTCUSDT", T0) is NoCap.NO_TABLE


def test_the_largest_coin_comes_first() -> None:
    assert CapTable().by_size() == []
    table = CapTable(usd={"C": D(1), "B": D(7), "A": D(1), "D": D(90)})
    assert table.by_size() == ["D", "B", "A", "C"]


def test_the_largest_of_a_symbols_tickers_decides() -> None:
    caps = caps_by_symbol(TABLE, SYMBOLS.get)
    assert caps.usd == {"BTCUSDT": D(2), "1000PEPEUSDT": D(5)}
    assert caps.of("1000PEPEUSDT", T0) == D(5)
    assert caps.of("ETHUSDT", T0) is NoCap.UNKNOWN
    assert caps.of("BTCUSDT", T0 + USABLE_MS + 1) is NoCap.NO_TABLE


@given(st.dictionaries(st.sampled_from("ABCDEF"), st.integers(1, 10**12).map(D)))
def test_no_symbol_is_smaller_than_any_of_its_tickers(usd: dict[str, Decimal]) -> None:
    symbols = {"A": "X", "B": "X", "C": "Y", "D": "Y", "E": "Z"}
    caps = caps_by_symbol(CapTable(usd=usd, loaded_ms=T0), symbols.get)
    for ticker, cap in usd.items():
        if ticker in symbols:
            assert caps.usd[symbols[ticker]] >= cap
    assert set(caps.usd.values()) <= set(usd.values())
