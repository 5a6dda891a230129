"""Alert sinks for people: the same values that --json prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.table import Style, table, wrap

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]
_ROLES = {"up": "good", "waiting": "warn", "dead": "bad", "off": "dim"}
NOTIFY_KEYS = (
    *("name", "kind", "to", "state", "queued", "sent", "failed", "refused", "dropped"),
    *("held_back", "drawn_together", "left", "last_success_at", "last_error_at", "last_error"),
)
RESULT_KEYS = ("name", "result")
_COLUMNS = (
    *(("name", "SINK"), ("kind", "KIND"), ("state", "STATE"), ("queued", ">QUEUED")),
    *(("sent", ">SENT"), ("failed", ">FAILED"), ("dropped", ">DROPPED"), ("last", "LAST SENT")),
)


def _sinks(rows: list[Json], style: Style, columns: int) -> list[str]:
    if not rows:
        return ["no alert sinks are configured: see notify.sink in config.toml"]
    shown = []
    for row in rows:
        last = row.get("last_success_at")
        counts = {key: str(row.get(key, "-")) for key in ("queued", "sent", "failed", "dropped")}
        shown.append(
            {
                "name": plain(row["name"]),
                "kind": row["kind"],
                "state": row["state"],
                **counts,
                "last": f"{last[5:10]} {last[11:19]}Z" if last else "-",
            }
        )
    lines = table(shown, _COLUMNS, columns)
    for row in rows:
        if row["state"] in ("dead", "waiting"):
            text = f"{plain(row['name'])} {row['state']}: {plain(row['why'])}"
            lines += [style(line, _ROLES[row["state"]]) for line in wrap(text, columns, indent=2)]
        if row["state"] == "dead":
            lines += wrap(f"hint: notify enable {plain(row['name'])}", columns, indent=2)
        if row["quiet_now"]:
            text = f"{plain(row['name'])}: quiet hours, only what is critical is sent"
            lines += wrap(text, columns, indent=2)
        if row.get("left") is not None:
            text = f"{plain(row['name'])}: {row['left']} messages left by the service"
            lines += wrap(text, columns, indent=2)
    return lines


def _results(rows: list[Json], style: Style, columns: int) -> list[str]:
    lines = []
    for row in rows:
        role = "good" if row["result"] == "sent" else "warn"
        text = f"{plain(row['name'])}: {plain(row['result'])}"
        lines += [style(line, role) for line in wrap(text, columns, indent=2)]
    return lines


def dead_sinks(value: Json, style: Style, columns: int) -> list[str]:
    """What ``status`` says about alerts: only sinks that were given up."""
    lines = []
    for name, why in value.get("dead", {}).items():
        text = f"alert sink {plain(name)} is dead: {plain(why)}"
        lines += [style(line, "bad") for line in wrap(text, columns, indent=2)]
    return lines


NOTIFY_RENDERERS: dict[str, Renderer] = {
    "notify": _sinks,
    "notify status": _sinks,
    "notify enable": _sinks,
    "notify disable": _sinks,
    "notify test": _results,
    "notify send": _results,
}
NOTIFY_ROW_KEYS = {
    "notify": NOTIFY_KEYS,
    "notify status": NOTIFY_KEYS,
    "notify enable": NOTIFY_KEYS,
    "notify disable": NOTIFY_KEYS,
    "notify test": RESULT_KEYS,
    "notify send": RESULT_KEYS,
}
