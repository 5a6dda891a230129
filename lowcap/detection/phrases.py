"""All phrases of all triggers in one automaton: one pass over a text finds them all.

Phrases are written in configuration like this:

- ``buy back``: matches between word boundaries, case aside;
- ``impersonat*``: any ending; ``*종료*``: anywhere, boundaries aside;
- ``=may``: in exactly this case;
- ``<n> years ago`` or ``raises $<n>``: a digit stands at that end.
"""

from __future__ import annotations

from collections.abc import Iterable

from ahocorasick_rs import AhoCorasick, Implementation
from msgspec import Struct


class _Phrase(Struct, frozen=True):
    text: str
    open_left: bool
    open_right: bool
    exact_case: bool
    digit_left: bool
    digit_right: bool


class Found(Struct, frozen=True):
    """One phrase in one text."""

    phrase: str
    start: int
    end: int


def _parse(written: str) -> _Phrase:
    text = written
    exact = text.startswith("=")
    text = text[1:] if exact else text
    open_left, open_right = text.startswith("*"), text.endswith("*")
    text = text.strip("*")
    digit_left, digit_right = text.startswith("<n>"), text.endswith("<n>")
    text = text.removeprefix("<n>").removesuffix("<n>")
    return _Phrase(
        text if exact else lower(text), open_left, open_right, exact, digit_left, digit_right
    )


def lower(text: str) -> str:
    """Lower case with every character in its place, so that offsets stay true."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


class Scan:
    """The phrases found in one text."""

    def __init__(self, found: dict[str, list[Found]]) -> None:
        self._found = found

    def first(self, phrases: Iterable[str], erased: Iterable[str] = ()) -> Found | None:
        """The first of ``phrases`` that occurs outside every occurrence of ``erased``."""
        gaps = [f for phrase in erased for f in self._found.get(phrase, ())]
        for phrase in phrases:
            for found in self._found.get(phrase, ()):
                if not any(g.start <= found.start and found.end <= g.end for g in gaps):
                    return found
        return None


class PhraseIndex:
    """Compiled once at start from every phrase that any trigger uses."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._written = sorted(set(phrases))
        self._parsed = [_parse(written) for written in self._written]
        empty = [w for w, p in zip(self._written, self._parsed, strict=True) if not p.text.strip()]
        if empty:
            raise ValueError(f"empty phrase {empty[0]!r}")
        patterns: dict[str, list[int]] = {}
        for number, phrase in enumerate(self._parsed):
            patterns.setdefault(lower(phrase.text), []).append(number)
        self._numbers = list(patterns.values())
        self._automaton = (
            AhoCorasick(list(patterns), implementation=Implementation.DFA) if patterns else None
        )

    def scan(self, text: str) -> Scan:
        """Find every phrase in ``text`` (normalised)."""
        found: dict[str, list[Found]] = {}
        if self._automaton is None:
            return Scan(found)
        lowered = lower(text)
        for pattern, start, end in self._automaton.find_matches_as_indexes(
            lowered, overlapping=True
        ):
            for number in self._numbers[pattern]:
                if self._holds(self._parsed[number], text, start, end):
                    written = self._written[number]
                    found.setdefault(written, []).append(Found(text[start:end], start, end))
        return Scan(found)

    @staticmethod
    def _holds(phrase: _Phrase, text: str, start: int, end: int) -> bool:
        before = text[start - 1] if start else " "
        after = text[end] if end < len(text) else " "
        if phrase.exact_case and text[start:end] != phrase.text:
            return False
        if phrase.digit_left:
            if not before.isdigit():
                return False
        elif not phrase.open_left and _is_word(before):
            return False
        if phrase.digit_right:
            return after.isdigit()
        return phrase.open_right or not _is_word(after)
