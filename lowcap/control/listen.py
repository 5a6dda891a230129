"""Where the control socket lives, and how it is opened safely."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import trio

from lowcap.control.client import private_folder
from lowcap.core.errors import ConfigError

PATH_BYTES_MAX = 107
FIRST_LISTEN_FD = 3


def socket_path(given: str, environ: Mapping[str, str]) -> Path:
    """``control.socket``, $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/lowcap, else a private folder.

    Raises:
        ConfigError: the path is longer than a Unix socket's may be.
    """
    if given:
        path = Path(given)
    elif runtime := environ.get("RUNTIME_DIRECTORY"):
        path = Path(runtime.split(":")[0]) / "control.sock"
    elif runtime := environ.get("XDG_RUNTIME_DIR"):
        path = Path(runtime) / "lowcap" / "control.sock"
    else:
        path = private_folder(environ) / "control.sock"
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise ConfigError(
            [f"control.socket: {path} is longer than {PATH_BYTES_MAX} bytes"],
            hint="set control.socket to a shorter path",
        )
    return path


def open_listener(path: Path, environ: Mapping[str, str]) -> trio.SocketListener:
    """The listening socket: handed over by systemd, or made at ``path`` with mode 0660.

    Raises:
        ConfigError: another daemon listens there, or the folder cannot be used.
    """
    if environ.get("LISTEN_FDS") == "1" and environ.get("LISTEN_PID") == str(os.getpid()):
        return trio.SocketListener(trio.socket.from_stdlib_socket(
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=FIRST_LISTEN_FD)
        ))  # fmt: skip
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_stale(path)
        listening.bind(str(path))
        path.chmod(0o660)
        listening.listen(64)
    except OSError as error:
        listening.close()
        raise ConfigError([f"control.socket: {path}: {error.strerror}"]) from error
    return trio.SocketListener(trio.socket.from_stdlib_socket(listening))


def _remove_stale(path: Path) -> None:
    """A socket file that nobody answers on is left over from a crash."""
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ConfigError([f"control.socket: another daemon listens on {path}"])
