"""The prompt as an operator meets it: typing, Ctrl-C, events, a daemon that dies, a sane end."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from repl_kit import Open
from terminal_kit import EVENT, Daemon, FakeDaemon


def test_a_session_with_a_real_daemon(daemon: Daemon, open_repl: Open) -> None:
    repl = open_repl(daemon.socket)
    repl.at_prompt()
    repl.expect("DRY │ ACTIVE │ feeds 0/")  # the toolbar
    repl.type("trig")
    repl.expect("each trigger: on or off")  # the completion menu
    repl.type("\t")
    repl.expect(lambda: repl.prompt_line().endswith("> triggers"))
    repl.type("\r")
    repl.expect("nfp_le_50k")
    repl.enter("clsoe")
    repl.expect("did you mean 'close'?")
    repl.enter("pause --for 30m --reason 'a lunch'")
    repl.expect("state: REDUCING")
    repl.expect("HOLD operator-pause: REDUCING, a lunch")  # the event, above the prompt
    repl.expect("DRY │ REDUCING │")
    repl.enter("resume")
    repl.expect("DRY │ ACTIVE │")
    repl.enter("pause 'unfinished")
    repl.expect("No closing quotation")
    repl.enter("orders -n x")
    repl.expect("hint: help orders")
    repl.enter("logs -n 500")  # a program of its own
    repl.expect("LIFTED recovery")
    repl.at_prompt()
    repl.enter("help close")
    repl.expect("close ETHUSDT --pct 50")
    repl.leave()


def test_ctrl_c_at_the_prompt_drops_the_line(daemon: Daemon, open_repl: Open) -> None:
    repl = open_repl(daemon.socket)
    repl.at_prompt()
    for _ in range(3):
        repl.type("panic --ye")
        repl.expect(lambda: repl.prompt_line().endswith("panic --ye"))
        repl.type("\x03")
        repl.at_prompt()
    repl.enter("version")
    repl.expect("protocol: 1")
    repl.leave()
    assert "HALTED" not in repl.text()


def test_a_severe_command_asks_for_the_word(daemon: Daemon, open_repl: Open) -> None:
    repl = open_repl(daemon.socket)
    repl.at_prompt()
    repl.enter("panic --direct")
    repl.expect("in a shell: lowcapctl panic --direct")
    repl.enter("panic")
    repl.expect("Type FLATTEN 0 to go on:")
    repl.enter("yes")
    repl.expect("not confirmed, nothing done")
    repl.enter("panic")
    repl.expect(lambda: repl.text().count("Type FLATTEN 0 to go on:") == 2)
    repl.type("\x03")
    repl.at_prompt()
    repl.enter("panic --reason drill")
    repl.expect(lambda: repl.text().count("Type FLATTEN 0 to go on:") == 3)
    repl.enter("FLATTEN 0")
    repl.expect("flat, verified")
    repl.expect("DRY │ HALTED")
    repl.enter("resume --reason drilled")
    repl.expect("DRY │ ACTIVE")
    repl.type("\x1b[A")  # the arrow up offers resume, not panic
    repl.expect(lambda: repl.prompt_line().endswith("resume --reason drilled"))
    repl.type("\x1b[A")
    repl.read(0.3)
    assert "panic" not in repl.prompt_line()
    repl.type("\x03")
    repl.leave()
    history = (repl.home / "xdg" / "lowcap" / "history").read_text()
    assert "resume" in history
    assert "panic" not in history
    assert "FLATTEN" not in history


def test_ctrl_c_during_a_command_cancels_only_it(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    repl.enter("halt")  # the fake never answers it
    repl.expect(lambda: any(method == "halt" for method, _ in fake.asked))
    time.sleep(0.1)
    repl.type("\x03")
    repl.expect("cancelled (what was sent may have been done)")
    repl.expect(lambda: any(method == "$/cancel" for method, _ in fake.asked))
    fake.answers["version"] = {"value": {"daemon": "9"}}
    repl.enter("version")
    repl.expect("daemon: 9")
    repl.leave()


def test_events_print_above_what_is_being_typed(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    repl.expect("!! LIVE ARMED !! │ ACTIVE │ feeds 5/6 │ pos 2 +412.80 │ 13:30:05Z")
    stop = threading.Event()

    def flood() -> None:
        for number in range(1, 60):
            fake.push(EVENT | {"seq": number, "text": f"FILL number {number} \x1b[2J\u202e"})
            if stop.wait(0.02):
                return

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        for letter in "close PEPEUSDT --pct 50":
            repl.type(letter)
            repl.read(0.02)
        repl.expect("FILL number 59")
    finally:
        stop.set()
        flooding.join()
    repl.read(0.3)
    assert repl.prompt_line() == "lowcap LIVE ARMED> close PEPEUSDT --pct 50"
    lines = repl.lines()
    for number in range(1, 60):
        assert sum(f"FILL number {number} " in line for line in lines) == 1, number
    assert "\\u001b[2J\\u202e" in repl.text()
    assert repl.toolbar_colour() == "red"  # live and armed
    repl.type("\x03")
    repl.leave()


def test_keys_count_while_events_print(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    stop = threading.Event()

    def flood() -> None:
        number = 0
        while not stop.wait(0.002):
            number += 1
            try:
                fake.push(EVENT | {"seq": number, "text": f"FILL number {number}"})
            except OSError:
                return  # it has left; had it left too early, the prompt below would be missed

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        for _ in range(12):
            repl.type("panic --ye")
            repl.expect(lambda: repl.prompt_line().endswith("> panic --ye"))
            repl.type("\x03")
            repl.at_prompt("LIVE ARMED")
        shown = repl.text()  # before the kit prints the terminal's settings, which name ^C
        repl.leave()
    finally:
        stop.set()
        flooding.join()
    assert "^C" not in shown  # the terminal itself never took a key


def test_completion_offers_open_positions(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    repl.type("close pe")
    repl.expect("open position")
    repl.type("\t")
    repl.expect(lambda: repl.prompt_line().endswith("close PEPEUSDT"))
    repl.type("\x03")
    repl.leave()


def test_the_daemons_death_and_return(
    tmp_path: Path, open_repl: Open, tmp_path_factory: pytest.TempPathFactory
) -> None:
    daemon = Daemon(tmp_path_factory.mktemp("k"))
    try:
        daemon.start()
        repl = open_repl(daemon.socket)
        repl.at_prompt()
        daemon.stop(signal.SIGKILL)
        repl.expect("daemon lost, retrying in ")
        repl.enter("status")
        repl.expect("error: daemon lost")
        daemon.start()
        repl.expect("DRY │ ACTIVE")
        repl.at_prompt()
        repl.enter("version")
        repl.expect("protocol: 1")
        assert daemon.stop() == 0
        repl.expect("daemon lost, retrying in ")
        repl.type("\x04")
        repl.left_with(0)
        assert "Traceback" not in repl.text()
    finally:
        daemon.stop()


def test_a_command_in_flight_when_the_daemon_dies(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    repl.enter("halt")
    repl.expect(lambda: any(method == "halt" for method, _ in fake.asked))
    fake.close()
    repl.expect("the daemon hung up, outcome unknown")
    repl.expect("daemon lost, retrying in ")
    repl.leave()


@pytest.mark.parametrize("reason", ["busy", "permission"])
def test_a_refusal_at_the_door_is_shown(tmp_path: Path, open_repl: Open, reason: str) -> None:
    import socket

    from lowcap.control.protocol import encode, error

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "n.sock"))
        listening.listen(4)

        def refuse() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(encode(error(None, reason, f"no entry: {reason}")))

        thread = threading.Thread(target=refuse)
        thread.start()
        repl = open_repl(tmp_path / "n.sock")
        repl.expect(f"no entry: {reason}")
        repl.at_prompt("?")
        repl.type("\x04")
        repl.left_with(0)
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_terminal_that_does_not_tell_its_cursor(daemon: Daemon, open_repl: Open) -> None:
    """The kit's terminal answers no question, and ``left_with`` sees that none was asked."""
    repl = open_repl(daemon.socket)
    repl.at_prompt()
    repl.expect("DRY │ ACTIVE │ feeds 0/")
    repl.type("vers")
    repl.expect("daemon and client versions")
    repl.type("\t")
    repl.expect(lambda: repl.prompt_line().endswith("> version"))
    repl.type("\r")
    repl.expect("protocol: 1")
    repl.leave()


def test_no_daemon_at_all(tmp_path: Path, open_repl: Open) -> None:
    repl = open_repl(tmp_path / "none.sock")
    repl.expect("hint: lowcapd run")
    repl.at_prompt("?")
    repl.enter("panic")
    repl.expect("error: daemon lost")
    repl.enter("quit")
    repl.left_with(0)


def test_a_resize_is_followed(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    repl.type("status")
    repl.child.setwinsize(20, 60)
    repl.screen.resize(20, 60)
    repl.read(0.4)
    repl.type("\r")
    repl.expect("wallet 1.00")
    fake.push(EVENT | {"text": "word " * 40})
    repl.expect(lambda: repl.text().count("word") == 40)
    repl.at_prompt("LIVE ARMED")
    repl.leave()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open, number: signal.Signals
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    repl.type("half a li")
    repl.read(0.2)
    os.kill(repl.repl_pid(), number)
    repl.left_with(128 + number)
