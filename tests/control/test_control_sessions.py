"""Who is connected, who stays, who is sent away."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from control_kit import ADMIN_PEER, Session, open_stage, until

from lowcap.control.peer import Peer

MP = pytest.MonkeyPatch
VIEWER = Peer(1001, 11, "view")


async def test_sessions_are_listed_by_number_and_leave_the_list(
    tmp_path: Path, monkeypatch: MP
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(VIEWER)
        async with stage.session() as viewer:
            stage.next_peer(ADMIN_PEER)
            async with stage.session():
                await viewer.ask("events", {"follow": True})
                rows = stage.server.sessions()
                assert [row["session"] for row in rows] == [1, 2]
                assert [row["role"] for row in rows] == ["view", "admin"]
                assert [row["follows"] for row in rows] == ["events", ""]
                assert stage.source.stayed == [1001]
            await until(lambda: stage.server.clients == 1)
        await until(lambda: not stage.server.sessions())


async def test_who_is_dismissed_reads_why_and_the_others_stay(
    tmp_path: Path, monkeypatch: MP
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(VIEWER)
        async with stage.session() as viewer:
            stage.next_peer(ADMIN_PEER)
            async with stage.session() as admin:
                assert stage.server.dismiss(lambda client: client.peer.uid == 1001, "enough") == 1
                assert (await viewer.receive())["params"]["reason"] == "enough"
                with pytest.raises(EOFError):
                    await viewer.receive()
                assert "result" in await admin.ask("status")


async def test_who_is_shut_out_does_not_come_in(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(VIEWER)
        stage.source.shut_out.add(1001)
        async with await trio.open_unix_socket(stage.path) as stream:
            first = await Session(stream).receive()
            assert first["error"]["data"]["code"] == "permission"
        assert stage.source.denied == [(1001, "connect")]


async def test_an_attempt_at_more_is_told(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(VIEWER)
        async with stage.session() as viewer:
            assert await viewer.code_of("panic") == "permission"
            assert "result" in await viewer.ask("status")
        assert stage.source.denied == [(1001, "panic")]
