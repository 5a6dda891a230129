"""``lowcapctl unit``: the shipped systemd files for other paths, and a look at those in use."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.options import Options
from lowcap.terminal.output import json_text, say
from lowcap.terminal.table import Style, terminal_columns, wants_colour, wrap

Json = dict[str, Any]
_ROLES = {"ok": "good", "warn": "warn", "FAIL": "bad"}


def unit(params: Json, options: Options) -> int:
    """Print or check unit files; 1 where a check found something that must be mended.

    Raises:
        CommandError: no such file, or a value that cannot stand in a unit.
    """
    from lowcap.doctor.findings import report
    from lowcap.doctor.units import SERVICE, Place, check_installed, check_unit, rendered

    instance = options.instance
    if params["action"] == "check":
        given = str(params.get("file") or "")
        found = check_unit(Path(given), os.environ) if given else None
        if found is None:
            found = check_installed(instance, os.environ)
        return show_findings(report(found), options)
    name = str(params.get("file") or SERVICE)
    defaults = Place()
    place = Place(
        prefix=str(params.get("prefix") or defaults.prefix),
        config=str(params.get("config") or ""),
        user=str(params.get("user") or defaults.user),
        instance=instance,
    )
    text = rendered(name, place)
    if options.as_json:
        say(json_text({"name": name, "text": text}, indent=2))
    else:
        say(text.removesuffix("\n"))
    return 0


def show_findings(value: Json, options: Options) -> int:
    """One line for each finding, its remedy below it; 1 where one must be mended."""
    if options.as_json:
        say(json_text(value, indent=2))
    elif not sys.stdout.isatty():
        for row in value["findings"]:
            fields = (row["level"], row["name"], row["text"], row["remedy"])
            say("\t".join(plain(str(field), 1_000) for field in fields).rstrip("\t"))
    else:
        style = Style(wants_colour(options.color, os.environ))
        for line in finding_lines(value, style, terminal_columns()):
            say(line)
    return 0 if value["ok"] else 1


def finding_lines(value: Json, style: Style, columns: int) -> list[str]:
    """A report for people, and its sum."""
    lines: list[str] = []
    for row in value["findings"]:
        text = f"{row['level']:<5}{row['name']:<12} {plain(row['text'], 1_000)}"
        first, *rest = wrap(text, columns, indent=6)
        lines += [style(first, _ROLES[row["level"]]), *rest]
        if row["remedy"]:
            lines += wrap(f"      remedy: {plain(row['remedy'], 400)}", columns, indent=14)
    counts = value["counts"]
    lines.append(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} to mend")
    return lines


FINDING_RENDERERS = {"doctor": finding_lines, "unit check": finding_lines}
