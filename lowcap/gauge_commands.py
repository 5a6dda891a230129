"""What the daemon answers about its own speed and health: latency, stats, health, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
import trio.lowlevel

from lowcap.actions import Parts
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core import facts
from lowcap.core.errors import CommandError
from lowcap.core.plain import plain
from lowcap.health_rows import components, health, stats, totals_of
from lowcap.metrics_text import exposition
from lowcap.observe.latency import SAMPLES_KEPT, TOTAL, WITHIN, Latency

Json = dict[str, Any]


class GaugeCommands:
    """The handlers; nothing they do reaches the venue."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self.handlers: dict[str, Handler] = {
            "latency": self._latency,
            "stats": self._stats,
            "health": self._health,
            "metrics": self._metrics,
        }

    async def _latency(self, params: Json, peer: Peer) -> Any:  # noqa: ANN401  # JSON
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        parts.desk.ledger.publish_pending()
        latency = parts.gauges.latency
        stage = _stage(latency, params.get("stage"))
        match str(params.get("action") or "table"):
            case "hist":
                return _histogram(latency, stage or TOTAL)
            case "bottlenecks":
                return latency.bottlenecks()
            case "export":
                return latency.rows()[-_count(params) :]
            case "reset":
                forgotten = latency.stages[TOTAL].count
                parts.desk.record(
                    facts.CommandReceived(
                        method="latency", params="action=reset", uid=peer.uid, pid=peer.pid
                    )
                )
                latency.reset()
                return {"forgotten": forgotten}
            case _:
                return latency.table(stage)

    async def _stats(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        parts.desk.ledger.publish_pending()
        return stats(parts)

    async def _health(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        name = str(params.get("component") or "")
        found = health(parts, name)
        if name and not found["components"]:
            known = ", ".join(row["name"] for row in components(parts))
            raise CommandError(
                f"no component {plain(name, 40)}", hint=f"one of {known}", code="not-found"
            )
        return found

    async def _metrics(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        parts.desk.ledger.publish_pending()
        if params.get("prom"):
            return {"text": exposition(parts).decode()}
        tally, desk = parts.gauges.tally, parts.desk
        own, replies = (parts.gauges.latency.stages[n].row() for n in (TOTAL, "acknowledge"))
        return {
            "totals": {name: int(total) for name, total in totals_of(parts).items()},
            "orders": dict(sorted(tally.orders.items())),
            "success_pct": tally.success_pct,
            "trades": tally.trades,
            "wins": tally.wins,
            "volume_usd": f"{tally.volume_usd:.2f}",
            "day_result_usd": f"{desk.book.day_result():.2f}",
            "positions": len(desk.book.open_positions()),
            "own_work_ms": {key: own[key] for key in ("count", "p50_ms", "p99_ms")},
            "acknowledge_ms": {key: replies[key] for key in ("count", "p50_ms", "p99_ms")},
            "errors": dict(tally.errors.most_common()),
            "log_records": dict(sorted(parts.ring.by_level.items())),
            "textfile": desk.settings.metrics.textfile or None,
            "textfile_fault": parts.gauges.fault or None,
        }


def _stage(latency: Latency, given: object) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or given not in latency.targets_ms:
        known = ", ".join(latency.targets_ms)
        raise CommandError(f"no stage {plain(str(given), 40)}", hint=f"one of {known}")
    return given


def _histogram(latency: Latency, stage: str) -> Json:
    if stage in WITHIN:
        within = WITHIN[stage]
        raise CommandError(
            f"{stage} is measured within {within}", hint=f"latency hist --stage {within}"
        )
    spread = latency.stages[stage]
    rows = [
        {"up_to_ms": None if bound_ms == float("inf") else round(bound_ms, 3), "count": count}
        for bound_ms, count in spread.histogram()
    ]
    head = {"stage": stage, "target_ms": spread.target_ms}
    return head | spread.row() | {"bins": rows}


def _count(params: Json) -> int:
    given = params.get("count")
    if given is None:
        return SAMPLES_KEPT
    try:
        count = int(given)
    except (TypeError, ValueError, OverflowError):
        raise CommandError(f"count: {plain(str(given), 40)} is no whole number") from None
    if not 0 < count <= SAMPLES_KEPT:
        raise CommandError(f"count: {count} is not between 1 and {SAMPLES_KEPT}")
    return count
