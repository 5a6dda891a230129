"""One normal form for all text, whose words they are, and never an exception or a stall."""

from __future__ import annotations

import pytest
from detection_kit import assert_linear
from hypothesis import example, given
from hypothesis import strategies as st

from lowcap.detection.text import (
    MARKS_MAX,
    SCAN_BYTES_MAX,
    grows,
    is_retweet_text,
    normalise,
    own_text,
    stale_mark,
    too_long,
    without_urls,
)

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)
# Bits of the structures that the functions look for, in any order.
PIECES = st.lists(
    st.sampled_from(
        ["Quote [@a](u)", "> ", "\n", " retweeted @a:", "RT @", "<br>", "<b", ">", "&amp;gt;", "&#",
         "9999999999;", "https://", "www.", "[", "2 hours ago]", ">>REPLY X (@y)", ">>QUOTE", "İ",
         "\u0301", "\u2028", "\ud800", "\x00", "x.com/", "bitcoin", " "]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@given(ANY_TEXT | PIECES)
@example("&#" + "9" * 5000 + ";")
@example("&amp;#" + "9" * 5000)
@example("\ud800\udfff &#xD800; &#0;")
def test_no_text_raises(text: str) -> None:
    normal = normalise(text)
    assert "  " not in normal
    assert "\r" not in normal
    assert not any("\ud800" <= character <= "\udfff" for character in normal)
    for markup in ("tree", "phoenix", ""):
        assert isinstance(own_text(normal, markup), str)
    stale_mark(normal)
    without_urls(text)
    is_retweet_text(text)
    too_long(text)


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Tom &amp;amp; Jerry", "Tom & Jerry"),
        ("a<br>b<BR />c<p class='x'>d</p>", "a\nb\ncd"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("𝐁𝐢𝐭𝐜𝐨𝐢𝐧 ＢＴＣ", "Bitcoin BTC"),
        ("bit\u200bco\u00adin\ufeff", "bitcoin"),
        ("n\u034fo\ufe0ft\U000e0020", "not"),
        ("\u202ebitcoin\u202c", "bitcoin"),
        ("isn’t won‘t can´t", "isn't won't can't"),
        ("a – b — c − d ‑ e ﹘ f", "a - b - c - d - e - f"),
        ("a \t\u00a0\u3000 b", "a b"),
        ("a\r\nb\rc\u2028d\u2029e\x0bf\x0cg", "a\nb\nc\nd\ne\nf\ng"),
        ("Bitсoin", "Bitсoin"),  # a Cyrillic с stays one
        ("마켓 추가".encode().decode(), "마켓 추가"),
    ],
)
def test_normal_form(written: str, seen: str) -> None:
    assert normalise(written) == seen


def test_decomposed_hangul_is_composed() -> None:
    import unicodedata

    assert normalise(unicodedata.normalize("NFD", "디지털 자산 추가")) == "디지털 자산 추가"


def test_a_lone_less_than_does_not_swallow_the_quote_below_it() -> None:
    text = normalise("price <than ever\nQuote [@a](https://x.com/a)\n> Bitcoin")
    assert own_text(text, "tree") == "price <than ever"


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ("Interesting\nQuote [@a](https://x.com/a/status/1)\n> Bitcoin\n> up", "Interesting"),
        ("Quote [@bitcoin](https://x.com/a)\n> Bitcoin", ""),
        (" Quote [@bitcoin](https://x.com/a)\n> Bitcoin", ""),
        ("Yes\u2028Quote [@a](u)\u2028> Bitcoin", "Yes"),
        ("mine\n> theirs\n &gt; theirs too\nmine again", "mine\nmine again"),
        ("look https://bitcoin.org/bitcoin", "look"),
        ("look www.bitcoin.org now", "look   now"),
        ("look x.com/bitcoin/status/1", "look"),
        ("look (mobile.x.com/bitcoin)", "look"),
        ("and/or Bitcoin. Yes/no 1/2", "and/or Bitcoin. Yes/no 1/2"),
        ("Great.Bitcoin is it", "Great.Bitcoin is it"),
        ("", ""),
    ],
)
def test_own_words_of_a_tree_post(body: str, own: str) -> None:
    assert own_text(normalise(body), "tree") == own


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ("mine &gt;&gt;QUOTE Name (@x) theirs", "mine"),
        ("&gt;&gt;REPLY Name (@x) mine", "mine"),
        ("&gt;&gt;RT Name (@x) theirs", ""),
    ],
)
def test_own_words_of_a_phoenix_post(body: str, own: str) -> None:
    assert own_text(normalise(body), "phoenix") == own


