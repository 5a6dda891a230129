"""The control socket handed over by systemd: real daemons under systemd-socket-activate."""

from __future__ import annotations

import grp
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lowcap.control.client import Connection
from lowcap.core.errors import LowcapError
from tests.daemon.service_kit import LISTEN, Service, lowcapd
from tests.long.rig import write_config

needs_systemd = pytest.mark.skipif(not shutil.which(LISTEN), reason=f"{LISTEN} is not here")


def _activated(folder: Path, *more: str) -> Service:
    config = write_config(folder, {"control": {"socket": str(folder / "unused.sock")}})
    words = [LISTEN, "-l", str(folder / "c.sock"), *more, *lowcapd("run", "--config", str(config))]
    service = Service(folder, words, {})
    give_up_s = time.monotonic() + 10
    while not (folder / "c.sock").exists():
        assert time.monotonic() < give_up_s, service.log.read_text()
        time.sleep(0.02)
    return service


def _ask(folder: Path, method: str, **params: Any) -> Any:
    connection = Connection([folder / "c.sock"], 40)
    try:
        return connection.call(method, params)
    finally:
        connection.close()


@needs_systemd
def test_a_client_that_comes_before_the_daemon_is_served(tmp_path: Path) -> None:
    service = _activated(tmp_path)
    try:
        # There is no daemon yet: this connection is what starts it, and waits in line.
        assert _ask(tmp_path, "version")["daemon"]
        assert not (tmp_path / "unused.sock").exists()
        assert service.stop() == 0
        assert (tmp_path / "c.sock").exists()  # systemd's, so that clients queue on it
    finally:
        service.stop()


WITH_GROUPS = """
import sys
from lowcap.control import peer
peer._ROLE_GROUPS = (("adm", "admin"), ("tty", "trade"), ("games", "view"))  # groups that are here
from lowcap.__main__ import cli
cli.main(sys.argv[1:], standalone_mode=False)
"""


@needs_systemd
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no Python that all may run")
def test_roles_of_peers_are_told_on_a_socket_of_systemd(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"control": {"socket": str(tmp_path / "unused.sock")}})
    daemon = [sys.executable, "-c", WITH_GROUPS, "run", "--config", str(config)]
    service = Service(tmp_path, [LISTEN, "-l", str(tmp_path / "c.sock"), *daemon], {})
    groups = {name: grp.getgrnam(name).gr_gid for name in ("adm", "tty", "games", "nogroup")}
    try:
        give_up_s = time.monotonic() + 10
        while not (tmp_path / "c.sock").exists():
            assert time.monotonic() < give_up_s, service.log.read_text()
            time.sleep(0.02)
        assert _ask(tmp_path, "pause", reason="by root")
        os.chmod(tmp_path / "c.sock", 0o666)
        for folder in (tmp_path, *tmp_path.parents[:2]):
            os.chmod(folder, 0o755)

        def answer(method: str, group: str, *more: str) -> str:
            ids = [groups[name] for name in (group, *more)]
            told = _as_nobody(tmp_path / "c.sock", method, ids)
            return "done" if "result" in told else str(told["error"]["data"]["code"])

        assert answer("status", "nogroup") == "permission"
        assert answer("status", "games") == "done"
        assert answer("disarm", "games") == "permission"
        assert answer("disarm", "tty") == "done"
        assert answer("kick", "tty") == "permission"
        assert answer("kick", "adm") != "permission"
        # By a supplementary group, as an operator has it.
        assert answer("disarm", "nogroup", "tty") == "done"
        assert answer("kick", "nogroup", "games", "tty") == "permission"
    finally:
        service.stop()


AS_NOBODY = """
import os, socket, sys
path, method = sys.argv[1:3]
own, *more = map(int, sys.argv[3:])
os.setgroups(more)
os.setgid(own)
os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
client.settimeout(20)
client.connect(path)
stream = client.makefile("rwb")
first = stream.readline()
if b'"error"' in first:
    print(first.decode())
    sys.exit()
stream.write(b'{"jsonrpc":"2.0","id":1,"method":"%s","params":{}}\\n' % method.encode())
stream.flush()
print(stream.readline().decode())
"""


