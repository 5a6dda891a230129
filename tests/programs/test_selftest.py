"""lowcapd selftest: it proves a trade from frame to flat, and says so when there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PROVED = ["frame", "entry", "stop", "ladder", "closed", "flat", "ledger"]


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_sound_installation_proves_each_step() -> None:
    done = _run("-m", "lowcap", "selftest")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("ok ")] == PROVED
    assert lines[-1].startswith("7 of 7 held, ")
    assert max(map(len, lines)) <= 80
    value = json.loads(_run("-m", "lowcap", "selftest", "--json").stdout)
    assert value["ok"]
    entry = value["findings"][1]
    assert entry["text"].startswith("SELL 124.357 ETHUSDT filled at 2412.")
    assert 0 < entry["figures"]["own_work_us"] < 1_000_000


SABOTAGE = """
import sys
from decimal import Decimal
import attrs
import lowcap.programs.selftest as selftest
{how}
sys.exit(selftest.selftest_program(as_json=True))
"""
NO_TRIGGER = """
load = selftest.load
def without(path, environ):
    settings, digest = load(path, environ)
    return attrs.evolve(settings, trigger=()), digest
selftest.load = without
"""
TOO_LARGE = NO_TRIGGER.replace(
    "trigger=()", "limits=attrs.evolve(settings.limits, open_positions_max=0)"
)
TORN = """
replay = selftest.replay
def torn(folder, fold, repair):
    path = sorted(folder.glob("*.log"))[-1]
    path.write_bytes(path.read_bytes()[:-9])
    return replay(folder, fold, repair=repair)
selftest.replay = torn
"""


@pytest.mark.parametrize(
    ("how", "failed", "said"),
    [
        ("selftest.BEYOND_STOP = selftest.BEFORE", "closed", "did not execute the stop"),
        (NO_TRIGGER, "frame", "no signal"),
        (TOO_LARGE, "entry", "not filled: open-positions"),
        ("selftest.STOP_WITHIN_MS = -1", "stop", "after the fill"),
        ("selftest.GIVE_UP_S = 1", "daemon", "it did not get through"),
        (TORN, "ledger", "not whole"),
    ],
)
def test_what_does_not_hold_is_named(how: str, failed: str, said: str) -> None:
    done = _run("-c", SABOTAGE.format(how=how))
    assert done.returncode == 1, done.stderr
    value: Any = json.loads(done.stdout)
    assert not value["ok"]
    wrong = {row["name"]: row["text"] for row in value["findings"] if row["level"] == "FAIL"}
    assert said in wrong[failed], wrong
