"""All six feeds through a short scripted day; the long one is ``make feed-day``."""

from __future__ import annotations

from pathlib import Path

from tests.long.feed_day import STORIES, run_day


def test_a_tenth_of_a_day_of_every_feed(tmp_path: Path) -> None:
    expected, rows = run_day(tmp_path, 0.1)
    assert len(expected) == sum(len(stories) for stories in STORIES.values())
    connects = {row["name"]: row["connects"] for row in rows}
    assert all(connects[feed] >= 4 for feed in STORIES), connects
    assert all(row["faults"] > 0 for row in rows if row["name"] in STORIES)
