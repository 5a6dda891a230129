"""Frames of BWE and Phoenix into news items: every shape, and what is no news."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.bwe import BweDecoder
from lowcap.feeds.phoenix import PhoenixDecoder

AT_NS = 1_770_384_600_000_000_000
BWE, PHOENIX = BweDecoder("bwe"), PhoenixDecoder("phoenix")
HEADLINE: dict[str, Any] = {
    "source_name": "BWENEWS",
    "news_title": "Harbour integrates Lantern (LAN)\n港口集成",
    "coins_included": ["LAN", "SUI"],
    "url": "bwenews.example/1",
    "timestamp": 1_770_384_599,
}
POST: dict[str, Any] = {
    "_id": "69a0c0ffee", "noticeId": "7", "source": "Twitter", "name": "Some One 🚀",
    "username": "Some_One", "twitterId": "77", "tweetId": "1990", "body": "words &gt;&gt; more",
    "url": "https://twitter.com/some_one/status/1990", "isReply": False, "isSelfReply": False,
    "isRetweet": False, "isQuote": True, "coin": "LAN", "suggestions": ["LAN"],
    "important": False, "createdAt": "2026-02-06T13:29:59.000Z", "time": 1_770_384_599_123,
}  # fmt: skip
ARTICLE: dict[str, Any] = {
    "_id": "69a1", "source": "Blogs", "sourceName": "The Quay", "title": "Lantern at a high",
    "description": "More.", "url": "https://news.example/2", "time": 1_770_384_598_000,
}  # fmt: skip


def _bwe(frame: object) -> NewsItem | NotNews:
    return BWE.decode(json.dumps(frame).encode(), AT_NS)


def _phoenix(**changes: Any) -> NewsItem:
    item = PHOENIX.decode(json.dumps(POST | changes).encode(), AT_NS)
    assert isinstance(item, NewsItem), item
    return item


# -- BWE -------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [HEADLINE, [HEADLINE]])
def test_a_headline(frame: object) -> None:
    item = _bwe(frame)
    assert isinstance(item, NewsItem)
    assert (item.feed, item.received_ns, item.source) == ("bwe", AT_NS, "BWENEWS")
    assert (item.title, item.body) == (HEADLINE["news_title"], "")
    assert (item.coins, item.url) == (("LAN", "SUI"), "bwenews.example/1")
    assert (item.time_ms, item.source_id) == (1_770_384_599_000, "")
    assert (item.is_post, item.handles, item.markup, item.readings) == (False, (), "", None)


@pytest.mark.parametrize(
    ("changes", "coins"),
    [({"coins_included": []}, ()), ({"coins_included": None}, None), ({}, ("LAN", "SUI"))],
)
def test_the_senders_guess_at_coins(changes: dict[str, Any], coins: object) -> None:
    item = _bwe(HEADLINE | changes)
    assert isinstance(item, NewsItem)
    assert item.coins == coins
    del (without := dict(HEADLINE))["coins_included"]
    item = _bwe(without)
    assert isinstance(item, NewsItem)
    assert item.coins is None


@pytest.mark.parametrize("value", ["SUI", 5, True, {}, [5], [None], [["SUI"]], {"a": "SUI"}])
def test_coins_of_another_type_are_no_tags(value: object) -> None:
    item = _bwe(HEADLINE | {"coins_included": value})
    assert isinstance(item, NewsItem)
    assert item.coins is None


@pytest.mark.parametrize(
    ("timestamp", "time_ms"),
    [(1_770_384_599_500, 1_770_384_599_500), (1_770_384_599.5, 1_770_384_599_500), (0, None),
     (None, None), (-1, None)],
)  # fmt: skip
def test_stamps_of_any_unit(timestamp: float | None, time_ms: int | None) -> None:
    item = _bwe(HEADLINE | {"timestamp": timestamp})
    assert isinstance(item, NewsItem)
    assert item.time_ms == time_ms


@pytest.mark.parametrize(
    ("frame", "reason", "fault"),
    [
        ([], "array of 0 items", True),
        ([HEADLINE, HEADLINE], "array of 2 items", True),
        ({"type": "welcome", "message": "connected"}, "no text", False),
        (HEADLINE | {"news_title": None}, "no text", False),
        (HEADLINE | {"news_title": ""}, "no text", False),
    ],
)
def test_bwe_traffic(frame: object, reason: str, fault: bool) -> None:
    assert _bwe(frame) == NotNews(reason, fault=fault)


@pytest.mark.parametrize("key", ["source_name", "news_title", "url", "timestamp"])
def test_fields_of_another_type_are_a_fault(key: str) -> None:
    for value in (True, [], {}, ["x"]):
        answer = _bwe(HEADLINE | {key: value})
        assert isinstance(answer, NotNews)
        assert answer.fault


# -- Phoenix -----------------------------------------------------------------------


def test_a_post() -> None:
    item = _phoenix()
    assert (item.source_id, item.time_ms, item.source) == ("1990", 1_770_384_599_123, "Twitter")
    assert (item.title, item.body) == ("Some One 🚀 (@Some_One)", "words &gt;&gt; more")
    assert (item.handles, item.author_id) == (("some_one",), "77")
    assert (item.is_post, item.is_quote, item.is_reply) == (True, True, False)
    assert (item.is_self_reply, item.is_retweet) == (False, False)
    assert (item.markup, item.coins) == ("phoenix", None)


@pytest.mark.parametrize("source", ["twitter", "TWITTER", "Twitter "])
def test_a_post_names_its_source_exactly(source: str) -> None:
    assert _phoenix().is_post
    assert not _phoenix(source=source, title="t").is_post


@pytest.mark.parametrize(
    ("changes", "handles"),
    [
        ({"username": "Some_One_"}, ("some_one_", "some_one")),
        ({"url": "https://x.com/another/status/1"}, ("some_one", "another")),
        ({"username": None}, ()),
        ({"url": None}, ("some_one",)),
        ({"username": "", "url": ""}, ()),
        ({"url": "https://x.com/i/status/1"}, ("some_one",)),
    ],
)
def test_every_handle_shown(changes: dict[str, Any], handles: tuple[str, ...]) -> None:
    assert _phoenix(**changes).handles == handles


def test_what_a_post_may_lack() -> None:
    assert _phoenix(tweetId=None).source_id == "69a0c0ffee"
    assert _phoenix(tweetId=None, _id=None).source_id == ""
    assert _phoenix(twitterId=None).author_id == ""
    assert _phoenix(time=None).time_ms == 1_770_384_599_000
    assert _phoenix(time=None, createdAt="soon").time_ms is None
    assert _phoenix(time=1_770_384_599).time_ms == 1_770_384_599_000
    assert _phoenix(name=None).title == "(@Some_One)"
    assert _phoenix(title="[3 minutes ago]").title == "[3 minutes ago]"
    assert _phoenix(body=None).body == ""
    assert _phoenix(isReply=True, isSelfReply=True, isRetweet=True).is_retweet


def test_an_article() -> None:
    item = PHOENIX.decode(json.dumps(ARTICLE).encode(), AT_NS)
    assert isinstance(item, NewsItem)
    assert (item.title, item.body, item.source) == ("Lantern at a high", "More.", "Blogs")
    assert (item.is_post, item.handles, item.source_id) == (False, (), "69a1")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"_id": "a", "type": "summary-ai", "summaryAI": "LAN", "body": "x"}, "update"),
        ({"_id": "a", "type": "important-auto", "importantAuto": True}, "update"),
        (POST | {"type": "anything"}, "update"),
        ({"_id": None, "source": "Twitter", "username": None, "body": None}, "no text"),
        ({}, "no text"),
        ({"apiKey": "k", "address": "0x0"}, "login answer"),
        ({"address": 5}, "login answer"),
        (POST | {"apiKey": ["k"]}, "login answer"),
        ({"apiKey": "k", "type": 5}, "login answer"),
        ({"apiKey": "k", "name": {}}, "login answer"),
    ],
)
def test_phoenix_traffic(frame: object, reason: str) -> None:
    assert PHOENIX.decode(json.dumps(frame).encode(), AT_NS) == NotNews(reason)


def test_a_login_answer_is_never_a_fault_even_cut_short() -> None:
    for frame in (b'{"apiKey":"k","addr', b'["apiKey"]', b'{"address":"0x0",,}'):
        assert PHOENIX.decode(frame, AT_NS) == NotNews("login answer")


@pytest.mark.parametrize("key", ["isRetweet", "isReply", "isSelfReply", "isQuote"])
@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_a_phoenix_flag_of_another_type_is_a_fault(key: str, value: object) -> None:
    answer = PHOENIX.decode(json.dumps(POST | {key: value}).encode(), AT_NS)
    assert isinstance(answer, NotNews)
    assert answer.fault
