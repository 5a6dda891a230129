"""What ``logs`` is asked for: times, filters, and the same question to journalctl."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.control.logquery import (
    LEVELS,
    journalctl_words,
    keep_logs,
    moment_of,
    output_of,
    rank_of,
    stamp,
)
from lowcap.core.errors import CommandError

NOW = datetime(2026, 2, 6, 13, 30, 5, 123_000, tzinfo=UTC)
Json = dict[str, Any]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("-30m", "2026-02-06T13:00:05.123Z"),
        ("2h", "2026-02-06T11:30:05.123Z"),
        ("90s ago", "2026-02-06T13:28:35.123Z"),
        ("3 d", "2026-02-03T13:30:05.123Z"),
        ("now", "2026-02-06T13:30:05.123Z"),
        ("Today", "2026-02-06T00:00:00.000Z"),
        ("yesterday", "2026-02-05T00:00:00.000Z"),
        ("8:25", "2026-02-06T08:25:00.000Z"),
        ("08:25:30", "2026-02-06T08:25:30.000Z"),
        ("2026-02-01", "2026-02-01T00:00:00.000Z"),
        ("2026-02-01 10:00", "2026-02-01T10:00:00.000Z"),
        ("2026-02-01T10:00:00+09:00", "2026-02-01T01:00:00.000Z"),
        (" 2026-02-06T13:29:50.5Z ", "2026-02-06T13:29:50.500Z"),
    ],
)
def test_times_as_people_write_them(text: str, wanted: str) -> None:
    assert stamp(moment_of(text, NOW)) == wanted


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "-1w", "9" * 400 + "d", "2026-13-01", "999999d"]
)
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(CommandError, match="is no time"):
        moment_of(text, NOW)


def _row(**more: Any) -> Json:
    row = {
        "at": "2026-02-06T13:30:00.000Z", "level": "warning", "area": "orders", "text": "A Stop(",
        "feed": "tokyo", "trigger": "elon_btc", "trace": 7,
    }  # fmt: skip
    return row | more


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({}, True),
        ({"priority": "WARNING"}, True),
        ({"priority": "error"}, False),
        ({"errors": True}, False),
        ({"errors": True, "priority": "critical"}, False),
        ({"grep": "stop("}, True),
        ({"grep": "stop)"}, False),
        ({"since": "-10s"}, True),
        ({"since": "-1s"}, False),
        ({"until": "-5s"}, True),
        ({"until": "-6s"}, False),
        ({"area": "orders", "feed": "tokyo", "trigger": "elon_btc", "trace": 7}, True),
        ({"area": "feeds"}, False),
        ({"feed": "bwe"}, False),
        ({"trigger": "s1_trust"}, False),
        ({"trace": "8"}, False),
    ],
)
def test_a_filter_keeps_what_was_asked_for(params: Json, kept: bool) -> None:
    assert keep_logs(params, NOW)(_row()) is kept


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"priority": "loud"}, "no such level"),
        ({"area": "garden"}, "no such area"),
        ({"since": "soon"}, "is no time"),
        ({"until": "later"}, "is no time"),
        ({"trace": "x"}, "no trace number"),
    ],
)
def test_what_does_not_exist_is_named(params: Json, said: str) -> None:
    with pytest.raises(CommandError, match=said) as caught:
        keep_logs(params, NOW)
    assert caught.value.hint
    with pytest.raises(CommandError, match=said):
        journalctl_words(params, NOW)


def test_outputs() -> None:
    assert output_of({}) == "short"
    with pytest.raises(CommandError, match="no such output") as caught:
        output_of({"output": "xml"})
    assert "full" in caught.value.hint


@given(st.sampled_from(LEVELS), st.sampled_from(LEVELS))
def test_a_level_keeps_itself_and_worse(asked: str, level: str) -> None:
    kept = keep_logs({"priority": asked}, NOW)(_row(level=level))
    assert kept == (LEVELS.index(level) >= LEVELS.index(asked))
    assert rank_of("odd") == rank_of("info")


def test_the_same_question_to_journalctl() -> None:
    params = {
        "follow": True, "count": 50, "priority": "error", "grep": "it's (1)", "since": "-30s",
        "output": "full", "area": "orders", "feed": "tokyo", "trigger": "elon_btc", "trace": 7,
    }  # fmt: skip
    assert journalctl_words(params, NOW) == [
        "journalctl", "--namespace=lowcap", "--identifier=lowcapd", "--follow", "--lines=50",
        "--priority=err", r"--grep=it's\ \(1\)", "--case-sensitive=no",
        "--since=2026-02-06 13:29:35 UTC", "--output=verbose", "LOWCAP_AREA=orders",
        "LOWCAP_FEED=tokyo", "LOWCAP_TRIGGER=elon_btc", "LOWCAP_TRACE=7",
    ]  # fmt: skip
    shown = journalctl_words({"action": "show", "cursor": "a-1"}, NOW)
    assert shown[-3:] == ["--output=verbose", "--catalog", "LOWCAP_CURSOR=a-1"]


@given(st.text(), st.text())
def test_no_word_becomes_another_option(grep: str, feed: str) -> None:
    params = {"grep": grep, "feed": feed, "count": 5}
    words = journalctl_words(params, NOW)
    assert shlex.split(shlex.join(words)) == words
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert options <= {
        "--namespace", "--identifier", "--lines", "--grep", "--case-sensitive", "--output",
    }  # fmt: skip


@given(
    st.timedeltas(timedelta(0), timedelta(days=900)),
    st.timedeltas(timedelta(0), timedelta(days=900)),
)
def test_stamps_sort_as_times_do(one: timedelta, two: timedelta) -> None:
    first, second = stamp(NOW - one), stamp(NOW - two)
    assert (first < second) <= (NOW - one < NOW - two)
    assert len(first) == len(second) == 24
