"""Values for programs: flat rows, a line of the reader's own making, comma-separated values."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from lowcap.control.protocol import Json
from lowcap.core.errors import CommandError
from lowcap.core.plain import plain
from lowcap.terminal.output import CELL_LENGTH_MAX

WIDTH_MAX = 1_000


def flat(row: object) -> Json:
    """One row with keys as ``day.result_usd``; lists as JSON, a bare value under ``value``."""
    if not isinstance(row, dict):
        return {"value": row}
    found: Json = {}
    _flatten("", row, found)
    return found


def _flatten(before: str, row: Mapping[str, Any], found: Json) -> None:
    for name, value in row.items():
        key = before + plain(name)  # an asset's or a trigger's name is text from outside
        if isinstance(value, dict):
            _flatten(f"{key}.", value, found)
        elif isinstance(value, list):
            found[key] = json.dumps(value, ensure_ascii=False)
        else:
            found[key] = value


def columns_of(rows: Sequence[Json]) -> tuple[str, ...]:
    """Every key of flat rows, in the order of their first appearance."""
    return tuple(dict.fromkeys(key for row in rows for key in row))


class Template(string.Formatter):
    """``--format``: ``str.format`` over the keys of a row. It looks up, and never reaches in.

    Raises:
        CommandError: it is no template, in each method.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\\t", "\t").replace("\\n", "\n")
        try:
            for _, name, spec, _ in self.parse(self._text):
                if name is not None and not name:
                    raise ValueError("a field has no name")
                # Not for security: a slip of the finger must not fill the memory.
                if any(len(n) > 4 or int(n) > WIDTH_MAX for n in re.findall(r"\d+", spec or "")):
                    raise ValueError(f"a width of more than {WIDTH_MAX}")
        except ValueError as fault:
            raise CommandError(f"--format: {fault}", hint="--format '{symbol} {qty}'") from None

    def lines(self, row: Json) -> list[str]:
        """One flat row, as its line or lines."""
        try:
            made = self.vformat(self._text, (), row)
        except (ValueError, TypeError) as fault:
            raise CommandError(f"--format: {fault}", hint="--format '{symbol} {qty}'") from None
        return [_tidy(line) for line in made.split("\n")]

    def get_field(
        self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, str]:
        """A key of the row, dots and all; no attribute and no index of anything."""
        if field_name not in kwargs:
            known = ", ".join(map(str, kwargs))
            raise CommandError(f"--format: no key {field_name!r} here", hint=f"one of {known}")
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401
        """As ``format``, but amounts travel as text and may be written as the numbers they are."""
        if value is None:
            value = ""
        if isinstance(value, bool):
            value = "yes" if value else "no"
        if isinstance(value, str):
            value = plain(value, CELL_LENGTH_MAX)
        try:
            return format(value, format_spec)
        except ValueError:
            if not isinstance(value, str):
                raise
        if not value:
            return ""
        try:
            return format(Decimal(value), format_spec)
        except (InvalidOperation, ValueError):
            raise ValueError(f"{value!r} is no number for {format_spec!r}") from None


def _tidy(line: str) -> str:
    """Harmless, with its tabs: they are the reader's own."""
    return "\t".join(plain(part, CELL_LENGTH_MAX) for part in line.split("\t"))


def csv_lines(rows: Sequence[Json], columns: Sequence[str], *, header: bool) -> list[str]:
    """Flat rows as comma-separated lines, with the carriage returns that the format wants."""
    from lowcap.terminal.money import csv_text

    lines = csv_text(rows, columns).removesuffix("\n").split("\n")
    return lines if header else lines[1:]
