"""The account and the market for people."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.table import Style, table, wrap

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]

PRICE_KEYS = (
    *("symbol", "mark", "last", "age_ms", "last_age_ms", "bid", "ask", "spread_bps"),
    *("base", "coin", "multiplier", "status", "tick", "step", "qty_min", "notional_min_usd"),
    *("cap_usd", "tier", "leverage_set"),
)
STALE_MS = 3_000


def _usd(text: str | None) -> str:
    return "-" if text is None else f"{Decimal(text):,.2f}"


def _signed(text: str) -> str:
    return f"{Decimal(text):+,.2f}"


def _account(value: Json, style: Style, columns: int) -> list[str]:
    used = "" if value["used_pct"] is None else f" ({value['used_pct']} %)"
    parts = [
        f"wallet {_usd(value['wallet_usdt'])} USDT, equity {_usd(value['equity_usd'])}, "
        f"unrealised {_signed(value['unrealized_usd'])}",
        f"result: day {_signed(value['day_result_usd'])}, all {_signed(value['result_usd'])} USDT",
        f"margin: {_usd(value['margin_used_usd'])} used{used}, "
        f"{_usd(value['margin_available_usd'])} free",
        f"one position may take {value['position_margin_pct_max']} % of what is free: "
        f"{_usd(value['position_margin_usd_max'])} USD",
    ]
    lines = [line for part in parts for line in wrap(part, columns, indent=2)]
    lines[0] = style(lines[0], "bold")
    if not value["positions"]:
        return [*lines, "nothing is open"]
    shown = [
        {
            "symbol": plain(row["symbol"], 20),
            "side": row["side"] or "entry",
            "margin": _usd(row["margin_usd"]),
            "pct": row["margin_pct"] or "-",
            "notional": _usd(row["notional_usd"]),
            "leverage": f"{row['leverage']}x",
            "unrealized": _signed(row["unrealized_usd"]),
            "upkeep": _usd(row["maintenance_usd"]),
        }
        for row in value["positions"]
    ]
    head = (
        *(("symbol", "SYMBOL"), ("side", "SIDE"), ("margin", ">MARGIN"), ("pct", ">%")),
        *(("leverage", ">LEV"), ("notional", ">NOTIONAL"), ("unrealized", ">UNREALISED")),
        ("upkeep", ">MAINTENANCE"),
    )
    return [*lines, *table(shown, head, columns)]


def _prices(value: list[Json], style: Style, columns: int) -> list[str]:
    if not value:
        return ["no contract is known yet"]
    if len(value) == 1:
        return _contract(value[0], style, columns)
    shown = [
        {
            "symbol": plain(row["symbol"], 24),
            "mark": row["mark"] or "-",
            "last": row["last"] or "-",
            "age": _age(row["age_ms"]),
            "spread": row["spread_bps"] or "-",
            "leverage": _leverage(row),
            "tier": plain(row["tier"] or "-"),
        }
        for row in value
    ]
    head = (
        *(("symbol", "SYMBOL"), ("mark", ">MARK"), ("age", ">AGE"), ("last", ">LAST")),
        *(("spread", ">SPREAD bps"), ("leverage", ">LEV"), ("tier", "TIER")),
    )
    return table(shown, head, columns)


def _contract(row: Json, style: Style, columns: int) -> list[str]:
    """One contract with all that is known of it."""
    stale = row["age_ms"] is None or row["age_ms"] > STALE_MS
    age = "no mark price yet" if row["age_ms"] is None else f"{_age(row['age_ms'])} old"
    first = f"{plain(row['symbol'])}  mark {row['mark'] or '-'}"
    lines = [f"{style(first, 'bold')}  {style(age, 'warn' if stale else '')}"]
    if row["last"] is not None:
        lines.append(f"  last {row['last']}, {_age(row['last_age_ms'])} old")
    if row["spread_bps"] is not None:
        lines.append(f"  bid {row['bid']}, ask {row['ask']}, spread {row['spread_bps']} bps")
    else:
        lines.append("  bid and ask are followed while it is traded")
    times = f", {row['multiplier']} of it a contract" if row["multiplier"] != 1 else ""
    coin = f"coin {plain(row['coin'])}{times}" if row["coin"] else "no coin that news could name"
    cap = (
        "capitalisation unknown"
        if row["cap_usd"] is None
        else f"capitalisation {Decimal(row['cap_usd']):,.0f} USD, tier {plain(row['tier'])}"
    )
    parts = [
        f"  {coin}; {cap}",
        f"  tick {row['tick']}, step {row['step']}, at least {row['qty_min']} and "
        f"{row['notional_min_usd']} USD",
        f"  {plain(row['status'])}, leverage {_leverage(row)}",
    ]
    return lines + [line for part in parts for line in wrap(part, columns, indent=4)]


def _leverage(row: Json) -> str:
    return "not set" if row["leverage_set"] is None else f"{row['leverage_set']}x"


def _age(age_ms: int | None) -> str:
    if age_ms is None:
        return "-"
    return f"{age_ms} ms" if age_ms < 10_000 else f"{age_ms // 1000} s"


ACCOUNT_RENDERERS: dict[str, Renderer] = {"account": _account, "prices": _prices}
