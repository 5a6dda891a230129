"""The fault matrix in small: every fault at one step, the worst ones at every step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.long.fault_matrix import FAULTS, STEPS, run_cell

EVERYWHERE = (
    "request lost",
    "reply lost",
    "503 unknown, executed",
    "reply lost, queries lag 4 s",
    "reply lost, events dropped",
)
CELLS = sorted(
    {(fault, list(STEPS)[number % len(STEPS)]) for number, fault in enumerate(FAULTS)}
    | {(fault, step) for fault in EVERYWHERE for step in STEPS}
)


@pytest.mark.parametrize(("fault", "step"), CELLS)
def test_every_promise_is_kept(tmp_path: Path, fault: str, step: str) -> None:
    cell = run_cell(tmp_path, fault, step)
    assert cell.struck or fault == "none", "the fault had no chance"
    assert cell.faults() == []