@pytest.mark.parametrize(
    "text",
    [
        "Elon Musk retweeted @bitcoin:\n> up",
        "\nElon Musk retweeted @bitcoin:",
        "[Translated: up]\nElon Musk retweeted @bitcoin:\n> up",
        "RT @bitcoin: up",
        "  RT @bitcoin: up",
        "rt @bitcoin up",
    ],
)
def test_retweets_in_words(text: str) -> None:
    assert is_retweet_text(normalise(text))


@pytest.mark.parametrize("text", ["He retweeted me", "START @ noon", "I never retweeted @x", ""])
def test_no_retweet(text: str) -> None:
    assert not is_retweet_text(text)


@pytest.mark.parametrize(
    ("title", "mark"),
    [
        ("Fed cuts [272 minutes ago]", "[272 minutes ago]"),
        ("Fed cuts [1 hour ago]", "[1 hour ago]"),
        ("FED CUTS [2 DAYS AGO]", "[2 DAYS AGO]"),
        ("Fed cuts [ 3  hours ago ]", "[ 3 hours ago ]"),
        ("Fed cuts ［3 hours ago］", "[3 hours ago]"),
        ("Fed cuts [3 hours\u200b ago]", "[3 hours ago]"),
        ("Two hours ago the Fed", ""),
        ("[ago]", ""),
    ],
)
def test_stale_marks(title: str, mark: str) -> None:
    assert stale_mark(normalise(title)) == mark


def test_length_counts_bytes() -> None:
    assert not too_long("x" * SCAN_BYTES_MAX)
    assert too_long("x" * (SCAN_BYTES_MAX + 1))
    assert not too_long("가" * (SCAN_BYTES_MAX // 3))
    assert too_long("가" * (SCAN_BYTES_MAX // 3 + 1))


def test_marks_beyond_reason_are_dropped() -> None:
    stacked = "e" + "\u0316\u0301" * 100 + "x"
    assert len(normalise(stacked)) <= MARKS_MAX + 2
    assert normalise(stacked).endswith("x")
    assert normalise("e\u0301") == "é"


@pytest.mark.parametrize(
    "piece",
    ["\u0301\u0316", "\u0f73\u0f75\uff9e", "㌖", "&a", "&#9", "<a", "<br ", "> ",
     "Quote [@", "www.", "https://", "a.b/", "a.", "a-", ".", "/", " \n", "\n>", "[1 ", "[",
     " retweeted @", "İ", "x", "(@", "[\n", "]\n"],
)  # fmt: skip
def test_no_text_costs_more_than_it_is_long(piece: str) -> None:
    def work(text: str) -> None:
        normal = normalise(text)
        own_text(normal, "tree")
        own_text(normal, "phoenix")
        is_retweet_text(normal)
        stale_mark(normal)

    assert_linear(work, piece)


@pytest.mark.parametrize(
    ("text", "grown"),
    [("\ufdfa", True), ("x\ufdfa", True), ("\ufdfa" + "x" * 17, False), ("abc", False), ("", False),
     ("ﬀ", False), ("㌖", True), ("&lt;", False), ("𝐁𝐓𝐂", False), ("<b>", False)],
)  # fmt: skip
def test_what_more_than_doubles_was_made_to(text: str, grown: bool) -> None:
    assert grows(text, normalise(text)) is grown


@given(ANY_TEXT)
def test_growth_is_counted_in_characters(text: str) -> None:
    assert grows(text, normalise(text)) is (len(normalise(text)) > 2 * len(text))
