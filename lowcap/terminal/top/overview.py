"""Page 1: how the daemon is, in one look. Pure: a model in, lines out."""

from __future__ import annotations

from collections.abc import Sequence

from lowcap.control.protocol import Json
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.text import (
    Line,
    Piece,
    age,
    beside,
    clean,
    clock,
    columns,
    fit,
    gain,
    joined,
    line,
    number,
    sparkline,
    title,
    wrapped,
)
from lowcap.terminal.top.view import View

STATE_ROLES = {"ACTIVE": "good", "REDUCING": "warn", "HALTED": "bad", "STOPPING": "warn"}
LEVEL_ROLES = {"debug": "dim", "info": "", "warning": "warn", "error": "bad", "critical": "bad"}
GLYPHS = {
    "up": ("good", "●"), "stale": ("warn", "◐"), "connecting": ("warn", "◐"), "down": ("bad", "○"),
}  # fmt: skip
OFF = ("dim", "○")
TWO_COLUMNS = 100
ACTIVITY_LINES_MIN = 5


def overview(model: Model, view: View, width: int, height: int) -> list[Line]:
    """State and holds, feeds, the day, latency, resources, and what happened lately."""
    status = model.status
    if status is None:
        return wrapped(f"nothing is known yet: {model.why or 'waiting for the status'}", width)
    if width >= TWO_COLUMNS:
        half = (width - 3) // 2
        left = [*_state(status, half), *_feeds(status, half)]
        right = [*_day(status, half), *_latency(model, half), *_resources(model, half)]
        above = beside(left, right, width)
    else:
        above = [
            *_state(status, width), *_feeds(status, width), *_day(status, width),
            *_latency(model, width), *_resources(model, width),
        ]  # fmt: skip
    # Where the screen is low, what happened lately stays, and the resources go first.
    above = above[: max(height - ACTIVITY_LINES_MIN, 1)]
    return above + _activity(model, view, width, height - len(above))


def _state(status: Json, width: int) -> list[Line]:
    state = clean(status.get("state", "?"), 20)
    lines = [title("state", width)]
    armed = "" if status.get("mode") == "dry" else "armed" if status.get("armed") else "NOT ARMED"
    lines.append(
        joined(
            [
                line((STATE_ROLES.get(state, "bad"), state)),
                line(status.get("mode", "?")),
                *([line(("bold", armed))] if armed else []),
                line(f"up {age(_ms(status.get('uptime_s')))}"),
                line(f"triggers {status.get('triggers_on', '-')}/{status.get('triggers', '-')}"),
            ],
            width,
            "  ",
        )
    )
    for hold in _rows(status.get("holds")):
        until = f" until {clock(hold.get('until'))}Z" if hold.get("until") else ""
        text = f"hold {hold.get('name')}: {hold.get('state')}{until} - {hold.get('reason')} "
        text += f"({hold.get('who')}, since {clock(hold.get('since'))}Z)"
        lines += wrapped(text, width, "warn")[:2]
    for role, text in _troubles(status):
        lines += wrapped(text, width, role)[:2]
    return lines


def _troubles(status: Json) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if status.get("unprotected"):
        found.append(("bad", f"{status['unprotected']} positions without a confirmed stop"))
    if status.get("unknown_orders"):
        found.append(("bad", f"{status['unknown_orders']} orders with an unknown outcome"))
    for row in _rows(status.get("breakers")):
        found.append(("warn", f"breaker {row.get('name')}: {row.get('state')} - {row.get('why')}"))
    if status.get("stopped_by") == "stop file":
        found.append(("bad", f"stop file: {status.get('stop_file')}"))
    if names := status.get("paused_symbols"):
        found.append(("warn", "paused until you resume: " + ", ".join(map(str, names))))
    if fault := (status.get("ledger") or {}).get("fault"):
        found.append(("bad", f"ledger: {fault}"))
    if status.get("recovered") is False:
        found.append(("warn", "still recovering: no entries until belief and venue agree"))
    return found


def _feeds(status: Json, width: int) -> list[Line]:
    feeds = _rows(status.get("feeds"))
    rows = []
    for feed in feeds:
        state = str(feed.get("state", "?"))
        role, glyph = GLYPHS.get(state, OFF)
        ping = feed.get("round_trip_ms")
        rows.append(
            [
                Piece(role, glyph),
                Piece("", clean(feed.get("name"), 12)),
                Piece(role, clean(state, 10)),
                Piece("", age(feed.get("last_frame_age_ms"))),
                Piece("", clean(feed.get("news", "-"), 8)),
                Piece("", "-" if ping is None else f"{number(ping, 1)} ms"),
                Piece("", clean(feed.get("connects", "-"), 6)),
                Piece("dim", clean(feed.get("why", ""), 40)),
            ]
        )
    up = f"feeds {status.get('feeds_up', '-')}/{len(feeds)}"
    heads = ("", "FEED", "STATE", ">FRAME", ">NEWS", ">PING", ">CONN", "WHY")
    return [title(up, width), *(columns(rows, heads, width, must=3) if rows else [])]


def _day(status: Json, width: int) -> list[Line]:
    day = status.get("day") or {}
    result, open_usd = day.get("result_usd"), status.get("unrealized_usd")
    return [
        title("today", width),
        joined(
            [
                line("result ", (gain(result), number(result, sign=True)), " USDT"),
                line(f"{day.get('closed', '-')} closed, {day.get('wins', '-')} won"),
            ],
            width,
            "  ",
        ),
        joined(
            [
                line(f"positions {status.get('positions', '-')} "),
                line("open ", (gain(open_usd), number(open_usd, sign=True))),
                line(f"notional {number(status.get('gross_usd'), 0)}"),
            ],
            width,
            "  ",
        ),
        joined(
            [
                line(f"wallet {number(status.get('wallet_usdt'))}"),
                line(f"free margin {number(status.get('margin_available_usd'))}"),
            ],
            width,
            "  ",
        ),
    ]


