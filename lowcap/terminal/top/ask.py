"""What ``top`` asks the operator, and the line that is typed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lowcap.control.protocol import Json
from lowcap.terminal.top.text import Line, Piece, cells, clean, fit, wrapped

TYPED_LENGTH_MAX = 2_000
QUESTION_LINES_MAX = 4


class Call(NamedTuple):
    """A request to the daemon. ``page`` shows its reply in full; without one a line tells it."""

    method: str
    params: Json
    page: str = ""
    as_json: bool = False


class Leave(NamedTuple):
    """The end, with an exit code."""

    code: int


class Refresh(NamedTuple):
    """Something of the daemon's should be asked for now."""

    method: str


class Redraw(NamedTuple):
    """The whole screen should be drawn anew, whatever stands there."""


class CancelCalls(NamedTuple):
    """Calls that have not been answered are given up."""


Effect = Call | Leave | Refresh | Redraw | CancelCalls


@dataclass
class Editor:
    """One line of text with a cursor."""

    text: str = ""
    at: int = 0

    def set(self, text: str) -> None:
        """Another text, the cursor behind it."""
        self.text = text[:TYPED_LENGTH_MAX]
        self.at = len(self.text)

    def insert(self, text: str) -> None:
        """Text at the cursor; line ends and what else cannot be printed become spaces."""
        words = "".join(c if c.isprintable() else " " for c in text)
        words = words[: max(TYPED_LENGTH_MAX - len(self.text), 0)]
        self.text = self.text[: self.at] + words + self.text[self.at :]
        self.at += len(words)

    def press(self, key: str, data: str) -> bool:
        """Obey an editing key; whether it was one."""
        before, after = self.text[: self.at], self.text[self.at :]
        if key == "paste":
            self.insert(data)
        elif len(key) == 1 and key.isprintable():
            self.insert(key)
        elif key == "backspace":
            self.text, self.at = before[:-1] + after, max(self.at - 1, 0)
        elif key in ("delete", "c-d"):
            self.text = before + after[1:]
        elif key in ("left", "c-b"):
            self.at = max(self.at - 1, 0)
        elif key in ("right", "c-f"):
            self.at = min(self.at + 1, len(self.text))
        elif key in ("home", "c-a"):
            self.at = 0
        elif key in ("end", "c-e"):
            self.at = len(self.text)
        elif key == "c-u":
            self.text, self.at = after, 0
        elif key == "c-k":
            self.text = before
        elif key == "c-w":
            kept = before.rstrip(" ").rpartition(" ")
            kept_text = kept[0] + kept[1]
            self.text, self.at = kept_text + after, len(kept_text)
        else:
            return False
        return True


@dataclass
class Ask:
    """A question. ``yes_no`` ones take one key, others a line that ends with Enter.

    ``then`` gets ``y`` or the line, and says what follows. ``live`` is told of
    every change, as a search is. ``offers`` are words that Tab has found.
    """

    question: str
    then: Callable[[str], Sequence[Effect]]
    yes_no: bool = False
    role: str = "bold"
    editor: Editor = field(default_factory=Editor)
    live: Callable[[str], None] | None = None
    command: bool = False
    offers: list[str] = field(default_factory=list)


def ask_lines(ask: Ask, width: int) -> list[Line]:
    """The question, and under it what is typed, the place of the cursor in reverse."""
    if ask.yes_no:
        asked = wrapped(ask.question, max(width - 6, 8), ask.role)[:QUESTION_LINES_MAX]
        return [*asked[:-1], [*asked[-1], Piece("bold", " [y/N]")]]
    text, at = ask.editor.text, ask.editor.at
    before, under = clean(text[:at]), clean(text[at : at + 1]) or " "
    after = clean(text[at + 1 :])
    question = Piece(ask.role, clean(ask.question))
    room = width - cells([question]) - 2
    lines = []
    if room < min(12, cells([Piece("", text)]) + 1):
        lines = wrapped(ask.question, width, ask.role)[:QUESTION_LINES_MAX]
        question, room = Piece(ask.role, ">"), width - 3
    # The end of what stands before the cursor is what the operator looks at.
    while before and cells([Piece("", before)]) >= room:
        before = before[1:]
    typed = [question, Piece("", " " + before), Piece("cursor", under), Piece("", after)]
    lines.append(fit(typed, width))
    if ask.offers:
        lines.insert(0, fit([Piece("dim", clean("  ".join(ask.offers)))], width))
    return lines
