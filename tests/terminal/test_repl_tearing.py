"""Printing above a line that is being typed: nothing torn, no key lost, no more than is needed."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from repl_kit import Open, ReplSession
from terminal_kit import EVENT, FakeDaemon


def polls(fake: FakeDaemon) -> int:
    """How often the status was asked for."""
    return [method for method, _ in list(fake.asked)].count("status")


def after_polls(repl: ReplSession, fake: FakeDaemon, count: int) -> None:
    """The status has been asked for so many times more."""
    wanted = polls(fake) + count
    repl.expect(lambda: polls(fake) >= wanted)
    repl.read(0.1)


def test_typing_under_400_events_a_second(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")

    def flood() -> None:
        for number in range(1, 361):
            fake.push(EVENT | {"seq": number, "text": f"FILL number {number} END"})
            time.sleep(0.0025)

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        for letter in "close PEPEUSDT --pct 50":
            repl.type(letter)
            repl.read(0.02)
        repl.expect("FILL number 360 END")
    finally:
        flooding.join()
    repl.expect(lambda: repl.prompt_line() == "lowcap LIVE ARMED> close PEPEUSDT --pct 50")
    lines = repl.lines()
    told = [line.split("FILL number ")[1] for line in lines if "FILL" in line]
    assert told == [f"{number} END" for number in range(1, 361)]
    assert sum("lowcap LIVE" in line for line in lines) == 1
    repl.type("\x03")
    repl.leave()


def test_the_prompt_keeps_the_keys_while_events_print(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    """Ctrl-C that the terminal itself took would be lost, and the line would stay."""
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    repl.type("panic --ye")
    repl.expect(lambda: repl.prompt_line().endswith("> panic --ye"))
    for number in range(1, 6):
        fake.push(EVENT | {"seq": number, "text": f"FILL number {number}"})
        while f"FILL number {number}" not in repl.text():
            repl.read()
            for _ in range(20_000):
                assert not repl.terminal_takes_keys()
    repl.type("\x03")
    repl.at_prompt("LIVE ARMED")
    repl.leave()


def test_what_a_command_prints_stands_above_the_next_prompt(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    fake.answers["version"] = {"value": {"daemon": "9"}}
    repl.at_prompt("LIVE ARMED")
    for number in range(1, 31):
        repl.enter("version")
        fake.push(EVENT | {"seq": number, "text": f"FILL number {number} END"})
        repl.expect(f"FILL number {number} END")
        repl.expect(lambda n=number: repl.text().count("daemon: 9") == n)  # type: ignore[misc]
        repl.at_prompt("LIVE ARMED")
    repl.leave()
    lines = repl.lines()
    assert lines.count("daemon: 9") == 30
    assert lines.count("lowcap LIVE ARMED> version") == 30
    assert [line.split("FILL ")[1] for line in lines if "FILL" in line] == [
        f"number {number} END" for number in range(1, 31)
    ]


def test_nothing_is_sent_when_nothing_changed(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    repl.expect("LIVE ARMED !! │ ACTIVE")
    after_polls(repl, fake, 1)
    sent = len(repl.raw)
    after_polls(repl, fake, 3)
    assert len(repl.raw) == sent, repl.raw[sent:]
    repl.leave()


def test_a_burst_is_drawn_four_times_a_second_at_most(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    after_polls(repl, fake, 1)
    sent, began_s = len(repl.raw), time.monotonic()
    for number in range(1, 351):
        fake.push(EVENT | {"seq": number, "text": f"FILL number {number} END"})
    repl.expect("FILL number 350 END")
    took_s = time.monotonic() - began_s
    erased = repl.raw[sent:].count(b"\x1b[J")  # twice for each print: away, and drawn anew
    assert erased <= 2 * (took_s * 4 + 2)
    repl.leave()


def test_a_line_that_takes_nothing_holds_nobody_up(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    """What cannot be shown is counted, and the daemon is not kept waiting for us."""
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    for number in range(1, 8_001):  # read by nobody: the terminal is full soon
        fake.push(EVENT | {"seq": number, "text": f"FILL number {number} {'x' * 60}"})
    asked = polls(fake)
    repl_is_alive = time.monotonic() + 60
    while polls(fake) < asked + 2:
        assert time.monotonic() < repl_is_alive
        time.sleep(0.02)
    repl.expect("more came meanwhile: events -n ")
    repl.at_prompt("LIVE ARMED")
    fake.push(EVENT | {"seq": 9_000, "text": "FILL the last"})
    repl.expect("FILL the last")
    repl.leave()


def test_a_daemon_that_falls_silent_is_told_of(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt("LIVE ARMED")
    repl.expect("LIVE ARMED !! │ ACTIVE")
    answer = fake.answers.pop("status")
    repl.expect("LIVE ARMED !! │ NO ANSWER")
    fake.answers["status"] = answer
    repl.expect("LIVE ARMED !! │ ACTIVE")
    repl.leave()
