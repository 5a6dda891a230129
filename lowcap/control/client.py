"""The one-liner's end of the control protocol: a blocking socket and the standard library."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from lowcap.control.cmdline import readable_line
from lowcap.control.commands import BY_NAME, VIEW
from lowcap.control.protocol import PROTOCOL, Json, encode, request
from lowcap.core.errors import LowcapError


class CallFailed(LowcapError):
    """The daemon answered with an error; ``code`` is its stable word."""


class Unreachable(LowcapError):
    """No daemon answers on the socket."""

    code = "unreachable"


def socket_candidates(given: str, environ: Mapping[str, str], instance: str = "") -> list[Path]:
    """Where the control socket may be, best first; of ``lowcapd@INSTANCE`` where one is named.

    Raises:
        CallFailed: the name is none that a unit may have.
    """
    if given:
        return [Path(given)]
    if instance:
        return _instance_places(instance, environ)
    if named := environ.get("LOWCAP_SOCKET"):
        return [Path(named)]
    places = []
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        places.append(Path(runtime) / "lowcap" / "control.sock")
    places.append(Path("/run/lowcap/control.sock"))
    places.append(private_folder(environ) / "control.sock")
    return places


def _instance_places(instance: str, environ: Mapping[str, str]) -> list[Path]:
    """The sockets of one of several daemons: the runtime folder of its unit."""
    rest = instance.translate(dict.fromkeys(map(ord, "-_.")))
    if not (rest.isascii() and rest.isalnum()):
        raise CallFailed(
            f"{instance!r} is no name of an instance",
            hint="letters, digits, - _ and . as in lowcapd@NAME",
            code="usage",
        )
    bases = [environ["XDG_RUNTIME_DIR"]] if environ.get("XDG_RUNTIME_DIR") else []
    return [Path(base) / f"lowcap-{instance}" / "control.sock" for base in (*bases, "/run")]


def private_folder(environ: Mapping[str, str]) -> Path:
    """The user's own folder for a socket where the system offers none."""
    return Path(environ.get("TMPDIR", "/tmp")) / f"lowcap-{os.getuid()}"


def is_private(folder: Path) -> bool:
    """Whether a folder is ours and nobody else can change it: no one can sit in for the daemon."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return mine and not found.st_mode & 0o022


class Connection:
    """A session with the daemon. Every wait is at most ``timeout_s`` long; None waits for ever."""

    def __init__(self, places: list[Path], timeout_s: float | None) -> None:
        self._socket, place = _connect(places, timeout_s)
        self._rest = b""
        self._lines: deque[bytes] = deque()
        self._next_id = 0
        self.farewell = ""
        try:
            self.hello = self._greeting(place)
        except BaseException:
            self._socket.close()
            raise

    def _greeting(self, place: Path) -> Json:
        try:
            first = self._next_message()
        except TimeoutError:
            raise Unreachable(
                f"the daemon on {place} does not answer", hint="systemctl status lowcapd"
            ) from None
        if "error" in first:
            raise _failure(first)
        hello: Json = first.get("params", {})
        if hello.get("protocol") != PROTOCOL:
            raise CallFailed(
                f"the daemon speaks protocol {hello.get('protocol')}, this client {PROTOCOL}",
                hint="install the same version on both sides",
                code="version",
            )
        return hello

    @property
    def daemon_uid(self) -> int:
        """The user that the daemon runs as, by the kernel's word."""
        raw = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int.from_bytes(raw[4:8], sys.byteorder)

    def call(self, method: str, params: Json) -> object:
        """Send one request and wait for its reply.

        Raises:
            CallFailed: the daemon refused; or no reply came, and what was asked for
                may have been done.
            Unreachable: the connection is gone and nothing was changed.
        """
        self._next_id += 1
        known = BY_NAME.get(method)
        changes = known is not None and known.role_for(params) != VIEW
        typed = readable_line(["lowcapctl", *sys.argv[1:]]) if changes else ""
        try:
            self._socket.sendall(encode(request(self._next_id, method, params, typed)))
        except OSError as error:
            why = error.strerror or "it does not read"
            raise Unreachable(
                f"{method}: not sent, the daemon has left ({why})", hint="lowcapctl status"
            ) from None
        try:
            message = self._reply()
        except TimeoutError:
            raise CallFailed(
                f"{method}: no answer in time, outcome unknown",
                hint="lowcapctl status",
                code="timeout",
            ) from None
        except Unreachable:
            command = BY_NAME.get(method)
            if command is not None and command.role_for(params) == VIEW:
                raise
            raise CallFailed(
                f"{method}: sent, but the daemon hung up; outcome unknown",
                hint="lowcapctl status",
                code="unknown-outcome",
            ) from None
        if "error" in message:
            raise _failure(message)
        return message.get("result")

    def _reply(self) -> Json:
        while True:
            message = self._next_message()
            if message.get("id") == self._next_id:
                return message
            if message.get("id") is None and "error" in message:
                raise _failure(message)

    def events(self) -> Iterator[Json]:
        """Everything that the daemon pushes.

        Raises:
            CallFailed: the daemon said goodbye.
            Unreachable: it has left without a word.
        """
        while True:
            event = self.next_event(None)
            if event is None:
                raise CallFailed("the daemon ended the session", hint=self.farewell, code="bye")
            yield event

    def next_event(self, within_s: float | None) -> Json | None:
        """The next pushed event; None when the daemon says goodbye (``farewell`` tells why).

        Raises:
            TimeoutError: nothing came ``within_s`` seconds.
        """
        self._socket.settimeout(within_s)
        while True:
            message = self._next_message()
            if message.get("method") == "event":
                event: Json = message["params"]
                return event
            if message.get("method") == "bye":
                self.farewell = message["params"]["reason"]
                return None

    def _next_message(self) -> Json:
        while not self._lines:
            try:
                data = self._socket.recv(65_536)
            except ConnectionError:
                data = b""
            if not data:
                raise Unreachable("the daemon closed the connection", hint="lowcapctl status")
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(lines)
        try:
            message: Json = json.loads(self._lines.popleft())
        except ValueError:
            message = {}
        if not isinstance(message, dict) or not message:
            raise CallFailed("whoever answers on the socket is no lowcap daemon", code="version")
        return message

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _connect(places: list[Path], timeout_s: float | None) -> tuple[socket.socket, Path]:
    tried: list[str] = []
    forbidden = False
    for place in places:
        if place.parent == private_folder(os.environ) and not is_private(place.parent):
            there = os.path.lexists(place.parent)
            tried.append(f"{place} ({'not your folder' if there else os.strerror(errno.ENOENT)})")
            continue
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(place))
        except OSError as error:
            connection.close()
            forbidden |= isinstance(error, PermissionError)
            tried.append(f"{place} ({error.strerror or error})")
        else:
            return connection, place
    if forbidden:
        raise CallFailed(
            "no permission; tried " + ", ".join(tried),
            hint="add yourself to group lowcap",
            code="permission",
        )
    raise Unreachable(
        "no daemon answers; tried " + ", ".join(tried),
        hint="systemctl start lowcapd, or lowcapd run",
    )


def _failure(message: Json) -> CallFailed:
    fault = message["error"]
    data = fault.get("data") or {}
    return CallFailed(
        fault.get("message", "failed"), hint=data.get("hint", ""), code=data.get("code", "error")
    )
