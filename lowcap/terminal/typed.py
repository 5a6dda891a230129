"""What was typed at the prompt: understood by the command table, and the help on it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lowcap.control.client import CallFailed
from lowcap.control.commands import BY_NAME, COMMANDS, VIEW, Command
from lowcap.control.protocol import Json
from lowcap.terminal.parse import click_command, given_only
from lowcap.terminal.prompt_topics import TOPICS
from lowcap.terminal.table import terminal_columns, wrap

WATCH_EVERY_S, WATCH_AT_LEAST_S, WATCH_AT_MOST_S = 2.0, 1.0, 86_400.0

_FORMS = frozenset({"--format", "--csv", "--header", "--prom"})


def parse_words(command: Command, words: Sequence[str]) -> Json:
    """The parameters of a command line, by the same table as one-liners, and ``as_json``.

    Raises:
        CallFailed: it cannot be understood.
    """
    try:
        context = click_command(command).make_context(command.name, list(words))
    except click.ClickException as error:
        raise CallFailed(
            error.format_message(), hint=f"help {command.name}", code="usage"
        ) from None
    given = given_only(context.params)
    known = {argument.name for argument in command.arguments}
    known |= {option.name.replace("-", "_") for option in command.options}
    params = {name: value for name, value in given.items() if name in known}
    if given.get("yes"):
        params["confirm"] = True
    if given.get("as_json"):
        params["as_json"] = True
    return params


def take_watch(words: Sequence[str]) -> tuple[list[str], float | None]:
    """The words without ``--watch [N]``, and every how many seconds to look again.

    Raises:
        CallFailed: that is no number of seconds.
    """
    left: list[str] = []
    every_s: float | None = None
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name != "--watch":
            left.append(name + equals + value)
            continue
        if not equals and rest and rest[0][:1].isdigit():
            value = rest.pop(0)
        every_s = _seconds(value) if value or equals else WATCH_EVERY_S
    return left, every_s


def _seconds(text: str) -> float:
    try:
        every_s = float(text.removesuffix("s"))
    except ValueError:
        every_s = 0.0
    if not WATCH_AT_LEAST_S <= every_s <= WATCH_AT_MOST_S:
        raise CallFailed(
            f"--watch {text[:20]!r}: expected seconds, at least {WATCH_AT_LEAST_S:g}",
            hint="positions --watch 2",
            code="usage",
        )
    return every_s


def shapes_output(command: Command, words: Sequence[str]) -> bool:
    """Whether a line asks for a form of output that is the one-liner's.

    Only where nothing is changed: what a line does must not depend on how it is shown.
    """
    asked = {word.partition("=")[0] for word in words} & _FORMS
    wants = bool(asked) or words[:1] == ["export"]
    return wants and command.role_for({"action": words[0]}) == VIEW


def is_ours(words: Sequence[str]) -> bool:
    """Whether the prompt has this page of help itself."""
    return not words or words[0] in TOPICS or words[0] in BY_NAME


def help_on(line: str) -> str:
    """Help on the command or topic that ``line`` begins with, else on all of them."""
    words = [word for word in line.split() if word != "help"]
    name = words[0] if words else ""
    columns = terminal_columns()
    if name in TOPICS:
        return TOPICS[name]
    command = BY_NAME.get(name)
    if command is not None:
        parsed = click_command(command)
        with click.Context(parsed, info_name=command.name, terminal_width=columns) as context:
            return parsed.get_help(context).replace("\n  lowcapctl ", "\n  ")
    width = max(len(command.name) for command in COMMANDS)
    lines: list[str] = []
    for command in COMMANDS:
        lines += wrap(f"  {command.name:<{width}}  {command.help}", columns, indent=width + 4)
    lines += wrap(f"help COMMAND tells more; also: {', '.join(TOPICS)}", columns, indent=2)
    return "\n".join(lines)
