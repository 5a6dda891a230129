"""The order connection: replies find their request, nothing is sent twice, logon works."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
import trio.testing

from lowcap.binance.wire import ApiReply
from lowcap.core.errors import NotSent
from tests import vectors as v
from tests.binance.binance_kit import ED25519, HMAC, line_to_peer, line_to_venue

ORDER: dict[str, str | int] = {
    "symbol": "XRPUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "IOC",
    "quantity": "10",
    "price": "1.95",
    "newClientOrderId": "lcd-1-7-e",
    "newOrderRespType": "RESULT",
    "recvWindow": 1_000,
}


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)


def encoded(number: object, **reply: Any) -> bytes:
    return msgspec.json.encode({"id": number, "status": 200, "result": {}} | reply)


async def settled() -> None:
    await trio.sleep(0.05)


async def test_replies_are_matched_by_id_in_any_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with line_to_peer() as (line, peer):
        await line.up()
        heard: dict[str, list[ApiReply]] = {"a": [], "b": [], "c": []}
        for name in heard:
            line.socket.request("order.place", {"x": name}, heard[name].append)
        await settled()
        ids = {request["params"]["x"]: request["id"] for request in peer.got}
        assert len(set(ids.values())) == 3
        for name in ("c", "a"):
            peer.wires[0].send_now(encoded(ids[name], result={"name": name}))
        peer.wires[0].send_now(encoded(ids["c"]))  # once more
        await settled()
        assert [len(heard[name]) for name in ("a", "b", "c")] == [1, 0, 1]
        assert msgspec.json.decode(heard["c"][0].result) == {"name": "c"}


@pytest.mark.parametrize(
    "frame",
    [b"", b"x", b"[]", b"{}", b"null", b'{"id":{}}', encoded(None), encoded("1"), encoded(999),
     encoded(1, status="ok"), encoded(1, error="oops"), encoded(1, error={"code": "x"}),
     b'{"id":1,"z":' + b"[" * 5_000, b'{"id":' + b"9" * 6_000 + b"}", encoded(True)],
)  # fmt: skip
async def test_frames_that_match_nothing_are_dropped(
    frame: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    async with line_to_peer() as (line, peer):
        await line.up()
        line.socket.request("a", {}, lambda reply: None)
        heard: list[ApiReply] = []
        line.socket.request("order.place", {}, heard.append)
        await settled()
        peer.wires[0].send_now(frame)
        peer.wires[0].send_now(encoded(2))
        await settled()
        assert len(heard) == 1
        assert line.changes == [(True, "")]


async def test_a_lost_connection_leaves_replies_pending_and_sends_nothing_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with line_to_peer() as (line, peer):
        await line.up()
        heard: list[ApiReply] = []
        line.socket.request("order.place", {"x": 1}, heard.append)
        await settled()
        lost_id = peer.got[0]["id"]
        peer.drop.set()
        await trio.sleep(5)
        await line.up(2)
        assert [up for up, _ in line.changes] == [True, False, True]
        assert len(peer.got) == 1, "what was in flight must not be sent again"
        peer.wires[-1].send_now(encoded(lost_id))
        line.socket.request("order.place", {"x": 2}, heard.append)
        await settled()
        assert heard == []
        assert peer.got[1]["id"] != lost_id
        peer.wires[-1].send_now(encoded(peer.got[1]["id"]))
        await settled()
        assert len(heard) == 1


async def test_a_connection_that_owes_an_answer_and_is_silent_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with line_to_peer() as (line, peer):
        await line.up()
        heard: list[ApiReply] = []
        await trio.sleep(60)
        assert not line.socket.distrust(1_500), "nothing was asked: silence means nothing"
        line.socket.request("order.place", {"x": 1}, heard.append)
        line.socket.request("order.place", {"x": 2}, heard.append)
        await trio.sleep(1)
        peer.wires[-1].send_now(encoded(peer.got[1]["id"]))
        await trio.sleep(1)
        assert not line.socket.distrust(1_500), "it lives: only one reply is missing"
        line.socket.request("order.place", {"x": 3}, heard.append)
        await trio.sleep(1.6)
        assert line.socket.distrust(1_500)
        assert not line.socket.is_up
        with pytest.raises(NotSent):
            line.socket.request("order.place", {"x": 4}, heard.append)
        await line.up(2)
        assert [up for up, _ in line.changes] == [True, False, True]
        peer.wires[0].send_now(encoded(peer.got[2]["id"]))
        await settled()
        assert len(heard) == 2, "a late reply of the old connection still counts"


async def test_while_the_connection_is_down_nothing_is_taken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with line_to_peer() as (line, peer):
        with pytest.raises(NotSent):
            line.socket.request("order.place", {}, lambda reply: None)
        await line.up()
        peer.drop.set()
        for _ in range(10_000):
            if not line.socket.is_up:
                break
            await trio.lowlevel.checkpoint()
        with pytest.raises(NotSent):
            line.socket.request("order.place", {}, lambda reply: None)


async def test_a_full_queue_is_not_sent_and_not_awaited(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with line_to_peer() as (line, peer):
        await line.up()
        taken = 0
        with contextlib.suppress(NotSent):
            for _ in range(10_000):
                line.socket.request("order.place", {}, lambda reply: None)
                taken += 1
        assert 0 < taken < 10_000
        await trio.sleep(1)
        assert len(peer.got) == taken


async def test_requests_are_signed_over_their_sorted_parameters(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with line_to_peer() as (line, peer):
        await line.up()
        line.socket.request("order.place", dict(ORDER), lambda reply: None)
        await settled()
        params = peer.got[0]["params"]
        signature = params.pop("signature")
        assert (params["apiKey"], params["recvWindow"]) == (v.API_KEY, 1_000)
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        assert signature == HMAC.sign(text.encode())
        assert isinstance(params["timestamp"], int)


@pytest.mark.parametrize("signer", [HMAC, ED25519], ids=["hmac", "ed25519"])
async def test_an_order_at_the_venue(signer: Any, autojump_clock: trio.testing.MockClock) -> None:
    async with line_to_venue(signer) as (line, server):
        asked: list[str] = []
        server.on_request = asked.append
        await line.up()
        heard: list[ApiReply] = []
        line.socket.request("order.place", dict(ORDER), heard.append)
        await settled()
        assert heard[0].status == 200, heard[0].error
        assert msgspec.json.decode(heard[0].result)["status"] == "FILLED"
        logons = ["session.logon"] if signer is ED25519 else []
        assert asked == [*logons, "order.place"]
        assert server.exchange.book.position("XRPUSDT").qty == 10


async def test_after_logon_requests_carry_no_key_and_no_signature(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with line_to_peer(ED25519) as (line, peer):
        peer.answer = lambda request: encoded(request["id"])
        await line.up()
        line.socket.request("order.place", {"x": 1}, lambda reply: None)
        await settled()
        logon, place = peer.got
        assert logon["method"] == "session.logon"
        signature = logon["params"].pop("signature")
        text = "&".join(f"{k}={logon['params'][k]}" for k in sorted(logon["params"]))
        assert signature == ED25519.sign(text.encode())
        assert place["params"].keys() == {"x", "timestamp"}
        peer.drop.set()
        await trio.sleep(5)
        await line.up(2)
        assert [r["method"] for r in peer.got] == ["session.logon", "order.place", "session.logon"]


@pytest.mark.parametrize(
    "answer",
    [None, {"status": 401, "error": {"code": -2015, "msg": "no"}}, {"status": 500}],
)
async def test_a_refused_logon_is_no_connection(
    answer: dict[str, Any] | None, autojump_clock: trio.testing.MockClock
) -> None:
    async with line_to_peer(ED25519) as (line, peer):
        peer.answer = lambda r: encoded(r["id"], **answer) if answer is not None else None
        await trio.sleep(20)
        assert line.changes
        assert not any(up for up, _ in line.changes)
        assert all(why.startswith("session.logon") for _, why in line.changes)
        assert {r["method"] for r in peer.got} == {"session.logon"}
        peer.answer = lambda r: encoded(r["id"])
        await line.up()
