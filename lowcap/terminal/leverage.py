"""Leverage of one symbol, for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.table import Style

Json = dict[str, Any]


def leverage_lines(value: Json, style: Style, columns: int) -> list[str]:
    """What a symbol may carry, and by what it is bound."""
    is_set = style("not set yet", "warn") if value["set"] is None else f"{value['set']}x set"
    lines = [
        f"{value['symbol']}: {is_set}, best for {_usd(value['usd'])} USD is {value['best']}x",
        f"largest position at {value['at']}x: {_usd(value['largest_usd'])} USD, by the "
        f"{value['bound_by']}",
        f"  bracket {_usd(value['bracket_usd'])}, liquidation at twice the stop of "
        f"{value['stop_pct']} % {_usd(value['liquidation_usd'])}",
        f"margin for {_usd(value['usd'])} USD: {_usd(value['margin_usd'])}, "
        f"one position may take {_usd(value['margin_allowed_usd'])}",
    ]
    if not value["fits"]:
        lines.append(style("so large a position does not fit at this leverage", "warn"))
    if bracket := value["bracket"]:
        lines.append(
            f"its bracket: {_usd(bracket['floor_usd'])} to {_usd(bracket['cap_usd'])} USD, "
            f"up to {bracket['leverage_max']}x, maintenance {bracket['maintenance_pct']} %"
        )
    else:
        lines.append(style("larger than any bracket of the venue", "warn"))
    fault = f" - {plain(value['brackets_fault'])}" if value["brackets_fault"] else ""
    lines.append(
        f"brackets {timedelta(seconds=value['brackets_age_s'])} old, "
        f"filters {timedelta(seconds=value['filters_age_s'])} old{fault}"
    )
    return lines


def _usd(text: str) -> str:
    return f"{float(text):,.0f}"
