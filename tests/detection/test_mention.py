"""News tagged with coins: which tags count, which the title confirms, and for which side."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from detection_kit import bwe, coins, fired, judge_frame, miss_of, reasons_of, signal_of, trigger

from lowcap.core.messages import Verdict
from lowcap.detection.matchers.mention import MentionMatch
from lowcap.detection.rules import Detector

NAME = "news_coin_mention"
GOOD = "Quillbank partners with Chainlink"


def _why(title: str, *tags: str, **changes: Any) -> list[str]:
    return reasons_of("bwe", bwe(title, *tags, **changes), NAME)


def test_good_words_buy_and_bad_words_sell() -> None:
    assert fired("bwe", bwe(GOOD, "LINK")) == (NAME, ["LINKUSDT"], "BUY")
    assert fired("bwe", bwe("Chainlink bridge hacked", "LINK")) == (NAME, ["LINKUSDT"], "SELL")


def test_keys_hold_coin_and_side_and_the_story() -> None:
    signal = signal_of("bwe", bwe("Chainlink and Uniswap: Quillbank adopts both", "LINK", "UNI"))
    assert signal is not None
    assert [t.key for t in signal.targets] == ["news:LINK:BUY", "news:UNI:BUY"]
    assert signal.matched == ("adopts", "LINK", "UNI")
    assert signal.once.startswith("news:story:")
    assert (signal.tier, signal.cooldown_s, signal.once_s) == ("batch", 1_800, 86_400)


BUY = ["will list", "to list", "lists", "listed on", "listing on", "adds support for", "buyback",
       "buybacks", "buy-back", "buy back", "burn", "burns", "burned", "burning", "fee switch",
       "buys", "bought", "acquires", "acquired", "purchases", "purchased", "partners with",
       "partnership with", "integrates", "integrated", "integration with", "teams up with",
       "selected by", "chosen by", "adopts", "launches on", "goes live on", "invests in",
       "invested in", "investment in", "raises $5", "case dismissed", "lawsuit dismissed",
       "dismisses", "drops the case", "drops lawsuit", "drops investigation", "drops the charges",
       "drops the appeal", "settles", "wins the case", "wins lawsuit", "wins the appeal",
       "approves", "approved", "granted"]  # fmt: skip
SELL = ["hack", "hacked", "exploit", "exploited", "drained", "stolen", "insolvent", "insolvency",
        "bankruptcy", "delist", "delists", "delisted", "delisting", "halts withdrawals",
        "suspends withdrawals", "freezes withdrawals", "sues", "sued", "charged with", "indicted",
        "depeg", "depegs", "depegged", "infinite mint", "security breach", "breached"]  # fmt: skip
NOISE = ["trading competition", "giveaway", "airdrop", "AMA", "maintenance", "prediction",
         "price target", "analyst", "analysts", "analysis", "weekly", "top gainer", "top gainers",
         "top loser", "top losers", "opinion", "podcast", "interview", "testnet", "white hat",
         "recover", "recovers", "recovered", "returned", "post-mortem", "reimburse", "reimburses",
         "reimbursed", "refund", "refunds", "refunded", "whale", "not", "reportedly",
         "may"]  # fmt: skip


@pytest.mark.parametrize("words", BUY)
def test_words_that_buy(words: str) -> None:
    assert fired("bwe", bwe(f"Quill {words} Chainlink", "LINK")) == (NAME, ["LINKUSDT"], "BUY")


@pytest.mark.parametrize("words", SELL)
def test_words_that_sell(words: str) -> None:
    assert fired("bwe", bwe(f"Chainlink {words}", "LINK")) == (NAME, ["LINKUSDT"], "SELL")


@pytest.mark.parametrize("words", NOISE)
def test_words_that_block(words: str) -> None:
    assert _why(f"{GOOD} {words}", "LINK") == ["forbidden-phrase"]
    assert _why(f"Chainlink hacked {words}", "LINK") == ["forbidden-phrase"]


@pytest.mark.parametrize("words", ["hackathon", "raises $x", "burner", "drops case study", "May"])
def test_words_that_only_look_like_it(words: str) -> None:
    expected = [] if words == "drops case study" else ["no-phrase"]
    frame = bwe(f"Chainlink {words}", "LINK")
    assert (fired("bwe", frame) is not None) is (not expected)
    if expected:
        assert reasons_of("bwe", frame, NAME) == expected


@pytest.mark.parametrize(
    ("title", "tags", "why"),
    [
        ("Chainlink is a network", ["LINK"], ["no-phrase"]),
        ("Quill buys Chainlink after a hack", ["LINK"], ["both-sides"]),
        (GOOD, [], ["no-coin"]),
        (GOOD, ["BTC", "ETH"], ["no-coin"]),
        (GOOD, ["USDT", "WBTC"], ["no-coin"]),
        (GOOD, ["", "$", " "], ["no-coin"]),
        (GOOD, ["LINK", "UNI", "AAVE"], ["too-many-coins"]),
        (GOOD, ["UNI"], ["unconfirmed-coin"]),
        ("Quillbank partners with LINK", ["LINK"], ["unconfirmed-coin"]),  # a word
        ("Quillbank partners with (NYSE: SOL)", ["SOL"], ["unconfirmed-coin"]),
        ("Stellar partners with Quillbank", ["XLM"], ["unconfirmed-coin"]),
        ("Quillbank partners with Nosuchium (NOSUCH)", ["NOSUCH"], ["unconfirmed-coin"]),
        ("Chainlink not hacked", ["UNI"], ["unconfirmed-coin", "forbidden-phrase"]),
    ],
)
def test_every_reason(title: str, tags: list[str], why: list[str]) -> None:
    assert _why(title, *tags) == why


def test_without_a_list_of_tags() -> None:
    assert _why(GOOD, coins_included=None) == ["no-tags"]


@pytest.mark.parametrize("source", ["bwe", "", "BWENEWS2", "BWE NEWS", None])
def test_other_sources(source: str | None) -> None:
    assert _why(GOOD, "LINK", source_name=source) == ["source"]


@pytest.mark.parametrize(
    ("tags", "symbols"),
    [
        (["$link"], ["LINKUSDT"]),
        ([" LINK "], ["LINKUSDT"]),
        (["LINK", "link", "$LINK"], ["LINKUSDT"]),
        (["BTC", "ETH", "USDT", "LINK", "UNI"], ["LINKUSDT"]),  # those do not count
        (["UNI", "LINK"], ["LINKUSDT"]),  # only the confirmed one trades
        (["NOSUCH", "LINK"], ["LINKUSDT"]),
    ],
)
def test_tags_in_every_form(tags: list[str], symbols: list[str]) -> None:
    assert fired("bwe", bwe(GOOD, *tags, source_name="BweNews")) == (NAME, symbols, "BUY")


def test_near_misses_tell_their_words() -> None:
    miss = miss_of("bwe", bwe("Quill buys Chainlink, reportedly", "LINK"), NAME)
    assert (miss.near, miss.matched, miss.blocking) == (True, ("buys",), ("reportedly",))
    assert miss_of("bwe", bwe("Chainlink", "LINK"), NAME).near is False


def test_the_most_tags_are_a_setting() -> None:
    shipped = trigger(NAME)
    assert isinstance(shipped.match, MentionMatch)
    match = attrs.evolve(shipped.match, most=3, not_coins=("LINK",))
    by = Detector([attrs.evolve(shipped, match=match)], (), coins())
    title = "Quill buys Bitcoin, Uniswap, Aave"
    answer = judge_frame("bwe", bwe(title, "BTC", "UNI", "AAVE", "LINK"), by=by)
    assert isinstance(answer, Verdict)
    assert answer.signal is not None
    assert [t.symbol for t in answer.signal.targets] == ["BTCUSDT", "UNIUSDT", "AAVEUSDT"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sources": ()}, "sources: expected"),
        ({"sources": (" ",)}, "sources: expected"),
        ({"buy": (), "sell": ()}, "buy: expected phrases"),
        ({"buy": ("",)}, "buy[0]: the phrase '' is empty"),
        ({"none_of": ("x{",)}, "none_of[0]: the phrase 'x{' has braces"),
        ({"most": 0}, "most: expected 1 to 20"),
        ({"most": 21}, "most: expected 1 to 20"),
    ],
)
def test_faults(changes: dict[str, Any], fault: str) -> None:
    match = attrs.evolve(MentionMatch(sources=("a",), buy=("b",), sell=("c",)), **changes)
    (found,) = match.faults()
    assert found.startswith(fault)
