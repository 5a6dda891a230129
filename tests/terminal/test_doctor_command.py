"""``lowcapctl doctor`` as a process: beside a daemon, without one, and with a broken file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doctor_kit import canned_venue
from terminal_kit import ctl

from tests.long.rig import running, wait_ready, write_config

QUIET: dict[str, Any] = {}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("d")
    config = write_config(folder, QUIET)
    with running(folder, "daemon", "run", "--config", str(config)):
        wait_ready(folder)
        yield folder


def _doctor(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    socket, config = str(folder / "c.sock"), str(folder / "config.toml")
    env = {"SYSTEMD_UNIT_PATH": str(folder)}
    return ctl(folder, "--socket", socket, "doctor", "--config", config, *words, env=env)


def _rows(done: subprocess.CompletedProcess[str]) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {}
    for row in json.loads(done.stdout)["findings"]:
        rows.setdefault(row["name"], []).append(row)
    return rows


def test_beside_a_daemon_everything_is_looked_at(ground: Path) -> None:
    done = _doctor(ground, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = _rows(done)
    assert set(rows) >= {
        *("daemon", "config", "clock", "key", "dns", "limits", "disk", "files"),
        *("groups", "socket", "python", "locale", "journal", "unit"),
    }
    assert rows["daemon"][0]["text"].startswith("dry ACTIVE, up ")
    assert len(rows["clock"]) >= 2  # the daemon's word, and our own
    assert rows["key"][0]["text"].startswith("the built-in exchange's key works")
    assert "the daemon (process " in rows["limits"][0]["text"]
    assert rows["limits"][0]["figures"]["core_bytes"] == 0
    assert str(ground / "state") in rows["disk"][0]["text"]
    assert not any("api_secret" in str(row) for row in rows.values())


def test_in_a_pipe_a_line_each_with_level_first(ground: Path) -> None:
    lines = _doctor(ground).stdout.splitlines()
    assert {line.split("\t")[0] for line in lines} <= {"ok", "warn"}
    assert all(line.split("\t")[1] for line in lines)


def test_without_a_daemon_the_rest_is_looked_at(tmp_path: Path) -> None:
    write_config(tmp_path, QUIET)
    done = _doctor(tmp_path, "--json")
    assert done.returncode == 0, done.stdout
    rows = _rows(done)
    assert rows["daemon"][0]["level"] == "warn"
    assert rows["venue"][0]["text"] == "the built-in exchange, inside the daemon"


def test_every_fault_of_the_configuration_is_a_finding(tmp_path: Path) -> None:
    write_config(tmp_path, {"leverage": {"max": 0}, "order": {"collar_pct": 9}})
    done = _doctor(tmp_path, "--json")
    assert done.returncode == 1
    told = [row["text"] for row in _rows(done)["config"]]
    assert any("leverage.max" in text for text in told)
    assert any("order.collar_pct" in text for text in told)
    assert "Traceback" not in done.stderr


def test_a_venue_can_be_asked_without_its_daemon(tmp_path: Path) -> None:
    with canned_venue() as (url, canned):
        canned.offset_ms = 900
        keys = tmp_path / "keys"
        keys.mkdir()
        for name in ("api-key", "api-secret"):
            (keys / name).write_text("x")
            (keys / name).chmod(0o600)
        urls = {"rest_url": url, "ws_api_url": "ws://127.0.0.1:9", "stream_url": "ws://127.0.0.1:9"}
        exchange = urls | {"credentials_dir": str(keys)}
        write_config(tmp_path, {"mode": "testnet", "exchange": exchange})
        # The places to try are those of a machine without a daemon, and one more.
        done = _doctor(tmp_path, "--json")
        assert done.returncode == 1
        rows = _rows(done)
        assert rows["clock"][0]["level"] == "FAIL"
        assert rows["clock"][0]["figures"]["offset_ms"] > 800


def test_it_loads_no_loop_and_no_library_for_http() -> None:
    code = (
        "import sys, lowcap.doctor.checkup\n"
        "print([m for m in ('trio', 'httpx', 'prompt_toolkit', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
