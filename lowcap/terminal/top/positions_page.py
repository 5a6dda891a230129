"""Page 2: open positions with their profit, stop and ladder. Pure."""

from __future__ import annotations

from lowcap.control.protocol import Json
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.text import (
    Line,
    Piece,
    clean,
    columns,
    fit,
    gain,
    joined,
    line,
    number,
    over,
    rows_of,
    short,
    title,
    window,
    wrapped,
)
from lowcap.terminal.top.view import View

DETAIL_LINES = 5
_HEADS = (
    *("", "SYMBOL", "SIDE", ">P&L", ">STOP", ">%", ">MARK", ">ENTRY", ">QTY", ">NOTIONAL"),
    *("LEGS", "TRIGGER"),
)


def positions_page(model: Model, view: View, width: int, height: int) -> list[Line]:
    """A row a position, the chosen one marked, and under the rows more of the chosen one."""
    if "positions" in model.missing:
        return wrapped(f"not available ({model.missing['positions']})", width, "bad")
    if not model.positions:
        return [line("flat: no open positions" if model.status else "nothing is known yet")]
    chosen = view.symbol_place
    head, *rows = columns([_row(row, row.get("symbol") == view.symbol) for row in model.positions],
                          _HEADS, width, must=5)  # fmt: skip
    rows[chosen] = over(fit(rows[chosen], width), "chosen")
    room = max(height - 1 - DETAIL_LINES, 1)
    first = window(len(rows), chosen, room)
    shown = [head, *rows[first : first + room]]
    if len(rows) > room:
        shown.append(line(("dim", f"{first + 1}-{first + room} of {len(rows)}")))
    row = view.position(model)
    detail = _detail(row, width) if row is not None else []
    return shown + detail[: max(height - len(shown), 0)]


def _row(row: Json, chosen: bool) -> list[Piece]:
    profit = row.get("unrealized_usd")
    legs = row.get("legs_open")
    stop = row.get("stop_price")
    return [
        Piece("", "▸" if chosen else " "),
        Piece("bold", clean(row.get("symbol"), 20)),
        Piece("good" if row.get("side") == "LONG" else "bad", clean(row.get("side"), 5)),
        Piece(gain(profit), number(profit, sign=True)),
        Piece("" if stop else "bad", short(stop) if stop else "NONE"),
        Piece(gain(profit), number(row.get("unrealized_pct"), sign=True)),
        Piece("", short(row.get("mark_price"))),
        Piece("", short(row.get("entry_price"))),
        Piece("", short(row.get("qty"))),
        Piece("", number(row.get("notional_usd"), 0)),
        Piece("", f"{len(legs) if isinstance(legs, list) else '-'}+{row.get('legs_done', '-')}"),
        Piece("dim", clean(row.get("trigger") or "-", 24)),
    ]


def _detail(row: Json, width: int) -> list[Line]:
    legs = rows_of(row.get("legs_open"))
    stop = row.get("stop_price")
    told = ", ".join(f"{short(leg.get('qty'))} at {short(leg.get('price'))}" for leg in legs)
    lines = [
        title(clean(row.get("symbol"), 20), width),
        joined(
            [
                line(f"{row.get('side')} {row.get('qty')} from {short(row.get('entry_price'))}"),
                line(f"mark {short(row.get('mark_price'))}"),
                line(f"realised {number(row.get('realized_usd'), sign=True)}"),
            ],
            width,
            "  ",
        ),
        line(("", f"stop {stop}{_away(row)}") if stop else ("bad", "no confirmed stop")),
        *wrapped(f"ladder {told or 'no legs open'}; {row.get('legs_done', 0)} done", width)[:2],
    ]
    notes = []
    if row.get("closing"):
        notes.append("being closed")
    if str(row.get("foreign_qty") or "0").strip("0.-"):
        notes.append(f"{row['foreign_qty']} of it are not ours")
    if notes:
        lines.insert(1, line(("warn", "; ".join(notes))))
    return lines


def _away(row: Json) -> str:
    """How far the stop is from the mark price."""
    try:
        mark, stop = float(row["mark_price"]), float(row["stop_price"])
    except (KeyError, TypeError, ValueError):
        return ""
    return f", {abs(mark - stop) / mark * 100:.2f} % away" if mark > 0 else ""
