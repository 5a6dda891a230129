"""Synoptic frames: stream posts with an optional table of economic figures."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lowcap.core.clock import iso_to_ms
from lowcap.core.messages import NewsItem, NotNews, Reading
from lowcap.feeds.decode import read_frame

READINGS_MAX = 200  # a release has a dozen; more is none
POST_CREATED = "stream.post.created"


class _Post(Struct):
    id: Any = None
    streamId: str | None = None
    text: Any = None  # a release needs none
    createdAt: str | None = None
    json: Any = None
    numbers: Any = None


class _Frame(Struct):
    event: str | None = None
    data: _Post | None = None


_decoder = msgspec.json.Decoder(_Frame)


class SynopticDecoder:
    """Frames of the stream-post socket."""

    def __init__(self, feed: str) -> None:
        self._feed = feed

    def decode(self, frame: bytes, received_ns: int) -> NewsItem | NotNews:
        """The news item of a frame; only newly created posts are news. Never raises."""
        data = read_frame(_decoder, frame)
        if isinstance(data, NotNews):
            return data
        if data.event != POST_CREATED or data.data is None:
            return NotNews(f"event {data.event}" if data.event else "no event")
        post = data.data
        text = post.text if isinstance(post.text, str) else ""
        return NewsItem(
            feed=self._feed,
            received_ns=received_ns,
            source_id=str(post.id) if isinstance(post.id, (str, int)) else "",
            time_ms=iso_to_ms(post.createdAt) if post.createdAt else None,
            source=post.streamId or "",
            title=text.split("\n", 1)[0],
            body=text,
            markup="synoptic",
            readings=_readings(post),
        )


def _readings(post: _Post) -> tuple[Reading, ...] | None:
    """The figures at ``numbers``, else at ``json.numbers`` where json may be text itself."""
    rows = post.numbers
    if rows is None:
        holder = post.json
        if isinstance(holder, str):
            try:
                holder = msgspec.json.decode(holder)
            except (msgspec.DecodeError, RecursionError):
                return None
        rows = holder.get("numbers") if isinstance(holder, dict) else None
    if not isinstance(rows, list) or len(rows) > READINGS_MAX:
        return None
    readings = (_reading(row) for row in rows if isinstance(row, dict))
    return tuple(reading for reading in readings if reading is not None)


def _reading(row: dict[str, Any]) -> Reading | None:
    """One figure, or None where a word about it is no text: it may not pass as left out."""
    words = [row.get(key) for key in ("name", "unit", "country")]
    if not all(word is None or isinstance(word, str) for word in words):
        return None
    name, unit = (word or "" for word in words[:2])
    return Reading(
        name=name,
        actual=row.get("actual"),
        forecast=row.get("forecast"),
        previous=row.get("previous"),
        unit=unit,
        country=words[2],
    )
