"""Whatever a feed may send: nothing raises, nothing trades that lacks what its trigger needs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from detection_kit import (
    ENABLED,
    RELEASE,
    RELEASE_MS,
    article,
    bwe,
    decoder,
    fired,
    jobs,
    judge_item,
    notice,
    order,
    phoenix,
    post,
    rate,
    release,
    x_post,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lowcap.core.clock import NS_PER_MS
from lowcap.core.messages import NewsItem, NotNews
from lowcap.detection.rules import FAULT

Path = tuple[str | int, ...]

LISTING = "오르카(ORCA) KRW 마켓 디지털 자산 추가"
UPBIT = {"id": 1, "title": LISTING, "first_listed_at": RELEASE}
# A frame that fires each trigger, and the fields without which it must not.
POSITIVE: dict[str, tuple[str, dict[str, Any], list[Path]]] = {}
_PRINT: list[Path] = [
    ("event",), ("data",), ("data", "streamId"), ("data", "createdAt"), ("data", "numbers"),
    ("data", "numbers", 0), ("data", "numbers", 0, "name"), ("data", "numbers", 0, "actual"),
]  # fmt: skip
for _name, _rows in {
    "nfp_le_50k": [jobs("31K")],
    "nfp_51k_100k": [jobs("77K")],
    "nfp_125k_149k": [jobs("133K")],
    "nfp_ge_150k": [jobs("212K")],
    "nfp_unr_a": [jobs("64K"), rate(4.6, 4.4)],
    "nfp_unr_b": [jobs("188K"), rate(4.0, 4.2)],
}.items():
    POSITIVE[_name] = ("synoptic", release(*_rows), _PRINT)
_TREE: list[Path] = [("title",), ("body",), ("type",), ("info",), ("info", "twitterId")]
_PHOENIX: list[Path] = [("source",), ("username",), ("twitterId",), ("body",)]
_BWE: list[Path] = [("source_name",), ("news_title",)]
POSITIVE |= {
    "sec_approval": (
        "synoptic",
        order("Order granting approval of shares of the Quill Solana Trust"),
        [("event",), ("data",), ("data", "streamId"), ("data", "text")],
    ),
    "upbit_listing": ("tokyo", notice(LISTING, url=None), [("title",), ("source",)]),
    # Without an address, which would name the account as well.
    "elon_btc": ("tokyo", post("Bitcoin it is", link=None), _TREE),
    "trump_buyback_burn": (
        "phoenix", phoenix("We buy back $TRUMP", "realDonaldTrump", "25073877"), _PHOENIX,
    ),
    "eric_trump_token": ("phoenix", phoenix("Look at $TRUMP"), _PHOENIX),
    "coinbase_roadmap": (
        "twitter",
        x_post("Asset added to the roadmap: Morpho (MORPHO)"),
        [("data",), ("data", "text"), ("data", "author_id"), ("includes",), ("includes", "users"),
         ("includes", "users", 0), ("includes", "users", 0, "id"),
         ("includes", "users", 0, "username")],
    ),
    "s1_trust": ("toa_news", article("Quill Solana Trust files S-1"), [("title",), ("source",)]),
    "trump_reserve": ("bwe", bwe("Trump signs crypto reserve of Solana", "SOL"), _BWE),
    "etf_filing": ("bwe", bwe("BlackRock files Solana trust", "SOL"), _BWE),
    "news_coin_mention": (
        "bwe", bwe("Quillbank partners with Chainlink", "LINK"), [*_BWE, ("coins_included",)],
    ),
}  # fmt: skip
ALL_FEEDS = ("bwe", "tokyo", "toa_news", "phoenix", "synoptic", "twitter", "upbit")
VALID: dict[str, list[dict[str, Any]]] = {feed: [] for feed in ALL_FEEDS}
VALID["upbit"].append(UPBIT)
for _feed, _frame, _required in POSITIVE.values():
    VALID[_feed].append(_frame)
VALID["tokyo"].append(post("Bitcoin", author={"screen_name": "elonmusk", "id": "44196397"}))

# What may stand where something else was expected, none of it any trigger's word.
WRONG: list[Any] = [None, True, False, 0, -1, 1.5, 10**30, "", " ", [], {}, [[]], [None], {"x": {}}]


def _at(frame: Any, path: Path) -> Any:
    for step in path:
        frame = frame[step]
    return frame


def _changed(frame: dict[str, Any], path: Path, *value: Any) -> dict[str, Any]:
    """A copy with the value at ``path`` replaced, or taken away where none is given."""
    again = copy.deepcopy(frame)
    holder = _at(again, path[:-1])
    if value:
        holder[path[-1]] = value[0]
    else:
        del holder[path[-1]]
    return again


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a frame."""
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in steps:
        yield (*path, step)
        if isinstance(inner, (dict, list)):
            yield from _paths(inner, (*path, step))


