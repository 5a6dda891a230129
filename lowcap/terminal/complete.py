"""Completion as a pure function: the line so far and a snapshot in, candidates out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lowcap.control.commands import ADMIN, BY_NAME, COMMANDS, TRADE, VIEW, Command, Option


class Candidate(NamedTuple):
    """A word that would fit, with a few words about it."""

    word: str
    meta: str


class Snapshot(NamedTuple):
    """What completion knows of the daemon. Nothing is hidden while ``state`` is not known.

    ``symbols`` are all that can be traded, in the order in which they are to be offered;
    ``traces`` are numbers with what they were about, newest first.
    """

    positions: Sequence[str] = ()
    traces: Sequence[str | tuple[str, str]] = ()
    feeds: Sequence[str] = ()
    triggers: Sequence[str] = ()
    symbols: Sequence[str] = ()
    locks: Sequence[str] = ()
    keys: Sequence[str] = ()
    state: str = ""
    mode: str = ""
    armed: bool = False
    held: bool = False
    recording: bool = False
    role: str = ""


# Values of options whose words the table does not list.
_WORDS_OF_OPTION = {
    "by": ("trigger", "symbol", "feed", "day"),
    "for": ("30s", "5m", "30m", "2h"),
    "pct": ("25", "50", "75", "100"),
    "priority": ("debug", "info", "warning", "error"),
    "days": ("1", "7", "30"),
}
_RANKS = (VIEW, TRADE, ADMIN)
EXTRA_WORDS = (Candidate("help", "what can be typed"), Candidate("quit", "leave the prompt"))


def complete(line: str, snapshot: Snapshot, topics: Sequence[str] = ()) -> list[Candidate]:
    """Candidates for the last word of ``line``; ``topics`` are pages of help beside commands."""
    words = line.split(" ")
    typed = words[-1]
    hidden = forbidden(snapshot)
    if len(words) == 1:
        shown = [c for c in COMMANDS if c.name not in hidden]
        found = [Candidate(command.name, command.help) for command in shown]
        extra = [word for word in EXTRA_WORDS if word.word not in BY_NAME]
        return _matching(typed, [*found, *extra])
    if words[0] == "help":
        if len(words) > 2:
            return []
        found = [Candidate(c.name, c.help) for c in COMMANDS]
        return _matching(typed, found + [Candidate(topic, "about") for topic in topics])
    command = BY_NAME.get(words[0])
    return _matching(typed, _arguments(command, words, snapshot, hidden)) if command else []


def forbidden(snapshot: Snapshot) -> set[str]:
    """Commands, and actions as ``command action``, that state or role forbid.

    They are not offered; whoever types them is told why not.
    """
    if not snapshot.state:
        return _above(snapshot.role)
    rules = {
        "resume": snapshot.state == "ACTIVE" and not snapshot.held,
        "pause": snapshot.state in ("HALTED", "STOPPING"),
        "arm": snapshot.armed or snapshot.mode == "dry",
        "disarm": not snapshot.armed,
        "unlock": not snapshot.locks,
        "captures record": snapshot.recording,
        "captures stop": not snapshot.recording,
    }
    rules |= dict.fromkeys(("trade", "long", "short"), snapshot.state != "ACTIVE")
    rules |= dict.fromkeys(("close", "position", "stop"), not snapshot.positions)
    return _above(snapshot.role) | {name for name, applies in rules.items() if applies}


def _above(role: str) -> set[str]:
    """What a session of this role may not do."""
    if role not in _RANKS:
        return set()
    mine = _RANKS.index(role)
    whole = {c.name for c in COMMANDS if _RANKS.index(c.role) > mine}
    return whole | {
        f"{c.name} {action}" for c in COMMANDS for action, r in c.roles if _RANKS.index(r) > mine
    }


def _arguments(
    command: Command, words: list[str], snapshot: Snapshot, hidden: set[str]
) -> list[Candidate]:
    takers = {
        name: option
        for option in command.options
        if not option.flag
        for name in (f"--{option.name}", option.short)
        if name
    }
    before = words[1:-1]
    if before and before[-1] in takers:
        return _values(takers[before[-1]], snapshot)
    if words[-1].startswith("-"):
        return _options(command, before)
    place = sum(
        1
        for number, word in enumerate(before)
        if word and not word.startswith("-") and not (number and before[number - 1] in takers)
    )
    found: list[Candidate] = []
    for argument in command.arguments[place : place + 1]:
        found += [
            Candidate(choice, f"{command.name} {choice}")
            for choice in argument.choices
            if f"{command.name} {choice}" not in hidden
        ]
        found += _known(argument.kind, snapshot)
    return found + _options(command, before)


def _values(option: Option, snapshot: Snapshot) -> list[Candidate]:
    """What may follow an option."""
    if option.name in ("feed", "feeds"):
        return _known("feed", snapshot)
    return [Candidate(word, option.help) for word in _WORDS_OF_OPTION.get(option.name, ())]


def _options(command: Command, given: Sequence[str]) -> list[Candidate]:
    return [
        Candidate(f"--{option.name}", option.help)
        for option in command.options
        if f"--{option.name}" not in given
    ]


def _known(kind: str, snapshot: Snapshot) -> list[Candidate]:
    """The words of a kind that the daemon has told."""
    held = [Candidate(symbol, "open position") for symbol in snapshot.positions]
    if kind == "position":
        return held
    if kind == "symbol":
        others = [symbol for symbol in snapshot.symbols if symbol not in snapshot.positions]
        return held + [Candidate(symbol, "contract") for symbol in others]
    if kind == "trace":
        pairs = [(trace, "") if isinstance(trace, str) else trace for trace in snapshot.traces]
        return [Candidate(trace, about or "trace") for trace, about in pairs]
    words = {
        "feed": snapshot.feeds,
        "trigger": snapshot.triggers,
        "lock": snapshot.locks,
        "key": snapshot.keys,
    }
    return [Candidate(word, kind) for word in words.get(kind, ())]


def _matching(typed: str, candidates: list[Candidate]) -> list[Candidate]:
    """Those that begin with what was typed, those that contain it, those with its letters in order.

    Within each of them the given order stays.
    """
    wanted = typed.lower()
    ranked = [(_rank(wanted, candidate.word.lower()), candidate) for candidate in candidates]
    return [c for _, c in sorted((pair for pair in ranked if pair[0] < 3), key=lambda p: p[0])]


def _rank(wanted: str, word: str) -> int:
    if word.startswith(wanted):
        return 0
    if wanted in word:
        return 1
    rest = iter(word)
    return 2 if all(letter in rest for letter in wanted) else 3
