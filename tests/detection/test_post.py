"""Elon Musk on Bitcoin: who wrote it, whose words they are, and which words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from detection_kit import (
    ENABLED,
    RELEASE_MS,
    assert_linear,
    coins,
    detector,
    judge_frame,
    judge_item,
    miss_of,
    post,
    signal_of,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from lowcap.core.messages import NewsItem, Verdict
from lowcap.core.money import Side
from lowcap.detection.matchers.sender import Author
from lowcap.detection.matchers.text import TextMatch
from lowcap.detection.rules import FAULT, Detector
from lowcap.detection.trigger import Trigger


def _fires(body: str, **changes: Any) -> bool:
    signal = signal_of("tokyo", post(body, **changes))
    return signal is not None and signal.trigger == "elon_btc"


def _why(body: str, **changes: Any) -> str:
    return miss_of("tokyo", post(body, **changes), "elon_btc").reason


def test_a_post_buys_bitcoin() -> None:
    signal = signal_of("tokyo", post("Bitcoin is based"))
    assert signal is not None
    assert (signal.trigger, signal.side, signal.matched) == ("elon_btc", Side.BUY, ("Bitcoin",))
    (target,) = signal.targets
    assert (target.symbol, target.key) == ("BTCUSDT", "elon")
    assert target.notional_usd == Decimal(250_000)


@pytest.mark.parametrize(
    "body",
    ["BTC FTW 🚀", "$BTC", "#BTC!", "bitcoins for all", "#Bitcoin", "I ❤️ ₿", "x₿x", "𝐁𝐢𝐭𝐜𝐨𝐢𝐧",
     "Bitcoin is now &gt; gold", "In May, Bitcoin", "Bitcoin Cash? No, Bitcoin",
     "Yes to Bitcoin\nQuote [@a](https://x.com/a)\n> this is a scam, not money", "bit\u200bcoin",
     "Bitcoin <3", "THE BITCOIN WAY", "BTC/USD"],
)  # fmt: skip
def test_words_that_fire(body: str) -> None:
    assert _fires(body)


@pytest.mark.parametrize(
    "body",
    ["Doge to the moon", "Bitcoin Cash", "bitcoin magazine", "Bitcoin SV", "Bitcoin Gold",
     "bitcoiner", "BTCUSDT", "my_bitcoin", "Bitсoin", "Interesting", "bit coin", "WBTC", "👀",
     "https://bitcoin.org/bitcoin", "see x.com/bitcoin/status/1", "www.bitcoin.org"],
)  # fmt: skip
def test_words_that_do_not(body: str) -> None:
    assert _why(body) in ("no-phrase", "no-own-text")


@pytest.mark.parametrize(
    "word",
    ["not", "never", "no longer", "isn't", "isn’t", "won't", "will not", "hasn't", "can’t",
     "denies", "denied", "refutes", "debunked", "false", "fake", "hoax", "parody", "scam",
     "phishing", "impersonators", "unauthorized", "rumours", "unconfirmed", "allegedly",
     "reportedly",
     "consider", "considering", "mulls", "weighing", "eyes", "might", "could", "would", "should",
     "if", "expected to", "plans to", "hopes to", "urge", "calls for", "proposal", "delays",
     "postponed",
     "rejects", "rejection", "withdraws", "withdrew", "withdrawal", "cancelled", "canceled",
     "disapproved", "pending", "under review", "anniversary", "a year ago", "2 years ago",
     "13 months ago", "one week ago", "recap", "may", "suspended", "sold", "selling", "stops",
     "dumping", "hate", "giveaway", "send me", "send your", "double your", "quantum",
     "nothing to do", "N\u200bOT", "ＮＯＴ", "&#110;ot", "n&shy;ot", "COULD"],
)  # fmt: skip
def test_words_that_block(word: str) -> None:
    assert _why(f"Bitcoin {word} Bitcoin") == "forbidden-phrase"


@pytest.mark.parametrize("word", ["knot", "notable", "May", "gif", "sellers", "stopwatch"])
def test_words_that_only_look_like_it(word: str) -> None:
    assert _fires(f"Bitcoin {word}")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"info_isRetweet": True}, "retweet"),
        ({"info_isReply": True}, "reply"),
        ({"info_isReply": True, "info_isSelfReply": False}, "reply"),
        ({"info_isReply": True, "info_isSelfReply": True, "info_isRetweet": True}, "retweet"),
        ({"isRetweet": True}, "retweet"),
        ({"isReply": True}, "reply"),
        ({"info_twitterId": "998877665544332211"}, "author-id"),
        ({"info_twitterId": None}, "author-id"),
        ({"info_twitterId": ""}, "author-id"),
        ({"info_twitterId": "044196397"}, "author-id"),
        ({"info_twitterId": "44196397 "}, "author-id"),
        ({"info": None}, "author-id"),
        ({"author": {"screen_name": "elonmusk", "id": "998877665544332211"}}, "author-id"),
        ({"title": "Elon Musk (@elonmusk_btc)"}, "author"),
        ({"title": "Elon Musk (@elonmusk_btc)", "link": None}, "author"),
        ({"title": "Elon Musk (@elonmusk.btc)"}, "author"),
        ({"title": "Elon Musk (@elonmus\u212a)"}, "author"),  # the Kelvin sign
        ({"title": "Elon Musk (@е1onmusk)", "link": None}, "author"),
        ({"link": "https://twitter.com/other/status/1"}, "author"),
        ({"author": {"screen_name": "other", "id": "44196397"}}, "author"),
        ({"author": {"name": "Elon Musk", "id": "44196397"}}, "not-a-post"),  # of no name
        ({"author": "Elon Musk"}, "not-a-post"),
        ({"url": "https://x.com/other/status/1"}, "author"),
        ({"title": "Elon Musk", "link": None}, "not-a-post"),
        ({"type": None}, "not-a-post"),
        ({"type": "update"}, "not-a-post"),
    ],
)
def test_who_and_what_it_is_not(changes: dict[str, Any], why: str) -> None:
    assert _why("Bitcoin is based", **changes) == why


@pytest.mark.parametrize(
    "changes",
    [
        {"info_isReply": True, "info_isSelfReply": True},
        {"title": "Elon Musk (@ElonMusk)"},
        {"title": "Elon Musk 🚀 (@elonmusk) "},
        {"link": "https://x.com/ElonMusk/status/1"},
        {"link": "https://mobile.twitter.com/elonmusk/status/1"},
        {"link": "https://x.com/i/status/1"},  # names no account
        {"link": None},
        {"author": {"screen_name": "elonmusk", "id": "44196397"}},
        {"url": "https://x.com/ElonMusk/status/1"},
        {"info_isQuote": True},
        {"_id": 1990000000000000001},
        {"_id": {"$oid": "1"}},
        {"time": None},
    ],
)
def test_who_and_what_it_is(changes: dict[str, Any]) -> None:
    assert _fires("Bitcoin is based", **changes)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("@cryptoben99 Bitcoin is interesting", "reply"),
        ("\u200b@cryptoben99 Bitcoin", "reply"),
        ("＠cryptoben99 Bitcoin", "reply"),
        ("  @cryptoben99 Bitcoin", "reply"),
        ("[Elon: Bitcoin is great]\n비트코인", "no-phrase"),  # a machine's words, not his
        ("Elon Musk retweeted @satsfan:\n> Bitcoin is freedom", "retweet"),
        ("Elon Musk retweeted @bitcoin:\n> freedom", "retweet"),
        ("\n Elon Musk retweeted @bitcoin:", "retweet"),
        ("RT @bitcoin: Bitcoin", "retweet"),
        ("   RT @satsfan: Bitcoin is freedom", "retweet"),
        ("[Translated: freedom]\nElon Musk retweeted @bitcoin:\n> libertad", "retweet"),
        ("> quoted\nRT @satsfan: Bitcoin", "retweet"),
        ("Quote [@bitcoin](https://x.com/bitcoin/status/1)\n> Bitcoin", "no-own-text"),
        ("Interesting\nQuote [@a](https://x.com/a)\n> Bitcoin", "no-phrase"),
        ("Interesting\n Quote [@bitcoin](https://x.com/a)\n> Bitcoin", "no-phrase"),
        ("Interesting\u2028Quote [@a](https://x.com/a)\u2028> Bitcoin", "no-phrase"),
        ("less <than\nQuote [@a](https://x.com/a)\n> Bitcoin", "no-phrase"),
        ("Interesting\n&gt; Bitcoin", "no-phrase"),
        ("Interesting\n &amp;gt; Bitcoin", "no-phrase"),
        ("https://t.co/bitcoin", "no-own-text"),
        (" ", "no-own-text"),
    ],
)
def test_whose_words_they_are(body: str, why: str) -> None:
    assert _why(body) == why


def test_the_two_other_shapes() -> None:
    shape = {
        "source": "TWITTER",
        "author": {"name": "Elon Musk", "screen_name": "elonmusk", "id": "44196397"},
        "text": "Bitcoin forever",
        "isRetweet": False,
        "url": "https://x.com/elonmusk/status/2028470812220665892",
        "time": RELEASE_MS,
    }
    assert signal_of("tokyo", shape) is not None
    assert signal_of("tokyo", shape | {"isReply": True}) is None
    wrong = {"author": {"screen_name": "elonmusk", "id": "1"}}
    assert signal_of("tokyo", shape | wrong) is None
    # The older shape carries no numeric id: never enough for a pinned account.
    old = {"source": "Twitter", "title": "Elon Musk (@elonmusk): Bitcoin", "time": RELEASE_MS}
    assert miss_of("tokyo", old, "elon_btc").reason == "not-a-post"
    old["url"] = "https://twitter.com/elonmusk/status/1"
    assert miss_of("tokyo", old, "elon_btc").reason == "author-id"


def test_a_handle_in_the_old_shape_must_agree_with_the_address() -> None:
    by = _handle_only_detector()
    old = {
        "source": "Twitter",
        "title": "Some Coin (@somecoin): Bitcoin [1/2]",
        "url": "https://twitter.com/somecoin/status/1",
        "time": RELEASE_MS,
    }
    answer = judge_frame("tokyo", old, by=by)
    assert isinstance(answer, Verdict)
    assert answer.signal is not None
    answer = judge_frame("tokyo", old | {"title": "Some Coin (@somecoin_): Bitcoin"}, by=by)
    assert isinstance(answer, Verdict)
    assert answer.signal is None


def _handle_only_detector() -> Detector:
    match = TextMatch(
        authors=(Author(handle="SomeCoin"),), any_of=("bitcoin",), symbols=("BTCUSDT",)
    )
    trigger = Trigger(
        id="elon_btc", feeds=("tokyo",), side=Side.BUY, matcher="text", match=match, key="k"
    )
    return Detector([trigger], (), coins())


@pytest.mark.parametrize(
    "title",
    ["Elon Musk (@elonmusk) [272 minutes ago]", "[2 HOURS AGO] Elon Musk (@elonmusk)",
     "Elon Musk [1 day ago] (@elonmusk)"],
)  # fmt: skip
def test_stale_marks_block(title: str) -> None:
    answer = judge_frame("tokyo", post("Bitcoin", title=title))
    assert isinstance(answer, Verdict)
    assert answer.reason == "stale"


def test_other_feeds_do_not_listen() -> None:
    answer = judge_frame("toa_news", post("Bitcoin is based"))
    assert isinstance(answer, Verdict)
    assert answer.signal is None
    assert [miss.trigger for miss in answer.misses] == ["s1_trust"]


@given(
    st.text(max_size=300) | st.text(alphabet=st.characters(exclude_categories=()), max_size=50),
    st.text(max_size=50),
    st.text(max_size=50),
)
def test_no_post_raises(body: str, title: str, url: str) -> None:
    item = NewsItem(
        feed="tokyo",
        received_ns=0,
        handles=("elonmusk",),
        author_id="44196397",
        title=title,
        body=body,
        url=url,
        is_post=True,
        markup="tree",
    )
    verdict = detector().judge(item, ENABLED)
    assert not any(miss.reason == FAULT for miss in verdict.misses)


PIECES = ["bitcoin cash ", "not ", "\u0301\u0316", "&a", "x", " ", "₿", "<a", "a.b/", "İ", "\n> "]


def _full(text: str) -> NewsItem:
    return NewsItem(
        feed="tokyo",
        received_ns=0,
        handles=("elonmusk",),
        author_id="44196397",
        title=text,
        body=text,
        is_post=True,
        markup="tree",
    )


@pytest.mark.parametrize("piece", PIECES)
def test_a_full_field_is_judged(piece: str) -> None:
    verdict = detector().judge(_full(piece * (65_536 // len(piece.encode()))), ENABLED)
    assert verdict.signal is None or piece == "₿"
    assert verdict.reason not in ("too-long", "grows")


@pytest.mark.parametrize("piece", PIECES)
def test_a_post_costs_no_more_than_it_is_long(piece: str) -> None:
    assert_linear(lambda text: detector().judge(_full(text), ENABLED), piece)


@pytest.mark.parametrize("field", ["title", "body"])
def test_a_text_that_grows_in_normal_form_is_refused(field: str) -> None:
    fine = structs.replace(_full("Bitcoin"), title="Elon Musk (@elonmusk)")
    assert judge_item(fine).signal is not None
    grown = structs.replace(fine, **{field: "Bitcoin " + "\ufdfa" * 40})
    verdict = judge_item(grown)
    assert (verdict.signal, verdict.reason, verdict.misses) == (None, "grows", ())
    # Growth within the measure is judged as any other text.
    within = structs.replace(fine, **{field: "Bitcoin is good to have \ufdfa"})
    assert judge_item(within).signal is not None
