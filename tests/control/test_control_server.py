"""The control server over a real Unix socket, well and badly spoken to."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import trio
from control_kit import Session, open_stage, request_line, until

from lowcap.control.protocol import LINE_BYTES_MAX
from lowcap.control.server import OWED_MAX
from lowcap.control.session import EVENTS_QUEUED_MAX
from lowcap.core.errors import BrokenInvariant

MP = pytest.MonkeyPatch


async def test_hello_comes_first_and_tells_the_role(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        stream = await trio.open_unix_socket(stage.path)
        first = await Session(stream).receive()
        await stream.aclose()
    assert first["method"] == "hello"
    assert first["params"] == {"protocol": 1, "version": "t", "run": 1, "role": "admin"}


async def test_requests_are_answered_by_their_ids(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        await session.send(request_line(7, "status") + request_line("x", "version"))
        replies = {m["id"]: m["result"]["method"] for m in [await session.receive() for _ in "12"]}
        assert replies == {7: "status", "x": "version"}


HOSTILE = {
    "not JSON": b"hello there",
    "not text": b"\xff\xfe\x00",
    "nested without end": b"[" * 60_000,
    "nested objects": b'{"a":' * 12_000,
    "a list": b"[1,2]",
    "a number": b"42",
    "no method": b'{"id":1}',
    "a method that is no word": b'{"id":1,"method":{}}',
    "half of a surrogate pair": b'{"id":"\\ud800","method":"status"}',
    "NaN": b'{"id":1,"method":"status","params":{"count":NaN}}',
    "missing id": b'{"method":"status"}',
    "null id": b'{"id":null,"method":"status"}',
    "an id that is a list": b'{"id":[1],"method":"status"}',
    "an id that is true": b'{"id":true,"method":"status"}',
    "an endless number": b'{"id":' + b"9" * 6_000 + b',"method":"status"}',
    "params by position": b'{"id":1,"method":"status","params":[1]}',
    "params that are a word": b'{"id":1,"method":"status","params":"x"}',
    "a parameter that is a list": b'{"id":1,"method":"pause","params":{"for":[1]}}',
    "a parameter that is an object": b'{"id":1,"method":"pause","params":{"reason":{}}}',
    "unknown method": b'{"id":1,"method":"rm -rf"}',
    "a method without a command": b'{"id":1,"method":"__class__"}',
    "too long": b'{"id":1,"method":"' + b"x" * LINE_BYTES_MAX + b'"}',
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
async def test_nonsense_is_refused_and_the_session_goes_on(
    tmp_path: Path, monkeypatch: MP, line: bytes
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        await session.send(line + b"\n")
        answer = await session.receive()
        assert answer["error"]["data"]["code"] == "usage"
        assert (await session.ask("status"))["result"]["method"] == "status"
        assert stage.source.bugs == []


@pytest.mark.parametrize("given", ["[]", "{}", "null", "true", '"x"', "1e99", "7"])
async def test_a_cancel_of_anything_harms_nobody(
    tmp_path: Path, monkeypatch: MP, given: str
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        await session.send(b'{"id":0,"method":"$/cancel","params":{"id":%s}}\n' % given.encode())
        await session.send(b'{"method":"$/cancel"}\n\n   \n')
        assert "result" in await session.ask("status")


async def test_unknown_parameters_are_left_out(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        reply = await session.ask("pause", {"for": "1m", "evil": ["x"], "__class__": 1})
        assert reply["result"]["params"] == {"for": "1m"}


async def test_a_refusal_carries_code_and_hint(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        fault = (await session.ask("positions"))["error"]
        assert fault["message"] == "not now"
        assert fault["data"] == {"code": "halted", "hint": "later"}


async def test_a_bug_in_a_handler_is_answered_told_and_survived(
    tmp_path: Path, monkeypatch: MP
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        async with stage.session() as session:
            assert await session.code_of("feeds") == "internal"
            assert await session.code_of("triggers") == "internal"
            assert "result" in await session.ask("status")
        async with stage.session() as other:
            assert "result" in await other.ask("status")
        assert [name for name, _ in stage.source.bugs] == ["feeds", "encode"]


async def test_a_broken_invariant_is_not_swallowed(tmp_path: Path, monkeypatch: MP) -> None:
    async def broken(params: object, peer: object) -> None:
        await trio.lowlevel.checkpoint()
        raise BrokenInvariant("two and two are five")

    with pytest.RaisesGroup(BrokenInvariant, flatten_subgroups=True):
        async with open_stage(tmp_path, monkeypatch) as stage:
            stage.source.handlers["status"] = broken
            async with stage.session() as session:
                await session.send(request_line(1, "status"))
                await trio.sleep(5)


async def test_cancel_ends_a_request_and_it_is_answered(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        await session.send(request_line(5, "explain"))
        await until(lambda: any(c.calls for c in stage.server._clients))
        assert (await session.ask("status"))["result"]  # one request does not hold up the next
        await session.send(b'{"method":"$/cancel","params":{"id":5}}\n')
        answer = await session.receive()
        assert answer["id"] == 5
        assert answer["error"]["data"]["code"] == "cancelled"
        assert stage.source.cancelled == ["explain"]


async def test_an_id_in_use_is_refused(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        await session.send(request_line(5, "explain") + request_line(5, "explain"))
        assert "still being carried out" in (await session.receive())["error"]["message"]
        stage.source.release.set()
        assert (await session.receive())["result"] == {"waited": True}


async def test_what_was_asked_before_hanging_up_is_carried_out(
    tmp_path: Path, monkeypatch: MP
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        # As ``printf … | nc -N -U`` does it: ask, say that nothing more comes, read the answer.
        async with stage.session() as session:
            await session.send(request_line(1, "pause"))
            session.stream.socket.shutdown(socket.SHUT_WR)
            assert (await session.receive())["id"] == 1
        raw = await trio.open_unix_socket(stage.path)
        await raw.send_all(request_line(2, "halt"))
        await raw.aclose()  # with the greeting unread
        await until(lambda: len(stage.source.asked) == 2)
        await until(lambda: stage.server.clients == 0)


async def test_events_since_and_follow_miss_nothing(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        total = 400

        def happen() -> None:
            seq = len(stage.source.events) + 1
            event = {"seq": seq, "kind": "Filled" if seq % 2 else "Refused"}
            stage.source.events.append(event)
            stage.server.publish("events", event)

        async def keep_happening() -> None:
            while len(stage.source.events) < total:
                happen()
                await trio.lowlevel.checkpoint()

        for _ in range(50):
            happen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_happening)
            reply = await session.ask("events", {"since": 20, "follow": True})
            seen = [event["seq"] for event in reply["result"]]
            while seen[-1] < total:
                message = await session.receive()
                assert message["method"] == "event"
                seen.append(message["params"]["seq"])
        assert seen == list(range(21, total + 1))


async def test_following_keeps_to_what_was_asked_for(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        await session.ask("events", {"follow": True, "type": "Filled"})
        for seq, kind in ((1, "Refused"), (2, "Filled")):
            stage.server.publish("events", {"seq": seq, "kind": kind})
        assert (await session.receive())["params"]["seq"] == 2
        await session.ask("logs", {"follow": True, "priority": "warning", "grep": "Stop("})
        for level, text in (("info", "stop("), ("error", "go"), ("critical", "the STOP(x")):
            stage.server.publish("logs", {"level": level, "text": text})
        stage.server.publish("events", {"seq": 3, "kind": "Filled"})
        assert (await session.receive())["params"]["text"] == "the STOP(x"
        assert await session.code_of("logs", {"priority": "loud"}) == "usage"


async def test_a_client_that_does_not_read_is_dropped_and_others_go_on(
    tmp_path: Path, monkeypatch: MP
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage:
        async with stage.session() as slow, stage.session() as quick:
            for session in (slow, quick):
                await session.ask("events", {"follow": True})
            text = "x" * 2_000
            for seq in range(1, EVENTS_QUEUED_MAX + 200):
                stage.server.publish("events", {"seq": seq, "kind": "k", "text": text})
                if seq % 50 == 0:  # the quick one reads
                    while (await quick.receive())["params"]["seq"] < seq:
                        pass
            messages = [await slow.receive() for _ in range(3)]
            while messages[-1]["method"] != "bye":
                messages.append(await slow.receive())
            assert "too slow" in messages[-1]["params"]["reason"]
            with pytest.raises((EOFError, trio.BrokenResourceError)):
                await slow.receive()
            assert (await quick.ask("status"))["result"]
        await until(lambda: stage.server.clients == 0)


async def test_a_client_that_never_reads_is_cut_off_in_time(
    tmp_path: Path, monkeypatch: MP
) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        await session.ask("events", {"follow": True})
        for seq in range(600):
            stage.server.publish("events", {"seq": seq, "kind": "k", "text": "x" * 5_000})
        await until(lambda: stage.server.clients == 0, within_s=4)


async def test_unread_replies_do_not_pile_up(tmp_path: Path, monkeypatch: MP) -> None:
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        stage.source.events = [{"seq": n, "kind": "k", "text": "x" * 900} for n in range(1, 2_000)]
        for number in range(150):
            await session.send(request_line(number, "events", {"since": 1}))
        await until(lambda: any(c.owed for c in stage.server._clients))
        assert max(c.owed for c in stage.server._clients) <= OWED_MAX
        codes = []
        while len(codes) < 150 - OWED_MAX:
            message = await session.receive()
            if "error" in message:
                codes.append(message["error"]["data"]["code"])
        assert set(codes) == {"busy"}


async def test_a_follower_survives_a_stream_of_random_lines(
    tmp_path: Path, monkeypatch: MP
) -> None:
    lines = [json.dumps({"id": n, "method": "status"}).encode() for n in range(20)]
    mess = b"\n".join(line[: n + 3] for n, line in enumerate(lines)) + b"\n"
    async with open_stage(tmp_path, monkeypatch) as stage, stage.session() as session:
        for at in range(0, len(mess), 7):
            await session.send(mess[at : at + 7])
        assert (await session.ask("version"))["result"]
