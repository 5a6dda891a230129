"""Which words a command line still lacks, and how the prompt asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lowcap.control.commands import Command
from lowcap.control.entry import VIEW


class Question(NamedTuple):
    """One thing to ask. ``kind`` names what completes it; ``before`` goes before the answer."""

    text: str
    kind: str
    choices: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    may_be_empty: bool = False


def questions(command: Command, words: Sequence[str]) -> list[Question]:
    """What to ask for after ``words`` (those after the command), in order.

    Asked is only for commands that change something: one that looks says by itself
    what it lacks. Whoever typed ``--help``, or what cannot be understood, is not asked.
    """
    if command.role_for({"action": words[0]} if words else {}) == VIEW or "--help" in words:
        return []
    given = _arguments(command, words)
    if given is None:
        return []
    if command.name == "close":
        if given or "--all" in words:
            return []
        return [Question("symbol, or all", "position", ("all",))]
    lacking = [
        Question(_text(argument.name, argument.choices), argument.kind, argument.choices)
        for argument in command.arguments[given:]
        if argument.required
    ]
    has_size = any(word.partition("=")[0] in ("--usd", "--qty") for word in words)
    if command.name == "trade" and lacking and not has_size:
        text = "usd, nothing for as large as a signal's"
        lacking.append(Question(text, "", (), ("--usd",), may_be_empty=True))
    return lacking


def with_answer(words: Sequence[str], question: Question, answer: str) -> list[str]:
    """The words of the line with one more answer."""
    if not answer:
        return list(words)
    if answer == "all" and question.kind == "position":
        return [*words, "--all"]
    return [*words, *question.before, answer]


def _text(name: str, choices: Sequence[str]) -> str:
    return f"{name} ({'/'.join(choices)})" if choices else name


def _arguments(command: Command, words: Sequence[str]) -> int | None:
    """How many arguments were given; None where an option is not one of the table."""
    takes_word: dict[str, bool] = {"--json": False, "--yes": False, "-y": False}
    for option in command.options:
        takes_word |= {name: not option.flag for name in (f"--{option.name}", option.short) if name}
    count, rest = 0, iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if not word.startswith("-"):
            count += 1
        elif name not in takes_word:
            return None
        elif takes_word[name] and not equals:
            next(rest, None)
    return count
