"""Where the control socket is made, and what is left alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from lowcap.control.listen import PATH_BYTES_MAX, open_listener, socket_path
from lowcap.core.errors import ConfigError


async def _open_and_close(path: Path, environ: dict[str, str] | None = None) -> None:
    listener = open_listener(path, environ or {})
    await listener.aclose()


async def test_a_new_socket_is_for_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "new" / "c.sock"
    listener = open_listener(path, {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    async with await trio.open_unix_socket(path):
        pass
    await listener.aclose()


async def test_a_stale_socket_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    await _open_and_close(path)


async def test_a_live_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    first = open_listener(path, {})
    with pytest.raises(ConfigError, match="another daemon listens"):
        open_listener(path, {})
    async with await trio.open_unix_socket(path):
        pass
    await first.aclose()


async def test_a_live_socket_with_a_full_queue_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        waiting = []
        for _ in range(3):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            client.connect_ex(str(path))
            waiting.append(client)
        with pytest.raises(ConfigError, match="another daemon listens"):
            open_listener(path, {})
        for client in waiting:
            client.close()
    assert path.exists()


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
async def test_whatever_is_no_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "precious"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no socket"):
        open_listener(path, {})
    assert path.is_symlink() or path.exists()
    if kind == "file":
        assert path.read_text() == "precious"


def test_a_path_that_is_too_long_is_named() -> None:
    long = "/tmp/" + "é" * 51 + "x"
    assert len(os.fsencode(long)) == PATH_BYTES_MAX + 1
    with pytest.raises(ConfigError, match="107 bytes"):
        socket_path(long, {})
    assert socket_path(long[:-1], {}) == Path(long[:-1])


async def test_the_longest_path_works(tmp_path: Path) -> None:
    short = Path(os.path.relpath(tmp_path))
    path = tmp_path / ("x" * (PATH_BYTES_MAX - len(os.fsencode(tmp_path)) - 1))
    if len(os.fsencode(path)) != PATH_BYTES_MAX:
        pytest.skip(f"{short} is too deep")
    await _open_and_close(socket_path(str(path), {}))


def test_paths_by_environment() -> None:
    runtime = {"RUNTIME_DIRECTORY": "/run/lowcap:/run/more", "XDG_RUNTIME_DIR": "/x"}
    assert socket_path("", runtime) == Path("/run/lowcap/control.sock")
    assert socket_path("", {"XDG_RUNTIME_DIR": "/x"}) == Path("/x/lowcap/control.sock")
    private = socket_path("", {"TMPDIR": "/t"})
    assert private == Path(f"/t/lowcap-{os.getuid()}/control.sock")
    assert socket_path("/given", runtime) == Path("/given")


async def test_a_private_folder_must_be_private(tmp_path: Path) -> None:
    environ = {"TMPDIR": str(tmp_path)}
    path = socket_path("", environ)
    await _open_and_close(path, environ)
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="alone"):
        open_listener(path, environ)


async def test_a_folder_that_cannot_be_made_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"control\.socket"):
        open_listener(tmp_path / "file" / "c.sock", {})


LISTENER = """
import os, trio
from lowcap.control.listen import open_listener
from pathlib import Path

async def greet(stream):
    await stream.send_all(f"{os.get_inheritable(3)}".encode())
    await stream.aclose()

async def main():
    await trio.serve_listeners(greet, [open_listener(Path("/nonexistent/x"), os.environ)])

trio.run(main)
"""


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="systemd is not here")
def test_the_socket_that_systemd_hands_over_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    child = subprocess.Popen(
        ["systemd-socket-activate", "-l", str(path), sys.executable, "-c", LISTENER],
        stderr=subprocess.DEVNULL,
    )
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            for _ in range(500):
                if path.exists() and client.connect_ex(str(path)) == 0:
                    break
                trio.run(trio.sleep, 0.01)
            assert client.recv(10) == b"False"
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(10)


@pytest.mark.parametrize("given", ["nothing", "a pipe", "a connected socket"])
def test_what_is_no_listening_socket_is_refused(given: str) -> None:
    code = (
        "import os, socket\n"
        "from pathlib import Path\n"
        "from lowcap.control.listen import open_listener\n"
        "from lowcap.core.errors import ConfigError\n"
        "a, b = socket.socketpair()\n"
        f"given = {given!r}\n"
        "os.close(3) if given == 'nothing' else os.dup2("
        "os.pipe()[0] if given == 'a pipe' else a.fileno(), 3)\n"
        "try:\n"
        "    open_listener(Path('/x'), {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())})\n"
        "except ConfigError as error:\n"
        "    print('refused', error.message, flush=True)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout.startswith("refused LISTEN_FDS"), done.stderr
