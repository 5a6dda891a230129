"""Hostile clients on the control socket: trading and stopping go on, memory stays."""

from __future__ import annotations

import trio

from tests.long.control_storm import play


def test_halts_are_heard_and_news_trades_through_a_storm() -> None:
    told = trio.run(play, 60, 1_000, 4)
    assert "trades meanwhile" in told
