"""The room's door: a session and a decoder for every feed of the configuration."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Protocol

from lowcap.core.clock import Clock
from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.base import NewsSession, OnChange, OnFrame
from lowcap.feeds.bwe import BweDecoder
from lowcap.feeds.phoenix import PhoenixDecoder
from lowcap.feeds.poll import PolledSession
from lowcap.feeds.socket import FeedSession
from lowcap.feeds.status import FeedStatus
from lowcap.feeds.stream import StreamSession
from lowcap.feeds.synoptic import SynopticDecoder
from lowcap.feeds.tree import TreeDecoder
from lowcap.feeds.twitter import TwitterDecoder
from lowcap.feeds.upbit import UpbitDecoder
from lowcap.net.http import HttpPort
from lowcap.net.net import Net
from lowcap.settings import Feed

__all__ = ["Decoder", "FeedSession", "FeedStatus", "NewsSession", "decoder_for", "open_feed"]


class Decoder(Protocol):
    """Frames of one source into news items."""

    def decode(self, frame: bytes, received_ns: int) -> NewsItem | NotNews:
        """Never raises on anything that a server may send."""
        ...


_DECODERS: dict[str, Callable[[str], Decoder]] = {
    "bwe": BweDecoder,
    "phoenix": PhoenixDecoder,
    "synoptic": SynopticDecoder,
    "tree": TreeDecoder,
    "twitter": TwitterDecoder,
    "upbit": UpbitDecoder,
}


def decoder_for(name: str, feed: Feed) -> Decoder:
    """The decoder of a feed's frame family."""
    return _DECODERS[feed.format](name)


def open_feed(
    name: str,
    feed: Feed,
    *,
    net: Net,
    http: HttpPort,
    clock: Clock,
    environ: Mapping[str, str],
    on_frame: OnFrame,
    on_change: OnChange,
    chance: random.Random,
) -> NewsSession:
    """The session of a feed, not yet running: of a WebSocket, an HTTP stream, or polled.

    ``on_frame`` gets every frame, in the receiving task; ``on_change`` hears
    each change of ``status.state``. A stream keeps one connection of ``http``
    for itself.
    """
    if feed.format == "twitter":
        return StreamSession(name, feed, http, clock, on_frame, on_change, chance, environ)
    if feed.format == "upbit":
        return PolledSession(name, feed, http, clock, on_frame, on_change, chance)
    return FeedSession(name, feed, net, clock, on_frame, on_change, chance, environ)
