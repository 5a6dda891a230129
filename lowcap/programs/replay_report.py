"""What a replayed session came to: a tally of the daemon's records, for people and programs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from lowcap.core import facts
from lowcap.core.facts import Record
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO
from lowcap.core.order import FINAL
from lowcap.core.plain import plain
from lowcap.handlers import Parts
from lowcap.observe.latency import OWN_STAGES, TOTAL
from lowcap.rows import position_row, unrealized
from lowcap.terminal.table import cut, table

WIDTH = 80
REASONS_SHOWN = 10
UNCLAIMED = "(none)"
TRIGGER_COLUMNS = (
    ("trigger", "trigger"),
    ("signals", ">signals"),
    ("trades", ">trades"),
    ("refused", ">refused"),
    ("realized_usd", ">realised"),
    ("unrealized_usd", ">unrealised"),
    ("fees_usd", ">fees"),
)
STAGE_COLUMNS = (("stage", "stage"), ("p50", ">p50 µs"), ("p99", ">p99 µs"))
POSITION_COLUMNS = (
    ("symbol", "symbol"),
    ("side", "side"),
    ("notional_usd", ">notional"),
    ("unrealized_usd", ">unrealised"),
    ("stop_price", ">stop"),
    ("trigger", "trigger"),
)

Json = dict[str, Any]


class _Sums(Struct):
    """One trigger's part; money in USDT. A trade is an entry that was filled at least in part."""

    signals: int = 0
    trades: int = 0
    refused: int = 0
    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    fees: Decimal = ZERO

    def row(self, name: str) -> Json:
        """As plain values."""
        return {
            "trigger": name,
            "signals": self.signals,
            "trades": self.trades,
            "refused": self.refused,
            "realized_usd": f"{self.realized:.2f}",
            "unrealized_usd": f"{self.unrealized:.2f}",
            "fees_usd": f"{self.fees:.2f}",
        }


class Tally:
    """Counts while the daemon runs, fed with every record, in order."""

    def __init__(self) -> None:
        self._sums: dict[str, _Sums] = {}
        # Whatever a signal caused, down to the last fill, is its trigger's.
        self._trigger_of: dict[int, str] = {}
        self._unfilled: dict[str, str] = {}
        self._traded: set[str] = set()
        self._reasons: Counter[str] = Counter()
        self._stages_us: dict[str, list[float]] = {}
        self._alarms: list[str] = []
        self._positions: list[Json] = []

    def read(self, record: Record) -> None:
        """Take one record in."""
        trigger = self._trigger_of.get(record.cause, "")
        if trigger:
            self._trigger_of[record.seq] = trigger
        match record.body:
            case facts.NewsSeen(decision="no-trade") as fact:
                self._reasons[fact.reason or "no trigger"] += 1
            case facts.FrameRefused():
                self._reasons["unusable frame"] += 1
            case facts.SignalRaised() as fact:
                self._trigger_of[record.seq] = fact.trigger
                self._of(fact.trigger).signals += 1
            case facts.Refused() as fact:
                self._of(fact.trigger).refused += 1
                self._reasons[f"refused: {fact.check}"] += 1
            case facts.AlarmRaised() as fact:
                self._alarms.append(fact.text)
            case _:
                self._read_order(record, trigger)

    def _read_order(self, record: Record, trigger: str) -> None:
        match record.body:
            case facts.OrderIntended(purpose=Purpose.ENTRY) as fact:
                self._unfilled[fact.client_id] = trigger
            case facts.OrderSent() as fact if fact.stages_us:
                for stage, took_us in fact.stages_us.items():
                    self._stages_us.setdefault(stage, []).append(took_us)
                self._stages_us.setdefault("total", []).append(sum(fact.stages_us.values()))
            case facts.OrderUpdated() as fact if fact.client_id in self._unfilled:
                if fact.status in FINAL and not fact.executed_qty:
                    del self._unfilled[fact.client_id]
                    why = f": {fact.reason}" if fact.reason else ""
                    self._reasons[plain(f"entry {fact.status}{why}")] += 1
            case facts.Filled() as fact:
                self._traded.add(fact.symbol)
                sums = self._of(trigger)
                sums.trades += self._unfilled.pop(fact.client_id, None) is not None
                sums.realized += fact.realized
                sums.fees += fact.fee
            case _:
                return

    def _of(self, trigger: str) -> _Sums:
        return self._sums.setdefault(trigger or UNCLAIMED, _Sums())

    def see_end(self, parts: Parts) -> None:
        """Take the open positions in, at the prices of now."""
        for position in parts.desk.book.open_positions():
            self._of(position.trigger).unrealized += unrealized(parts.desk, position)
            self._positions.append(position_row(parts.desk, position))
        if parts.flow.unrecorded:
            self._reasons["not recorded, too many at once"] += parts.flow.unrecorded

    def report(self, priced: frozenset[str]) -> Json:
        """Everything as plain values; ``priced`` are the symbols whose prices were recorded."""
        rows = [self._sums[name].row(name) for name in sorted(self._sums)]
        total = _Sums()
        for sums in self._sums.values():
            for name in sums.__struct_fields__:
                setattr(total, name, getattr(total, name) + getattr(sums, name))
        common = sorted(self._reasons.items(), key=lambda each: (-each[1], each[0]))
        return {
            "triggers": rows,
            "total": total.row("total"),
            "positions": self._positions,
            "unpriced": sorted(self._traded - priced),
            "reasons": [{"reason": r, "count": n} for r, n in common[:REASONS_SHOWN]],
            "alarms": self._alarms,
            "own_work_us": {
                stage: {"count": len(took), "p50": _rank(took, 50), "p99": _rank(took, 99)}
                for stage in (*OWN_STAGES, TOTAL)
                if (took := self._stages_us.get(stage))
            },
        }


