"""What every matcher gets and gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar, cast

from msgspec import Struct

from lowcap.core.messages import Failure, NewsItem
from lowcap.core.money import Side
from lowcap.detection.coins import CoinTable
from lowcap.detection.phrases import Group
from lowcap.detection.scan import PhraseIndex, Scan
from lowcap.detection.text import grows, normalise, own_text, too_long

SYMBOL = re.compile(r"[A-Z0-9]{5,30}")
T = TypeVar("T")
TICKER = re.compile(r"[A-Z0-9]{1,15}")


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

    ``decides`` is a key that this item closes even where it comes too late to
    trade. ``side`` is None where the trigger's own side holds.
    """

    targets: tuple[tuple[str, str], ...]
    matched: tuple[str, ...]
    decides: str = ""
    side: Side | None = None


class No(Struct, frozen=True):
    """A rule did not fire: every condition that failed, the first one first.

    ``near`` when the item was about this trigger's business; ``decides``
    closes a key all the same; ``claims`` when the item is so much this
    trigger's topic that no later one may have it.
    """

    failed: tuple[Failure, ...]
    near: bool = False
    decides: str = ""
    matched: tuple[str, ...] = ()
    blocking: tuple[str, ...] = ()
    claims: bool = False


def no(reason: str, detail: str = "", *, near: bool = False, decides: str = "") -> No:
    """A no for one reason."""
    return No((Failure(reason, detail),), near=near, decides=decides)


class Reading(Protocol):
    """A compiled matcher: one item in, a hit or a no out. Pure.

    ``lookout`` names, for each view of a text (``own`` of posts, ``title`` and
    the like of items), groups of phrases of which one must occur before the
    item need be judged at all. Where it is empty every item is judged.
    ``groups`` are all that the scan must find, ``names`` the senders (lower
    case). ``has_topic`` tells one that may claim items for itself.
    """

    lookout: dict[str, tuple[Group, ...]]
    groups: tuple[Group, ...]
    names: frozenset[str]
    has_topic: bool

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Judge one item alone, as of its own time."""
        ...


class Unfit(Exception):
    """A text whose normal form grows beyond measure: it was made to slow us down."""


class Texts:
    """The views of one item's text that rules look at, each computed once, when first asked for.

    ``title``, ``body``, ``all`` (both), ``own`` (what the account itself
    wrote) and ``line`` (the same without line breaks).
    """

    def __init__(self, item: NewsItem, index: PhraseIndex) -> None:
        self._item = item
        self._index = index
        self._texts: dict[str, str] = {}
        self._once: dict[str, object] = {}
        self._scans: dict[str, Scan] = {}

    @property
    def too_long(self) -> bool:
        """Whether a field is longer than what rules scan."""
        item = self._item
        return (
            too_long(item.body)
            or too_long(item.title)
            or too_long(item.source)
            or too_long(item.url)
        )

    def text(self, view: str) -> str:
        """One view, normalised.

        Raises:
            Unfit: its normal form would be more than twice as long.
        """
        found = self._texts.get(view)
        if found is None:
            found = self._texts[view] = self._make(view)
        return found

    def scan(self, view: str) -> Scan:
        """The phrases of all rules found in a view."""
        found = self._scans.get(view)
        if found is None:
            found = self._scans[view] = self._index.scan(self.text(view))
        return found

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What ``make`` returns, made once an item: several triggers read the same release."""
        if name not in self._once:
            self._once[name] = make()
        return cast(T, self._once[name])

    def _make(self, view: str) -> str:
        match view:
            case "own":
                return own_text(self.text("body"), self._item.markup)
            case "line":
                return " ".join(self.text("own").split())
            case "all":
                title, body = self.text("title"), self.text("body")
                return f"{title}\n{body}" if title and body else title or body
            case _:
                raw = self._item.title if view == "title" else self._item.body
                normal = normalise(raw)
                if grows(raw, normal):
                    raise Unfit
                return normal
