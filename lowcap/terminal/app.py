"""The command table as one click application: what the quick way (quick.py) does not take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from lowcap import __version__
from lowcap.control.commands import Command
from lowcap.control.protocol import Json
from lowcap.terminal.carry import run_command
from lowcap.terminal.main import call, tell_error
from lowcap.terminal.options import COLORS, TIMEOUT_S_MAX, WATCH_S_MAX, WATCH_S_MIN, Options
from lowcap.terminal.output import say
from lowcap.terminal.parse import Group, click_command, given_only

EXIT_USAGE, EXIT_INTERRUPTED = 2, 130
CarryOut = Callable[[Command, Json, Options], int]


def run_words(words: list[str], inherited: Options | None, as_json: bool) -> int:
    """Run one command line; returns its exit code, mistakes in it told.

    Raises:
        LowcapError: the command failed.
        OutputGone: nobody reads any more.
    """
    try:
        result = build().main(words, prog_name="lowcapctl", standalone_mode=False, obj=inherited)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        message, _, hint = error.format_message().partition("\nhint: ")
        tell_error(message, hint or _where_to_look(error), "usage", as_json)
        return EXIT_USAGE
    except click.Abort:
        return EXIT_INTERRUPTED
    return result if isinstance(result, int) else 0


def _where_to_look(error: click.ClickException) -> str:
    """The help page that is nearest to a mistake."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{context.command_path} --help" if context is not None else "lowcapctl --help"


def build(carry_out: CarryOut = run_command) -> Group:
    """The click application, made from the command table; ``carry_out`` gets what was typed."""
    return Group(
        "lowcapctl",
        lambda command: _with_callback(command, carry_out),
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


def _with_callback(command: Command, carry_out: CarryOut) -> click.Command:
    @click.pass_obj
    def callback(options: Options, /, **given: Any) -> None:  # noqa: ANN401
        shared = {name: given.pop(name) for name in SHARED & set(given)}
        code = carry_out(command, given_only(given), options.merged(shared))
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


class _Seconds(click.FloatRange):
    """A number of seconds: no infinity, and nothing that is no number."""

    def convert(
        self,
        value: Any,  # noqa: ANN401
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401
        """The number."""
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return number


_Row = tuple[tuple[str, ...], str, dict[str, Any]]
_TABLE: tuple[_Row, ...] = (
    (("--json",), "as_json", {"is_flag": True, "help": "print one JSON document"}),
    (("--csv",), "as_csv", {"is_flag": True, "help": "print comma-separated values"}),
    (("--format",), "template", {"help": "a line for each row, as '{symbol} {qty}'"}),
    (("--header",), "header", {"is_flag": True, "help": "a header line on piped rows"}),
    (("--watch",), "watch_s", {"help": "ask again every so many seconds", "metavar": "SECONDS"}),
    (("--timeout",), "timeout_s", {"help": "seconds to wait for the reply; 0: for ever"}),
    (("--yes", "-y"), "yes", {"is_flag": True, "help": "do not ask"}),
    (("--socket", "-s"), "socket", {"help": "the daemon's control socket"}),
    (("--instance", "-i"), "instance", {"help": "the daemon lowcapd@INSTANCE"}),
    (("--color",), "color", {"help": "colour; NO_COLOR is respected"}),
)
SHARED = frozenset(name for _, name, _ in _TABLE)


def shared_options(taken: Iterable[str] = (), *, hidden: bool = False) -> list[click.Parameter]:
    """The shared options, less those words that a command has ``taken`` for itself."""
    own = set(taken)
    made: list[click.Parameter] = []
    for words, name, more in _TABLE:
        free = [word for word in words if word not in own]
        if words[0] in own:
            continue
        made.append(click.Option([*free, name], hidden=hidden, **_kind(name), **more))
    return made


def _kind(name: str) -> dict[str, Any]:
    if name == "timeout_s":
        return {"type": _Seconds(0, TIMEOUT_S_MAX)}
    if name == "watch_s":
        return {"type": _Seconds(WATCH_S_MIN, WATCH_S_MAX)}
    if name == "color":
        return {"type": click.Choice(COLORS)}
    return {}
