"""A real daemon in dry mode on loopback, ``lowcapctl`` as a process, and a fake daemon."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from lowcap.config import shipped
from lowcap.control.protocol import encode, error, notice, result

Json = dict[str, Any]
CTL = [sys.executable, "-m", "lowcap.terminal.main"]


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the machine's own configuration, and no socket but the one named."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "PYTHONPATH")}
    return kept | {"HOME": str(home), "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"} | more


def closed_port(feed: str) -> str:
    """An address for a feed at which nobody listens."""
    return f"{'http' if feed in ('twitter', 'upbit') else 'ws'}://127.0.0.1:9/x"


class Daemon:
    """``lowcapd run`` in a folder of its own; its feeds point at a closed port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "c.sock"
        self.child: subprocess.Popen[bytes] | None = None
        shutil.copy(shipped("config.toml"), folder / "config.toml")
        overlay = folder / "config.d"
        overlay.mkdir()
        names = re.findall(r"^\[feed\.(\w+)\]", (folder / "config.toml").read_text(), re.MULTILINE)
        tree = {
            "state": {"dir": str(folder / "state")},
            "control": {"socket": str(self.socket)},
            "feed": {name: {"url": closed_port(name)} for name in names},
            "caps": {"enabled": False},
        }
        (overlay / "test.toml").write_text(tomli_w.dumps(tree))

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "lowcap", "run", "--config", self.folder / "config.toml"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment(self.folder),
            )  # fmt: skip
        for _ in range(400):
            done = self.ctl("status", "--json")
            if done.returncode == 0 and json.loads(done.stdout)["state"] == "ACTIVE":
                return
            assert self.child.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.child is not None
        if self.child.poll() is None:
            self.child.send_signal(number)
        return self.child.wait(30)

    def ctl(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return ctl(self.folder, "--socket", str(self.socket), *words, **more)


def ctl(
    home: Path, *words: str, given: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """``lowcapctl`` with its output in pipes."""
    return subprocess.run(
        [*CTL, *words], input=given, capture_output=True, text=True, timeout=30, check=False,
        env=environment(home, **(env or {})),
    )  # fmt: skip


class FakeDaemon:
    """Answers each method with what the test says; what it does not know is never answered."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Callable[[Json], Json] | Json] = {"events": {"value": []}}
        self.asked: list[tuple[str, Json]] = []
        self.role = ""
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(8)
        self._peers: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def fail(self, method: str, code: str, message: str = "no", hint: str = "") -> None:
        self.answers[method] = {"fault": (code, message, hint)}

    def push(self, event: Json) -> None:
        for peer in list(self._peers):
            peer.sendall(encode(notice("event", event)))

    def close(self) -> None:
        """Hang up on everybody."""
        if self._listening.fileno() < 0:
            return
        self._listening.shutdown(socket.SHUT_RDWR)
        for peer in list(self._peers):
            peer.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listening.close()

    def _start(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            self._start(self._serve, peer)

    def _serve(self, peer: socket.socket) -> None:
        with peer:
            self._peers.append(peer)
            try:
                hello = {"protocol": 1, "version": "t", "run": 1}
                hello |= {"role": self.role} if self.role else {}
                peer.sendall(encode(notice("hello", hello)))
                with peer.makefile("rb") as lines:
                    for line in lines:
                        self._answer(peer, json.loads(line))
            except (OSError, ValueError):
                return
            finally:
                self._peers.remove(peer)

    def _answer(self, peer: socket.socket, message: Json) -> None:
        self.asked.append((message["method"], message["params"]))
        answer = self.answers.get(message["method"])
        if callable(answer):
            answer = answer(message["params"])
        if answer is None:
            return
        if "fault" in answer:
            peer.sendall(encode(error(message["id"], *answer["fault"])))
        else:
            peer.sendall(encode(result(message["id"], answer["value"])))


EVENT: Json = {
    "seq": 41, "at": "2026-02-06T13:30:00.123Z", "kind": "Filled", "cause": 40,
    "level": "info", "text": "FILL entry BUY 1 BTCUSDT at 68000", "body": {},
}  # fmt: skip
