"""Which coins a text confirms: every way that counts, and everything that only looks like one."""

from __future__ import annotations

import pytest
from detection_kit import assert_linear, coins
from hypothesis import given
from hypothesis import strategies as st

from lowcap.detection.names import CoinNames, NameBook, curated, tickers_after
from lowcap.detection.text import normalise

BOOK = NameBook(curated().coin)


def _named(text: str) -> list[str]:
    """The tickers confirmed among coins that trade."""
    return list(coins().named(normalise(text)))


@pytest.mark.parametrize(
    ("text", "tickers"),
    [
        # Cashtags, in any case, also of words, also alone.
        ("$SOL", ["SOL"]), ("buy $sol now", ["SOL"]), ("$Link!", ["LINK"]), ("$ONE", ["ONE"]),
        ("$S", ["S"]), ("US$SOL", ["SOL"]), ("$SOL/$ADA", ["SOL", "ADA"]), ("$SOL_", ["SOL"]),
        ("$SOLS", []), ("$SOL2", []), ("$SOLé", []), ("$ SOL", ["SOL"]), ("$NOPE", []),
        # In brackets, in capitals only.
        ("x (SOL)", ["SOL"]), ("x ($SOL)", ["SOL"]), ("x (ONE)", ["ONE"]), ("x (S)", ["S"]),
        ("x (sol)", []), ("x ( ONE )", []), ("x (ONE token)", []), ("x (ABCDEFGHIJKLMNOP)", []),
        # Project names, as written or in capitals.
        ("the Solana Trust", ["SOL"]), ("SOLANA", ["SOL"]), ("solana", []), ("Solanas", []),
        ("XSolana", []), ("Solana's", ["SOL"]), ("Chainlink", ["LINK"]),
        ("NEAR Protocol", ["NEAR"]),
        ("Ripple XRP", ["XRP"]), ("Polkadot and Uniswap", ["DOT", "UNI"]), ("#Hedera", ["HBAR"]),
        # The bare ticker, in capitals, from three letters, where it is no word.
        ("SOL up", ["SOL"]), ("sol up", []), ("XRP, ADA", ["XRP", "ADA"]), ("SOLX", []),
        ("WSOL", []), ("SOL_1", []), ("#SOL", ["SOL"]), ("SOL-based", ["SOL"]),
        ("ONE of NEAR and LINK", []), ("OP", []), ("COMP", []), ("API3", ["API3"]), ("TRUMP", []),
        # In order of appearance, each once.
        ("ADA then $sol then Cardano (SOL)", ["ADA", "SOL"]),
        ("nothing", []), ("", []),
    ],
)  # fmt: skip
def test_ways_to_name_a_coin(text: str, tickers: list[str]) -> None:
    assert _named(text) == tickers


@pytest.mark.parametrize(
    ("text", "tickers"),
    [
        ("Bitcoin Cash", ["BCH"]),
        ("BITCOIN CASH", ["BCH"]),
        ("Bitcoin Cash and Bitcoin", ["BCH", "BTC"]),
        ("Bitcoin cash", ["BTC"]),  # not as it is written
        ("Ethereum Classic", ["ETC"]),
        ("Ethereum ETC", ["ETH"]),  # ETC is a word
        ("Immutable X", ["IMX"]),
        ("Harmony ONE", ["ONE"]),
        ("NEAR Protocol", ["NEAR"]),
        ("Ripple XRP", ["XRP"]),
    ],
)
def test_a_longer_name_takes_the_place_of_those_inside_it(text: str, tickers: list[str]) -> None:
    assert _named(text) == tickers


def test_where_names_overlap_the_longer_one_counts_and_then_the_earlier() -> None:
    book = NameBook(
        {
            "AAA": CoinNames(names=("red fox",)),
            "BBB": CoinNames(names=("fox den",)),
            "CCC": CoinNames(names=("fox dens",)),
            "DDD": CoinNames(names=("DDD red",)),
        }
    )
    assert book.named("red fox") == ("AAA",)
    assert book.named("red fox den") == ("AAA",)
    assert book.named("red fox dens") == ("CCC",)
    assert book.named("red fox, fox den") == ("AAA", "BBB")
    assert book.named("DDD red fox") == ("DDD",)  # of equal length
    assert book.named("DDD fox dens") == ("DDD", "CCC")


def test_an_unlisted_coin_takes_its_place_too() -> None:
    table = coins()
    table.load({"BTC": "BTCUSDT"})
    assert table.named("Bitcoin Cash") == ()
    assert table.named("Bitcoin Cash, Bitcoin") == ("BTC",)


WEAK = ["Stellar", "Avalanche", "Optimism", "Stacks", "Polygon", "Immutable", "Gravity",
        "Injective", "Big Time"]  # fmt: skip


@pytest.mark.parametrize("name", WEAK)
@pytest.mark.parametrize(
    "before",
    [
        "",
        " ",
        "x. ",
        "x! ",
        "x? ",
        "x: ",
        "x | ",
        "x\n",
        "x.",
        "x:",
        '"',
        "(",
        "🚨 ",
        'x: "',
        "x. - ",
    ],
)
def test_a_weak_name_opens_no_sentence(name: str, before: str) -> None:
    assert _named(f"{before}{name} rises") == []
    assert _named(f"{before}{name.upper()} rises") == []


