"""Alerts of a real daemon by a program of the operator's, switched from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tomli_w
from terminal_kit import Daemon

PROGRAM = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"


def _told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_sink_from_the_file_to_the_last_word(tmp_path: Path) -> None:
    daemon, out = Daemon(tmp_path), tmp_path / "told.jsonl"
    sinks = {
        "mine": {"kind": "exec", "enabled": True,
                 "command": [sys.executable, "-c", PROGRAM, str(out)]},
        "broken": {"kind": "exec", "enabled": True, "command": ["/nowhere/at/all"]},
    }  # fmt: skip
    overlay = tmp_path / "config.d" / "alerts.toml"
    overlay.write_text(tomli_w.dumps({"notify": {"sink": sinks}}))
    daemon.start()
    try:
        done = daemon.ctl("notify", "send", "over\x1b[2J to you")
        assert done.returncode == 1, "one of two did not take it"
        assert "mine\tsent" in done.stdout.splitlines()
        assert "/nowhere/at/all: No such file or directory" in done.stdout
        assert "alert sink broken is dead" in daemon.ctl("status").stdout
        assert daemon.ctl("notify", "test", "mine").returncode == 0
        rows = {row["name"]: row for row in json.loads(daemon.ctl("notify", "--json").stdout)}
        assert (rows["mine"]["state"], rows["broken"]["state"]) == ("up", "dead")
        overlay.write_text(tomli_w.dumps({"notify": {"sink": {"mine": sinks["mine"]}}}))
        assert daemon.ctl("reload").returncode == 0
        names = [row["name"] for row in json.loads(daemon.ctl("notify", "--json").stdout)]
        assert "broken" not in names
        assert daemon.ctl("notify", "disable", "mine").returncode == 0
        assert daemon.ctl("notify", "test", "mine").returncode == 1
        assert daemon.ctl("notify", "enable", "mine").returncode == 0
    finally:
        assert daemon.stop() == 0
    told = _told(out)
    words = next(each for each in told if each["event"] == "message")
    assert words["text"].startswith("over\\u001b[2J to you (uid ")
    assert told[0]["event"] == "daemon.started"
    assert "daemon.stopped" in [each["event"] for each in told[-2:]], "the last record is told too"
