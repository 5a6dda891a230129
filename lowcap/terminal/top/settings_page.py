"""Page 4: every setting that can change while the daemon runs. Pure."""

from __future__ import annotations

from lowcap.control.protocol import Json
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.text import (
    Line,
    Piece,
    clean,
    columns,
    fit,
    line,
    over,
    title,
    window,
    wrapped,
)
from lowcap.terminal.top.view import View

DETAIL_LINES = 5


def settings_page(model: Model, view: View, width: int, height: int) -> list[Line]:
    """A row a setting with value, range and origin, and under the rows what the chosen one is."""
    if "config" in model.missing:
        return wrapped(f"not available ({model.missing['config']})", width, "bad")
    rows = view.settings(model)
    if not rows:
        empty = f"no setting named like {view.key_text!r}" if model.config else "waiting"
        return [line(("dim", empty))]
    made = [_row(row, row.get("key") == view.key) for row in rows]
    head, *lines = columns(made, ("", "SETTING", "VALUE", "ORIGIN", "RANGE"), width, must=3)
    at = view.key_place
    lines[at] = over(fit(lines[at], width), "chosen")
    room = max(height - 1 - DETAIL_LINES, 1)
    first = window(len(lines), at, room)
    shown = [head, *lines[first : first + room]]
    chosen = view.setting(model)
    detail = _detail(chosen, width, f"{at + 1} of {len(rows)}") if chosen is not None else []
    return shown + detail[: max(height - len(shown), 0)]


def value_text(value: object) -> str:
    """A value as it would be typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(value_text(each) for each in value)
    return str(value)


def _row(row: Json, chosen: bool) -> list[Piece]:
    changed = row.get("value") != row.get("default")
    return [
        Piece("", "▸" if chosen else " "),
        Piece("", clean(row.get("key"), 36)),
        Piece("bold" if changed else "", clean(value_text(row.get("value")) or "-", 22)),
        Piece("dim", clean(row.get("origin", "-"), 24)),
        Piece("dim", clean(row.get("range", ""), 40)),
    ]


def _detail(row: Json, width: int, place: str) -> list[Line]:
    return [
        title(f"{clean(row.get('key'), 60)}  {place}", width),
        *wrapped(row.get("help") or "", width)[:2],
        *wrapped(
            f"now {value_text(row.get('value')) or '-'} from {row.get('origin', '-')}, "
            f"default {value_text(row.get('default')) or '-'}, allowed {row.get('range') or 'any'}",
            width,
        )[:2],
    ]
