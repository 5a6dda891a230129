"""Frames in the wire shapes, judged alone by the shipped triggers at their own time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from lowcap.config import load, shipped
from lowcap.core.clock import NS_PER_MS, iso_to_ms
from lowcap.core.messages import Miss, NewsItem, NotNews, Signal, Verdict
from lowcap.detection.coins import CoinTable
from lowcap.detection.rules import Detector
from lowcap.detection.trigger import Trigger
from lowcap.feeds.session import Decoder, decoder_for
from lowcap.settings import Settings

STREAM = "01HV7K3M9QZ4X8N2B6C5D1E0FG"
SEC_STREAM = "01JC4R8T2W6Y9A3E5G7H1K0MNP"
COINBASE_ID = "1100000000000000011"
RELEASE = "2026-02-06T13:30:00.100Z"  # Friday, 08:30 in New York
RELEASE_MS = iso_to_ms(RELEASE) or 0
# Contract bases, as a venue lists them; the names of coins come with lowcap.
BASES = [
    "BTC",
    "ETH",
    "BCH",
    "ETC",
    "LTC",
    "XRP",
    "SOL",
    "ADA",
    "XLM",
    "AVAX",
    "STX",
    "POL",
    "IMX",
    "INJ",
    "OP",
    "UNI",
    "AAVE",
    "LINK",
    "HBAR",
    "DOT",
    "NEAR",
    "HYPE",
    "DOGE",
    "TRX",
    "TRUMP",
    "WLFI",
    "MORPHO",
    "KAITO",
    "PENDLE",
    "NMR",
    "AXL",
    "S",
    "W",
    "ONE",
    "ORCA",
    "API3",
    "COMP",
    "BIGTIME",
    "G",
    "LUNA2",
    "1000PEPE",
    "1000SHIB",
    "RAYSOL",
]


@cache
def settings() -> Settings:
    return load(shipped("config.toml"), {})[0]


def coins() -> CoinTable:
    return CoinTable({base: f"{base}USDT" for base in BASES})


@cache
def detector() -> Detector:
    return Detector(settings().trigger, settings().hedge, coins(), settings().payroll)


ENABLED = frozenset(trigger.id for trigger in settings().trigger)


def trigger(name: str) -> Trigger:
    """A shipped trigger."""
    return next(each for each in settings().trigger if each.id == name)


def decoder(feed: str) -> Decoder:
    """The decoder that the shipped settings choose for a feed."""
    return decoder_for(feed, settings().feed[feed])


def wire_bytes(frame: object) -> bytes:
    """A corpus frame as it stands on the wire: a string is bare text."""
    return (
        frame.encode("utf-8", "replace") if isinstance(frame, str) else json.dumps(frame).encode()
    )


def item_of(feed: str, frame: object, received_ms: int | None = None) -> NewsItem | NotNews:
    """One frame decoded, received at its own time unless told."""
    raw, feed_decoder = wire_bytes(frame), decoder(feed)
    item = feed_decoder.decode(raw, 0)
    if isinstance(item, NotNews):
        return item
    at_ms = received_ms if received_ms is not None else item.time_ms or 0
    return feed_decoder.decode(raw, at_ms * NS_PER_MS)


def judge_item(
    item: NewsItem, by: Detector | None = None, enabled: frozenset[str] = ENABLED
) -> Verdict:
    """The full verdict on an item; asking fewer triggers must lead to the same signal."""
    full = (by or detector()).explain(item, enabled)
    quick = (by or detector()).judge(item, enabled)
    assert quick.signal == full.signal
    assert {(miss.trigger, miss.failed) for miss in quick.misses} <= {
        (miss.trigger, miss.failed) for miss in full.misses
    }
    return full


def judge_frame(
    feed: str, frame: object, by: Detector | None = None, received_ms: int | None = None
) -> Verdict | NotNews:
    """One frame through decoder and detector, received at its own time unless told.

    The answer has every trigger's part; what the hot path would say is the same.
    """
    item = item_of(feed, frame, received_ms)
    return item if isinstance(item, NotNews) else judge_item(item, by)


def _speechless(misses: list[Miss]) -> set[str]:
    """Near misses without any word found: not worth asking on the hot path."""
    return {miss.trigger for miss in misses if not miss.matched}


def signal_of(feed: str, frame: object, received_ms: int | None = None) -> Signal | None:
    answer = judge_frame(feed, frame, received_ms=received_ms)
    return answer.signal if isinstance(answer, Verdict) else None


def fired(feed: str, frame: object) -> tuple[str, list[str], str] | None:
    """What a frame trades: trigger, symbols in order, side."""
    signal = signal_of(feed, frame)
    if signal is None:
        return None
    return signal.trigger, [target.symbol for target in signal.targets], str(signal.side)


def miss_of(feed: str, frame: object, trigger: str) -> Miss:
    """Why ``trigger`` did not fire."""
    answer = judge_frame(feed, frame)
    assert isinstance(answer, Verdict), answer
    assert answer.signal is None, answer.signal
    return next(miss for miss in answer.misses if miss.trigger == trigger)


def reasons_of(feed: str, frame: object, trigger: str) -> list[str]:
    """Every condition of ``trigger`` that failed, in order."""
    return [failure.reason for failure in miss_of(feed, frame, trigger).failed]


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


def article(title: str, source: str = "SEC", **changes: Any) -> dict[str, Any]:
    """An article of the news socket."""
    return {"title": title, "source": source, "time": RELEASE_MS, "_id": "a1"} | changes


def bwe(title: str, *tags: str, **changes: Any) -> dict[str, Any]:
    """A headline of BWE with its tags."""
    frame: dict[str, Any] = {
        "source_name": "BWENEWS",
        "news_title": title,
        "coins_included": list(tags),
        "timestamp": RELEASE_MS // 1000,
    }
    return frame | changes


def phoenix(body: str, handle: str = "EricTrump", id_: str = "39349894", **changes: Any) -> Any:
    """A post as Phoenix sends it."""
    frame: dict[str, Any] = {
        "_id": "p1",
        "source": "Twitter",
        "name": "Somebody",
        "username": handle,
        "twitterId": id_,
        "tweetId": "1990000000000000002",
        "body": body,
        "url": f"https://twitter.com/{handle}/status/1990000000000000002",
        "isReply": False,
        "isRetweet": False,
        "time": RELEASE_MS,
    }
    return frame | changes


def x_post(text: str, handle: str = "CoinbaseAssets", **changes: Any) -> dict[str, Any]:
    """A line of the filtered stream; changes go into ``data``."""
    data = {"author_id": COINBASE_ID, "created_at": RELEASE, "id": "1990000000000000003"}
    users = [{"id": COINBASE_ID, "name": "Coinbase", "username": handle}]
    return {"data": data | {"text": text} | changes, "includes": {"users": users}}


def order(text: str, **changes: Any) -> dict[str, Any]:
    """A post of the stream of the regulator's orders."""
    data = {"id": "01S", "streamId": SEC_STREAM, "text": text, "createdAt": RELEASE}
    return {"event": "stream.post.created", "data": data | changes}


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


def steps_of(work: Callable[[], object]) -> int:
    """How many lines of our own sources ``work`` executes: cost by counting, not by time."""
    steps = 0

    def count(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal steps
        if "lowcap" not in frame.f_code.co_filename:
            return None
        # A comprehension is one line however long it runs: its bytecode tells.
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


def assert_linear(work: Callable[[str], object], piece: str, count: int = 200) -> None:
    """Four times the text may take four times the steps, and a little."""
    work(piece)  # whatever is computed once
    short, long = steps_of(lambda: work(piece * count)), steps_of(lambda: work(piece * count * 4))
    assert long <= 4.6 * short + 2_000, (piece, short, long)


def corpus_file(name: str) -> Path:
    """A file of the labelled corpus; the test is skipped where there is none."""
    folder = os.environ.get("LOWCAP_CORPUS", "")
    path = Path(folder) / name
    if not folder or not path.is_file():
        pytest.skip("LOWCAP_CORPUS names no corpus")
    return path