# -- what a trigger needs -----------------------------------------------------------------

FIELDS = [(name, path) for name, (_, _, required) in POSITIVE.items() for path in required]


def test_every_trigger_has_a_frame_that_fires_it() -> None:
    assert POSITIVE.keys() == ENABLED
    assert len(POSITIVE) == 16
    for name, (feed, frame, required) in POSITIVE.items():
        answer = fired(feed, frame)
        assert answer is not None, name
        assert answer[0] == name
        assert all(_at(frame, path) is not None for path in required)


@pytest.mark.parametrize(("name", "path"), FIELDS)
def test_without_a_required_field_nothing_trades(name: str, path: Path) -> None:
    feed, frame, _ = POSITIVE[name]
    assert fired(feed, _changed(frame, path)) is None


@pytest.mark.parametrize(("name", "path"), FIELDS)
def test_with_a_required_field_of_another_type_nothing_trades(name: str, path: Path) -> None:
    feed, frame, _ = POSITIVE[name]
    old = _at(frame, path)
    for value in [*WRONG, [old], {"x": old}]:
        # A figure may be a number as well as text.
        if path[-1] == "actual" and type(value) in (int, float):
            continue
        assert fired(feed, _changed(frame, path, value)) is None, value


IDENTITIES: list[tuple[str, Path]] = [
    *((name, path) for name, path in FIELDS
      if path[-1] in ("source", "source_name", "username", "twitterId", "author_id", "id",
                      "streamId", "event")),
    ("elon_btc", ("title",)),
    ("elon_btc", ("link",)),
    ("trump_buyback_burn", ("url",)),
    ("eric_trump_token", ("url",)),
]  # fmt: skip


def _spoilt(old: str) -> Iterator[str]:
    """Names that are not this one, though they look like it; case aside is the same name."""
    name = old.removesuffix(")")
    bracket = old[len(name) :]
    yield f"{name}1{bracket}"
    yield f"{name}_{bracket}"
    yield f"{name[:-1]}{bracket}"
    yield f"{name[:-1]}\u0435{bracket}"
    yield old.replace("e", "\u0435", 1).replace("1", "l").replace("0", "O", 1) + "."
    yield "somebody else"


@pytest.mark.parametrize(("name", "path"), IDENTITIES)
def test_with_another_identity_nothing_trades(name: str, path: Path) -> None:
    feed, frame, _ = POSITIVE[name]
    if path == ("link",):
        frame = frame | {"link": "https://x.com/elonmusk/status/1"}
    assert fired(feed, frame) is not None
    old = _at(frame, path)
    if path[-1] in ("link", "url"):
        handle = old.split("/")[3]
        for other in (f"{handle}1", f"_{handle}", "other", handle[:-1]):
            assert fired(feed, _changed(frame, path, old.replace(handle, other))) is None
        return
    for other in _spoilt(old):
        assert fired(feed, _changed(frame, path, other)) is None, other


NAMES = [place for place in IDENTITIES if place[1][-1] not in ("link", "url", "title")]


@given(st.sampled_from(NAMES), st.text(max_size=20))
def test_no_other_name_at_all_trades(place: tuple[str, Path], other: str) -> None:
    name, path = place
    feed, frame, _ = POSITIVE[name]
    old = _at(frame, path)
    assume(other.lower() != old.lower())
    assert fired(feed, _changed(frame, path, other)) is None


