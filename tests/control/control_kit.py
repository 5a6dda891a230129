"""A control server on a real Unix socket, with handlers made for tests."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from lowcap.control import server as server_module
from lowcap.control.listen import open_listener
from lowcap.control.peer import Peer
from lowcap.control.protocol import PROTOCOL
from lowcap.control.server import ControlServer, Done, Handler
from lowcap.core.errors import CommandError

Json = dict[str, Any]
ADMIN_PEER = Peer(uid=0, pid=1, role="admin")


class FakeSource:
    """Handlers that echo, wait, fail, or count."""

    def __init__(self) -> None:
        self.bugs: list[tuple[str, Exception]] = []
        self.asked: list[tuple[str, Json, Peer]] = []
        self.shut_out: set[int] = set()
        self.denied: list[tuple[int, str]] = []
        self.stayed: list[int] = []
        self.release = trio.Event()
        self.cancelled: list[str] = []
        self.done: list[Done] = []
        self.events: list[Json] = []
        self.handlers: dict[str, Handler] = {
            name: self._echo(name)
            for name in ("status", "pause", "halt", "panic", "arm", "version", "orders")
        }
        self.handlers |= {
            "events": self._events,
            "logs": self._events,
            "positions": self._refuse,
            "feeds": self._bug,
            "triggers": self._unwritable,
            "explain": self._wait,
        }

    def hello(self) -> Json:
        return {"protocol": PROTOCOL, "version": "t", "run": 1}

    def on_bug(self, method: str, bug: Exception) -> None:
        self.bugs.append((method, bug))

    def may_enter(self, peer: Peer) -> bool:
        return peer.uid not in self.shut_out

    def on_denied(self, peer: Peer, wanted: str) -> None:
        self.denied.append((peer.uid, wanted))

    def on_session(self, peer: Peer) -> None:
        self.stayed.append(peer.uid)

    def on_done(self, done: Done) -> None:
        self.done.append(done)

    def _echo(self, name: str) -> Handler:
        async def echo(params: Json, peer: Peer) -> Json:
            self.asked.append((name, params, peer))
            await trio.lowlevel.checkpoint()
            return {"method": name, "params": params}

        return echo

    async def _events(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        return [e for e in self.events if e["seq"] > int(params.get("since") or 0)]

    async def _refuse(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        raise CommandError("not now", hint="later", code="halted")

    async def _bug(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError("nobody thought of this")

    async def _unwritable(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        return {"value": object()}

    async def _wait(self, params: Json, peer: Peer) -> Json:
        try:
            await self.release.wait()
        except trio.Cancelled:
            self.cancelled.append("explain")
            raise
        return {"waited": True}


class Session:
    """One client: lines out, messages in."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._rest = b""
        self.number = 0

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def receive(self) -> Json:
        while b"\n" not in self._rest:
            data = await self.stream.receive_some(65_536)
            if not data:
                raise EOFError
            self._rest += bytes(data)
        line, _, self._rest = self._rest.partition(b"\n")
        message: Json = json.loads(line)
        return message

    async def ask(self, method: str, params: object = None) -> Json:
        self.number += 1
        await self.send(request_line(self.number, method, params))
        while True:
            message = await self.receive()
            if message.get("id") == self.number:
                return message

    async def code_of(self, method: str, params: object = None) -> str:
        code: str = (await self.ask(method, params))["error"]["data"]["code"]
        return code


def request_line(number: object, method: str, params: object = None) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}
    return json.dumps(message).encode() + b"\n"


class Stage:
    """The server, its source, and sessions with it."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.source = FakeSource()
        self.server = ControlServer(self.source)
        self._monkeypatch = monkeypatch

    def next_peer(self, peer: Peer) -> None:
        """Who the kernel will say is there, from now on."""
        self._monkeypatch.setattr(server_module, "peer_of", lambda connection: peer)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        stream = await trio.open_unix_socket(self.path)
        async with stream:
            session = Session(stream)
            first = await session.receive()
            assert first["method"] == "hello", first
            yield session


@asynccontextmanager
async def open_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within_s: float = 20
) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "c.sock", monkeypatch)
    listener = open_listener(stage.path, {})
    with trio.fail_after(within_s):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, stage.server.handle, [listener])
            yield stage
            nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool], within_s: float = 5) -> None:
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.005)


@contextlib.contextmanager
def fake_daemon(path: Path) -> Any:
    """A listening socket whose other end the test plays by hand."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen(8)
        listening.settimeout(10)
        yield listening
