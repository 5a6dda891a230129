"""Phoenix News frames: posts and articles, later updates of them, and a telling login answer."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from lowcap.core.clock import iso_to_ms
from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.decode import read_frame
from lowcap.feeds.posts import handles_of, id_of, milliseconds

LOGIN_ANSWER = NotNews("login answer")


class _Frame(Struct):
    id: Any = field(default=None, name="_id")
    type: str | None = None
    source: str | None = None
    name: str | None = None
    username: str | None = None
    twitterId: str | None = None
    tweetId: str | int | None = None
    body: str | None = None
    title: str | None = None
    description: str | None = None
    url: str | None = None
    isRetweet: bool | None = None
    isReply: bool | None = None
    isSelfReply: bool | None = None
    isQuote: bool | None = None
    time: int | float | None = None
    createdAt: str | None = None
    apiKey: Any = None
    address: Any = None


_decoder = msgspec.json.Decoder(_Frame)


class PhoenixDecoder:
    """Frames of the Phoenix socket."""

    def __init__(self, feed: str) -> None:
        self._feed = feed

    def decode(self, frame: bytes, received_ns: int) -> NewsItem | NotNews:
        """The news item of a frame. Never raises.

        The answer to a login echoes the key, so that nothing which may be one
        is a fault: faults are recorded with their first bytes. An update
        (``type`` like ``summary-ai``) is of an item told before.
        """
        data = read_frame(_decoder, frame)
        if isinstance(data, NotNews):
            telling = data.fault and (b'"apiKey"' in frame or b'"address"' in frame)
            return LOGIN_ANSWER if telling else data
        if data.apiKey is not None or data.address is not None:
            return LOGIN_ANSWER
        if data.type:
            return NotNews("update")
        is_post = data.source == "Twitter"
        title, body = _post_texts(data) if is_post else (data.title or "", data.description or "")
        if not title and not body:
            return NotNews("no text")
        url = data.url or ""
        id_ = data.tweetId if is_post and data.tweetId is not None else data.id
        return NewsItem(
            feed=self._feed,
            received_ns=received_ns,
            source_id=str(id_) if isinstance(id_, (str, int)) else "",
            time_ms=milliseconds(data.time) or (iso_to_ms(data.createdAt or "")),
            source=data.source or "",
            author_id=id_of(data.twitterId),
            # Without its own name in the frame a post is nobody's, whatever its address says.
            handles=handles_of([data.username], url) if is_post and data.username else (),
            title=title,
            body=body,
            url=url,
            is_retweet=bool(data.isRetweet),
            is_reply=bool(data.isReply),
            is_self_reply=bool(data.isSelfReply),
            is_quote=bool(data.isQuote),
            is_post=is_post,
            markup="phoenix",
        )


def _post_texts(data: _Frame) -> tuple[str, str]:
    """Title and body of a post; where it has no title, the account's name as elsewhere."""
    handle = f"(@{data.username})" if data.username else ""
    return data.title or f"{data.name or ''} {handle}".strip(), data.body or ""
