"""All phrases of all triggers in one automaton: one pass over a text finds them all.

Phrases are written in configuration like this:

- ``buy back``: matches between word boundaries, case aside;
- ``impersonat*``: any ending; ``*종료*``: anywhere, boundaries aside;
- ``=may``: in exactly this case;
- ``<n> years ago`` or ``raises $<n>``: a digit stands at that end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

from ahocorasick_rs import AhoCorasick, Implementation
from msgspec import Struct

from lowcap.detection.text import normalise


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
    # In the form that texts have, or a curly apostrophe would never match.
    text = normalise(text.removeprefix("<n>").removesuffix("<n>"))
    text = text if digit_left else text.lstrip()
    text = text if digit_right else text.rstrip()
    return _Phrase(
        text if exact else lower(text), open_left, open_right, exact, digit_left, digit_right
    )


def lower(text: str) -> str:
    """Lower case with every character in its place, so that offsets stay true."""
    lowered = text.lower().replace("ς", "σ")  # alike wherever it stands in its word
    if len(lowered) == len(text):
        return lowered
    lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return lowered.replace("ς", "σ")


def phrase_faults(path: str, phrases: Iterable[str]) -> Iterable[str]:
    """What is wrong with phrases as written in configuration under ``path``."""
    for number, written in enumerate(phrases):
        if fault := _phrase_fault(written):
            yield f"{path}[{number}]: the phrase {written!r} {fault}"


def _phrase_fault(written: str) -> str:
    text = _parse(written).text
    if not text.strip():
        return "is empty"
    if "\n" in text:
        return "spans lines"
    inside = written.removeprefix("=").strip("*")
    if "<n>" in inside.removeprefix("<n>").removesuffix("<n>"):
        return "has <n> elsewhere than at an end"
    return ""


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


class Scan:
    """The phrases found in one text."""

    def __init__(self, found: dict[str, list[Found]]) -> None:
        self._found = found

    def first(self, phrases: Iterable[str], erased: Iterable[str] = ()) -> Found | None:
        """The first of ``phrases`` that occurs outside every occurrence of ``erased``."""
        gaps = sorted((f.start, f.end) for phrase in erased for f in self._found.get(phrase, ()))
        starts = [start for start, _ in gaps]
        reach = list(accumulate((end for _, end in gaps), max))
        for phrase in phrases:
            for found in self._found.get(phrase, ()):
                # Of the gaps that begin at or before it, does one reach to its end?
                before = bisect_right(starts, found.start)
                if not before or reach[before - 1] < found.end:
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
