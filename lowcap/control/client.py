"""The one-liner's end of the control protocol: a blocking socket and the standard library."""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from lowcap.control.protocol import PROTOCOL, Json, encode, request
from lowcap.core.errors import LowcapError


class CallFailed(LowcapError):
    """The daemon answered with an error; ``code`` is its stable word."""


class Unreachable(LowcapError):
    """No daemon answers on the socket."""

    code = "unreachable"


def socket_candidates(given: str, environ: Mapping[str, str]) -> list[Path]:
    """Where the control socket may be, best first."""
    if given:
        return [Path(given)]
    if named := environ.get("LOWCAP_SOCKET"):
        return [Path(named)]
    places = []
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        places.append(Path(runtime) / "lowcap" / "control.sock")
    places.append(Path("/run/lowcap/control.sock"))
    places.append(private_folder(environ) / "control.sock")
    return places


def private_folder(environ: Mapping[str, str]) -> Path:
    """The user's own folder for a socket where the system offers none."""
    return Path(environ.get("TMPDIR", "/tmp")) / f"lowcap-{os.getuid()}"


class Connection:
    """A session with the daemon."""

    def __init__(self, places: list[Path], timeout_s: float) -> None:
        self._socket = _connect(places, timeout_s)
        self._socket.settimeout(timeout_s)
        self._rest = b""
        self._lines: deque[bytes] = deque()
        self._next_id = 0
        first = self._next_message()
        if "error" in first:
            raise _failure(first)
        self.hello: Json = first.get("params", {})
        if self.hello.get("protocol") != PROTOCOL:
            raise CallFailed(
                f"the daemon speaks protocol {self.hello.get('protocol')}, this client {PROTOCOL}",
                hint="install the same version on both sides",
                code="version",
            )

    def call(self, method: str, params: Json) -> object:
        """Send one request and wait for its reply.

        Raises:
            CallFailed: the daemon refused; or no reply came in time.
        """
        self._next_id += 1
        try:
            self._socket.sendall(encode(request(self._next_id, method, params)))
            while True:
                message = self._next_message()
                if message.get("id") == self._next_id:
                    break
                if message.get("id") is None and "error" in message:
                    raise _failure(message)
        except TimeoutError:
            raise CallFailed(
                f"{method}: no answer in time, outcome unknown",
                hint="lowcapctl status",
                code="timeout",
            ) from None
        if "error" in message:
            raise _failure(message)
        return message.get("result")

    def events(self) -> Iterator[Json]:
        """Everything that the daemon pushes, until it ends the session."""
        while True:
            event = self.next_event(None)
            if event is None:
                return
            yield event

    def next_event(self, within_s: float | None) -> Json | None:
        """The next pushed event; None when the daemon says goodbye.

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
                return None

    def _next_message(self) -> Json:
        while not self._lines:
            data = self._socket.recv(65_536)
            if not data:
                raise Unreachable("the daemon closed the connection", hint="lowcapctl status")
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(lines)
        message: Json = json.loads(self._lines.popleft())
        return message

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _connect(places: list[Path], timeout_s: float) -> socket.socket:
    tried: list[str] = []
    for place in places:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(place))
        except PermissionError:
            connection.close()
            raise CallFailed(
                f"no permission for {place}",
                hint="add yourself to group lowcap",
                code="permission",
            ) from None
        except OSError as error:
            connection.close()
            tried.append(f"{place} ({error.strerror})")
        else:
            return connection
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
