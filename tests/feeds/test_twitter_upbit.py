"""X's objects and Upbit's notices into news items: every shape, and what is no news."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.twitter import TwitterDecoder
from lowcap.feeds.upbit import UpbitDecoder, key_of, listed_ms

AT_NS = 1_770_384_600_000_000_000
TWITTER, UPBIT = TwitterDecoder("twitter"), UpbitDecoder("upbit")
USER = {"id": "77", "name": "Some One", "username": "Some_One"}
TWEET: dict[str, Any] = {
    "id": "1990",
    "text": "words",
    "author_id": "77",
    "created_at": "2026-02-06T13:29:59.000Z",
    "edit_history_tweet_ids": ["1990"],
}
NOTICE: dict[str, Any] = {
    "id": 5_001, "title": "랜턴(LAN) KRW 마켓 디지털 자산 추가", "category": "거래",
    "listed_at": "2026-02-06T22:40:00+09:00", "first_listed_at": "2026-02-06T22:29:40+09:00",
}  # fmt: skip


def _object(users: object = (USER,), **changes: Any) -> bytes:
    rules = [{"id": "1", "tag": "demo"}]
    whole = {"data": TWEET | changes, "includes": {"users": users}, "matching_rules": rules}
    return json.dumps(whole).encode()


def _twitter(users: object = (USER,), **changes: Any) -> NewsItem:
    item = TWITTER.decode(_object(users, **changes), AT_NS)
    assert isinstance(item, NewsItem), item
    return item


# -- X -------------------------------------------------------------------------------


def test_a_post() -> None:
    item = _twitter()
    assert (item.feed, item.received_ns, item.source_id) == ("twitter", AT_NS, "1990")
    assert (item.source, item.author_id, item.handles) == ("X", "77", ("some_one",))
    assert (item.title, item.body) == ("Some One (@Some_One)", "words")
    assert item.url == "https://x.com/Some_One/status/1990"
    assert (item.time_ms, item.markup, item.is_post) == (1_770_384_599_000, "twitter", True)
    assert not any((item.is_retweet, item.is_reply, item.is_self_reply, item.is_quote))


def test_a_long_post_shows_its_whole_text() -> None:
    assert _twitter(note_tweet={"text": "all the words"}).body == "all the words"
    assert _twitter(note_tweet={}).body == "words"
    assert _twitter(note_tweet=None).body == "words"


@pytest.mark.parametrize(
    ("users", "handles"),
    [
        ([{"id": "78", "name": "Other", "username": "other"}], ()),
        ([{"id": "78", "username": "other"}, USER], ("some_one",)),
        ([USER, {"id": "77", "username": "double"}], ("some_one", "double")),
        ([{"id": "77"}], ()),
        ([{"id": None, "username": "a"}, {"username": "b"}], ()),
        ([], ()),
        (None, ()),
    ],
)
def test_the_author_is_who_has_the_id(users: object, handles: tuple[str, ...]) -> None:
    item = _twitter(users)
    assert item.handles == handles
    assert item.author_id == "77"
    if not handles:
        assert (item.title, item.url) == ("", "")


def test_without_an_author_id_nobody_is_the_author() -> None:
    item = _twitter([{"username": "a"}, {"id": None, "username": "b"}], author_id=None)
    assert (item.author_id, item.handles) == ("", ())


@pytest.mark.parametrize(
    ("references", "flags"),
    [
        ([], (False, False, False)),
        (None, (False, False, False)),
        ([{"type": "retweeted", "id": "1"}], (True, False, False)),
        ([{"type": "replied_to", "id": "1"}], (False, True, False)),
        ([{"type": "quoted", "id": "1"}], (False, False, True)),
        ([{"type": "quoted"}, {"type": "replied_to"}], (False, True, True)),
    ],
)
def test_what_a_post_refers_to(references: object, flags: tuple[bool, bool, bool]) -> None:
    item = _twitter(referenced_tweets=references)
    assert (item.is_retweet, item.is_reply, item.is_quote) == flags


@pytest.mark.parametrize(
    "references",
    ["retweeted", {}, {"type": "quoted"}, [5], [{}], [{"id": "1"}], [{"type": None}],
     [{"type": 5}], [{"type": "Retweeted"}], [{"type": "cited"}], [[]], True, 0],
)  # fmt: skip
def test_malformed_references_are_a_fault(references: object) -> None:
    answer = TWITTER.decode(_object(referenced_tweets=references), AT_NS)
    assert isinstance(answer, NotNews)
    assert answer.fault


@pytest.mark.parametrize("frame", [b"", b"\r\n", b"\r", b"  \n", b"ping"])
def test_blank_lines_are_heartbeats(frame: bytes) -> None:
    assert TWITTER.decode(frame, AT_NS) == NotNews("heartbeat")


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"errors": [{"title": "operational-disconnect", "type": "x"}]}, "operational-disconnect"),
        ({"errors": [{"detail": "out of order"}]}, "out of order"),
        ({"title": "ConnectionException", "type": "about:blank"}, "ConnectionException"),
        ({"type": "about:blank"}, "about:blank"),
        ({"errors": []}, "an error"),
        ({"errors": "bad"}, "an error"),
        ({"errors": [5], "title": ["x"]}, "an error"),
        ({"title": "a\x1b[2Jb"}, "a\\u001b[2Jb"),
        ({"title": "x" * 500}, "x" * 99 + "…"),
    ],
)
def test_what_the_server_says_is_kept(frame: object, said: str) -> None:
    answer = TWITTER.decode(json.dumps(frame).encode(), AT_NS)
    assert answer == NotNews(f"server says: {said}", fault=True)


def test_a_post_with_partial_errors_is_a_post() -> None:
    frame = json.loads(_object()) | {"errors": [{"title": "Not Found Error"}]}
    assert isinstance(TWITTER.decode(json.dumps(frame).encode(), AT_NS), NewsItem)


@pytest.mark.parametrize(
    ("frame", "reason"), [({}, "no post"), ({"data": None}, "no post"), ({"data": {}}, "no text")]
)
def test_objects_without_a_post(frame: object, reason: str) -> None:
    assert TWITTER.decode(json.dumps(frame).encode(), AT_NS) == NotNews(reason)


@pytest.mark.parametrize("key", ["id", "text", "author_id", "created_at", "note_tweet"])
@pytest.mark.parametrize("value", [1.5, True, [], ["x"]])
def test_fields_of_another_type_are_a_fault(key: str, value: object) -> None:
    answer = TWITTER.decode(_object(**{key: value}), AT_NS)
    assert isinstance(answer, NotNews)
    assert answer.fault


@pytest.mark.parametrize("created_at", [None, "", "yesterday", "2026-02-06T13:29:59"])
def test_a_time_that_is_none(created_at: object) -> None:
    assert _twitter(created_at=created_at).time_ms is None


# -- Upbit ---------------------------------------------------------------------------


def test_a_notice() -> None:
    item = UPBIT.decode(json.dumps(NOTICE).encode(), AT_NS)
    assert isinstance(item, NewsItem)
    assert (item.source, item.title, item.body) == ("Upbit", NOTICE["title"], "")
    assert item.time_ms == 1_770_384_580_000  # of the first listing, not of an edit
    assert item.url == "https://upbit.com/service_center/notice?id=5001"
    assert item.source_id == f"{NOTICE['title']} {NOTICE['first_listed_at']}"
    assert not item.is_post


def test_what_a_notice_may_lack() -> None:
    for changes, time_ms in (({"first_listed_at": None}, None), ({"first_listed_at": "x"}, None)):
        item = UPBIT.decode(json.dumps(NOTICE | {"id": None} | changes).encode(), AT_NS)
        assert isinstance(item, NewsItem)
        assert (item.time_ms, item.url) == (time_ms, "")
    assert UPBIT.decode(b'{"title":""}', AT_NS) == NotNews("no text")
    answer = UPBIT.decode(b'{"title":5}', AT_NS)
    assert isinstance(answer, NotNews)
    assert answer.fault


def test_keys_of_notices() -> None:
    frame = json.dumps(NOTICE).encode()
    renumbered = NOTICE | {"id": "7f-2", "listed_at": "2026-02-06T23:00:00+09:00"}
    assert key_of(frame) == key_of(json.dumps(renumbered).encode())
    for changes in ({"title": "other"}, {"first_listed_at": "2026-02-06T22:29:41+09:00"}):
        assert key_of(frame) != key_of(json.dumps(NOTICE | changes).encode())
    assert key_of(b"5") == "5"
    assert key_of(b"\xff") != ""
    assert (listed_ms(frame), listed_ms(b"5"), listed_ms(b"{}")) == (1_770_384_580_000, None, None)
