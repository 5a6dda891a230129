"""``lowcapctl top`` as an operator meets it: a real terminal, a real daemon, a sane end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from terminal_kit import EVENT, Daemon, FakeDaemon
from top_kit import TopSession
from top_models import position_value, setting_value, status_value

from lowcap.control.protocol import encode, error, notice
from lowcap.control.server import REQUESTS_PER_MIN_MAX

Open = Callable[..., TopSession]
# Whoever draws goes back to the first line afterwards.
DRAWN = re.compile(rb"\x1b\[\d+A")
COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|4[0-7]|9[0-7]|10[0-7]|38|48)(?:;[0-9;]*)?m")


@pytest.fixture
def open_top(tmp_path: Path) -> Iterator[Open]:
    opened: list[TopSession] = []

    def start(socket: Path, columns: int = 80, rows: int = 30, **more: str) -> TopSession:
        session = TopSession(tmp_path, socket, columns, rows, **more)
        opened.append(session)
        return session

    yield start
    for session in opened:
        session.close()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeDaemon]:
    made = FakeDaemon(tmp_path / "f.sock")
    made.answers |= {
        "status": {"value": status_value()},
        "positions": {"value": [position_value("BTCUSDT")]},
        "logs": {"value": []},
        "config": {"value": [setting_value("sizing.scale", "1.0")]},
    }
    for method in ("latency", "stats"):
        made.fail(method, "usage", f"no method {method!r}")
    yield made
    made.close()


@pytest.mark.parametrize("columns", [44, 80, 120])
def test_all_four_pages(daemon: Daemon, open_top: Open, columns: int) -> None:
    daemon.ctl("pause", "--reason", "look")
    daemon.ctl("resume")
    top = open_top(daemon.socket, columns, 45)
    top.expect("ACTIVE")
    top.expect("toa_news")
    top.expect("LIFTED operator-pause")
    for key, shown in (("2", "flat: no open positions"), ("3", "following"), ("1", "activity")):
        top.press(key)
        top.expect(shown)
        top.expect(f"[{key} ")
    top.press("4")
    top.expect("[4 set")
    top.expect("order.collar_pct")
    top.press("?")
    top.expect("halt and close every position")
    top.press("\x1b")
    top.gone("halt and close every position")
    top.press("q")
    top.left_with(0)


def test_a_position_is_closed_from_its_row(daemon: Daemon, open_top: Open) -> None:
    for words in (("long", "BTC", "3000"), ("short", "ETH", "2000")):
        assert daemon.ctl(*words, "--yes").returncode == 0
    top = open_top(daemon.socket)
    top.expect("pos 2")
    top.press("2")
    top.expect("▸  BTCUSDT")
    top.press("\x1b[B")
    top.expect("▸  ETHUSDT")
    top.press("x")
    top.expect("close ETHUSDT SHORT")
    top.press("n")
    top.expect("nothing done")
    top.press("x")
    top.expect("[y/N]")
    top.press("y")
    top.expect("flat, verified")
    top.gone("ETHUSDT")
    rows = json.loads(daemon.ctl("positions", "--json").stdout)
    assert [row["symbol"] for row in rows] == ["BTCUSDT"]

    top.press("m")
    top.expect("stop of BTCUSDT, now ")
    top.press("1%\r")
    top.expect("-> 1%?")
    top.press("y")
    top.expect("moved BTCUSDT: stop")
    top.press("m")
    top.press("3%\r")
    top.expect("-> 3%?")
    top.press("y")
    top.expect("loosen it, and end its")
    top.press("y")
    top.expect("it follows no more")

    top.press("!")
    top.expect("Type FLATTEN 1 to go on:")
    top.press("FLATTEN 1\r")
    top.expect("HALTED")
    top.expect("flat: no open positions")
    top.expect("back to ACTIVE with")  # the panic has proved it, and lets go
    assert json.loads(daemon.ctl("positions", "--json").stdout) == []
    top.press("r")
    top.expect("why is it safe again?")
    top.press("drilled\r")
    top.expect("│ ACTIVE │")
    top.press("p")
    top.expect("│ REDUCING │")
    top.press("r")
    top.expect("take entries again (operator-pause)?")
    top.press("y")
    top.expect("│ ACTIVE │")
    top.press("q")
    top.left_with(0)


def test_the_command_line(daemon: Daemon, open_top: Open) -> None:
    top = open_top(daemon.socket)
    top.expect("ACTIVE")
    top.press(":trigg\t")
    top.expect(lambda: {"trigger", "triggers"} <= set(top.screen.display[-2].split()))
    top.press("s\r")
    top.expect("nfp_le_50k")
    top.press("\x1b")
    top.gone("nfp_le_50k")
    top.press(":orders -n x\r")
    top.expect("'x' is not a valid integer.")
    top.press(":logs stats\r")
    top.expect("logs stats ─")
    top.expect("records")
    top.press("\x1b")
    top.gone("logs stats ─")
    top.press(":quit\r")
    top.left_with(0)


@pytest.mark.parametrize(("keys", "code"), [("q", 0), ("\x03", 130), (":\x03\x03", 130)])
def test_leaving_by_keys(
    fake: FakeDaemon, tmp_path: Path, open_top: Open, keys: str, code: int
) -> None:
    top = open_top(tmp_path / "f.sock")
    top.expect("REDUCING")
    top.press(keys)
    top.left_with(code)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_leaving_by_a_signal(
    fake: FakeDaemon, tmp_path: Path, open_top: Open, number: signal.Signals
) -> None:
    top = open_top(tmp_path / "f.sock")
    top.expect("REDUCING")
    top.press(":half a li")
    top.expect("half a li")
    os.kill(top.pid(), number)
    top.left_with(128 + number)


def test_a_resize_is_followed(fake: FakeDaemon, tmp_path: Path, open_top: Open) -> None:
    top = open_top(tmp_path / "f.sock", 120, 40)
    top.expect("│ view")  # the end of the widest header
    for columns, rows in ((44, 20), (80, 24), (20, 6), (120, 40)):
        top.resize(columns, rows)
        top.expect(lambda: top.text().rstrip().endswith("? help  q quit"))
        assert len(top.screen.display) == rows
        assert "[1 over" in top.screen.display[1]
    top.press("q")
    top.left_with(0)


def test_the_daemons_death_and_return(
    open_top: Open, tmp_path_factory: pytest.TempPathFactory
) -> None:
    daemon = Daemon(tmp_path_factory.mktemp("k"))
    try:
        daemon.start()
        top = open_top(daemon.socket)
        top.expect("│ ACTIVE │")
        daemon.stop(signal.SIGKILL)
        top.expect("DAEMON LOST, as of ")
        top.expect("tried again every 1 s")
        top.press("!")
        top.expect("no daemon answers, nothing was sent")
        daemon.start()
        top.expect("│ ACTIVE │")
        top.gone("DAEMON LOST")
        daemon.ctl("pause", "--reason", "again")
        top.expect("HOLD operator-pause: REDUCING, again")
        assert daemon.stop() == 0
        top.expect("DAEMON LOST, as of ")
        top.press("q")
        top.left_with(0)
        assert "Traceback" not in top.text()
    finally:
        daemon.stop()


def test_no_daemon_at_all(tmp_path: Path, open_top: Open) -> None:
    top = open_top(tmp_path / "none.sock")
    top.expect("NO DAEMON YET")
    top.expect("nobody answers")
    top.press("q")
    top.left_with(0)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (encode(error(None, "busy", "32 clients are connected already")), "32 clients are connec"),
        (encode(notice("hello", {"protocol": 99})), "it speaks protocol 99"),
        (b"220 mail.example ESMTP\n", "is no lowcap daemon"),
        (b'{"method":"hello","params":[]}\n', "is no lowcap daemon"),
    ],
    ids=["busy", "protocol", "mail", "shape"],
)
def test_a_refusal_at_the_door_is_shown(
    tmp_path: Path, open_top: Open, first: bytes, said: str
) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "n.sock"))
        listening.listen(4)

        def refuse() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer, suppress(OSError):  # it has left before we spoke
                    peer.sendall(first)

        thread = threading.Thread(target=refuse)
        thread.start()
        try:
            top = open_top(tmp_path / "n.sock")
            top.expect("NO DAEMON YET")
            top.expect(said)
            top.press("q")
            top.left_with(0)
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def test_a_reading_session_lacks_the_keys(fake: FakeDaemon, tmp_path: Path, open_top: Open) -> None:
    top = open_top(tmp_path / "f.sock")  # the fake's hello names no role: it may only look
    top.expect("REDUCING")
    top.press("2")
    top.expect("▸  BTCUSDT")
    for word in ("panic", "pause", "close", "stop  "):
        assert f" {word}" not in top.screen.display[-1]
    top.press("xmpr!h")
    top.press("4")
    top.expect("sizing.scale")
    top.press("e")
    top.press("?")
    top.expect("this session may only look")
    top.press("\x1b")
    top.press("q")
    top.left_with(0)
    asked = {method for method, _ in fake.asked}
    assert asked <= {"status", "positions", "events", "logs", "latency", "stats", "config"}


def test_a_setting_is_changed(daemon: Daemon, open_top: Open) -> None:
    top = open_top(daemon.socket)
    top.expect("ACTIVE")
    top.press("4")
    top.expect("order.collar_pct")
    top.press("/order.collar\r")
    top.expect("▸  order.collar_pct  1.5")
    top.press("e")
    top.expect("order.collar_pct (more than 0, at most 5): 1.5")
    top.press("\x151.25\r")
    top.expect("set order.collar_pct: 1.5 -> 1.25? [y/N]")
    top.press("y")
    top.expect("▸  order.collar_pct  1.25   runtime set")
    shown = json.loads(daemon.ctl("config", "show", "order.collar_pct", "--json").stdout)
    assert shown[0]["value"] == "1.25"
    top.press("e")
    top.expect("at most 5): 1.25")
    top.press("\x15900\r")
    top.expect("-> 900?")
    top.press("y")
    top.expect("expected at most 5")
    assert daemon.ctl("config", "set", "order.collar_pct", "1.5").returncode == 0
    top.expect("▸  order.collar_pct  1.5 ")  # by somebody else
    top.press("q")
    top.left_with(0)


def test_a_hostile_text_moves_nothing(fake: FakeDaemon, tmp_path: Path, open_top: Open) -> None:
    top = open_top(tmp_path / "f.sock")
    top.expect("REDUCING")
    evil = "\x1b[2J\x1b]0;t\x07\r\nFORGED \u202egnp \x9b31m\u0301\u200d 업비트 👩\U0001f3fd end"
    fake.push(EVENT | {"seq": 41, "text": evil})
    fake.push({"at": "2026-02-06T13:30:05.000Z", "level": "error", "area": evil, "text": evil})
    top.expect("FORGED")
    assert "\\u001b[2J" in top.text()
    assert not any(line.startswith("FORGED") for line in top.screen.display)
    assert "[1 overview]" in top.screen.display[1]
    top.press("3")
    top.expect("errors 1")
    assert b"\x07" not in top.raw
    assert b"\x1b]0" not in top.raw
    assert "\u202e".encode() not in top.raw
    top.press("q")
    top.left_with(0)


def test_drawing_is_bounded_in_a_flood_and_stops_in_silence(
    fake: FakeDaemon, tmp_path: Path, open_top: Open
) -> None:
    top = open_top(tmp_path / "f.sock")
    top.expect("REDUCING")
    top.expect("stages: not available")
    stop = threading.Event()
    pushed = [0]

    def flood() -> None:
        while not stop.wait(0.0025):
            pushed[0] += 1
            fake.push(EVENT | {"seq": 100 + pushed[0], "text": f"FILL number {pushed[0]}."})

    flooding = threading.Thread(target=flood)
    flooding.start()
    began_s, before, asked = time.monotonic(), len(top.raw), len(fake.asked)
    try:
        top.read(3.0)
        lasted_s, drawn = time.monotonic() - began_s, len(DRAWN.findall(top.raw[before:]))
        asked = len(fake.asked) - asked
        top.press("2")  # keys count meanwhile
        top.expect("▸  BTCUSDT")
        top.press("1")
    finally:
        stop.set()
        flooding.join()
    assert pushed[0] > 100
    assert 0 < drawn <= 4 * lasted_s + 4
    assert asked <= REQUESTS_PER_MIN_MAX / 60 * lasted_s + 4
    top.expect(f"FILL number {pushed[0]}.")
    top.read(0.5)
    silent = len(top.raw)
    polls = len(fake.asked)
    top.expect(lambda: len(fake.asked) > polls + 6)  # it goes on to ask, and hears the same
    assert len(top.raw) == silent
    top.press("q")
    top.left_with(0)


def test_without_colour(fake: FakeDaemon, tmp_path: Path, open_top: Open) -> None:
    fake.answers["status"] = {"value": status_value(mode="live", armed=True)}
    top = open_top(tmp_path / "f.sock", NO_COLOR="1")
    top.expect("LIVE ARMED")
    top.expect("◐  toa_news")
    for key in "2341":
        top.press(key)
        top.expect(f"[{key} ")
    top.press("q")
    top.left_with(0)
    assert not COLOUR.search(top.raw)


def test_with_colour(fake: FakeDaemon, tmp_path: Path, open_top: Open) -> None:
    fake.answers["status"] = {"value": status_value(mode="live", armed=True)}
    top = open_top(tmp_path / "f.sock")
    top.expect("LIVE ARMED")
    assert top.screen.buffer[0][2].bg == "red"
    top.press("q")
    top.left_with(0)
    assert COLOUR.search(top.raw)


def test_without_a_terminal_it_says_so(daemon: Daemon) -> None:
    done = daemon.ctl("top")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: top needs a terminal\nhint: lowcapctl status\n"
