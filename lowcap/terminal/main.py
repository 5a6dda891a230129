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
from lowcap.control.client import CallFailed, Connection
from lowcap.control.commands import Command
from lowcap.control.protocol import EXIT_OF_CODE, Json
from lowcap.core.errors import LowcapError
from lowcap.terminal.options import SHARED, Options, shared_options
from lowcap.terminal.output import OutputGone, complain, finish, json_text, say
from lowcap.terminal.parse import Group, click_command, given_only
from lowcap.terminal.show import Printer

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def build() -> Group:
    """The click application, made from the command table."""
    return Group(
        "lowcapctl",
        _with_callback,
        invoke_without_command=True,
        callback=_start,
        help="Control a running lowcap daemon. Without a command: an interactive prompt.",
        epilog="These options may stand before a command or after it. lowcapctl help tells more.",
        params=[
            *shared_options(),
            click.Option(["-c", "given"], multiple=True, metavar="COMMANDS",
                         help="carry out these commands, with ; between them"),
            click.Option(["--version"], is_flag=True, help="print the version and leave"),
        ],
    )  # fmt: skip


def _with_callback(command: Command) -> click.Command:
    @click.pass_obj
    def callback(options: Options, /, **given: Any) -> None:  # noqa: ANN401
        shared = {name: given.pop(name) for name in SHARED & set(given)}
        code = run_command(command, given_only(given), options.merged(shared))
        if code:
            raise click.exceptions.Exit(code)

    parsed = click_command(command, lambda taken: shared_options(taken, hidden=True))
    parsed.callback = callback
    return parsed


@click.pass_context
def _start(
    context: click.Context,
    /,
    given: tuple[str, ...],
    version: bool,
    **shared: Any,  # noqa: ANN401
) -> None:
    inside = context.obj is not None
    options = context.obj = (context.obj or Options()).merged(shared)
    if version:
        say(f"lowcapctl {__version__}")
        context.exit()
    if given and context.invoked_subcommand is not None:
        raise click.UsageError(f"-c and {context.invoked_subcommand!r}: one of them, not both")
    if context.invoked_subcommand is not None:
        return
    if inside:
        raise click.UsageError("options, and no command")
    if given or not sys.stdin.isatty():
        from lowcap.terminal.script import run_given, run_lines

        def run(words: list[str]) -> int:
            return call(words, options)

        context.exit(run_given(given, run) if given else run_lines(sys.stdin, run))
    from lowcap.terminal.repl import run_repl

    context.exit(run_repl(options.places(), options.color))


def run_command(command: Command, params: Json, options: Options) -> int:
    """Carry out one command against the daemon; returns the exit code."""
    if params.get("direct"):
        from lowcap.terminal.direct import panic_directly

        return panic_directly(
            params,
            options.places(),
            yes=options.yes,
            as_json=options.as_json,
            timeout_s=options.timeout_s,
        )
    if command.local:
        from importlib import import_module

        module, _, function = command.local.partition(":")
        code: int = getattr(import_module(f"lowcap.terminal.{module}"), function)(params, options)
        return code
    if options.watch_s is not None:
        from lowcap.terminal.watch import watch

        return watch(command, params, options)
    printer = Printer(command, params, options)
    connection = Connection(options.places(), options.patience_s(command))
    try:
        value = _ask(connection, command, params, options)
        printer.reply(value)
        finish()
        if command.follows(params):
            for event in connection.events():
                printer.event(event)
                finish()
    finally:
        connection.close()
    # What reports on health says by one word whether all is well.
    return EXIT_FAILED if isinstance(value, dict) and value.get("ok") is False else 0


def _ask(connection: Connection, command: Command, params: Json, options: Options) -> Any:  # noqa: ANN401
    """The daemon's answer, after a yes where one is needed."""
    if command.name == "version":
        return _versions(connection.call("version", params))
    if not command.danger:
        return connection.call(command.name, params)
    params["confirm"] = options.yes
    try:
        return connection.call(command.name, params)
    except CallFailed as failure:
        if failure.code != "confirm" or not sys.stdin.isatty() or options.as_json:
            raise
        if not _confirmed(failure):
            raise click.exceptions.Exit(EXIT_OF_CODE["confirm"]) from None
        return connection.call(command.name, params | {"confirm": True})


def _versions(value: Any) -> Json:  # noqa: ANN401
    """Of daemon and client; a warning where they differ."""
    daemon = value.get("daemon")
    if daemon != __version__:
        complain(
            f"the daemon is {daemon}, this client {__version__}",
            "restart the daemon after an upgrade, or install the same version on both sides",
            word="warning",
        )
    return {"client": __version__, **value, "same": daemon == __version__}


def _confirmed(failure: CallFailed) -> bool:
    """Ask for the word that the daemon's hint names."""
    word = failure.hint.removeprefix("type ").partition(" to go on")[0]
    click.echo(failure.message, err=True)
    typed: str = click.prompt(f"Type {word} to go on", default="", show_default=False, err=True)
    return typed.strip() == word


def call(words: list[str], inherited: Options | None = None) -> int:
    """Run one command line; returns its exit code, errors told on stderr (or as JSON).

    ``inherited`` are the options of the script that the line stands in.
    """
    as_json = "--json" in words or bool(inherited and inherited.as_json)
    try:
        result = build().main(words, prog_name="lowcapctl", standalone_mode=False, obj=inherited)
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
