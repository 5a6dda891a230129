"""docs/features.md keeps its word: every command of it runs against a running dry daemon."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lowcap.config import shipped
from lowcap.control.commands import BY_NAME
from lowcap.terminal.main import call
from tests.long.rig import GUARDS_OFF, running, wait_ready, write_config
from tests.long.rig import call as ask

MORNING = shipped("captures") / "payroll-morning.jsonl"
TABLE = Path(__file__).parents[2] / "docs" / "features.md"
# Words that stand for something of the reader's, options that never end, programs for an eye.
STANDS_FOR = re.compile(r"\b(SESSION|FILE|USER|CURSOR|NAME|COMMAND)\b")
ENDLESS = {"-f", "--follow", "--watch", "--confirm-within"}
# Commands that may find something to say against this machine, or against this daemon.
MAY_FAIL = {"doctor": {1}, "unit": {1}, "health": {1}, "is-healthy": {3}}
REFUSED = {
    "explain --fastest": {1},
    "config confirm": {4},
    "notify test": {1, 4},
    "notify send": {1, 4},
}


def rows() -> list[tuple[str, str, str]]:
    """Feature, where, and how far it is."""
    found = []
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and not cells[0].startswith("---"):
            found.append((cells[0], cells[1], cells[2]))
    return found


def commands() -> Iterator[str]:
    """Every command line of the page that can be run as it stands, each once."""
    seen = set()
    for line in re.findall(r"`([^`]+)`", TABLE.read_text()):
        words = shlex.split(line)
        if words[0] not in BY_NAME and words[0] != "help":
            continue
        if STANDS_FOR.search(line) or ENDLESS & set(words) or words == ["top"]:
            continue
        if line not in seen:
            seen.add(line)
            yield line


def allowed(line: str) -> set[int]:
    """Exit codes that are no failure of the command."""
    two = " ".join(shlex.split(line)[:2])
    return {0} | MAY_FAIL.get(line.split()[0], set()) | REFUSED.get(two, set())


def test_every_row_says_how_far_it_is() -> None:
    table = rows()
    assert len(table) > 200
    for feature, where, state in table:
        if feature in ("feature", "trigger"):
            continue
        assert where, feature
        assert state.split(" ")[0].rstrip(":;,") in ("works", "declined", "missing"), feature
        if not state.startswith("works"):
            assert ":" in state, f"{feature} does not say why"


def test_every_command_of_the_table_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    place = ["--socket", str(tmp_path / "c.sock")]
    faults = []
    # A hundred panics and resumes a minute would use up what the venue allows.
    words = ("exchange", "--credentials", str(tmp_path / "keys"), "--limits-times", "100")
    with (
        running(tmp_path, "exchange", *words) as exchange,
        running(tmp_path, "feeds", "feedserver", str(MORNING)) as feeds,
    ):
        url = feeds.lines(1)["url"].removesuffix("FEED")
        tree = {
            "exchange": exchange.lines(4),
            "limits": {"day_loss_usd_max": 1_000_000, **GUARDS_OFF},
            "feed": {name: {"url": url + name} for name in ("bwe", "tokyo", "phoenix")},
        }
        config = write_config(tmp_path, tree)
        with running(tmp_path, "daemon", "run", "--config", str(config)) as daemon:
            wait_ready(tmp_path)
            for line in commands():
                _make_ready(tmp_path)
                code = call([*place, *shlex.split(line)])
                said = capsys.readouterr()
                if code not in allowed(line):
                    faults.append(f"{line}: exit {code}: {said.err.strip()[:300]}")
            assert daemon.is_running
            log = daemon.log.read_text()
    assert not faults, os.linesep.join(faults)
    assert "a bug" not in log


def _make_ready(folder: Path) -> None:
    """ACTIVE, with a position in SOL to look at."""
    if ask(folder, "status")["state"] != "ACTIVE":
        ask(folder, "resume", reason="the walk goes on")
    if "SOLUSDT" not in ask(folder, "status")["symbols"]:
        ask(folder, "trade", symbol="SOL", side="long", usd=5_000, confirm=True)
