"""All phrases of all triggers in one automaton: one pass over a text finds them all.

Phrases are written in configuration like this:

- ``buy back``: matches between word boundaries, case aside;
- ``impersonat*``: any ending; ``*종료*``: anywhere, boundaries aside;
- ``=may``: in exactly this case; ``^TRUMP token``: its capitals must be capitals;
- ``<n> years ago`` or ``raises $<n>``: a digit stands at that end;
- ``order <80> granting``: at most 80 characters lie between, and no full stop.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from ahocorasick_rs import AhoCorasick, Implementation
from msgspec import Struct

from lowcap.detection.text import normalise

_GAP = re.compile(r"\s*<(\d{1,4})>\s*")


class _Phrase(Struct, frozen=True):
    text: str
    open_left: bool
    open_right: bool
    exact_case: bool
    capitals: tuple[int, ...]
    digit_left: bool
    digit_right: bool


class Found(Struct, frozen=True):
    """One phrase in one text."""

    phrase: str
    start: int
    end: int


class _Chain(Struct, frozen=True):
    """Phrases that follow each other; ``gaps`` are the most characters between them."""

    parts: tuple[str, ...]
    gaps: tuple[int, ...]


def _parse(written: str) -> _Phrase:
    exact, capitals = written.startswith("="), written.startswith("^")
    text = written[1:] if exact or capitals else written
    open_left, open_right = text.startswith("*"), text.endswith("*")
    text = text.strip("*")
    digit_left, digit_right = text.startswith("<n>"), text.endswith("<n>")
    # In the form that texts have, or a curly apostrophe would never match.
    text = normalise(text.removeprefix("<n>").removesuffix("<n>"))
    text = text if digit_left else text.lstrip()
    text = text if digit_right else text.rstrip()
    return _Phrase(
        text=text if exact else lower(text),
        open_left=open_left,
        open_right=open_right,
        exact_case=exact,
        capitals=tuple(n for n, c in enumerate(text) if c.isupper()) if capitals else (),
        digit_left=digit_left,
        digit_right=digit_right,
    )


def _chain_of(written: str) -> _Chain | None:
    parts = _GAP.split(written)
    if len(parts) == 1:
        return None
    return _Chain(tuple(parts[::2]), tuple(int(gap) for gap in parts[1::2]))


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
    chain = _chain_of(written)
    if chain is not None:
        faults = [fault for part in chain.parts if (fault := _phrase_fault(part))]
        return f"has a part that {faults[0]}" if faults else ""
    text = _parse(written).text
    if not text.strip():
        return "is empty"
    if "\n" in text:
        return "spans lines"
    inside = written.removeprefix("=").removeprefix("^").strip("*")
    if "<n>" in inside.removeprefix("<n>").removesuffix("<n>"):
        return "has <n> elsewhere than at an end"
    return ""


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


class Scan:
    """The phrases found in one text."""

    def __init__(
        self, text: str, found: dict[str, list[Found]], chains: Mapping[str, _Chain]
    ) -> None:
        self._text = text
        self._found = found
        self._chains = chains

    @property
    def phrases(self) -> Iterable[str]:
        """Every phrase that occurs, as written, without those that have gaps."""
        return self._found.keys()

    def first(self, phrases: Iterable[str], erased: Iterable[str] = ()) -> Found | None:
        """The first of ``phrases`` that occurs outside every occurrence of ``erased``."""
        return next(self._every(phrases, erased), None)

    def words(self, phrases: Iterable[str], erased: Iterable[str] = ()) -> tuple[str, ...]:
        """The words of the text that match any of ``phrases``, each once."""
        return tuple(dict.fromkeys(found.phrase for found in self._every(phrases, erased)))

    def _every(self, phrases: Iterable[str], erased: Iterable[str]) -> Iterator[Found]:
        gaps = sorted((f.start, f.end) for phrase in erased for f in self._found.get(phrase, ()))
        starts = [start for start, _ in gaps]
        reach = list(accumulate((end for _, end in gaps), max))
        for phrase in phrases:
            chain = self._chains.get(phrase)
            places = self._found.get(phrase, ()) if chain is None else self._linked(chain)
            for found in places:
                # Of the gaps that begin at or before it, does one reach to its end?
                before = bisect_right(starts, found.start)
                if not before or reach[before - 1] < found.end:
                    yield found

    def _linked(self, chain: _Chain) -> Iterator[Found]:
        """The first place where all parts of ``chain`` stand close enough to each other."""
        # For each end reached so far, where that run of parts began: the nearest end wins,
        # since whatever a farther one allows, a nearer one allows too.
        runs = [(f.start, f.end) for f in self._found.get(chain.parts[0], ())]
        for part, gap in zip(chain.parts[1:], chain.gaps, strict=True):
            runs.sort(key=lambda run: run[1])
            ends = [end for _, end in runs]
            following = []
            for found in self._found.get(part, ()):
                nearest = bisect_right(ends, found.start)
                if nearest and found.start - ends[nearest - 1] <= gap:
                    start, end = runs[nearest - 1]
                    if "." not in self._text[end : found.start]:
                        following.append((start, found.end))
            runs = following
        for start, end in sorted(runs)[:1]:
            yield Found(self._text[start:end], start, end)


class PhraseIndex:
    """Compiled once at start from every phrase that any trigger uses."""

    def __init__(self, phrases: Iterable[str]) -> None:
        given = set(phrases)
        self._chains = {w: chain for w in given if (chain := _chain_of(w)) is not None}
        parts = {part for chain in self._chains.values() for part in chain.parts}
        self._written = sorted(given - self._chains.keys() | parts)
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
            return Scan(text, found, self._chains)
        lowered = lower(text)
        for pattern, start, end in self._automaton.find_matches_as_indexes(
            lowered, overlapping=True
        ):
            for number in self._numbers[pattern]:
                if self._holds(self._parsed[number], text, start, end):
                    written = self._written[number]
                    found.setdefault(written, []).append(Found(text[start:end], start, end))
        return Scan(text, found, self._chains)

    def parts_of(self, phrase: str) -> tuple[str, ...]:
        """What ``scan`` reports when ``phrase`` occurs: itself, or its first part."""
        chain = self._chains.get(phrase)
        return (phrase,) if chain is None else (chain.parts[0],)

    @staticmethod
    def _holds(phrase: _Phrase, text: str, start: int, end: int) -> bool:
        before = text[start - 1] if start else " "
        after = text[end] if end < len(text) else " "
        if phrase.exact_case and text[start:end] != phrase.text:
            return False
        if phrase.capitals and not all(text[start + n].isupper() for n in phrase.capitals):
            return False
        if phrase.digit_left:
            if not before.isdigit():
                return False
        elif not phrase.open_left and _is_word(before):
            return False
        if phrase.digit_right:
            return after.isdigit()
        return phrase.open_right or not _is_word(after)
