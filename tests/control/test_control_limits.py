"""Roles, places and rates: nobody gets more than is theirs, and stopping is always possible."""

from __future__ import annotations

import grp
import os
import socket
import struct
from pathlib import Path

import pytest
import trio
from control_kit import ADMIN_PEER, Session, open_stage, request_line, until

from lowcap.control.commands import COMMANDS
from lowcap.control.peer import Peer, peer_of
from lowcap.control.server import (
    ADMIN_SLOTS,
    CLIENTS_MAX,
)
from lowcap.control.session import LINES_PER_MIN_MAX, REQUESTS_PER_MIN_MAX

MP = pytest.MonkeyPatch
VIEWER, TRADER = Peer(1001, 11, "view"), Peer(1002, 12, "trade")
RANKS = ("view", "trade", "admin")


@pytest.mark.parametrize("role", RANKS)
async def test_each_role_may_do_what_the_table_says_and_no_more(
    tmp_path: Path, monkeypatch: MP, role: str
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(Peer(1000, 1, role))
        async with stage.session() as session:
            for command in COMMANDS:
                if command.name not in stage.source.handlers or command.name == "explain":
                    continue
                reply = await session.ask(command.name, {"confirm": True})
                code = reply.get("error", {}).get("data", {}).get("code", "")
                allowed = RANKS.index(role) >= RANKS.index(command.role)
                assert (code == "permission") is not allowed, command.name
            if role == "view":
                assert await session.code_of("emergency-stop") == "permission"
    asked = {name for name, _, _ in stage.source.asked}
    assert ("panic" in asked) is (role != "view")
    assert ("arm" in asked) is (role == "admin")


async def test_a_peer_without_a_role_learns_nothing_but_that(
    tmp_path: Path, monkeypatch: MP
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(Peer(4242, 1, ""))
        async with await trio.open_unix_socket(stage.path) as stream:
            first = await Session(stream).receive()
            assert first["error"]["data"]["code"] == "permission"
            assert "4242" in first["error"]["message"]
            assert await stream.receive_some() == b""
        assert stage.server.clients == 0


async def _refused(stage_path: Path) -> bool:
    async with await trio.open_unix_socket(stage_path) as stream:
        message = await Session(stream).receive()
        return "error" in message and message["error"]["data"]["code"] == "busy"


async def test_two_places_are_kept_for_admins(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, trio.open_nursery() as nursery:

        async def stay(task_status: trio.TaskStatus[None]) -> None:
            async with stage.session():
                task_status.started()
                await trio.sleep_forever()

        stage.next_peer(TRADER)
        for _ in range(CLIENTS_MAX - ADMIN_SLOTS):
            await nursery.start(stay)
        assert await _refused(stage.path)
        stage.next_peer(ADMIN_PEER)
        for _ in range(ADMIN_SLOTS):
            await nursery.start(stay)
        assert stage.server.clients == CLIENTS_MAX
        stage.next_peer(VIEWER)
        assert await _refused(stage.path)
        nursery.cancel_scope.cancel()


async def test_onlookers_cannot_keep_a_trader_out(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(VIEWER)
        streams = [
            await trio.open_unix_socket(stage.path) for _ in range(CLIENTS_MAX - ADMIN_SLOTS)
        ]
        await until(lambda: stage.server.clients == CLIENTS_MAX - ADMIN_SLOTS)
        assert await _refused(stage.path)
        stage.next_peer(TRADER)
        async with stage.session() as trader:
            assert (await trader.ask("panic"))["result"]
        oldest = Session(streams[0])
        assert (await oldest.receive())["method"] in ("hello", "bye")
        for stream in streams:
            await stream.aclose()


async def test_rates_are_limited_but_stopping_is_not(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        for _ in range(REQUESTS_PER_MIN_MAX):
            assert "result" in await session.ask("status")
        assert await session.code_of("status") == "busy"
        for method in ("halt", "panic", "emergency-stop"):
            assert "result" in await session.ask(method)


async def test_a_flood_of_nonsense_ends_the_session(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        answers: list[str] = []

        async def read() -> None:
            while True:
                message = await session.receive()
                answers.append(message.get("method", "error"))
                if message.get("method") == "bye":
                    return

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                for _ in range(0, LINES_PER_MIN_MAX + 200, 100):
                    try:
                        await session.send(b"x\n" * 100)
                    except trio.BrokenResourceError:
                        break
        assert answers[-1] == "bye"
        assert len(answers) <= REQUESTS_PER_MIN_MAX + 1


async def test_a_viewer_may_not_use_the_freedom_of_panic(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(VIEWER)
        async with stage.session() as session:
            codes = {await session.code_of("panic") for _ in range(REQUESTS_PER_MIN_MAX + 5)}
            assert codes == {"permission", "busy"}


async def test_halt_is_heard_behind_a_queue_of_slow_requests(
    tmp_path: Path, monkeypatch: MP
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        for number in range(100, 130):
            await session.send(request_line(number, "explain"))
        with trio.fail_after(1):
            assert (await session.ask("halt"))["result"]["method"] == "halt"


class _Kernel:
    """A socket of which the kernel says what the test wants."""

    def __init__(self, uid: int, gid: int, groups: tuple[int, ...] | OSError) -> None:
        self._credentials = struct.pack("3i", 77, uid, gid)
        self._groups = groups

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
        if optname == socket.SO_PEERCRED:
            return self._credentials
        if isinstance(self._groups, OSError):
            raise self._groups
        return struct.pack(f"{len(self._groups)}I", *self._groups)


class _Group:
    def __init__(self, gid: int) -> None:
        self.gr_gid = gid


def _groups(monkeypatch: MP, **gids: int) -> None:
    def getgrnam(name: str) -> _Group:
        return _Group(gids[name.replace("-", "_")])

    monkeypatch.setattr(grp, "getgrnam", getgrnam)


@pytest.mark.parametrize(
    ("gid", "groups", "role"),
    [
        (500, (), ""),
        (10, (), "view"),
        (500, (10,), "view"),
        (10, (11,), "trade"),
        (11, (10, 12, 500), "admin"),
        (500, OSError(34, "too many groups"), ""),
        (11, OSError(92, "no such option"), "trade"),
    ],
)
def test_the_role_is_the_best_of_the_groups(
    monkeypatch: MP, gid: int, groups: tuple[int, ...] | OSError, role: str
) -> None:
    _groups(monkeypatch, lowcap=10, lowcap_trade=11, lowcap_admin=12)
    assert peer_of(_Kernel(4242, gid, groups)) == Peer(4242, 77, role)


def test_root_and_the_daemon_itself_are_admins(monkeypatch: MP) -> None:
    _groups(monkeypatch)
    assert peer_of(_Kernel(0, 0, ())).role == "admin"
    assert peer_of(_Kernel(os.geteuid(), 5, ())).role == "admin"
    assert peer_of(_Kernel(65534, 65534, (65534,))).role == ""
