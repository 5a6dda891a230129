"""Commands from standard input or ``-c``: cut into words as a shell does, stopped by a failure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator

import click

Run = Callable[[list[str]], int]


def commands_in(text: str) -> Iterator[list[str]]:
    """The commands of a line, with ``;`` between them and ``#`` before a comment.

    Raises:
        UsageError: a quote is not closed.
    """
    for part in _parts(text):
        try:
            words = shlex.split(part)
        except ValueError as error:
            raise click.UsageError(f"{text.strip()!r}: {error}") from None
        if words:
            yield words


def _parts(text: str) -> Iterator[str]:
    """What stands between the semicolons that are neither quoted nor escaped, up to a comment."""
    quote, escaped, part = "", False, ""
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#":
            break
        elif character == ";":
            yield part
            part = ""
            continue
        part += character
    yield part


def run_given(texts: Iterable[str], run: Run) -> int:
    """Carry out what ``-c`` gave; nothing of it is done where it cannot all be read."""
    return _run([words for text in texts for line in text.split("\n") for words in
                 commands_in(line)], run)  # fmt: skip


def run_lines(lines: Iterable[str], run: Run) -> int:
    """Carry out a line when it comes; returns the exit code of the first failure, else 0."""
    return _run((words for line in lines for words in commands_in(line)), run)


def _run(commands: Iterable[list[str]], run: Run) -> int:
    for words in commands:
        if code := run(words):
            return code
    return 0
