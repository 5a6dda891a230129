"""One command carried out against the daemon, without any library that takes time to load."""

from __future__ import annotations

import sys
from typing import Any

from lowcap import __version__
from lowcap.control.client import CallFailed, Connection
from lowcap.control.commands import Command
from lowcap.control.protocol import Json
from lowcap.terminal.options import Options
from lowcap.terminal.output import complain, finish
from lowcap.terminal.show import Printer

EXIT_FAILED = 1


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
        carry_out = getattr(import_module(f"lowcap.terminal.{module}"), function)
        code: int | None = carry_out(params, options)
        if code is not None:
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
            raise CallFailed("not confirmed, nothing done", code="confirm") from None
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
    import click

    word = failure.hint.removeprefix("type ").partition(" to go on")[0]
    click.echo(failure.message, err=True)
    typed: str = click.prompt(f"Type {word} to go on", default="", show_default=False, err=True)
    return typed.strip() == word
