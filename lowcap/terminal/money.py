"""Profit and loss, the equity curve and trades for people: the same values that --json prints."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.output import cell
from lowcap.terminal.table import Style, table, wrap

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]

PLOT_COLUMNS_MAX, PLOT_COLUMNS_MIN, PLOT_ROWS = 80, 8, 10
_BLOCKS = " ▁▂▃▄▅▆▇█"
_EIGHTHS = len(_BLOCKS) - 1
TRADE_KEYS = (
    *("trace", "symbol", "side", "trigger", "feed", "opened", "closed", "held_s"),
    *("qty", "entry_price", "exit_qty", "exit_price", "volume_usd", "realized_usd", "fees_usd"),
    *("funding_usd", "liquidation_usd", "slippage_usd", "slippage_bps", "result_usd"),
)


def csv_text(rows: Sequence[Json], keys: Sequence[str]) -> str:
    """Rows as RFC 4180 has it, under one header; no cell can hurt a terminal."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(keys)
    for row in rows:
        writer.writerow([cell(row.get(key)) for key in keys])
    return text.getvalue()


def signed(text: str | None) -> str:
    """An amount in dollars with its sign, to the cent."""
    return "-" if text is None else f"{Decimal(text):+,.2f}"


def _role(text: str) -> str:
    return "bad" if text.startswith("-") else ""


# -- profit and loss ----------------------------------------------------------


def _pnl(value: Json, style: Style, columns: int) -> list[str]:
    total = value["total"]
    days = value["last_day"]
    if value["first_day"] != value["last_day"]:
        days = f"{value['first_day'] or 'the beginning'} to {days}"
    result = f"result {signed(total['result_usd'])} USDT"
    lines = [
        f"{style(value['period'], 'bold')}  {style(result, _role(total['result_usd']))}  {days}"
    ]
    parts = [f"realised {signed(total['realized_usd'])}", f"fees -{_dollars(total['fees_usd'])}"]
    parts.append(f"funding {signed(total['funding_usd'])}")
    for name, word in (("liquidation", "liquidation"), ("other", "other")):
        if Decimal(total[f"{name}_usd"]):
            parts.append(f"{word} {signed(total[f'{name}_usd'])}")
    lines += wrap("  " + ", ".join(parts), columns, indent=4)
    won = f" ({total['won_pct']} %)" if total["won_pct"] is not None else ""
    slipped = f" ({total['slippage_bps']} bps)" if total["slippage_bps"] is not None else ""
    lines += wrap(
        f"  {total['trades']} trades, {total['wins']} won{won}, {total['losses']} lost; "
        f"{_dollars(total['volume_usd'])} USDT traded, slippage cost "
        f"{_dollars(total['slippage_usd'])}{slipped}",
        columns,
        indent=4,
    )
    for name, word in (("not_ours", "not by our orders"), ("transfers", "paid in or taken out")):
        if Decimal(total[f"{name}_usd"]):
            lines.append(f"  {word}: {signed(total[f'{name}_usd'])}")
    if value["by"]:
        lines += ["", *_groups(value["rows"], value["by"], columns)]
    if value["open"]:
        lines += ["", *_open(value, columns)]
    return [*lines, *_wallet(value, style, columns)]


def _dollars(text: str) -> str:
    return f"{Decimal(text):,.2f}"


def _groups(rows: list[Json], by: str, columns: int) -> list[str]:
    if not rows:
        return ["nothing was traded"]
    shown = [
        {
            "name": plain(row["name"], 30) or "(none)",
            "result": signed(row["result_usd"]),
            "trades": str(row["trades"]),
            "won": str(row["wins"]),
            "realized": signed(row["realized_usd"]),
            "fees": f"-{_dollars(row['fees_usd'])}",
            "funding": signed(row["funding_usd"]),
            "bps": row["slippage_bps"] or "-",
            "volume": _dollars(row["volume_usd"]),
        }
        for row in rows
    ]
    return table(
        shown,
        (
            *(("name", by.upper()), ("result", ">RESULT"), ("trades", ">TRADES"), ("won", ">WON")),
            *(("realized", ">REALISED"), ("fees", ">FEES"), ("funding", ">FUNDING")),
            *(("bps", ">SLIP bps"), ("volume", ">VOLUME")),
        ),
        columns,
    )


def _open(value: Json, columns: int) -> list[str]:
    shown = [
        {
            "symbol": plain(row["symbol"], 30),
            "side": row["side"],
            "unrealized": signed(row["unrealized_usd"]),
            "result": signed(row["result_usd"]),
            "qty": row["qty"],
            "entry": row["entry_price"] or "-",
            "trigger": plain(row["trigger"], 30),
        }
        for row in value["open"]
    ]
    return [
        f"open, unrealised {signed(value['unrealized_usd'])} USDT:",
        *table(
            shown,
            (
                *(("symbol", "SYMBOL"), ("side", "SIDE"), ("unrealized", ">UNREALISED")),
                *(("result", ">SO FAR"), ("qty", ">QTY"), ("entry", ">ENTRY")),
                ("trigger", "TRIGGER"),
            ),
            columns,
        ),
    ]


