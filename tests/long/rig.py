"""Real processes for the long checks: daemons, an exchange, and an operator's shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomli_w

from lowcap.config import shipped
from lowcap.control.client import Connection
from lowcap.core.errors import LowcapError
from lowcap.core.facts import Record
from lowcap.ledger.record import decode_line

Json = dict[str, Any]
# For checks that trade without end: what stops a bad day would stop them too.
GUARDS_OFF: Json = {
    "losing_streak_max": 0,
    "executions_per_hour_max": 0,
    "drawdown_pct_max": 0,
    "entries_per_hour_max": 0,
    "entries_per_day_max": 0,
    "feed_notional_usd_max": 0,
}
FEEDS = ("bwe", "tokyo", "toa_news", "phoenix", "synoptic", "twitter", "upbit")


def write_config(folder: Path, overlay: Json) -> Path:
    """The shipped configuration with ``overlay`` on it, state and socket in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_bytes(shipped("config.toml").read_bytes())
    (folder / "config.d").mkdir(exist_ok=True)
    tree: Json = {
        "state": {"dir": str(folder / "state")},
        "control": {"socket": str(folder / "c.sock")},
        "caps": {"enabled": False},
    } | overlay
    # Feeds that nobody mentions are off: nothing here may leave the machine.
    told = tree.get("feed", {})
    tree["feed"] = {name: told.get(name, {"enabled": False}) for name in FEEDS} | told
    (folder / "config.d" / "rig.toml").write_text(tomli_w.dumps(tree))
    return folder / "config.toml"


class Process:
    """A lowcapd command as a process of its own, its stderr in a file."""

    def __init__(self, folder: Path, name: str, *words: str, module: str = "lowcap") -> None:
        self.log, self._out = folder / f"{name}.log", folder / f"{name}.out"
        # Files, not pipes: a pipe that nobody empties would stop the process.
        with self.log.open("a") as log, self._out.open("w") as out:
            self._child = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                stdout=out,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def lines(self, count: int) -> dict[str, str]:
        """The ``name = 'value'`` lines that a server prints once it listens."""
        give_up_s = time.monotonic() + 20
        while time.monotonic() < give_up_s:
            lines = self._out.read_text().splitlines()
            if len(lines) >= count:
                pairs = (line.partition(" = ") for line in lines[:count])
                return {name: value.strip().strip("'") for name, _, value in pairs}
            time.sleep(0.02)
        raise AssertionError(
            f"{self._out.name} has no {count} lines: {self.log.read_text()[-500:]}"
        )

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._child.kill()
        self._child.wait()

    def stop(self, within_s: float = 30) -> int:
        """SIGTERM and the exit code; SIGKILL for one that does not leave."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(within_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._child.wait()
        return self._child.returncode

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    def rss_kib(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("the process has no VmRSS")


@contextmanager
def running(folder: Path, name: str, *words: str) -> Iterator[Process]:
    """A process that is stopped whatever happens."""
    process = Process(folder, name, *words)
    try:
        yield process
    finally:
        process.stop()


def call(folder: Path, method: str, **params: Any) -> Any:
    """One control request to the daemon of ``folder``."""
    connection = Connection([folder / "c.sock"], 60)
    try:
        return connection.call(method, params)
    finally:
        connection.close()


def wait_ready(folder: Path, within_s: float = 40, *, active: bool = True) -> Json:
    """The status of a daemon that has recovered and would trade."""
    give_up_s = time.monotonic() + within_s
    status: Json = {}
    while time.monotonic() < give_up_s:
        try:
            status = call(folder, "status")
        except LowcapError:
            time.sleep(0.05)
            continue
        ready = status["recovered"] and status["venue"]["contracts"] > 0
        if ready and not active:
            return status
        prepared = status["venue"]["prepared"] == status["venue"]["contracts"]
        if ready and prepared and status["state"] == "ACTIVE":
            return status
        time.sleep(0.05)
    raise AssertionError(f"not ready within {within_s} s: {json.dumps(status)[:600]}")


def ledger_records(folder: Path) -> list[Record]:
    """Every readable record of a ledger, torn ends passed over."""
    found = []
    for path in sorted((folder / "state" / "ledger").glob("*.log")):
        for line in path.read_bytes().splitlines():
            try:
                found.append(decode_line(line))
            except LowcapError:
                continue
    return found
