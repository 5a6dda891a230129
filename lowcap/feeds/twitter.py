"""Objects of X's filtered stream: posts with their authors beside them, and the server's words."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from lowcap.core.clock import iso_to_ms
from lowcap.core.messages import NewsItem, NotNews
from lowcap.core.plain import plain
from lowcap.feeds.decode import read_frame
from lowcap.feeds.posts import handles_of, id_of


class _Reference(Struct):
    type: Literal["retweeted", "quoted", "replied_to"]


class _Note(Struct):
    text: str | None = None


class _Post(Struct):
    id: str | None = None
    text: str | None = None
    author_id: str | None = None
    created_at: str | None = None
    referenced_tweets: list[_Reference] | None = None
    note_tweet: _Note | None = None


class _User(Struct):
    id: str | None = None
    name: str | None = None
    username: str | None = None


class _Includes(Struct):
    users: list[_User] | None = None


class _Frame(Struct):
    data: _Post | None = None
    includes: _Includes | None = None
    errors: Any = None
    title: Any = None
    type: Any = None


_decoder = msgspec.json.Decoder(_Frame)


class TwitterDecoder:
    """Lines of the filtered stream."""

    def __init__(self, feed: str) -> None:
        self._feed = feed

    def decode(self, frame: bytes, received_ns: int) -> NewsItem | NotNews:
        """The post of a line; a blank one is the server's heartbeat. Never raises.

        What the server says instead of a post is a fault, so that it is
        recorded: the stream ends after it.
        """
        if not frame.strip():
            return NotNews("heartbeat")
        data = read_frame(_decoder, frame)
        if isinstance(data, NotNews):
            return data
        if data.data is None:
            said = _said(data)
            return NotNews(f"server says: {said}", fault=True) if said else NotNews("no post")
        return self._item(data.data, data.includes or _Includes(), received_ns)

    def _item(self, post: _Post, includes: _Includes, received_ns: int) -> NewsItem | NotNews:
        body = (post.note_tweet.text if post.note_tweet else None) or post.text or ""
        if not body:
            return NotNews("no text")
        author_id, post_id = id_of(post.author_id), id_of(post.id)
        authors = [u for u in includes.users or () if author_id and id_of(u.id) == author_id]
        author = next((user for user in authors if user.username), _User())
        kinds = {reference.type for reference in post.referenced_tweets or ()}
        return NewsItem(
            feed=self._feed,
            received_ns=received_ns,
            source_id=post_id,
            time_ms=iso_to_ms(post.created_at or ""),
            source="X",
            author_id=author_id,
            handles=handles_of(user.username for user in authors),
            title=f"{author.name or ''} (@{author.username})".strip() if author.username else "",
            body=body,
            url=f"https://x.com/{author.username}/status/{post_id}" if author.username else "",
            is_retweet="retweeted" in kinds,
            is_reply="replied_to" in kinds,
            is_quote="quoted" in kinds,
            is_post=True,
            markup="twitter",
        )


def _said(data: _Frame) -> str:
    """The server's own words in an object without a post; empty where there are none."""
    errors = data.errors if isinstance(data.errors, list) else []
    first = errors[0] if errors and isinstance(errors[0], dict) else {}
    words = [first.get("title"), first.get("detail"), data.title, data.type]
    shown = next((word for word in words if isinstance(word, str) and word), "")
    return plain(shown, 100) or ("an error" if data.errors is not None else "")
