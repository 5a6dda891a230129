"""Page 3: the daemon's log, filtered, searched and followed. Pure."""

from __future__ import annotations

from lowcap.control.protocol import Json
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.overview import LEVEL_ROLES
from lowcap.terminal.top.text import Line, Piece, clean, clock, fit, line, over, window, wrapped
from lowcap.terminal.top.view import View

LEVEL_LETTERS = {"debug": "D", "info": "I", "warning": "W", "error": "E", "critical": "C"}
WIDE = 70


def logs_page(model: Model, view: View, width: int, height: int) -> list[Line]:
    """A line of what is shown, then the records, newest last; a line each."""
    if "logs" in model.missing:
        return wrapped(f"not available ({model.missing['logs']})", width, "bad")
    shown = view.logs(model)
    bad = sum(log.row.get("level") in ("error", "critical") for log in model.logs)
    warned = sum(log.row.get("level") == "warning" for log in model.logs)
    follows = "following" if view.place is None else "held"
    told = view.filters.told()
    said = f"{follows}  {len(shown)}/{len(model.logs)}  errors {bad}  warnings {warned}"
    lines = [fit(line(("dim", said), ("warn", f"  {told}" if told else "")), width)]
    room = height - 1
    if not shown:
        empty = "nothing passes the filters" if model.logs else "no records yet"
        return [*lines, line(("dim", empty))][:height]
    at = view.log_at(shown)
    first = max(len(shown) - room, 0) if view.place is None else window(len(shown), at, room)
    for log in shown[first : first + max(room, 0)]:
        chosen = view.place is not None and log is shown[at]
        lines.append(_record(log.row, width, chosen))
    return lines[:height]


def _record(row: Json, width: int, chosen: bool) -> Line:
    level = str(row.get("level", "info"))
    role = LEVEL_ROLES.get(level, "bad")
    mark = "▸" if chosen else " "
    if width >= WIDE:
        start = f"{mark}{str(row.get('at', ''))[11:23]} {level:<8.8} {row.get('area', '-')!s:<9.9} "
    else:
        start = f"{mark}{clock(row.get('at'))} {LEVEL_LETTERS.get(level, '?')} "
    whole = fit([Piece(role, clean(start)), Piece(role, clean(row.get("text", ""), 1_000))], width)
    return over(whole, "chosen") if chosen else whole


def record_lines(row: Json) -> list[str]:
    """A record in full, a field a line, the text first."""
    first = ("text", "at", "level", "area", "feed", "trigger")
    names = [name for name in first if row.get(name) not in (None, "")]
    names += [name for name in row if name not in first and row[name] not in (None, "", {})]
    return [f"{clean(name, 40)}: {clean(row[name])}" for name in names]
