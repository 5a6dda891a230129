"""``lowcapctl`` without a daemon, with one that misbehaves, and how quickly it is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal_kit import CTL, EVENT, FakeDaemon, ctl, environment

from lowcap import __version__

PROCESS_TIME_S_MAX = 0.100
HOSTILE = "\x1b]0;owned\x07 \u202eevil\u2066 \x9b2J \x7f한국\r\nsecond"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeDaemon]:
    made = FakeDaemon(tmp_path / "c.sock")
    yield made
    made.close()


def _ask(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return ctl(tmp_path, "--socket", str(tmp_path / "c.sock"), *words)


def test_without_a_daemon_each_place_is_named(tmp_path: Path) -> None:
    done = ctl(tmp_path, "status", env={"XDG_RUNTIME_DIR": "/x/run", "TMPDIR": str(tmp_path)})
    assert done.returncode == 3
    for place in ("/x/run/lowcap/control.sock", "/run/lowcap/control.sock", "lowcap-"):
        assert place in done.stderr
    assert "hint: systemctl start lowcapd" in done.stderr
    done = ctl(tmp_path, "panic", "--yes", "--json", env={"LOWCAP_SOCKET": "/nope"})
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "unreachable"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("halted", 4),
        ("paused", 4),
        ("disarmed", 4),
        ("refused", 4),
        ("mode", 4),
        ("permission", 5),
        ("timeout", 6),
        ("unknown-outcome", 6),
        ("partial", 7),
        ("confirm", 10),
        ("usage", 2),
        ("internal", 1),
        ("not-found", 1),
    ],
)
def test_codes_of_the_daemon_become_exit_codes(
    tmp_path: Path, fake: FakeDaemon, code: str, exit_code: int
) -> None:
    fake.fail("panic", code, f"why {HOSTILE}", f"hint {HOSTILE}")
    done = _ask(tmp_path, "panic", "--yes")
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert len(done.stderr.splitlines()) == 2
    assert all(line.isprintable() for line in done.stderr.splitlines())
    done = _ask(tmp_path, "panic", "--yes", "--json")
    assert done.returncode == exit_code
    assert json.loads(done.stdout)["error"]["message"] == f"why {HOSTILE}"
    assert all(line.isprintable() for line in done.stdout.splitlines())


def test_no_answer_in_time(tmp_path: Path, fake: FakeDaemon) -> None:
    done = _ask(tmp_path, "--timeout", "0.2", "halt")
    assert done.returncode == 6
    assert "outcome unknown" in done.stderr
    assert _ask(tmp_path, "--timeout", "-1", "halt").returncode == 2
    assert _ask(tmp_path, "--timeout", "nan", "halt").returncode == 2
    fake.answers["halt"] = {"value": {"state": "HALTED"}}
    assert _ask(tmp_path, "--timeout", "0", "halt").returncode == 0


def test_zero_is_a_number_that_was_typed(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["close"] = {"value": {"symbol": "X", "closed_qty": "0", "left_qty": "1"}}
    _ask(tmp_path, "close", "X", "--pct", "0", "--yes")
    assert fake.asked[-1] == ("close", {"symbol": "X", "pct": 0.0, "confirm": True})


def test_events_of_a_hostile_world(tmp_path: Path, fake: FakeDaemon) -> None:
    event = EVENT | {"text": f"NEWS {HOSTILE}", "body": {"headline": HOSTILE}}
    fake.answers["events"] = {"value": [event]}
    for words in (["events"], ["events", "--json"], ["--color", "never", "events", "-n", "1"]):
        done = _ask(tmp_path, *words)
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 1
        assert done.stdout.rstrip("\n").isprintable()
    assert json.loads(_ask(tmp_path, "events", "--json").stdout) == event


def test_rows_of_a_hostile_world(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["triggers"] = {"value": [{"id": HOSTILE + "\t", "on": True}, {"id": None}]}
    lines = _ask(tmp_path, "triggers").stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.count("\t") == 5
        assert line.replace("\t", "").isprintable()


def test_a_daemon_that_ends_the_session_while_it_is_followed(
    tmp_path: Path, fake: FakeDaemon
) -> None:
    child = subprocess.Popen(
        [*CTL, "--socket", str(tmp_path / "c.sock"), "events", "-f"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path),
    )  # fmt: skip
    assert child.stdout is not None
    while not fake.asked:
        time.sleep(0.01)
    time.sleep(0.1)
    fake.push(EVENT)
    assert "FILL entry" in child.stdout.readline()
    fake.close()
    _, complaint = child.communicate(timeout=10)
    assert child.returncode == 3
    assert "closed the connection" in complaint


def test_ctrl_c_is_130(tmp_path: Path, fake: FakeDaemon) -> None:
    child = subprocess.Popen(
        [*CTL, "--socket", str(tmp_path / "c.sock"), "halt"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path),
    )  # fmt: skip
    while not fake.asked:
        time.sleep(0.01)
    child.send_signal(2)
    _, complaint = child.communicate(timeout=10)
    assert child.returncode == 130
    assert b"Traceback" not in complaint


@pytest.mark.parametrize("columns", ["abc", "-5", "0", "99999999", ""])
def test_odd_widths_from_outside(tmp_path: Path, fake: FakeDaemon, columns: str) -> None:
    fake.answers["version"] = {"value": {"daemon": __version__}}
    done = ctl(tmp_path, "--socket", str(tmp_path / "c.sock"), "version", env={"COLUMNS": columns})
    assert (done.returncode, done.stderr) == (0, "")


# -- being there at once -----------------------------------------------------------


def _process_time_s(*words: str) -> float:
    best_s = 9.0
    for _ in range(5):
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0
        best_s = min(best_s, usage.ru_utime + usage.ru_stime)
    return best_s


def test_a_one_liner_takes_less_than_a_tenth_of_a_second(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["version"] = {"value": {"daemon": "1"}}
    bare_s = _process_time_s(sys.executable, "-c", "pass")
    ours_s = _process_time_s(*CTL, "--socket", str(tmp_path / "c.sock"), "version")
    slow_machine = max(1.0, bare_s / 0.015)  # a bare interpreter takes 10 to 15 ms
    assert bare_s < ours_s < PROCESS_TIME_S_MAX * slow_machine


def test_panic_direct_asks_first_and_says_when_there_is_no_venue(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('mode = "dry"\n')
    env = {"LOWCAP_CONFIG": str(config)}
    words = ("--socket", str(tmp_path / "c.sock"), "panic", "--direct")
    done = ctl(tmp_path, *words, env=env)
    assert done.returncode == 10
    assert "hint: type FLATTEN to go on, or use --yes" in done.stderr
    assert not (tmp_path / "stop").exists(), "nothing is done before it is confirmed"
    done = ctl(tmp_path, *words, "--yes", env=env)
    assert done.returncode == 3
    assert "built-in exchange" in done.stderr
    assert "--socket" in done.stderr


def test_one_liners_load_no_heavy_library(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["panic"] = {"fault": ("partial", "not flat yet", "")}
    code = (
        "import sys\n"
        "from lowcap.terminal.main import call\n"
        "code = call(sys.argv[1:])\n"
        "heavy = {'trio', 'httpx', 'prompt_toolkit', 'loguru', 'asyncio', 'cattrs', 'rich'}\n"
        "print(code, sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--socket", str(tmp_path / "c.sock"), "panic", "--yes"],
        capture_output=True, text=True, timeout=20, check=False, env=environment(tmp_path),
    )  # fmt: skip
    assert done.stdout == "7 []\n", done.stderr
