"""What stands above every page. Pure."""

from __future__ import annotations

from lowcap.terminal.top.model import Model
from lowcap.terminal.top.overview import STATE_ROLES, speed
from lowcap.terminal.top.text import (
    Line,
    Piece,
    clean,
    clock,
    fit,
    gain,
    joined,
    line,
    number,
    part,
    rows_of,
)
from lowcap.terminal.top.view import LOGS, OVERVIEW, PAGES, POSITIONS, SETTINGS

SHORT_BELOW = 60
SHORT = {OVERVIEW: "over", POSITIONS: "pos", LOGS: "logs", SETTINGS: "set"}


def header(model: Model, page: int, width: int) -> list[Line]:
    """Two lines above every page: what must be seen at once, and where we are."""
    status = model.status or {}
    mode = clean(status.get("mode", "lowcap"), 10).upper()
    live = status.get("mode") == "live" and bool(status.get("armed"))
    if status and mode != "DRY":
        mode += " ARMED" if status.get("armed") else " NOT ARMED"
    state = clean(status.get("state", "?"), 12)
    parts = [line(("alarm" if live else "bold", f" {mode} "))]
    if model.connected:
        open_usd = number(status.get("unrealized_usd"), sign=True)
        parts += [
            line((STATE_ROLES.get(state, "bad"), state)),
            line(f"feeds {status.get('feeds_up', '-')}/{len(rows_of(status.get('feeds')))}"),
            line(f"pos {status.get('positions', '-')} ", (gain(open_usd), open_usd)),
            line(f"{clock(status.get('now'))}Z"),
            *speed(status),
            line(f"day {number(part(status.get('day')).get('result_usd'), sign=True)}"),
            line(("dim", model.role)),
        ]
    else:
        said = f"DAEMON LOST, as of {clock(status.get('now'))}Z" if status else "NO DAEMON YET"
        parts = [line(("alarm", f" {mode} ")), line(("alarm", f" {said} "))]
    tabs: Line = []
    for place, name in PAGES.items():
        here = place == page
        name = name if width >= SHORT_BELOW else SHORT[place]
        tabs.append(
            Piece(
                "chosen" if here else "dim",
                f"[{place} {name}]" if here else f" {place} {name} ",
            )
        )
    return [fit(joined(parts, width, " │ "), width), fit(tabs, width)]
