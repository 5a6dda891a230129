"""``config`` as operators type it, against a daemon that is a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowcap.control.commands import ADMIN, BY_NAME, TRADE, VIEW
from lowcap.core.errors import LowcapError
from lowcap.core.facts import CommandReceived, ConfigReloaded
from tests.long.rig import FEEDS, call, ledger_records, running, wait_ready, write_config

LOWER = "[limits]\nopen_positions_max = 3\n"
NO_FEEDS = {"feed": {name: {"enabled": False} for name in FEEDS}}


def ctl(folder: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lowcap.terminal.main", "--socket", str(folder / "c.sock"), *words],
        input=given, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip


def wait_until(condition: Callable[[], bool], within_s: float = 30) -> None:
    give_up_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.05)


def shown(folder: Path, key: str) -> dict[str, Any]:
    (row,) = json.loads(ctl(folder, "config", "show", key, "--json").stdout)
    return dict(row)


def test_an_apply_without_confirm_reverts_and_a_crash_leaves_the_files(tmp_path: Path) -> None:
    config = write_config(tmp_path, NO_FEEDS)
    overlays = sorted((tmp_path / "config.d").iterdir())
    new = tmp_path / "new.toml"
    new.write_text(LOWER)
    key = "limits.open_positions_max"
    with running(tmp_path, "first", "run", "--config", str(config)) as daemon:
        wait_ready(tmp_path)
        began_s = time.monotonic()
        done = ctl(tmp_path, "config", "apply", str(new), "--confirm-within", "5s")
        assert done.returncode == 0, done.stderr
        assert "limits.open_positions_max: 20 -> 3" in done.stdout
        assert "reverts by itself at" in done.stdout
        assert shown(tmp_path, key)["value"] == "3"
        assert "config confirm" in ctl(tmp_path, "status").stdout
        wait_until(lambda: shown(tmp_path, key)["value"] == "20")
        assert time.monotonic() - began_s >= 4
        late = ctl(tmp_path, "config", "confirm")
        assert (late.returncode, late.stderr.splitlines()[0]) == (
            1,
            "error: no apply waits for a confirmation",
        )
        assert ctl(tmp_path, "config", "apply", str(new)).returncode == 0
        assert ctl(tmp_path, "config", "apply", str(new)).returncode == 4
        daemon.kill()
    assert sorted((tmp_path / "config.d").iterdir()) == overlays, "nothing unconfirmed is written"
    with running(tmp_path, "second", "run", "--config", str(config)):
        wait_ready(tmp_path)
        assert shown(tmp_path, key)["value"] == "20"
        assert call(tmp_path, "status")["config"]["unsaved"] == 0
        assert ctl(tmp_path, "config", "apply", str(new)).returncode == 0
        done = ctl(tmp_path, "config", "confirm", "--persist")
        assert "confirmed: 1 settings stay" in done.stdout
    with running(tmp_path, "third", "run", "--config", str(config)):
        wait_ready(tmp_path)
        row = shown(tmp_path, key)
        assert (row["value"], row["origin"]) == ("3", "config.d/90-runtime.toml")
    found = [r.body for r in ledger_records(tmp_path) if isinstance(r.body, ConfigReloaded)]
    assert [f.how for f in found] == ["apply", "revert", "apply", "apply", "persist"]
    assert found[0].who.startswith(f"uid {os.getuid()} pid ")


def test_a_bad_reload_says_every_fault_and_changes_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path, NO_FEEDS)
    bad = tmp_path / "config.d" / "60.toml"
    with running(tmp_path, "daemon", "run", "--config", str(config)) as daemon:
        wait_ready(tmp_path)
        before = ctl(tmp_path, "config", "export").stdout
        bad.write_text('[order]\ncollar_pct = "x"\nretries_max = 9\nspeed = 1\n')
        faults = (
            "order.collar_pct: expected a number, not 'x'",
            "order.retries_max: expected 0 to 2",
            "order: unknown key speed",
        )
        for words in (("reload",), ("config", "reload"), ("config", "diff")):
            done = ctl(tmp_path, *words)
            assert (done.returncode, done.stdout) == (1, "")
            assert all(fault in done.stderr for fault in faults)
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: all(fault in daemon.log.read_text() for fault in faults))
        checked = ctl(tmp_path, "config", "check")
        assert checked.returncode == 1
        assert "(config.d/60.toml, line 3)" in checked.stdout
        offline = subprocess.run(
            [sys.executable, "-m", "lowcap", "check", str(config)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert offline.returncode == 78
        told = [line.removeprefix("error: ") for line in offline.stderr.splitlines()[:-1]]
        rows = json.loads(ctl(tmp_path, "config", "check", "--json").stdout)["faults"]
        assert told == [row["told"] for row in rows], "the same faults in the same words"
        assert ctl(tmp_path, "config", "export").stdout == before
        bad.write_text("[order]\ncollar_pct = 1.25\n")
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: shown(tmp_path, "order.collar_pct")["value"] == "1.25")
    (found,) = [r.body for r in ledger_records(tmp_path) if isinstance(r.body, ConfigReloaded)]
    assert (found.how, found.who) == ("reload", "SIGHUP")


def test_what_is_exported_is_a_configuration_that_changes_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path, NO_FEEDS)
    with running(tmp_path, "daemon", "run", "--config", str(config)):
        wait_ready(tmp_path)
        assert ctl(tmp_path, "config", "set", "sizing.scale", "0.10").returncode == 0
        out = ctl(tmp_path, "config", "export")
        (tmp_path / "out.toml").write_text(out.stdout)
        checked = ctl(tmp_path, "config", "check", str(tmp_path / "out.toml"))
        assert (checked.returncode, checked.stdout) == (0, "FILE: fine\n")
        done = ctl(tmp_path, "config", "apply", str(tmp_path / "out.toml"), "--json")
        assert json.loads(done.stdout)["changes"] == []
        assert "scale = 0.10\n" in out.stdout
        as_json = ctl(tmp_path, "config", "export", "--format", "json").stdout
        assert json.loads(as_json)["sizing"]["scale"] == 0.1
        (tmp_path / "empty.toml").write_text("")
        for words in (("apply",), ("apply", str(tmp_path / "empty.toml")), ("apply", "/no/where")):
            assert ctl(tmp_path, "config", *words).returncode == 2
        assert ctl(tmp_path, "config", "set", "shutdown.positions", "flatten").returncode == 4
        missing = ctl(tmp_path, "config", "show", "order.colar_pct")
        assert "hint: did you mean order.collar_pct?" in missing.stderr


def test_operators_at_the_same_time(tmp_path: Path) -> None:
    config = write_config(tmp_path, NO_FEEDS)
    with running(tmp_path, "daemon", "run", "--config", str(config)):
        wait_ready(tmp_path)
        outcomes: list[str] = []

        def operator(action: str, **params: Any) -> None:
            for _ in range(25):
                try:
                    call(tmp_path, "config", action=action, **params)
                    outcomes.append(action)
                except LowcapError as error:
                    outcomes.append(error.code)

        each = [
            threading.Thread(target=operator, args=("apply",), kwargs={"what": LOWER}),
            threading.Thread(target=operator, args=("apply",), kwargs={"what": LOWER}),
            threading.Thread(target=operator, args=("confirm",)),
            threading.Thread(target=operator, args=("undo",)),
            threading.Thread(
                target=operator, args=("set",),
                kwargs={"what": "limits.open_positions_max", "value": "7"},
            ),
        ]  # fmt: skip
        for thread in each:
            thread.start()
        for thread in each:
            thread.join(60)
        assert len(outcomes) == 125
        assert set(outcomes) <= {"apply", "confirm", "undo", "set", "refused", "not-found"}
        if call(tmp_path, "status")["config"]["confirm_until"]:
            call(tmp_path, "config", action="undo")
        assert shown(tmp_path, "limits.open_positions_max")["value"] in ("3", "7", "20")
    found = [r.body for r in ledger_records(tmp_path) if isinstance(r.body, CommandReceived)]
    assert sum(fact.method == "config" for fact in found) >= 125


@pytest.mark.parametrize("action", ["set", "unset", "apply", "confirm", "undo", "reload"])
def test_who_may_only_look_changes_nothing(action: str) -> None:
    assert BY_NAME["config"].role_for({"action": action}) == ADMIN
    for long in ("check", "diff"):
        assert BY_NAME["reload"].role_for({"action": long}) == TRADE
    for looking in ("show", "keys", "export"):
        assert BY_NAME["reload"].role_for({"action": looking}) == VIEW
