"""``lowcapctl``: one-liners, commands on standard input, and the door to the REPL.

A one-liner loads neither Trio nor httpx nor prompt-toolkit: it must be there
at once when it is needed most.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from lowcap import __version__
from lowcap.control.client import CallFailed, Connection, socket_candidates
from lowcap.control.commands import COMMANDS, Command
from lowcap.control.protocol import EXIT_OF_CODE, Json
from lowcap.core.errors import LowcapError
from lowcap.terminal.money import csv_text
from lowcap.terminal.news import frame_lines
from lowcap.terminal.output import OutputGone, cell, complain, finish, json_text, say
from lowcap.terminal.parse import Group, click_command, given_only
from lowcap.terminal.render import ROW_KEYS, event_lines, log_lines, page_of, render
from lowcap.terminal.table import Style, terminal_columns, wants_colour

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
TIMEOUT_S = 10.0
SLOW_COMMANDS_S = {"panic": 120.0, "close": 60.0}
PIPE_COLUMNS = 10_000


class Options:
    """The options that every command shares."""

    def __init__(
        self,
        as_json: bool,
        yes: bool,
        header: bool,
        colour: str,
        socket: str,
        timeout_s: float | None,
    ) -> None:
        self.as_json = as_json
        self.yes = yes
        self.header = header
        self.colour = colour
        self.socket = socket
        self.timeout_s = timeout_s

    def as_words(self) -> list[str]:
        """The same options for the next command line."""
        words = ["--json"] * self.as_json + ["--yes"] * self.yes + ["--header"] * self.header
        words += ["--color", self.colour, "--socket", self.socket]
        return words + (["--timeout", str(self.timeout_s)] if self.timeout_s is not None else [])

    def patience_s(self, command: Command) -> float | None:
        """How long to wait for the reply to a command; None: for ever."""
        if self.timeout_s is None:
            return SLOW_COMMANDS_S.get(command.name, TIMEOUT_S)
        return self.timeout_s or None


def build() -> Group:
    """The click application, made from the command table."""
    app = Group(
        "lowcapctl",
        invoke_without_command=True,
        callback=_start,
        help="Control a running lowcap daemon. Without a command: an interactive prompt.",
        params=[
            click.Option(["--json", "as_json"], is_flag=True, help="print one JSON document"),
            click.Option(["--yes", "-y"], is_flag=True, help="do not ask"),
            click.Option(["--header"], is_flag=True, help="a header line on piped rows"),
            click.Option(["--color"], type=click.Choice(["auto", "always", "never"]),
                         default="auto", help="colour; NO_COLOR is respected"),
            click.Option(["--socket", "-s"], default="", help="the daemon's control socket"),
            click.Option(["--timeout"], type=click.FloatRange(0, 1e6), default=None,
                         help="seconds to wait for the reply; 0: for ever"),
            click.Option(["--version"], is_flag=True, help="print the version and leave"),
        ],
    )  # fmt: skip
    for command in COMMANDS:
        app.add_command(_with_callback(command))
    return app


def _with_callback(command: Command) -> click.Command:
    @click.pass_obj
    def callback(options: Options, /, as_json: bool, yes: bool, **given: Any) -> None:  # noqa: ANN401
        options.as_json |= as_json
        options.yes |= yes
        code = run_command(command, given_only(given), options)
        if code:
            raise click.exceptions.Exit(code)

    parsed = click_command(command)
    parsed.callback = callback
    return parsed


@click.pass_context
def _start(
    context: click.Context,
    as_json: bool,
    yes: bool,
    header: bool,
    color: str,
    socket: str,
    timeout: float | None,
    version: bool,
) -> None:
    if timeout is not None and not timeout >= 0:
        raise click.BadParameter("'nan' is no number of seconds", context, param_hint="'--timeout'")
    context.obj = Options(as_json, yes, header, color, socket, timeout)
    if version:
        say(f"lowcapctl {__version__}")
        context.exit()
    if context.invoked_subcommand is not None:
        return
    if sys.stdin.isatty():
        from lowcap.terminal.repl import run_repl

        context.exit(run_repl(socket_candidates(socket, os.environ), color))
    context.exit(_run_lines(context.obj))


def _run_lines(options: Options) -> int:
    """Commands from standard input, a line each; stops at the first that fails."""
    import shlex

    for line in sys.stdin:
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise click.UsageError(f"{line.strip()!r}: {error}") from None
        if words:
            code = call(options.as_words() + words)
            if code:
                return code
    return 0


def run_command(command: Command, params: Json, options: Options) -> int:
    """Carry out one command against the daemon; returns the exit code."""
    places = socket_candidates(options.socket, os.environ)
    if params.get("direct"):
        from lowcap.terminal.direct import panic_directly

        return panic_directly(
            *(params, places), yes=options.yes, as_json=options.as_json, timeout_s=options.timeout_s
        )
    if command.local:
        from importlib import import_module

        module, _, function = command.local.partition(":")
        code: int = getattr(import_module(f"lowcap.terminal.{module}"), function)(params, options)
        return code
    connection = Connection(places, options.patience_s(command))
    try:
        if command.danger:
            params["confirm"] = options.yes
            try:
                value = connection.call(command.name, params)
            except CallFailed as failure:
                if failure.code != "confirm" or not sys.stdin.isatty() or options.as_json:
                    raise
                if not _confirmed(failure):
                    return EXIT_OF_CODE["confirm"]
                value = connection.call(command.name, params | {"confirm": True})
        else:
            value = connection.call(command.name, params)
        if command.name == "version" and isinstance(value, dict):
            value = {"client": __version__, **value}
        _print(command, params, value, options)
        finish()
        if command.follows(params):
            _follow(command, connection, options)
        if isinstance(value, dict) and value.get("valid") is False:
            return EXIT_FAILED
    finally:
        connection.close()
    return 0


def _confirmed(failure: CallFailed) -> bool:
    """Ask for the word that the daemon's hint names."""
    word = failure.hint.removeprefix("type ").partition(" to go on")[0]
    click.echo(failure.message, err=True)
    typed: str = click.prompt(f"Type {word} to go on", default="", show_default=False, err=True)
    return typed.strip() == word


