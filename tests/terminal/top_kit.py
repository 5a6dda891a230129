"""``lowcapctl top`` in a real pseudo-terminal, its screen read by a terminal emulator."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte
from terminal_kit import CTL, environment

WITHIN_S = 40.0


class TopSession:
    """The full screen, started by a shell that compares the terminal's settings afterwards."""

    def __init__(
        self, home: Path, socket: Path, columns: int = 80, rows: int = 30, **more: str
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._feed = pyte.ByteStream(self.screen)
        self.raw = b""
        command = " ".join([*CTL, "--socket", str(socket), "top"])
        script = (
            f"trap : INT; BEFORE=$(stty -g); {command}; LEFT=$?; AFTER=$(stty -g); "
            '[ "$BEFORE" = "$AFTER" ] && SAME=yes || SAME=no; '
            "echo; echo LEFT=$LEFT SAME=$SAME; echo IT-IS-OVER"
        )
        self.child = pexpect.spawn(
            "/bin/sh",
            ["-c", script],
            dimensions=(rows, columns),
            env=environment(home, TERM="xterm-256color", **more),
            timeout=10,
        )
        self.child.delaybeforesend = None

    def read(self, for_s: float = 0.0) -> None:
        """Take what is there, and what comes for a while."""
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

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def expect(self, wanted: str | Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Wait until the screen shows it."""
        give_up_s = time.monotonic() + within_s
        while time.monotonic() < give_up_s:
            self.read(0.03)
            if wanted() if callable(wanted) else wanted in self.text():
                return
        raise AssertionError(f"{wanted!r} did not appear:\n{self.text()}")

    def gone(self, text: str) -> None:
        self.expect(lambda: text not in self.text())

    def press(self, keys: str) -> None:
        self.child.send(keys)

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def pid(self) -> int:
        """The process of lowcapctl itself."""
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text()
        return int(children.split()[0])

    def left_with(self, code: int) -> None:
        """It is over, the shell's screen is back, and the terminal is as it was."""
        self.expect("IT-IS-OVER")
        assert f"LEFT={code} SAME=yes" in self.text(), self.text()
        assert self.raw.count(b"\x1b[?1049h") == self.raw.count(b"\x1b[?1049l") == 1
        assert self.raw.rindex(b"\x1b[?25h") > self.raw.rindex(b"\x1b[?25l")
        assert self.raw.count(b"\x1b[?2004h") == self.raw.count(b"\x1b[?2004l")
        for mouse in (b"?1000h", b"?1002h", b"?1003h", b"?1006h"):
            assert mouse not in self.raw

    def close(self) -> None:
        if self.child.isalive():
            os.kill(self.child.pid, signal.SIGKILL)
        self.child.close(force=True)
