"""The quick way in: plain lines of the commands that must be there at once, without click.

Whatever is not exactly as the command table has it goes the long way (app.py),
which then says what is wrong. For what is taken here the long way would have
come to the same command, parameters and options; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowcap.control.commands import BY_NAME, Command
from lowcap.control.protocol import Json
from lowcap.terminal.options import COLORS, Options

QUICK = frozenset(
    {
        *("status", "positions", "position", "orders", "feeds"),
        *("panic", "halt", "close", "pause", "resume"),
        *("is-armed", "is-flat", "is-healthy"),
    }
)
FLAGS = {
    "--json": "as_json", "--csv": "as_csv", "--header": "header", "--yes": "yes", "-y": "yes",
}  # fmt: skip
VALUED = {
    "--socket": "socket", "-s": "socket", "--instance": "instance", "-i": "instance",
    "--color": "color", "--format": "template", "--timeout": "timeout_s",
}  # fmt: skip

Parsed = tuple[Command, Json, Options]


def quickly(words: list[str], inherited: Options, environ: Mapping[str, str]) -> Parsed | None:
    """Command, parameters and options of a plain line; None sends it the long way.

    Raises:
        CommandError: the options contradict each other.
    """
    if "_LOWCAPCTL_COMPLETE" in environ:
        return None
    before: dict[str, Any] = {}
    place = 0
    while place < len(words) and words[place].startswith("-"):
        taken = _shared(words, place, before)
        if not taken:
            return None
        place += taken
    command = BY_NAME.get(words[place]) if place < len(words) else None
    if command is None or command.name not in QUICK or command.name != words[place]:
        return None
    after: dict[str, Any] = {}
    params = _params(command, words[place + 1 :], after)
    return None if params is None else (command, params, inherited.merged(before).merged(after))


def _shared(words: list[str], place: int, found: dict[str, Any]) -> int:
    """Take a shared option in; how many words it took, 0 where it is none that is plain."""
    word = words[place]
    name = FLAGS.get(word)
    if name is not None:
        found[name] = True
        return 1
    name = VALUED.get(word)
    if name is None or place + 1 == len(words):
        return 0
    value = words[place + 1]
    if not value or value.startswith("-") or name in found:
        return 0
    if name == "color" and value not in COLORS:
        return 0
    if name == "timeout_s":
        if not _is_number(value) or len(value) > 6:
            return 0
        found[name] = float(value)
    else:
        found[name] = value
    return 2


def _params(command: Command, words: list[str], shared: dict[str, Any]) -> Json | None:
    """Arguments and options of a command; None where they are not plain."""
    params: Json = {}
    options = {f"--{option.name}": option for option in command.options}
    options |= {option.short: option for option in command.options if option.short}
    given: list[str] = []
    place = 0
    while place < len(words):
        word = words[place]
        option = options.get(word)
        if option is not None:
            taken = _own(option.name, option.flag, option.number, words, place, params)
            taken = 0 if option.file else taken
        elif word.startswith("-"):
            taken = _shared(words, place, shared)
        else:
            given.append(word)
            taken = 1 if word else 0
        if not taken:
            return None
        place += taken
    if len(given) > len(command.arguments):
        return None
    for number, argument in enumerate(command.arguments):
        if number >= len(given):
            if argument.required:
                return None
        elif argument.choices and given[number] not in argument.choices:
            return None
        else:
            params[argument.name] = given[number]
    return params


def _own(name: str, flag: bool, number: bool, words: list[str], place: int, params: Json) -> int:
    """Take an option of the command in; how many words it took, 0 where it is not plain."""
    key = name.replace("-", "_")
    if flag:
        params[key] = True
        return 1
    value = words[place + 1] if place + 1 < len(words) else ""
    if not value or value.startswith("-") or key in params:
        return 0
    if name in ("pct", "usd") or number:
        if not _is_number(value) or len(value) > 15:
            return 0
        if name in ("pct", "usd"):
            params[key] = float(value)
        elif value.isdecimal():
            params[key] = int(value)
        else:
            return 0
    else:
        params[key] = value
    return 2


def _is_number(text: str) -> bool:
    """Digits with at most one point between them: what every parser reads alike."""
    return text.isascii() and text.replace(".", "0", 1).isdecimal() and text[0] != "."
