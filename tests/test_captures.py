"""The labelled capture: every line judged alone as its label says, and enough of each kind."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from lowcap.config import load, shipped
from lowcap.paper.capture import read_capture
from lowcap.programs.detect import Judge, table_from
from lowcap.settings import Settings

PATH = shipped("captures") / "labelled.jsonl"
LINES = [line for line in PATH.read_bytes().splitlines() if line.strip()]
ROWS: list[dict[str, Any]] = [json.loads(line) for line in LINES]
EACH_MIN = 5
TRAFFIC_MIN = 15
DELAY_MS_MAX = 10_000
NOTHING = {"trigger": None, "symbols": [], "side": None}


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(shipped("config.toml"), {})[0]


def test_every_line_is_judged_as_labelled(settings: Settings) -> None:
    judge = Judge(settings, table_from(None, settings), stateless=True)
    wrong = []
    for number, (line, row) in enumerate(zip(LINES, ROWS, strict=True), start=1):
        answer = judge.line(line)
        got = {"trigger": answer.trigger, "symbols": list(answer.symbols), "side": answer.side}
        if got != row["expect"]:
            wrong.append(f"line {number} ({row['why']}): {got}, {answer.failed[:3]}")
    assert not wrong, "\n".join(wrong)


def test_every_trigger_has_examples_and_near_misses(settings: Settings) -> None:
    ids = {trigger.id for trigger in settings.trigger}
    hits = Counter(row["expect"]["trigger"] for row in ROWS if row["expect"]["trigger"])
    misses = Counter(row["near"] for row in ROWS if "near" in row)
    assert set(hits) == set(misses) == ids
    assert min(hits.values()) >= EACH_MIN
    assert min(misses.values()) >= EACH_MIN


def test_labels_are_of_one_form(settings: Settings) -> None:
    listening = {trigger.id: set(trigger.feeds) for trigger in settings.trigger}
    for row in ROWS:
        expected = row["expect"]
        assert row["why"]
        if expected["trigger"] is None:
            assert expected == NOTHING, row["why"]
            continue
        assert row["feed"] in listening[expected["trigger"]], row["why"]
        assert expected["symbols"] == sorted(set(expected["symbols"])) != [], row["why"]
        assert expected["side"] in ("BUY", "SELL"), row["why"]
        assert "near" not in row, row["why"]


def test_all_six_feeds_speak_and_there_is_traffic(settings: Settings) -> None:
    feeds = {name for name, feed in settings.feed.items() if feed.enabled}
    assert {row["feed"] for row in ROWS} == feeds
    traffic = [row for row in ROWS if row["expect"] == NOTHING and "near" not in row]
    assert len(traffic) >= TRAFFIC_MIN
    assert {row["feed"] for row in traffic} == feeds


def test_no_frame_stands_twice() -> None:
    # A heartbeat is always the same; whatever carries news is not.
    frames = Counter(str(row["frame"]) for row in ROWS if isinstance(row["frame"], dict))
    assert not [frame for frame, count in frames.items() if count > 1]


def test_it_can_be_played() -> None:
    played = read_capture([PATH])
    assert [line.t_ms for line in played] == [row["t_ms"] for row in ROWS], "not in order of time"
    assert [line.feed for line in played] == [row["feed"] for row in ROWS]


def test_lines_arrive_a_moment_after_their_frames_say() -> None:
    for row in ROWS:
        frame = row["frame"]
        own = frame.get("time", frame.get("timestamp")) if isinstance(frame, dict) else None
        if isinstance(own, int):
            own_ms = own * 1000 if "timestamp" in frame else own
            assert 0 <= row["t_ms"] - own_ms <= DELAY_MS_MAX, row["why"]