def _as_nobody(path: Path, method: str, groups: list[int]) -> Any:
    done = subprocess.run(
        # Not this interpreter: it may live where only root may look.
        ["/usr/bin/python3", "-c", AS_NOBODY, str(path), method, *map(str, groups)],
        capture_output=True, text=True, timeout=30, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_systemd
def test_a_crash_leaves_the_line_to_the_next_daemon(tmp_path: Path) -> None:
    """systemd keeps the socket open over a restart: who connects meanwhile is served after it."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "c.sock"))
    listening.listen(8)
    config = write_config(tmp_path, {"control": {"socket": str(tmp_path / "unused.sock")}})
    first = _handed(tmp_path, config, listening)
    try:
        assert _ask(tmp_path, "version")["daemon"]
        first.send(signal.SIGKILL)
        first.wait(10)
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(str(tmp_path / "c.sock"))
            second = _handed(tmp_path, config, listening)
            waiting.settimeout(30)
            greeting = waiting.recv(4096)
        assert second.stop() == 0
        assert b'"hello"' in greeting
    finally:
        first.stop()
        listening.close()
    assert (tmp_path / "c.sock").exists()


HAND_OVER = """
import os, sys
given, count, words = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
os.dup2(given, 3) if given != 3 else os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = count
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "lowcap", *words])
"""


def _handed(folder: Path, config: Path, given: socket.socket) -> _Handed:
    return _Handed(folder, config, given.fileno(), "1")


class _Handed(Service):
    """A daemon that gets a descriptor, as systemd would give it."""

    def __init__(self, folder: Path, config: Path, fd: int, count: str) -> None:
        self.log = folder / "service.log"
        with self.log.open("a") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-c", HAND_OVER, str(fd), count, "run", "--config", str(config)],
                pass_fds=(fd,), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.pid = self._child.pid


@pytest.mark.parametrize(
    ("kind", "count", "said"),
    [
        ("unix", "2", "LISTEN_FDS: '2' sockets were handed over, expected one"),
        ("unix", "0", "LISTEN_FDS: '0' sockets were handed over, expected one"),
        ("unix", "x", "LISTEN_FDS: 'x' sockets were handed over, expected one"),
        ("file", "1", "LISTEN_FDS: descriptor 3 is no socket"),
        ("tcp", "1", "expected a listening Unix stream socket, found AF_INET SOCK_STREAM"),
        ("datagram", "1", "found AF_UNIX SOCK_DGRAM not listening"),
        ("connected", "1", "found AF_UNIX SOCK_STREAM not listening"),
    ],
)
def test_what_is_not_the_control_socket_is_named(
    tmp_path: Path, kind: str, count: str, said: str
) -> None:
    config = write_config(tmp_path, {})
    given = _a(kind, tmp_path)
    daemon = _Handed(tmp_path, config, given.fileno(), count)
    code = daemon.wait(20)
    given.close()
    assert code == 78  # systemd does not try again
    told = daemon.log.read_text()
    assert said in told
    assert "hint: lowcapd.socket has one ListenStream=" in told
    assert "Traceback" not in told


def _a(kind: str, folder: Path) -> Any:
    if kind == "file":
        return (folder / "some").open("w")
    if kind == "connected":
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours
    family = socket.AF_INET if kind == "tcp" else socket.AF_UNIX
    made = socket.socket(family, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    made.bind(("127.0.0.1", 0) if kind == "tcp" else str(folder / "x.sock"))
    if kind != "datagram":
        made.listen(1)
    return made


def test_what_was_meant_for_another_process_is_left_alone(tmp_path: Path) -> None:
    config = write_config(tmp_path, {})
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": "1"}
    service = Service(tmp_path, lowcapd("run", "--config", str(config)), environ)
    try:
        give_up_s = time.monotonic() + 20
        while True:
            try:
                assert _ask(tmp_path, "version")["daemon"]
                break
            except LowcapError:
                assert time.monotonic() < give_up_s, service.log.read_text()
                time.sleep(0.05)
    finally:
        assert service.stop() == 0
    assert not (tmp_path / "c.sock").exists()  # our own: removed
