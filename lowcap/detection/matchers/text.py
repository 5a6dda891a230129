"""A named account or source writes certain words, of certain coins."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from attrs import frozen

from lowcap.core.messages import Failure, NewsItem
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import TICKER, Hit, No, Texts, symbol_faults
from lowcap.detection.matchers.sender import Author, Sender, author_faults
from lowcap.detection.matchers.words import Barrier, Branch, Branches, branch_faults, list_faults
from lowcap.detection.phrases import Group, phrase_faults
from lowcap.detection.scan import Scan

VIEWS = ("title", "body", "all")


@frozen(kw_only=True)
class Named:
    """The coins that the text itself confirms: how many there must be.

    More than ``most`` is a no, unless ``keep_largest`` takes the largest of
    them. ``otherwise`` is the coin to take where none is named.
    """

    least: int = 1
    most: int = 2
    keep_largest: bool = False
    otherwise: str = ""


@frozen(kw_only=True)
class Token:
    """A coin that is meant wherever one of its phrases occurs."""

    coin: str
    any_of: tuple[str, ...]


@frozen(kw_only=True)
class TextMatch:
    """``[trigger.match]`` of matcher ``text``.

    It hears posts of ``authors`` (their own words only) and items (their
    ``text``: title, body, or all) whose source is one of ``sources``, case
    aside, or exactly the id of one of ``streams``. Wanted are one
    of ``any_of``, one of each list of ``all_of``, and one way of ``either``,
    all outside the phrases of ``erase``; none of ``none_of`` nor, unless
    ``hedge`` is false, of the hedge list, outside the phrases of ``excuse``.
    What is traded: ``symbols``, ``coins``, the coins of ``tokens``, or the
    coins that are ``named``. ``topic`` says which items no later trigger may
    have, even where this one does not fire.
    """

    authors: tuple[Author, ...] = ()
    sources: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    text: str = "all"
    any_of: tuple[str, ...] = ()
    all_of: tuple[tuple[str, ...], ...] = ()
    either: tuple[Branch, ...] = ()
    none_of: tuple[str, ...] = ()
    hedge: bool = True
    erase: tuple[str, ...] = ()
    excuse: tuple[str, ...] = ()
    topic: tuple[Branch, ...] = ()
    symbols: tuple[str, ...] = ()
    coins: tuple[str, ...] = ()
    tokens: tuple[Token, ...] = ()
    named: Named | None = None

    def faults(self) -> Iterable[str]:
        """What types cannot show, each with its path under the table."""
        if not (self.authors or self.sources or self.streams):
            yield "authors: expected authors, sources or streams"
        yield from author_faults(self.authors)
        if any(not name.strip() for name in (*self.sources, *self.streams)):
            yield "sources: expected names"
        if self.text not in VIEWS:
            yield f"text: expected one of {', '.join(VIEWS)}, not {self.text!r}"
        if not (self.any_of or self.all_of or self.either):
            yield "any_of: expected phrases, here, in all_of or in either"
        for path in ("any_of", "none_of", "erase", "excuse"):
            yield from phrase_faults(path, getattr(self, path))
        for path in ("erase", "excuse"):
            if Group(getattr(self, path)).chains:
                yield f"{path}: a phrase with a gap covers nothing; write it without"
        yield from list_faults("all_of", self.all_of)
        yield from branch_faults("either", self.either)
        yield from branch_faults("topic", self.topic)
        yield from self._coin_faults()

    def _coin_faults(self) -> Iterable[str]:
        given = [bool(self.symbols), bool(self.coins), bool(self.tokens), self.named is not None]
        if sum(given) != 1:
            yield "symbols: expected one of symbols, coins, tokens, named"
        if self.symbols:
            yield from symbol_faults(self.symbols)
        coins = [*self.coins, *(token.coin for token in self.tokens)]
        if self.named is not None:
            coins += [self.named.otherwise] if self.named.otherwise else []
            if not 0 <= self.named.least <= self.named.most <= 20:
                yield "named: expected least and most from 0 to 20, in order"
            if self.named.least == 0 and not self.named.otherwise:
                yield "named.least: expected at least 1, or a coin in otherwise"
        for coin in coins:
            if TICKER.fullmatch(coin) is None:
                yield f"coins: expected tickers in capitals, like BTC, not {coin!r}"
        if len(set(coins)) < len(coins):
            yield "coins: one is named twice"
        for number, token in enumerate(self.tokens):
            if not token.any_of:
                yield f"tokens[{number}].any_of: expected at least one phrase"
            yield from phrase_faults(f"tokens[{number}].any_of", token.any_of)


class TextReading:
    """Compiled form of ``TextMatch``; ``key`` is the dedupe key's stem."""

    def __init__(self, match: TextMatch, hedge: tuple[str, ...], key: str) -> None:
        self._match = match
        self._key = key
        self._sender = Sender(match.authors, match.sources, match.streams)
        self.names = self._sender.names
        erase = Group(match.erase)
        common = ((match.any_of,) if match.any_of else ()) + match.all_of
        ways = [
            Branch(all_of=(*branch.all_of, *common), with_coin=branch.with_coin)
            for branch in match.either
        ]
        self._wanted = Branches(ways or [Branch(all_of=common)], erase)
        excuse = Group(match.excuse)
        self._barrier = Barrier(match.none_of, hedge if match.hedge else (), excuse)
        self._topic = Branches(match.topic, Group(())) if match.topic else None
        self._tokens = [(token.coin, Group(token.any_of)) for token in match.tokens]
        self.has_topic = self._topic is not None
        topics = () if self._topic is None else tuple(self._topic.first_groups)
        first = (*self._wanted.first_groups, *topics)
        self.lookout: dict[str, tuple[Group, ...]] = {}
        if match.authors:
            self.lookout["own"] = first
        if match.sources or match.streams:
            self.lookout[match.text] = first
        self.groups: tuple[Group, ...] = (
            *self._wanted.groups,
            *(() if self._topic is None else self._topic.groups),
            *(group for _, group in self._tokens),
            *(erase, excuse, self._barrier.group),
        )

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Whose words these are, then the words, then the coins."""
        stranger = self._sender.is_stranger(item)
        if stranger is not None:
            return No((stranger,))
        view = "own" if item.is_post else self._match.text
        about = _Coins(texts.text(view), coins)
        scan = texts.scan(view)
        outcome = self._wanted.meet(scan, lambda: bool(about.named))
        blocking = self._barrier.blocking(scan)
        failed = list(self._sender.failures(item, texts))
        if not outcome.holds:
            failed.append(Failure("no-phrase", outcome.missing))
        failed += self._barrier.failure(blocking)
        targets = self._targets(scan, about, coins)
        if isinstance(targets, Failure):
            failed.append(targets)
        if not failed and not isinstance(targets, Failure):
            return Hit(targets, outcome.matched)
        return No(
            tuple(failed),
            near=item.is_post or bool(outcome.matched),
            matched=outcome.matched,
            blocking=blocking,
            claims=self._claims(scan, about),
        )

    def _claims(self, scan: Scan, about: _Coins) -> bool:
        if self._topic is None:
            return False
        return self._topic.meet(scan, lambda: bool(about.named)).holds

    def _targets(
        self, scan: Scan, about: _Coins, coins: CoinTable
    ) -> tuple[tuple[str, str], ...] | Failure:
        """Symbols with their dedupe keys, or why there are none."""
        match = self._match
        if match.symbols:
            return tuple((symbol, self._key) for symbol in match.symbols)
        tickers = match.coins
        if self._tokens:
            tickers = tuple(coin for coin, group in self._tokens if scan.first(group) is not None)
            if not tickers:
                return Failure("no-coin", "none of " + ", ".join(c for c, _ in self._tokens))
        elif match.named is not None:
            chosen = _chosen(match.named, about.named, coins)
            if isinstance(chosen, Failure):
                return chosen
            tickers = chosen
        found = [(s, f"{self._key}:{t}") for t in tickers if (s := coins.symbol(t)) is not None]
        return tuple(found) if found else Failure("no-contract", ", ".join(tickers))


def _chosen(named: Named, tickers: tuple[str, ...], coins: CoinTable) -> tuple[str, ...] | Failure:
    if not tickers and named.otherwise:
        return (named.otherwise,)
    if len(tickers) < named.least:
        return Failure("no-coin", ", ".join(tickers) or "no coin is named")
    if len(tickers) > named.most:
        if not named.keep_largest:
            return Failure("too-many-coins", ", ".join(tickers[: named.most + 1]))
        return coins.largest(tickers, named.most)
    return tickers


class _Coins:
    """The coins that a text names, looked for when first asked."""

    def __init__(self, text: str, coins: CoinTable) -> None:
        self._text = text
        self._coins = coins

    @cached_property
    def named(self) -> tuple[str, ...]:
        return self._coins.named(self._text)
