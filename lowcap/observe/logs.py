"""The log: commentary for people, in the journal or on stderr, and a ring for ``logs``.

A record becomes one row of plain data, and every outlet is given that row.
Nothing here waits: what an outlet cannot take at once is counted as dropped.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from loguru import logger

from lowcap.core.plain import plain
from lowcap.observe.journal import JournalSink
from lowcap.observe.kinds import KINDS, REMARK
from lowcap.observe.logfile import LOG_FILE, LogFile

RING_RECORDS = 10_000
TEXT_LENGTH_MAX = 1_000
TRACEBACK_LENGTH_MAX = 1_000_000
TRACEBACK_KEPT_MAX = 20_000
MINUTES_KEPT = 60
_BAD = frozenset({"error", "critical"})

Json = dict[str, Any]


class Outlet(Protocol):
    """Where rows go beside the ring."""

    dropped: int

    def write(self, row: Json) -> None:
        """Take a row, or count it as dropped."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class LogRing:
    """The newest log records, for the control socket, and how many there have been."""

    def __init__(self, mode: str = "") -> None:
        self._records: deque[Json] = deque(maxlen=RING_RECORDS)
        self._mode = mode
        self._started = 0
        self._number = 0
        self._minutes: deque[list[int]] = deque(maxlen=MINUTES_KEPT)
        self.by_level: Counter[str] = Counter()
        self.by_area: Counter[str] = Counter()
        self.outlets: list[Outlet] = []
        self.on_record: Callable[[Json], None] = lambda record: None

    def sink(self, message: Any) -> None:  # noqa: ANN401  # loguru's message type is private
        """A loguru sink."""
        at = message.record["time"].astimezone(UTC)
        self._started = self._started or int(at.timestamp())
        self._number += 1
        row = row_of(message, at, f"{self._started:x}-{self._number}", self._mode)
        self._count(row, int(at.timestamp()) // 60)
        for outlet in self.outlets:
            outlet.write(row)
        traceback = row["fields"].get("TRACEBACK", "")
        if len(traceback) > TRACEBACK_KEPT_MAX:
            row["fields"]["TRACEBACK"] = traceback[:TRACEBACK_KEPT_MAX] + "…"
        self._records.append(row)
        self.on_record(row)

    def _count(self, row: Json, minute: int) -> None:
        self.by_level[row["level"]] += 1
        self.by_area[row["area"]] += 1
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append([minute, 0, 0])
        self._minutes[-1][1] += 1
        self._minutes[-1][2] += row["level"] in _BAD

    def close(self) -> None:
        """Close the outlets; the ring goes on."""
        while self.outlets:
            self.outlets.pop().close()

    def rows(self) -> list[Json]:
        """What is in the ring now, oldest first."""
        return list(self._records)

    def behind(self, cursor: str) -> list[Json]:
        """What is behind a cursor, oldest first; for one of another run everything."""
        number = self._number_of(cursor)
        skipped = 0 if number is None else max(0, number - self._first_number + 1)
        return list(islice(self._records, skipped, None))

    def find(self, cursor: str) -> Json | None:
        """The record of a cursor, while it is in the ring."""
        number = self._number_of(cursor)
        if number is None or not self._first_number <= number <= self._number:
            return None
        return self._records[number - self._first_number]

    def _number_of(self, cursor: str) -> int | None:
        begun, _, number = cursor.partition("-")
        known = begun == f"{self._started:x}" and number.isascii() and number.isdecimal()
        return int(number[:18]) if known else None

    @property
    def dropped(self) -> int:
        """How many records an outlet could not take."""
        return sum(each.dropped for each in self.outlets)

    @property
    def _first_number(self) -> int:
        """The number of the oldest record that is still here."""
        return self._number - len(self._records) + 1

    def stats(self) -> Json:
        """Counts since the start, rates a minute, and what could not be given to an outlet."""
        now_minute = int(datetime.now(UTC).timestamp()) // 60
        full = [each for each in self._minutes if now_minute - MINUTES_KEPT <= each[0] < now_minute]
        last = [each for each in full if each[0] == now_minute - 1]
        file = next((each for each in self.outlets if isinstance(each, LogFile)), None)
        return {
            "records": self._number,
            "kept": len(self._records),
            "oldest": self._records[0]["at"] if self._records else None,
            "by_level": dict(self.by_level),
            "by_area": dict(self.by_area),
            "last_minute": sum(each[1] for each in last),
            "errors_last_minute": sum(each[2] for each in last),
            "last_hour": sum(each[1] for each in full),
            "errors_last_hour": sum(each[2] for each in full),
            "dropped": self.dropped,
            "to": "journal" if any(isinstance(o, JournalSink) for o in self.outlets) else "stderr",
            "file": str(file.path) if file is not None else None,
        }


def row_of(message: Any, at: datetime, cursor: str, mode: str) -> Json:  # noqa: ANN401  # as above
    """A loguru message as plain data.

    ``fields`` holds what else is known, by the names that the journal gives it.
    """
    record = message.record
    extra = record["extra"]
    kind = KINDS.get(extra.get("kind", ""), REMARK)
    fields = {
        **extra.get("fields", {}),
        "CODE_FILE": (record["name"] or record["file"].name).replace(".", "/") + ".py",
        "CODE_LINE": str(record["line"]),
        "CODE_FUNC": record["function"],
    }
    if record["exception"] is not None:
        told = str(message).partition("\n")[2]
        fields["TRACEBACK"] = told[:TRACEBACK_LENGTH_MAX].rstrip("\n")
    return {
        "cursor": cursor,
        "at": f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "level": record["level"].name.lower(),
        "area": extra.get("area") or kind.area,
        "log": kind.log,
        "kind": kind.name,
        "text": record["message"],
        "trace": extra.get("trace"),
        "feed": extra.get("feed", ""),
        "trigger": extra.get("trigger", ""),
        "folder": extra.get("folder", ""),
        "symbol": extra.get("symbol", ""),
        "mode": mode,
        "message_id": kind.message_id,
        "fields": fields,
    }


class _Gate:
    """How bad a record must be to be told; changed while the daemon runs."""

    number = 0

    def passes(self, record: Any) -> bool:  # noqa: ANN401  # loguru's record type is private
        return bool(record["level"].no >= self.number)


_gate = _Gate()


def set_level(level: str) -> None:
    """From now on only records of this level and worse are told."""
    _gate.number = logger.level(level.upper()).no


def is_wanted(level: str) -> bool:
    """Whether a record of this level would be told: one that is not need not be made."""
    return logger.level(level.upper()).no >= _gate.number


def set_up_logging(
    level: str, environ: Mapping[str, str], *, folder: Path | None = None, mode: str = ""
) -> LogRing:
    """Send the log to the journal where that reads us, else to stderr and a file in ``folder``.

    A ring is kept either way.
    """
    ring = LogRing(mode)
    set_level(level)
    logger.remove()
    logger.configure(extra={}, patcher=_disarm)
    options: dict[str, Any] = {
        "level": 0,
        "filter": _gate.passes,
        "enqueue": False,
        "diagnose": False,
        "backtrace": False,
    }
    logger.add(ring.sink, format="{message}", **options)
    if has_journal(environ):
        ring.outlets.append(JournalSink())
        return ring
    if folder is not None:
        ring.outlets.append(LogFile(folder / LOG_FILE))
    logger.add(sys.stderr, format=_for_people, colorize=False, **options)
    return ring


def has_journal(environ: Mapping[str, str]) -> bool:
    """Whether stderr leads to the journal. A terminal opened from a service does not."""
    told = environ.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return told == f"{found.st_dev}:{found.st_ino}"


def _disarm(record: Any) -> None:  # noqa: ANN401  # as above
    """Whatever reaches a log is one harmless line: it may quote a headline or a venue."""
    record["message"] = plain(record["message"], TEXT_LENGTH_MAX)


def _for_people(record: Any) -> str:  # noqa: ANN401  # as above
    kind = KINDS.get(record["extra"].get("kind", ""), REMARK)
    record["extra"].setdefault("area", kind.area)
    return "{time:HH:mm:ss.SSS!UTC} {level: <7} {extra[area]: <8} {message}\n{exception}"
