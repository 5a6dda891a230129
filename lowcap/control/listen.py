"""Where the control socket lives, and how it is opened safely."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

import trio

from lowcap.control.client import is_private, private_folder
from lowcap.core.errors import ConfigError

PATH_BYTES_MAX = 107
FIRST_LISTEN_FD = 3
PROBE_WITHIN_S = 1.0


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


def is_handed_over(environ: Mapping[str, str]) -> bool:
    """Whether systemd has opened the socket for us, and keeps its file."""
    return "LISTEN_FDS" in environ and environ.get("LISTEN_PID") == str(os.getpid())


def open_listener(path: Path, environ: Mapping[str, str]) -> trio.SocketListener:
    """The listening socket: handed over by systemd, or made at ``path`` with mode 0660.

    Raises:
        ConfigError: another daemon listens there, the folder cannot be used, or systemd has
            handed over something else than one listening Unix stream socket.
    """
    if is_handed_over(environ):
        return _handed_over(environ.get("LISTEN_FDS", ""))
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.parent == private_folder(environ) and not is_private(path.parent):
            raise ConfigError(
                [f"control.socket: {path.parent} is not a folder of yours alone"],
                hint="remove it, or set control.socket",
            )
        _remove_stale(path)
        listening.bind(str(path))
        path.chmod(0o660)
        listening.listen(64)
    except OSError as error:
        listening.close()
        raise ConfigError([f"control.socket: {path}: {error.strerror}"]) from error
    except ConfigError:
        listening.close()
        raise
    return trio.SocketListener(trio.socket.from_stdlib_socket(listening))


def _handed_over(count: str) -> trio.SocketListener:
    """The one socket that systemd has opened for us."""
    hint = "lowcapd.socket has one ListenStream=, a path"
    if count != "1":
        fault = f"LISTEN_FDS: {count[:20]!r} sockets were handed over, expected one"
        raise ConfigError([fault], hint=hint)
    try:
        given = socket.socket(fileno=FIRST_LISTEN_FD)
    except OSError as error:
        why = f"LISTEN_FDS: descriptor {FIRST_LISTEN_FD} is no socket: {error.strerror}"
        raise ConfigError([why], hint=hint) from error
    given.set_inheritable(False)
    listens = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if given.family != socket.AF_UNIX or given.type != socket.SOCK_STREAM or not listens:
        found = f"{_word(given.family)} {_word(given.type)}{'' if listens else ' not listening'}"
        given.close()
        fault = f"LISTEN_FDS: expected a listening Unix stream socket, found {found}"
        raise ConfigError([fault], hint=hint)
    return trio.SocketListener(trio.socket.from_stdlib_socket(given))


def _word(kind: int) -> str:
    return kind.name if isinstance(kind, socket.AddressFamily | socket.SocketKind) else str(kind)


def _remove_stale(path: Path) -> None:
    """A socket file that nobody answers on is left over from a crash; any other file stays."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigError([f"control.socket: {path} is there and is no socket"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_WITHIN_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except (TimeoutError, BlockingIOError):
            pass  # somebody listens, and is too busy to answer
    raise ConfigError([f"control.socket: another daemon listens on {path}"])