def _latency(model: Model, width: int) -> list[Line]:
    status = model.status or {}
    venue = status.get("venue") or {}
    lines = [
        title("latency", width),
        joined(
            [
                *(_speed(status) or [line("no trade yet")]),
                line(f"order socket {venue.get('order_socket', '-')}"),
                line(f"round trip {number(venue.get('round_trip_ms'), 1)} ms"),
            ],
            width,
            "  ",
        ),
    ]
    if "latency" in model.missing:
        return [*lines, *wrapped(f"stages: not available ({model.missing['latency']})", width)[:1]]
    latency = model.latency or {}
    if total := _total(latency):
        late, target = total.get("violations_pct"), number(total.get("target_ms"), 0)
        role = "bad" if isinstance(late, (int, float)) and late > 10 else ""
        p50, p99 = number(total.get("p50_ms")), number(total.get("p99_ms"))
        parts = [
            line(f"total p50 {p50} p99 {p99} ms"),
            line((role, f"{number(late, 1)} % over {target} ms")),
        ]
        lines.append(joined(parts, width, "  "))
    recent = [ms for ms in latency.get("recent_ms") or [] if isinstance(ms, (int, float))]
    if recent:
        said = f" newest {number(recent[-1])} ms"
        bars = sparkline(recent, min(60, width - len(said)))
        lines.append(fit([Piece("good", bars), Piece("dim", said)], width))
    return lines


def _total(latency: Json) -> Json | None:
    return next((row for row in _rows(latency.get("stages")) if row.get("stage") == "total"), None)


def _resources(model: Model, width: int) -> list[Line]:
    lines = [title("daemon", width)]
    if "stats" in model.missing:
        return [*lines, *wrapped(f"not available ({model.missing['stats']})", width)[:1]]
    stats = model.stats or {}
    process = stats.get("process") or {}
    if not isinstance(process, dict) or not process:
        return [*lines, line("waiting for the first figures")]
    return [
        *lines,
        joined(
            [
                line(f"cpu {number(process.get('cpu_pct'), 1)} %"),
                line(f"memory {number(process.get('rss_mb'), 0)} MB"),
                line(f"connections {stats.get('connections', '-')}"),
                line(f"files {process.get('open_files', '-')}"),
                line(f"threads {process.get('threads', '-')}"),
            ],
            width,
            "  ",
        ),
    ]


def _activity(model: Model, view: View, width: int, height: int) -> list[Line]:
    if height <= 0:
        return []
    lines = [title("activity, newest first", width)]
    newest = list(model.events)[::-1][view.activity_from :]
    for event in newest:
        if len(lines) >= height:
            break
        role = LEVEL_ROLES.get(str(event.get("level")), "bad")
        text = f"{clock(event.get('at'))} {clean(event.get('text', ''))}"
        lines += wrapped(text, width, role, indent=9)[:2]
    if not newest:
        lines.append(line(("dim", "nothing yet")))
    return lines[:height]


def _rows(value: object) -> Sequence[Json]:
    """The rows of a list; what is no list has none."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _ms(seconds: object) -> float | None:
    return seconds * 1000 if isinstance(seconds, (int, float)) else None


def header(model: Model, view_page: int, pages: dict[int, str], width: int) -> list[Line]:
    """Two lines above every page: what must be seen at once, and where we are."""
    status = model.status or {}
    mode = clean(status.get("mode", "?"), 10).upper()
    live = status.get("mode") == "live" and bool(status.get("armed"))
    if status and mode != "DRY":
        mode += " ARMED" if status.get("armed") else " NOT ARMED"
    state = clean(status.get("state", "?"), 12)
    parts = [line(("alarm" if live else "bold", f" {mode} "))]
    if model.connected:
        open_usd = number(status.get("unrealized_usd"), sign=True)
        parts += [
            line((STATE_ROLES.get(state, "bad"), state)),
            line(f"feeds {status.get('feeds_up', '-')}/{len(_rows(status.get('feeds')))}"),
            line(f"pos {status.get('positions', '-')} ", (gain(open_usd), open_usd)),
            line(f"{clock(status.get('now'))}Z"),
            *_speed(status),
            line(f"day {number((status.get('day') or {}).get('result_usd'), sign=True)}"),
            line(("dim", model.role)),
        ]
    else:
        since = f"as of {clock(status.get('now'))}Z: " if status else ""
        parts = [line(("alarm", f" {mode} "), ("alarm", f"DAEMON LOST {since}{model.why} "))]
    tabs: Line = []
    for number_, name in pages.items():
        here = number_ == view_page
        short_name = name if width >= 60 else name[:3] if width < 44 else name[:5]
        tabs.append(
            Piece(
                "chosen" if here else "dim",
                f"[{number_} {short_name}]" if here else f" {number_} {short_name} ",
            )
        )
    return [fit(joined(parts, width, " │ "), width), fit(tabs, width)]


def _speed(status: Json) -> list[Line]:
    """Our own work on the last trades, once there was one."""
    own = status.get("own_work_us") or {}
    if own.get("p50") is None:
        return []
    return [line(f"p50 {number(own['p50'], 0)} p99 {number(own.get('p99'), 0)} µs")]
