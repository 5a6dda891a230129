"""From ticker to symbol: scaled, renamed, look-alike and untradable coins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.detection.coins import STABLE_OR_WRAPPED, CoinTable


def _table(*bases: str, **overrides: str) -> CoinTable:
    return CoinTable({base: f"{base}USDT" for base in bases}, overrides)


@pytest.mark.parametrize(
    ("ticker", "symbol"),
    [
        ("BTC", "BTCUSDT"),
        ("SHIB", "1000SHIBUSDT"),
        ("1000SHIB", "1000SHIBUSDT"),
        ("MOG", "1000000MOGUSDT"),
        ("BABYDOGE", "1MBABYDOGEUSDT"),
        ("CAT", "1000CATUSDT"),
        ("LUNA", "LUNA2USDT"),
        ("RON", "RONINUSDT"),
        ("BEAM", "BEAMXUSDT"),
        ("DODO", "DODOXUSDT"),
        ("RAY", "RAYSOLUSDT"),
        ("1000X", "1000XUSDT"),
        ("X", None),  # 1000X is a name, not a thousand X
        ("NEIRO", "NEIROUSDT"),
        ("NEIROETH", "NEIROETHUSDT"),
        ("000MOG", None),
        ("MBABYDOGE", None),
        ("btc", None),
        ("", None),
        ("UNHEARD", None),
        ("USDC", None),
        ("WBTC", None),
    ],
)
def test_tickers(ticker: str, symbol: str | None) -> None:
    bases = "BTC 1000SHIB 1000000MOG 1MBABYDOGE 1000CAT LUNA2 RONIN BEAMX DODOX RAYSOL 1000X"
    table = _table(*bases.split(), "NEIRO", "NEIROETH", "USDC", "WBTC")
    assert table.symbol(ticker) == symbol


def test_a_listed_coin_beats_a_scaled_one_of_its_name() -> None:
    table = _table("SATS", "1000SATS", "1000000MOG", "MOG")
    assert table.symbol("SATS") == "SATSUSDT"
    assert table.symbol("1000SATS") == "1000SATSUSDT"
    assert table.symbol("MOG") == "MOGUSDT"
    assert table.symbol("000MOG") is None


def test_renamed_only_where_the_new_contract_is_listed() -> None:
    assert _table("LUNA").symbol("LUNA") == "LUNAUSDT"
    assert _table("LUNA", "LUNA2").symbol("LUNA") == "LUNA2USDT"
    assert _table("BTC").symbol("LUNA") is None


def test_overrides() -> None:
    table = _table("POL", "SONIC", MATIC="POL", S="SONIC", FTM="GONE", USDC="POL", LUNA="POL")
    assert table.symbol("MATIC") == "POLUSDT"
    assert table.symbol("S") == "SONICUSDT"
    assert table.symbol("FTM") is None
    assert table.symbol("LUNA") == "POLUSDT"
    assert table.symbol("USDC") is None  # pegged coins stay out whatever is written


def test_loading_again_forgets_what_was_delisted() -> None:
    table = _table("AAA", "1000BBB", CCC="AAA")
    table.load({"1000BBB": "1000BBBUSDT"})
    assert (table.symbol("AAA"), table.symbol("CCC")) == (None, None)
    assert sorted(table.tickers()) == ["1000BBB", "BBB"]
    table.load({})
    assert list(table.tickers()) == []


BASES = st.from_regex(r"(1000|1000000|1M)?[A-Z0-9]{1,6}", fullmatch=True)


@given(st.sets(BASES, max_size=20))
def test_every_base_is_its_own_ticker_and_no_symbol_is_invented(bases: set[str]) -> None:
    table = CoinTable({base: f"{base}USDT" for base in bases})
    for base in bases - STABLE_OR_WRAPPED:
        assert table.symbol(base) is not None
    assert {table.symbol(ticker) for ticker in table.tickers()} <= {f"{b}USDT" for b in bases}
    assert not STABLE_OR_WRAPPED & set(table.tickers())
