"""The simulator over memory and over loopback: orders by REST and by frames, and their events."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import vectors as v
from paper_kit import BTC, XRP, Venue, algo, names, order
from server_kit import running
from trio.testing import MockClock

from lowcap.core.errors import NoAnswer
from lowcap.net.net import MemoryNet, Net, SocketNet
from lowcap.paper.paths import PATHS
from lowcap.paper.server import load_state
from lowcap.paper.state import VenueError

API = "/ws-fapi/v1"


@pytest.fixture(params=[MemoryNet, SocketNet])
def net(request: pytest.FixtureRequest) -> Net:
    made: Net = request.param()
    return made


# -- REST and WebSocket API -------------------------------------------------------


async def test_rest_calls(net: Net) -> None:
    """§4, §8: money as strings, bracket figures as numbers, weight in a header."""
    async with running(net) as sim:
        assert (await sim.rest("GET", "/fapi/v1/ping", signed=False)) == (200, {})
        status, placed = await sim.rest("POST", "/fapi/v1/order", **order("BUY", "10"))
        assert (status, placed["status"], placed["type"]) == (200, "NEW", "MARKET")
        status, rows = await sim.rest("GET", "/fapi/v3/positionRisk")
        assert (status, [row["symbol"] for row in rows]) == (200, [XRP])
        reply = await sim.plain("GET", "/fapi/v1/openOrders")
        assert reply.status == 400
        status, (brackets,) = await sim.rest("GET", "/fapi/v1/leverageBracket", symbol=BTC)
        assert brackets["brackets"][1]["maintMarginRatio"] == pytest.approx(0.005)
        status, error = await sim.rest("POST", "/fapi/v1/order", **order("BUY", "0"))
        assert (status, error["code"]) == (400, -4003)
        reply = await sim.reply("POST", "/fapi/v1/order", **order("BUY", "10"))
        assert reply.headers["x-mbx-order-count-10s"] == "3"
        assert reply.headers["x-mbx-order-count-1m"] == "3"
        assert reply.headers["x-mbx-used-weight-1m"] == str(1 + 5 + 40 + 1)
        reply = await sim.reply("GET", "/fapi/v1/openOrders", symbol=XRP)
        assert reply.headers["x-mbx-used-weight-1m"] == "48"
        assert "x-mbx-order-count-1m" not in reply.headers


async def test_unknown_paths(net: Net) -> None:
    """Nothing answers where the venue has nothing, neither requests nor connections."""
    async with running(net) as sim:
        status, error = await sim.rest("GET", "/fapi/v1/nothing")
        assert (status, error["code"]) == (404, -5000)
        status, error = await sim.rest("PATCH", "/fapi/v1/order")
        assert (status, error["code"]) == (404, -5000)
        for path in ("/", "/privat/ws/abc", "/ws-fapi/v2", "/market"):
            assert "refused" in await sim.refused(path)


async def test_order_by_frames_and_its_events(net: Net) -> None:
    """§3, §6: the reply on one connection, the events on the private one."""
    async with running(net) as sim, sim.connect(API) as api:
        key = (await api.ask("userDataStream.start"))["result"]["listenKey"]
        async with sim.connect(f"/private/ws/{key}") as private:
            reply = await api.ask("order.place", **order("BUY", "10", newClientOrderId="a"))
            assert (reply["status"], reply["result"]["status"]) == (200, "NEW")
            await private.first(lambda f: f["e"] == "ORDER_TRADE_UPDATE" and f["o"]["x"] == "TRADE")
            assert names(private.frames) == [
                "order NEW NEW",
                "TRADE_LITE",
                "ACCOUNT_UPDATE",
                "order TRADE FILLED",
            ]
            assert private.frames[1]["c"] == "a"
            assert len({event["T"] for event in private.frames[1:]}) == 1
        seen = await api.ask("order.status", symbol=XRP, origClientOrderId="a")
        assert (seen["result"]["status"], "avgPrice" in seen["result"]) == ("FILLED", True)
        refused = await api.ask("order.place", **order("BUY", "0"))
        assert (refused["status"], refused["error"]["code"]) == (400, -4003)


async def test_stop_triggers_by_the_clock(net: Net) -> None:
    """§6: what a tick sets in motion reaches the stream without any request."""
    async with running(net) as sim, sim.connect(API) as api:
        key = (await api.ask("userDataStream.start"))["result"]["listenKey"]
        await api.ask("order.place", **order("BUY", "10"))
        await api.ask("algoOrder.place", **algo("SELL", "1.7"))
        async with sim.connect(f"/private/stream?listenKey={key}") as private:
            sim.exchange.board.set_price(XRP, Decimal("1.6"))
            last = await private.first(
                lambda f: f["data"]["e"] == "ALGO_UPDATE" and f["data"]["o"]["X"] == "FINISHED"
            )
            assert last["stream"] == key
        rows = (await api.ask("v2/account.position"))["result"]
        assert rows == []


async def test_malformed_frames_are_answered(net: Net) -> None:
    """§3: the connection survives whatever it is sent."""
    async with running(net) as sim, sim.connect(API) as api:
        bad = [b"", b"{", b"[]", b"5", b'{"id":1,"method":7}', b'{"id":[],"method":"order.place"}',
               b'{"id":2,"method":"order.place","params":[1]}']  # fmt: skip
        for frame in bad:
            api.send(frame)
        with trio.fail_after(3):
            while len(api.frames) < len(bad):
                await trio.sleep(0.005)
        assert {(f["id"], f["status"], f["error"]["code"]) for f in api.frames} == {
            (None, 400, -1130)
        }
        hostile = {"quantity": "9" * 500, "symbol": ["x"], "reduceOnly": {}}
        reply = await api.ask("order.place", **{**order("BUY", "10"), **hostile})
        assert reply["error"]["code"] == -1121
        reply = await api.ask("order.place", **order("BUY", "9" * 500))
        assert reply["error"]["code"] == -1102
        assert (await api.ask("ticker.price", symbol=XRP))["status"] == 200


async def test_limits_are_left_out_on_request(net: Net) -> None:
    """§3: returnRateLimits=false in the URL."""
    async with running(net) as sim:
        async with sim.connect(API) as api:
            assert "rateLimits" in await api.ask("ticker.price", symbol=XRP)
        async with sim.connect(f"{API}?returnRateLimits=false") as api:
            assert "rateLimits" not in await api.ask("ticker.price", symbol=XRP)


# -- faults ------------------------------------------------------------------------


async def test_fault_delays(net: Net) -> None:
    """A late reply has taken effect already; a late request has not."""
    async with running(net) as sim, sim.connect(API) as api:
        await sim.faults(reply_delay_ms={"order.place": [150, 200]})
        number = api.ask_soon("order.place", **order("BUY", "10", newClientOrderId="late"))
        await trio.sleep(0.05)
        assert (await api.ask("order.status", symbol=XRP, origClientOrderId="late"))[
            "status"
        ] == 200
        assert all(frame["id"] != number for frame in api.frames)
        assert (await api.first(lambda f: f["id"] == number))["status"] == 200
        await sim.faults(request_delay_ms={"order.place": [150]})
        number = api.ask_soon("order.place", **order("BUY", "10", newClientOrderId="held"))
        await trio.sleep(0.05)
        seen = await api.ask("order.status", symbol=XRP, origClientOrderId="held")
        assert seen["error"]["code"] == -2013
        assert (await api.first(lambda f: f["id"] == number))["status"] == 200
        started_s = trio.current_time()
        await sim.rest("POST", "/fapi/v1/order", **order("BUY", "10"))
        assert trio.current_time() - started_s >= 0.15


async def test_fault_losses_count_down(net: Net) -> None:
    """A lost reply leaves an order behind, a lost request none."""
    async with running(net) as sim, sim.connect(API) as api:
        await sim.faults(lose_replies={"order.place": 2}, lose_requests={"order.cancel": 1})
        lost = api.ask_soon("order.place", **order("BUY", "10", "1.8", newClientOrderId="a"))
        params = order("BUY", "10", "1.8", newClientOrderId="b")
        with pytest.raises(NoAnswer):
            await sim.rest("POST", "/fapi/v1/order", **params)
        unheard = api.ask_soon("order.cancel", symbol=XRP, origClientOrderId="a")
        status, rows = await sim.rest("GET", "/fapi/v1/openOrders", symbol=XRP)
        assert (status, {row["clientOrderId"] for row in rows}) == (200, {"a", "b"})
        reply = await api.ask("order.place", **order("BUY", "10", "1.8", newClientOrderId="c"))
        assert reply["status"] == 200
        assert (await api.ask("order.cancel", symbol=XRP, origClientOrderId="a"))["status"] == 200
        assert {frame["id"] for frame in api.frames}.isdisjoint({lost, unheard})


async def test_fault_refusals_and_silence(net: Net) -> None:
    async with running(net) as sim, sim.connect(API) as api:
        key = (await api.ask("userDataStream.start"))["result"]["listenKey"]
        await sim.faults(refuse={"account.position": -1007}, mute_user_stream=True)
        assert (await api.ask("v2/account.position"))["error"]["code"] == -1007
        async with sim.connect(f"/private/ws/{key}") as private:
            await api.ask("order.place", **order("BUY", "10"))
            await trio.sleep(0.1)
            assert private.frames == []
            await sim.faults()
            await api.ask("order.place", **order("BUY", "10", newClientOrderId="told"))
            assert (await private.first(lambda f: f["e"] == "TRADE_LITE"))["c"] == "told"


@pytest.mark.parametrize(
    "script",
    [b"", b"[]", b'{"unknown":{}}', b'{"reply_delay_ms":{"order.place":[]}}',
     b'{"reply_delay_ms":{"order.place":[-5]}}', b'{"refuse":{"order.place":"x"}}'],
)  # fmt: skip
async def test_wrong_fault_scripts_are_refused(script: bytes) -> None:
    async with running(MemoryNet()) as sim:
        reply = await sim.plain("POST", "/sim/faults", script)
        assert (reply.status, msgspec.json.decode(reply.body)["code"]) == (400, -1102)


# -- life of the server -------------------------------------------------------------


async def test_requests_are_reported_and_the_account_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    heard: list[str] = []
    async with running(SocketNet(), save_to=path) as sim:
        sim.server.on_request = heard.append
        async with sim.connect(API) as api:
            await api.ask("order.place", **order("BUY", "10"))
        await sim.rest("GET", "/fapi/v3/balance")
    assert heard == ["order.place", "account.balance"]
    saved = load_state(path)
    assert saved is not None
    assert saved.positions[XRP].qty == 10


async def test_clients_that_vanish_do_no_harm(net: Net) -> None:
    async with running(net) as sim:
        for _ in range(5):
            async with sim.connect("/market/ws/!markPrice@arr@1s"), sim.connect(API) as api:
                api.ask_soon("order.place", **order("BUY", "10"))
        await trio.sleep(0.1)
        reply: Any = await sim.plain("GET", "/fapi/v1/time")
        assert reply.status == 200
        assert msgspec.json.decode(reply.body)["serverTime"] >= v.AT_MS


async def test_a_client_that_is_too_quick_is_refused_and_then_banned(
    autojump_clock: MockClock,
) -> None:
    async with running(MemoryNet()) as sim:
        for _ in range(60):
            status, _ = await sim.rest("GET", "/fapi/v1/openOrders")
        assert status == 200
        statuses = [(await sim.rest("GET", "/fapi/v1/openOrders"))[0] for _ in range(51)]
        assert statuses == [429] * 50 + [418]
        status, body = await sim.rest("GET", "/fapi/v1/ping", signed=False)
        assert [status, body["code"]] == [418, -1003]


async def test_an_event_can_be_made_to_happen(autojump_clock: MockClock) -> None:
    async with running(MemoryNet()) as sim:
        _, before = await sim.rest("GET", "/fapi/v2/ticker/price", symbol="XRPUSDT")
        jump = b'{"kind":"jump","symbol":"XRPUSDT","percent":"10"}'
        assert (await sim.plain("POST", "/sim/events", jump)).status == 200
        _, after = await sim.rest("GET", "/fapi/v2/ticker/price", symbol="XRPUSDT")
        assert float(after["price"]) / float(before["price"]) > 1.09
        for wrong in (b'{"kind":"boom"}', b'{"kind":"adl","symbol":"NOSUCHUSDT"}'):
            assert (await sim.plain("POST", "/sim/events", wrong)).status == 400
        assert (await sim.plain("POST", "/sim/other", b"{}")).status == 404


async def test_orders_are_changed_and_books_read_by_frames(autojump_clock: MockClock) -> None:
    async with running(MemoryNet()) as sim, sim.connect(API) as connection:
        placed = await connection.ask("order.place", **order("BUY", "100", "1.8000"))
        changed = {"symbol": XRP, "side": "BUY", "orderId": placed["result"]["orderId"]}
        reply = await connection.ask("order.modify", **changed, quantity="90", price="1.8100")
        assert [reply["status"], reply["result"]["origQty"]] == [200, "90"]
        counts = [row["count"] for row in reply["rateLimits"] if row["rateLimitType"] == "ORDERS"]
        assert counts == [2, 2]
        book = await connection.ask("depth", symbol=XRP, limit=5)
        assert [len(book["result"]["bids"]), len(book["result"]["asks"])] == [5, 5]


async def test_a_batch_comes_as_text_and_is_counted(autojump_clock: MockClock) -> None:
    async with running(MemoryNet()) as sim:
        items = msgspec.json.encode([order("BUY", "100", "1.8000")] * 2).decode()
        reply = await sim.reply("POST", "/fapi/v1/batchOrders", batchOrders=items)
        assert [row["status"] for row in msgspec.json.decode(reply.body)] == ["NEW", "NEW"]
        assert reply.headers["x-mbx-order-count-10s"] == "5"
        assert reply.headers["x-mbx-used-weight-1m"] == "5"


def test_every_path_leads_to_a_call() -> None:
    venue = Venue()
    for method, _, _ in PATHS.values():
        with suppress(VenueError):  # most miss a parameter; none may be unknown
            venue.call(method)
