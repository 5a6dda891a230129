"""All phrases of all triggers in one automaton: one pass over a text finds them all."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from ahocorasick_rs import AhoCorasick, Implementation
from msgspec import Struct

from lowcap.detection.phrases import Chain, Group, is_word, lower, parse

Span = tuple[int, int]
_NOTHING = Group(())


class Found(Struct, frozen=True):
    """Words of a text that a phrase matched."""

    words: str
    start: int
    end: int


class Scan:
    """The phrases found in one text."""

    def __init__(self, text: str, found: dict[str, list[Span]]) -> None:
        self._text = text
        self.found = found

    def first(self, group: Group, erased: Group = _NOTHING) -> Found | None:
        """The first place of any phrase of ``group`` outside every occurrence of ``erased``."""
        if group.plain.isdisjoint(self.found) and not group.chains:
            return None
        spans = min(self._every(group, erased), default=None)
        return None if spans is None else Found(self._text[spans[0] : spans[1]], *spans)

    def words(self, group: Group, erased: Group = _NOTHING) -> tuple[str, ...]:
        """The words of the text that match any of ``group``, each once, in order."""
        if group.plain.isdisjoint(self.found) and not group.chains:
            return ()
        spans = sorted(self._every(group, erased))
        return tuple(dict.fromkeys(self._text[start:end] for start, end in spans))

    def _every(self, group: Group, erased: Group) -> Iterator[Span]:
        places = [span for phrase in group.plain & self.found.keys() for span in self.found[phrase]]
        for chain in group.chains.values():
            places += self._linked(chain)
        if not places or erased.plain.isdisjoint(self.found):
            yield from places
            return
        gaps = sorted(span for phrase in erased.plain for span in self.found.get(phrase, ()))
        starts = [start for start, _ in gaps]
        reach = list(accumulate((end for _, end in gaps), max))
        for start, end in places:
            # Of the gaps that begin at or before it, does one reach to its end?
            before = bisect_right(starts, start)
            if not before or reach[before - 1] < end:
                yield start, end

    def _linked(self, chain: Chain) -> list[Span]:
        """Where all parts of ``chain`` stand close enough to each other: one place for each end."""
        # For each end reached so far, where that run of parts began: the nearest end wins,
        # since whatever a farther one allows, a nearer one allows too.
        runs = list(self.found.get(chain.parts[0], ()))
        for part, gap in zip(chain.parts[1:], chain.gaps, strict=True):
            runs.sort(key=lambda run: run[1])
            ends = [end for _, end in runs]
            following = []
            for start, end in self.found.get(part, ()):
                nearest = bisect_right(ends, start)
                if nearest and start - ends[nearest - 1] <= gap:
                    begun, ended = runs[nearest - 1]
                    if "." not in self._text[ended:start]:
                        following.append((begun, end))
            runs = following
        return runs


class PhraseIndex:
    """Compiled once at start from every phrase that any trigger looks for."""

    def __init__(self, phrases: Iterable[str]) -> None:
        """``phrases`` are without gaps and braces.

        Raises:
            ValueError: one is empty.
        """
        patterns: dict[str, list[str]] = {}
        self._parsed = {written: parse(written) for written in sorted(set(phrases))}
        for written, phrase in self._parsed.items():
            if not phrase.text.strip():
                raise ValueError(f"empty phrase {written!r}")
            patterns.setdefault(lower(phrase.text), []).append(written)
        # Most patterns are one phrase that asks for word boundaries only: told apart here.
        self._plain = [
            names[0] if len(names) == 1 and self._parsed[names[0]].is_plain else ""
            for names in patterns.values()
        ]
        self._names = list(patterns.values())
        self._automaton = (
            AhoCorasick(list(patterns), implementation=Implementation.DFA) if patterns else None
        )

    def scan(self, text: str) -> Scan:
        """Find every phrase in ``text`` (normalised)."""
        found: dict[str, list[Span]] = {}
        if self._automaton is None:
            return Scan(text, found)
        length, plain = len(text), self._plain
        for pattern, start, end in self._automaton.find_matches_as_indexes(
            lower(text), overlapping=True
        ):
            name = plain[pattern]
            if name:
                if start and is_word(text[start - 1]):
                    continue
                if end < length and is_word(text[end]):
                    continue
                found.setdefault(name, []).append((start, end))
                continue
            for name in self._names[pattern]:
                if self._parsed[name].holds(text, start, end):
                    found.setdefault(name, []).append((start, end))
        return Scan(text, found)
