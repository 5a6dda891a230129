"""Nothing that a server may send makes a decoder raise, whatever its family."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_bwe_phoenix import ARTICLE, HEADLINE, POST
from test_decoders import HOSTILE
from test_twitter_upbit import NOTICE, TWEET, USER

from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.bwe import BweDecoder
from lowcap.feeds.phoenix import PhoenixDecoder
from lowcap.feeds.session import Decoder
from lowcap.feeds.twitter import TwitterDecoder
from lowcap.feeds.upbit import UpbitDecoder, key_of, listed_ms

AT_NS = 1_770_384_600_000_000_000
TWITTER_OBJECT = {"data": TWEET, "includes": {"users": [USER]}}
DECODERS: dict[str, Decoder] = {
    "bwe": BweDecoder("a"),
    "phoenix": PhoenixDecoder("b"),
    "twitter": TwitterDecoder("c"),
    "upbit": UpbitDecoder("d"),
}
FRAMES: dict[str, list[dict[str, Any]]] = {
    "bwe": [HEADLINE],
    "phoenix": [POST, ARTICLE, {"apiKey": "k", "address": "a"}, {"type": "summary-ai"}],
    "twitter": [TWITTER_OBJECT, {"errors": [{"title": "t"}]}],
    "upbit": [NOTICE],
}
FAMILIES = pytest.mark.parametrize("family", list(DECODERS))
KEYS = sorted(
    {key for frames in FRAMES.values() for frame in frames for key in frame}
    | {*TWEET, *USER, "type", "note_tweet", "referenced_tweets", "users"}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=12,
)


def _check(family: str, frame: bytes) -> None:
    answer = DECODERS[family].decode(frame, AT_NS)
    assert isinstance(answer, NewsItem | NotNews)
    if isinstance(answer, NewsItem):
        assert answer.title or answer.body
        assert answer.time_ms is None or isinstance(answer.time_ms, int)
        assert all(isinstance(handle, str) and handle for handle in answer.handles)
    if family == "upbit":
        assert isinstance(key_of(frame), str)
        assert isinstance(listed_ms(frame), int | None)


@FAMILIES
@pytest.mark.parametrize("frame", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_frames(family: str, frame: bytes) -> None:
    _check(family, frame)


@FAMILIES
@given(st.binary(max_size=200))
def test_any_bytes(family: str, frame: bytes) -> None:
    _check(family, frame)


@FAMILIES
@given(JSON)
def test_any_json(family: str, value: object) -> None:
    _check(family, json.dumps(value).encode())


@FAMILIES
@given(number=st.integers(0, 9), changes=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4))
def test_mutated_frames(family: str, number: int, changes: dict[str, Any]) -> None:
    frames = FRAMES[family]
    frame = frames[number % len(frames)]
    _check(family, json.dumps(frame | changes).encode())
    if "data" in frame:
        _check(family, json.dumps(frame | {"data": TWEET | changes}).encode())
        users = {"includes": {"users": [USER | changes]}}
        _check(family, json.dumps(frame | users).encode())


@FAMILIES
@given(number=st.integers(0, 9), cut=st.integers(0, 600))
def test_truncated_frames(family: str, number: int, cut: int) -> None:
    frames = FRAMES[family]
    _check(family, json.dumps(frames[number % len(frames)]).encode()[:cut])


@FAMILIES
@pytest.mark.parametrize("digits", [20, 400, 5_000])
@pytest.mark.parametrize("key", ["twitterId", "tweetId", "_id", "time", "timestamp", "id"])
def test_huge_numbers(family: str, key: str, digits: int) -> None:
    for frame in FRAMES[family]:
        text = json.dumps(frame | {key: "@"}).replace('"@"', "9" * digits)
        _check(family, text.encode())
    inner = json.dumps({"data": TWEET | {"id": "@", "author_id": "@"}}).replace('"@"', "9" * digits)
    _check(family, inner.encode())


@FAMILIES
def test_unknown_fields_do_no_harm(family: str) -> None:
    for frame in FRAMES[family]:
        plain = DECODERS[family].decode(json.dumps(frame).encode(), AT_NS)
        more = frame | {"_ws_name": 5, "unheard_of": [{}]}
        assert DECODERS[family].decode(json.dumps(more).encode(), AT_NS) == plain
