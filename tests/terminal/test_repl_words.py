"""The comforts of the prompt: completion, history, questions, help, watching, widths."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from repl_kit import STATUS, Open
from terminal_kit import EVENT, FakeDaemon

Json = dict[str, Any]
ARMED = "LIVE ARMED"


def calls(fake: FakeDaemon, method: str) -> list[Json]:
    return [params for name, params in list(fake.asked) if name == method]


def confirming(word: str, value: Json) -> Any:
    def answer(params: Json) -> Json:
        if params.get("confirm"):
            return {"value": value}
        return {"fault": ("confirm", "it would", f"type {word} to go on, or use --yes")}

    return answer


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (44, "!! LIVE ARMED !! │ ACTIVE │ 5/6 │ 2 +413"),
        (80, "!! LIVE ARMED !! │ ACTIVE │ feeds 5/6 │ pos 2 +412.80 │ p99 7.9 ms │ 13:30:05Z"),
        (120, "!! LIVE ARMED !! │ ACTIVE │ feeds 5/6 │ pos 2 +412.80 │ p99 7.9 ms │ 13:30:05Z"),
    ],
)
@pytest.mark.parametrize("no_color", ["", "1"])
def test_widths(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open, columns: int, words: str, no_color: str
) -> None:
    own = {"trades": 3, "p50": 900.0, "p99": 7_912.0}
    fake.answers["status"] = {"value": STATUS | {"own_work_us": own}}
    error = {"at": "2026-02-06T13:20:05.000Z", "level": "error", "area": "x", "text": "it broke"}
    fake.answers["logs"] = {"value": [error]}
    repl = open_repl(tmp_path / "f.sock", columns=columns, NO_COLOR=no_color)
    repl.expect("last error 13:20:05Z: it broke")
    repl.at_prompt(ARMED)
    repl.expect(lambda: repl.toolbar() == words)
    coloured = set(re.findall(rb"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7])m", repl.raw))
    assert bool(coloured) is not bool(no_color)
    assert repl.toolbar_colour() == ("default" if no_color else "red")
    fake.push(EVENT | {"text": "word " * 30})
    repl.expect(lambda: repl.text().count("word") == 30)
    repl.enter("help")
    repl.expect("help COMMAND tells more")
    repl.leave()


def test_completion_knows_the_state(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    contracts = [("ETCUSDT", "5"), ("ETCXUSDT", None), ("ETHUSDT", "300.5"), ("PEPEUSDT", "x")]
    rows = [{"symbol": symbol, "cap_usd": worth} for symbol, worth in contracts]
    fake.answers["prices"] = {"value": rows}
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt(ARMED)
    repl.expect("ACTIVE │")
    repl.type("res")
    repl.expect(lambda: repl.prompt_line().endswith("> res"))
    repl.type("\t")  # nothing to complete: resume is not for a daemon that is active
    repl.type("\x15trade pe\t")
    repl.expect(lambda: repl.prompt_line().endswith("> trade PEPEUSDT"))
    repl.type(" \t")
    repl.expect(lambda: repl.prompt_line().endswith("> trade PEPEUSDT long"))
    repl.type("\x15leverage et")
    repl.expect(lambda: len(calls(fake, "prices")) == 1)
    repl.expect("contract")
    repl.type("\t")
    repl.expect(lambda: repl.prompt_line().endswith("> leverage ETHUSDT"))
    repl.type("\x03")
    repl.at_prompt(ARMED)
    fake.answers["status"] = {"value": STATUS | {"state": "HALTED"}}
    repl.expect("│ HALTED │")
    repl.type("resu\t")
    repl.expect(lambda: repl.prompt_line().endswith("> resume"))
    repl.type("\x03")
    repl.leave()


def test_history_search_suggestion_and_repetition(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    fake.answers["position"] = {"fault": ("refused", "not now", "")}
    fake.answers["version"] = {"value": {"daemon": "9"}}
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt(ARMED)
    repl.enter("!!")
    repl.expect("error: there is no line before this one")
    for line in ("position PEPEUSDT", "version"):
        repl.at_prompt(ARMED)
        repl.enter(line)
    repl.expect("daemon: 9")
    repl.at_prompt(ARMED)
    repl.enter("!!")
    repl.expect(lambda: len(calls(fake, "version")) == 2)
    repl.at_prompt(ARMED)
    repl.type("\x12PEPE")  # Ctrl-R
    repl.expect("reverse")
    repl.expect("position PEPEUSDT")
    repl.type("\r\r")
    repl.expect(lambda: len(calls(fake, "position")) == 2)
    repl.at_prompt(ARMED)
    repl.type("posi")
    repl.expect(lambda: repl.prompt_line().endswith("> position PEPEUSDT"))  # in grey
    repl.type("\x1b[C\r")
    repl.expect(lambda: len(calls(fake, "position")) == 3)
    assert calls(fake, "position")[-1] == {"symbol": "PEPEUSDT"}
    repl.leave()
    kept = (repl.home / "xdg" / "lowcap" / "history").read_text()
    assert "!!" not in kept


def test_missing_words_are_asked_for(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    fake.answers["trade"] = confirming("YES", {"done": "bought"})
    fake.answers["close"] = confirming("CLOSE 1", {"closed_qty": "5", "symbol": "B", "left_qty": 0})
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt(ARMED)
    repl.enter("trade")
    for question, answer in (
        ("symbol:", "BTC"),
        ("side (long/short/buy/sell):", "long"),
        ("usd", "1000"),
    ):
        repl.expect(lambda q=question: q in repl.screen.display[repl.screen.cursor.y])  # type: ignore[misc]
        repl.enter(answer)
    repl.expect("Type YES to go on:")
    repl.enter("YES")
    repl.expect("trade: cannot be shown (KeyError: 'stop_price'), as it came:")
    repl.expect('"done": "bought"')
    wanted = {"symbol": "BTC", "side": "long", "usd": 1000.0}
    assert calls(fake, "trade") == [wanted, wanted | {"confirm": True}]
    repl.at_prompt(ARMED)
    repl.enter("close")
    repl.expect("symbol, or all:")
    repl.type("\x03")  # nothing is asked of the daemon
    repl.at_prompt(ARMED)
    repl.enter("close")
    repl.expect(lambda: "symbol, or all:" in repl.screen.display[repl.screen.cursor.y])
    repl.enter("BTCUSDT")
    repl.expect("Type CLOSE 1 to go on:")
    repl.type("\x04")  # leaves the question, not the prompt
    repl.at_prompt(ARMED)
    assert calls(fake, "close") == [{"symbol": "BTCUSDT"}]
    repl.leave()
    assert "YES" not in (repl.home / "xdg" / "lowcap" / "history").read_text()


def test_help_and_a_clear_screen(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt(ARMED)
    repl.type("unlock los\x1bOP")  # F1
    repl.expect("Lift the halt of a protection")
    repl.expect(lambda: repl.prompt_line().endswith("> unlock los"))
    repl.type("\x03")
    repl.at_prompt(ARMED)
    repl.enter("help keys")
    repl.expect("Ctrl-R           search earlier lines")
    repl.at_prompt(ARMED)
    repl.type("\x0c")  # Ctrl-L
    repl.expect(lambda: repl.screen.display[0].rstrip() == "lowcap LIVE ARMED>")
    repl.leave()


def test_watching_stands_still_and_ends(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    fake.answers["version"] = {"value": {"daemon": "1", "more": "m"}}
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt(ARMED)
    repl.enter("pause --watch 1")
    repl.expect("error: --watch is for commands that only look")
    repl.enter("version --watch 0.1")
    repl.expect("expected seconds, at least 1")
    repl.at_prompt(ARMED)
    repl.enter("version --watch 1")
    repl.expect("daemon: 1")
    for number in "23":
        fake.answers["version"] = {"value": {"daemon": number, "more": "m"}}
        repl.expect(f"daemon: {number}")
    assert repl.text().count("daemon: ") == 1
    fake.push(EVENT | {"seq": 50, "text": "FILL in between"})
    repl.expect("FILL in between")
    fake.answers["version"] = {"value": {"daemon": "4", "more": "m"}}
    repl.expect("daemon: 4")
    assert repl.text().count("daemon: ") == 2  # the event stands where it was printed
    repl.type("\x03")
    repl.at_prompt(ARMED)
    assert "cancelled" not in repl.text()
    repl.leave()


def test_sigterm_while_watching(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    fake.answers["version"] = {"value": {"daemon": "1"}}
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt(ARMED)
    repl.enter("version --watch 1")
    repl.expect("daemon: 1")
    os.kill(repl.repl_pid(), signal.SIGTERM)
    repl.left_with(128 + signal.SIGTERM)


def test_a_daemon_that_leaves_a_watch(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    fake.answers["version"] = {"value": {"daemon": "1"}}
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt(ARMED)
    repl.enter("version --watch 1")
    repl.expect("daemon: 1")
    fake.close()
    repl.expect("error: ")
    repl.at_prompt("?")
    repl.expect(lambda: repl.toolbar().startswith("daemon lost, retrying in "))
    repl.leave()


def test_sigterm_in_a_call(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt(ARMED)
    repl.enter("halt")  # never answered
    repl.expect(lambda: len(calls(fake, "halt")) == 1)
    os.kill(repl.repl_pid(), signal.SIGTERM)
    repl.left_with(128 + signal.SIGTERM)


def test_keys_of_vi(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    fake.answers["version"] = {"value": {"daemon": "9"}}
    (tmp_path / "rc").write_text("set bell-style none\nset editing-mode vi\n")
    repl = open_repl(tmp_path / "f.sock", INPUTRC=str(tmp_path / "rc"))
    repl.at_prompt(ARMED)
    repl.type("xversion")
    repl.expect(lambda: repl.prompt_line().endswith("> xversion"))
    repl.type("\x1b0x")
    repl.expect(lambda: repl.prompt_line().endswith("> version"))
    repl.type("\r")
    repl.expect("daemon: 9")
    repl.leave()


CHILD = """
import sys, termios, tty
def run(params, options):
    import signal
    signal.signal(signal.SIGINT, lambda *_: (print("CAUGHT", flush=True), sys.exit(0)))
    before = termios.tcgetattr(0)
    print("CHILD ON", options.socket.rpartition("/")[2], flush=True)
    if params.get("name") == "raw":
        tty.setcbreak(0)
        assert sys.stdin.read(1) == "q"
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        return 0
    signal.pause()
