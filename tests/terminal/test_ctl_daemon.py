"""Every command as a process against a real daemon in dry mode."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from terminal_kit import CTL, Daemon, environment

from lowcap.control.commands import COMMANDS
from lowcap.terminal.render import ROW_KEYS


def _json(daemon: Daemon, *words: str, code: int = 0) -> object:
    done = daemon.ctl(*words, "--json")
    assert (done.returncode, done.stderr) == (code, ""), (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("status",), 0),
        (("positions",), 0),
        (("orders",), 0),
        (("orders", "--open", "-n", "5"), 0),
        (("feeds",), 0),
        (("triggers",), 0),
        (("explain", "--last"), 1),
        (("explain", "99999999"), 1),
        (("explain", "x"), 2),
        (("pause", "--for", "30m", "--reason", "lunch"), 0),
        (("pause", "--for", "soon"), 2),
        (("resume",), 0),
        (("halt", "--reason", "test"), 0),
        (("resume",), 2),
        (("resume", "--reason", "test"), 0),
        (("panic",), 10),
        (("panic", "--yes"), 0),
        (("emergency-stop", "--yes"), 0),
        (("resume", "--reason", "again"), 0),
        (("close",), 2),
        (("close", "BTCUSDT"), 1),
        (("close", "BTC", "--pct", "0"), 2),
        (("close", "BTC", "--pct", "nan"), 2),
        (("close", "--all"), 10),
        (("close-all", "--yes"), 0),
        (("closeall", "-y"), 0),
        (("disarm",), 0),
        (("arm",), 10),
        (("arm", "--yes"), 0),
        (("pnl",), 0),
        (("pnl", "all", "--by", "day"), 0),
        (("pnl", "tomorrow"), 2),
        (("pnl", "--by", "colour"), 2),
        (("equity", "--days", "30"), 0),
        (("equity", "--days", "0"), 2),
        (("trades",), 0),
        (("trades", "export", "-n", "5"), 0),
        (("trades", "drop"), 2),
        (("version",), 0),
        (("clsoe",), 2),
        (("status", "extra"), 2),
        (("orders", "-n", "many"), 2),
        (("logs", "-p", "loud"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_exit_codes_and_one_json_document_each(
    daemon: Daemon, words: tuple[str, ...], code: int
) -> None:
    value = _json(daemon, *words, code=code)
    assert ("error" in value) is bool(code)  # type: ignore[operator]
    if code:
        fault = value["error"]  # type: ignore[index]
        assert set(fault) == {"code", "message", "hint"}
        done = daemon.ctl(*words)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith("error: ")
        assert done.stderr.endswith("\n")


def test_no_command_of_the_table_was_forgotten(daemon: Daemon) -> None:
    for command in COMMANDS:
        done = daemon.ctl(command.name, "--help")
        assert done.returncode == 0
        assert command.help[:20].lower() in done.stdout.lower()
        assert "Examples:" in done.stdout
    assert daemon.ctl("--help").returncode == 0


def test_a_typing_mistake_gets_a_suggestion(daemon: Daemon) -> None:
    done = daemon.ctl("clsoe", "PEPEUSDT")
    assert done.stderr == "error: no such command 'clsoe'\nhint: did you mean 'close'?\n"


@pytest.mark.parametrize("command", ["positions", "orders", "feeds", "triggers", "trades"])
def test_rows_are_tab_separated_in_a_pipe(daemon: Daemon, command: str) -> None:
    keys, rows = ROW_KEYS[command], _json(daemon, command)
    assert isinstance(rows, list)
    lines = daemon.ctl(command).stdout.splitlines()
    with_header = daemon.ctl("--header", command).stdout.splitlines()
    assert with_header[0].split("\t") == list(keys)
    assert len(with_header) - 1 == len(lines) == len(rows)
    for line in lines:
        assert line.count("\t") == len(keys) - 1


def test_streams_are_json_lines(daemon: Daemon) -> None:
    daemon.ctl("pause", "--reason", "x\x1b[2J\u202e한국")
    daemon.ctl("resume")
    events = [
        json.loads(line) for line in daemon.ctl("events", "-n", "20", "--json").stdout.splitlines()
    ]
    seqs = [event["seq"] for event in events]
    assert len(seqs) == 20
    assert seqs == sorted(seqs)
    assert len(daemon.ctl("events", "-n", "20").stdout.splitlines()) == 20
    holds = daemon.ctl("events", "--type", "HoldPlaced", "-n", "3")
    assert all("HOLD" in line for line in holds.stdout.splitlines())
    lines = daemon.ctl("logs", "-n", "300", "-g", "lunch", "--json").stdout.splitlines()
    assert lines
    assert all("lunch" in json.loads(line)["text"] for line in lines)
    text = daemon.ctl("logs", "-n", "200").stdout
    assert "한국" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()) <= 200  # in a pipe a record is one line, however long


def test_who_stopped_looks_like_who_stopped(daemon: Daemon) -> None:
    daemon.ctl("pause", "--for", "30m", "--reason", "lunch")
    done = daemon.ctl("status")
    assert "REDUCING" in done.stdout
    assert "lunch" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x1b[" in daemon.ctl("--color", "always", "status").stdout
    assert "\x1b[" in daemon.ctl("status", env={"FORCE_COLOR": "1"}).stdout
    quiet = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    assert "\x1b[" not in daemon.ctl("status", env=quiet).stdout
    assert "\x1b[" in daemon.ctl("status", env={"FORCE_COLOR": "1", "NO_COLOR": ""}).stdout
    assert daemon.ctl("resume").returncode == 0


def test_commands_from_standard_input_stop_at_the_first_failure(daemon: Daemon) -> None:
    script = "# a comment\nversion\n\npause --for 1m --reason 'two words'\nresume\n"
    done = daemon.ctl(given=script)
    assert done.returncode == 0, done.stderr
    assert "REDUCING" in done.stdout
    assert "ACTIVE" in done.stdout
    done = daemon.ctl(given="version\nexplain 99999999\nhalt\n")
    assert done.returncode == 1
    assert "ACTIVE" in daemon.ctl("status").stdout
    assert daemon.ctl(given="panic\n").returncode == 10
    assert daemon.ctl(given='pause --reason "unfinished\n').returncode == 2
    assert daemon.ctl(given="").returncode == 0
    done = daemon.ctl("--json", given="version\nexplain x\n")
    assert done.returncode == 2
    decoder, rest, values = json.JSONDecoder(), done.stdout.strip(), []
    while rest:
        value, end = decoder.raw_decode(rest)
        values.append(value)
        rest = rest[end:].strip()
    assert [set(value) >= {"client", "daemon", "protocol", "same"} for value in values] == [
        *(True, False)
    ]
    assert set(values[1]) == {"error"}


def test_a_reader_who_has_had_enough_is_no_error(daemon: Daemon) -> None:
    words = " ".join([*CTL, "--socket", str(daemon.socket), "events", "-n", "1000"])
    for tail in ("head -1", "true"):
        done = subprocess.run(
            ["bash", "-c", f"{words} | {tail}; exit ${{PIPESTATUS[0]}}"],
            capture_output=True, text=True, timeout=30, check=False,
            env=environment(daemon.folder),
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")


def test_following_events_ends_quietly_with_its_reader(daemon: Daemon) -> None:
    child = subprocess.Popen(
        [*CTL, "--socket", str(daemon.socket), "events", "-f", "--type", "HoldPlaced", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(daemon.folder),
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        for line in child.stdout:
            if json.loads(line)["kind"] == "HoldPlaced":
                break
        assert daemon.ctl("pause", "--reason", "followed").returncode == 0
        for line in child.stdout:
            event = json.loads(line)
            assert event["kind"] == "HoldPlaced"
            if event["body"].get("reason") == "followed":
                break
        child.stdout.close()
        daemon.ctl("resume")
        daemon.ctl("pause")
        daemon.ctl("resume")
        assert child.wait(10) == 0
        assert child.stderr.read() == b""
    finally:
        child.kill()
        child.stderr.close()
        child.wait()


def test_strange_arguments_do_not_stop_a_panic(daemon: Daemon) -> None:
    done = subprocess.run(
        [*CTL, "--socket", str(daemon.socket), "panic", "--yes", "--reason", b"caf\xe9 \x1b[2J"],
        capture_output=True, timeout=60, check=False, env=environment(daemon.folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert daemon.ctl("resume", "--reason", "test").returncode == 0


def test_a_client_that_dies_leaves_the_daemon_alone(daemon: Daemon) -> None:
    for _ in range(3):
        child = subprocess.Popen(
            [*CTL, "--socket", str(daemon.socket), "panic", "--yes"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(daemon.folder),
        )  # fmt: skip
        child.kill()
        child.wait()
    assert daemon.ctl("status").returncode == 0
    daemon.ctl("resume", "--reason", "test")


def test_a_second_daemon_is_refused(daemon: Daemon) -> None:
    done = subprocess.run(
        [CTL[0], "-m", "lowcap", "run", "--config", str(daemon.folder / "config.toml")],
        capture_output=True, text=True, timeout=30, check=False, env=environment(daemon.folder),
    )  # fmt: skip
    assert done.returncode == 75
    assert "another daemon" in done.stderr
    assert daemon.ctl("status").returncode == 0
    assert Path(daemon.socket).stat().st_uid == os.getuid()
