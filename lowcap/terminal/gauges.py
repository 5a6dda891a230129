"""Speed and health for people: stages against their targets, counters, each part's state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from lowcap.core.plain import plain
from lowcap.terminal.table import Style, table, wrap

Json = dict[str, Any]
Renderer = Callable[[Any, Style, int], list[str]]

_BLOCKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
BAR_COLUMNS_MAX = 40
_STAGE_KEYS = (
    *("stage", "target_ms", "count", "p50_ms", "p95_ms", "p99_ms", "max_ms"),
    *("violations_pct", "within"),
)
_SAMPLE_KEYS = (
    *("trace", "at", "client_id", "symbol", "tier", "road", "receive_us", "parse_us"),
    *("detect_us", "wait_us", "admit_us", "risk_us", "prepare_us", "submit_us"),
    *("total_us", "acknowledge_us"),
)
GAUGE_KEYS: dict[str, tuple[str, ...]] = {
    "latency": _STAGE_KEYS,
    "latency table": _STAGE_KEYS,
    "latency hist": ("up_to_ms", "count"),
    "latency bottlenecks": ("stage", "severity", *_STAGE_KEYS[1:-1]),
    "latency export": _SAMPLE_KEYS,
    "health": ("name", "kind", "ok", "text"),
}


def ms(value: float | None) -> str:
    """Milliseconds with as many digits as they are worth."""
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def sparkline(values: Sequence[float], columns: int) -> str:
    """The newest values as blocks, the highest as the full one."""
    shown = list(values)[-max(columns, 1) :]
    most = max(shown, default=0.0)
    if most <= 0:
        return _BLOCKS[0] * len(shown)
    return "".join(_BLOCKS[min(int(v / most * len(_BLOCKS)), len(_BLOCKS) - 1)] for v in shown)


def bar(share: float, columns: int) -> str:
    """A bar of at most ``columns`` columns, to an eighth of one; what is not nothing is seen."""
    eighths = round(min(max(share, 0.0), 1.0) * columns * 8)
    if share > 0:
        eighths = max(eighths, 1)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


# -- latency --------------------------------------------------------------------


def _latency(value: Json, style: Style, columns: int) -> list[str]:
    rows = value["stages"]
    lines = _table(rows, style, columns)
    within = {row["stage"]: row["within"] for row in rows if row["within"]}
    for stage in dict.fromkeys(within.values()):
        names = " and ".join(name for name, place in within.items() if place == stage)
        lines.append(style(f"{names}: measured within {stage}", "dim"))
    if recent := value["recent_ms"]:
        room = max(columns - 34, 10)
        shown = recent[-room:]
        span = f"{ms(min(shown))} to {ms(max(shown))} ms"
        lines += ["", f"own work  {sparkline(shown, room)}  {span}"]
    lines += _trips(value["round_trip"])
    lines += [_tier(tier, style) for tier in value["tiers"]]
    if not any(row["count"] for row in rows):
        lines.append("no order on news yet")
    return lines


def _table(rows: Sequence[Json], style: Style, columns: int) -> list[str]:
    shown = [
        {
            "stage": row["stage"],
            "target": "-" if row["target_ms"] is None else f"{row['target_ms']:g}",
            "count": "-" if row["count"] is None else str(row["count"]),
            "over": "-" if row["violations_pct"] is None else f"{row['violations_pct']:.1f}",
            **{name: ms(row[f"{name}_ms"]) for name in ("p50", "p95", "p99", "max")},
        }
        for row in rows
    ]
    lines = table(
        shown,
        (
            *(("stage", "STAGE ms"), ("target", ">TARGET"), ("p50", ">P50"), ("p99", ">P99")),
            *(("over", ">OVER %"), ("count", ">COUNT"), ("p95", ">P95"), ("max", ">MAX")),
        ),
        columns,
    )
    marked = [lines[0]]
    for line, row in zip(lines[1:], rows, strict=True):
        often = row["violations_pct"]
        marked.append(style(line, "warn") if often is not None and often > 10 else line)
    return marked


def _trips(trips: Mapping[str, Json]) -> list[str]:
    return [
        f"exchange round trip by {plain(road, 10)}: p50 {ms(trip['p50_ms'])}, "
        f"p99 {ms(trip['p99_ms'])} ms, {trip['count']} orders"
        for road, trip in trips.items()
    ]


def _tier(tier: Json, style: Style) -> str:
    over = tier["violations_pct"]
    text = (
        f"tier {plain(tier['tier'], 20) or '-'}: p99 {ms(tier['p99_ms'])} of "
        f"{tier['target_ms']:g} ms, {over:g} % over"
    )
    return style(text, "warn") if over else text


def _hist(value: Json, style: Style, columns: int) -> list[str]:
    target = "" if value["target_ms"] is None else f", target {value['target_ms']:g} ms"
    head = (
        f"{value['stage']}: {value['count']} measured, p50 {ms(value['p50_ms'])}, "
        f"p99 {ms(value['p99_ms'])}, max {ms(value['max_ms'])} ms{target}"
    )
    lines = wrap(head, columns, indent=2)
    bins = value["bins"]
    full = [number for number, row in enumerate(bins) if row["count"]]
    if not full:
        return lines
    most = max(row["count"] for row in bins)
    room = min(max(columns - 24, 4), BAR_COLUMNS_MAX)
    for row in bins[full[0] : full[-1] + 1]:
        bound = "more" if row["up_to_ms"] is None else f"<= {row['up_to_ms']:g}"
        late = value["target_ms"] is not None and (row["up_to_ms"] or 1e9) > value["target_ms"]
        drawn = style(bar(row["count"] / most, room), "warn" if late else "good")
        lines.append(f"{bound:>10} ms {row['count']:>8} {drawn}")
    return lines


def _bottlenecks(value: list[Json], style: Style, columns: int) -> list[str]:
    if not value:
        return ["no stage is over its target more than 10 % of the time"]
    lines = []
    for row in value:
        role = "bad" if row["severity"] == "high" else "warn"
        text = (
            f"{row['severity']:<6} {row['stage']}: over {row['target_ms']:g} ms in "
            f"{row['violations_pct']:g} % of {row['count']}, p50 {ms(row['p50_ms'])}, "
            f"p99 {ms(row['p99_ms'])} ms"
        )
        first, *rest = wrap(text, columns, indent=7)
        lines += [style(first, role), *rest]
    return lines


def _export(value: list[Json], style: Style, columns: int) -> list[str]:
    if not value:
        return ["no order on news yet"]
    shown = [
        {
            "trace": str(row["trace"]),
            "at": plain(row["at"])[11:23],
            "symbol": plain(row["symbol"], 20),
            "total": ms(row["total_us"] / 1000),
            "ack": ms(None if row["acknowledge_us"] is None else row["acknowledge_us"] / 1000),
            "tier": plain(row["tier"], 10),
            "road": plain(row["road"], 6),
        }
        for row in value
    ]
    return table(
        shown,
        (
            *(("trace", ">TRACE"), ("total", ">OWN ms"), ("ack", ">REPLY ms")),
            *(("symbol", "SYMBOL"), ("at", "AT"), ("tier", "TIER"), ("road", "ROAD")),
        ),
        columns,
    )


# -- health, stats, metrics ---------------------------------------------------------


def _health(value: Json, style: Style, columns: int) -> list[str]:
    word = style("ok", "good") if value["ok"] else style("degraded", "bad")
    lines = [
        f"{word}  {value['mode']} {value['state']}",
        *wrap(f"works: {plain(value['works'])}", columns, indent=7),
    ]
    for row in value["components"]:
        mark, role = ("●", "good") if row["ok"] else ("○", "bad")
        first, *rest = wrap(
            f"{mark} {plain(row['name'], 30):<14} {plain(row['text'], 200)}", columns, indent=4
        )
        lines += [style(mark, role) + first.removeprefix(mark), *rest]
    return lines


def _stats(value: Json, style: Style, columns: int) -> list[str]:
    process, queues, dedup = value["process"], value["queues"], value["dedup"]
    batch = queues["batch"]
    oldest = "" if batch["oldest_ms"] is None else f" (the oldest for {batch['oldest_ms']} ms)"
    rates = ", ".join(f"{name} {rate:g}" for name, rate in value["per_min"].items())
    counts = ", ".join(f"{name} {count}" for name, count in value["totals"].items())
    success = "-" if value["success_pct"] is None else f"{value['success_pct']:g} %"
    parts = [
        f"process: {_of(process['cpu_pct'], ' % of a core')}, {_of(process['rss_mb'], ' MB')}, "
        f"{_of(process['open_files'], ' files')}, {_of(process['threads'], ' threads')}, "
        f"up {timedelta(seconds=process['uptime_s'])}",
        f"operators connected: {value['connections']}",
        f"a minute: {rates}",
        f"since the start: {counts}, entries that filled {success}",
        f"trades: {value['trades']}, {value['wins']} won, {value['volume_usd']} USD traded",
        f"repeated news: {dedup['repeated']}, stale {dedup['stale']}, "
        f"{dedup['keys_closed']} keys closed",
        f"batch queue: {batch['waiting']} of {batch['most']} waiting{oldest}, "
        f"peak {batch['peak']}, {batch['dropped']} dropped",
        f"waiting: {queues['replies']['waiting']} replies, {queues['capture']['waiting']} frames "
        f"to record; loop lag {value['loop_lag_ms']:g} ms",
    ]
    parts += [
        f"{name}: {_counts(value[name])}" for name in ("orders", "refused", "errors") if value[name]
    ]
    lines = [line for part in parts for line in wrap(part, columns, indent=2)]
    shown = [
        {
            "name": plain(link["name"], 20),
            "way": link["way"],
            "state": plain(link["state"], 12),
            "trip": ms(link["round_trip_ms"]),
        }
        for link in value["links"]
    ]
    head = (("name", "CONNECTION"), ("state", "STATE"), ("trip", ">TRIP ms"), ("way", "BY"))
    return [*lines, *table(shown, head, columns)]


def _of(value: float | None, unit: str) -> str:
    return f"-{unit}" if value is None else f"{value:g}{unit}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{plain(name, 40)} {count}" for name, count in counts.items())


def _metrics(value: Json, style: Style, columns: int) -> list[str]:
    if "text" in value:
        return [plain(line, 1_000) for line in value["text"].splitlines()]
    own, replies = value["own_work_ms"], value["acknowledge_ms"]
    success = "-" if value["success_pct"] is None else f"{value['success_pct']:g} %"
    parts = [
        f"since the start: {_counts(value['totals'])}",
        f"orders: {_counts(value['orders']) or 'none ended'}; entries that filled {success}",
        f"trades: {value['trades']}, {value['wins']} won, {value['volume_usd']} USD traded; "
        f"{value['positions']} open, day {value['day_result_usd']} USD",
        f"own work: p50 {ms(own['p50_ms'])}, p99 {ms(own['p99_ms'])} ms of {own['count']}",
        f"exchange: p50 {ms(replies['p50_ms'])}, p99 {ms(replies['p99_ms'])} ms of "
        f"{replies['count']}",
        f"errors: {_counts(value['errors']) or 'none'}",
        f"log records: {_counts(value['log_records']) or 'none'}",
        f"file: {plain(value['textfile'] or 'none; set metrics.textfile')}",
    ]
    lines = [line for part in parts for line in wrap(part, columns, indent=2)]
    if value["textfile_fault"]:
        lines.append(style(f"not written: {plain(value['textfile_fault'])}", "bad"))
    return lines


GAUGE_RENDERERS: dict[str, Renderer] = {
    "latency": _latency,
    "latency table": _latency,
    "latency hist": _hist,
    "latency bottlenecks": _bottlenecks,
    "latency export": _export,
    "health": _health,
    "stats": _stats,
    "metrics": _metrics,
}
