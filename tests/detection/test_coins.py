"""From ticker to symbol: scaled, renamed, look-alike and untradable coins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.detection.coins import RENAMED, CoinTable, universe_of
from lowcap.detection.names import CoinNames, Curated, curated

NEVER = curated().never


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


def test_of_two_scales_the_one_that_is_listed_first() -> None:
    assert _table("1000AB", "1MAB").symbol("AB") == "1000ABUSDT"
    assert _table("1MAB", "1000AB").symbol("AB") == "1MABUSDT"


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


def test_overrides_may_change_while_running() -> None:
    table = _table("POL", "SONIC", MATIC="POL")
    table.override({"S": "SONIC"})
    assert (table.symbol("MATIC"), table.symbol("S")) == (None, "SONICUSDT")
    table.load({"SONIC": "SONICUSDT", "POL": "POLUSDT"})
    assert table.symbol("S") == "SONICUSDT"
    table.override({})
    assert table.symbol("S") is None


@pytest.mark.parametrize(
    ("symbol", "ticker"),
    [
        ("BTCUSDT", "BTC"),
        ("1000PEPEUSDT", "PEPE"),
        ("1000000MOGUSDT", "MOG"),
        ("LUNA2USDT", "LUNA"),
        ("RONINUSDT", "RON"),
        ("RAYSOLUSDT", "RAY"),
        ("1000XUSDT", "1000X"),
        ("UNHEARDUSDT", "UNHEARD"),  # listed, but in no table of names
        ("NOSUCHUSDT", ""),
        ("USDCUSDT", ""),
        ("", ""),
    ],
)
def test_what_news_calls_the_coin_of_a_symbol(symbol: str, ticker: str) -> None:
    bases = "BTC 1000PEPE 1000000MOG LUNA2 RONIN RAYSOL 1000X UNHEARD USDC"
    assert _table(*bases.split()).ticker(symbol) == ticker


def test_every_renamed_coin_is_found_both_ways() -> None:
    table = _table(*RENAMED.values())
    for ticker, base in RENAMED.items():
        assert table.symbol(ticker) == table.symbol(base) == f"{base}USDT"
        assert table.ticker(f"{base}USDT") == ticker


def test_the_largest_come_first_and_unknown_ones_last() -> None:
    table = _table("A", "B", "C", "D")
    assert table.largest(("D", "C", "B"), 2) == ("D", "C")  # as they stand while no order is known
    table.rank(["B", "A", "C"])
    assert table.largest(("D", "C", "B", "A"), 9) == ("B", "A", "C", "D")
    assert table.largest(("D", "C", "B", "A"), 2) == ("B", "A")
    assert table.largest(("E", "D"), 1) == ("E",)
    assert table.largest((), 3) == ()
    table.rank([])
    assert table.largest(("C", "B"), 2) == ("C", "B")


def test_a_table_from_a_file() -> None:
    table = universe_of(
        {
            "stablecoins": ["USDX"],
            "wrapped": ["WFOX"],
            "coins": {
                "FOX": {"symbol": "1000FOXUSDT", "aliases": ["Fox Net", "Vixen"],
                        "weak_aliases": ["Vixen"]},
                "DEN": {"symbol": "DENUSDT", "english_word": True},
                "WFOX": {"symbol": "WFOXUSDT"},
            },
        }
    )  # fmt: skip
    assert (table.symbol("FOX"), table.symbol("DEN")) == ("1000FOXUSDT", "DENUSDT")
    assert (table.symbol("WFOX"), table.symbol("BTC")) == (None, None)
    assert table.named("Fox Net, the Vixen, DEN, (DEN) and WFOX") == ("FOX", "DEN")
    assert table.named("Vixen") == ()
    assert table.named("Bitcoin BTC") == ()
    assert (table.is_coin("USDX"), table.is_coin("FOX")) == (False, True)
    assert table.ticker("1000FOXUSDT") == "FOX"


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        ({}, "coins"),
        ({"coins": []}, "coins"),
        ({"coins": {"A": 5}}, "coins.A"),
        ({"coins": {"A": {}}}, "coins.A"),
        ({"coins": {"A": {"symbol": 5}}}, "coins.A"),
        ({"coins": {"A": {"symbol": "AUSDT", "aliases": "x"}}}, "A aliases"),
        ({"coins": {"A": {"symbol": "AUSDT", "weak_aliases": [5]}}}, "A weak_aliases"),
        ({"coins": {}, "wrapped": "WBTC"}, "wrapped"),
    ],
)
def test_a_file_of_another_form(tree: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        universe_of(tree)


def test_names_given_stand_instead_of_the_curated_ones() -> None:
    names = Curated(coin={"AAA": CoinNames(names=("Triple",))}, stable=("BBB",))
    table = CoinTable({"AAA": "AAAUSDT", "BBB": "BBBUSDT", "SOL": "SOLUSDT"}, names=names)
    assert table.named("Triple Solana $SOL $BBB") == ("AAA", "SOL")


BASES = st.from_regex(r"(1000|1000000|1M)?[A-Z0-9]{1,6}", fullmatch=True)


@given(st.sets(BASES, max_size=20))
def test_every_base_is_its_own_ticker_and_no_symbol_is_invented(bases: set[str]) -> None:
    table = CoinTable({base: f"{base}USDT" for base in bases})
    for base in bases - NEVER:
        assert table.symbol(base) is not None
    assert {table.symbol(ticker) for ticker in table.tickers()} <= {f"{b}USDT" for b in bases}
    assert not NEVER & set(table.tickers())


def test_the_coin_behind_a_symbol_is_the_one_that_news_names() -> None:
    table = _table("BTC", "1000PEPE", "LUNA2", "RAYSOL", "NEWCOIN")
    symbols = ("BTCUSDT", "1000PEPEUSDT", "LUNA2USDT", "RAYSOLUSDT", "NEWCOINUSDT")
    assert [table.ticker(s) for s in symbols] == ["BTC", "PEPE", "LUNA", "RAY", "NEWCOIN"]
    assert table.ticker("GONEUSDT") == ""


def test_new_overrides_take_effect_at_once() -> None:
    table = _table("POL", "BTC")
    assert table.symbol("MATIC") is None
    table.override({"MATIC": "POL"})
    assert table.symbol("MATIC") == "POLUSDT"
    table.override({})
    assert table.symbol("MATIC") is None
    assert table.symbol("BTC") == "BTCUSDT"


def test_the_largest_of_some_coins() -> None:
    table = _table("AAA", "BBB", "CCC", "DDD")
    assert table.largest(("CCC", "AAA", "DDD"), 2) == ("CCC", "AAA")  # nothing known: as they come
    table.rank(["DDD", "BBB", "AAA"])
    assert table.largest(("CCC", "AAA", "DDD", "BBB"), 3) == ("DDD", "BBB", "AAA")


def test_a_universe_of_given_coins() -> None:
    rows = {
        "PEPE": {"symbol": "1000PEPEUSDT", "aliases": ["Pepecoin"], "english_word": False},
        "XLM": {"symbol": "XLMUSDT", "aliases": ["Stellar"], "weak_aliases": ["Stellar"]},
    }
    table = universe_of({"coins": rows, "stablecoins": ["USDT"], "wrapped": ["WBTC"]})
    assert table.named("Pepecoin and Stellar rise") == ("PEPE", "XLM")
    assert table.named("Stellar rises") == ()
    assert table.symbol("BTC") is None
    assert not table.is_coin("WBTC")


@pytest.mark.parametrize(
    "tree",
    [{}, {"coins": []}, {"coins": {"A": {}}}, {"coins": {"A": {"symbol": 1}}},
     {"coins": {"A": {"symbol": "AUSDT", "aliases": "A"}}}, {"coins": {}, "wrapped": [1]}],
)  # fmt: skip
def test_a_universe_that_is_none(tree: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        universe_of(tree)


def test_the_curated_table_is_sound() -> None:
    table = curated()
    assert len(table.coin) > 300
    assert not table.never & table.coin.keys()
    owners: dict[str, str] = {}
    for ticker, coin in table.coin.items():
        for name in (*coin.names, *coin.weak):
            assert owners.setdefault(name.lower(), ticker) == ticker, name
    assert all(ticker.isascii() and ticker == ticker.upper() for ticker in table.coin)
    assert all(coin.word for ticker, coin in table.coin.items() if len(ticker) < 3)


def test_a_coin_of_its_own_table() -> None:
    own = Curated({"ZZZ": CoinNames(names=("Zed Coin",))}, ("USDT",), ())
    table = CoinTable({"ZZZ": "ZZZUSDT", "USDT": "USDTUSDT"}, None, own)
    assert table.named("Zed Coin, ZZZ and USDT") == ("ZZZ",)
