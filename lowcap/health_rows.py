"""Health of each part of the daemon, and its counters, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lowcap.actions import Parts
from lowcap.core.clock import NS_PER_MS
from lowcap.core.messages import TradingState
from lowcap.feeds.session import NewsSession
from lowcap.flow import BATCH_MAX, DROPPED, STALE
from lowcap.observe.process import read_process
from lowcap.risk.gate import CLOCK_OFFSET_MS_MAX
from lowcap.rows import stop_of

Json = dict[str, Any]
LAG_MS_MAX = 250.0
MB = 1_000_000


# -- health -----------------------------------------------------------------------


def health(parts: Parts, component: str = "") -> Json:
    """Every part with whether it is well; what still works where one is not."""
    rows = [row for row in components(parts) if component in ("", row["name"], row["kind"])]
    desk = parts.desk
    state = desk.state()
    return {
        "ok": all(row["ok"] for row in rows),
        "mode": desk.mode,
        "state": state.value,
        "works": _works(parts, state),
        "components": rows,
    }


def _works(parts: Parts, state: TradingState) -> str:
    """What the present state lets through."""
    if not parts.keeper.recovered.is_set():
        return "nothing is entered until belief and venue agree; panic and close work"
    if state is TradingState.ACTIVE:
        return "entries and exits" if parts.desk.armed else "exits; entries wait for arm"
    if state is TradingState.REDUCING:
        return "exits and stops; no entries"
    return "stops that rest, closes and cancels; no entries"


def components(parts: Parts) -> Iterator[Json]:
    """A row for each part. ``ok`` is False where a person should look."""
    desk, keeper, venue = parts.desk, parts.keeper, parts.venue
    up = keeper.recovered.is_set()
    yield _row("recovery", "venue", up, "belief and venue agree" if up else "still comparing")
    fault = desk.ledger.broken
    yield _row("ledger", "ledger", not fault, fault or f"record {desk.ledger.last_seq}")
    up = venue.socket.is_up
    text = _trip("up", venue.socket.round_trip_ms) if up else "down: orders go by REST"
    yield _row("order-socket", "venue", up, text)
    held = desk.book.state.holds.get("venue")
    text = held.reason if held else _trip("answers", venue.round_trip_ms or None)
    yield _row("rest", "venue", held is None, text)
    held = desk.book.state.holds.get("user-stream")
    up = keeper.user_stream_up and held is None
    yield _row("user-stream", "venue", up, "up" if up else held.reason if held else "down")
    age_ms = desk.now_ms() - desk.prices.newest_ms if desk.prices.newest_ms else None
    fresh = age_ms is not None and age_ms <= desk.settings.limits.price_age_ms_max
    text = "no mark price yet" if age_ms is None else f"newest mark price {age_ms} ms old"
    yield _row("prices", "venue", fresh, text)
    offset = venue.offset_ms
    fine = abs(offset) <= CLOCK_OFFSET_MS_MAX
    yield _row("clock", "clock", fine, f"{offset:+d} ms, {CLOCK_OFFSET_MS_MAX} ms at most")
    bare = [p.symbol for p in desk.book.open_positions() if stop_of(desk, p) is None]
    text = f"no confirmed stop: {', '.join(bare)}" if bare else "every position has its stop"
    yield _row("protection", "positions", not bare, text)
    doubt = len(desk.book.unknown_orders())
    yield _row("outcomes", "positions", not doubt, f"{doubt} orders in doubt")
    for feed in parts.feeds:
        yield _feed(feed)
    yield _caps(parts)
    yield from _inner(parts)


def _inner(parts: Parts) -> Iterator[Json]:
    """What goes on within the process."""
    desk, flow, gauges = parts.desk, parts.flow, parts.gauges
    tripped = desk.breakers.tripped
    text = ", ".join(f"{name} {each.state.value}" for name, each in tripped.items())
    yield _row("breakers", "breakers", not tripped, text or "all closed")
    dropped = flow.counts[DROPPED]
    text = f"{len(flow.batch)} of {BATCH_MAX} waiting, {dropped} dropped"
    yield _row("batch", "pipeline", len(flow.batch) < BATCH_MAX, text)
    lag_ms = gauges.lag_ms
    text = f"{lag_ms:.1f} ms at most in the last minute"
    yield _row("loop", "pipeline", lag_ms <= LAG_MS_MAX, text)
    lost = parts.ring.dropped
    yield _row("log", "log", not lost, f"{lost} records not taken by the journal")
    if gauges.fault:
        yield _row("metrics", "metrics", False, gauges.fault)


def _feed(feed: NewsSession) -> Json:
    status = feed.status
    well = status.state in ("up", "off")
    text = _trip(status.state, status.round_trip_ms) if status.state == "up" else status.state
    text += f"; {status.why}" if status.why else ""
    return _row(f"feed:{status.name}", "feed", well, text)


def _caps(parts: Parts) -> Json:
    if not parts.desk.settings.caps.enabled:
        return _row("caps", "caps", True, "off")
    status, table = parts.caps.status, parts.caps.table
    usable = table.is_usable(parts.desk.now_ms())
    well = usable and status.state not in ("failing", "stale")
    text = f"{status.state}, {len(table.usd)} coins"
    return _row("caps", "caps", well, f"{text}: {status.why}" if status.why and not well else text)


def _row(name: str, kind: str, ok: bool, text: str) -> Json:
    return {"name": name, "kind": kind, "ok": ok, "text": text}


def _trip(text: str, round_trip_ms: float | None) -> str:
    return text if round_trip_ms is None else f"{text}, round trip {round_trip_ms:.1f} ms"


# -- stats ------------------------------------------------------------------------


def totals_of(parts: Parts) -> dict[str, float]:
    """The counters whose growth a minute is told."""
    tally = parts.gauges.tally
    return {
        "frames": sum(feed.status.frames for feed in parts.feeds),
        "news": sum(feed.status.news for feed in parts.feeds),
        "signals": tally.signals,
        "orders": tally.sent,
    }


def stats(parts: Parts) -> Json:
    """Counters since the start, rates over the last minute, and what the process uses."""
    desk, flow, gauges = parts.desk, parts.flow, parts.gauges
    tally = gauges.tally
    return {
        "process": process_row(parts),
        "connections": gauges.clients(),
        "per_min": gauges.per_min(),
        "totals": {name: int(total) for name, total in totals_of(parts).items()},
        "frames_unrecorded": flow.unrecorded,
        "judged": dict(flow.counts),
        "success_pct": tally.success_pct,
        "orders": dict(sorted(tally.orders.items())),
        "refused": dict(tally.refused.most_common()),
        "errors": dict(tally.errors.most_common()),
        "trades": tally.trades,
        "wins": tally.wins,
        "volume_usd": f"{tally.volume_usd:.2f}",
        "dedup": {
            "repeated": tally.repeated,
            "stale": flow.counts[STALE],
            "keys_closed": sum(1 for _ in flow.admission.closed(desk.now_ms())),
        },
        "queues": {
            "batch": {
                "waiting": len(flow.batch),
                "most": BATCH_MAX,
                "peak": flow.batch_peak,
                "oldest_ms": _oldest_ms(parts),
                "dropped": flow.counts[DROPPED],
            },
            "capture": {"waiting": parts.intake.recorder.status().waiting},
            "replies": {"waiting": len(desk.sent_ns)},
        },
        "loop_lag_ms": round(gauges.lag_ms, 2),
        "links": links(parts),
    }


def _oldest_ms(parts: Parts) -> int | None:
    """How long ago the frame came that waits longest for its turn; None where none waits."""
    batch = parts.flow.batch
    return parts.desk.now_ms() - batch[0].item.received_ns // NS_PER_MS if batch else None


def process_row(parts: Parts) -> Json:
    """The daemon's process."""
    now = read_process()
    return {
        "cpu_pct": parts.gauges.cpu_pct(),
        "cpu_s": round(now.cpu_s, 2),
        "rss_mb": None if now.rss_bytes is None else round(now.rss_bytes / MB, 1),
        "open_files": now.open_files,
        "open_files_max": now.open_files_max,
        "threads": now.threads,
        "uptime_s": (parts.desk.now_ms() - parts.started_ms) // 1000,
    }


def links(parts: Parts) -> list[Json]:
    """Every connection to the outside, with its newest round trip."""
    venue = parts.venue
    socket = venue.socket
    rows = [_link("orders", "ws", "up" if socket.is_up else "down", socket.round_trip_ms)]
    for name, wire in parts.gauges.wires().items():
        state, trip_ms = ("down", None) if wire is None else ("up", wire.round_trip_ms)
        rows.append(_link(name, "ws", state, trip_ms))
    rows.append(_link("rest", "http", "on demand", venue.round_trip_ms or None))
    for feed in parts.feeds:
        name, state = feed.status.name, feed.status.state
        way = "http" if parts.desk.settings.feed[name].url.startswith("http") else "ws"
        rows.append(_link(name, way, state, feed.status.round_trip_ms))
    return rows


def _link(name: str, way: str, state: str, round_trip_ms: float | None) -> Json:
    shown = None if round_trip_ms is None else round(round_trip_ms, 2)
    return {"name": name, "way": way, "state": state, "round_trip_ms": shown}
