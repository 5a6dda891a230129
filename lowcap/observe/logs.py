"""The log: commentary for people, on stderr or in the journal, and a ring for ``logs``."""

from __future__ import annotations

import socket
import sys
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from loguru import logger

from lowcap.core.facts import Record
from lowcap.core.plain import plain
from lowcap.observe.story import tell

RING_RECORDS = 10_000
JOURNAL_SOCKET = "/run/systemd/journal/socket"
TEXT_LENGTH_MAX = 1_000
_PRIORITY = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}

Json = dict[str, Any]


class LogRing:
    """The newest log records, for the control socket."""

    def __init__(self) -> None:
        self._records: deque[Json] = deque(maxlen=RING_RECORDS)
        self.on_record: Callable[[Json], None] = lambda record: None
        # How many records of each level so far, and how many the journal has not taken.
        self.counts: Counter[str] = Counter()
        self.dropped: Callable[[], int] = lambda: 0

    def sink(self, message: Any) -> None:  # noqa: ANN401  # loguru's message type is private
        """A loguru sink."""
        record = message.record
        line = {
            "at": f"{record['time'].astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "level": record["level"].name.lower(),
            "area": record["extra"].get("area", "system"),
            "text": record["message"],
        }
        self._records.append(line)
        self.counts[str(line["level"])] += 1
        self.on_record(line)

    def select(self, count: int, keep: Callable[[Json], bool]) -> list[Json]:
        """The newest ``count`` records that ``keep`` lets through."""
        return [line for line in self._records if keep(line)][-count:]


class JournalSink:
    """Native journal datagrams: fields with lengths, never blocking; what is dropped is counted."""

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._path = path
        self.dropped = 0

    def write(self, message: Any) -> None:  # noqa: ANN401  # as above
        """Loguru's call for each record."""
        record = message.record
        fields = {
            "MESSAGE": str(message).rstrip("\n"),  # with the traceback, where there is one
            "PRIORITY": str(_PRIORITY.get(record["level"].name, 6)),
            "SYSLOG_IDENTIFIER": "lowcapd",
        }
        for name, value in record["extra"].items():
            fields[f"LOWCAP_{name.upper()}"] = str(value)
        try:
            self._socket.sendto(encode_fields(fields), self._path)
        except OSError:
            self.dropped += 1

    def stop(self) -> None:
        """Loguru's call at the end."""
        self._socket.close()


def encode_fields(fields: Mapping[str, str]) -> bytes:
    """Journal fields with their lengths, so that no value can forge another field."""
    parts = []
    for name, value in fields.items():
        data = value.encode(errors="replace")
        parts.append(name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n")
    return b"".join(parts)


def set_up_logging(level: str, environ: Mapping[str, str]) -> LogRing:
    """Send the log to the journal under systemd, else to stderr; keep a ring either way."""
    ring = LogRing()
    logger.remove()
    logger.configure(extra={"area": "system"}, patcher=_disarm)
    options: dict[str, Any] = {
        "level": level.upper(),
        "enqueue": False,
        "diagnose": False,
        "backtrace": False,
    }
    logger.add(ring.sink, format="{message}", **options)
    if "JOURNAL_STREAM" in environ:
        journal = JournalSink()
        logger.add(journal, format="{message}", **options)
        ring.dropped = lambda: journal.dropped
    else:
        logger.add(sys.stderr, format=_for_people, colorize=False, **options)
    return ring


def _disarm(record: Any) -> None:  # noqa: ANN401  # loguru's record type is private
    """Whatever reaches a log is one harmless line: it may quote a headline or a venue."""
    record["message"] = plain(record["message"], TEXT_LENGTH_MAX)


def _for_people(record: Any) -> str:  # noqa: ANN401  # as above
    return "{time:HH:mm:ss.SSS!UTC} {level: <7} {extra[area]: <8} {message}\n{exception}"


def log_record(record: Record) -> None:
    """Comment on one ledger record. Text is never a format string."""
    told = tell(record)
    if told is not None:
        level, area, text = told
        logger.bind(area=area).log(level.upper(), "{}", text)
