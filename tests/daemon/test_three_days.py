"""Some hours of random trading, twice; the long form is ``python -m tests.long.three_days``."""

from __future__ import annotations

from pathlib import Path

from tests.long.three_days import play


def test_hours_of_trading_lose_nothing_and_are_the_same_twice(tmp_path: Path) -> None:
    first, counts = play(tmp_path / "one", 3, seed=5)
    second, _ = play(tmp_path / "two", 3, seed=5)
    assert counts["fills"] > 5
    assert first == second
