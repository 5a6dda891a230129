"""An exchange announces new markets: every ticker in brackets is a coin."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from attrs import frozen

from lowcap.core.messages import NewsItem
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Texts

_TICKER = re.compile(r"\(([A-Z0-9]{1,15})\)")


@frozen(kw_only=True)
class ListingMatch:
    """``[trigger.match]`` of matcher ``listing``.

    The sender is known by ``source`` or by a link to one of ``hosts`` under
    ``path``. ``any_of`` phrases match with blanks ignored, ``markets`` names
    what must be listed against, ``none_of`` blocks.
    """

    source: str
    hosts: tuple[str, ...]
    path: str
    any_of: tuple[str, ...]
    markets: tuple[str, ...]
    none_of: tuple[str, ...] = ()
    not_coins: tuple[str, ...] = ("KRW", "BTC", "USDT", "USDC")
    coins_max: int = 5

    def phrases(self) -> list[str]:
        """Listings are matched without the shared index: their phrases ignore blanks."""
        return []


class ListingReading:
    """Compiled form of ``ListingMatch``; ``key`` is the stem of the per-coin dedupe key."""

    def __init__(self, match: ListingMatch, key: str) -> None:
        self._match = match
        self._key = key
        self._any_of = [_squeezed(phrase) for phrase in match.any_of]
        self._none_of = [_squeezed(phrase) for phrase in match.none_of]
        self._markets = [_squeezed(market) for market in match.markets]
        self._not_coins = frozenset(match.not_coins)

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Sender, listing words, market, blocking words, coins; all from the title."""
        if not self._is_sender(item):
            return No("source")
        title = texts.text("title")
        squeezed = _squeezed(title)
        phrase = next((p for p in self._any_of if p in squeezed), None)
        if phrase is None:
            return No("no-phrase", near=True)
        if not any(market in squeezed for market in self._markets):
            return No("market", "no won market named", near=True)
        blocked = next((p for p in self._none_of if p in squeezed), None)
        if blocked is not None:
            return No("forbidden-phrase", blocked, near=True)
        tickers = [t for t in _TICKER.findall(title) if t not in self._not_coins]
        tickers = list(dict.fromkeys(tickers))[: self._match.coins_max]
        if not tickers:
            return No("no-coin", near=True)
        targets = [(s, f"{self._key}:{t}") for t in tickers if (s := coins.symbol(t)) is not None]
        if not targets:
            return No("no-contract", ", ".join(tickers), near=True)
        return Hit(tuple(targets), (phrase, *tickers))

    def _is_sender(self, item: NewsItem) -> bool:
        if item.source.lower() == self._match.source:
            return True
        if not item.url:
            return False
        try:
            link = urlsplit(item.url)
        except ValueError:
            return False
        return (link.hostname or "") in self._match.hosts and self._match.path in link.path


def _squeezed(text: str) -> str:
    """Lower case without blanks."""
    return "".join(text.lower().split())
