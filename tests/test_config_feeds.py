"""Faults of feed settings: each named with its path, whatever else is wrong."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from config_kit import Room
from hypothesis import given
from hypothesis import strategies as st

from lowcap.config import load, shipped
from lowcap.config_check import FEED_FORMATS, faults_of
from lowcap.feeds.session import decoder_for
from lowcap.settings import Feed, Settings

SHIPPED: Settings = load(shipped("config.toml"), {})[0]
URLS = {"twitter": "https://h.example/x", "upbit": "https://h.example/x"}


def _faults(name: str = "mine", **changes: object) -> list[str]:
    format_ = str(changes.get("format", "tree"))
    values = {"url": URLS.get(format_, "wss://h.example/x"), "format": format_, **changes}
    feed = Feed(**values)  # type: ignore[arg-type]
    return faults_of(attrs.evolve(SHIPPED, feed={**SHIPPED.feed, name: feed}))


def test_a_feed_without_a_fault() -> None:
    assert _faults() == []
    assert _faults(auth="login", key_file="/k") == []
    assert _faults(auth="login", key_env="TREE_KEY", hold_open="08:25-08:36") == []


def test_every_format_has_a_decoder() -> None:
    for format_ in FEED_FORMATS:
        assert decoder_for("a", Feed(url="", format=format_))


@pytest.mark.parametrize("format_", list(FEED_FORMATS))
@pytest.mark.parametrize("auth", ["none", "login", "header", "query", "bearer", "Login", ""])
def test_how_a_key_may_be_shown(format_: str, auth: str) -> None:
    known = {
        "bwe": {"none"}, "tree": {"none", "login"}, "phoenix": {"none", "header", "login"},
        "synoptic": {"header", "query"}, "twitter": {"bearer"}, "upbit": {"none"},
    }[format_]  # fmt: skip
    faults = _faults(format=format_, auth=auth)
    assert bool(faults) == (auth not in known)
    if faults:
        assert faults[0].startswith("feed.mine.auth: expected ")
        assert repr(auth) in faults[0]


def test_a_simulator_on_loopback_lets_everybody_in() -> None:
    assert _faults(format="synoptic", url="ws://127.0.0.1:9/x") == []
    assert _faults(format="twitter", url="http://localhost:9/x") == []
    assert _faults(format="twitter", url="http://localhost:9/x", auth="login") != []


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [("text_ping_s", 0, 3_600), ("ping_s", 1, 300), ("idle_s", 1, 86_400),
     ("stale_s", 0, 604_800), ("renew_h", 0, 168), ("poll_s", 5, 3_600)],
)  # fmt: skip
def test_ranges(key: str, least: int, most: int) -> None:
    for value in (least, most):
        assert _faults(**{key: value}) == []
    for value in (least - 1, most + 1):
        assert _faults(**{key: value}) == [f"feed.mine.{key}: expected {least} to {most}"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"format": "rss"}, "feed.mine.format: expected one of tree, synoptic, bwe, phoenix, "),
        ({"hold_open": "8:25-8:36"}, "feed.mine.hold_open: expected New York times like"),
        ({"hold_open": "09:00-08:00"}, "feed.mine.hold_open: expected a start before the end"),
        ({"key_env": "A KEY", "auth": "login"}, "feed.mine.key_env: expected the name of an"),
        ({"key_env": "$KEY", "auth": "login"}, "feed.mine.key_env: expected the name of an"),
        ({"key_env": "K", "key_file": "/k", "auth": "login"},
         "feed.mine: expected key_file or key_env, not both"),
        ({"key_file": "/k"}, "feed.mine.auth: none shows the key to nobody"),
        ({"key_env": "K"}, "feed.mine.auth: none shows the key to nobody"),
        ({"key_file": "a\0b", "auth": "login"}, "feed.mine.key_file: expected a path, not text"),
        ({"url": ""}, "feed.mine.url: expected an address, or enabled = false"),
        ({"url": "https://h.example/x"}, "feed.mine.url: expected an address like wss://host/path"),
        ({"url": "ws://h.example/x"}, "feed.mine.url: expected wss:// away from loopback"),
        ({"format": "twitter", "auth": "bearer", "url": "wss://h.example/x"},
         "feed.mine.url: expected an address like https://host/path"),
        ({"format": "twitter", "auth": "bearer", "url": "http://h.example/x"},
         "feed.mine.url: expected https:// away from loopback"),
        ({"format": "upbit", "url": "http://tokyo.treeofalpha.com/x"},
         "feed.mine.url: expected https:// away from loopback"),
        ({"url": "wss://h.example/x?apiKey=K3Y"}, "feed.mine.url: an address carries no key"),
        ({"url": "wss://h.example/x?a=1&APIKEY=K3Y"}, "feed.mine.url: an address carries no key"),
    ],
)  # fmt: skip
def test_faults(changes: dict[str, object], fault: str) -> None:
    faults = _faults(**changes)
    assert len(faults) == 1, faults
    assert faults[0].startswith(fault)
    assert "K3Y" not in faults[0]


def test_names() -> None:
    assert _faults("a b") == ["feed.a b: expected a name of letters, digits, _, - and ."]


def test_plain_sockets_at_tokyo_and_on_loopback() -> None:
    for url in ("ws://tokyo.treeofalpha.com:5124", "ws://127.0.0.1:9/x", "ws://[::1]:9/x"):
        assert _faults(url=url) == []


def test_the_shipped_feeds_and_a_fault_in_a_file(tmp_path: Path) -> None:
    room = Room(tmp_path)
    feeds = room.load().feed
    assert {feed.format for feed in feeds.values()} == set(FEED_FORMATS)
    room.add("mine.toml", '[feed.tokyo]\nauth = "bearer"\nping_s = 0\n')
    assert room.faults() == [
        "feed.tokyo.ping_s: expected 1 to 300",
        "feed.tokyo.auth: expected none or login with this format, not 'bearer'",
    ]


@given(st.text(max_size=30), st.text(max_size=12), st.text(max_size=12), st.integers())
def test_no_words_raise(url: str, hold_open: str, auth: str, number: int) -> None:
    for format_ in (*FEED_FORMATS, auth):
        _faults(
            format=format_, url=url, hold_open=hold_open, auth=auth, key_env=auth, ping_s=number
        )
