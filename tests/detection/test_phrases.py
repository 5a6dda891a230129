"""Phrases: boundaries, any endings, exact case, digits at an end, erasing, true offsets."""

from __future__ import annotations

import pytest
from detection_kit import assert_linear
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lowcap.detection.phrases import VARIANTS_MAX, Group, expand, lower, phrase_faults
from lowcap.detection.scan import Found, PhraseIndex, Scan
from lowcap.detection.text import normalise

ANY_TEXT = st.text(max_size=200)


def _scan(text: str, *written: str) -> Scan:
    return PhraseIndex(Group(written).parts).scan(text)


def _first(text: str, wanted: str | list[str], erased: list[str] | None = None) -> Found | None:
    group, gone = Group([wanted] if isinstance(wanted, str) else wanted), Group(erased or [])
    return PhraseIndex(group.parts | gone.parts).scan(text).first(group, gone)


def _matches(phrase: str, text: str) -> bool:
    return _first(text, phrase) is not None


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("bitcoin", "I like Bitcoin.", True),
        ("bitcoin", "BITCOIN", True),
        ("bitcoin", "#bitcoin", True),
        ("bitcoin", "bitcoins", False),
        ("bitcoin", "my_bitcoin", False),
        ("bitcoin", "bitcoin2", False),
        ("bitcoin", "Bitсoin", False),  # Cyrillic с
        ("bitcoin", "비트bitcoin", False),
        ("buy back", "buy back", True),
        ("buy back", "buyback", False),
        ("buy back", "buy\nback", False),
        ("impersonat*", "impersonators", True),
        ("impersonat*", "ximpersonator", False),
        ("*종료*", "거래지원종료안내", True),
        ("*₿*", "a₿b", True),
        ("=may", "it may rise", True),
        ("=may", "in May", False),
        ("=may", "MAY", False),
        ("<n> years ago", "3 years ago", True),
        ("<n> years ago", "13 years ago", True),
        ("<n> years ago", "many years ago", False),
        ("<n> years ago", " years ago", False),
        ("raises $<n>", "raises $5m", True),
        ("raises $<n>", "raises $", False),
        ("raises $<n>", "raises $x", False),
        ("isn't", "it isn't", True),
        ("isn’t", "it isn't", True),  # written with a typographic apostrophe
        ("ＢＴＣ", "BTC", True),
        ("$BTC", "buy $BTC now", True),
        ("$BTC", "US$BTC", False),
    ],
)
def test_matching(phrase: str, text: str, expected: bool) -> None:
    assert _matches(phrase, normalise(text)) is expected


@given(st.text(max_size=100), st.text(max_size=100))
@example("İİİ ", " İ")
@example("ß", "ΑΣ")
def test_offsets_stay_true_whatever_stands_around(before: str, after: str) -> None:
    before, after = f"{before} ", f" {after}"
    assume("bitcoin" not in lower(before + after))
    found = _first(f"{before}BitCoin{after}", "bitcoin")
    assert found is not None
    assert (found.start, found.end) == (len(before), len(before) + 7)
    assert found.words == "BitCoin"


@given(ANY_TEXT)
def test_lower_keeps_every_character_in_its_place(text: str) -> None:
    assert len(lower(text)) == len(text)
    assert lower(lower(text)) == lower(text)
    assert lower(text + "x")[: len(text)] == lower(text)


@given(st.text(min_size=1, max_size=20), ANY_TEXT, ANY_TEXT)
def test_a_phrase_between_blanks_is_found(phrase: str, before: str, after: str) -> None:
    normal = normalise(phrase).strip()
    assume(normal == phrase and not set("*=^<{}") & set(phrase))
    assert _matches(phrase, f"{before} {phrase} {after}")


@given(st.lists(st.text(min_size=1, max_size=10), max_size=8), ANY_TEXT)
def test_no_phrase_and_no_text_raises(phrases: list[str], text: str) -> None:
    usable = [p for p in phrases if not list(phrase_faults("x", [p]))]
    scan = _scan(normalise(text), *usable)
    for phrase in usable:
        found = scan.first(Group([phrase]))
        assert found is None or normalise(text)[found.start : found.end] == found.words


def test_erased_phrases_hide_what_lies_inside_them() -> None:
    erased = ["bitcoin cash"]
    assert _first("Bitcoin Cash", "bitcoin", erased) is None
    assert _first("Bitcoin cashback", "bitcoin", erased) is not None
    found = _first("Bitcoin Cash and Bitcoin", "bitcoin", erased)
    assert found is not None
    assert found.start == 17
    assert _first("Bitcoin Cash BTC", ["bitcoin", "BTC"], erased) is not None


