"""``lowcapctl help``: commands with their examples, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import click

from lowcap.control.commands import BY_NAME, COMMANDS, Command
from lowcap.control.protocol import Json
from lowcap.core.errors import CommandError
from lowcap.terminal.options import Options
from lowcap.terminal.output import finish, json_text, say
from lowcap.terminal.parse import click_command
from lowcap.terminal.table import terminal_columns, wrap

NAMES_WIDTH = 12


class Topic(NamedTuple):
    """A page that is about no single command: paragraphs, then rows of a word and its meaning."""

    help: str
    text: tuple[str, ...]
    rows: tuple[tuple[str, str], ...] = ()


EXIT_CODES: tuple[tuple[str, str], ...] = (
    ("0", "done; a probe says yes"),
    ("1", "failed; a report says that something is not well"),
    ("2", "a mistake in what was typed"),
    ("3", "no daemon answers; a probe says no"),
    ("4", "refused by a guard, a hold or the mode"),
    ("5", "not permitted to you"),
    ("6", "no answer in time: what was asked for may have been done"),
    ("7", "done in part"),
    ("10", "a confirmation is needed: say --yes"),
    ("130", "interrupted"),
)
TOPICS: dict[str, Topic] = {
    "exit-codes": Topic("what the exit code of a command says", (), EXIT_CODES),
    "output": Topic(
        "tables for people, values for programs",
        (
            "On a terminal rows are a table. In a pipe they are tab-separated, without a "
            "header unless --header asks for one. Errors and hints go to standard error.",
            "Colour is never the only sign of anything. NO_COLOR turns it off, --color decides.",
        ),
        (
            ("--json", "one document; records of events and logs are a document a line"),
            ("--csv", "comma-separated, with a header; keys within keys joined by a dot"),
            ("--format", "a line for each row: '{symbol} {unrealized_usd:>10.2f}', \\t and \\n"),
            ("--watch N", "again every N seconds: drawn over itself, in a pipe one after another"),
        ),
    ),
    "scripts": Topic(
        "several commands at once",
        (
            "Commands stand on standard input, a line each, or after -c, with ; between them. "
            "A # begins a comment. The first failure ends the script with its exit code.",
            "Whatever would ask a person ends with exit code 10 unless --yes is given.",
        ),
        (
            ("-c", 'lowcapctl -c "pause --reason news; close --all --yes"'),
            ("pipe", "printf 'status\\npositions\\n' | lowcapctl"),
            ("probe", "lowcapctl is-flat || lowcapctl close --all --yes"),
            ("wait", "lowcapctl wait ready --timeout 30 && lowcapctl resume"),
        ),
    ),
    "socket": Topic(
        "which daemon is meant, and who may talk to it",
        (
            "The first of these that is given or there is taken.",
            "Whoever can open the socket may look. The groups lowcap-trade and lowcap-admin "
            "may do more; the daemon asks the kernel who is calling.",
        ),
        (
            ("--socket", "a path"),
            ("--instance", "the daemon lowcapd@NAME: lowcap-NAME/control.sock in $XDG_RUNTIME_DIR "
             "or /run"),
            ("variable", "$LOWCAP_SOCKET, a path"),
            ("user", "$XDG_RUNTIME_DIR/lowcap/control.sock"),
            ("service", "/run/lowcap/control.sock"),
            ("private", "lowcap-UID/control.sock under $TMPDIR or /tmp"),
        ),
    ),
}  # fmt: skip


def help_page(params: Json, options: Options) -> int:
    """Print a page of help, or all of them as JSON.

    Raises:
        CommandError: there is no such command or topic.
    """
    name = str(params.get("topic") or "")
    command, topic = BY_NAME.get(name), TOPICS.get(name)
    if name and command is None and topic is None:
        from difflib import get_close_matches

        near = get_close_matches(name, [*BY_NAME, *TOPICS], n=1)
        known = f"did you mean {near[0]!r}?" if near else "lowcapctl help lists all"
        raise CommandError(f"no command and no topic {name!r}", hint=known)
    if options.as_json:
        say(json_text([command_row(c) for c in ([command] if command else COMMANDS)], indent=2))
    else:
        columns = min(terminal_columns(), 100)
        for line in _lines(command, topic, columns):
            say(line)
    finish()
    return 0


def command_row(command: Command) -> Json:
    """An entry of the command table for programs."""
    return {
        "name": command.name,
        "help": command.help,
        "role": command.role,
        "aliases": list(command.aliases),
        "arguments": [argument.name for argument in command.arguments],
        "options": [f"--{option.name}" for option in command.options],
        "examples": [f"lowcapctl {example}" for example in command.examples],
    }


def _lines(command: Command | None, topic: Topic | None, columns: int) -> list[str]:
    if command is not None:
        return command_help(command, columns).splitlines()
    if topic is not None:
        lines = [line for text in topic.text for line in [*wrap(text, columns, indent=0), ""]]
        return lines + _listed(topic.rows, columns)
    rows = [(each.name, each.help) for each in COMMANDS]
    title = "lowcapctl [OPTIONS] COMMAND: control a running lowcap daemon."
    lines = [*wrap(title, columns, indent=2), ""]
    lines += _listed(rows, columns)
    lines += ["", "Topics (lowcapctl help TOPIC):"]
    return lines + _listed([(name, each.help) for name, each in TOPICS.items()], columns)


def _listed(rows: Iterable[tuple[str, str]], columns: int) -> list[str]:
    return [
        line
        for word, meaning in rows
        for line in wrap(f"  {word:<{NAMES_WIDTH}}{meaning}", columns, indent=NAMES_WIDTH + 2)
    ]


def command_help(command: Command, columns: int) -> str:
    """The help of a command with its examples, as ``--help`` prints it."""
    with click.Context(
        click_command(command, lambda taken: []),
        info_name=f"lowcapctl {command.name}",
        terminal_width=columns,
        max_content_width=columns,
    ) as context:
        return context.get_help()
