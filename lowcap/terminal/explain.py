"""One trade as a page of text: what matched, how it was sized, every order, every microsecond."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.marks import headline_lines, miss_lines
from lowcap.terminal.table import Style

Json = dict[str, Any]

STAGES = ("receive", "parse", "detect", "wait", "admit", "risk", "prepare", "submit")
WATERFALL_COLUMNS_MAX = 48


def explain_lines(value: Json, style: Style, columns: int) -> list[str]:
    """The story of a trace, widest at ``columns``."""
    lines = [
        style(f"trace {value['trace']}  {value['at'][11:23]}Z  {value['feed']}", "bold"),
        *headline_lines(value, _markers(value), columns),
    ]
    signal = value["signal"]
    if value.get("decision") == "by-hand":
        lines.append("  by hand, through the same gate")
    elif signal is None:
        detail = f" ({plain(value['detail'])})" if value["detail"] else ""
        lines.append(f"  no trade: {plain(value['reason'])}{detail}")
    else:
        words = ", ".join(plain(word) for word in signal["matched"])
        lines.append(
            f"  matched {signal['trigger']}: {words}; age {signal['age_ms']} ms, "
            f"tier {signal['tier']}"
        )
    for miss in value["near_misses"]:
        lines += miss_lines(miss, style, columns)
    for refusal in value["refusals"]:
        lines.append(
            style(
                f"  refused {refusal['side']} {refusal['symbol']}: {refusal['check']}, measured "
                f"{refusal['measured']}, limit {refusal['limit']}",
                "warn",
            )
        )
    for order in value["orders"]:
        lines += _order_lines(order, style, columns)
    for closed in value["closed"]:
        net = Decimal(closed["realized"]) - Decimal(closed["fees"])
        lines.append(f"  position closed after {_after(closed['after_ms'])}: {net:+.2f} USDT")
    return lines


def _order_lines(order: Json, style: Style, columns: int) -> list[str]:
    role = "bad" if order["status"] in ("rejected", "denied", "unknown") else ""
    head = f"  {order['purpose']:<11} {order['side']} {order['symbol']}"
    qty = f" {order['qty']}" if order.get("qty") else " whole position"
    price = f" at {order['price']}" if order.get("price") else ""
    trigger = f" when mark {order['trigger_price']}" if order.get("trigger_price") else ""
    reply = f", reply {order['reply_us'] / 1000:.2f} ms" if order["reply_us"] else ""
    lines = [
        f"{head}{qty}{price}{trigger}: {style(order['status'], role)} "
        f"(+{_after(order['after_ms'])}{reply})"
    ]
    if order.get("sizing"):
        lines.append(f"    sized {plain(order['sizing'])}")
    if order["stages_us"]:
        lines += _waterfall(order, style, columns)
    for step in order["history"]:
        if step.get("code") or step.get("why") or step.get("how"):
            why = step.get("why") or step.get("how") or f"{step['code']} {step.get('reason', '')}"
            lines.append(f"    {plain(why)} (+{_after(step['after_ms'])})")
    if order["fills"]:
        lines.append(_fills(order))
    return lines


def _waterfall(order: Json, style: Style, columns: int) -> list[str]:
    """Our stages one after another on one time scale; below it, on its own, the exchange."""
    stages = [(name, us) for name in STAGES if (us := order["stages_us"].get(name)) is not None]
    total_us = sum(us for _, us in stages)
    room = min(max(columns - 29, 4), WATERFALL_COLUMNS_MAX)
    lines, begun_us = [], 0.0
    for name, us in stages:
        before = round(begun_us / total_us * room) if total_us else 0
        begun_us += us
        wide = round(begun_us / total_us * room) - before if total_us else 0
        drawn = " " * min(before, room - 1) + style("█" * wide if wide else "▏", "dim")
        lines.append(f"    {name:<10} {us:>9.1f} µs {drawn}")
    lines.append(f"    {'own work':<10} {total_us:>9.1f} µs")
    if order["reply_us"]:
        times = order["reply_us"] / total_us if total_us else 0.0
        shown = f", {times:.1f} times our own work" if times >= 0.05 else ""
        lines.append(f"    {'exchange':<10} {order['reply_us']:>9.1f} µs round trip{shown}")
    return lines


def _fills(order: Json) -> str:
    qty = sum((Decimal(fill["qty"]) for fill in order["fills"]), Decimal(0))
    value = sum((Decimal(f["qty"]) * Decimal(f["price"]) for f in order["fills"]), Decimal(0))
    average = value / qty
    text = f"    filled {qty} at {average:.8g} in {len(order['fills'])} fills"
    decision = order.get("decision_price")
    if decision:
        sign = 1 if order["side"] == "BUY" else -1
        slip_bps = (average / Decimal(decision) - 1) * 10_000 * sign
        text += f", slippage {slip_bps:+.1f} bps from mark {decision}"
    return text + f" (+{_after(order['fills'][0]['after_ms'])})"


def _after(after_ms: float) -> str:
    return f"{after_ms:.1f} ms" if after_ms < 10_000 else f"{after_ms / 1000:.1f} s"


def _markers(value: Json) -> list[Json]:
    """What marks words of the headline: the near misses, and the signal."""
    signal = value["signal"]
    return [*value["near_misses"], signal] if signal else list(value["near_misses"])
