"""Market and private streams of the simulator: routes, subscriptions, expiry (§1, §6, §7)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from paper_kit import XRP, order
from server_kit import running

from lowcap.net.net import MemoryNet, Net, SocketNet
from lowcap.paper import streams


@pytest.fixture(params=[MemoryNet, SocketNet])
def net(request: pytest.FixtureRequest) -> Net:
    made: Net = request.param()
    return made


def _is_array(frame: Any) -> bool:
    return isinstance(frame, list)


async def test_mark_price_array(net: Net) -> None:
    """§7: one frame with every symbol, USDⓈ-M marked by st 1."""
    async with running(net) as sim, sim.connect("/market/ws/!markPrice@arr@1s") as market:
        rows = await market.first(_is_array)
        assert {row["s"] for row in rows} == set(sim.exchange.contracts)
        assert {(row["e"], row["st"]) for row in rows} == {("markPriceUpdate", 1)}
        assert next(row["p"] for row in rows if row["s"] == XRP) == "1.90000000"
        assert rows[0]["T"] > rows[0]["E"]


async def test_subscriptions_on_the_wrong_route_are_acknowledged_and_silent(net: Net) -> None:
    """§1, §7: also unknown and uppercase names, and everything but /public without a route."""
    silent = [
        ("/public/ws", ["!markPrice@arr@1s", "xrpusdt@markPrice@1s"]),
        ("/market/ws", ["xrpusdt@bookTicker", "XRPUSDT@markPrice@1s", "xrpusdt@nonsense"]),
        ("/ws", ["!markPrice@arr@1s"]),
        ("/private/ws", ["!markPrice@arr@1s", "xrpusdt@bookTicker"]),
        ("/market/ws", ["nopeusdt@markPrice@1s", "@markPrice@1s"]),
    ]
    async with running(net) as sim, trio.open_nursery() as nursery:

        async def check(path: str, wanted: list[str]) -> None:
            async with sim.connect(path) as connection:
                reply = await connection.control("SUBSCRIBE", *wanted)
                assert reply == {"result": None, "id": 1}
                listed = await connection.control("LIST_SUBSCRIPTIONS")
                assert listed["result"] == sorted(wanted)
                await trio.sleep(0.2)
                assert len(connection.frames) == 2

        for path, wanted in silent:
            nursery.start_soon(check, path, wanted)


async def test_subscribe_and_unsubscribe(net: Net) -> None:
    """§7."""
    async with running(net) as sim, sim.connect("/market/stream") as market:
        await market.control("SUBSCRIBE", "xrpusdt@markPrice@1s", "xrpusdt@miniTicker")
        for name, kind in (("markPrice@1s", "markPriceUpdate"), ("miniTicker", "24hrMiniTicker")):
            frame = await market.first(lambda f, n=name: f.get("stream") == f"xrpusdt@{n}")
            assert (frame["data"]["e"], frame["data"]["s"]) == (kind, XRP)
        await market.control("UNSUBSCRIBE", "xrpusdt@markPrice@1s", "xrpusdt@miniTicker")
        assert (await market.control("LIST_SUBSCRIPTIONS"))["result"] == []
        market.frames.clear()
        await trio.sleep(0.2)
        assert market.frames == []


async def test_streams_named_in_the_url(net: Net) -> None:
    """§1: bare below /ws, enveloped below /stream, and the unrouted form as /public."""
    async with running(net) as sim:
        async with sim.connect("/public/ws/xrpusdt@bookTicker") as public:
            frame = await public.first(lambda f: True)
            assert (frame["e"], frame["ps"], frame["b"]) == ("bookTicker", XRP, "1.8999")
        async with sim.connect("/market/stream?streams=!miniTicker@arr/a") as market:
            frame = await market.first(lambda f: True)
            assert (frame["stream"], len(frame["data"])) == (
                "!miniTicker@arr",
                len(sim.exchange.contracts),
            )
        async with sim.connect("/ws/xrpusdt@bookTicker") as unrouted:
            assert (await unrouted.first(lambda f: True))["s"] == XRP


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (b"{", {"code": 3}),
        (b"[]", {"code": 2}),
        (b'"SUBSCRIBE"', {"code": 2}),
        (b'{"id":1}', {"code": 2, "id": 1}),
        (b'{"method":"SUBSCRIBE","params":5,"id":1}', {"code": 2}),
        (b'{"method":"SUBSCRIBE","params":[5],"id":1}', {"code": 2, "id": 1}),
        (b'{"method":["SUBSCRIBE"],"params":[],"id":1}', {"code": 2, "id": 1}),
        (b'{"method":"SUBSCRIBE","params":["a"],"id":{}}', {"code": 2}),
        (b'{"method":"SET_PROPERTY","params":["x",true],"id":"u"}', {"code": 0, "id": "u"}),
        (b'{"method":"SET_PROPERTY","params":["combined",1],"id":1}', {"code": 1, "id": 1}),
    ],
)
def test_control_frames_that_are_wrong(frame: bytes, error: dict[str, Any]) -> None:
    """§7, error codes."""
    reply = msgspec.json.decode(streams.Subscriber("/market/ws").control(frame))
    assert reply["error"]["code"] == error["code"]
    assert reply.get("id") == error.get("id")


def test_combined_property_turns_the_envelope_on() -> None:
    subscriber = streams.Subscriber("/market/ws")
    assert subscriber.wrap("a", b"1") == b"1"
    assert b'"result":false' in subscriber.control(
        b'{"method":"GET_PROPERTY","params":["combined"]}'
    )
    subscriber.control(b'{"method":"SET_PROPERTY","params":["combined",true],"id":1}')
    assert subscriber.wrap("a", b"1") == b'{"stream":"a","data":1}'


def test_at_most_1024_streams() -> None:
    """§7: code 4."""
    subscriber = streams.Subscriber("/market/ws")
    many = [f"s{n}@markPrice" for n in range(1_024)]
    frame = msgspec.json.encode({"method": "SUBSCRIBE", "params": many, "id": 1})
    assert msgspec.json.decode(subscriber.control(frame)) == {"result": None, "id": 1}
    reply = subscriber.control(b'{"method":"SUBSCRIBE","params":["one@markPrice"],"id":2}')
    assert msgspec.json.decode(reply)["error"]["code"] == 4
    assert len(subscriber.names) == 1_024


@pytest.mark.parametrize(
    ("path", "heard"),
    [
        ("/private/ws/KEY", True),
        ("/private/ws?listenKey=KEY", True),
        ("/private/stream?listenKey=OTHER&listenKey=KEY", True),
        ("/private/ws?listenKey=KEY&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE", True),
        ("/private/ws?listenKey=KEY&events=TRADE_LITE", False),
        ("/private/ws/OTHER", False),
        ("/private/ws", False),
        ("/market/ws/KEY", False),
        ("/ws/KEY", False),
    ],
)
def test_who_hears_user_events(path: str, heard: bool) -> None:
    """§1: the private route, the living key, and nothing that events= leaves out."""
    assert streams.Subscriber(path).hears("KEY", "ACCOUNT_UPDATE") is heard


async def test_private_stream_by_subscription(net: Net) -> None:
    """§1: /private/stream and SUBSCRIBE [listenKey], with the key as the stream's name."""
    async with running(net) as sim, sim.connect("/private/stream") as private:
        _, reply = await sim.rest("POST", "/fapi/v1/listenKey", signed=False)
        key = reply["listenKey"]
        await sim.rest("POST", "/fapi/v1/order", **order("BUY", "10"))
        await private.control("SUBSCRIBE", key)
        await sim.rest("POST", "/fapi/v1/order", **order("BUY", "10", newClientOrderId="heard"))
        frame = await private.first(lambda f: f.get("data", {}).get("e") == "TRADE_LITE")
        assert (frame["stream"], frame["data"]["c"]) == (key, "heard")


