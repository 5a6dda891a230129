"""The configuration for people: keys and values, what differs, what a change did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.table import Style, cut, table, wrap

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]

CONFIG_KEYS = ("key", "value", "default", "origin", "hot", "range", "help")
CONFIG_PAGES = (
    *("config show", "config show --origin", "config show --defaults"),
    *("config show --origin --defaults", "config keys"),
)
_VALUE_COLUMNS = 30
_TEXT_CHARACTERS = 4_000


def unsaved_lines(config: Json, style: Style) -> list[str]:
    """What ``status`` says of values that a restart would forget, and of an apply that waits."""
    lines = []
    if until := config.get("confirm_until"):
        lines.append(
            style(f"an apply reverts at {until[11:19]}Z: config confirm, or config undo", "warn")
        )
    if config.get("unsaved"):
        lines.append(f"{config['unsaved']} settings set at run time: config show --origin")
    return lines


def _rows(value: list[Json], style: Style, columns: int, *more: tuple[str, str]) -> list[str]:
    if not value:
        return ["no such keys"]
    if len(value) == 1:
        return _one(value[0], style, columns)
    room = max(columns - 2 - max(len(row["key"]) for row in value), 8)
    shown = [
        {
            "key": plain(row["key"]),
            "value": cut(plain(row["value"]), min(_VALUE_COLUMNS, room)),
            "default": cut(plain(row["default"] or "-"), 16),
            "origin": plain(row["origin"]),
            "range": plain(row["range"]),
            "takes": "at once" if row["hot"] else "restart",
        }
        for row in value
    ]
    lines = table(shown, (("key", "KEY"), ("value", "VALUE"), *more, ("takes", "TAKES")), columns)
    if not more or lines[0].endswith("TAKES"):
        return lines
    # Too narrow for what was asked for: then two lines a key instead.
    stacked = []
    for row in shown:
        rest = [f"{title.lower()} {row[key]}" for key, title in more if row[key]]
        stacked += wrap(f"{row['key']} = {row['value']}", columns, indent=4)
        stacked += wrap(f"  {'; '.join([*rest, row['takes']])}", columns, indent=2)
    return stacked


def _one(row: Json, style: Style, columns: int) -> list[str]:
    """One key in full."""
    takes = "takes effect at once" if row["hot"] else "needs a restart"
    lines = wrap(
        f"{plain(row['key'])} = {plain(row['value'], _TEXT_CHARACTERS)}", columns, indent=4
    )
    lines += wrap(f"  {plain(row['help'])}", columns, indent=2)
    facts = [f"from {plain(row['origin'])}"] if row["origin"] else []
    facts += [f"default {plain(row['default'])}"] if row["default"] is not None else []
    facts += [f"range {plain(row['range'])}"] if row["range"] else []
    return lines + wrap("  " + "; ".join([*facts, takes]), columns, indent=2)


def _show(value: list[Json], style: Style, columns: int) -> list[str]:
    return _rows(value, style, columns)


def _with_origin(value: list[Json], style: Style, columns: int) -> list[str]:
    return _rows(value, style, columns, ("origin", "ORIGIN"))


def _with_defaults(value: list[Json], style: Style, columns: int) -> list[str]:
    return _rows(value, style, columns, ("default", "DEFAULT"), ("range", "RANGE"))


def _with_both(value: list[Json], style: Style, columns: int) -> list[str]:
    more = (("origin", "ORIGIN"), ("default", "DEFAULT"), ("range", "RANGE"))
    return _rows(value, style, columns, *more)


def _checked(value: Json, style: Style, columns: int) -> list[str]:
    name = plain(value["name"])
    if value["ok"]:
        return [style(f"{name}: fine", "good")]
    lines = []
    for fault in value["faults"]:
        lines += wrap(f"{plain(fault['told'], 400)}", columns, indent=4)
        if fault["range"]:
            lines += wrap(f"    may be: {plain(fault['range'])}", columns, indent=4)
    return [*lines, style(f"{name}: {len(value['faults'])} faults", "bad")]


def _diff(value: list[Json], style: Style, columns: int) -> list[str]:
    if not value:
        return ["what runs is what the files say"]
    lines = []
    for row in value:
        sides = [plain(row[side] or "nothing") for side in ("running", "files")]
        text = f"{plain(row['key'])}: runs {sides[0]}, files {sides[1]} ({row['ends']})"
        lines += wrap(text, columns, indent=4)
    return lines


def _changed(value: Json, style: Style, columns: int) -> list[str]:
    lines = []
    for change in value["changes"]:
        text = f"{change['key']}: {change['old']} -> {change['new']}"
        lines += wrap(plain(text), columns, indent=4)
    if not lines:
        lines = ["nothing that takes effect has changed"]
    if value.get("confirmed"):
        lines = [style(f"confirmed: {value['confirmed']} settings stay", "good")]
    if value.get("written"):
        lines += wrap(f"written to {plain(value['written'])}", columns, indent=4)
    if value["needs_restart"]:
        changed = plain(", ".join(value["needs_restart"]))
        lines.append(style(f"changed too, but needs a restart: {changed}", "warn"))
    if value.get("not_applied"):
        names = plain(", ".join(value["not_applied"]))
        lines.append(style(f"not applied, they need a restart: {names}", "warn"))
    if value.get("not_named"):
        names = plain(", ".join(value["not_named"]))
        lines += wrap(f"go on although the file leaves them out: {names}", columns, indent=4)
    if until := value.get("confirm_until"):
        text = f"reverts by itself at {until[11:19]}Z, unless: config confirm"
        lines.append(style(text, "warn"))
    return lines


def _export(value: Json, style: Style, columns: int) -> list[str]:
    return [plain(line, len(line) * 10) for line in value["text"].splitlines()]


CONFIG_RENDERERS: dict[str, Renderer] = {
    "config show": _show,
    "config show --origin": _with_origin,
    "config show --defaults": _with_defaults,
    "config show --origin --defaults": _with_both,
    "config keys": _with_both,
    "config check": _checked,
    "config diff": _diff,
    "config export": _export,
    **dict.fromkeys(
        (
            *("config set", "config unset", "config apply", "config confirm"),
            *("config undo", "config reload"),
        ),
        _changed,
    ),
}
