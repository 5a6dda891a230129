"""A stop from outside: a flag that a signal raises, and a file that lies beside the control socket.

Both are looked at in the same synchronous step as the gate's decision, so
that they hold while the loop is busy and before anything is in the ledger.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import FrameType

from lowcap.core.plain import plain

STOP_FILE = "stop"
OPERATOR_HALT = "operator-halt"
BY_SIGNAL, BY_FILE = "SIGUSR1", "stop file"
# A stop file that begins with this word asks for more than a halt: everything of ours closed.
FLATTEN_WORD = "panic"
TEXT_BYTES_MAX = 400


class StopWord:
    """Whether somebody outside has said stop. Without a ``path`` only signals can say so."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._name = os.fspath(path) if path is not None else ""
        self.signals = 0
        self._answered = 0

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """A plain signal handler: it only counts, so it may run between any two bytecodes."""
        self.signals += 1

    def raised(self) -> str:
        """Who says stop, ``SIGUSR1`` or ``stop file``; empty where nobody does."""
        if self.signals != self._answered:
            return BY_SIGNAL
        return BY_FILE if self.is_laid() else ""

    def is_laid(self) -> bool:
        """Whether the stop file is there; one that cannot be looked at counts as there."""
        if not self._name:
            return False
        try:
            os.lstat(self._name)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def text(self) -> str:
        """What the stop file says, on one line; empty where it says nothing or is not there."""
        if self.path is None:
            return ""
        try:
            # Whatever lies there in the place of a file must not hold us up.
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            said = os.read(fd, TEXT_BYTES_MAX)
        except OSError:
            return ""
        finally:
            os.close(fd)
        return plain(said.decode("utf-8", "replace").strip())

    def row(self) -> dict[str, str]:
        """Where the file would lie, and who says stop, as ``status`` shows it."""
        return {"stop_file": str(self.path or ""), "stopped_by": self.raised()}

    def asks_to_flatten(self) -> bool:
        """Whether the stop file asks for a panic, not only for a halt."""
        return self.is_laid() and self.text().startswith(FLATTEN_WORD)

    def answer(self, signals: int) -> None:
        """The first ``signals`` signals have been dealt with; a later one stands."""
        self._answered = signals
