"""``who`` and ``kick`` against the whole daemon: once, for good, and forgiven."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from lowcap.control import server as server_module
from lowcap.control.peer import Peer
from lowcap.control.server import ControlServer
from lowcap.core.errors import CommandError
from lowcap.handlers import Commands
from tests.control.control_kit import Session
from tests.daemon.stage import Stage, ask, in_virtual_time, parts_of, records

MP = pytest.MonkeyPatch
STRANGER = Peer(54_321, 77, "view")
Opens = Callable[[Peer], Awaitable[Session]]


@asynccontextmanager
async def _operators(commands: Commands, monkeypatch: MP) -> AsyncIterator[Opens]:
    """Opens sessions with the daemon's own control server, as whoever is named."""
    sessions: list[Session] = []
    server = commands.publisher
    assert isinstance(server, ControlServer)
    async with trio.open_nursery() as nursery:

        async def connect(peer: Peer) -> Session:
            monkeypatch.setattr(server_module, "peer_of", lambda connection: peer)
            ours, theirs = (trio.SocketStream(trio.socket.from_stdlib_socket(end))
                            for end in socket.socketpair())  # fmt: skip
            nursery.start_soon(server.handle, ours)
            session = Session(theirs)
            sessions.append(session)
            first = await session.receive()
            assert first.get("method") == "hello", first
            return session

        yield connect
        for session in sessions:
            await session.stream.aclose()


def _in_daemon(
    folder: Path, monkeypatch: MP, body: Callable[[Commands, Opens], Awaitable[None]]
) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands, _operators(commands, monkeypatch) as connect:
            await body(commands, connect)

    in_virtual_time(main, folder)


def _alarms(folder: Path) -> list[Any]:
    return [r.body for r in records(folder) if r.kind == "AlarmRaised"]


def test_who_shows_the_sessions(tmp_path: Path, monkeypatch: MP) -> None:
    async def body(commands: Commands, connect: Opens) -> None:
        session = await connect(STRANGER)
        rows = (await session.ask("who"))["result"]
        assert [(row["uid"], row["role"], row["you"]) for row in rows] == [(54_321, "view", True)]
        await session.ask("events", {"follow": True})

    _in_daemon(tmp_path, monkeypatch, body)
    opened = [r.body for r in records(tmp_path) if r.kind == "SessionOpened"]
    assert [body.uid for body in opened] == [54_321]


def test_kick_ends_one_session(tmp_path: Path, monkeypatch: MP) -> None:
    async def body(commands: Commands, connect: Opens) -> None:
        session = await connect(STRANGER)
        assert (await ask(commands, "kick", session=1))["sessions"] == 1
        assert "sent away by" in (await session.receive())["params"]["reason"]
        again = await connect(STRANGER)
        assert "result" in await again.ask("status")
        with pytest.raises(CommandError, match="no session 99"):
            await ask(commands, "kick", session="99")

    _in_daemon(tmp_path, monkeypatch, body)


def test_who_is_denied_stays_out_over_a_restart_until_allowed(
    tmp_path: Path, monkeypatch: MP
) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands, _operators(commands, monkeypatch) as connect:
            await connect(STRANGER)
            denied = await ask(commands, "kick", session=1, deny=True)
            assert denied["denied"] == 54_321
        async with stage.daemon() as commands, _operators(commands, monkeypatch) as connect:
            with pytest.raises(AssertionError, match="permission"):
                await connect(STRANGER)
            assert (await ask(commands, "who"))[0]["role"] == "denied"
            await ask(commands, "kick", allow="54321")
            await connect(STRANGER)

    in_virtual_time(main, tmp_path)
    assert [a.code for a in _alarms(tmp_path) if a.code == "access-denied"] == ["access-denied"]


def test_the_daemons_own_user_cannot_be_denied(tmp_path: Path, monkeypatch: MP) -> None:
    async def body(commands: Commands, connect: Opens) -> None:
        await connect(Peer(os.geteuid(), 5, "admin"))
        with pytest.raises(CommandError, match="own user"):
            await ask(commands, "kick", session=1, deny=True)
        for params in ({}, {"session": 1, "allow": "x"}, {"session": "x"}, {"allow": "nobody-so"}):
            with pytest.raises(CommandError):
                await ask(commands, "kick", **params)

    _in_daemon(tmp_path, monkeypatch, body)


def test_one_attempt_made_often_is_one_alarm(tmp_path: Path, monkeypatch: MP) -> None:
    async def body(commands: Commands, connect: Opens) -> None:
        session = await connect(STRANGER)
        for _ in range(5):
            assert await session.code_of("panic", {"confirm": True}) == "permission"
        assert parts_of(commands).desk.state().value == "ACTIVE"

    _in_daemon(tmp_path, monkeypatch, body)
    denied = [a.text for a in _alarms(tmp_path) if a.code == "access-denied"]
    assert len(denied) == 1
    assert "54321" in denied[0]
    assert "panic" in denied[0]
