"""The command table as click commands: one parser for one-liners and the REPL."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lowcap.control.commands import ALIAS_FLAGS, BY_NAME, COMMANDS, Argument, Command, Option
from lowcap.control.protocol import Json

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Completes = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


class Group(click.Group):
    """Knows aliases, and suggests a command for a mistyped one.

    ``make`` turns an entry of the table into a click command, when it is asked
    for: a one-liner need not pay for the commands that it does not use.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[Command], click.Command],
        **attrs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(name, **attrs)
        self._make = make

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return [command.name for command in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The click command of a name or an alias."""
        command = BY_NAME.get(cmd_name)
        return self._make(command) if command else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with flags of aliases and a hint for what is near."""
        if args and args[0] in ALIAS_FLAGS:
            args = [args[0], *ALIAS_FLAGS[args[0]], *args[1:]]
        known = not args or args[0] in BY_NAME or args[0].startswith("-")
        if not known and not ctx.resilient_parsing:
            ctx.fail(unknown_command(args[0]))
        return super().resolve_command(ctx, args)


def unknown_command(name: str) -> str:
    """The sentence for a word that is no command."""
    import difflib

    near = difflib.get_close_matches(name, BY_NAME, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "lowcapctl --help lists all"
    return f"no such command {name!r}\nhint: {hint}"


def click_command(
    command: Command, shared: Callable[[list[str]], list[click.Parameter]] | None = None
) -> click.Command:
    """A command of the table as a click command, to parse with; it does nothing yet.

    ``shared`` gives the options that all commands know, less the words that
    this one has taken; without it they are ``--json`` and ``--yes``.
    """
    params: list[click.Parameter] = [
        click.Argument(
            [argument.name],
            required=argument.required,
            type=click.Choice(argument.choices) if argument.choices else None,
            callback=partial(_word_or_file, argument) if argument.file_for else None,
            shell_complete=None if argument.choices else _completes(argument.kind),
        )
        for argument in command.arguments
    ]
    for option in command.options:
        names = [f"--{option.name}", option.name.replace("-", "_")]
        names += [option.short] if option.short else []
        if option.flag:
            params.append(click.Option(names, is_flag=True, help=option.help))
        else:
            completes = _completes("file" if option.file else option.name)
            params.append(
                click.Option(
                    names, type=_kind_of(option), help=option.help, shell_complete=completes
                )
            )
    if shared is not None:
        params += shared([word for param in params for word in param.opts])
    else:
        params.append(click.Option(["--json", "as_json"], is_flag=True, help="print JSON"))
        params.append(click.Option(["--yes", "-y"], is_flag=True, help="do not ask"))
    examples = "\n".join(f"  lowcapctl {example}" for example in command.examples)
    return click.Command(
        command.name,
        params=params,
        help=command.help[0].upper() + command.help[1:] + ".",
        epilog="\b\nExamples:\n" + examples if examples else None,
    )


def _completes(kind: str) -> Completes:
    """What offers words of a kind to a shell; the daemon is asked only then."""

    def words(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem]:
        from lowcap.terminal.shells import words_of_kind

        return words_of_kind(kind, ctx, typed)

    return words


def _kind_of(option: Option) -> click.ParamType[Any] | None:
    if option.file:
        return _Contents()
    if option.name in ("pct", "usd", "qty", "price"):
        return click.FLOAT
    return click.INT if option.number else None


class _Contents(click.ParamType[str]):
    """A file on the command line, its text in the request: the daemon reads no file of ours."""

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text of the file."""
        try:
            return Path(value).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{value}: {getattr(error, 'strerror', None) or 'not text'}", param, ctx)


def _word_or_file(
    argument: Argument, context: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    """A word as it is, or the text of the file that it names; the action stands before it."""
    if value is None or context.params.get("action") not in argument.file_for:
        return value
    text = _Contents().convert(value, param, context)
    if not text.strip():
        raise click.BadParameter(f"{value}: the file is empty", context, param)
    return text


def given_only(params: Json) -> Json:
    """What was typed: neither what was left out, nor flags that are off. Zero was typed."""
    return {
        name: value
        for name, value in params.items()
        if value is not None and value != "" and value is not False
    }