"""
TABLE = """
import sys
if "lowcap.terminal.main" in " ".join(sys.orig_argv):
    import lowcap.control.words_service as words, lowcap.terminal
    from lowcap.control.entry import Argument, Command
    lowcap.terminal.__path__.append({place!r})
    one = Command("child", "t", arguments=(Argument("name"),), local="childish:run")
    words.SERVICE = (*words.SERVICE, one, one._replace(name="wait"))
"""


def test_a_command_of_its_own_has_the_terminal(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    (tmp_path / "childish.py").write_text(CHILD)
    (tmp_path / "sitecustomize.py").write_text(TABLE.format(place=str(tmp_path)))
    inherited = os.environ.get("PYTHONPATH", "")
    repl = open_repl(tmp_path / "f.sock", PYTHONPATH=f"{tmp_path}:{inherited}".rstrip(":"))
    repl.at_prompt(ARMED)
    repl.enter("wait flat")
    repl.expect("hint: lowcapctl wait flat")
    repl.enter("child raw")
    repl.expect("CHILD ON f.sock")
    fake.push(EVENT | {"seq": 50, "text": "FILL unseen"})
    fake.push(EVENT | {"seq": 51, "text": "FILL unseen"})
    ours = repl.repl_pid()
    (child,) = [
        int(word)
        for children in Path(f"/proc/{ours}/task").glob("*/children")
        for word in children.read_text().split()
    ]
    for number, pid in ((52, ours), (53, child)):  # that we are here is no news
        fake.push(EVENT | {"seq": number, "kind": "SessionOpened", "body": {"pid": pid}})
    seen = len(calls(fake, "status"))
    repl.expect(lambda: len(calls(fake, "status")) > seen)  # what came before it was taken in
    repl.type("q")
    repl.at_prompt(ARMED)
    repl.expect("(2 more came meanwhile: events -n 2)")
    assert "FILL unseen" not in repl.text()
    repl.enter("child cooked")
    repl.expect(lambda: repl.text().count("CHILD ON") == 2)
    repl.type("\x03")  # its own; the session goes on
    repl.expect("CAUGHT")
    repl.at_prompt(ARMED)
    repl.enter("child raw")
    repl.expect(lambda: repl.text().count("CHILD ON") == 3)
    os.kill(repl.repl_pid(), signal.SIGTERM)
    repl.expect("LEFT=143")


def test_a_terminal_that_goes_away_ends_the_session(
    fake: FakeDaemon, tmp_path: Path, open_repl: Open
) -> None:
    repl = open_repl(tmp_path / "f.sock")
    repl.at_prompt(ARMED)
    stat = Path(f"/proc/{repl.repl_pid()}/stat")
    repl.type("half a li")
    repl.child.close(force=False)
    give_up_s = time.monotonic() + 60
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < give_up_s
        time.sleep(0.05)
