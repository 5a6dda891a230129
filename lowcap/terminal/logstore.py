"""Log records that the daemon's ring holds no more: from its log file, or from the journal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from lowcap.control.client import CallFailed
from lowcap.control.logquery import stamp
from lowcap.control.protocol import Json

LOG_FILE = "lowcapd.jsonl"
FILES_MAX = 100
SERVICE_STATE, SERVICE_USER = Path("/var/lib/lowcap"), "lowcap"
_LEVELS = {"7": "debug", "4": "warning", "3": "error", "2": "critical", "1": "critical"}
_NAMED = {
    "cursor": "LOWCAP_CURSOR",
    "area": "LOWCAP_AREA",
    "log": "LOWCAP_LOG",
    "kind": "LOWCAP_KIND",
    "feed": "LOWCAP_FEED",
    "trigger": "LOWCAP_TRIGGER",
    "folder": "LOWCAP_FOLDER",
    "symbol": "LOWCAP_SYMBOL",
    "mode": "LOWCAP_MODE",
    "message_id": "MESSAGE_ID",
}
_OWN = frozenset(
    (*_NAMED.values(), "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "LOWCAP_TRACE", "SYSLOG_RAW")
)
_WORDS = ("at", "level", "area", "text", "cursor", "kind")


class Source(NamedTuple):
    """Where older records are: the newest log file, or the journal."""

    name: str
    path: Path | None


def log_place(to: str | None, file: str | None) -> Source:
    """Where the daemon says that it writes; where none answers, the first place with a log.

    Raises:
        CallFailed: there is none.
    """
    if file is not None:
        return Source(file, Path(file))
    if to is not None:
        return Source("the journal", None)
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    named = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    places = [*([Path(named)] if named else []), Path(base) / "lowcap", SERVICE_STATE]
    for place in places:
        if os.access(place / LOG_FILE, os.R_OK):
            return Source(str(place / LOG_FILE), place / LOG_FILE)
    return Source("the journal", None)


def likely_writers() -> set[int]:
    """The users that a daemon which does not answer may have run as.

    Anybody can write to a journal, but the user of a record is the kernel's word.
    """
    import pwd

    found = {0, os.getuid()}
    with suppress(KeyError):  # not installed as a service
        found.add(pwd.getpwnam(SERVICE_USER).pw_uid)
    return found


def log_files(newest: Path) -> list[Path]:
    """A log file and those before it, oldest first."""
    numbered = (newest.with_name(f"{newest.name}.{n}") for n in range(1, FILES_MAX))
    older = []
    for path in numbered:
        if not path.exists():
            break
        older.append(path)
    return [*reversed(older), newest]


def file_rows(paths: list[Path]) -> Iterator[Json]:
    """The records of log files. A line that a full disk or a crash has cut off is left out.

    Raises:
        CallFailed: a file cannot be read.
    """
    for path in paths:
        try:
            with path.open("rb") as file:
                for line in file:
                    row = _row_in(line)
                    if row is not None:
                        yield row
        except OSError as error:
            raise CallFailed(
                f"{path}: {error.strerror}", hint="ask as the daemon's user, or as root"
            ) from None


def _row_in(line: bytes) -> Json | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in _WORDS):
        return None
    if not isinstance(row.get("fields"), dict):
        row["fields"] = {}
    return row


def journal_rows(words: list[str]) -> Iterator[Json]:
    """The records that a ``journalctl`` call with JSON output prints.

    Raises:
        CallFailed: there is no journal, or it does not let us read.
    """
    import subprocess

    try:
        child = subprocess.Popen(
            [*words, "--no-pager", "--all", "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise CallFailed(f"no journal: journalctl: {error.strerror}") from None
    with child:
        if child.stdout is None or child.stderr is None:
            raise AssertionError("both are pipes")
        for line in child.stdout:
            try:
                yield row_of_entry(json.loads(line))
            except ValueError:
                continue
        said = child.stderr.read().decode(errors="replace").strip()
    if child.returncode:
        raise CallFailed(
            f"the journal cannot be read: {said[:200] or child.returncode}",
            hint="add yourself to group systemd-journal",
        )


def row_of_entry(entry: dict[str, Any]) -> Json:
    """A journal entry, as ``journalctl -o json`` has it, as a row of the log.

    Raises:
        ValueError: it has no time.
    """
    from datetime import UTC, datetime

    fields = {name: _text(value) for name, value in entry.items()}
    micros = fields.get("__REALTIME_TIMESTAMP", "")
    if not micros.isascii() or not micros.isdecimal():
        raise ValueError("an entry without a time")
    text, _, more = fields.get("MESSAGE", "").partition("\n")
    trace = fields.get("LOWCAP_TRACE", "")
    row: Json = {
        "at": stamp(datetime.fromtimestamp(int(micros) / 1_000_000, UTC)),
        "level": _LEVELS.get(fields.get("PRIORITY", ""), "info"),
        "text": text,
        "trace": int(trace) if trace.isascii() and trace.isdecimal() else None,
        **{name: fields.get(field, "") for name, field in _NAMED.items()},
    }
    row["fields"] = {
        name: value
        for name, value in fields.items()
        if not name.startswith("_") and name not in _OWN
    }
    if more:
        row["fields"]["TRACEBACK"] = more
    return row


def _text(value: object) -> str:
    """A field's value: text, or the bytes of what is none, or the first of several."""
    if isinstance(value, list) and all(isinstance(each, int) for each in value):
        return bytes(each & 255 for each in value).decode(errors="replace")
    if isinstance(value, list):
        return _text(value[0]) if value else ""
    return "" if value is None else str(value)
