"""Page 1: how the daemon is, in one look. Pure: a model in, lines out."""

from __future__ import annotations

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
    flowed,
    gain,
    inside,
    line,
    number,
    part,
    rows_of,
    section,
    sparkline,
    title,
    words_of,
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
ACTIVITY_LINES_MIN = 4


def overview(model: Model, view: View, width: int, height: int) -> list[Line]:
    """State and holds, feeds, the day, latency, resources, and what happened lately."""
    status = model.status
    if status is None:
        return wrapped("nothing is known of the daemon yet", width)
    if width >= TWO_COLUMNS:
        half = (width - 3) // 2
        above = beside(_left(status, half), _right(model, status, half), width)
    else:
        above = [*_left(status, width), *_right(model, status, width)]
    # Where the screen is low, what happened lately stays, and the resources go first.
    above = above[: max(height - ACTIVITY_LINES_MIN, 1)]
    return above + _activity(model, view, width, height - len(above))


def _left(status: Json, width: int) -> list[Line]:
    return [*section("state", _state(status, inside(width)), width), *_feeds(status, width)]


def _right(model: Model, status: Json, width: int) -> list[Line]:
    room = inside(width)
    return [
        *section("today", _day(status, room), width),
        *section("latency", _latency(model, status, room), width),
        *section("daemon", _resources(model, room), width),
    ]


def _state(status: Json, width: int) -> list[Line]:
    state = clean(status.get("state", "?"), 20)
    armed = "" if status.get("mode") == "dry" else "armed"
    armed = armed if status.get("armed") else "NOT ARMED"
    lines = flowed(
        [
            line((STATE_ROLES.get(state, "bad"), state)),
            line(status.get("mode", "?")),
            *([line(("bold", armed))] if armed else []),
            line(f"up {age(_ms(status.get('uptime_s')))}"),
            line(f"triggers {status.get('triggers_on', '-')}/{status.get('triggers', '-')}"),
        ],
        width,
    )
    for hold in rows_of(status.get("holds")):
        until = f" until {clock(hold.get('until'))}Z" if hold.get("until") else ""
        text = f"hold {hold.get('name')}: {hold.get('state')}{until} - {hold.get('reason')} "
        text += f"({hold.get('who')}, since {clock(hold.get('since'))}Z)"
        lines += wrapped(text, width, "warn")[:3]
    for role, text in _troubles(status):
        lines += wrapped(text, width, role)[:3]
    return lines


def _troubles(status: Json) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if status.get("unprotected"):
        found.append(("bad", f"positions without a confirmed stop: {status['unprotected']}"))
    if status.get("unknown_orders"):
        found.append(("bad", f"orders with an unknown outcome: {status['unknown_orders']}"))
    for row in rows_of(status.get("breakers")):
        found.append(("warn", f"breaker {row.get('name')}: {row.get('state')} - {row.get('why')}"))
    if status.get("stopped_by") == "stop file":
        found.append(("bad", f"stop file: {status.get('stop_file')}"))
    if names := words_of(status.get("paused_symbols")):
        found.append(("warn", "paused until you resume: " + ", ".join(names)))
    if fault := part(status.get("ledger")).get("fault"):
        found.append(("bad", f"ledger: {fault}"))
    if status.get("recovered") is False:
        found.append(("warn", "still recovering: no entries until belief and venue agree"))
    return found


def _feeds(status: Json, width: int) -> list[Line]:
    feeds = rows_of(status.get("feeds"))
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
    day = part(status.get("day"))
    result, open_usd = day.get("result_usd"), status.get("unrealized_usd")
    return flowed(
        [
            line("result ", (gain(result), number(result, sign=True)), " USDT"),
            line(f"{day.get('closed', '-')} closed, {day.get('wins', '-')} won"),
            line(f"positions {status.get('positions', '-')}"),
            line("open ", (gain(open_usd), number(open_usd, sign=True))),
            line(f"notional {number(status.get('gross_usd'), 0)}"),
            line(f"wallet {number(status.get('wallet_usdt'))}"),
            line(f"free margin {number(status.get('margin_available_usd'))}"),
        ],
        width,
    )


def _latency(model: Model, status: Json, width: int) -> list[Line]:
    venue, latency = part(status.get("venue")), model.latency or {}
    parts = [
        *(speed(status) or [line("no trade by news yet")]),
        line(f"round trip {number(venue.get('round_trip_ms'), 1)} ms"),
        line(f"order socket {venue.get('order_socket', '-')}"),
    ]
    if "latency" in model.missing:
        missing = wrapped(f"stages: not available ({model.missing['latency']})", width)[:1]
        return [*flowed(parts, width), *missing]
    if (total := _total(latency)) and total.get("p50_ms") is not None:
        late, target = total.get("violations_pct"), number(total.get("target_ms"), 0)
        role = "bad" if isinstance(late, (int, float)) and late > 10 else ""
        p50, p99 = number(total.get("p50_ms")), number(total.get("p99_ms"))
        parts += [
            line(f"total p50 {p50} p99 {p99} ms"),
            line((role, f"{number(late, 1)} % over {target} ms")),
        ]
    lines = flowed(parts, width)
    recent = [ms for ms in _list(latency.get("recent_ms")) if isinstance(ms, (int, float))]
    if recent:
        said = f" newest {number(recent[-1])} ms"
        bars = sparkline(recent, min(60, width - len(said)))
        lines.append(fit([Piece("good", bars), Piece("dim", said)], width))
    return lines


def _total(latency: Json) -> Json | None:
    return next(
        (row for row in rows_of(latency.get("stages")) if row.get("stage") == "total"), None
    )


def _resources(model: Model, width: int) -> list[Line]:
    if "stats" in model.missing:
        return wrapped(f"not available ({model.missing['stats']})", width)[:1]
    stats = model.stats or {}
    process = part(stats.get("process"))
    if not process:
        return [line("waiting for the first figures")]
    return flowed(
        [
            line(f"cpu {number(process.get('cpu_pct'), 1)} %"),
            line(f"memory {number(process.get('rss_mb'), 0)} MB"),
            line(f"connections {stats.get('connections', '-')}"),
            line(f"files {process.get('open_files', '-')}"),
            line(f"threads {process.get('threads', '-')}"),
        ],
        width,
    )


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


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _ms(seconds: object) -> float | None:
    return seconds * 1000 if isinstance(seconds, (int, float)) else None


def speed(status: Json) -> list[Line]:
    """Our own work on the last trades, once there was one."""
    own = part(status.get("own_work_us"))
    if own.get("p50") is None:
        return []
    return [line(f"p50 {number(own['p50'], 0)} p99 {number(own.get('p99'), 0)} µs")]
