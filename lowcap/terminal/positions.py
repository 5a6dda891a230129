"""Positions in full, stops and trades by hand, for people."""

from __future__ import annotations

from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.table import Style, table

Json = dict[str, Any]


def _position(value: Json, style: Style, columns: int) -> list[str]:
    side = style(value["side"], "good" if value["side"] == "LONG" else "bad")
    lines = [
        f"{value['symbol']} {side} {value['qty']} from {value['entry_price']}, "
        f"mark {value['mark_price'] or '-'}, {float(value['unrealized_usd']):+,.2f} USDT "
        f"({float(value['unrealized_pct']):+.2f} %)",
        f"opened {_time(value['opened'])} by {plain(value['trigger']) or 'nobody known'}, "
        f"{value['leverage'] or '-'}x isolated, realised {float(value['realized_usd']):+,.2f}",
        _stop_line(value, style),
    ]
    if value["follows"]:
        best = value["best_price"] or "-"
        lines.append(f"follows the best mark price {best} at {value['trail_pct']} %")
    if value["closes"]:
        lines.append(f"closed by time at {_time(value['closes'])}")
    if value["closing"]:
        lines.append(style("being closed", "warn"))
    if float(value["foreign_qty"]):
        lines.append(style(f"{value['foreign_qty']} of it are not ours", "warn"))
    lines.append(f"ladder: {len(value['legs_open'])} legs open, {value['legs_done']} done")
    rows = [
        {
            "purpose": order["purpose"],
            "side": order["side"],
            "qty": order["qty"] or "all",
            "price": order["price"] or order["trigger_price"] or "market",
            "status": order["status"],
            "id": order["client_id"],
        }
        for order in value["orders"]
    ]
    heads = (
        *(("purpose", "PURPOSE"), ("side", "SIDE"), ("qty", ">QTY"), ("price", ">PRICE")),
        *(("status", "STATUS"), ("id", "ID")),
    )
    return [*lines, *table(rows, heads, columns)] if rows else lines


def _stop_line(value: Json, style: Style) -> str:
    if not value["stop_confirmed"]:
        return style(f"stop NOT CONFIRMED, wanted at {value['stop_wanted'] or '-'}", "bad")
    distance = f", {value['stop_distance_pct']} % away" if value["stop_distance_pct"] else ""
    return f"stop {value['stop_price']}{distance} ({value['stop_rule']})"


def _stop_moved(value: Json, style: Style, columns: int) -> list[str]:
    moved = f"{value['symbol']}: stop {value['from'] or '-'} -> {value['to']}"
    follows = "" if value["follows"] else ", it follows no more"
    if value["confirmed"]:
        return [style("moved", "good") + f" {moved}{follows}"]
    return [style("not confirmed yet", "warn") + f" {moved}{follows}"]


def _traded(value: Json, style: Style, columns: int) -> list[str]:
    if "allowed" in value:
        role, word = ("good", "would send") if value["allowed"] else ("bad", "would not send")
        lines = [style(word, role) + f" {plain(value['text'])}"]
        return lines + _protected(value) if value["allowed"] else lines
    stop = f"stop {value['stop_price']}" if value["stop_price"] else "no confirmed stop yet"
    role = "good" if value["status"] == "filled" else "warn"
    why = f": {plain(value['reason'])}" if value["reason"] else ""
    return [
        style(value["status"], role) + f" {value['side']} {value['executed_qty']} {value['symbol']}"
        f" at {value['average_price'] or '-'}{why}",
        f"{plain(value['sizing'])}; {stop}; explain {value['trace']}",
    ]


def _protected(value: Json) -> list[str]:
    """What an order would cost, and how its position would be protected."""
    legs = ", ".join(f"{leg['share_pct']} % at +{leg['at_pct']} %" for leg in value["ladder"])
    stop = f"stop about {value['stop_price']}" if value["stop_price"] else "stop"
    return [
        f"margin {float(value['margin_usd']):,.2f} USD at {value['leverage']}x; "
        f"{stop} ({value['stop_rule']}); ladder {legs or 'none'}"
    ]


def _time(text: str | None) -> str:
    return f"{text[5:10]} {text[11:19]}Z" if text else "-"


POSITION_RENDERERS = {
    "position": _position,
    "stop show": _position,
    "stop move": _stop_moved,
    "trade": _traded,
    "long": _traded,
    "short": _traded,
}
