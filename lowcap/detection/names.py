"""Which coins a text names: cashtags, tickers in brackets, project names, bare tickers."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ahocorasick_rs import AhoCorasick, Implementation
from msgspec import Struct, convert

from lowcap.detection.phrases import is_word
from lowcap.detection.text import without_urls

TICKER_MAX = 15
BARE_LETTERS_MIN = 3
_CASHTAG = re.compile(rf"(?<!\w)\$([A-Za-z0-9]{{1,{TICKER_MAX}}})(?![^\W_])")
_BRACKETED = re.compile(rf"\(\$?([A-Z0-9]{{1,{TICKER_MAX}}})\)")
_BARE = re.compile(rf"(?<!\w)[A-Z0-9]{{{BARE_LETTERS_MIN},{TICKER_MAX}}}(?!\w)")
# A stock's ticker behind the name of its exchange is no coin.
_STOCK_TAG = re.compile(
    r"\(?\s?\b(?:NYSE|NASDAQ|AMEX|OTC(?:QB|QX|MKTS)?|TSXV?|LSE|ASX|HKEX|SEHK|CBOE|BATS|NEO|SGX|TSE"
    r"|KRX|KOSDAQ|Euronext)(?: [A-Za-z]{1,8})?\s?:\s?\$?[A-Za-z0-9.]{1,10}\b\)?",
    re.IGNORECASE,
)
# Behind these a name that is an ordinary word may only be one.
_SENTENCE_ENDS = frozenset(".!?:|\n")


class CoinNames(Struct, frozen=True, forbid_unknown_fields=True):
    """What news calls one coin.

    ``weak`` names are ordinary words, which do not count at the beginning of a
    sentence. ``word`` marks a ticker that may be read as a word: bare, it says
    nothing. ``id`` is the coin's id at CoinGecko.
    """

    names: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    word: bool = False
    id: str = ""


class Curated(Struct, frozen=True, forbid_unknown_fields=True):
    """The curated table: coins by ticker, and tickers that never trade on news."""

    coin: dict[str, CoinNames]
    stable: tuple[str, ...] = ()
    wrapped: tuple[str, ...] = ()

    @property
    def never(self) -> frozenset[str]:
        """Tickers that are pegged to something else, or wrap another coin."""
        return frozenset((*self.stable, *self.wrapped))


@cache
def curated() -> Curated:
    """The table that comes with lowcap."""
    text = Path(__file__).with_name("coins.toml").read_text(encoding="utf-8")
    tree: dict[str, Any] = tomllib.loads(text)
    return convert(tree, Curated)


class _Name(Struct, frozen=True):
    ticker: str
    weak: bool


class NameBook:
    """Every name and ticker, compiled once; finds the coins of a text in one pass."""

    def __init__(self, coins: Mapping[str, CoinNames]) -> None:
        self._bare = frozenset(
            ticker
            for ticker, coin in coins.items()
            if not coin.word and len(ticker) >= BARE_LETTERS_MIN
        )
        names: dict[str, _Name] = {}
        for ticker, coin in coins.items():
            for weak, written in ((False, coin.names), (True, coin.weak)):
                for name in written:
                    for form in (name, name.upper()):
                        names.setdefault(form, _Name(ticker, weak))
        self._names = list(names.values())
        self._automaton = (
            AhoCorasick(list(names), implementation=Implementation.DFA) if names else None
        )

    def named(self, text: str) -> tuple[str, ...]:
        """Tickers of the coins that ``text`` (normalised) confirms, in order of appearance.

        Confirmed is a coin by ``$TICKER`` in any case, ``(TICKER)`` in
        capitals, a project name as written or in capitals (the longest first,
        each place counts once), or the bare ticker in capitals where it is no
        word. Web addresses and stock tickers are passed over. Tickers that
        nobody has heard of are among the answers: the caller knows which trade.
        """
        text = without_urls(text)
        if ":" in text:
            text = _STOCK_TAG.sub(" ", text)
        found: list[tuple[int, str]] = []
        if "$" in text:
            found += [(m.start(), m[1].upper()) for m in _CASHTAG.finditer(text)]
        if "(" in text:
            found += [(m.start(), m[1]) for m in _BRACKETED.finditer(text)]
        taken = bytearray(len(text))
        for start, name in self._take_names(text, taken):
            if not (name.weak and _opens_sentence(text, start)):
                found.append((start, name.ticker))
        for match in _BARE.finditer(text):
            if match[0] in self._bare and not taken[match.start()]:
                found.append((match.start(), match[0]))
        return tuple(dict.fromkeys(ticker for _, ticker in sorted(found)))

    def _take_names(self, text: str, taken: bytearray) -> Iterable[tuple[int, _Name]]:
        """Project names between word boundaries; where two overlap, the longer one.

        Their places are marked in ``taken``.
        """
        if self._automaton is None:
            return
        last = len(text)
        matches = [
            (start, end, self._names[number])
            for number, start, end in self._automaton.find_matches_as_indexes(
                text, overlapping=True
            )
            if not (start and is_word(text[start - 1])) and not (end < last and is_word(text[end]))
        ]
        matches.sort(key=lambda match: (match[0] - match[1], match[0]))
        for start, end, name in matches:
            # What overlaps it is at least as long, so it covers one of its ends.
            if not (taken[start] or taken[end - 1]):
                taken[start:end] = b"\x01" * (end - start)
                yield start, name


def _opens_sentence(text: str, start: int) -> bool:
    """Whether only marks lie between a place and the beginning of its sentence."""
    for at in range(start - 1, -1, -1):
        if text[at] in _SENTENCE_ENDS:
            return True
        if is_word(text[at]):
            return False
    return True


def tickers_after(text: str, start: int) -> tuple[str, ...]:
    """Every ``(TICKER)``, ``($TICKER)`` and ``$ticker`` behind a place, in order."""
    rest = text[start:]
    found = [(m.start(), m[1]) for m in _BRACKETED.finditer(rest)]
    found += [(m.start(), m[1].upper()) for m in _CASHTAG.finditer(rest)]
    return tuple(dict.fromkeys(ticker for _, ticker in sorted(found)))
