"""What every matcher gets and gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from lowcap.core.messages import NewsItem
from lowcap.detection.coins import CoinTable
from lowcap.detection.phrases import PhraseIndex, Scan
from lowcap.detection.text import normalise, own_text, too_long

SYMBOL = re.compile(r"[A-Z0-9]{5,30}")


def symbol_faults(symbols: tuple[str, ...]) -> Iterable[str]:
    """What is wrong with the ``symbols`` of a match table."""
    if not symbols:
        yield "symbols: expected at least one"
    for symbol in symbols:
        if SYMBOL.fullmatch(symbol) is None:
            yield f"symbols: expected symbols in capitals, like BTCUSDT, not {symbol!r}"
    if len(set(symbols)) < len(symbols):
        yield "symbols: one is named twice"


class Hit(Struct, frozen=True):
    """A rule fired: the symbols it names with their dedupe keys, and the words that did it.

    ``decides`` is a key that this item closes even where it comes too late to trade.
    """

    targets: tuple[tuple[str, str], ...]
    matched: tuple[str, ...]
    decides: str = ""


class No(Struct, frozen=True):
    """A rule did not fire. ``near`` when the sender was right; ``decides`` closes a key."""

    reason: str
    detail: str = ""
    near: bool = False
    decides: str = ""


class Reading(Protocol):
    """A compiled matcher: one item in, a hit or a no out. Pure."""

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Judge one item alone, as of its own time."""
        ...


class Texts:
    """The views of one item's text that rules look at, each computed once, when first asked for."""

    def __init__(self, item: NewsItem, index: Callable[[], PhraseIndex]) -> None:
        self._item = item
        self._index = index
        self._texts: dict[str, str] = {}
        self._scans: dict[str, Scan] = {}

    @property
    def too_long(self) -> bool:
        """Whether a field is longer than what rules scan."""
        item = self._item
        return any(map(too_long, (item.title, item.body, item.source, item.url)))

    def text(self, view: str) -> str:
        """``title``, ``body`` or ``own`` (what the account itself wrote), normalised."""
        if view not in self._texts:
            self._texts[view] = self._make(view)
        return self._texts[view]

    def scan(self, view: str) -> Scan:
        """The phrases of all rules found in a view."""
        if view not in self._scans:
            self._scans[view] = self._index().scan(self.text(view))
        return self._scans[view]

    def _make(self, view: str) -> str:
        if view == "own":
            return own_text(self.text("body"), self._item.markup)
        return normalise(self._item.title if view == "title" else self._item.body)
