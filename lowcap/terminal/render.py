"""What a command returned, for people: the same value that --json prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lowcap.control.commands import Command
from lowcap.core.plain import plain
from lowcap.terminal.account import ACCOUNT_RENDERERS, PRICE_KEYS
from lowcap.terminal.brief import BRIEF_RENDERERS, plain_lines
from lowcap.terminal.config import CONFIG_KEYS, CONFIG_PAGES, CONFIG_RENDERERS
from lowcap.terminal.gauges import GAUGE_KEYS, GAUGE_RENDERERS
from lowcap.terminal.leverage import leverage_lines
from lowcap.terminal.logs import LOG_RENDERERS
from lowcap.terminal.money import MONEY_RENDERERS, TRADE_KEYS
from lowcap.terminal.news import NEWS_RENDERERS
from lowcap.terminal.notify import NOTIFY_RENDERERS, NOTIFY_ROW_KEYS
from lowcap.terminal.positions import POSITION_RENDERERS
from lowcap.terminal.risk import RISK_RENDERERS
from lowcap.terminal.service import SERVICE_RENDERERS, WHO_KEYS
from lowcap.terminal.table import Style, folded, table, wrap
from lowcap.terminal.unit import FINDING_RENDERERS

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]

# Rows that programs read as tab-separated values, by command: the keys in order.
ROW_KEYS: dict[str, tuple[str, ...]] = {
    "positions": (
        *("symbol", "side", "qty", "entry_price", "mark_price", "unrealized_usd"),
        *("stop_price", "legs_done", "trigger", "trace"),
    ),
    "orders": ("client_id", "symbol", "purpose", "side", "qty", "price", "status", "executed_qty"),
    "feeds": (
        *("name", "state", "last_frame_age_ms", "frames", "news", "faults", "connects"),
        *("round_trip_ms", "latency_ms"),
    ),
    "triggers": ("id", "on", "side", "matcher", "tier", "signals"),
    "trigger stats": ("id", "signals", "trades", "refused"),
    **dict.fromkeys(CONFIG_PAGES, CONFIG_KEYS),
    "config diff": ("key", "running", "files", "hot", "ends"),
    "captures list": ("name", "first_ms", "last_ms", "bytes"),
    "who": WHO_KEYS,
    "trades": TRADE_KEYS,
    "trades list": TRADE_KEYS,
    "trades export": TRADE_KEYS,
    "events": ("seq", "at", "kind", "text"),
    "events --commands": (
        *("seq", "at", "kind", "body.uid", "body.pid", "body.method", "body.params"),
        *("body.exit", "body.code", "body.ms", "body.command_line"),
    ),
    "logs": ("at", "level", "area", "text"),
    **GAUGE_KEYS,
    "prices": PRICE_KEYS,
    **NOTIFY_ROW_KEYS,
}


# Replies whose rows are one value among others, and where.
_ROWS_IN = {
    "latency": "stages",
    "latency table": "stages",
    "latency hist": "bins",
    "health": "components",
    "notify test": "sinks",
    "notify send": "sinks",
}


def rows_of(page: str, value: Any) -> list[Json] | None:  # noqa: ANN401
    """The rows of a reply that programs read; None where it has none."""
    if isinstance(value, list):
        return value
    return value.get(_ROWS_IN[page]) if page in _ROWS_IN and isinstance(value, dict) else None


def page_of(command: Command, params: Json) -> str:
    """What shows a command's reply: the command itself, with its action where it has several."""
    action = params.get("action")
    if command.name == "logs" and not action and params.get("output") in ("full", "json"):
        return f"logs {params['output']}"
    words = [command.name, *([action] if action else [])]
    words += [f"--{o.name}" for o in command.options if o.shows and params.get(o.name)]
    return " ".join(words)


def render(command: str, value: Any, style: Style, columns: int) -> list[str]:  # noqa: ANN401
    """Lines for a terminal of ``columns`` columns, none of them longer."""
    renderer = _RENDERERS.get(command, plain_lines)
    return folded(renderer(value, style, columns), columns)


def _positions(rows: list[Json], style: Style, columns: int) -> list[str]:
    if not rows:
        return ["flat: no open positions"]
    shown = [
        {
            "symbol": row["symbol"],
            "side": row["side"],
            "qty": row["qty"],
            "entry": _short_number(row["entry_price"]),
            "mark": _short_number(row["mark_price"]),
            "pnl": f"{float(row['unrealized_usd']):+,.2f}",
            "pct": f"{float(row['unrealized_pct']):+.2f}%",
            "stop": _short_number(row["stop_price"]) if row["stop_price"] else "NONE",
            "legs": f"{len(row['legs_open'])} open, {row['legs_done']} done",
            "trigger": row["trigger"],
        }
        for row in rows
    ]
    return table(
        shown,
        (
            *(("symbol", "SYMBOL"), ("side", "SIDE"), ("pnl", ">P&L"), ("pct", ">%")),
            *(("stop", ">STOP"), ("entry", ">ENTRY"), ("mark", ">MARK"), ("qty", ">QTY")),
            *(("legs", "LADDER"), ("trigger", "TRIGGER")),
        ),
        columns,
    )


def _short_number(text: str | None) -> str:
    if text is None:
        return "-"
    return text if len(text) <= 10 else f"{float(text):.6g}"


def _orders(rows: list[Json], style: Style, columns: int) -> list[str]:
    if not rows:
        return ["no orders"]
    shown = [
        {
            "time": row["updated"][11:19],
            "symbol": row["symbol"],
            "purpose": row["purpose"],
            "side": row["side"],
            "qty": row["qty"] or "all",
            "price": row["price"] or row["trigger_price"] or "market",
            "status": row["status"],
            "id": row["client_id"] or "never an order",
            "reason": plain(row["reason"], 40),
        }
        for row in rows
    ]
    return table(
        shown,
        (
            *(("symbol", "SYMBOL"), ("side", "SIDE"), ("status", "STATUS"), ("purpose", "PURPOSE")),
            *(("qty", ">QTY"), ("price", ">PRICE"), ("time", "TIME"), ("id", "ID")),
            ("reason", "REASON"),
        ),
        columns,
    )


def _events(rows: list[Json], style: Style, columns: int) -> list[str]:
    return [line for row in rows for line in event_lines(row, style, columns)]


_LEVEL_ROLES = {"debug": "dim", "info": "", "warning": "warn", "error": "bad"}


def event_lines(row: Json, style: Style, columns: int) -> list[str]:
    """One ledger record, its sentence wrapped under itself; its kind where it has none."""
    text = f"{row['at'][11:23]} {row['seq']:>6} {plain(row['text'] or row.get('kind', ''))}"
    role = _LEVEL_ROLES.get(row["level"], "bad")
    return [style(line, role) for line in wrap(text, columns, indent=20)]


def _explain(value: Json, style: Style, columns: int) -> list[str]:
    from lowcap.terminal.explain import explain_lines

    return explain_lines(value, style, columns)


_RENDERERS: dict[str, Renderer] = {
    "positions": _positions,
    "orders": _orders,
    "events": _events,
    "explain": _explain,
    "leverage": leverage_lines,
    **BRIEF_RENDERERS,
    **NEWS_RENDERERS,
    **CONFIG_RENDERERS,
    **POSITION_RENDERERS,
    **RISK_RENDERERS,
    **MONEY_RENDERERS,
    **SERVICE_RENDERERS,
    **GAUGE_RENDERERS,
    **ACCOUNT_RENDERERS,
    **LOG_RENDERERS,
    **FINDING_RENDERERS,
    **NOTIFY_RENDERERS,
}
