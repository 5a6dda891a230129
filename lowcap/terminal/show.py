"""A reply on standard output, in the form that was asked for."""

from __future__ import annotations

import os
import sys
from typing import Any

from lowcap.control.client import CallFailed
from lowcap.control.commands import Command
from lowcap.control.protocol import Json
from lowcap.terminal.options import Options
from lowcap.terminal.output import cell, json_text, say

PIPE_COLUMNS = 10_000
# Those of brief.py, by name: it is loaded only to show one of them.
BRIEF = frozenset({"status", "panic", "close", "halt", "pause", "resume"})
# Pages that are nothing else than comma-separated values.
CSV_PAGES = ("trades export",)


class Printer:
    """Prints one command's replies, and what comes after them."""

    def __init__(self, command: Command, params: Json, options: Options) -> None:
        self._command = command
        self._params = params
        self._options = options
        self._template: Any = None
        self._csv_columns: tuple[str, ...] = ()
        if options.template is not None:
            from lowcap.terminal.forms import Template

            self._template = Template(options.template)

    @property
    def decorates(self) -> bool:
        """Whether people are to read it: lines in words, not values for a program."""
        options = self._options
        return not (options.as_json or options.as_csv or options.template is not None)

    def reply(self, value: Any, *, compact: bool = False) -> None:  # noqa: ANN401
        """The value of a reply; ``compact`` JSON is one line.

        Raises:
            OutputGone: nobody reads any more.
            CommandError: the template asks for what is not there.
        """
        if self._options.as_json:
            if self._command.stream and isinstance(value, list) and not compact:
                for row in value:
                    say(json_text(row))
            else:
                say(json_text(value, indent=None if compact else 2))
        elif self._template is not None:
            self._by_template(value)
        elif self._is_brief and not self._options.as_csv:
            for line in self.lines(value):
                say(line)
        elif self._page() == "metrics" and self._params.get("prom"):
            say(value["text"].removesuffix("\n"))
        elif self._options.as_csv or self._page() in CSV_PAGES:
            rows = self._rows(value)
            self._as_csv([value] if rows is None else rows)
        elif not self._as_tabs(value):
            for line in self.lines(value):
                say(line)

    def event(self, event: Json) -> None:
        """One of those that follow.

        Raises:
            OutputGone: nobody reads any more.
            CommandError: the template asks for what is not there.
        """
        if self._options.as_json:
            say(json_text(event))
        elif self._template is not None:
            self._by_template([event])
        elif self._options.as_csv:
            self._as_csv([event])
        else:
            for line in self._event_lines(event):
                say(line)

    def lines(self, value: Any) -> list[str]:  # noqa: ANN401
        """The value in words, each line as wide as the terminal or less.

        Raises:
            CallFailed: the value is not as this version knows it.
        """
        try:
            return self._rendered(value)
        except KeyError as missing:
            raise CallFailed(
                f"the daemon's reply lacks {missing}",
                hint="lowcapctl version tells whether it is another version; --json shows all",
                code="version",
            ) from None

    def _rendered(self, value: Any) -> list[str]:  # noqa: ANN401
        if self._is_brief:
            from lowcap.terminal.brief import BRIEF_RENDERERS
            from lowcap.terminal.table import folded

            columns = self._columns()
            show = BRIEF_RENDERERS[self._command.name]
            return folded(show(value, self._style(), columns), columns)
        from lowcap.terminal.render import render

        return render(self._page(), value, self._style(), self._columns())

    @property
    def _is_brief(self) -> bool:
        """Whether it is one of the replies that need no other page to be loaded."""
        return self._command.name in BRIEF

    def _page(self) -> str:
        from lowcap.terminal.render import page_of

        return page_of(self._command, self._params)

    def _keys(self) -> tuple[str, ...] | None:
        from lowcap.terminal.render import ROW_KEYS

        if self._command.name == "events" and self._params.get("commands"):
            return ROW_KEYS["events --commands"]
        return ROW_KEYS.get(self._page())

    def _rows(self, value: Any) -> list[Json] | None:  # noqa: ANN401
        from lowcap.terminal.render import rows_of

        return rows_of(self._page(), value)

    def _by_template(self, value: Any) -> None:  # noqa: ANN401
        from lowcap.terminal.forms import flat

        rows = self._rows(value)
        for row in [value] if rows is None else rows:
            for line in self._template.lines(flat(row)):
                say(line)

    def _as_csv(self, rows: list[Any]) -> None:
        from lowcap.terminal.forms import columns_of, csv_lines, flat

        values = [flat(row) for row in rows]
        first = not self._csv_columns
        if first:
            self._csv_columns = self._keys() or columns_of(values)
        if self._csv_columns:
            for line in csv_lines(values, self._csv_columns, header=first):
                say(line)

    def _as_tabs(self, value: Any) -> bool:  # noqa: ANN401
        """Rows for a pipe; whether it was rows, and a pipe."""
        rows, keys = self._rows(value), self._keys()
        if rows is None or not keys or self._command.stream or sys.stdout.isatty():
            return False
        if self._options.header:
            say("\t".join(keys))
        for row in rows:
            say("\t".join(cell(row.get(key)) for key in keys))
        return True

    def _event_lines(self, event: Json) -> list[str]:
        if self._command.name == "feed":
            from lowcap.terminal.news import frame_lines

            return frame_lines(event, self._style(), self._columns())
        if self._command.name == "logs":
            from lowcap.terminal.logs import short_lines

            return short_lines(event, self._style(), self._columns())
        from lowcap.terminal.render import event_lines

        return event_lines(event, self._style(), self._columns())

    def _style(self) -> Any:  # noqa: ANN401
        from lowcap.terminal.table import Style, wants_colour

        return Style(wants_colour(self._options.color, os.environ))

    def _columns(self) -> int:
        """Records in a pipe are a line each, however long; a file keeps its lines."""
        if not self._is_brief and self._page() == "config export":
            return sys.maxsize
        if self._command.stream and not sys.stdout.isatty():
            return PIPE_COLUMNS
        from lowcap.terminal.table import terminal_columns

        return terminal_columns()