def _rank(values: Sequence[float], per_cent: int) -> float:
    """The smallest value that ``per_cent`` of all do not exceed."""
    return round(sorted(values)[math.ceil(len(values) * per_cent / 100) - 1], 1)


def lines_of(report: Json) -> list[str]:
    """A report for people, at most 80 columns wide."""
    heard = ", ".join(f"{feed} {count}" for feed, count in report["lines"].items())
    lines = [
        cut(plain(f"replay of {', '.join(report['captures'])}"), WIDTH),
        f"{report['began']} to {report['ended']}",
        "paper money; no capitalisations, so sizes are not tiered",
        cut(plain(f"lines: {heard}"), WIDTH),
    ]
    if report["unheard"]:
        unheard = ", ".join(report["unheard"])
        unheard = plain(f"off or unknown in the configuration, not heard: {unheard}")
        lines.append(cut(unheard, WIDTH))
    if report["unpriced"]:
        symbols = ", ".join(report["unpriced"])
        lines.append(cut(f"no recorded prices, a random walk instead: {symbols}", WIDTH))
    lines += ["", *_table([*report["triggers"], report["total"]], TRIGGER_COLUMNS)]
    if report["positions"]:
        lines += ["", "Positions left open", *_table(report["positions"], POSITION_COLUMNS)]
    if report["reasons"]:
        lines += ["", "No trade, by reason"]
        lines += [cut(f"{row['count']:>7}  {row['reason']}", WIDTH) for row in report["reasons"]]
    if report["alarms"]:
        lines += ["", "Alarms", *(cut(f"  {text}", WIDTH) for text in report["alarms"])]
    if report["own_work_us"]:
        stages = [{"stage": name, **row} for name, row in report["own_work_us"].items()]
        count = report["own_work_us"]["total"]["count"]
        lines += ["", f"Own work from frame to order, {count} entries"]
        lines += _table(stages, STAGE_COLUMNS)
    return lines


def _table(rows: Sequence[Json], columns: Sequence[tuple[str, str]]) -> list[str]:
    shown = [{key: _cell(row[key]) for key, _ in columns} for row in rows]
    return table(shown, columns, WIDTH)


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)
