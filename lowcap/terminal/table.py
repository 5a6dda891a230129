"""Plain tables for people, and tab-separated rows for programs."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

_COLOURS = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "bold": "1", "alarm": "41;97"}
_COLOUR_CODE = re.compile("\033\\[[0-9;]*m")
NARROWEST = 8


class Style:
    """Colour where it helps; never the only carrier of meaning."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: str, role: str) -> str:
        """``text`` in the colour of a role."""
        if not self._colour or not role:
            return text
        return f"\033[{_COLOURS[role]}m{text}\033[0m"


def wants_colour(choice: str, environ: Mapping[str, str]) -> bool:
    """``always``, ``never``, or ``auto``: on a terminal, unless NO_COLOR is set."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def width_of(text: str) -> int:
    """Columns that ``text`` takes on a terminal; East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(text: str, columns: int) -> str:
    """``text`` in at most ``columns`` columns."""
    if width_of(text) <= columns:
        return text
    return _fitting(text, columns - 1) + "…"


def wrap(text: str, columns: int, *, indent: int) -> list[str]:
    """``text`` in lines of at most ``columns`` columns, all but the first indented.

    Breaks at spaces; a word wider than a line (Chinese and Japanese have no
    spaces) is broken where the line ends.
    """
    columns = max(columns, NARROWEST)
    gap = " " * min(indent, columns // 2)
    body = text.lstrip(" ")
    line = text[: len(text) - len(body)][: columns // 2]
    lines: list[str] = []
    for number, word in enumerate(body.split(" ")):
        longer = f"{line} {word}" if number else line + word
        if line.strip() and width_of(longer) > columns:
            lines.append(line)
            longer = gap + word
        while width_of(longer) > columns:
            head = _fitting(longer, columns)
            lines.append(head)
            longer = gap + longer[len(head) :]
        line = longer
    return [*lines, line]


def fold(line: str, columns: int) -> list[str]:
    """A line that may be coloured, in as many as it needs; one that is folded loses its colour."""
    bare = _COLOUR_CODE.sub("", line)
    if width_of(bare) <= columns:
        return [line]
    return wrap(bare, columns, indent=4)


def folded(lines: Iterable[str], columns: int) -> list[str]:
    """Lines, none of them wider than ``columns``."""
    return [part for line in lines for part in fold(line, columns)]


def _fitting(text: str, columns: int) -> str:
    """The longest head of ``text`` that takes at most ``columns`` columns."""
    used = 0
    for number, character in enumerate(text):
        used += width_of(character)
        if used > columns:
            return text[:number]
    return text


def terminal_columns() -> int:
    """Columns of the terminal, 80 where there is none or it does not know."""
    try:
        found = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        given = os.environ.get("COLUMNS", "")
        found = int(given) if given.isascii() and given.isdecimal() and len(given) < 6 else 0
    return found or 80


def table(
    rows: Sequence[Mapping[str, str]], columns: Sequence[tuple[str, str]], total: int
) -> list[str]:
    """Aligned lines with a header. ``columns`` are (key, title), ``>`` before a title aligns right.

    Columns are left out from the right when the table is wider than ``total``.
    """
    shown = list(columns)
    while True:
        widths = [
            max([width_of(title.lstrip(">")), *(width_of(row.get(key, "")) for row in rows)])
            for key, title in shown
        ]
        if sum(widths) + 2 * (len(widths) - 1) <= total or len(shown) <= 2:
            break
        shown.pop()
    lines = [_line([title.lstrip(">") for _, title in shown], shown, widths)]
    lines += [_line([row.get(key, "") for key, _ in shown], shown, widths) for row in rows]
    return [cut(line.rstrip(), total) for line in lines]


def _line(cells: list[str], columns: Sequence[tuple[str, str]], widths: list[int]) -> str:
    padded = []
    for cell, (_, title), width in zip(cells, columns, widths, strict=True):
        gap = " " * (width - width_of(cell))
        padded.append(gap + cell if title.startswith(">") else cell + gap)
    return "  ".join(padded)