def _print(command: Command, params: Json, value: Any, options: Options) -> None:  # noqa: ANN401
    if options.as_json:
        if command.stream and isinstance(value, list):
            for row in value:
                say(json_text(row))
        else:
            say(json_text(value, indent=2))
        return
    page = page_of(command, params)
    keys = ROW_KEYS.get(page)
    if keys and command.name == "trades" and ("csv" in params or page == "trades export"):
        say(csv_text(value, keys).removesuffix("\n"))
        return
    if isinstance(value, list) and keys and not sys.stdout.isatty() and not command.stream:
        if options.header:
            say("\t".join(keys))
        for row in value:
            say("\t".join(cell(row.get(key)) for key in keys))
        return
    style = Style(wants_colour(options.colour, os.environ))
    # A file is no page: its lines stay whole.
    columns = sys.maxsize if page == "config export" else _columns(command)
    for line in render(page, value, style, columns):
        say(line)


def _columns(command: Command) -> int:
    """Records in a pipe are a line each, however long."""
    if command.stream and not sys.stdout.isatty():
        return PIPE_COLUMNS
    return terminal_columns()


def _follow(command: Command, connection: Connection, options: Options) -> None:
    style = Style(wants_colour(options.colour, os.environ))
    for event in connection.events():
        if options.as_json:
            say(json_text(event))
        else:
            for line in _followed(command, event, style):
                say(line)
        finish()


def _followed(command: Command, event: Json, style: Style) -> list[str]:
    if command.name == "logs":
        return log_lines(event, style, _columns(command))
    if command.name == "feed":
        return frame_lines(event, style, _columns(command))
    return event_lines(event, style, _columns(command))


def call(words: list[str]) -> int:
    """Run one command line; returns its exit code, errors told on stderr (or as JSON)."""
    as_json = "--json" in words
    try:
        result = build().main(words, prog_name="lowcapctl", standalone_mode=False)
        finish()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        message, _, hint = error.format_message().partition("\nhint: ")
        _tell_error(message, hint or _where_to_look(error), "usage", as_json)
        return EXIT_USAGE
    except LowcapError as error:
        _tell_error(error.message, error.hint, error.code, as_json)
        return EXIT_OF_CODE.get(error.code, EXIT_FAILED)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except OutputGone:
        return 0  # whoever read our output has had enough
    return result if isinstance(result, int) else 0


def _where_to_look(error: click.ClickException) -> str:
    """The help page that is nearest to a mistake."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{context.command_path} --help" if context is not None else "lowcapctl --help"


def _tell_error(message: str, hint: str, code: str, as_json: bool) -> None:
    if not as_json:
        complain(message, hint)
        return
    try:
        say(json_text({"error": {"code": code, "message": message, "hint": hint}}))
        finish()
    except OutputGone:
        return  # the exit code still tells


def main() -> None:
    """Entry point of ``lowcapctl``."""
    code = call(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
