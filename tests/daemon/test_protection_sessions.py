"""Positions in a rough market: some of the sessions that ``make protection`` plays by hundreds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.long.protection import run_session


@pytest.mark.parametrize("seed", [*range(1, 9), 106, 109, 138, 156])
def test_there_is_always_a_stop_and_all_adds_up(tmp_path: Path, seed: int) -> None:
    session = run_session(tmp_path, seed)
    assert session.entries
    assert session.faults == []