@pytest.mark.parametrize("name", WEAK)
@pytest.mark.parametrize("before", ["with ", "x, ", "x; ", "x - ", 'x "', "x (", "x #", "x.. or "])
def test_a_weak_name_counts_elsewhere(name: str, before: str) -> None:
    assert len(_named(f"{before}{name} rises")) == 1
    assert len(_named(f"{before}{name.upper()} rises")) == 1
    assert _named(f"{before}{name.lower()} rises") == []
    assert _named(f"{name} rises with {name}") == _named(f"with {name}")


def test_a_weak_name_at_the_beginning_still_takes_its_place() -> None:
    book = NameBook({"AAA": CoinNames(weak=("BBB fund",)), "BBB": CoinNames()})
    assert book.named("BBB fund") == ()
    assert book.named("the BBB fund") == ("AAA",)
    assert book.named("BBB") == ("BBB",)


@pytest.mark.parametrize(
    "tag",
    ["(NYSE: SOL)", "(NASDAQ:SOL)", "NYSE: SOL", "(Nasdaq: $SOL)", "(NYSE American: SOL)",
     "(OTCQX: SOL)", "(TSXV: SOL)", "(KRX: SOL)", "(nyse:sol)", "(NYSE : SOL)", "(NYSE: SOL.A)"],
)  # fmt: skip
def test_the_ticker_of_a_share_is_no_coin(tag: str) -> None:
    assert _named(f"Sol Inc {tag} reports") == []
    assert _named(f"Sol Inc {tag} buys SOL") == ["SOL"]


@pytest.mark.parametrize("text", ["DYSE: SOL", "exchange: SOL", "NYSE lists SOL", "NYSE SOL"])
def test_other_colons_are_no_exchange(text: str) -> None:
    assert _named(text) == ["SOL"]


@pytest.mark.parametrize(
    "text",
    [
        "https://x.io/SOL",
        "see www.SOL.io/x",
        "x.io/$SOL",
        "http://a/(SOL)",
        "HTTPS://SOLANA.io/SOL",
    ],
)
def test_addresses_name_nothing(text: str) -> None:
    assert _named(text) == []
    assert _named(f"{text} SOL") == ["SOL"]


@pytest.mark.parametrize("ticker", [*curated().stable, *curated().wrapped])
def test_pegged_and_wrapped_coins_never_count(ticker: str) -> None:
    table = coins()
    table.load({ticker: f"{ticker}X", "SOL": "SOLUSDT"})
    assert table.named(f"${ticker} ({ticker}) {ticker} SOL") == ("SOL",)
    assert table.symbol(ticker) is None
    assert not table.is_coin(ticker)


def test_the_curated_table_is_in_order_and_unambiguous() -> None:
    table = curated()
    assert list(table.coin) == sorted(table.coin)
    ids = [coin.id for coin in table.coin.values() if coin.id]
    assert len(ids) == len(set(ids))
    names = [n for coin in table.coin.values() for n in (*coin.names, *coin.weak)]
    assert len(names) == len(set(names))
    assert not table.never & table.coin.keys()
    words = "ONE GAS NEAR LINK SUN HOT ACT ME NOT TRUMP PEOPLE SUPER COMP MASK OP IP S W F H T G"
    for ticker in [*words.split(), "DOT", "HYPE", "RAY", "CAT", "BEAM", "LAYER"]:
        assert table.coin[ticker].word, ticker
    for name in WEAK:
        assert any(name in coin.weak for coin in table.coin.values()), name


@pytest.mark.parametrize(
    ("text", "tickers"),
    [
        ("Morpho (MORPHO), S ($S) and $link", ("MORPHO", "S", "LINK")),
        ("(morpho) MORPHO Morpho", ()),
        ("(A)(A)", ("A",)),
        ("(NEW1)", ("NEW1",)),
    ],
)
def test_tickers_behind_a_place(text: str, tickers: tuple[str, ...]) -> None:
    assert tickers_after(text, 0) == tickers
    assert tickers_after(f"(SOL) {text}", 5) == tickers


PIECES = st.lists(
    st.sampled_from(["Bitcoin", " Cash", "SOL", "$", "(", ")", " ", "NYSE: ", "Stellar", ".", "x",
                     "Immutable", " X", "\n", "ONE", "a.b/", "İ", "😀"]),
    max_size=14,
).map("".join)  # fmt: skip


@given(st.text(max_size=80) | PIECES)
def test_every_answer_stands_in_the_text(text: str) -> None:
    for ticker in BOOK.named(text):
        coin = curated().coin.get(ticker, CoinNames())
        forms = [ticker, *coin.names, *coin.weak]
        assert any(form.upper() in text.upper() for form in forms)
    named = coins().named(text)
    assert len(set(named)) == len(named)
    assert list(named) == [t for t in BOOK.named(text) if coins().symbol(t)]


@pytest.mark.parametrize(
    "piece",
    ["SOL ", "$SOL ", "(SOL)", "Bitcoin Cash ", "Stellar ", "NYSE: A ", "Bitcoin ", " x.io/"],
)
def test_names_cost_no_more_than_the_text_is_long(piece: str) -> None:
    assert_linear(BOOK.named, piece, count=100)
