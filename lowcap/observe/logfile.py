"""The log as a file, where there is no journal: a JSON object a line, five files of 10 MB.

Written straight to the file: one ``write`` a record, into the page cache. A
disk that refuses costs commentary, never a trade; what is lost is counted.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

LOG_FILE = "lowcapd.jsonl"
BYTES_MAX = 10_000_000
FILES = 5

Json = dict[str, Any]


class LogFile:
    """An outlet of the log. ``lowcapd.jsonl`` is the newest, ``lowcapd.jsonl.4`` the oldest."""

    def __init__(self, path: Path, *, bytes_max: int = BYTES_MAX, files: int = FILES) -> None:
        self.path = path
        self.dropped = 0
        self._bytes_max = bytes_max
        self._files = files
        self._fd = -1
        self._size = 0
        self._torn = False

    def write(self, row: Json) -> None:
        """Append one row, after starting a new file where this one is full."""
        data = msgspec.json.encode(row) + b"\n"
        try:
            if self._fd < 0:
                self._open()
            if self._size and self._size + len(data) > self._bytes_max:
                self._roll()
            if self._torn:
                data = b"\n" + data  # what a full disk has cut off stays a line of its own
            written = os.write(self._fd, data)
        except OSError:
            self.dropped += 1
            return
        self._size += written
        self._torn = written < len(data)
        self.dropped += self._torn

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o640)
        self._size = os.fstat(self._fd).st_size
        self._torn = self._size > 0 and os.pread(self._fd, 1, self._size - 1) != b"\n"

    def _roll(self) -> None:
        """Give each file the next number; the oldest goes."""
        for number in range(self._files - 1, 0, -1):
            older = _numbered(self.path, number - 1)
            if older.exists():
                older.replace(_numbered(self.path, number))
        self.close()
        self._open()

    def close(self) -> None:
        """Let the file go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path
