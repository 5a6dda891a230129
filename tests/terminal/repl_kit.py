"""The REPL in a real pseudo-terminal, its screen read by a terminal emulator."""

from __future__ import annotations

import os
import signal
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pexpect
import pyte
from terminal_kit import CTL, environment

COLUMNS, ROWS = 100, 30
STATUS: dict[str, Any] = {
    "mode": "live", "armed": True, "state": "ACTIVE", "recovered": True, "holds": [],
    "feeds_up": 5, "feeds": [{"name": str(n), "state": "up", "why": ""} for n in range(6)],
    "positions": 2, "symbols": ["BTCUSDT", "PEPEUSDT"], "unprotected": 0, "unknown_orders": 0,
    "paused_symbols": [],
    "unrealized_usd": "412.80", "day": {"result_usd": "0", "closed": 0, "wins": 0},
    "wallet_usdt": "1", "own_work_us": {"trades": 0}, "ledger": {"fault": ""},
    "uptime_s": 5, "now": "2026-02-06T13:30:05.000Z",
}  # fmt: skip


class ReplSession:
    """``lowcapctl`` without arguments, started by a shell that waits before and afterwards.

    What the terminal is set to is looked at in these two moments.
    """

    def __init__(self, home: Path, socket: Path, *, columns: int = COLUMNS, **environ: str) -> None:
        self.screen = pyte.HistoryScreen(columns, ROWS, history=20_000)
        self._feed = pyte.ByteStream(self.screen)
        self.raw = b""
        self.home = home
        command = " ".join([*CTL, "--socket", str(socket)])
        self.child = pexpect.spawn(
            "/bin/sh",
            ["-c", f"trap : INT; echo READY; read _; {command}; echo LEFT=$?; read _"],
            dimensions=(ROWS, columns),
            env=environment(
                home, **({"TERM": "xterm", "XDG_STATE_HOME": str(home / "xdg")} | environ)
            ),
            timeout=10,
        )
        self.child.delaybeforesend = None
        self.expect("READY")
        self.before = self._settings()
        self.type("\n")

    def _settings(self) -> list[object]:
        return termios.tcgetattr(self.child.child_fd)

    def terminal_takes_keys(self) -> bool:
        """Whether the terminal edits lines and makes signals itself: no prompt has it now."""
        modes: int = termios.tcgetattr(self.child.child_fd)[3]
        return bool(modes & (termios.ICANON | termios.ISIG | termios.ECHO))

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

    def expect(self, wanted: str | Callable[[], bool], within_s: float = 60) -> None:
        """Wait for it: as long as a busy machine may need, since only a failure waits in vain."""
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

    def toolbar(self) -> str:
        """The words below the line."""
        found = [line for line in self.screen.display if "│" in line or "daemon lost" in line]
        return found[-1].strip() if found else ""

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
        """The session is over, and the terminal is as it was found."""
        self.expect(lambda: "LEFT=" in self.text())
        text = self.text()
        assert f"LEFT={code}" in text, text
        assert self._settings() == self.before
        assert not self.screen.mode & {1000 << 5, 1002 << 5, 1049 << 5, 2004 << 5}  # mouse, pastes
        assert pyte.modes.DECTCEM in self.screen.mode  # the cursor shows
        assert pyte.modes.DECAWM in self.screen.mode  # lines wrap
        assert b"\x1b[6n" not in self.raw  # nobody was asked where the cursor is

    def close(self) -> None:
        if self.child.isalive():
            os.kill(self.child.pid, signal.SIGKILL)
        self.child.close(force=True)


class Open(Protocol):
    """Starts a session; it is closed when the test ends."""

    def __call__(self, socket: Path, *, columns: int = COLUMNS, **environ: str) -> ReplSession: ...
