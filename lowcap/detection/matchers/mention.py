"""News tagged with one or two coins: good words buy them, bad words sell them, both do nothing."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from lowcap.core.messages import Failure, NewsItem
from lowcap.core.money import Side
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Texts
from lowcap.detection.matchers.sender import Sender
from lowcap.detection.matchers.words import Barrier
from lowcap.detection.phrases import Group, phrase_faults

VIEW = "title"


@frozen(kw_only=True)
class MentionMatch:
    """``[trigger.match]`` of matcher ``mention``.

    The sender's own tags, without ``not_coins``, must be one to ``most``
    coins; those of them that the title confirms trade. Words of exactly one
    of ``buy`` and ``sell`` must occur, and none of ``none_of`` or the hedge list.
    """

    sources: tuple[str, ...]
    buy: tuple[str, ...]
    sell: tuple[str, ...]
    none_of: tuple[str, ...] = ()
    not_coins: tuple[str, ...] = ("BTC", "ETH")
    most: int = 2

    def faults(self) -> Iterable[str]:
        """What types cannot show, each with its path under the table."""
        if not self.sources or any(not source.strip() for source in self.sources):
            yield "sources: expected at least one name"
        if not (self.buy or self.sell):
            yield "buy: expected phrases, here or in sell"
        for path in ("buy", "sell", "none_of"):
            yield from phrase_faults(path, getattr(self, path))
        if not 1 <= self.most <= 20:
            yield "most: expected 1 to 20"


class MentionReading:
    """Compiled form of ``MentionMatch``; keys hold coin and side."""

    has_topic = False

    def __init__(self, match: MentionMatch, hedge: tuple[str, ...], key: str) -> None:
        self._match = match
        self._key = key
        self._sender = Sender((), match.sources)
        self.names = self._sender.names
        self._sides = ((Side.BUY, Group(match.buy)), (Side.SELL, Group(match.sell)))
        self._barrier = Barrier(match.none_of, hedge, Group(()))
        words = tuple(group for _, group in self._sides)
        self.lookout: dict[str, tuple[Group, ...]] = {VIEW: words}
        self.groups: tuple[Group, ...] = (*words, self._barrier.group)

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Tags first, then the coins that the title confirms, then the words."""
        stranger = self._sender.is_stranger(item)
        if stranger is not None:
            return No((stranger,))
        scan = texts.scan(VIEW)
        tickers, failed = self._tagged(item, texts, coins)
        blocking = self._barrier.blocking(scan)
        failed += self._barrier.failure(blocking)
        found = [(side, hit.words) for side, group in self._sides if (hit := scan.first(group))]
        if not found:
            failed.append(Failure("no-phrase", "neither good nor bad words"))
        elif len(found) > 1:
            failed.append(Failure("both-sides", ", ".join(words for _, words in found)))
        targets = [
            (symbol, f"{self._key}:{ticker}:{found[0][0]}")
            for ticker in tickers
            if found and (symbol := coins.symbol(ticker)) is not None
        ]
        matched = tuple(words for _, words in found)
        if not failed:
            return Hit(tuple(targets), (*matched, *tickers), side=found[0][0])
        return No(tuple(failed), near=bool(found), matched=matched, blocking=blocking)

    def _tagged(
        self, item: NewsItem, texts: Texts, coins: CoinTable
    ) -> tuple[list[str], list[Failure]]:
        """The tagged coins that the title confirms."""
        if item.coins is None:
            return [], [Failure("no-tags", "the frame has no list of coins")]
        unwanted = self._match.not_coins
        tags = dict.fromkeys(coin.strip().lstrip("$").upper() for coin in item.coins)
        tagged = [t for t in tags if t and t not in unwanted and coins.is_coin(t)]
        if not 1 <= len(tagged) <= self._match.most:
            many = f"{len(tagged)} coins tagged, 1 to {self._match.most} wanted"
            return [], [Failure("too-many-coins" if tagged else "no-coin", many)]
        named = coins.named(texts.text(VIEW))
        confirmed = [ticker for ticker in tagged if ticker in named]
        if not confirmed:
            return [], [Failure("unconfirmed-coin", ", ".join(tagged))]
        return confirmed, []
