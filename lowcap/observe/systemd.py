"""Telling systemd how we are (sd_notify): readiness, status, watchdog, reloading, stopping."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

USEC_PER_S = 1_000_000
REMARK_S = 60.0


class Systemd:
    """Datagrams to ``$NOTIFY_SOCKET``; silent where there is none.

    ``watchdog_s`` is the silence after which systemd takes us for hung, in
    seconds; None where nobody watches this process.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        self.watchdog_s = _watchdog_s(environ)
        self._remark = ""
        self._remark_until_s = 0.0

    def tell(self, **state: str) -> None:
        """Send ``KEY=value`` lines in one datagram; a full or missing socket is not our fault."""
        if self._socket is None:
            return
        lines = (f"{name}={' '.join(value.splitlines())}" for name, value in state.items())
        text = "\n".join(lines)
        try:
            self._socket.sendto(text.encode(errors="replace"), self._address)
        except OSError:
            return

    def tell_status(self, text: str, **state: str) -> None:
        """Send a STATUS line, with the remark of the last minute behind it."""
        if self._remark and time.monotonic() < self._remark_until_s:
            text = f"{text}; {self._remark}"
        self.tell(**state, STATUS=text)

    def reloading(self) -> None:
        """A reload begins; newer systemd wants to know when, to tell it from an older one."""
        self.tell(RELOADING="1", MONOTONIC_USEC=str(time.monotonic_ns() // 1000))

    def reloaded(self, fault: str) -> None:
        """The reload is over. A ``fault`` that kept everything as it was is told for a minute."""
        self._remark = f"not reloaded: {fault}" if fault else ""
        self._remark_until_s = time.monotonic() + REMARK_S
        self.tell_status("the old configuration stays" if fault else "reloaded", READY="1")

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """``WATCHDOG_USEC`` in seconds, where it is meant for this process."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not (usec.isascii() and usec.isdecimal() and len(usec) < 16 and int(usec)):
        return None
    return int(usec) / USEC_PER_S if pid in ("", str(os.getpid())) else None
