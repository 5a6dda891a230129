"""lowcapd as systemd starts it: a notify socket that is read, and a socket handed over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

Datagram = dict[str, str]
LISTEN = "systemd-socket-activate"


class NotifySocket:
    """What systemd would hear, datagram by datagram, with the time of each."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heard: list[tuple[float, Datagram]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def listen(self, within_s: float) -> Datagram | None:
        """The next datagram; None where none comes."""
        self._socket.settimeout(max(within_s, 0.001))
        try:
            text = self._socket.recv(65_536).decode()
        except TimeoutError:
            return None
        told = dict(line.split("=", 1) for line in text.split("\n"))
        self.heard.append((time.monotonic(), told))
        return told

    def until(self, wanted: Callable[[Datagram], bool], within_s: float = 40) -> Datagram:
        """The first datagram that is as wanted; those before it are in ``heard``."""
        give_up_s = time.monotonic() + within_s
        while (left_s := give_up_s - time.monotonic()) > 0:
            told = self.listen(left_s)
            if told is not None and wanted(told):
                return told
        raise AssertionError(f"not heard within {within_s} s: {self.heard[-8:]}")

    def during(self, seconds: float) -> list[Datagram]:
        """Everything of the next so many seconds."""
        end_s, told = time.monotonic() + seconds, []
        while (left_s := end_s - time.monotonic()) > 0:
            one = self.listen(left_s)
            if one is not None:
                told.append(one)
        return told

    def close(self) -> None:
        self._socket.close()


class Service:
    """A process with systemd's environment, its stderr in a file."""

    def __init__(self, folder: Path, words: list[str], environ: dict[str, str]) -> None:
        self.log = folder / "service.log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LISTEN_", "WATCHDOG_"))}
        with self.log.open("a") as log:
            self._child = subprocess.Popen(
                words,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=clean | environ,
            )
        self.pid = self._child.pid

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, or SIGKILL where that does not help; the exit code."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        return self.wait(30)

    def wait(self, within_s: float) -> int:
        try:
            return self._child.wait(within_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()


def lowcapd(*words: str) -> list[str]:
    return [sys.executable, "-m", "lowcap", *words]
