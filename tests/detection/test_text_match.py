"""The matcher of words: ways to hold, erasing and excusing, which coins, and every fault of it."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from detection_kit import ENABLED, RELEASE_MS, coins, judge_item

from lowcap.core.clock import NS_PER_MS
from lowcap.core.messages import Miss, NewsItem, Signal
from lowcap.core.money import Side
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.sender import Author
from lowcap.detection.matchers.text import Named, TextMatch, Token
from lowcap.detection.matchers.words import Branch
from lowcap.detection.rules import Detector
from lowcap.detection.trigger import Trigger

HEDGE = ("not", "reportedly")


def _detector(table: CoinTable | None = None, **changes: Any) -> Detector:
    fields: dict[str, Any] = {"sources": ("Wire",), "any_of": ("files",), "symbols": ("BTCUSDT",)}
    if {"coins", "tokens", "named"} & changes.keys():
        del fields["symbols"]
    match = TextMatch(**(fields | changes))
    assert list(match.faults()) == []
    rule = Trigger(id="t", feeds=("f",), matcher="text", match=match, key="k", side=Side.BUY)
    return Detector([rule], HEDGE, table or coins())


def _item(title: str, body: str = "", **changes: Any) -> NewsItem:
    fields: dict[str, Any] = {"feed": "f", "source": "wire", "title": title, "body": body}
    return NewsItem(received_ns=RELEASE_MS * NS_PER_MS, **(fields | changes))


def _judge(item: NewsItem, by: Detector) -> Signal | Miss:
    verdict = judge_item(item, by, ENABLED | {"t"})
    return verdict.signal if verdict.signal is not None else verdict.misses[0]


def _targets(item: NewsItem, by: Detector) -> list[tuple[str, str]]:
    signal = _judge(item, by)
    assert isinstance(signal, Signal), signal
    return [(target.symbol, target.key) for target in signal.targets]


def _why(item: NewsItem, by: Detector) -> list[str]:
    miss = _judge(item, by)
    assert isinstance(miss, Miss), miss
    assert miss.reason == miss.failed[0].reason
    return [failure.reason for failure in miss.failed]


# -- which words ---------------------------------------------------------------------


def test_one_of_each_list_and_one_way_of_either() -> None:
    by = _detector(
        all_of=(("trust", "fund"),),
        either=(Branch(all_of=(("alpha",), ("beta",))), Branch(all_of=(("gamma",),))),
    )
    for title in ("alpha beta files trust", "fund files gamma", "gamma alpha files trust fund"):
        assert _targets(_item(title), by) == [("BTCUSDT", "k")]
    for title in ("files trust", "alpha files trust", "alpha beta trust", "gamma files", ""):
        assert _why(_item(title, "x"), by) == ["no-phrase"]


def test_what_the_nearest_way_misses_is_told() -> None:
    by = _detector(
        any_of=(),
        either=(
            Branch(all_of=(("alpha",), ("beta",), ("gamma", "g2", "g3", "g4"))),
            Branch(all_of=(("delta",), ("epsilon",))),
        ),
    )
    miss = _judge(_item("alpha beta"), by)
    assert isinstance(miss, Miss)
    assert (miss.near, miss.matched) == (True, ("alpha", "beta"))
    assert miss.detail == "none of: gamma, g2, g3…"
    miss = _judge(_item("delta"), by)
    assert isinstance(miss, Miss)
    assert (miss.matched, miss.detail) == (("delta",), "none of: epsilon")
    miss = _judge(_item("omega"), by)
    assert isinstance(miss, Miss)
    assert (miss.near, miss.matched) == (False, ())


def test_a_way_may_ask_for_a_coin() -> None:
    words = Branch(all_of=(("files",), ("crypto",)))
    by = _detector(any_of=(), either=(words, Branch(all_of=(("files",),), with_coin=True)))
    assert _targets(_item("files crypto"), by) == [("BTCUSDT", "k")]
    assert _targets(_item("files Solana"), by) == [("BTCUSDT", "k")]
    assert _why(_item("files oil"), by) == ["no-phrase"]
    assert _why(_item("files USDT and $WBTC"), by) == ["no-phrase"]
    only = _detector(any_of=(), either=(Branch(all_of=(("files",),), with_coin=True),))
    miss = _judge(_item("files oil"), only)
    assert isinstance(miss, Miss)
    assert miss.detail == "a coin that it names"


def test_erased_phrases_satisfy_nothing_but_still_block() -> None:
    by = _detector(any_of=("S-1",), erase=("S-1/A",), none_of=("S-1/A",))
    assert _targets(_item("an S-1"), by) == [("BTCUSDT", "k")]
    assert _why(_item("an S-1/A"), by) == ["no-phrase", "forbidden-phrase"]
    assert _why(_item("an S-1/A of an S-1"), by) == ["forbidden-phrase"]


def test_excused_phrases_block_nothing_but_still_satisfy() -> None:
    by = _detector(any_of=("rule",), excuse=("not a rule",), none_of=("a rule",))
    assert _targets(_item("not a rule"), by) == [("BTCUSDT", "k")]
    assert _why(_item("not a rule, not"), by) == ["forbidden-phrase"]
    assert _why(_item("a rule"), by) == ["forbidden-phrase"]
    assert _why(_item("not a rule but a rule"), by) == ["forbidden-phrase"]


def test_the_hedge_list_may_be_left_out() -> None:
    assert _why(_item("files not"), _detector()) == ["forbidden-phrase"]
    assert _targets(_item("files not"), _detector(hedge=False)) == [("BTCUSDT", "k")]
    own = _detector(hedge=False, none_of=("not",))
    assert _why(_item("files not"), own) == ["forbidden-phrase"]


def test_every_blocking_word_is_told() -> None:
    miss = _judge(_item("files not, NOT and reportedly"), _detector())
    assert isinstance(miss, Miss)
    assert miss.blocking == ("not", "NOT", "reportedly")
    assert (miss.matched, miss.near, miss.detail) == (("files",), True, "not, NOT, reportedly")


@pytest.mark.parametrize(
    ("text", "title_fires", "body_fires", "apart_fires"),
    [("title", True, False, False), ("body", False, True, False), ("all", True, True, True)],
)
def test_which_text(text: str, title_fires: bool, body_fires: bool, apart_fires: bool) -> None:
    by = _detector(text=text, all_of=(("trust",),))
    fires = [
        isinstance(_judge(_item(title, body), by), Signal)
        for title, body in (
            ("files trust", "x"),
            ("x", "files trust"),
            ("files", "trust"),
            ("fi", "les trust"),
        )
    ]
    assert fires == [title_fires, body_fires, apart_fires, False]


# -- from whom ------------------------------------------------------------------------


def test_items_by_source_and_posts_by_author() -> None:
    by = _detector(authors=(Author(handle="Quill"),))
    post = _item("Quill (@quill)", "it files", is_post=True, handles=("quill",), markup="tree")
    assert _targets(_item("files", source="WIRE"), by) == [("BTCUSDT", "k")]
    assert _targets(post, by) == [("BTCUSDT", "k")]
    assert _why(_item("files", source="Wires"), by) == ["source"]
    posts_only = _detector(sources=(), authors=(Author(handle="Quill"),))
    assert _why(_item("files"), posts_only) == ["not-a-post"]
    assert _why(post, _detector()) == ["not-an-item"]


def test_streams_are_known_by_their_very_id() -> None:
    by = _detector(sources=("Wire",), streams=("01Ab",))
    for source, fires in (("01Ab", True), ("wIRE", True), ("01ab", False), ("01AB", False)):
        assert isinstance(_judge(_item("files", source=source), by), Signal) is fires


def test_every_reason_of_a_post_at_once() -> None:
    by = _detector(sources=(), authors=(Author(handle="quill", id="7"),))
    fields = {"is_post": True, "handles": ("quill", "other"), "markup": "tree", "author_id": "8"}
    item = _item("t", "@x not", is_retweet=True, is_reply=True, **fields)
    assert _why(item, by) == [
        "author", "author-id", "retweet", "reply", "reply", "no-phrase", "forbidden-phrase",
    ]  # fmt: skip


# -- which coins ------------------------------------------------------------------------


def test_given_symbols_share_the_key_and_given_coins_have_their_own() -> None:
    symbols = _detector(symbols=("BTCUSDT", "ETHUSDT"))
    assert _targets(_item("files"), symbols) == [("BTCUSDT", "k"), ("ETHUSDT", "k")]
    given = _detector(coins=("PEPE", "NOSUCH", "SOL"))
    assert _targets(_item("files"), given) == [("1000PEPEUSDT", "k:PEPE"), ("SOLUSDT", "k:SOL")]
    assert _why(_item("files"), _detector(coins=("NOSUCH",))) == ["no-contract"]


def test_tokens_count_by_their_phrases() -> None:
    by = _detector(
        tokens=(Token(coin="SOL", any_of=("sun",)), Token(coin="NOSUCH", any_of=("gone",)),
                Token(coin="UNI", any_of=("^UNI coin",)))
    )  # fmt: skip
    assert _targets(_item("files sun UNI coin"), by) == [("SOLUSDT", "k:SOL"), ("UNIUSDT", "k:UNI")]
    assert _targets(_item("files sun gone"), by) == [("SOLUSDT", "k:SOL")]
    assert _why(_item("files uni coin"), by) == ["no-coin"]
    assert _why(_item("files gone"), by) == ["no-contract"]


def test_named_coins_from_least_to_most() -> None:
    by = _detector(named=Named(least=2, most=3))
    assert _why(_item("files"), by) == ["no-coin"]
    assert _why(_item("files Solana"), by) == ["no-coin"]
    assert _targets(_item("files Solana, Cardano"), by) == [
        ("SOLUSDT", "k:SOL"),
        ("ADAUSDT", "k:ADA"),
    ]
    assert len(_targets(_item("files Solana, Cardano, Bitcoin"), by)) == 3
    assert _why(_item("files Solana, Cardano, Bitcoin, Uniswap"), by) == ["too-many-coins"]


def test_the_largest_may_be_kept() -> None:
    table = coins()
    table.rank(["BTC", "SOL", "ADA", "UNI"])
    by = _detector(table, named=Named(least=1, most=2, keep_largest=True))
    item = _item("files Uniswap, Cardano, Solana")
    assert _targets(item, by) == [("SOLUSDT", "k:SOL"), ("ADAUSDT", "k:ADA")]


def test_otherwise_stands_in_for_a_name() -> None:
    by = _detector(named=Named(least=0, most=1, otherwise="BTC"))
    assert _targets(_item("files"), by) == [("BTCUSDT", "k:BTC")]
    assert _targets(_item("files Solana"), by) == [("SOLUSDT", "k:SOL")]
    gone = _detector(named=Named(least=0, most=1, otherwise="NOSUCH"))
    assert _why(_item("files"), gone) == ["no-contract"]


# -- as written in configuration ----------------------------------------------------------

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"sources": ()}, "authors: expected authors, sources or streams"),
    ({"sources": (" ",)}, "sources: expected names"),
    ({"authors": (Author(handle="@x"),)}, "authors[0].handle: expected"),
    ({"authors": (Author(handle="x", id="0x"),)}, "authors[0].id: expected digits"),
    ({"text": "own"}, "text: expected one of title, body, all, not 'own'"),
    ({"any_of": ()}, "any_of: expected phrases, here"),
    ({"any_of": ("",)}, "any_of[0]: the phrase '' is empty"),
    ({"none_of": ("a{",)}, "none_of[0]: the phrase"),
    ({"erase": ("*",)}, "erase[0]: the phrase"),
    ({"excuse": ("=",)}, "excuse[0]: the phrase"),
    ({"erase": ("a <9> b",)}, "erase: a phrase with a gap covers nothing"),
    ({"excuse": ("a <9> b",)}, "excuse: a phrase with a gap covers nothing"),
    ({"streams": ("",)}, "sources: expected names"),
    ({"all_of": ((),)}, "all_of[0]: expected at least one phrase"),
    ({"all_of": (("a", ""),)}, "all_of[0][1]: the phrase"),
    ({"either": (Branch(all_of=()),)}, "either[0].all_of: expected at least one list"),
    ({"either": (Branch(all_of=((),)),)}, "either[0].all_of[0]: expected at least one phrase"),
    ({"topic": (Branch(all_of=(("",),)),)}, "topic[0].all_of[0][0]: the phrase"),
    ({"symbols": ()}, "symbols: expected one of symbols, coins, tokens, named"),
    ({"coins": ("BTC",)}, "symbols: expected one of symbols, coins, tokens, named"),
    ({"symbols": ("btc",)}, "symbols: expected symbols in capitals"),
    ({"symbols": (), "coins": ("btc",)}, "coins: expected tickers in capitals"),
    ({"symbols": (), "coins": ("A", "A")}, "coins: one is named twice"),
    ({"symbols": (), "tokens": (Token(coin="A", any_of=()),)}, "tokens[0].any_of: expected"),
    ({"symbols": (), "tokens": (Token(coin="A", any_of=("",)),)}, "tokens[0].any_of[0]: the"),
    ({"symbols": (), "named": Named(least=3, most=2)}, "named: expected least and most"),
    ({"symbols": (), "named": Named(least=1, most=21)}, "named: expected least and most"),
    ({"symbols": (), "named": Named(least=0)}, "named.least: expected at least 1"),
    ({"symbols": (), "named": Named(otherwise="btc")}, "coins: expected tickers in capitals"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "fault"), FAULTS, ids=[row[1][:40] for row in FAULTS])
def test_faults(changes: dict[str, Any], fault: str) -> None:
    sound = TextMatch(sources=("Wire",), any_of=("files",), symbols=("BTCUSDT",))
    assert list(sound.faults()) == []
    (found,) = attrs.evolve(sound, **changes).faults()
    assert found.startswith(fault)