async def test_expired_key_is_told_once_then_silence(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """§6: the socket stays open, nothing follows; the next POST brings another key."""
    async with (
        running(MemoryNet(), tick_s=60, limit_s=20_000) as sim,
        sim.connect("/private/stream") as private,
    ):
        _, reply = await sim.rest("POST", "/fapi/v1/listenKey", signed=False)
        key = reply["listenKey"]
        await private.control("SUBSCRIBE", key)
        await trio.sleep(3_000)
        assert (await sim.rest("PUT", "/fapi/v1/listenKey", signed=False))[0] == 200
        await trio.sleep(3_000)
        assert len(private.frames) == 1
        await trio.sleep(4_000)
        (told,) = private.frames[1:]
        assert (told["stream"], told["data"]["e"]) == (key, "listenKeyExpired")
        assert told["data"]["listenKey"] == key
        await sim.rest("POST", "/fapi/v1/order", **order("BUY", "10"))
        assert (await sim.rest("PUT", "/fapi/v1/listenKey", signed=False))[1]["code"] == -1125
        _, reply = await sim.rest("POST", "/fapi/v1/listenKey", signed=False)
        assert reply["listenKey"] != key
        await sim.rest("POST", "/fapi/v1/order", **order("BUY", "10"))
        await trio.sleep(120)
        assert len(private.frames) == 2


async def test_slow_and_quick_forms(autojump_clock: trio.testing.MockClock) -> None:
    """§7: without @1s a mark price comes every three seconds."""
    path = "/market/stream?streams=xrpusdt@markPrice/xrpusdt@markPrice@1s/!markPrice@arr"
    async with running(MemoryNet(), tick_s=1) as sim, sim.connect(path) as market:
        await trio.sleep(9.5)
        seen = [frame["stream"] for frame in market.frames]
        assert seen.count("xrpusdt@markPrice@1s") == 9
        assert seen.count("xrpusdt@markPrice") == seen.count("!markPrice@arr")
        assert 3 <= seen.count("!markPrice@arr") <= 4
