"""Tree-of-Alpha frames, from Tokyo and from the news socket alike: posts and items."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct, field

from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.decode import read_frame
from lowcap.feeds.posts import handles_of, id_of, milliseconds

# Whatever stands there is a handle, so that an odd one differs instead of being overlooked.
_TITLE_HANDLE = re.compile(r"\(@([^()\s]+)\)\s*$")
_OLD_POST = re.compile(r"[^\n]{1,120}? \(@([^()\s]{1,60})\): ")


class _Info(Struct):
    twitterId: str | None = None
    isRetweet: bool | None = None
    isReply: bool | None = None
    isSelfReply: bool | None = None
    isQuote: bool | None = None


class _Author(Struct):
    screen_name: str | None = None
    id: str | None = None


class _Frame(Struct):
    id: Any = field(default=None, name="_id")
    title: str | None = None
    body: str | None = None
    text: str | None = None
    link: str | None = None
    url: str | None = None
    source: str | None = None
    type: str | None = None
    time: int | float | None = None
    info: _Info | None = None
    author: _Author | str | None = None
    isRetweet: bool | None = None
    isReply: bool | None = None
    isSelfReply: bool | None = None
    isQuote: bool | None = None
    user: Any = None


_decoder = msgspec.json.Decoder(_Frame)


class TreeDecoder:
    """Frames of one socket of this family."""

    def __init__(self, feed: str) -> None:
        self._feed = feed

    def decode(self, frame: bytes, received_ns: int) -> NewsItem | NotNews:
        """The news item of a frame. Never raises on what a server may send."""
        data = read_frame(_decoder, frame)
        if isinstance(data, NotNews):
            return data
        title, body = data.title or "", data.body or data.text or ""
        if not title and not body:
            return NotNews("login answer" if data.user is not None else "no text")
        return self._item(data, title, body, received_ns)

    def _item(self, data: _Frame, title: str, body: str, received_ns: int) -> NewsItem:
        url = data.link or data.url or ""
        info = data.info or _Info()
        author = data.author if isinstance(data.author, _Author) else _Author()
        old_post = (data.source or "").lower() == "twitter" and data.info is None
        found = _OLD_POST.match(title) if old_post else None
        behind_title = _TITLE_HANDLE.search(title)
        # The name before an old post's text must agree with the others, and is no proof alone.
        proof = handles_of(
            (author.screen_name, behind_title[1] if behind_title else None), data.link, data.url
        )
        # An author without its name says nothing: what stands elsewhere may be anybody's.
        nameless = data.author is not None and not author.screen_name
        handles = () if nameless or not proof else handles_of((*proof, found and found[1]))
        if found is not None and not body:
            body = title[found.end() :]
        is_post = bool(handles) and (
            data.type == "direct" or old_post or author.screen_name is not None
        )
        return NewsItem(
            feed=self._feed,
            received_ns=received_ns,
            source_id=str(data.id) if isinstance(data.id, (str, int)) else "",
            time_ms=milliseconds(data.time),
            source=data.source or "",
            author_id=id_of(info.twitterId, author.id),
            handles=handles,
            title=title,
            body=body,
            url=url,
            is_retweet=bool(info.isRetweet or data.isRetweet),
            is_reply=bool(info.isReply or data.isReply),
            is_self_reply=bool(info.isSelfReply or data.isSelfReply),
            is_quote=bool(info.isQuote or data.isQuote),
            is_post=is_post,
            markup="tree",
        )
