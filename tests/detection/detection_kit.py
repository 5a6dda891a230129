"""Frames in the wire shapes, judged alone by the shipped triggers at their own time."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lowcap.config import load, shipped
from lowcap.core.clock import NS_PER_MS, iso_to_ms
from lowcap.core.messages import Miss, NewsItem, NotNews, Signal, Verdict
from lowcap.detection.coins import CoinTable
from lowcap.detection.rules import Detector
from lowcap.feeds.session import Decoder
from lowcap.feeds.synoptic import SynopticDecoder
from lowcap.feeds.tree import TreeDecoder
from lowcap.settings import Settings

STREAM = "01HV7K3M9QZ4X8N2B6C5D1E0FG"
RELEASE = "2026-02-06T13:30:00.100Z"  # Friday, 08:30 in New York
RELEASE_MS = iso_to_ms(RELEASE) or 0
BASES = ("BTC", "ETH", "XRP", "S", "ORCA", "KAITO", "PENDLE", "API3", "1000PEPE", "LUNA2", "NMR",
         "AXL")  # fmt: skip


@cache
def settings() -> Settings:
    return load(shipped("config.toml"), {})[0]


def coins() -> CoinTable:
    return CoinTable({base: f"{base}USDT" for base in BASES})


@cache
def detector() -> Detector:
    return Detector(settings().trigger, settings().hedge, coins())


ENABLED = frozenset(trigger.id for trigger in settings().trigger)


def decoder(feed: str) -> Decoder:
    return SynopticDecoder(feed) if feed == "synoptic" else TreeDecoder(feed)


def wire_bytes(frame: object) -> bytes:
    """A corpus frame as it stands on the wire: a string is bare text."""
    return frame.encode() if isinstance(frame, str) else json.dumps(frame).encode()


def judge_frame(
    feed: str, frame: object, by: Detector | None = None, received_ms: int | None = None
) -> Verdict | NotNews:
    """One frame through decoder and detector, received at its own time unless told."""
    raw, feed_decoder = wire_bytes(frame), decoder(feed)
    item = feed_decoder.decode(raw, 0)
    if isinstance(item, NotNews):
        return item
    at_ms = received_ms if received_ms is not None else item.time_ms or 0
    again = feed_decoder.decode(raw, at_ms * NS_PER_MS)
    assert isinstance(again, NewsItem)
    return (by or detector()).judge(again, ENABLED)


def signal_of(feed: str, frame: object, received_ms: int | None = None) -> Signal | None:
    answer = judge_frame(feed, frame, received_ms=received_ms)
    return answer.signal if isinstance(answer, Verdict) else None


def miss_of(feed: str, frame: object, trigger: str) -> Miss:
    """Why ``trigger`` did not fire."""
    answer = judge_frame(feed, frame)
    assert isinstance(answer, Verdict), answer
    assert answer.signal is None, answer.signal
    return next(miss for miss in answer.misses if miss.trigger == trigger)


def post(body: str, **changes: Any) -> dict[str, Any]:
    """A post of Elon Musk's in the common shape; ``info_…`` changes go into ``info``."""
    info = {"isQuote": False, "isReply": False, "isRetweet": False, "twitterId": "44196397"}
    info |= {k.removeprefix("info_"): v for k, v in changes.items() if k.startswith("info_")}
    frame = {
        "_id": "1990000000000000001",
        "title": "Elon Musk (@elonmusk)",
        "body": body,
        "link": "https://twitter.com/elonmusk/status/1990000000000000001",
        "time": RELEASE_MS,
        "type": "direct",
        "info": info,
    }
    frame |= {k: v for k, v in changes.items() if not k.startswith("info_")}
    return {k: v for k, v in frame.items() if v is not None}


def notice(title: str, **changes: Any) -> dict[str, Any]:
    """A notice of Upbit's in the item shape."""
    frame = {
        "title": title,
        "source": "Upbit",
        "url": "https://upbit.com/service_center/notice?id=5549",
        "time": RELEASE_MS,
        "_id": f"{RELEASE_MS}abc",
    }
    return {k: v for k, v in (frame | changes).items() if v is not None}


def release(*numbers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A post of the economic stream with a table of figures."""
    data = {
        "id": "01KGSJABCB8PHNWRSYFMHW7G2Z",
        "streamId": STREAM,
        "text": "US Employment Situation",
        "createdAt": RELEASE,
        "numbers": list(numbers),
    }
    return {"event": "stream.post.created", "data": data | changes}


def jobs(actual: object, **rest: Any) -> dict[str, Any]:
    return {"name": "Nonfarm Payrolls", "actual": actual, **rest}


def rate(actual: object, forecast: object = None, **rest: Any) -> dict[str, Any]:
    return {"name": "Unemployment Rate", "actual": actual, "forecast": forecast, **rest}


def corpus_file(name: str) -> Path:
    """A file of the labelled corpus; the test is skipped where there is none."""
    folder = os.environ.get("LOWCAP_CORPUS", "")
    path = Path(folder) / name
    if not folder or not path.is_file():
        pytest.skip("LOWCAP_CORPUS names no corpus")
    return path