def _wallet(value: Json, style: Style, columns: int) -> list[str]:
    """Whether the ledger explains the wallet."""
    wallet = value["wallet"]
    if wallet["since"] is None:
        return ["  the wallet has not been read yet"]
    text = (
        f"wallet {_dollars(wallet['usdt'])}, {signed(wallet['explained_usd'])} since "
        f"{wallet['since'][:16]}Z"
    )
    unexplained = Decimal(wallet["unexplained_usd"])
    lines = wrap(f"  {text}: " + ("all of it explained" if not unexplained else
                 f"{unexplained:+,f} USDT not explained"), columns, indent=4)  # fmt: skip
    held = [f"{plain(a, 20)} {Decimal(n):+f}" for a, n in value["other_assets"].items()]
    if held:
        lines += wrap(f"  in other assets: {', '.join(held)}", columns, indent=4)
    return [style(line, "warn") for line in lines] if unexplained else lines


# -- equity ---------------------------------------------------------------------


def _equity(value: Json, style: Style, columns: int) -> list[str]:
    fall = value["drawdown"]
    change = f"{signed(value['change_usd'])} in {value['days']} day{'s' * (value['days'] > 1)}"
    lines = wrap(
        f"equity {_dollars(value['equity_usd'])} USDT, {change}; wallet "
        f"{_dollars(value['wallet_usdt'])}, unrealised {signed(value['unrealized_usd'])}",
        columns,
        indent=4,
    )
    if fall["peak_at"]:
        pct = f" ({fall['pct']} %)" if fall["pct"] is not None else ""
        lines += wrap(
            f"largest fall {_dollars(fall['usd'])} USDT{pct}, from {fall['peak_at'][:16]}Z to "
            f"{fall['trough_at'][:16]}Z",
            columns,
            indent=4,
        )
    points = [(row["at_ms"], Decimal(row["equity_usd"])) for row in value["points"]]
    return [*lines, *plot(points, min(columns, PLOT_COLUMNS_MAX)), f"{value['from'][:16]}Z to now"]


def plot(points: Sequence[tuple[int, Decimal]], columns: int) -> list[str]:
    """A step curve of (time, value) in blocks, its highest and lowest value beside it."""
    if not points:
        return []
    low, high = min(v for _, v in points), max(v for _, v in points)
    labels = {PLOT_ROWS - 1: f"{high:,.2f}", 0: f"{low:,.2f}"}
    margin = max(map(len, labels.values()))
    width = columns - margin - 1
    if width < PLOT_COLUMNS_MIN:
        margin, width = 0, columns - 1
    levels = [_level(value, low, high) for value in _sampled(points, width)]
    lines = []
    for row in range(PLOT_ROWS - 1, -1, -1):
        bars = "".join(_BLOCKS[min(max(n - row * _EIGHTHS, 0), _EIGHTHS)] for n in levels)
        label = labels.get(row, "") if margin else ""
        lines.append(f"{label:>{margin}} {bars}".rstrip())
    return lines


def _level(value: Decimal | None, low: Decimal, high: Decimal) -> int:
    """The height of a bar in eighths of a row; every value that there is shows at least one."""
    if value is None:
        return 0
    if high == low:
        return PLOT_ROWS * _EIGHTHS // 2
    return 1 + int((value - low) / (high - low) * (PLOT_ROWS * _EIGHTHS - 1))


def _sampled(points: Sequence[tuple[int, Decimal]], width: int) -> list[Decimal | None]:
    """The value at the end of each of ``width`` equal times; it holds until the next."""
    first_ms, last_ms = points[0][0], points[-1][0]
    found: list[Decimal | None] = []
    number, value = 0, None
    for column in range(1, width + 1):
        until_ms = first_ms + (last_ms - first_ms) * column // width
        while number < len(points) and points[number][0] <= until_ms:
            value = points[number][1]
            number += 1
        found.append(value)
    return found


# -- trades -----------------------------------------------------------------------


def _trades(rows: list[Json], style: Style, columns: int) -> list[str]:
    if not rows:
        return ["no closed trades"]
    shown = [
        {
            "closed": row["closed"][5:16].replace("T", " "),
            "symbol": plain(row["symbol"], 30),
            "side": row["side"],
            "result": signed(row["result_usd"]),
            "trigger": plain(row["trigger"], 30) or "(none)",
            "entry": _short(row["entry_price"]),
            "exit": _short(row["exit_price"]),
            "bps": row["slippage_bps"] or "-",
            "fees": f"-{_dollars(row['fees_usd'])}",
            "funding": signed(row["funding_usd"]),
            "qty": row["qty"],
            "trace": str(row["trace"]),
        }
        for row in rows
    ]
    return table(
        shown,
        (
            *(("closed", "CLOSED"), ("symbol", "SYMBOL"), ("side", "SIDE"), ("result", ">RESULT")),
            *(("trace", ">TRACE"), ("entry", ">ENTRY"), ("exit", ">EXIT"), ("bps", ">SLIP bps")),
            *(("trigger", "TRIGGER"), ("fees", ">FEES"), ("funding", ">FUNDING"), ("qty", ">QTY")),
        ),
        columns,
    )


def _short(text: str | None) -> str:
    return "-" if text is None else f"{Decimal(text):.6g}"


MONEY_RENDERERS: dict[str, Renderer] = {
    "pnl": _pnl,
    "equity": _equity,
    "trades": _trades,
    "trades list": _trades,
    "trades export": _trades,
}
