"""BWE News frames: headlines with the sender's guess at the coins, stamped in seconds."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.decode import read_frame
from lowcap.feeds.posts import milliseconds

STEP_MS = 1_000  # the clock of this feed


class _Frame(Struct):
    source_name: str | None = None
    news_title: str | None = None
    coins_included: Any = None
    url: str | None = None
    timestamp: int | float | None = None


_decoder: msgspec.json.Decoder[_Frame | list[_Frame]] = msgspec.json.Decoder(_Frame | list[_Frame])


class BweDecoder:
    """Frames of the BWE socket."""

    def __init__(self, feed: str) -> None:
        self._feed = feed

    def decode(self, frame: bytes, received_ns: int) -> NewsItem | NotNews:
        """The news item of a frame, or of the one object in an array. Never raises.

        An array of several is a fault: one frame is one decision, and taking
        the first would drop the others unseen.
        """
        data = read_frame(_decoder, frame)
        if isinstance(data, list):
            data = data[0] if len(data) == 1 else NotNews(f"array of {len(data)} items", fault=True)
        if isinstance(data, NotNews):
            return data
        if not data.news_title:
            return NotNews("no text")
        return NewsItem(
            feed=self._feed,
            received_ns=received_ns,
            time_ms=milliseconds(data.timestamp),
            step_ms=STEP_MS,
            source=data.source_name or "",
            title=data.news_title,
            url=data.url or "",
            coins=_tags(data.coins_included),
        )


def _tags(coins: object) -> tuple[str, ...] | None:
    """The tags where they are a list of texts: rules that need none go on without."""
    if not isinstance(coins, list) or not all(isinstance(coin, str) for coin in coins):
        return None
    return tuple(coins)