# -- whatever is sent -------------------------------------------------------------------------


def _holds(feed: str, frame: bytes) -> None:
    """Neither decoding nor judging raises, and asking everyone leads to the same signal."""
    for received_ms in (0, RELEASE_MS):
        item = decoder(feed).decode(frame, received_ms * NS_PER_MS)
        assert isinstance(item, NewsItem | NotNews)
        if isinstance(item, NotNews):
            assert item.reason
            continue
        verdict = judge_item(item)
        assert not any(miss.reason == FAULT for miss in verdict.misses), verdict
        assert (verdict.signal is None) is bool(verdict.reason)


ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=30)
NUMBERS = st.sampled_from(
    [0, -1, 2**31, 2**53, 2**63, 2**64, 10**25, -(10**25), 1e308, -1e308, 5e-324, 0.1, 1e16]
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
MODEST = settings(max_examples=150)
EVERY_FEED = pytest.mark.parametrize("feed", ALL_FEEDS)
# Pieces of markup, marks, half characters: what may be written into a text.
SPLICES = ["\ud800", "\u202e", "\u0301" * 40, "\ufdfa" * 9, "&amp;#", "&#x110000;", "<br>",
           ">>REPLY ", ">>QUOTE", "\nQuote [@", "[2 hours ago]", "İ", "ſ", "\x00", "ＢＴＣ", "😀",
           "(@", "$", "((", "https://", "\n> ", "<n>", "{", "RT @", "٣", "½", "㌖"]  # fmt: skip


@EVERY_FEED
@MODEST
@given(st.binary(max_size=120))
def test_any_bytes(feed: str, frame: bytes) -> None:
    _holds(feed, frame)


@EVERY_FEED
@MODEST
@given(JSON)
def test_any_json(feed: str, value: Any) -> None:
    _holds(feed, json.dumps(value).encode())


@EVERY_FEED
@MODEST
@given(data=st.data())
def test_any_mutation_of_a_valid_frame(feed: str, data: st.DataObject) -> None:
    frame: Any = copy.deepcopy(data.draw(st.sampled_from(VALID[feed])))
    for _ in range(data.draw(st.integers(1, 4))):
        places = list(_paths(frame))
        if not places:
            break
        path = data.draw(st.sampled_from(places))
        holder, step = _at(frame, path[:-1]), path[-1]
        old = holder[step]
        match data.draw(st.sampled_from(["drop", "retype", "nest", "double", "number", "splice"])):
            case "drop":
                del holder[step]
            case "retype":
                holder[step] = data.draw(JSON)
            case "nest":
                holder[step] = {str(step): [old]}
            case "double" if isinstance(holder, list):
                holder.append(copy.deepcopy(old))
            case "double":
                holder[f"{step}2"] = copy.deepcopy(old)
            case "number":
                holder[step] = data.draw(NUMBERS)
            case "splice" if isinstance(old, str):
                at = data.draw(st.integers(0, len(old)))
                piece = data.draw(st.sampled_from(SPLICES) | ANY_TEXT)
                holder[step] = old[:at] + piece + old[at:]
    _holds(feed, json.dumps(frame).encode())
    _holds(feed, json.dumps(frame, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@EVERY_FEED
@MODEST
@given(data=st.data())
def test_any_cut_or_repeated_frame(feed: str, data: st.DataObject) -> None:
    whole = json.dumps(data.draw(st.sampled_from(VALID[feed]))).encode()
    cut = data.draw(st.integers(0, len(whole)))
    for frame in (whole[:cut], whole[cut:], whole + whole, b"[" + whole + b"]", b" " + whole):
        _holds(feed, frame)
    text = whole.decode()
    _holds(feed, text.replace("{", '{"title":"x","title":5,', 1).encode())


@EVERY_FEED
@pytest.mark.parametrize("digits", [19, 400, 5_000])
def test_numbers_of_any_length(feed: str, digits: int) -> None:
    for frame in VALID[feed]:
        for path in _paths(frame):
            text = json.dumps(_changed(frame, path, "@@"))
            for before in ("", "-", "1e", "0."):
                _holds(feed, text.replace('"@@"', before + "9" * digits).encode())
