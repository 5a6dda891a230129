"""``logs`` against a real daemon: what it tells of itself, and taking it away."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from terminal_kit import Daemon

from lowcap.core.logplaces import all_paths
from lowcap.log_commands import catalog

Json = dict[str, Any]


def _rows(daemon: Daemon, *words: str) -> list[Json]:
    done = daemon.ctl("logs", *words, "--json")
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_change_is_told_with_its_command_line(daemon: Daemon) -> None:
    reason = "lunch\x1b[2J"
    assert daemon.ctl("pause", "--reason", reason).returncode == 0
    assert daemon.ctl("panic").returncode == 10
    assert daemon.ctl("resume", "--reason", "back").returncode == 0
    rows = [row for row in _rows(daemon, "--area", "control") if row["kind"] != "command.received"]
    pause, panic, resume = rows[-3:]
    assert [row["kind"] for row in rows[-3:]] == ["command.done", "command.refused", "command.done"]
    assert pause["fields"]["PEER_UID"] == str(os.geteuid())
    assert int(pause["fields"]["PEER_PID"]) > 1
    assert "pause --reason lunch\\u001b[2J" in pause["fields"]["PEER_CMDLINE"]
    assert "pause --reason lunch" in pause["text"]
    assert 0 < float(pause["fields"]["TOOK_MS"]) < 10_000
    assert (panic["fields"]["EXIT"], panic["fields"]["REASON"]) == ("10", "confirm")
    assert resume["fields"]["EXIT"] == "0"


def test_one_record_is_explained(daemon: Daemon) -> None:
    row = _rows(daemon, "-n", "500", "--grep", "STARTED")[0]
    assert row["kind"] == "daemon.started"
    shown = json.loads(daemon.ctl("logs", "show", row["cursor"], "--json").stdout)
    entry = catalog()[row["message_id"]]
    assert (shown["subject"], shown["meaning"]) == (entry.subject, entry.text)
    assert {**shown, **row} == shown
    assert entry.subject in daemon.ctl("logs", "show", row["cursor"]).stdout
    done = daemon.ctl("logs", "show", "0-0")
    assert done.returncode == 1
    assert "hint: " in done.stderr


def test_counts_and_rates(daemon: Daemon) -> None:
    stats = json.loads(daemon.ctl("logs", "stats", "--json").stdout)
    assert stats["records"] == sum(stats["by_level"].values()) == sum(stats["by_area"].values())
    assert stats["dropped"] == 0
    assert (stats["to"], stats["file"]) == ("stderr", str(daemon.folder / "state/lowcapd.jsonl"))
    assert "records since the start" in daemon.ctl("logs", "stats").stdout


def test_the_file_says_what_the_ring_says(daemon: Daemon) -> None:
    path = daemon.folder / "state/lowcapd.jsonl"
    assert path.stat().st_mode & 0o077 == 0
    rows = _rows(daemon, "-n", "500")
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert written[: len(rows)] == rows


def test_everything_can_be_taken_away(daemon: Daemon, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    assert daemon.ctl("logs", "export", "--tree", str(tree)).returncode == 0
    assert all((tree / name).exists() for name in all_paths())
    assert "STARTED" in (tree / "general/startup.log").read_text()
    assert (tree / "websockets/bwe/connections.log").read_text()
    target = tmp_path / "one.log"
    daemon.ctl("logs", "export", "-o", str(target), "--since", "-1h", "--area", "system")
    text = target.read_text()
    assert "daemon.started" in text
    assert "feed." not in text


def test_the_filters(daemon: Daemon) -> None:
    assert {row["feed"] for row in _rows(daemon, "--feed", "bwe")} == {"bwe"}
    assert {row["area"] for row in _rows(daemon, "--area", "feeds")} == {"feeds"}
    assert len(_rows(daemon, "--since", "-1h", "-n", "3")) == 3
    assert "daemon.started" in {row["kind"] for row in _rows(daemon, "--since", "-1h")}
    assert _rows(daemon, "--until", "-1h") == []
    assert {row["level"] for row in _rows(daemon, "--errors")} <= {"error", "critical"}
    full = daemon.ctl("logs", "-n", "1", "-o", "full").stdout
    assert "cursor=" in full
    assert "CODE_FUNC=read" in full
    assert daemon.ctl("logs", "--area", "garden").returncode == 2
