"""An exchange announces new markets: every ticker in brackets is a coin."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from attrs import frozen

from lowcap.core.messages import Failure, NewsItem
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Texts, no
from lowcap.detection.phrases import Group
from lowcap.detection.text import normalise

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

    def faults(self) -> Iterable[str]:
        """What types cannot show, each with its path under the table."""
        if not self.source.strip():
            yield "source: expected the sender's name"
        if self.hosts and not self.path.startswith("/"):
            yield "path: expected a path that begins with /"
        for path in ("any_of", "markets"):
            if not getattr(self, path):
                yield f"{path}: expected at least one phrase"
        for path in ("any_of", "markets", "none_of"):
            for number, phrase in enumerate(getattr(self, path)):
                if not _squeezed(phrase):
                    yield f"{path}[{number}]: the phrase {phrase!r} is empty"
        if not 1 <= self.coins_max <= 20:
            yield "coins_max: expected 1 to 20"


class ListingReading:
    """Compiled form of ``ListingMatch``; ``key`` is the stem of the per-coin dedupe key.

    Listings are matched without the shared index: their phrases ignore blanks.
    """

    groups: tuple[Group, ...] = ()
    has_topic = False

    def __init__(self, match: ListingMatch, key: str) -> None:
        self._match = match
        self._key = key
        self.lookout: dict[str, tuple[Group, ...]] = {}
        self.names = frozenset({match.source.lower()})
        self._any_of = [_squeezed(phrase) for phrase in match.any_of]
        # A blank that a phrase has may be missing in a title; one it has not may not be
        # ignored, or "Seven Token" would be an event.
        self._none_of = [normalise(phrase).strip().lower() for phrase in match.none_of]
        markets = "|".join(re.escape(normalise(market).strip()) for market in match.markets)
        # ASCII neighbours only: "KRW마켓" names the won market, the ticker KRWQ does not.
        self._market = re.compile(rf"(?<![A-Za-z0-9_])(?:{markets})(?![A-Za-z0-9_])", re.IGNORECASE)
        self._not_coins = frozenset(match.not_coins)
        self._hosts = frozenset(host.lower() for host in match.hosts)

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Sender, listing words, market, blocking words, coins; all from the title."""
        if not self._is_sender(item):
            return no("source", item.source[:60])
        title = texts.text("title")
        lowered = title.lower()
        squeezed = "".join(lowered.split())
        failed: list[Failure] = []
        phrase = next((p for p in self._any_of if p in squeezed), None)
        if phrase is None:
            failed.append(Failure("no-phrase"))
        market = self._market.search(title)
        if market is None:
            failed.append(Failure("market", "no won market named"))
        blocking = tuple(self._blocking(lowered, squeezed))
        if blocking:
            failed.append(Failure("forbidden-phrase", ", ".join(blocking[:3])))
        tickers = [t for t in _TICKER.findall(title) if t not in self._not_coins]
        tickers = list(dict.fromkeys(tickers))[: self._match.coins_max]
        targets = [(s, f"{self._key}:{t}") for t in tickers if (s := coins.symbol(t)) is not None]
        if not targets:
            failed.append(Failure("no-contract" if tickers else "no-coin", ", ".join(tickers)))
        matched = (phrase,) if phrase is not None else ()
        if not failed:
            return Hit(tuple(targets), (*matched, *tickers))
        return No(tuple(failed), near=True, matched=matched, blocking=blocking)

    def _is_sender(self, item: NewsItem) -> bool:
        if item.source and item.source.lower() == self._match.source.lower():
            return True
        if self._match.path not in item.url:
            return False
        # What readers of addresses disagree on (a backslash, blanks) names no sender.
        if not item.url or "\\" in item.url or not item.url.isprintable() or " " in item.url:
            return False
        try:
            link = urlsplit(item.url)
        except ValueError:
            return False
        return (
            link.scheme in ("http", "https")
            and link.username is None
            and (link.hostname or "") in self._hosts
            and self._match.path in link.path
        )

    def _blocking(self, lowered: str, squeezed: str) -> Iterable[str]:
        for phrase in self._none_of:
            if phrase in lowered or (" " in phrase and phrase.replace(" ", "") in squeezed):
                yield phrase


def _squeezed(text: str) -> str:
    """Normalised, lower case, without blanks."""
    return "".join(normalise(text).lower().split())
