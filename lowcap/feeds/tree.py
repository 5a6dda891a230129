"""Tree-of-Alpha frames, from Tokyo and from the news socket alike: posts and items."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct, field

from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.decode import read_frame

# Whatever stands there is a handle, so that an odd one differs instead of being overlooked.
_TITLE_HANDLE = re.compile(r"\(@([^()\s]+)\)\s*$")
_OLD_POST = re.compile(r"[^\n]{1,120}? \(@([^()\s]{1,60})\): ")
_STATUS_URL = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:twitter|x)\.com/(\w{1,30})/status/", re.IGNORECASE
)


class _Info(Struct):
    twitterId: str | int | None = None
    isRetweet: bool | None = None
    isReply: bool | None = None
    isSelfReply: bool | None = None


class _Author(Struct):
    screen_name: str | None = None
    id: str | int | None = None


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
        handles = _handles(author.screen_name, found[1] if found else None, title, url)
        if found is not None and not body:
            body = title[found.end() :]
        is_post = bool(handles) and (
            data.type == "direct" or old_post or author.screen_name is not None
        )
        return NewsItem(
            feed=self._feed,
            received_ns=received_ns,
            source_id=str(data.id) if isinstance(data.id, (str, int)) else "",
            time_ms=_milliseconds(data.time),
            source=data.source or "",
            author_id=_author_id(info.twitterId, author.id),
            handles=handles,
            title=title,
            body=body,
            url=url,
            is_retweet=bool(info.isRetweet or data.isRetweet),
            is_reply=bool(info.isReply or data.isReply),
            is_self_reply=bool(info.isSelfReply or data.isSelfReply),
            is_post=is_post,
            markup="tree",
        )


def _author_id(*shown: str | int | None) -> str:
    """The numeric id that the frame shows; two different ones are nobody's."""
    return " or ".join(dict.fromkeys(str(number) for number in shown if number is not None))


def _handles(screen_name: str | None, prefix: str | None, title: str, url: str) -> tuple[str, ...]:
    """Every account name that the frame shows, lower case, without repeats."""
    shown = [name for name in (screen_name, prefix) if name]
    if found := _TITLE_HANDLE.search(title):
        shown.append(found[1])
    # x.com/i/status/1 names no account.
    if (found := _STATUS_URL.match(url)) and found[1] != "i":
        shown.append(found[1])
    # Only ASCII has upper and lower case here: the Kelvin sign is not a k.
    return tuple(dict.fromkeys(n.lower() if n.isascii() else n for n in shown))


def _milliseconds(time: float | None) -> int | None:
    """A sender's time in milliseconds, whatever unit its magnitude shows."""
    if time is None or not 0 < time < 10**17:
        return None
    if time < 10**11:
        return int(time * 1000)
    return int(time) if time < 10**14 else int(time) // 1000
