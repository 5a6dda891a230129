"""Writing to standard output: a reader who has had enough is no failure; no text can hurt."""

from __future__ import annotations

import json
import sys
import unicodedata

from lowcap.core.plain import plain

_HOSTILE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
CELL_LENGTH_MAX = 4_000


class OutputGone(Exception):
    """Whoever read our output has closed it."""


def say(text: str) -> None:
    """One line on standard output.

    Raises:
        OutputGone: nobody reads any more.
    """
    try:
        sys.stdout.write(text + "\n")
        if sys.stdout.isatty():
            sys.stdout.flush()
    except BrokenPipeError:
        raise OutputGone from None


def finish() -> None:
    """Hand over what is buffered.

    Raises:
        OutputGone: nobody reads any more.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputGone from None


def complain(message: str, hint: str = "", *, word: str = "error") -> None:
    """An error (or another ``word`` for it) and what to do about it, on standard error."""
    sys.stderr.write(f"{word}: {plain(message, CELL_LENGTH_MAX)}\n")
    if hint:
        sys.stderr.write(f"hint: {plain(hint)}\n")


def json_text(value: object, indent: int | None = None) -> str:
    """JSON that is safe on a terminal: control and format characters travel escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character != "\n" and unicodedata.category(character) in _HOSTILE:
        return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"
    return character


def cell(value: object) -> str:
    """A value as one field of a tab-separated row."""
    return "" if value is None else plain(str(value), CELL_LENGTH_MAX)
