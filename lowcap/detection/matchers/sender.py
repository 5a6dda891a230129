"""Who wrote it: a named account's own post, or an item of a named source."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from lowcap.core.messages import Failure, NewsItem
from lowcap.detection.matchers.base import Texts
from lowcap.detection.text import is_reply_text, is_retweet_text

_HANDLE = re.compile(r"[A-Za-z0-9_]{1,30}")


@frozen(kw_only=True)
class Author:
    """An account: handle without @, and the numeric id that cannot be taken over."""

    handle: str
    id: str = ""


def author_faults(authors: tuple[Author, ...]) -> Iterable[str]:
    """What is wrong with the ``authors`` of a match table."""
    for number, author in enumerate(authors):
        if _HANDLE.fullmatch(author.handle) is None:
            yield f"authors[{number}].handle: expected a handle without @"
        if author.id and not (author.id.isascii() and author.id.isdecimal()):
            yield f"authors[{number}].id: expected digits"


class Sender:
    """Compiled from ``authors``, ``sources`` and ``streams`` of a match table."""

    def __init__(
        self,
        authors: tuple[Author, ...],
        sources: tuple[str, ...],
        streams: tuple[str, ...] = (),
    ) -> None:
        self.ids = {author.handle.lower(): author.id for author in authors}
        self._sources = frozenset(source.lower() for source in sources)
        self._streams = frozenset(streams)
        self.names = self._sources | self.ids.keys() | {stream.lower() for stream in streams}

    def is_stranger(self, item: NewsItem) -> Failure | None:
        """Why this item is none of ours at all, or None."""
        if not item.is_post:
            if not (self._sources or self._streams):
                return Failure("not-a-post")
            if item.source.lower() not in self._sources and item.source not in self._streams:
                return Failure("source", item.source[:60])
        elif not self.ids:
            return Failure("not-an-item")
        elif self.ids.keys().isdisjoint(item.handles):
            return Failure("author", ", ".join(item.handles)[:60])
        return None

    def failures(self, item: NewsItem, texts: Texts) -> Iterable[Failure]:
        """What speaks against an item that shows one of our names: is it theirs, is it own?"""
        if not item.is_post:
            return
        if len(item.handles) != 1:
            yield Failure("author", f"the frame names {', '.join(sorted(item.handles))}")
        wanted = {self.ids[handle] for handle in item.handles if self.ids.get(handle)}
        if wanted and {item.author_id} != wanted:
            yield Failure("author-id", f"{item.author_id or 'none'} is not {min(wanted)}")
        own, body = texts.text("own"), texts.text("body")
        # A text above the marks may itself be a repeat, whatever the flags say.
        if item.is_retweet or is_retweet_text(body) or is_retweet_text(own):
            yield Failure("retweet")
        is_reply = item.is_reply or is_reply_text(body, item.markup)
        if is_reply and not item.is_self_reply:
            yield Failure("reply")
        if not own:
            yield Failure("no-own-text")
        elif own.startswith("@"):
            yield Failure("reply", "it begins with a handle")
