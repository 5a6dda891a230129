"""What the prompt remembers: lines, but none that should be typed anew each time."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

_DANGEROUS = frozenset({"panic", "emergency", "flatten", "close", "closeall", "arm"})


def open_history(environ: Mapping[str, str]) -> History:
    """The history file of the state folder, or one that ends with the session."""
    base = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    folder = Path(base) / "lowcap"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "history").touch(mode=0o600)
    except OSError:
        return _ShortHistory()
    return _CarefulHistory(str(folder / "history"))


def is_dangerous(line: str) -> bool:
    """Whether a line should be typed anew each time."""
    words = re.findall(r"[a-z]+", line.lower())
    return bool(words) and words[0] in _DANGEROUS


def expand(line: str, history: History) -> str:
    """``!!`` at the beginning stands for the last line that is remembered.

    Raises:
        LookupError: there is none.
    """
    if not is_repeat(line):
        return line
    remembered = history.get_strings()
    if not remembered:
        raise LookupError("there is no line before this one")
    return remembered[-1] + line.lstrip()[2:]


def is_repeat(line: str) -> bool:
    """Whether a line begins with the last one."""
    return line.lstrip().startswith("!!")


def wants_vi(environ: Mapping[str, str]) -> bool:
    """Whether readline's own configuration asks for the keys of vi."""
    place = Path(environ.get("INPUTRC") or os.path.expanduser("~/.inputrc"))
    try:
        text = place.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    found = re.findall(r"^\s*set\s+editing-mode\s+(\w+)", text, re.MULTILINE)
    return found[-1:] == ["vi"]


def _is_kept(line: str) -> bool:
    return not (is_dangerous(line) or is_repeat(line))


class _CarefulHistory(FileHistory):
    """Does not offer panic by a stray key press, nor the words that confirm it."""

    def append_string(self, string: str) -> None:
        """Remember a line, unless it is dangerous."""
        if _is_kept(string):
            super().append_string(string)

    def store_string(self, string: str) -> None:
        """Write it down; a full disk is no reason to lose the prompt."""
        with suppress(OSError):
            super().store_string(string)


class _ShortHistory(InMemoryHistory):
    """The same without a file."""

    def append_string(self, string: str) -> None:
        """Remember a line, unless it is dangerous."""
        if _is_kept(string):
            super().append_string(string)
