"""Every command that changes something is told with its peer, its command line and its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from control_kit import Session, open_stage, request_line

from lowcap.control.peer import Peer

MP = pytest.MonkeyPatch


async def test_changes_are_told_and_looking_is_not(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        for number, method in enumerate(("status", "pause", "positions"), 1):
            await session.send(request_line(number, method))
            await session.receive()
        (done,) = stage.source.done
    assert done.method == "pause"
    assert "result" in done.reply
    assert 0 <= done.took_s < 5


async def test_a_refusal_for_want_of_a_role_is_told(tmp_path: Path, monkeypatch: MP) -> None:
    viewer = Peer(uid=1234, pid=77, role="view")
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(viewer)
        async with stage.session() as session:
            await _two_refusals(session)
        first, second = stage.source.done
    assert (first.method, first.peer.uid, first.peer.pid) == ("panic", 1234, 77)
    assert first.command_line == "lowcapctl panic\\u001b[2J --yes"
    assert first.reply["error"]["data"]["code"] == "permission"
    assert second.command_line == ""


async def _two_refusals(session: Session) -> None:
    asked = {"id": 1, "method": "panic", "params": {}, "typed": "lowcapctl panic\x1b[2J --yes"}
    await session.send(json.dumps(asked).encode() + b"\n")
    assert (await session.receive())["error"]["data"]["code"] == "permission"
    other = asked | {"id": 2, "method": "halt", "typed": [1]}
    await session.send(json.dumps(other).encode() + b"\n")
    await session.receive()


async def test_what_the_kernel_says_counts_for_more(tmp_path: Path, monkeypatch: MP) -> None:
    known = Peer(uid=0, pid=1, role="admin", command_line="lowcapctl pause")
    async with open_stage(tmp_path, monkeypatch) as stage:
        stage.next_peer(known)
        async with stage.session() as session:
            asked = {"id": 1, "method": "pause", "params": {}, "typed": "something else"}
            await session.send(json.dumps(asked).encode() + b"\n")
            await session.receive()
        assert stage.source.done[0].command_line == "lowcapctl pause"
