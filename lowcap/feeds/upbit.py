"""Notices of Upbit's announcements API, one object each."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lowcap.core.clock import iso_to_ms
from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.decode import read_frame

NOTICE_URL = "https://upbit.com/service_center/notice?id="


class _Notice(Struct):
    id: str | int | None = None
    title: str | None = None
    first_listed_at: str | None = None


_decoder = msgspec.json.Decoder(_Notice)


def key_of(notice: bytes) -> str:
    """What tells a notice from others: title and first listing time, else the bytes themselves.

    The number is no key: two hosts give the same notice different ones.
    """
    data = read_frame(_decoder, notice)
    if isinstance(data, NotNews) or not data.title or not data.first_listed_at:
        return notice.decode(errors="replace")
    return _key(data.title, data.first_listed_at)


def listed_ms(notice: bytes) -> int | None:
    """When a notice was listed first, in wall milliseconds; None where it does not say."""
    data = read_frame(_decoder, notice)
    return None if isinstance(data, NotNews) else iso_to_ms(data.first_listed_at or "")


class UpbitDecoder:
    """Notices as the polling session hands them over."""

    def __init__(self, feed: str) -> None:
        self._feed = feed

    def decode(self, frame: bytes, received_ns: int) -> NewsItem | NotNews:
        """The news item of a notice, as old as its first listing. Never raises."""
        data = read_frame(_decoder, frame)
        if isinstance(data, NotNews):
            return data
        if not data.title:
            return NotNews("no text")
        first = data.first_listed_at or ""
        return NewsItem(
            feed=self._feed,
            received_ns=received_ns,
            source_id=_key(data.title, first),
            time_ms=iso_to_ms(first),
            source="Upbit",
            title=data.title,
            url=f"{NOTICE_URL}{data.id}" if data.id is not None else "",
        )


def _key(title: str, first_listed_at: str) -> str:
    return f"{title} {first_listed_at}"
