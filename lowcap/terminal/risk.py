"""Protections for people: the same values that --json prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.table import Style, table, wrap

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]
_STATE_ROLES = {"ACTIVE": "good", "REDUCING": "warn", "HALTED": "bad", "STOPPING": "warn"}


def hold_line(hold: Json, style: Style) -> str:
    """One hold: what it restricts to, until when, why and by whom."""
    until = f" until {hold['until'][11:19]}Z" if hold["until"] else ""
    return (
        style(f"hold {hold['name']}: {hold['state']}{until}", "warn")
        + f" - {plain(hold['reason'])} ({hold['who']}, since {hold['since'][11:19]}Z)"
    )


def breaker_line(row: Json, style: Style) -> str:
    """One breaker that is not closed."""
    until = f", tried again at {row['until'][11:19]}Z" if row["state"] == "open" else ""
    return (
        style(f"breaker {row['name']}: {row['state']}{until}", "warn") + f" - {plain(row['why'])}"
    )


def foreign_line(row: Json) -> str:
    """A quantity that is not ours."""
    ignored = ", ignored" if row["ignored"] else ""
    return f"{row['symbol']}: {row['qty']} is not ours, closed to entries{ignored}"


def _reconciled(value: Json, style: Style, columns: int) -> list[str]:
    lines = []
    if "adopted" in value:
        stop = value["stop_price"] or "NONE YET"
        lines.append(f"{value['adopted']}: {value['qty']} is ours now, stop {stop}")
    elif value["clean"]:
        lines.append(style("belief and venue agree", "good"))
    for difference in value["differences"]:
        lines += wrap(f"put right: {plain(difference)}", columns, indent=2)
    lines += [style(foreign_line(row), "warn") for row in value["foreign"]]
    if any(not row["ignored"] for row in value["foreign"]):
        lines.append("reconcile --adopt SYMBOL takes it over, --ignore SYMBOL quietens this")
    return lines


def _risk(value: Json, style: Style, columns: int) -> list[str]:
    worth = "unknown" if value["equity_usd"] is None else f"{float(value['equity_usd']):,.2f} USD"
    lines = [
        f"{style(value['state'], _STATE_ROLES[value['state']])}  {value['mode']}"
        f"{'' if value['armed'] else ', NOT ARMED'}  the account is worth {worth}"
    ]
    lines += [hold_line(hold, style) for hold in value["holds"]]
    lines += [breaker_line(row, style) for row in value["breakers"]]
    shown = [
        {
            "name": f"{row['name']} {row['of']}".rstrip(),
            "now": _amount(row["now"], row["unit"]),
            "limit": _amount(row["limit"], row["unit"]),
            "used": "" if row["used_pct"] is None else f"{row['used_pct']:.0f} %",
            "hits": str(row["hits"]),
        }
        for row in value["guards"]
    ]
    keys = (("name", "GUARD"), ("now", ">NOW"), ("limit", ">LIMIT"))
    lines += table(shown, (*keys, ("used", ">USED"), ("hits", ">HITS")), columns)
    for row in value["locks"]:
        why = f": {plain(row['why'])}" if row["why"] else ""
        text = f"locked {row['kind']} {plain(row['name'])}{why}; ends: {row['ends']}"
        lines += wrap(text, columns, indent=2)
    return lines


def _amount(text: str | None, unit: str) -> str:
    if text is None:
        return "-"
    if unit == "USD" and text != "off":
        return f"{float(text):,.0f} USD"
    return f"{text} {unit}" if unit and text != "off" else text


def _checked(value: Json, style: Style, columns: int) -> list[str]:
    side = "LONG" if value["side"] == "BUY" else "SHORT"
    role = "bad" if value["refused"] else "good"
    lines = [
        f"{side} {value['symbol']}, {float(value['usd']):,.0f} USD by {value['by']}: would "
        + style(value["would"], role)
    ]
    for row in value["refused"]:
        text = f"  {row['check']}: measured {plain(row['measured'])}, limit {plain(row['limit'])}"
        lines += wrap(text, columns, indent=4)
    if (plan := value["plan"]) is not None:
        but = "  but for that " if value["refused"] else "  "
        lines += wrap(
            f"{but}{plan['qty']} at {plan['price']} or better, "
            f"{float(plan['notional_usd']):,.0f} USD, {float(plan['margin_usd']):,.0f} USD of "
            f"margin ({plain(plan['sizing'])})",
            columns,
            indent=4,
        )
    return lines


def _unlocked(value: Json, style: Style, columns: int) -> list[str]:
    left = f", still held by {', '.join(value['holds'])}" if value["holds"] else ""
    return [f"unlocked {plain(value['unlocked'])}: {value['state']}{left}"]


RISK_RENDERERS: dict[str, Renderer] = {
    "risk": _risk,
    "risk check": _checked,
    "unlock": _unlocked,
    "reconcile": _reconciled,
}
