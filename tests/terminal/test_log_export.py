"""``logs`` beyond the ring: older records from the file, exports, and no daemon at all."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from terminal_kit import CTL, FakeDaemon, ctl, environment

from lowcap.core.logplaces import all_paths
from lowcap.terminal.logstore import file_rows, log_files, row_of_entry
from lowcap.terminal.render import render
from lowcap.terminal.table import Style

Json = dict[str, Any]
HOSTILE = "x\x1b[2J\u202e\r\nFORGED"


def _row(number: int, **more: Any) -> Json:
    row = {
        "cursor": f"a-{number}", "at": f"2026-02-06T13:30:{number:02}.000Z", "level": "info",
        "area": "orders", "log": "placements", "kind": "order.entry", "text": f"record {number}",
        "trace": 7, "feed": "tokyo", "trigger": "elon_btc", "folder": "twitter_elon",
        "symbol": "BTCUSDT", "mode": "dry", "message_id": "0" * 32, "fields": {"SIDE": "BUY"},
    }  # fmt: skip
    return row | more


OLD = [
    _row(1, level="error", text=HOSTILE, area="system", log="errors", kind="alarm"),
    _row(2, area="feeds", log="connections", kind="feed.up"),
    _row(3, area="signals", log="detections", kind="signal.raised"),
]
RING = [OLD[-1], *(_row(number) for number in range(4, 8))]  # the third is in both


class Log:
    """A daemon whose ring begins at record 3, with a log file that goes back to 1."""

    def __init__(self, folder: Path, fake: FakeDaemon) -> None:
        self.folder = folder
        self.file = folder / "lowcapd.jsonl"
        self.fake = fake
        lines = [json.dumps(row) for row in OLD]
        self.file.with_name("lowcapd.jsonl.1").write_text("\n".join(lines[:1]) + "\n")
        self.file.write_text("\n".join(["{torn", *lines[1:], "[]", '{"at": 5}']) + "\n")
        fake.answers["logs"] = self._answer

    def _answer(self, params: Json) -> Json:
        if params.get("action") == "stats":
            return {"value": {
                "records": 9, "kept": 5, "oldest": RING[0]["at"], "to": "stderr",
                "file": str(self.file),
            }}  # fmt: skip
        after = str(params.get("after") or "0-0")
        number = int(after.partition("-")[2])
        return {"value": [row for row in RING if int(row["cursor"][2:]) > number]}

    def ask(self, *words: str, code: int = 0) -> str:
        done = ctl(self.folder, "--socket", str(self.folder / "c.sock"), *words)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    fake = FakeDaemon(tmp_path / "c.sock")
    yield Log(tmp_path, fake)
    fake.close()


def _cursors(text: str) -> list[str]:
    return [json.loads(line)["cursor"] for line in text.splitlines()]


def test_what_is_older_than_the_ring_comes_from_the_file(log: Log) -> None:
    since = ("logs", "--since", "2026-02-06T13:30:00Z")
    assert _cursors(log.ask(*since, "-o", "json")) == [f"a-{n}" for n in range(1, 8)]
    assert _cursors(log.ask(*since, "--json", "-n", "2")) == ["a-6", "a-7"]
    later = log.ask("logs", "--since", "2026-02-06T13:30:04Z", "--json")
    assert _cursors(later) == [f"a-{n}" for n in range(3, 8)]  # the fake filters nothing
    lines = log.ask(*since).splitlines()
    assert len(lines) == 7
    assert "FORGED" in lines[0]
    assert not any(c in "".join(lines) for c in "\x1b\u202e\r")


def test_an_export_holds_everything(log: Log) -> None:
    target = log.folder / "out.log"
    assert log.ask("logs", "export", "-o", str(target)) == f"7 records to {target}\n"
    lines = target.read_text().splitlines()
    assert lines[1] == "2026-02-06T13:30:02.000Z INFO     feed.up trace=7 record 2"
    assert len(lines) == 7
    assert "is there already" in log.ask("logs", "export", "-o", str(target), code=2)
    log.ask("logs", "export", "-o", str(target), "--format", "json", "--yes")
    assert _cursors(target.read_text()) == [f"a-{n}" for n in range(1, 8)]
    assert json.loads(target.read_text().splitlines()[0])["text"] == HOSTILE


@pytest.mark.parametrize(
    "words",
    [("export",), ("export", "-o", "x", "--tree", "y"), ("export", "-o", "x", "--format", "xml"),
     ("-o", "xml"), ("--since", "soon")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(log: Log, words: tuple[str, ...]) -> None:
    assert "hint: " in log.ask("logs", *words, code=2)
    assert not (log.folder / "x").exists()


def test_a_tree_has_every_file_and_each_record_in_its_own(log: Log) -> None:
    tree = log.folder / "tree"
    done = json.loads(log.ask("logs", "export", "--tree", str(tree), "--json"))
    assert done == {"folder": str(tree), "records": 7, "files": len(all_paths())}
    found = sorted(str(p.relative_to(tree)) for p in tree.rglob("*.log"))
    assert found == sorted(all_paths())
    read = {name: (tree / name).read_text().splitlines() for name in found}
    assert len(read["orders/placements.log"]) == 4
    assert "FORGED" in read["general/errors.log"][0]
    assert read["websockets/tokyo/connections.log"] == read["websockets/tokyo/tokyo.log"]
    assert len(read["signals/twitter_elon/detections.log"]) == 1
    assert read["trading/pnl.log"] == []
    assert "is there already" in log.ask("logs", "export", "--tree", str(tree), code=2)


def test_without_a_daemon_the_file_is_read(log: Log) -> None:
    log.fake.close()
    (log.folder / "c.sock").unlink()
    state = {"STATE_DIRECTORY": str(log.folder)}
    socket = ("--socket", str(log.folder / "c.sock"))
    done = ctl(log.folder, *socket, "logs", "--json", env=state)
    assert (done.returncode, _cursors(done.stdout)) == (0, ["a-1", "a-2", "a-3"])
    assert "no daemon answers; this is from " in done.stderr
    done = ctl(log.folder, *socket, "logs", "--errors", "-o", "full", env=state)
    assert "cursor=a-1" in done.stdout
    assert "SIDE=BUY" in done.stdout


def test_the_line_for_journalctl_needs_no_daemon(tmp_path: Path) -> None:
    done = ctl(tmp_path, "logs", "--journalctl", "-p", "warning", "--feed", "a b", "-f")
    assert done.stdout == (
        "journalctl --namespace=lowcap --identifier=lowcapd --follow --priority=warning "
        "--output=short-iso 'LOWCAP_FEED=a b'\n"
    )


def test_following_in_full_goes_on_where_the_past_ends(log: Log) -> None:
    words = ("--socket", str(log.folder / "c.sock"), "logs", "-f", "-o", "full", "-n", "2")
    with subprocess.Popen(
        [*CTL, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(log.folder),
    ) as child:  # fmt: skip
        assert child.stdout is not None
        shown: list[str] = []
        for line in child.stdout:
            if "cursor=" in line:
                shown.append(line.strip())
            if shown == ["cursor=a-6", "cursor=a-7"] and "message_id" in line:
                _until_asked(log, {"follow": True, "after": "a-7", "count": 500})
                log.fake.push(_row(8, text=HOSTILE))
            if shown[-1:] == ["cursor=a-8"]:
                break
        child.terminate()
        child.communicate(timeout=20)
    assert shown == ["cursor=a-6", "cursor=a-7", "cursor=a-8"]


def _until_asked(log: Log, params: Json) -> None:
    for _ in range(400):
        if ("logs", params) in log.fake.asked:
            time.sleep(0.05)  # the reply goes first
            return
        time.sleep(0.02)
    raise AssertionError(log.fake.asked)


def test_torn_and_foreign_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "lowcapd.jsonl"
    path.write_bytes(
        b"\xff\n" + b"[" * 100_000 + b"\n" + json.dumps(_row(1) | {"fields": 5}).encode()
    )
    (row,) = file_rows(log_files(path))
    assert row["fields"] == {}


def test_an_entry_of_the_journal_is_a_row() -> None:
    entry = {
        "__REALTIME_TIMESTAMP": "1770384600123456", "PRIORITY": "3", "MESSAGE": "it broke\nTrace",
        "LOWCAP_AREA": "orders", "LOWCAP_KIND": "order.rejected", "LOWCAP_TRACE": "7",
        "SIDE": ["BUY", "SELL"], "REASON": [255, 104, 105], "_UID": "0", "EMPTY": None,
    }  # fmt: skip
    row = row_of_entry(entry)
    assert (row["at"], row["level"], row["text"]) == (
        "2026-02-06T13:30:00.123Z", "error", "it broke",
    )  # fmt: skip
    assert (row["area"], row["kind"], row["trace"], row["feed"]) == (
        "orders", "order.rejected", 7, "",
    )  # fmt: skip
    assert row["fields"] == {
        "SIDE": "BUY", "REASON": "\ufffdhi", "EMPTY": "", "TRACEBACK": "Trace",
    }  # fmt: skip
    with pytest.raises(ValueError, match="without a time"):
        row_of_entry({"MESSAGE": "x"})


def test_a_record_in_full_is_explained() -> None:
    shown = _row(1) | {"subject": "An entry", "meaning": "It is sent.\n\nWhat to do: nothing."}
    lines = render("logs show", shown, Style(False), 80)
    assert lines[-5:] == ["An entry", "", "It is sent.", "", "What to do: nothing."]
    assert any("symbol=BTCUSDT" in line for line in lines)
