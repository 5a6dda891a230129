"""Braces, gaps and capitals: how one written phrase stands for many, or for parts apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.detection.phrases import VARIANTS_MAX, Group, chain_of, expand, phrase_faults
from lowcap.detection.scan import PhraseIndex


def _words(text: str, *written: str, erased: tuple[str, ...] = ()) -> tuple[str, ...]:
    wanted, gone = Group(written), Group(erased)
    scan = PhraseIndex(wanted.parts | gone.parts).scan(text)
    words = scan.words(wanted, gone)
    found = scan.first(wanted, gone)
    assert (found is not None) is bool(words)
    assert found is None or found.words == words[0]
    return words


# -- braces ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "phrases"),
    [
        ("buyback{|s}", ["buyback", "buybacks"]),
        ("{a|b} {c|d}", ["a c", "a d", "b c", "b d"]),
        ("drops {|the} case", ["drops case", "drops the case"]),
        ("{|$|#}BTC", ["BTC", "$BTC", "#BTC"]),
        ("={|$}WLFI", ["=WLFI", "=$WLFI"]),
        ("plan{|s} to", ["plan to", "plans to"]),
        ("{a|a}", ["a"]),
        ("{x} y", ["x y"]),
        ("plain", ["plain"]),
    ],
)
def test_braces_are_written_out_in_order(written: str, phrases: list[str]) -> None:
    assert list(expand([written])) == phrases


def test_the_same_phrase_twice_is_one() -> None:
    assert expand(["bid{|s}", "bids", "ask"]) == ("bid", "bids", "ask")


def test_too_many_variants_are_a_fault_and_never_written_out() -> None:
    fits, more = "{a|b|c|d|e}" * 3 + "{a|b|c|d}", "{a|b}" * 300
    assert len(expand([fits])) == VARIANTS_MAX
    assert list(phrase_faults("x", [fits])) == []
    with pytest.raises(ValueError, match="stands for"):
        expand([more])
    (fault,) = phrase_faults("any_of", ["fine", more])
    assert fault.startswith("any_of[1]: the phrase '{a|b}")
    assert fault.endswith(f"stands for more than {VARIANTS_MAX} phrases")


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("a{b", "has braces that do not match"),
        ("a}b", "has braces that do not match"),
        ("{a{b|c}}", "has braces that do not match"),
        ("{|a}", "is empty"),
        ("x <9>", "has a part that is empty"),
        ("x <9> <n>", "has a part that is empty"),
        ("x <9> a<n>b", "has a part that has <n> elsewhere than at an end"),
    ],
)
def test_forms_that_cannot_be_meant(written: str, fault: str) -> None:
    assert list(phrase_faults("p", [written])) == [f"p[0]: the phrase {written!r} {fault}"]


# -- capitals ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("TRUMP token", True),
        ("TRUMP Token", True),
        ("the TRUMP TOKEN!", True),
        ("Trump token", False),
        ("TRUMp token", False),
        ("trump token", False),
        ("TRUMP tokens", False),
        ("XTRUMP token", False),
        ("$TRUMP token", True),
        ("Trump token, TRUMP token", True),
    ],
)
def test_capitals_must_be_capitals_and_the_rest_may_be(text: str, holds: bool) -> None:
    assert bool(_words(text, "^TRUMP token")) is holds


def test_one_spelling_three_ways() -> None:
    assert _words("Trump token", "^TRUMP token", "=TRUMP token") == ()
    assert _words("TRUMP Token", "^TRUMP token", "=TRUMP token") == ("TRUMP Token",)
    assert _words("TRUMP token", "trump token", "^TRUMP token", "=TRUMP token") == ("TRUMP token",)
    assert _words("WLFI $WLFI wlfi", "={|$}WLFI") == ("WLFI", "$WLFI")


# -- gaps ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("order xx granting", ("order xx granting",)),
        ("order" + "x".center(10) + "granting", ("order" + "x".center(10) + "granting",)),
        ("order" + "x".center(11) + "granting", ()),
        ("order granting", ("order granting",)),
        ("order\ngranting", ("order\ngranting",)),
        ("order. granting", ()),
        ("order a.b granting", ()),
        ("granting order", ()),
        ("orders granting", ()),
        ("order granted", ()),
        # The nearest of several counts, also where the first is too far.
        ("order order xx granting", ("order xx granting",)),
        ("order. order granting", ("order granting",)),
        ("order " + "x" * 20 + " order granting", ("order granting",)),
        ("order granting granting", ("order granting", "order granting granting")),
    ],
)
def test_a_gap_is_short_and_holds_no_full_stop(text: str, words: tuple[str, ...]) -> None:
    assert _words(text, "order <10> granting") == words


def test_two_gaps_each_with_its_own_length() -> None:
    written = "order <8> granting <4> approval"
    assert _words("Order of granting an approval", written) == ("Order of granting an approval",)
    assert _words("Order of granting of the approval", written) == ()
    assert _words("Order granting. approval", written) == ()
    # A middle part too far from the end is no dead end where a nearer one follows.
    assert _words("Order of granting, granting approval", "order <14> granting <4> approval") == (
        "Order of granting, granting approval",
    )
    assert _words("order and xxx granting approval", written) == ()


def test_braces_and_capitals_inside_a_chain() -> None:
    written = "{SEC|the Commission} <12> {approved|approves}"
    assert _words("The Commission has approved it", written) == ("The Commission has approved",)
    assert _words("SEC approves it", written) == ("SEC approves",)
    assert _words("sec approves", "=SEC <9> approves") == ()
    assert _words("raised $5 for <9", "raised <9> $<n>") == ("raised $",)


def test_a_chain_asks_only_for_its_first_part_at_first() -> None:
    group = Group(["order <9> granting", "files"])
    assert group.anchors == {"order", "files"}
    assert group.parts == {"order", "granting", "files"}
    assert chain_of("files") is None


def test_a_chain_may_be_erased_by_plain_phrases() -> None:
    assert _words("no order granting", "order <9> granting", erased=("no order granting",)) == ()
    assert _words("no order granting", "order <9> granting", erased=("no order",)) == (
        "order granting",
    )
    text = "no order granting; an order granting"
    assert _words(text, "order <9> granting", erased=("no order granting",)) == ("order granting",)


@given(st.lists(st.sampled_from(["a", "b", "c", ".", "x", " "]), max_size=24).map(" ".join))
def test_chains_hold_where_an_expression_says_so(text: str) -> None:
    pattern = re.compile(r"(?<!\w)a(?!\w)[^.]{0,6}(?<!\w)b(?!\w)[^.]{0,3}(?<!\w)c(?!\w)")
    assert bool(_words(text, "a <6> b <3> c")) is (pattern.search(text) is not None)
