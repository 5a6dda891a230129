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


# What the daemon cannot do yet; each names the promise that it breaks.
NOT_YET = {
    "half-open order socket": "orders keep going into a connection that no longer answers",
    "half-open everything": "orders keep going into a connection that no longer answers",
    "filter change": "a close is not rounded to the new step",
}


def _cell(fault: str, step: str) -> object:
    why = NOT_YET.get(fault) if step != "entry" else None
    marks = [pytest.mark.xfail(reason=why, strict=False)] if why else []
    return pytest.param(fault, step, marks=marks)


@pytest.mark.parametrize(("fault", "step"), [_cell(fault, step) for fault, step in CELLS])
def test_every_promise_is_kept(tmp_path: Path, fault: str, step: str) -> None:
    cell = run_cell(tmp_path, fault, step)
    assert cell.struck or fault == "none", "the fault had no chance"
    assert cell.faults() == []
