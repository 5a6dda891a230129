"""How a phrase is written in configuration, and what it then matches.

- ``buy back``: between word boundaries, case aside;
- ``impersonat*``: any ending; ``*종료*``: anywhere, boundaries aside;
- ``=may``: in exactly this case; ``^TRUMP token``: its capitals must be capitals;
- ``<n> years ago`` or ``raises $<n>``: a digit stands at that end;
- ``order <80> granting``: at most 80 characters lie between, and no full stop;
- ``buyback{|s}``: each of the words in braces in turn, here two phrases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product

from msgspec import Struct

from lowcap.detection.text import normalise

VARIANTS_MAX = 500
_GAP = re.compile(r"\s*<(\d{1,4})>\s*")
_BRACES = re.compile(r"\{([^{}]*)\}")
_BLANKS = re.compile(" +")


class Phrase(Struct, frozen=True):
    """One phrase without gaps; ``capitals`` are places that must be capital letters."""

    text: str
    open_left: bool
    open_right: bool
    exact_case: bool
    capitals: tuple[int, ...]
    digit_left: bool
    digit_right: bool

    @property
    def is_plain(self) -> bool:
        """Whether word boundaries are all that it asks for."""
        return not (
            self.open_left
            or self.open_right
            or self.exact_case
            or self.capitals
            or self.digit_left
            or self.digit_right
        )

    def holds(self, text: str, start: int, end: int) -> bool:
        """Whether what stands at ``start`` in ``text``, case aside this phrase, really is it."""
        before = text[start - 1] if start else " "
        after = text[end] if end < len(text) else " "
        if self.exact_case and text[start:end] != self.text:
            return False
        if self.capitals and not all(text[start + n].isupper() for n in self.capitals):
            return False
        if self.digit_left:
            if not before.isdigit():
                return False
        elif not self.open_left and is_word(before):
            return False
        if self.digit_right:
            return after.isdigit()
        return self.open_right or not is_word(after)


class Chain(Struct, frozen=True):
    """Phrases that follow each other; ``gaps`` are the most characters between them."""

    parts: tuple[str, ...]
    gaps: tuple[int, ...]


class Group:
    """Phrases of which one is wanted, or none allowed."""

    def __init__(self, written: Iterable[str]) -> None:
        self.written = expand(written)
        self.chains = {w: chain for w in self.written if (chain := chain_of(w)) is not None}
        self.plain = frozenset(self.written) - self.chains.keys()

    def __bool__(self) -> bool:
        return bool(self.written)

    @property
    def anchors(self) -> frozenset[str]:
        """Phrases without gaps of which one must occur wherever this group does."""
        return self.plain | {chain.parts[0] for chain in self.chains.values()}

    @property
    def parts(self) -> frozenset[str]:
        """Every phrase without gaps that must be looked for."""
        return self.plain | {part for chain in self.chains.values() for part in chain.parts}


def expand(written: Iterable[str]) -> tuple[str, ...]:
    """Each phrase with its braces written out, in order, without repeats.

    Raises:
        ValueError: one stands for more than ``VARIANTS_MAX`` phrases.
    """
    found: dict[str, None] = {}
    for each in written:
        for variant in _variants(each):
            found[_BLANKS.sub(" ", variant).strip(" ")] = None
    return tuple(found)


def _variants(written: str) -> Iterable[str]:
    pieces = _BRACES.split(written)
    choices = [piece.split("|") if number % 2 else [piece] for number, piece in enumerate(pieces)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > VARIANTS_MAX:
        raise ValueError(f"the phrase {written[:60]!r} stands for {count} phrases")
    return ("".join(words) for words in product(*choices))


def parse(written: str) -> Phrase:
    """A phrase without braces and gaps."""
    exact, capitals = written.startswith("="), written.startswith("^")
    text = written[1:] if exact or capitals else written
    open_left, open_right = text.startswith("*"), text.endswith("*")
    text = text.strip("*")
    digit_left, digit_right = text.startswith("<n>"), text.endswith("<n>")
    # In the form that texts have, or a curly apostrophe would never match.
    text = normalise(text.removeprefix("<n>").removesuffix("<n>"))
    text = text if digit_left else text.lstrip()
    text = text if digit_right else text.rstrip()
    return Phrase(
        text=text if exact else lower(text),
        open_left=open_left,
        open_right=open_right,
        exact_case=exact,
        capitals=tuple(n for n, c in enumerate(text) if c.isupper()) if capitals else (),
        digit_left=digit_left,
        digit_right=digit_right,
    )


def chain_of(written: str) -> Chain | None:
    """A phrase with gaps, or None where it has none."""
    pieces = _GAP.split(written)
    if len(pieces) == 1:
        return None
    return Chain(tuple(pieces[::2]), tuple(int(gap) for gap in pieces[1::2]))


def lower(text: str) -> str:
    """Lower case with every character in its place, so that offsets stay true."""
    lowered = text.lower()
    if lowered.isascii():
        return lowered
    if len(lowered) != len(text):
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return lowered.replace("ς", "σ")  # alike wherever it stands in its word


def is_word(character: str) -> bool:
    """Whether a character belongs to a word, so that no phrase ends beside it."""
    return character.isalnum() or character == "_"


def phrase_faults(path: str, phrases: Iterable[str]) -> Iterable[str]:
    """What is wrong with phrases as written in configuration under ``path``."""
    for number, written in enumerate(phrases):
        if fault := _fault(written):
            yield f"{path}[{number}]: the phrase {written!r} {fault}"


def _fault(written: str) -> str:
    try:
        variants = expand([written])
    except ValueError:
        return f"stands for more than {VARIANTS_MAX} phrases"
    if "{" in variants[0] or "}" in variants[0]:
        return "has braces that do not match"
    return next((fault for variant in variants if (fault := _variant_fault(variant))), "")


def _variant_fault(written: str) -> str:
    chain = chain_of(written)
    if chain is not None:
        faults = [fault for part in chain.parts if (fault := _variant_fault(part))]
        return f"has a part that {faults[0]}" if faults else ""
    text = parse(written).text
    if not text.strip():
        return "is empty"
    if "\n" in text:
        return "spans lines"
    inside = written.removeprefix("=").removeprefix("^").strip("*")
    if "<n>" in inside.removeprefix("<n>").removesuffix("<n>"):
        return "has <n> elsewhere than at an end"
    return ""
