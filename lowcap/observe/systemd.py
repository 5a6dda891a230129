"""Telling systemd how we are (sd_notify): readiness, status, watchdog, stopping."""

from __future__ import annotations

import socket
from collections.abc import Mapping


class Systemd:
    """Datagrams to ``$NOTIFY_SOCKET``; silent where there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def tell(self, **state: str) -> None:
        """Send ``KEY=value`` lines in one datagram; a full or missing socket is not our fault."""
        if not self._address:
            return
        lines = (f"{name}={' '.join(value.splitlines())}" for name, value in state.items())
        text = "\n".join(lines)
        try:
            self._socket.sendto(text.encode(errors="replace"), self._address)
        except OSError:
            return

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
