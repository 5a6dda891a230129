"""An account announces assets: a phrase at the beginning, then a ticker in brackets for each."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from lowcap.core.messages import Failure, NewsItem
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Texts
from lowcap.detection.matchers.sender import Author, Sender, author_faults
from lowcap.detection.matchers.words import Barrier
from lowcap.detection.names import tickers_after
from lowcap.detection.phrases import Group, phrase_faults

VIEW = "line"


@frozen(kw_only=True)
class RoadmapMatch:
    """``[trigger.match]`` of matcher ``roadmap``.

    A phrase of ``any_of`` must begin within the first ``within`` characters of
    a post that is neither repeat, quote nor reply; line breaks count as
    blanks. Every ``(TICKER)``, ``($TICKER)`` and ``$ticker`` behind it is a coin.
    """

    authors: tuple[Author, ...]
    any_of: tuple[str, ...]
    none_of: tuple[str, ...] = ()
    within: int = 40
    coins_max: int = 20

    def faults(self) -> Iterable[str]:
        """What types cannot show, each with its path under the table."""
        if not self.authors:
            yield "authors: expected at least one"
        yield from author_faults(self.authors)
        if not self.any_of:
            yield "any_of: expected at least one phrase"
        for path in ("any_of", "none_of"):
            yield from phrase_faults(path, getattr(self, path))
        if not 1 <= self.within <= 10_000:
            yield "within: expected 1 to 10000"
        if not 1 <= self.coins_max <= 50:
            yield "coins_max: expected 1 to 50"


class RoadmapReading:
    """Compiled form of ``RoadmapMatch``; ``key`` is the stem of the per-coin dedupe key."""

    has_topic = False

    def __init__(self, match: RoadmapMatch, hedge: tuple[str, ...], key: str) -> None:
        self._match = match
        self._key = key
        self._sender = Sender(match.authors, ())
        self.names = self._sender.names
        self._wanted = Group(match.any_of)
        self._barrier = Barrier(match.none_of, hedge, Group(()))
        self.lookout: dict[str, tuple[Group, ...]] = {VIEW: (self._wanted,)}
        self.groups: tuple[Group, ...] = (self._wanted, self._barrier.group)

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Sender, phrase and its place, blocking words, coins behind it."""
        stranger = self._sender.is_stranger(item)
        if stranger is not None:
            return No((stranger,))
        scan, text = texts.scan(VIEW), texts.text(VIEW)
        failed = list(self._sender.failures(item, texts))
        if item.is_quote:
            failed.append(Failure("quote"))
        if item.is_reply and item.is_self_reply:
            failed.append(Failure("reply"))
        found = scan.first(self._wanted)
        if found is None:
            failed.append(Failure("no-phrase"))
        elif found.start >= self._match.within:
            failed.append(Failure("phrase-too-late", f"at character {found.start + 1}"))
        blocking = self._barrier.blocking(scan)
        failed += self._barrier.failure(blocking)
        matched = (found.words,) if found is not None else ()
        tickers = tickers_after(text, found.end) if found is not None else ()
        tickers = tickers[: self._match.coins_max]
        targets = [(s, f"{self._key}:{t}") for t in tickers if (s := coins.symbol(t)) is not None]
        if found is not None and not targets:
            reason = "no-contract" if tickers else "no-coin"
            failed.append(Failure(reason, ", ".join(tickers)))
        if not failed:
            return Hit(tuple(targets), (*matched, *tickers))
        return No(tuple(failed), near=True, matched=matched, blocking=blocking)
