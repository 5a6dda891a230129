"""The REPL in a real pseudo-terminal, its screen read by a terminal emulator."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte
from terminal_kit import CTL, environment

COLUMNS, ROWS = 100, 30


class _Screen(pyte.HistoryScreen):  # type: ignore[misc]
    """A terminal that answers when it is asked where its cursor is."""

    answer: Callable[[str], object] = staticmethod(lambda data: None)

    def write_process_input(self, data: str) -> None:
        self.answer(data)


class ReplSession:
    """``lowcapctl`` without arguments, started by a shell that shows its terminal afterwards."""

    def __init__(self, home: Path, socket: Path, *, answers: bool = True) -> None:
        self.screen = _Screen(COLUMNS, ROWS, history=2_000)
        self._feed = pyte.ByteStream(self.screen)
        self.raw = b""
        self.home = home
        command = " ".join([*CTL, "--socket", str(socket)])
        self.child = pexpect.spawn(
            "/bin/sh",
            ["-c", f"trap : INT; echo PID=$$; {command}; echo LEFT=$?; stty -a; echo IT-IS-OVER"],
            dimensions=(ROWS, COLUMNS),
            env=environment(
                home,
                TERM="xterm",
                PROMPT_TOOLKIT_NO_CPR="" if answers else "1",
                XDG_STATE_HOME=str(home / "xdg"),
            ),
            timeout=10,
        )
        if answers:
            self.screen.answer = self.child.send

    def read(self, for_s: float = 0.0) -> None:
        until_s = time.monotonic() + for_s
        while True:
            try:
                data = self.child.read_nonblocking(65_536, 0.02)
            except pexpect.TIMEOUT:
                data = b""
            except pexpect.EOF:
                return
            self.raw += data
            self._feed.feed(data)
            if not data and time.monotonic() >= until_s:
                return

    def lines(self) -> list[str]:
        above = [
            "".join(row[x].data for x in range(self.screen.columns)).rstrip()
            for row in self.screen.history.top
        ]
        return above + [line.rstrip() for line in self.screen.display]

    def text(self) -> str:
        return "\n".join(self.lines())

    def expect(self, wanted: str | Callable[[], bool], within_s: float = 12) -> None:
        give_up_s = time.monotonic() + within_s
        while time.monotonic() < give_up_s:
            self.read(0.03)
            if wanted() if callable(wanted) else wanted in self.text():
                return
        raise AssertionError(f"{wanted!r} did not appear:\n{self.text()}")

    def prompt_line(self) -> str:
        """The newest line with a prompt."""
        found = [line for line in self.screen.display if "lowcap " in line and "> " in line + " "]
        return found[-1].rstrip() if found else ""

    def toolbar_colour(self) -> str:
        """What is behind the words of the toolbar."""
        rows = [y for y, line in enumerate(self.screen.display) if "│" in line]
        cell = self.screen.buffer[rows[-1]][1]
        return str(cell.fg if cell.reverse else cell.bg)

    def at_prompt(self, mode: str = "DRY") -> None:
        self.expect(lambda: self.prompt_line() == f"lowcap {mode}>")

    def type(self, text: str) -> None:
        self.child.send(text)

    def enter(self, text: str) -> None:
        self.child.send(text + "\r")

    def repl_pid(self) -> int:
        """The process of lowcapctl itself."""
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text()
        return int(children.split()[0])

    def leave(self) -> None:
        """Ctrl-D, as soon as there is a prompt."""
        self.expect(lambda: self.prompt_line().endswith(">"))
        self.type("\x04")
        self.left_with(0)

    def left_with(self, code: int) -> None:
        """The session is over, and the terminal is as a shell wants it."""
        self.expect("IT-IS-OVER")
        text = self.text()
        assert f"LEFT={code}" in text, text
        after = text[text.rindex("LEFT=") :].replace("\n", " ")
        for setting in ("echo", "icanon", "isig", "icrnl", "opost"):
            assert f" {setting} " in after, f"{setting} is off: {after}"

    def close(self) -> None:
        if self.child.isalive():
            os.kill(self.child.pid, signal.SIGKILL)
        self.child.close(force=True)