@given(st.lists(st.sampled_from(["aa", "ab", "aab", "b", " "]), max_size=20).map("".join))
def test_erasing_is_what_it_says(text: str) -> None:
    phrases, erased = ["*a*", "*ab*"], ["*aab*", "*aa*"]
    gaps = [
        (n, n + len(e)) for e in ("aab", "aa") for n in range(len(text)) if text.startswith(e, n)
    ]
    expected = None
    for phrase in ("a", "ab"):
        for n in range(len(text)):
            end = n + len(phrase)
            inside = any(start <= n and end <= stop for start, stop in gaps)
            if expected is None and text.startswith(phrase, n) and not inside:
                expected = (n, end)
    found = _first(text, phrases, erased)
    assert (None if found is None else (found.start, found.end)) == expected


def test_one_text_under_two_spellings() -> None:
    scan = _scan("in May", "may", "=may", "may*")
    assert scan.first(Group(["=may"])) is None
    assert scan.first(Group(["may"])) is not None
    assert scan.first(Group(["may*"])) is not None


@pytest.mark.parametrize(
    "phrase",
    [
        "",
        " ",
        "*",
        "**",
        "=",
        "<n>",
        "*<n>*",
        "\u200b",
        "a\nb",
        "a <n> b",
        "^",
        "a <5>",
        "<5> a",
        "a <5> * <5> b",
        "{a",
        "a}",
        "{a{b}",
        "{|}",
    ],
)
def test_phrases_that_cannot_be_meant(phrase: str) -> None:
    assert list(phrase_faults("hedge", ["fine", phrase])) != []


def test_an_empty_phrase_never_gets_into_an_index() -> None:
    with pytest.raises(ValueError, match="empty"):
        PhraseIndex(["*"])


def test_no_phrases_find_nothing() -> None:
    assert PhraseIndex([]).scan("anything").first(Group(["anything"])) is None


@pytest.mark.parametrize(
    "piece", ["bitcoin cash ", "bitcoin ", "if ", "₿", "aaaaaaaa", "İ", "go. "]
)
def test_scanning_costs_no_more_than_the_text_is_long(piece: str) -> None:
    written = ["bitcoin", "bitcoin cash", "if", "*₿*", "*a*", "*aa*", "aaa", "=may", "go <9> if"]
    index = PhraseIndex(Group(written).parts)
    wanted, erased = Group(["bitcoin", "=may", "go <9> if", "*aa*"]), Group(["bitcoin cash"])
    assert_linear(lambda text: index.scan(text).words(wanted, erased), piece)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("buyback{|s}", ("buyback", "buybacks")),
        ("{a|b} {x|y}", ("a x", "a y", "b x", "b y")),
        ("drops {|the} case", ("drops case", "drops the case")),
        ("{|$|#}BTC", ("BTC", "$BTC", "#BTC")),
        ("plain", ("plain",)),
        ("S-1{| }/{| }A", ("S-1/A", "S-1/ A", "S-1 /A", "S-1 / A")),
    ],
)
def test_braces(written: str, expected: tuple[str, ...]) -> None:
    assert expand([written]) == expected
    assert expand([written, written]) == expected


def test_braces_have_a_limit() -> None:
    eight = "{a|b|c|d|e|f|g|h}"
    with pytest.raises(ValueError, match=str(8**3)):
        expand([eight * 3])
    assert len(expand([eight * 2])) == 64 < VARIANTS_MAX


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("order <5> granting", "order granting", True),
        ("order <5> granting", "order 123 granting", True),
        ("order <5> granting", "order 1234 granting", False),  # a blank on either side counts
        ("order <5> granting", "order\n1 \ngranting", True),
        ("order <5> granting", "order. granting", False),
        ("order <5> granting", "granting order", False),
        ("order <5> granting", "reorder granting", False),
        ("order <5> granting", "order, x order, granting", True),
        ("a <3> b <3> c", "a b c", True),
        ("a <3> b <3> c", "a 1 b 1 c", True),
        ("a <3> b <3> c", "a b a b xxxx c", False),
        ("a <3> b <3> c", "a xxxx b c", False),
        ("{SEC|the Commission} <9> {approved|approves}", "THE COMMISSION has APPROVED", True),
        ("^TRUMP token", "TRUMP Token", True),
        ("^TRUMP token", "Trump token", False),
        ("^TRUMP token", "TRUMP TOKENS", False),
        ("^TRUMP token", "TRUMP TOKEN", True),
    ],
)
def test_gaps_and_capitals(phrase: str, text: str, expected: bool) -> None:
    assert _matches(phrase, text) is expected


@given(st.integers(0, 12), st.integers(0, 12), st.sampled_from(["x", " ", "\n", "é"]))
def test_a_gap_is_as_long_as_it_says(gap: int, most: int, filler: str) -> None:
    text = f"order{filler * gap}granting"
    apart = gap > 0 and filler in " \n"
    assert _matches(f"order <{most}> granting", text) is (apart and gap <= most)


def test_the_words_of_a_group_in_order_each_once() -> None:
    group = Group(["could", "not", "a <9> b"])
    scan = PhraseIndex(group.parts).scan("Not this, could not: a to b, COULD")
    assert scan.words(group) == ("Not", "could", "not", "a to b", "COULD")
    assert group.anchors == {"could", "not", "a"}
