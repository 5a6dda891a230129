"""Marks in a headline: what spoke for a trade and against it, readable without colour."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.terminal.marks import headline_lines, marked, miss_lines
from lowcap.terminal.table import Style, width_of

COLOURLESS, COLOURED = Style(False), Style(True)


@pytest.mark.parametrize(
    ("text", "matched", "blocking", "shown"),
    [
        ("Quill buys it, reportedly", ["buys"], ["reportedly"],
         "Quill [+buys] it, [-reportedly]"),
        ("Buys and BUYS", ["buys"], [], "[+Buys] and [+BUYS]"),
        ("buyside buys", ["buys"], [], "buyside [+buys]"),
        ("not notable", [], ["not"], "[-not] notable"),
        ("lists to list", ["list", "to list"], [], "lists [+to list]"),  # the longer one
        ("not", ["not"], ["not"], "[-not]"),  # what blocks weighs more
        ("plain", [], [], "plain"),
        ("plain", ["", " "], [""], "plain"),
        ("plain", ["absent"], ["gone"], "plain"),
        ("a (b) c.d", ["(b)", "c.d"], [], "a [+(b)] [+c.d]"),
        ("axd c.d", ["c.d", "a.d"], [], "axd [+c.d]"),
        ("$TRUMP up", ["$TRUMP"], [], "[+$TRUMP] up"),
        ("원화 마켓 추가", ["마켓"], [], "원화 [+마켓] 추가"),
        ("", ["x"], [], ""),
        # A headline's own letters, where its normal form has others.
        ("Quill buyſ it", ["buys"], [], "Quill [+buyſ] it"),
        ("Quill \u212a", ["k"], [], "Quill [+\u212a]"),
    ],
)  # fmt: skip
def test_words_are_marked_where_they_stand(
    text: str, matched: list[str], blocking: list[str], shown: str
) -> None:
    assert marked(text, matched, blocking) == shown


WORDS = st.lists(st.sampled_from(["buys", "not", "S-1", "(SOL)", "to list", "list", ".", "[", "ſ"]))


@given(st.text(max_size=60) | WORDS.map(" ".join), WORDS, WORDS)
def test_marks_only_add(text: str, matched: list[str], blocking: list[str]) -> None:
    shown = marked(text, matched, blocking)
    if "[" not in text and "]" not in text:
        assert re.sub(r"\[[+-]([^\[\]]*)\]", r"\1", shown) == text


def _miss(**changes: Any) -> dict[str, Any]:
    miss = {
        "trigger": "t1",
        "reason": "no-phrase",
        "detail": "none of: a",
        "failed": [{"reason": "no-phrase", "detail": "none of: a"}, {"reason": "no-coin"}],
        "matched": ["buys"],
        "blocking": ["not"],
    }
    return miss | changes


def test_author_and_headline() -> None:
    value = {"author": "Quill", "headline": "Quill buys it, not now"}
    lines = headline_lines(value, [_miss(), _miss(matched=["it"], blocking=[])], 80)
    assert lines == ["  Quill: Quill [+buys] [+it], [-not] now"]
    assert headline_lines(value, [], 80) == ["  Quill: Quill buys it, not now"]
    assert headline_lines(value, [{"trigger": "t"}], 80) == headline_lines(value, [], 80)


def test_a_long_headline_keeps_to_six_lines_of_the_width() -> None:
    lines = headline_lines({"author": "A", "headline": "word " * 500}, [_miss()], 40)
    assert len(lines) == 6
    assert all(width_of(line) <= 40 for line in lines)


def test_no_control_character_comes_through() -> None:
    evil = "\x1b[2J\x07buys \u202e"
    misses = [_miss(detail=evil, matched=[evil], blocking=[evil], failed=[])]
    shown = headline_lines({"author": evil, "headline": evil}, misses, 80)
    shown += miss_lines(misses[0], COLOURLESS, 80)
    for line in shown:
        assert not set("\x1b\x07\u202e\n") & set(line)


def test_the_first_reason_leads_and_the_others_follow() -> None:
    assert miss_lines(_miss(), COLOURLESS, 80) == [
        "  t1 did not fire: no-phrase (none of: a)",
        "    also: no-coin",
    ]
    assert miss_lines(_miss(failed=[]), COLOURLESS, 80) == [
        "  t1 did not fire: no-phrase (none of: a)"
    ]
    older = {"trigger": "t1", "reason": "disabled"}
    assert miss_lines(older, COLOURLESS, 80) == ["  t1 did not fire: disabled"]


def test_colour_is_an_addition() -> None:
    plain, coloured = (miss_lines(_miss(), style, 80) for style in (COLOURLESS, COLOURED))
    assert coloured != plain
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain
    assert coloured[1:] == plain[1:]
