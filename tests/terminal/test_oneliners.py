"""What holds for every one-liner: where options stand, forms of output, watching, scripts."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest
from terminal_kit import CTL, EVENT, Daemon, FakeDaemon, ctl, environment

from lowcap import __version__
from lowcap.control.client import CallFailed, socket_candidates
from lowcap.terminal.script import commands_in

Json = dict[str, Any]
ROWS = [
    {"id": "elon_btc", "on": True, "side": "BUY", "matcher": "phrases", "tier": "macro",
     "signals": 3, "feeds": ["tokyo"], "why_off": ""},
    {"id": "nfp", "on": False, "side": "SELL", "matcher": "payroll", "tier": "macro",
     "signals": 0, "feeds": [], "why_off": "noise"},
]  # fmt: skip


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeDaemon]:
    made = FakeDaemon(tmp_path / "c.sock")
    made.answers["triggers"] = {"value": ROWS}
    yield made
    made.close()


def _ask(tmp_path: Path, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return ctl(tmp_path, "--socket", str(tmp_path / "c.sock"), *words, **more)


# -- options and forms --------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        (("--json",), None),
        (("--csv",), "id,on,side,matcher,tier,signals"),
        (("--header",), "id\ton\tside\tmatcher\ttier\tsignals"),
        (("--format", "{id} {feeds}"), 'elon_btc ["tokyo"]'),
        (("--color", "always"), "elon_btc\tTrue\tBUY\tphrases\tmacro\t3"),
    ],
)
def test_options_stand_before_the_command_or_after_it(
    tmp_path: Path, fake: FakeDaemon, option: tuple[str, ...], shown: str | None
) -> None:
    before, after = _ask(tmp_path, *option, "triggers"), _ask(tmp_path, "triggers", *option)
    assert before.stdout == after.stdout
    assert (before.returncode, before.stderr) == (after.returncode, after.stderr) == (0, "")
    if shown is None:
        assert json.loads(before.stdout) == ROWS
    else:
        assert before.stdout.splitlines()[0] == shown
    elsewhere = ctl(tmp_path, "triggers", "--socket", str(tmp_path / "c.sock"), *option)
    assert elsewhere.stdout == before.stdout


def test_timeout_and_yes_after_the_command(tmp_path: Path, fake: FakeDaemon) -> None:
    assert _ask(tmp_path, "halt", "--timeout", "0.2").returncode == 6
    assert _ask(tmp_path, "--timeout", "60", "halt", "--timeout", "0.2").returncode == 6
    fake.answers["panic"] = {"value": {"reads": 2, "took_ms": 1, "cancelled": 0, "closes": 0,
                                       "state": "HALTED"}}  # fmt: skip
    for words in (("--yes", "panic"), ("panic", "-y")):
        assert _ask(tmp_path, *words).returncode == 0
        assert fake.asked[-1] == ("panic", {"confirm": True})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("triggers", "--json", "--csv"), "--json, --csv and --format"),
        (("--json", "triggers", "--format", "{id}"), "--json, --csv and --format"),
        (("triggers", "-i", "b"), "--socket and --instance"),
        (("triggers", "--format", "{price}"), "no key 'price'"),
        (("triggers", "--format", "{id"), "--format"),
        (("triggers", "--watch", "0"), "--watch"),
        (("triggers", "--watch", "nan"), "no number of seconds"),
        (("triggers", "--timeout", "nan"), "no number of seconds"),
        (("halt", "--watch", "1"), "not repeated"),
        (("feed", "enable", "bwe", "--watch", "1"), "not repeated"),
        (("events", "-f", "--watch", "1"), "goes on by itself"),
        (("-c", "triggers", "status"), "not both"),
        (("-c", "triggers; halt 'x"), "No closing quotation"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(
    tmp_path: Path, fake: FakeDaemon, words: tuple[str, ...], told: str
) -> None:
    done = _ask(tmp_path, *words)
    assert done.returncode == 2
    assert told in done.stderr or told in done.stdout
    assert done.stderr.count("error: ") <= 1
    assert all(method in ("triggers", "events") for method, _ in fake.asked)


def test_a_stream_in_every_form(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["events"] = {"value": [EVENT]}
    assert json.loads(_ask(tmp_path, "events", "--json").stdout) == EVENT
    assert _ask(tmp_path, "events", "--format", "{seq} {kind}").stdout == "41 Filled\n"
    assert _ask(tmp_path, "events", "--csv").stdout.splitlines() == [
        "seq,at,kind,text",
        f"41,{EVENT['at']},Filled,{EVENT['text']}",
    ]
    child = subprocess.Popen(
        [*CTL, "--socket", str(tmp_path / "c.sock"), "events", "-f", "--csv"],
        stdout=subprocess.PIPE, text=True, env=environment(tmp_path),
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "seq,at,kind,text\n"
    assert child.stdout.readline().startswith("41,")
    fake.push(EVENT | {"seq": 42})
    assert child.stdout.readline().startswith("42,")
    fake.close()
    assert child.wait(10) == 3
    child.stdout.close()


def test_an_object_in_every_form(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["disarm"] = {"value": {"state": "ACTIVE", "day": {"n": 1}}}
    assert _ask(tmp_path, "disarm", "--csv").stdout == "state,day.n\nACTIVE,1\n"
    assert _ask(tmp_path, "disarm", "--format", "{state}:{day.n}").stdout == "ACTIVE:1\n"


def test_a_report_that_is_not_well_is_exit_code_1(tmp_path: Path, fake: FakeDaemon) -> None:
    for ok, code in ((True, 0), (False, 1)):
        fake.answers["status"] = {"value": {"ok": ok}}
        assert _ask(tmp_path, "status", "--json").returncode == code


def test_a_reply_of_another_version_is_told_as_such(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["triggers"] = {"value": [{"id": "x"}]}
    done = _ask(tmp_path, "--color", "always", "triggers", "--format", "{id}")
    assert done.stdout == "x\n"
    fake.answers["disarm"] = fake.answers["status"] = {"value": {"mode": "dry"}}
    done = _ask(tmp_path, "status")
    assert (done.returncode, done.stdout) == (1, "")
    assert "lacks 'own_work_us'" in done.stderr
    assert "lowcapctl version" in done.stderr


def test_versions_that_differ_are_warned_of(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["version"] = {"value": {"daemon": "0.0.7", "protocol": 1}}
    done = _ask(tmp_path, "version", "--json")
    assert json.loads(done.stdout) == {
        "client": __version__, "daemon": "0.0.7", "protocol": 1, "same": False
    }  # fmt: skip
    assert done.returncode == 0
    assert done.stderr.startswith("warning: the daemon is 0.0.7, this client ")
    fake.answers["version"] = {"value": {"daemon": __version__}}
    assert _ask(tmp_path, "version").stderr == ""


# -- which daemon ---------------------------------------------------------------------


def test_an_instance_is_looked_for_in_its_runtime_folder() -> None:
    assert socket_candidates("", {}, "b2") == [Path("/run/lowcap-b2/control.sock")]
    places = socket_candidates("", {"XDG_RUNTIME_DIR": "/x", "LOWCAP_SOCKET": "/y"}, "test.net_1")
    assert places == [
        Path("/x/lowcap-test.net_1/control.sock"),
        Path("/run/lowcap-test.net_1/control.sock"),
    ]
    for name in ("../x", "a/b", "..", "a b", "é", "a\0"):
        with pytest.raises(CallFailed):
            socket_candidates("", {}, name)


def test_an_instance_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "lowcap-b"
    folder.mkdir()
    fake = FakeDaemon(folder / "control.sock")
    try:
        fake.answers["triggers"] = {"value": ROWS}
        env = {"XDG_RUNTIME_DIR": str(tmp_path)}
        for words in (("-i", "b", "triggers"), ("triggers", "--instance", "b")):
            assert ctl(tmp_path, *words, env=env).stdout.count("\n") == 2
        assert ctl(tmp_path, "-i", "c", "triggers", env=env).returncode == 3
        assert ctl(tmp_path, "-i", "../b", "triggers", env=env).returncode == 2
    finally:
        fake.close()


# -- watching -------------------------------------------------------------------------


def _watching(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CTL, "--socket", str(tmp_path / "c.sock"), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (("--json",), [json.dumps(ROWS)] * 3),
        (("--format", "{id}"), ["elon_btc", "nfp"] * 2),
        (("--csv",), ["id,on,side,matcher,tier,signals", *["elon", "nfp"] * 2]),
        ((), ["elon", "nfp", "", "elon", "nfp", "", "elon"]),
    ],
    ids=["json", "format", "csv", "tabs"],
)
def test_watching_in_a_pipe_goes_on_until_ctrl_c(
    tmp_path: Path, fake: FakeDaemon, form: tuple[str, ...], expected: list[str]
) -> None:
    child = _watching(tmp_path, "triggers", "--watch", "0.5", *form)
    assert child.stdout is not None
    for wanted in expected:
        line = child.stdout.readline().rstrip("\n")
        assert line.startswith(wanted) if wanted else line == ""
    child.send_signal(2)
    _, complaint = child.communicate(timeout=10)
    assert (child.returncode, complaint.strip()) == (130, "")


def test_watching_in_a_pipe_ends_with_the_daemon(tmp_path: Path, fake: FakeDaemon) -> None:
    child = _watching(tmp_path, "--watch", "0.5", "triggers")
    assert child.stdout is not None
    child.stdout.readline()
    fake.close()
    _, complaint = child.communicate(timeout=10)
    assert child.returncode == 3
    assert complaint.startswith("error: ")


@pytest.mark.parametrize("columns", [44, 80])
def test_watching_on_a_terminal_draws_over_itself(
    tmp_path: Path, fake: FakeDaemon, columns: int
) -> None:
    asked = iter(range(1_000))
    many = ["x" * 60] * 30

    def answer(params: Json) -> Json:
        row = ROWS[0] | {"id": f"round{next(asked)}"}
        return {"value": [row, *(ROWS[1] | {"id": name} for name in many)]}

    fake.answers["triggers"] = answer
    screen = pyte.Screen(columns, 10)
    stream = pyte.ByteStream(screen)
    words = [*CTL[1:], "--socket", str(tmp_path / "c.sock"), "triggers", "--watch", "0.5"]
    child = pexpect.spawn(
        CTL[0], words, dimensions=(10, columns), env=environment(tmp_path, TERM="xterm"), timeout=20
    )

    def until(wanted: str) -> None:
        give_up_s = time.monotonic() + 20
        while not any(wanted in line for line in screen.display):
            assert time.monotonic() < give_up_s, screen.display
            try:
                stream.feed(child.read_nonblocking(65_536, 0.1))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                raise AssertionError(screen.display) from None

    try:
        until("round0 ")
        until("round2 ")
        assert "every 0.5 s: triggers" in screen.display[0]
        assert not any("round0 " in line or "round1 " in line for line in screen.display)
        assert "more lines)" in screen.display[-2]
        fake.close()
        (tmp_path / "c.sock").unlink()
        until("daemon lost")
        again = FakeDaemon(tmp_path / "c.sock")
        again.answers["triggers"] = {"value": [ROWS[0] | {"id": "anew"}]}
        until("anew")
        again.close()
        child.send("\x03")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 130
    finally:
        child.close(force=True)


# -- scripts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("status", [["status"]]),
        ("status; positions ;", [["status"], ["positions"]]),
        (';; pause --reason "a; b" # c; d', [["pause", "--reason", "a; b"]]),
        (r"try a\;b 'c;d' ''", [["try", "a;b", "c;d", ""]]),
        ('try "it\'s #1"; x', [["try", "it's #1"], ["x"]]),
        ("# nothing", []),
        ("", []),
    ],
)
def test_a_line_is_cut_into_commands(line: str, commands: list[list[str]]) -> None:
    assert list(commands_in(line)) == commands


def test_a_script_hands_its_options_down(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["disarm"] = {"value": {"state": "ACTIVE"}}
    done = _ask(tmp_path, "--format", "{state}", "-c", "disarm; disarm # ; panic", "-c", "disarm")
    assert (done.returncode, done.stdout) == (0, "ACTIVE\n" * 3)
    done = _ask(tmp_path, "--yes", "-c", "disarm\ndisarm --json")
    assert done.returncode == 0
    assert [method for method, _ in fake.asked] == ["disarm"] * 5


def test_a_script_stops_at_the_first_failure(tmp_path: Path, fake: FakeDaemon) -> None:
    fake.answers["disarm"] = {"value": {"state": "ACTIVE"}}
    fake.fail("close", "partial", "not all")
    for given in (("-c", "disarm; close --all --yes; halt"), ()):
        fake.asked.clear()
        text = "" if given else "disarm; disarm\nclose --all --yes\nhalt\n"
        done = _ask(tmp_path, *given, given=text)
        assert done.returncode == 7
        assert "halt" not in [method for method, _ in fake.asked]
    assert _ask(tmp_path, "-c", "--json").returncode == 2
    assert _ask(tmp_path, "-c", "").returncode == 0
    assert _ask(tmp_path, "-c", "-c disarm").returncode == 2 or fake.asked


# -- against a real daemon ------------------------------------------------------------


def test_orders_by_how_they_ended(daemon: Daemon) -> None:
    def orders(*words: str) -> list[Json]:
        done = daemon.ctl("orders", "--json", *words)
        assert done.returncode == 0, done.stderr
        found: list[Json] = json.loads(done.stdout)
        return found

    assert daemon.ctl("trade", "BTC", "long", "--usd", "1000", "--yes").returncode == 0
    entry = orders("--closed")[-1]
    assert (entry["status"], entry["purpose"]) == ("filled", "entry")
    assert orders("--id", entry["client_id"]) == [entry]
    assert entry in orders("--id", str(entry["order_id"]))
    assert orders("--id", "nobody") == []
    open_ones = orders("--open")
    assert {row["purpose"] for row in open_ones} == {"stop", "take-profit"}
    assert not {row["client_id"] for row in open_ones} & {
        row["client_id"] for row in orders("--closed")
    }
    assert daemon.ctl("orders", "--open", "--closed").returncode == 2
    assert daemon.ctl("pause").returncode == 0
    assert daemon.ctl("trade", "BTC", "long", "--usd", "1000", "--yes").returncode == 4
    refused = orders("--rejected")[-1]
    assert (refused["status"], refused["symbol"]) == ("refused", "BTCUSDT")
    assert "operator-pause" in refused["reason"]
    shown = daemon.ctl("orders", "--rejected", env={"COLUMNS": "120"}).stdout
    assert "refused" in shown
    assert daemon.ctl("resume").returncode == 0
    assert daemon.ctl("close", "--all", "--yes").returncode == 0


def test_who_ran_what(daemon: Daemon) -> None:
    assert daemon.ctl("pause", "--for", "1m", "--reason", "audit").returncode == 0
    assert daemon.ctl("resume").returncode == 0
    rows = [
        json.loads(line)
        for line in daemon.ctl("events", "--commands", "--since", "10m", "--json").stdout.split(
            "\n"
        )
        if line
    ]
    assert {row["kind"] for row in rows} == {"CommandReceived", "CommandDone"}
    pause = [row for row in rows if "audit" in row["body"].get("params", "")][-1]["body"]
    done = [row["body"] for row in rows if row["body"]["pid"] == pause["pid"]][-1]
    assert (done["exit"], done["method"]) == (0, "pause")
    assert "--reason audit" in done["command_line"]
    assert (pause["method"], pause["uid"]) == ("pause", os.getuid())
    header, *lines = daemon.ctl("events", "--commands", "--csv").stdout.splitlines()
    assert header.startswith("seq,at,kind,body.uid,body.pid,body.method,body.params,body.exit")
    assert sum(f",{os.getuid()},{pause['pid']},pause," in line for line in lines) == 2


def test_events_since_a_moment(daemon: Daemon) -> None:
    daemon.ctl("pause", "--reason", "since")
    daemon.ctl("resume")
    newest = json.loads(daemon.ctl("events", "-n", "1", "--json").stdout)
    for since in ("1h", "00:00", newest["at"]):
        lines = daemon.ctl("events", "--since", since, "--json").stdout.splitlines()
        assert json.loads(lines[-1])["seq"] >= newest["seq"]
    assert daemon.ctl("events", "--since", str(newest["seq"] + 10_000)).stdout == ""
    assert daemon.ctl("events", "--since", "2100-01-01T00:00:00Z").stdout == ""
    done = daemon.ctl("events", "--since", "soon")
    assert (done.returncode, "-30m" in done.stderr) == (2, True)
