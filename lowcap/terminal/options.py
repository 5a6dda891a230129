"""The options that every command knows, before its word or after it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from lowcap.control.client import socket_candidates
from lowcap.control.commands import Command

TIMEOUT_S = 10.0
SLOW_COMMANDS_S = {"panic": 120.0, "close": 60.0}
WATCH_S_MIN, WATCH_S_MAX = 0.5, 86_400.0


class Options(NamedTuple):
    """What was asked for beside the command; times in seconds.

    ``timeout_s`` None is the command's own patience, 0 waits for ever.
    """

    as_json: bool = False
    as_csv: bool = False
    template: str | None = None
    header: bool = False
    yes: bool = False
    color: str = "auto"
    socket: str = ""
    instance: str = ""
    timeout_s: float | None = None
    watch_s: float | None = None

    def merged(self, given: Mapping[str, Any]) -> Options:
        """These options with those over them that were typed."""
        typed = {name: value for name, value in given.items() if value not in (None, False, "")}
        if given.get("timeout_s") is not None:
            typed["timeout_s"] = given["timeout_s"]  # 0 was typed
        if given.get("template") is not None:
            typed["template"] = given["template"]
        made = self._replace(**typed)
        forms = [made.as_json, made.as_csv, made.template is not None]
        if sum(forms) > 1:
            raise click.UsageError("one of --json, --csv and --format, not several")
        if made.socket and made.instance:
            raise click.UsageError("--socket and --instance both name a daemon: give one")
        return made

    def places(self) -> list[Path]:
        """Where the control socket may be, best first."""
        return socket_candidates(self.socket, os.environ, self.instance)

    def patience_s(self, command: Command) -> float | None:
        """How long to wait for the reply to a command; None: for ever."""
        if self.timeout_s is None:
            return SLOW_COMMANDS_S.get(command.name, TIMEOUT_S)
        return self.timeout_s or None


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
        return {"type": _Seconds(0, 1e6)}
    if name == "watch_s":
        return {"type": _Seconds(WATCH_S_MIN, WATCH_S_MAX)}
    if name == "color":
        return {"type": click.Choice(["auto", "always", "never"])}
    return {}
