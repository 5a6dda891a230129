"""From frame to news item: every shape of the wire, and nothing on it that raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.messages import NewsItem, NotNews
from lowcap.feeds.synoptic import READINGS_MAX, SynopticDecoder
from lowcap.feeds.tree import TreeDecoder

TREE, SYNOPTIC = TreeDecoder("tokyo"), SynopticDecoder("synoptic")
BOTH = pytest.mark.parametrize("decoder", [TREE, SYNOPTIC], ids=["tree", "synoptic"])
AT_NS = 1_770_384_600_000_000_000

POST: dict[str, Any] = {
    "_id": "1990",
    "title": "Some One 🚀 (@Some_One)",
    "body": "words",
    "link": "https://twitter.com/some_one/status/1990",
    "time": 1_763_015_692_805,
    "rt": 1_763_015_693_068,
    "type": "direct",
    "info": {"isQuote": False, "isReply": True, "isRetweet": False, "isSelfReply": True,
             "twitterId": "77"},
    "suggestions": [],
    "requireInteraction": True,
}  # fmt: skip
ITEM: dict[str, Any] = {
    "title": "SITE: headline",
    "source": "Blogs",
    "url": "https://news.example/1",
    "time": 1_766_480_432_645,
    "symbols": ["LTC_USDT"],
    "_id": "1766480432644Sh",
    "delay": 0,
}
CREATED: dict[str, Any] = {
    "event": "stream.post.created",
    "data": {
        "id": "01K",
        "streamId": "01S",
        "text": "first line\nsecond",
        "createdAt": "2026-02-06T13:30:00.100Z",
        "numbers": [{"name": "NFP", "actual": "48K", "unit": "K", "country": "US"}],
    },
}


def _tree(frame: object) -> NewsItem:
    item = TREE.decode(json.dumps(frame).encode(), AT_NS)
    assert isinstance(item, NewsItem), item
    return item


def _synoptic(frame: object) -> NewsItem:
    item = SYNOPTIC.decode(json.dumps(frame).encode(), AT_NS)
    assert isinstance(item, NewsItem), item
    return item


def _data(**changes: Any) -> dict[str, Any]:
    return CREATED | {"data": CREATED["data"] | changes}


# -- Tree ----------------------------------------------------------------------


def test_the_post_shape() -> None:
    item = _tree(POST)
    assert (item.feed, item.received_ns, item.source_id) == ("tokyo", AT_NS, "1990")
    assert (item.title, item.body) == ("Some One 🚀 (@Some_One)", "words")
    assert (item.handles, item.author_id, item.time_ms) == (("some_one",), "77", 1_763_015_692_805)
    assert (item.is_post, item.is_reply, item.is_self_reply, item.is_retweet) == (
        *(True, True, True, False),
    )
    assert item.markup == "tree"
    assert [_tree(POST | q).is_quote for q in ({}, {"isQuote": True})] == [False, True]
    assert _tree(POST | {"info": {"isQuote": True}}).is_quote
    assert item.readings is None


def test_the_author_shape() -> None:
    item = _tree(
        {
            "source": "TWITTER",
            "author": {"name": "X", "screen_name": "SomeOne", "id": "77", "verified": True},
            "text": "words",
            "isRetweet": True,
            "isReply": None,
            "url": "https://x.com/someone/status/1",
        }
    )
    assert (item.body, item.handles, item.author_id) == ("words", ("someone",), "77")
    assert (item.is_post, item.is_retweet, item.is_reply) == (True, True, False)
    assert item.time_ms is None


def test_the_old_post_shape() -> None:
    old = {"source": "Twitter", "title": "Some One (@SomeOne): words (really)"}
    item = _tree(old)
    assert (item.handles, item.body, item.is_post) == ((), "words (really)", False)
    assert item.author_id == ""
    with_link = _tree(old | {"url": "https://twitter.com/someone/status/1"})
    assert (with_link.handles, with_link.body) == (("someone",), "words (really)")
    assert with_link.is_post
    forged = _tree(old | {"url": "https://twitter.com/another/status/1"})
    assert set(forged.handles) == {"someone", "another"}


def test_the_item_shape() -> None:
    item = _tree(ITEM)
    assert (item.title, item.source, item.url) == ("SITE: headline", "Blogs", ITEM["url"])
    assert (item.is_post, item.handles, item.body) == (False, (), "")
    quoting = _tree(ITEM | {"title": "SITE: says (@someone)"})
    assert not quoting.is_post


def test_unknown_fields_and_absent_ones_are_fine() -> None:
    assert _tree({"title": "t", "en": {"a": [1]}, "firstPrice": None, "_ws_name": 5}).title == "t"
    assert _tree({"body": "b"}).body == "b"
    assert _tree({"title": "t", "author": "Someone"}).handles == ()
    assert _tree({"title": "t", "info": None, "author": None, "time": None}).time_ms is None


def test_handles() -> None:
    link = POST["link"]
    cases: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({"link": "https://x.com/other/status/1"}, ("some_one", "other")),
        ({"link": "https://x.com/i/status/1"}, ("some_one",)),
        ({"link": "https://x.com/some_one"}, ("some_one",)),
        ({"link": "https://evil.io/?https://x.com/other/status/1"}, ("some_one",)),
        ({"title": "Some One"}, ("some_one",)),
        ({"title": "Some One", "link": None}, ()),
        ({"title": "A (@a) B (@b)", "link": None}, ("b",)),
        ({"title": "A (@a.b)"}, ("a.b", "some_one")),
        ({"title": "A (@\u212a)", "link": None}, ("\u212a",)),
        ({"title": "A (@" + "x" * 90 + ")"}, ("x" * 90, "some_one")),
        ({"author": {"screen_name": "third"}}, ("third", "some_one")),
        ({"author": {"screen_name": ""}}, ()),
        ({"author": "some_one"}, ()),
        ({"url": "https://x.com/other/status/1"}, ("some_one", "other")),
    ]
    for changes, handles in cases:
        assert _tree(POST | {"link": link} | changes).handles == handles, changes


def test_two_ids_are_nobodys() -> None:
    assert _tree(POST | {"author": {"screen_name": "some_one", "id": "77"}}).author_id == "77"
    item = _tree(POST | {"author": {"screen_name": "some_one", "id": "78"}})
    assert item.author_id not in ("77", "78")


@pytest.mark.parametrize(
    ("time", "time_ms"),
    [
        (1_763_015_692, 1_763_015_692_000),
        (1_763_015_692.5, 1_763_015_692_500),
        (1_763_015_692_805, 1_763_015_692_805),
        (1_763_015_692_805.9, 1_763_015_692_805),
        (1_763_015_692_805_123, 1_763_015_692_805),
        (1.763015692805e12, 1_763_015_692_805),
        (99_999_999_999, 99_999_999_999_000),
        (0, None),
        (-5, None),
        (10**17, None),
        (10**30, None),
        (None, None),
    ],
)
def test_times_of_any_unit(time: float | None, time_ms: int | None) -> None:
    assert _tree(ITEM | {"time": time}).time_ms == time_ms


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"pong", "heartbeat"),
        (b"ping", "heartbeat"),
        (b'{"user":{"username":"demo","subscription":{"name":"x"}}}', "login answer"),
        (b'{"user":"demo"}', "login answer"),
        (b"{}", "no text"),
        (b'{"title":"","body":null}', "no text"),
    ],
)
def test_traffic_that_is_no_news(frame: bytes, reason: str) -> None:
    assert TREE.decode(frame, AT_NS) == NotNews(reason)


# -- Synoptic -------------------------------------------------------------------


def test_a_created_post() -> None:
    item = _synoptic(CREATED)
    assert (item.source_id, item.source, item.title) == ("01K", "01S", "first line")
    assert item.body == "first line\nsecond"
    assert item.time_ms == 1_770_384_600_100
    assert item.readings is not None
    (reading,) = item.readings
    assert (reading.name, reading.actual, reading.forecast) == ("NFP", "48K", None)
    assert (reading.unit, reading.country) == ("K", "US")
    assert not item.is_post


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"event": "stream.post.updated", "data": {}}, "event stream.post.updated"),
        ({"event": "connected"}, "event connected"),
        ({"event": "stream.post.created"}, "event stream.post.created"),
        ({"event": "stream.post.created", "data": None}, "event stream.post.created"),
        ({}, "no event"),
        ({"data": {"text": "x"}}, "no event"),
    ],
)
def test_events_that_are_no_news(frame: object, reason: str) -> None:
    assert SYNOPTIC.decode(json.dumps(frame).encode(), AT_NS) == NotNews(reason)


def test_heartbeats_of_synoptic() -> None:
    for frame in (b"ping", b"pong"):
        assert SYNOPTIC.decode(frame, AT_NS) == NotNews("heartbeat")


def test_where_the_figures_may_be() -> None:
    rows = CREATED["data"]["numbers"]
    table = {"numbers": rows}
    for changes in (
        {"numbers": None, "json": table},
        {"numbers": None, "json": json.dumps(table)},
        {"numbers": rows, "json": "{"},
        {"numbers": [*rows, 5, None, "x", []]},
    ):
        readings = _synoptic(_data(**changes)).readings
        assert readings is not None
        assert [reading.name for reading in readings] == ["NFP"]


@pytest.mark.parametrize(
    "changes",
    [
        {"numbers": None}, {"numbers": {}}, {"numbers": "x"}, {"numbers": 5},
        {"numbers": None, "json": "{"}, {"numbers": None, "json": "[]"},
        {"numbers": None, "json": []},
        {"numbers": None, "json": {"numbers": {}}}, {"numbers": None, "json": ""},
        {"numbers": None, "json": "[" * 100_000}, {"numbers": None, "json": "\x00"},
        {"numbers": [{}] * (READINGS_MAX + 1)},
    ],
)  # fmt: skip
def test_no_figures(changes: dict[str, Any]) -> None:
    assert _synoptic(_data(**changes)).readings is None


@pytest.mark.parametrize("key", ["name", "unit", "country"])
@pytest.mark.parametrize("value", [5, 1.5, True, [], {}, ["US"]])
def test_a_word_that_is_no_text_is_not_taken_as_left_out(key: str, value: object) -> None:
    row = CREATED["data"]["numbers"][0] | {key: value}
    assert _synoptic(_data(numbers=[row])).readings == ()


# -- both: what a server may send ------------------------------------------------

HOSTILE = [
    b"", b" ", b"\x00", b"null", b"true", b"5", b'"text"', b"[]", b"[{}]", b"{", b"}", b'{"title"',
    b"Invalid login syntax", b"error: too many connections", b"\xff\xfe", b"\xef\xbb\xbf{}",
    b'{"title":"\xff"}', b'{"title":"\xc3"}', b'{"title":"\xed\xa0\x80"}', b'{"a":"\xff"}',
    b'{"title":"\\ud800"}', b'{"title":"\\ud800\\u0041","body":"x"}', b'{"title":"\\udfff x"}',
    b'{"title":"\\x41"}', b'{"title":"a\nb"}', b"{'title':'x'}", b'{"title":"x",}', b"{title:1}",
    b'{"time":NaN,"title":"x"}', b'{"time":Infinity,"title":"x"}', b'{"time":1e400,"title":"x"}',
    b'{"time":-1e400,"title":"x"}', b'{"time":1e-400,"title":"x"}', b'{"time":01,"title":"x"}',
    b'{"time":' + b"9" * 5_000 + b',"title":"x"}', b'{"_id":' + b"9" * 5_000 + b',"title":"x"}',
    b'{"x":' + b"9" * 200_000 + b',"title":"x"}',
    b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000,
    b'{"title":"x","user":' + b"[" * 100_000, b'{"title":"x","q":' + b'{"a":' * 100_000,
    b'{"event":"stream.post.created","data":{"numbers":' + b"[" * 100_000 + b"}}",
    b'{"event":"stream.post.created","data":{"numbers":[{"name":"NFP","actual":'
    + b"9" * 200_000 + b"}]}}",
    b'{"event":"stream.post.created","data":{"json":"\\ud800"}}',
    b'{"event":"stream.post.created","data":{"json":"' + b"[" * 100_000 + b'"}}',
    b'{"event":"stream.post.created","data":{"createdAt":"\\u0000"}}',
    b'{"event":"stream.post.created","data":{"createdAt":"' + b"9" * 100_000 + b'"}}',
    b'{"event":"stream.post.created","data":{"createdAt":"9999-12-31T23:59:59.999999-23:59"}}',
    b'{"event":"stream.post.created","data":{"createdAt":"0001-01-01T00:00:00+23:59"}}',
    b'{"title":"' + b"x" * 5_000_000 + b'"}', b'{"title":"' + b"(@" * 100_000 + b'"}',
    b'{"title":"' + b"(@a) " * 50_000 + b'","source":"twitter"}',
    b'{"link":"' + b"https://x.com/" * 10_000 + b'","title":"x"}',
]  # fmt: skip


@BOTH
@pytest.mark.parametrize("frame", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_frames(decoder: TreeDecoder | SynopticDecoder, frame: bytes) -> None:
    answer = decoder.decode(frame, AT_NS)
    assert isinstance(answer, NewsItem | NotNews)
    if not frame.startswith(b"{"):
        assert isinstance(answer, NotNews)
        assert answer.fault


def test_text_with_nul_and_controls_is_carried() -> None:
    assert _tree({"title": "a\x00b\x1b[2J"}).title == "a\x00b\x1b[2J"


def test_of_two_equal_keys_the_last_counts() -> None:
    item = TREE.decode(b'{"title":"a","title":"b","info":{"isRetweet":true},"info":{}}', AT_NS)
    assert isinstance(item, NewsItem)
    assert (item.title, item.is_retweet) == ("b", False)


WRONG = [5, 1.5, True, [], {}, ["x"], {"a": 1}]


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize(
    "key", ["title", "body", "text", "link", "url", "source", "type", "time", "info", "author"]
)
def test_a_field_of_another_type_is_no_news(key: str, value: object) -> None:
    right = {"time": (int, float), "info": (dict,), "author": (dict,)}.get(key, ())
    answer = TREE.decode(json.dumps(POST | {key: value}).encode(), AT_NS)
    if isinstance(value, right) and not isinstance(value, bool):
        assert isinstance(answer, NewsItem)
    else:
        assert isinstance(answer, NotNews)
        assert answer.fault
        assert key in answer.reason


@pytest.mark.parametrize("key", ["isRetweet", "isReply", "isSelfReply", "isQuote"])
@pytest.mark.parametrize("value", ["true", "false", 1, 0, [], {}])
def test_a_flag_of_another_type_is_no_news(key: str, value: object) -> None:
    for frame in (POST | {"info": {key: value}}, POST | {key: value}):
        answer = TREE.decode(json.dumps(frame).encode(), AT_NS)
        assert isinstance(answer, NotNews)
        assert answer.fault


@pytest.mark.parametrize("value", [*WRONG, "x"], ids=repr)
@pytest.mark.parametrize("key", ["streamId", "createdAt"])
def test_a_post_field_of_another_type_is_no_news(key: str, value: object) -> None:
    answer = SYNOPTIC.decode(json.dumps(_data(**{key: value})).encode(), AT_NS)
    assert isinstance(answer, NewsItem if value == "x" else NotNews)


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_text_of_another_type_is_no_text(value: object) -> None:
    item = _synoptic(_data(text=value))
    assert (item.title, item.body) == ("", "")


@pytest.mark.parametrize("value", [*WRONG, None], ids=repr)
def test_an_id_of_any_type_costs_nothing(value: object) -> None:
    assert _tree(POST | {"_id": value}).title
    assert _synoptic(_data(id=value)).title


@BOTH
@given(st.binary(max_size=200))
def test_no_bytes_raise(decoder: TreeDecoder | SynopticDecoder, frame: bytes) -> None:
    assert isinstance(decoder.decode(frame, AT_NS), NewsItem | NotNews)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["title", "body", "info", "author", "time", "data", "numbers", "json", "name",
                 "actual", "event", "createdAt", "streamId", "twitterId", "screen_name", "unit"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@BOTH
@given(JSON)
def test_no_json_raises(decoder: TreeDecoder | SynopticDecoder, value: object) -> None:
    assert isinstance(decoder.decode(json.dumps(value).encode(), AT_NS), NewsItem | NotNews)


@given(st.dictionaries(st.sampled_from([*CREATED["data"], "json"]), JSON))
def test_no_post_raises(changes: dict[str, Any]) -> None:
    answer = SYNOPTIC.decode(json.dumps(_data(**changes)).encode(), AT_NS)
    assert isinstance(answer, NewsItem | NotNews)


@given(st.dictionaries(st.sampled_from([*POST, "author", "source", "url", "text"]), JSON))
def test_no_tree_frame_raises(changes: dict[str, Any]) -> None:
    answer = TREE.decode(json.dumps(POST | changes).encode(), AT_NS)
    assert isinstance(answer, NewsItem | NotNews)


@BOTH
@given(cut=st.integers(0, 400))
def test_truncated_frames_never_raise(decoder: TreeDecoder | SynopticDecoder, cut: int) -> None:
    for frame in (json.dumps(POST).encode(), json.dumps(CREATED).encode()):
        answer = decoder.decode(frame[:cut], AT_NS)
        assert isinstance(answer, NewsItem | NotNews)
