"""What ``top`` knows of the daemon: folds hello, replies, events and log records. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from lowcap.control.commands import ADMIN, TRADE, VIEW
from lowcap.control.protocol import Json

EVENTS_KEPT = 300
LOGS_KEPT = 5_000
RANK = {VIEW: 1, TRADE: 2, ADMIN: 3}
LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True)
class LogRow:
    """A log record and its place in what has come."""

    place: int
    row: Json


@dataclass
class Model:
    """Plain data, as the daemon sends it. ``missing`` says why an answer is not there."""

    role: str = VIEW
    version: str = ""
    run: int = 0
    connected: bool = False
    why: str = "connecting"
    status: Json | None = None
    positions: list[Json] = field(default_factory=list)
    latency: Json | None = None
    stats: Json | None = None
    config: list[Json] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    events: deque[Json] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    logs: deque[LogRow] = field(default_factory=lambda: deque(maxlen=LOGS_KEPT))
    logs_seen: int = 0
    last_seq: int | None = None

    def may(self, needed: str) -> bool:
        """Whether this session has at least the role ``needed``."""
        return RANK.get(self.role, 0) >= RANK[needed]

    def greeted(self, hello: Json) -> None:
        """The daemon has said hello: it may be another one than before."""
        run = hello.get("run")
        run = run if isinstance(run, int) else 0
        if 0 < run < self.run:
            self.last_seq = None
            self.events.clear()
        self.run = run or self.run
        self.connected, self.why = True, ""
        self.role = str(hello.get("role") or VIEW)
        self.version = str(hello.get("version", ""))
        self.missing.clear()

    def lost(self, why: str) -> None:
        """The daemon is away; what was known stays, and is marked as old by the pages."""
        self.connected, self.why = False, why

    def answered(self, method: str, value: Any) -> None:  # noqa: ANN401  # JSON
        """A reply to what ``top`` asks by itself. Values of an unknown shape count as missing."""
        if method in ("positions", "config") and isinstance(value, list):
            rows = [row for row in value if isinstance(row, dict)]
            if method == "positions":
                self.positions = rows
            else:
                hot = {str(row.get("key")): row for row in rows if row.get("hot")}
                self.config = list(hot.values())
        elif method in ("status", "latency", "stats") and isinstance(value, dict):
            setattr(self, method, value)
        else:
            self.missing[method] = "the answer has an unknown shape"
            return
        self.missing.pop(method, None)

    def failed(self, method: str, why: str) -> None:
        """What ``top`` asks by itself was refused."""
        self.missing[method] = why

    def took_event(self, event: Json) -> bool:
        """A ledger record; whether it is new and has something to say."""
        seq = event.get("seq")
        if isinstance(seq, int):
            if self.last_seq is not None and seq <= self.last_seq:
                return False
            self.last_seq = seq
        if not event.get("text") or event.get("level") == "debug":
            return False
        self.events.append(event)
        return True

    def took_log(self, row: Json) -> None:
        """A log record that was pushed."""
        self.logs.append(LogRow(self.logs_seen, row))
        self.logs_seen += 1

    def took_logs(self, rows: list[Json]) -> None:
        """The newest records of the daemon's ring; those that are here already are left out."""
        newest = str(self.logs[-1].row.get("at", "")) if self.logs else ""
        for row in rows:
            if str(row.get("at", "")) > newest:
                self.took_log(row)

    def values_of(self, name: str) -> list[str]:
        """What stands in a field of the log records that are there, each once."""
        return sorted({str(log.row[name]) for log in self.logs if log.row.get(name)})


def rank_of(level: object) -> int:
    """How bad a level is; one that we do not know counts as info."""
    return LEVELS.index(str(level)) if level in LEVELS else 1
