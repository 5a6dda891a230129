"""Sessions for people: the same values that --json prints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.table import Style, table

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]
WHO_KEYS = ("session", "user", "uid", "role", "pid", "connected_s", "idle_s", "follows", "you")


def _who(rows: list[Json], style: Style, columns: int) -> list[str]:
    shown = [
        {
            "session": "-" if row["session"] is None else str(row["session"]),
            "user": plain(row["user"], 32) + (" (you)" if row["you"] else ""),
            "role": row["role"],
            "since": _span(row["connected_s"]),
            "idle": _span(row["idle_s"]),
            "follows": row["follows"],
            "pid": "" if row["pid"] is None else str(row["pid"]),
        }
        for row in rows
    ]
    keys = (("session", ">#"), ("user", "USER"), ("role", "ROLE"), ("since", ">FOR"))
    more = (("idle", ">IDLE"), ("follows", "FOLLOWS"), ("pid", ">PID"))
    return table(shown, (*keys, *more), columns)


def _span(seconds: int | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=seconds))


def _kicked(value: Json, style: Style, columns: int) -> list[str]:
    if "allowed" in value:
        return [f"user {value['allowed']} may connect again"]
    gone = f"{value['sessions']} {'session' if value['sessions'] == 1 else 'sessions'} ended"
    denied = f"; user {value['denied']} may not come back" if "denied" in value else ""
    return [gone + denied]


SERVICE_RENDERERS: dict[str, Renderer] = {"who": _who, "kick": _kicked}
