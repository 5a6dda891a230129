"""Completion as a pure function: the line so far and a snapshot in, candidates out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lowcap.control.commands import BY_NAME, COMMANDS, Command


class Candidate(NamedTuple):
    """A word that would fit, with a few words about it."""

    word: str
    meta: str


class Snapshot(NamedTuple):
    """What completion knows of the daemon."""

    positions: Sequence[str] = ()
    traces: Sequence[str] = ()
    feeds: Sequence[str] = ()
    triggers: Sequence[str] = ()


def complete(line: str, snapshot: Snapshot) -> list[Candidate]:
    """Candidates for the last word of ``line``."""
    words = line.split(" ")
    typed = words[-1]
    if len(words) == 1:
        found = [Candidate(command.name, command.help) for command in COMMANDS]
        found += [Candidate("help", "what can be typed"), Candidate("quit", "leave the prompt")]
        return _matching(typed, found)
    if words[0] == "help":
        return _matching(typed, [Candidate(c.name, c.help) for c in COMMANDS])
    command = BY_NAME.get(words[0])
    return _matching(typed, _arguments(command, words, snapshot)) if command else []


def _arguments(command: Command, words: list[str], snapshot: Snapshot) -> list[Candidate]:
    found: list[Candidate] = []
    if not words[-1].startswith("-"):
        place = len([word for word in words[1:-1] if not word.startswith("-")])
        for argument in command.arguments[place : place + 1]:
            found += [Candidate(choice, f"{command.name} {choice}") for choice in argument.choices]
            words_of = {
                "position": (snapshot.positions, "open position"),
                "symbol": (snapshot.positions, "open position"),
                "trace": (snapshot.traces, "trace"),
                "feed": (snapshot.feeds, "feed"),
                "trigger": (snapshot.triggers, "trigger"),
            }
            known, meta = words_of.get(argument.kind, ((), ""))
            found += [Candidate(word, meta) for word in known]
    given = set(words[1:-1])
    found += [
        Candidate(f"--{option.name}", option.help)
        for option in command.options
        if f"--{option.name}" not in given
    ]
    return found


def _matching(typed: str, candidates: list[Candidate]) -> list[Candidate]:
    """Those that begin with what was typed, then those that hold its letters in order."""
    wanted = typed.lower()
    first = [c for c in candidates if c.word.lower().startswith(wanted)]
    if not wanted:
        return first
    return first + [c for c in candidates if c not in first and _in_order(wanted, c.word.lower())]


def _in_order(letters: str, word: str) -> bool:
    rest = iter(word)
    return all(letter in rest for letter in letters)
