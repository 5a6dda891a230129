"""The short replies: the commands that must be there at once load nothing else to show them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.config import unsaved_lines
from lowcap.terminal.notify import dead_sinks
from lowcap.terminal.risk import breaker_line, foreign_line, hold_line
from lowcap.terminal.table import Style

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]


def plain_lines(value: Any, style: Style, columns: int) -> list[str]:  # noqa: ANN401
    """A value that has no look of its own, a line for each of its parts."""
    if isinstance(value, dict):
        return [f"{key}: {_word(item)}" for key, item in value.items()]
    return [_word(value)]


def _word(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return plain(", ".join(str(item) for item in value)) or "none"
    return plain(str(value))


_STATE_ROLES = {"ACTIVE": "good", "REDUCING": "warn", "HALTED": "bad", "STOPPING": "warn"}


def _status(value: Json, style: Style, columns: int) -> list[str]:
    own = value["own_work_us"]
    speed = (
        f"own work p50 {own['p50']:.0f} p99 {own['p99']:.0f} µs"
        if own["trades"]
        else "no trade by news yet"
    )
    armed = " NOT ARMED" if not value["armed"] else "" if value["mode"] == "dry" else " armed"
    lines = [
        f"{style(value['mode'].upper() + armed, 'bold')}  "
        f"{style(value['state'], _STATE_ROLES[value['state']])}  "
        f"up {timedelta(seconds=value['uptime_s'])}  "
        f"feeds {value['feeds_up']}/{len(value['feeds'])}  positions {value['positions']} "
        f"({float(value['unrealized_usd']):+,.2f})",
        f"day {float(value['day']['result_usd']):+,.2f} USDT, {value['day']['closed']} closed, "
        f"{value['day']['wins']} won   wallet {float(value['wallet_usdt']):,.2f}   {speed}",
    ]
    lines += [hold_line(hold, style) for hold in value["holds"]]
    lines += [breaker_line(row, style) for row in value.get("breakers", ())]
    lines += dead_sinks(value.get("alerts", {}), style, columns)
    if value.get("stopped_by") == "stop file":
        lines.append(style(f"stop file: {plain(value['stop_file'])}", "bad"))
    if value["paused_symbols"]:
        names = plain(", ".join(value["paused_symbols"]))
        lines.append(style(f"paused until you resume: {names}", "warn"))
    for row in value.get("foreign", ()):
        if not row["ignored"]:
            lines.append(style(foreign_line(row), "warn"))
    if value["unprotected"]:
        lines.append(style(f"{value['unprotected']} positions without a confirmed stop", "bad"))
    if value["unknown_orders"]:
        lines.append(style(f"{value['unknown_orders']} orders with an unknown outcome", "bad"))
    for feed in value["feeds"]:
        if feed["state"] not in ("up", "off"):
            lines.append(plain(f"feed {feed['name']}: {feed['state']} - {feed['why']}"))
    if value["ledger"]["fault"]:
        lines.append(style(f"ledger: {plain(value['ledger']['fault'])}", "bad"))
    lines += unsaved_lines(value.get("config") or {}, style)
    if not value["recovered"]:
        lines.append(style("still recovering: no entries until belief and venue agree", "warn"))
    return lines


def _closed(value: Json, style: Style, columns: int) -> list[str]:
    if "closed_qty" in value:
        return [f"{value['symbol']}: closed {value['closed_qty']}, left {value['left_qty']}"]
    return [
        f"{style('flat, verified', 'good')} by {value['reads']} reads in {value['took_ms']} ms: "
        f"{value['cancelled']} orders cancelled, {value['closes']} closes",
        f"state {value['state']}"
        + (', back to ACTIVE with: resume --reason "..."' if value["state"] == "HALTED" else ""),
    ]


BRIEF_RENDERERS: dict[str, Renderer] = {
    "status": _status,
    "panic": _closed,
    "close": _closed,
    "halt": plain_lines,
    "pause": plain_lines,
    "resume": plain_lines,
}
