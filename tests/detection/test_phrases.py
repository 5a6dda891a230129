"""Phrases: boundaries, any endings, exact case, digits at an end, erasing, true offsets."""

from __future__ import annotations

import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lowcap.detection.phrases import PhraseIndex, lower, phrase_faults
from lowcap.detection.text import normalise

ANY_TEXT = st.text(max_size=200)


def _matches(phrase: str, text: str) -> bool:
    return PhraseIndex([phrase]).scan(text).first([phrase]) is not None


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
    found = PhraseIndex(["bitcoin"]).scan(f"{before}BitCoin{after}").first(["bitcoin"])
    assert found is not None
    assert (found.start, found.end) == (len(before), len(before) + 7)
    assert found.phrase == "BitCoin"


@given(ANY_TEXT)
def test_lower_keeps_every_character_in_its_place(text: str) -> None:
    assert len(lower(text)) == len(text)
    assert lower(lower(text)) == lower(text)
    assert lower(text + "x")[: len(text)] == lower(text)


@given(st.text(min_size=1, max_size=20), ANY_TEXT, ANY_TEXT)
def test_a_phrase_between_blanks_is_found(phrase: str, before: str, after: str) -> None:
    normal = normalise(phrase).strip()
    assume(normal == phrase and not set("*=<") & set(phrase))
    assert _matches(phrase, f"{before} {phrase} {after}")


@given(st.lists(st.text(min_size=1, max_size=10), max_size=8), ANY_TEXT)
def test_no_phrase_and_no_text_raises(phrases: list[str], text: str) -> None:
    usable = [p for p in phrases if not list(phrase_faults("x", [p]))]
    scan = PhraseIndex(usable).scan(normalise(text))
    for phrase in usable:
        found = scan.first([phrase])
        assert found is None or normalise(text)[found.start : found.end] == found.phrase


def test_erased_phrases_hide_what_lies_inside_them() -> None:
    index = PhraseIndex(["bitcoin", "bitcoin cash", "BTC"])
    erased = ["bitcoin cash"]
    assert index.scan("Bitcoin Cash").first(["bitcoin"], erased) is None
    assert index.scan("Bitcoin cashback").first(["bitcoin"], erased) is not None
    found = index.scan("Bitcoin Cash and Bitcoin").first(["bitcoin"], erased)
    assert found is not None
    assert found.start == 17
    assert index.scan("Bitcoin Cash BTC").first(["bitcoin", "BTC"], erased) is not None


@given(st.lists(st.sampled_from(["aa", "ab", "aab", "b", " "]), max_size=20).map("".join))
def test_erasing_is_what_it_says(text: str) -> None:
    phrases, erased = ["*a*", "*ab*"], ["*aab*", "*aa*"]
    scan = PhraseIndex([*phrases, *erased]).scan(text)
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
    found = scan.first(phrases, erased)
    assert (None if found is None else (found.start, found.end)) == expected


def test_one_text_under_two_spellings() -> None:
    index = PhraseIndex(["may", "=may", "may*"])
    scan = index.scan("in May")
    assert scan.first(["=may"]) is None
    assert scan.first(["may"]) is not None
    assert scan.first(["may*"]) is not None


@pytest.mark.parametrize(
    "phrase", ["", " ", "*", "**", "=", "<n>", "*<n>*", "\u200b", "a\nb", "a <n> b"]
)
def test_phrases_that_cannot_be_meant(phrase: str) -> None:
    assert list(phrase_faults("hedge", ["fine", phrase])) != []


def test_an_empty_phrase_never_gets_into_an_index() -> None:
    with pytest.raises(ValueError, match="empty"):
        PhraseIndex(["*"])


def test_no_phrases_find_nothing() -> None:
    assert PhraseIndex([]).scan("anything").first(["anything"]) is None


@pytest.mark.parametrize("piece", ["bitcoin cash ", "bitcoin ", "if ", "₿", "aaaaaaaa", "İ"])
def test_scanning_is_never_slow(piece: str) -> None:
    index = PhraseIndex(["bitcoin", "bitcoin cash", "if", "*₿*", "*a*", "*aa*", "aaa", "=may"])
    text = piece * (65_536 // len(piece.encode()))
    best_s = 10.0
    for _ in range(2):
        started_s = time.perf_counter()
        index.scan(text).first(["bitcoin", "=may"], ["bitcoin cash"])
        best_s = min(best_s, time.perf_counter() - started_s)
    assert best_s < 0.4
