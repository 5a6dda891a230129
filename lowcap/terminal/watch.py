"""``--watch N``: the same question again and again, drawn over itself or one after the other."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from lowcap.control.client import Connection, Unreachable
from lowcap.control.commands import VIEW, Command
from lowcap.control.protocol import Json
from lowcap.core.errors import CommandError
from lowcap.core.plain import plain
from lowcap.terminal.options import Options
from lowcap.terminal.output import finish, say
from lowcap.terminal.show import Printer
from lowcap.terminal.table import cut, terminal_columns

HOME, CLEAR, CLEAR_LINE, CLEAR_BELOW = "\033[H", "\033[2J", "\033[K", "\033[J"


def watch(command: Command, params: Json, options: Options) -> int:
    """Ask until interrupted. A daemon that goes away is waited for on a terminal, not in a pipe.

    Raises:
        CommandError: the command is none that only looks, or it goes on by itself.
        Unreachable: there is no daemon, at the first question or in a pipe.
    """
    if command.role_for(params) != VIEW or command.danger:
        raise CommandError(f"{command.name} changes something: it is not repeated", code="usage")
    if command.follows(params):
        raise CommandError(f"{command.name} goes on by itself: --watch does not fit", code="usage")
    period_s = options.watch_s or 1.0
    printer = Printer(command, params, options)
    on_screen = sys.stdout.isatty() and printer.decorates
    asker = _Asker(command, params, options)
    try:
        value, number = asker.ask(), 0
        while True:
            if on_screen:
                _draw(_heading(command, params, period_s), printer.lines(value), first=not number)
            else:
                if number and printer.decorates:
                    say("")
                printer.reply(value, compact=True)
            finish()
            number += 1
            value = _next(asker, period_s, waits=on_screen)
    finally:
        asker.close()


class _Asker:
    """One question, over a connection that is made anew when it is lost."""

    def __init__(self, command: Command, params: Json, options: Options) -> None:
        self._command, self._params, self._options = command, params, options
        self._connection: Connection | None = None

    def ask(self) -> Any:  # noqa: ANN401
        """The newest answer."""
        if self._connection is None:
            patience_s = self._options.patience_s(self._command)
            self._connection = Connection(self._options.places(), patience_s)
        return self._connection.call(self._command.name, self._params)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _next(asker: _Asker, period_s: float, *, waits: bool) -> Any:  # noqa: ANN401
    """The answer of the next round; with ``waits`` as many rounds later as the daemon is away."""
    while True:
        time.sleep(period_s)
        try:
            return asker.ask()
        except Unreachable as away:
            asker.close()
            if not waits:
                raise
            line = cut(plain(f"daemon lost, asking again every {period_s:g} s"), terminal_columns())
            say(f"{HOME}{line}{CLEAR_LINE}")
            finish()
            del away


def _heading(command: Command, params: Json, period_s: float) -> str:
    words = " ".join(str(value) for value in params.values() if not isinstance(value, bool))
    now = time.strftime("%H:%M:%SZ", time.gmtime())
    return cut(plain(f"{now}  every {period_s:g} s: {command.name} {words}"), terminal_columns())


def _draw(heading: str, lines: list[str], *, first: bool) -> None:
    """Over what stood there: no scrolling, no flicker."""
    rows = os.get_terminal_size(sys.stdout.fileno()).lines
    shown = [heading, "", *lines]
    if len(shown) >= rows > 2:
        more = len(shown) - (rows - 2)
        shown = [*shown[: rows - 2], f"({more} more lines)"]
    text = "\n".join(line + CLEAR_LINE for line in shown)
    say((CLEAR if first else "") + HOME + text + CLEAR_BELOW)
