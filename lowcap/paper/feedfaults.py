"""What a feed server can be told to do wrong, and the frames that it invents for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from lowcap.core.clock import iso_ms

TREE_FEEDS = frozenset({"tokyo", "toa_news"})
LASTING = frozenset({"refuse", "reject", "mute", "half-open"})
REPEATING = frozenset({"junk", "duplicate", "stale", "flood"})
KINDS = LASTING | REPEATING | {"drop", "close"}
STALE_SUFFIX = " [272 minutes ago]"
_SEOUL = timezone(timedelta(hours=9))

# One after the other, for ever: each line is a different way of not being news.
_JUNK: tuple[bytes, ...] = (
    b'{"title": "half a sto',
    b'{"title": 7, "body": ["x"], "time": "soon", "info": "none", "source": {}}',
    b"The server restarts in five minutes",
    b'{"title": "far future", "time": 1' + b"0" * 400 + b', "timestamp": 1e999}',
    b"[]",
    b"null",
    b'{"event": 1, "data": [], "news_title": null, "coins_included": "BTC"}',
    b"[" * 3_000,
    b'{"title": "half a pair \\ud800", "body": "\\u0000", "time": -1}',
    b'"a sentence in quotes"',
    b'{"errors": "maintenance", "title": {"title": {"title": []}}}',
    b"\xef\xbb\xbf{}",
    b"-1.7976931348623157e309",
    b'{"_id": null, "title": "", "body": "", "time": 0.000001}',
    b" ",
)


def fault_in(feed: str, kind: str, seconds: float, count: int) -> str:
    """Why this order to a feed server cannot be carried out, or nothing."""
    if kind not in KINDS:
        return f"unknown fault {kind!r}; there are {', '.join(sorted(KINDS))}"
    if kind in LASTING and not 0 < seconds < 10**7:
        return f"{kind} needs seconds above 0"
    if kind in REPEATING and not count > 0:
        return f"{kind} needs a count above 0"
    if feed == "coingecko" and kind in REPEATING - {"junk"}:
        return f"{kind} is for news; coingecko serves a table"
    return ""


def junk(number: int) -> bytes:
    """The frame number ``number`` of an endless, always equal row of frames that are no news."""
    return _JUNK[number % len(_JUNK)]


def stale(feed: str, frame: bytes) -> bytes:
    """``frame`` as the feed would deliver an old story again.

    Tree servers mark its age behind the title; the others send it as it was.
    """
    if feed not in TREE_FEEDS:
        return frame
    try:
        story = msgspec.json.decode(frame)
    except msgspec.DecodeError:
        return frame
    if not isinstance(story, dict) or not isinstance(story.get("title"), str):
        return frame
    return msgspec.json.encode(story | {"title": story["title"] + STALE_SUFFIX})


def harmless(feed: str, number: int, at_ms: int) -> bytes:
    """Unique news in the shape of ``feed`` that should make nobody trade, as of ``at_ms``."""
    return msgspec.json.encode(_SHAPES.get(feed, _tree)(number, at_ms))


def _words(number: int) -> str:
    return f"Harbour report {number}: the sea is calm and the ferries are on time"


def _tree(number: int, at_ms: int) -> dict[str, Any]:
    post = str(at_ms * 10**6 + number)
    return {
        "_id": post,
        "title": "Harbour Office (@harbour_office)",
        "body": _words(number),
        "link": f"https://x.com/harbour_office/status/{post}",
        "info": {
            "isQuote": False,
            "isReply": False,
            "isRetweet": False,
            "twitterId": "700100200301",
        },
        "suggestions": [],
        "requireInteraction": False,
        "time": at_ms,
        "type": "direct",
    }


def _bwe(number: int, at_ms: int) -> dict[str, Any]:
    return {
        "source_name": "BWENEWS",
        "news_title": _words(number),
        "coins_included": [],
        "url": f"https://harbour.example/{at_ms}/{number}",
        "timestamp": at_ms // 1000,
    }


def _phoenix(number: int, at_ms: int) -> dict[str, Any]:
    post = str(at_ms * 10**6 + number)
    return {
        "_id": f"{at_ms:012x}{number % 16**12:012x}",
        "source": "Twitter",
        "name": "Harbour Office",
        "username": "harbour_office",
        "twitterId": "700100200301",
        "tweetId": post,
        "body": _words(number),
        "url": f"https://x.com/harbour_office/status/{post}",
        "isReply": False,
        "isRetweet": False,
        "isQuote": False,
        "time": at_ms,
        "createdAt": iso_ms(at_ms),
        "receivedAt": iso_ms(at_ms),
    }


def _synoptic(number: int, at_ms: int) -> dict[str, Any]:
    return {
        "event": "stream.post.created",
        "data": {
            "id": f"01{at_ms % 10**12:012d}{number % 10**12:012d}",
            "streamId": "01HARB0VR0FF1CE00000000000",
            "text": _words(number),
            "createdAt": iso_ms(at_ms),
        },
    }


def _twitter(number: int, at_ms: int) -> dict[str, Any]:
    post = str(at_ms * 10**6 + number)
    return {
        "data": {
            "id": post,
            "text": _words(number),
            "author_id": "700100200301",
            "created_at": iso_ms(at_ms),
            "edit_history_tweet_ids": [post],
        },
        "includes": {
            "users": [
                {"id": "700100200301", "name": "Harbour Office", "username": "harbour_office"}
            ]
        },
        "matching_rules": [{"id": "1700000000000000001", "tag": "harbour"}],
    }


def _upbit(number: int, at_ms: int) -> dict[str, Any]:
    shown = seoul_time(at_ms)
    return {
        "id": 100_000_000 + number,
        "title": f"서버 점검 안내 {number}",
        "category": "거래",
        "listed_at": shown,
        "first_listed_at": shown,
        "need_new_badge": True,
        "need_update_badge": False,
    }


def seoul_time(at_ms: int) -> str:
    """``at_ms`` as the notice board shows it: whole seconds at +09:00."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(_SEOUL).isoformat()


_SHAPES = {
    "bwe": _bwe,
    "phoenix": _phoenix,
    "synoptic": _synoptic,
    "twitter": _twitter,
    "upbit": _upbit,
}
