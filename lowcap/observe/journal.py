"""The journal's native protocol: one datagram a record, or a sealed file where that is too large.

The address is looked up at every record, so that a journal that was restarted
is found again. Sending never waits.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
from array import array
from collections.abc import Mapping
from typing import Any

from lowcap.observe.kinds import KINDS

JOURNAL_SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "lowcapd"
_PRIORITY = {"trace": 7, "debug": 7, "info": 6, "success": 5, "warning": 4, "error": 3}
_CRITICAL = 2
_FIELD = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
# Too large for a datagram, by what the kernel says about it.
_TOO_LARGE = (errno.EMSGSIZE, errno.ENOBUFS)

Json = dict[str, Any]


class JournalSink:
    """An outlet of the log that the journal reads; what it does not take is counted."""

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._path = path
        self._untold = 0
        self.dropped = 0

    def write(self, row: Json) -> None:
        """Send one row; the first that gets through again says how many did not."""
        if not self._send(journal_fields(row)):
            self.dropped += 1
            self._untold += 1
        elif self._untold:
            kind = KINDS["journal.dropped"]
            said = {
                "MESSAGE": f"{self._untold} log records could not be given to the journal",
                "MESSAGE_ID": kind.message_id,
                "PRIORITY": str(_PRIORITY[kind.level]),
                "SYSLOG_IDENTIFIER": IDENTIFIER,
                "LOWCAP_AREA": kind.area,
                "LOWCAP_LOG": kind.log,
                "LOWCAP_KIND": kind.name,
                "LOWCAP_MODE": row["mode"],
            }
            if self._send(said):
                self._untold = 0

    def _send(self, fields: Mapping[str, str]) -> bool:
        data = encode_fields(fields)
        try:
            self._socket.sendto(data, self._path)
        except OSError as error:
            return error.errno in _TOO_LARGE and self._send_sealed(data)
        return True

    def _send_sealed(self, data: bytes) -> bool:
        """A record larger than a datagram: in memory that nobody can change any more."""
        try:
            fd = os.memfd_create("lowcap-log", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:
            return False
        try:
            if os.write(fd, data) != len(data):
                return False
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
            # Not socket.send_fds: in Python 3.11 it forgets the address.
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [fd]))
            self._socket.sendmsg([b""], [rights], 0, self._path)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True

    def close(self) -> None:
        """Let the socket go."""
        self._socket.close()


def journal_fields(row: Json) -> dict[str, str]:
    """A row of the log as fields of the journal. Names that it would not take are left out."""
    more: dict[str, str] = dict(row["fields"])
    traceback = more.pop("TRACEBACK", "")
    fields = {
        "MESSAGE": row["text"] + (f"\n{traceback}" if traceback else ""),
        "MESSAGE_ID": row["message_id"],
        "PRIORITY": str(_PRIORITY.get(row["level"], _CRITICAL)),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "LOWCAP_AREA": row["area"],
        "LOWCAP_LOG": row["log"],
        "LOWCAP_KIND": row["kind"],
        "LOWCAP_MODE": row["mode"],
        "LOWCAP_TRACE": str(row["trace"] or ""),
        "LOWCAP_FEED": row["feed"],
        "LOWCAP_TRIGGER": row["trigger"],
        "LOWCAP_FOLDER": row["folder"],
        "LOWCAP_SYMBOL": row["symbol"],
        "LOWCAP_CURSOR": row["cursor"],
        **{name: value for name, value in more.items() if _FIELD.fullmatch(name)},
    }
    return {name: value for name, value in fields.items() if value}


def encode_fields(fields: Mapping[str, str]) -> bytes:
    """Journal fields with their lengths, so that no value can forge another field."""
    parts = []
    for name, value in fields.items():
        data = value.encode(errors="replace")
        parts.append(name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n")
    return b"".join(parts)
