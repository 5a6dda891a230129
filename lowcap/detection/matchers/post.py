"""A named account writes certain words of its own: Elon on Bitcoin and the like."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from lowcap.core.messages import NewsItem
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Texts, symbol_faults
from lowcap.detection.phrases import phrase_faults
from lowcap.detection.text import is_retweet_text

_HANDLE = re.compile(r"[A-Za-z0-9_]{1,30}")


@frozen(kw_only=True)
class Author:
    """An account: handle without @, and the numeric id that cannot be taken over."""

    handle: str
    id: str = ""


@frozen(kw_only=True)
class PostMatch:
    """``[trigger.match]`` of matcher ``post``.

    One of ``any_of`` must stand in the account's own text outside every phrase
    of ``erase``, and none of ``none_of``.
    """

    authors: tuple[Author, ...]
    any_of: tuple[str, ...]
    symbols: tuple[str, ...]
    none_of: tuple[str, ...] = ()
    erase: tuple[str, ...] = ()

    def phrases(self) -> list[str]:
        """Everything to look for."""
        return [*self.any_of, *self.none_of, *self.erase]

    def faults(self) -> Iterable[str]:
        """What types cannot show, each with its path under the table."""
        if not self.authors:
            yield "authors: expected at least one"
        for number, author in enumerate(self.authors):
            if _HANDLE.fullmatch(author.handle) is None:
                yield f"authors[{number}].handle: expected a handle without @"
            if author.id and not (author.id.isascii() and author.id.isdecimal()):
                yield f"authors[{number}].id: expected digits"
        if not self.any_of:
            yield "any_of: expected at least one phrase"
        yield from symbol_faults(self.symbols)
        for path in ("any_of", "none_of", "erase"):
            yield from phrase_faults(path, getattr(self, path))


class PostReading:
    """Compiled form of ``PostMatch``; ``key`` is the dedupe key's stem."""

    def __init__(self, match: PostMatch, hedge: tuple[str, ...], key: str) -> None:
        self._match = match
        self._forbidden = [*match.none_of, *hedge]
        self._key = key
        self._ids = {author.handle.lower(): author.id for author in match.authors}

    def judge(self, item: NewsItem, texts: Texts, coins: CoinTable) -> Hit | No:
        """Identity first, then whose words these are, then the words."""
        wrong = self._wrong_sender(item)
        if wrong is not None:
            return wrong
        if item.is_retweet or is_retweet_text(texts.text("body")):
            return No("retweet", near=True)
        if item.is_reply and not item.is_self_reply:
            return No("reply", near=True)
        own = texts.text("own")
        if not own or own.startswith("@"):
            return No("no-own-text", near=True)
        if is_retweet_text(own):  # below something that is not the account's own
            return No("retweet", near=True)
        scan = texts.scan("own")
        found = scan.first(self._match.any_of, self._match.erase)
        if found is None:
            return No("no-phrase", near=True)
        blocked = scan.first(self._forbidden)
        if blocked is not None:
            return No("forbidden-phrase", blocked.phrase, near=True)
        return Hit(tuple((s, self._key) for s in self._match.symbols), (found.phrase,))

    def _wrong_sender(self, item: NewsItem) -> No | None:
        if not item.is_post:
            return No("not-a-post")
        handles = set(item.handles)
        if not handles & self._ids.keys():
            return No("author")
        if len(handles) != 1:
            return No("author", f"the frame names {', '.join(sorted(handles))}", near=True)
        wanted = self._ids[item.handles[0]]
        if wanted and item.author_id != wanted:
            return No("author-id", f"{item.author_id or 'none'} is not {wanted}", near=True)
        return None
