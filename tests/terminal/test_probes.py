"""Yes or no by exit code, and waiting, against a fake daemon and a real one."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from terminal_kit import CTL, Daemon, FakeDaemon, ctl, environment

Json = dict[str, Any]
FINE: Json = {
    "mode": "live", "armed": True, "recovered": True, "holds": [], "positions": 0,
    "unprotected": 0, "unknown_orders": 0, "open_orders": 0, "venue": {"order_socket": "up"},
    "feeds": [{"name": "tokyo", "state": "up", "why": ""},
              {"name": "bwe", "state": "off", "why": "switched off"}],
    "ledger": {"fault": ""},
}  # fmt: skip
DOWN = [{"name": "tokyo", "state": "down", "why": "no route"}]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeDaemon]:
    made = FakeDaemon(tmp_path / "c.sock")
    made.answers["status"] = {"value": FINE}
    yield made
    made.close()


def _ask(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return ctl(tmp_path, "--socket", str(tmp_path / "c.sock"), *words)


def _hold(who: str) -> Json:
    return {"holds": [{"name": "h", "state": "HALTED", "reason": "r", "who": who}]}


@pytest.mark.parametrize(
    ("probe", "changed", "code"),
    [
        ("is-armed", {}, 0),
        ("is-armed", {"armed": False}, 3),
        ("is-flat", {}, 0),
        ("is-flat", {"positions": 1}, 3),
        ("is-flat", {"open_orders": 1}, 3),
        ("is-flat", {"unknown_orders": 1}, 3),
        ("is-flat", {"recovered": False}, 3),
        ("is-healthy", {}, 0),
        ("is-healthy", _hold("uid 1000"), 0),
        ("is-healthy", _hold("auto"), 3),
        ("is-healthy", _hold("risk"), 3),
        ("is-healthy", {"feeds": DOWN}, 3),
        ("is-healthy", {"recovered": False}, 3),
        ("is-healthy", {"unprotected": 1}, 3),
        ("is-healthy", {"unknown_orders": 2}, 3),
        ("is-healthy", {"ledger": {"fault": "disk full"}}, 3),
    ],
)
def test_a_probe_says_yes_or_no_and_nothing_else(
    tmp_path: Path, fake: FakeDaemon, probe: str, changed: Json, code: int
) -> None:
    fake.answers["status"] = {"value": FINE | changed}
    done = _ask(tmp_path, probe)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    done = _ask(tmp_path, probe, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told[probe.removeprefix("is-")]) == (code, not code)
    assert bool(told["why"]) is bool(code)


@pytest.mark.parametrize("probe", ["is-armed", "is-flat", "is-healthy"])
def test_no_daemon_is_no(tmp_path: Path, probe: str) -> None:
    done = _ask(tmp_path, probe)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def test_a_probe_without_an_answer_is_no_yes_and_no_no(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.fail("status", "permission", "not yours")
    assert _ask(tmp_path, "is-flat").returncode == 5
    fake.fail("status", "starting", "the daemon is still starting")
    assert _ask(tmp_path, "is-flat").returncode == 3
    del fake.answers["status"]
    assert _ask(tmp_path, "is-flat", "--timeout", "0.2").returncode == 6


@pytest.mark.parametrize(
    ("words", "before", "after"),
    [
        (("ready",), {"recovered": False}, {}),
        (("ready",), {"venue": {"order_socket": "down"}}, {}),
        (("flat",), {"positions": 2}, {}),
        (("feed", "tokyo"), {"feeds": DOWN}, {}),
        (("feed", "tokyo"), {"feeds": DOWN}, {"feeds": [DOWN[0] | {"state": "stale"}]}),
    ],
)
def test_waiting_ends_when_it_has_come(
    tmp_path: Path, fake: FakeDaemon, words: tuple[str, ...], before: Json, after: Json
) -> None:
    fake.answers["status"] = {"value": FINE | before}
    done = _ask(tmp_path, "wait", *words, "--timeout", "0.3")
    assert done.returncode == 6
    assert done.stderr.startswith(f"error: wait {' '.join(words)}: ")
    child = subprocess.Popen(
        [*CTL, "--socket", str(tmp_path / "c.sock"), "wait", *words, "--timeout", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path),
    )  # fmt: skip
    asked = len(fake.asked)
    while len(fake.asked) < asked + 2:
        assert child.poll() is None
        time.sleep(0.01)
    fake.answers["status"] = {"value": FINE | after}
    assert child.communicate(timeout=20) == (b"", b"")
    assert child.returncode == 0


def test_waiting_for_an_order(tmp_path: Path, fake: FakeDaemon) -> None:
    row = {"client_id": "lcd-1-2-e", "status": "working", "reason": ""}
    fake.answers["orders"] = {"value": [row]}
    assert _ask(tmp_path, "wait", "order", "lcd-1-2-e", "--timeout", "0.3").returncode == 6
    assert fake.asked[-1] == ("orders", {"id": "lcd-1-2-e"})
    fake.answers["orders"] = {"value": [row | {"status": "filled"}]}
    assert _ask(tmp_path, "wait", "order", "lcd-1-2-e").returncode == 0
    fake.answers["orders"] = {"value": [row | {"status": "rejected", "reason": "-2019 margin"}]}
    done = _ask(tmp_path, "wait", "order", "lcd-1-2-e")
    assert done.returncode == 1
    assert "rejected: -2019 margin" in done.stderr
    fake.answers["orders"] = {"value": []}
    assert _ask(tmp_path, "wait", "order", "nobody").returncode == 1


@pytest.mark.parametrize("words", [("feed",), ("order",), ("ready", "x"), ("rain",), ()])
def test_waiting_for_what_is_not_there(
    tmp_path: Path, fake: FakeDaemon, words: tuple[str, ...]
) -> None:
    assert _ask(tmp_path, "wait", *words).returncode == 2
    done = _ask(tmp_path, "wait", "feed", "nope")
    assert (done.returncode, "tokyo, bwe" in done.stderr) == (2, True)


def test_waiting_outlasts_a_daemon_that_is_not_there_yet(tmp_path: Path) -> None:
    assert _ask(tmp_path, "wait", "ready", "--timeout", "0.3").returncode == 6
    child = subprocess.Popen(
        [*CTL, "--socket", str(tmp_path / "c.sock"), "wait", "ready"],
        stderr=subprocess.PIPE, env=environment(tmp_path),
    )  # fmt: skip
    first = FakeDaemon(tmp_path / "c.sock")
    first.answers["status"] = {"value": FINE | {"recovered": False}}
    while len(first.asked) < 2:
        assert child.poll() is None
        time.sleep(0.01)
    first.close()
    (tmp_path / "c.sock").unlink()
    second = FakeDaemon(tmp_path / "c.sock")
    try:
        second.answers["status"] = {"value": FINE}
        assert child.communicate(timeout=20)[1] == b""
        assert child.returncode == 0
    finally:
        second.close()


def test_ctrl_c_ends_the_waiting(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["status"] = {"value": FINE | {"positions": 1}}
    child = subprocess.Popen(
        [*CTL, "--socket", str(tmp_path / "c.sock"), "wait", "flat"],
        stderr=subprocess.DEVNULL, env=environment(tmp_path),
    )  # fmt: skip
    while not fake.asked:
        time.sleep(0.01)
    child.send_signal(2)
    assert child.wait(10) == 130


# -- a table of exit codes against a real daemon in dry mode ------------------------------


def test_a_day_of_probes(daemon: Daemon) -> None:
    """In order: what is asked, and the exit code that is due."""
    table = (
        ("wait ready --timeout 30", 0),
        ("is-armed", 0),
        ("is-flat", 0),
        ("is-healthy", 3),  # its feeds point at a closed port
        ("wait feed tokyo --timeout 0.5", 6),
        ("trade BTC long --usd 1000 --yes", 0),
        ("is-flat", 3),
        ("wait flat --timeout 0.5", 6),
        ("close BTC", 10),
        ("pause", 0),
        ("trade BTC long --usd 1000 --yes", 4),
        ("resume", 0),
        ("close BTC --yes", 0),
        ("wait flat", 0),
        ("is-flat", 0),
        ("orders --closed --rejected", 2),
        ("positions --format {nothing}", 0),  # there is no row that could lack it
        ("status --format {nothing}", 2),
        ("help nothing", 2),
        ("-i ../x status", 2),
        ("--socket /nowhere/c.sock status", 3),
        ("--socket /nowhere/c.sock halt", 3),
    )
    for line, code in table:
        words = line.split()
        elsewhere = words[0] in ("-i", "--socket")
        done = ctl(daemon.folder, *words) if elsewhere else daemon.ctl(*words)
        assert done.returncode == code, (line, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
