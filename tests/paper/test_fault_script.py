"""The fault script: each kind strikes when, how often and whom its line says."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import trio
from paper_kit import XRP, order
from server_kit import running

from lowcap.core.errors import ConfigError, ConnectionLost
from lowcap.net.net import MemoryNet
from lowcap.paper.faultfile import read_faults
from lowcap.paper.faults import ANSWERS, Fault, Faults, Play

API = "/ws-fapi/v1"


def line(**given: Any) -> dict[str, Any]:
    return {"fault": [given]}


def test_a_line_is_in_force_for_its_time_and_count() -> None:
    play = Play([Fault(kind="cut", after_s=2, for_s=3, count=2, skip=1)])
    times = (0, 1_999, 2_000, 2_500, 3_000, 3_500, 4_999)
    hits = [bool(play.strike({"cut"}, lambda fault: True, at_ms)) for at_ms in times]
    assert hits == [False, False, False, True, True, False, False]
    assert (play.struck["cut"], play.newest_ms) == (2, 3_000)
    once = Play([Fault(kind="cut")])
    assert [len(once.strike({"cut"}, lambda fault: True, 0)) for _ in range(2)] == [1, 0]


def test_a_client_id_pattern_names_the_step_of_an_order() -> None:
    faults = Faults(fault=[Fault(kind="lose-request", method="order.place", client_id="*-e")])
    chance = random.Random(1)
    for params in ({"newClientOrderId": "lcd-1-2-t1"}, {"newClientOrderId": "lcd-1-2-ec"}, {}):
        assert not faults.treat("order.place", params, 0, chance).lose_request
    assert faults.treat("order.place", {"newClientOrderId": "lcd-1-2-e"}, 0, chance).lose_request


@pytest.mark.parametrize("kind", sorted(set(ANSWERS) - {"not-found"}))
@pytest.mark.parametrize("executed", [True, False])
async def test_answers_in_place_of_the_reply(kind: str, executed: bool) -> None:
    error = ANSWERS[kind]
    async with running(MemoryNet()) as sim, sim.connect(API) as api:
        await sim.faults(fault=[{"kind": kind, "method": "order.place", "count": 2,
                                 "executed": executed}])  # fmt: skip
        reply = await api.ask("order.place", **order("BUY", "10"))
        assert (reply["status"], reply["error"]["code"]) == (error.status, error.code)
        status, body = await sim.rest("POST", "/fapi/v1/order", **order("BUY", "10"))
        assert (status, body["code"], body["msg"]) == (error.status, error.code, error.msg)
        took_effect = error.may_execute and executed
        assert sim.exchange.book.position(XRP).qty == (20 if took_effect else 0)


async def test_queries_lag_and_placements_do_not() -> None:
    async with running(MemoryNet()) as sim, sim.connect(API) as api:
        await sim.faults(**line(kind="not-found", for_s=2))
        placed = await api.ask("order.place", **order("BUY", "10", newClientOrderId="mine"))
        assert placed["status"] == 200
        asked = {"symbol": XRP, "origClientOrderId": "mine"}
        assert (await api.ask("order.status", **asked))["error"]["code"] == -2013
        await trio.sleep(2)
        assert (await sim.rest("GET", "/fapi/v1/order", **asked))[0] == 200


async def test_events_are_dropped_repeated_and_late() -> None:
    async with running(MemoryNet()) as sim, sim.connect(API) as api:
        key = (await sim.rest("POST", "/fapi/v1/listenKey", signed=False))[1]["listenKey"]
        async with sim.connect(f"/private/ws/{key}") as private:
            await sim.faults(
                fault=[
                    {"kind": "drop-event", "event": "TRADE_LITE"},
                    {"kind": "duplicate-event", "event": "ACCOUNT_UPDATE"},
                    {"kind": "delay-event", "event": "ORDER_TRADE_UPDATE", "delay_ms": [500]},
                ]
            )
            await api.ask("order.place", **order("BUY", "10"))
            await trio.sleep(1)
            names = [frame["e"] for frame in private.frames]
        assert names == ["ACCOUNT_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"] + [
            "ORDER_TRADE_UPDATE"
        ] * (len(names) - 3)
        assert private.frames[-1]["o"]["x"] == "NEW"  # the late one was the first


async def test_a_cut_ends_the_connections_of_its_route() -> None:
    async with running(MemoryNet()) as sim, sim.connect("/market/ws/xrpusdt@markPrice@1s"):

        async def connected() -> None:
            async with sim.connect(API):
                await sim.faults(**line(kind="cut", route="api"))
                await trio.sleep(5)

        with pytest.raises(BaseExceptionGroup) as caught:
            await connected()
        assert caught.group_contains(ConnectionLost, match="closed by the peer")


async def test_a_half_open_connection_carries_nothing_and_a_new_one_works() -> None:
    async with running(MemoryNet()) as sim, sim.connect(API) as api:
        await sim.faults(**line(kind="half-open", route="api"))
        await trio.sleep(0.2)
        api.ask_soon("order.place", **order("BUY", "10"))
        await trio.sleep(0.2)
        assert not api.frames
        assert sim.exchange.book.position(XRP).qty == 0
        async with sim.connect(API) as fresh:
            assert (await fresh.ask("order.place", **order("BUY", "10")))["status"] == 200


async def test_filters_change_and_a_delisting_settles_the_position() -> None:
    async with running(MemoryNet()) as sim, sim.connect(API) as api:
        await api.ask("order.place", **order("BUY", "10"))
        await sim.faults(
            fault=[
                {"kind": "filter-change", "symbol": XRP, "change": {"step": "5", "qty_min": "5"}},
                {"kind": "delist", "symbol": XRP, "after_s": 1},
            ]
        )
        await trio.sleep(0.2)
        assert (await api.ask("order.place", **order("BUY", "11")))["error"]["code"] == -4023
        await trio.sleep(1.2)
        assert sim.exchange.book.position(XRP).qty == 0
        assert sim.exchange.state.trades[-1].client_id.startswith("settlement_autoclose-")
        assert (await api.ask("order.place", **order("BUY", "10")))["error"]["code"] < 0


async def test_an_expired_key_is_told_once() -> None:
    async with running(MemoryNet()) as sim:
        key = (await sim.rest("POST", "/fapi/v1/listenKey", signed=False))[1]["listenKey"]
        async with sim.connect(f"/private/ws/{key}") as private:
            await sim.faults(**line(kind="expire-key"))
            await trio.sleep(0.5)
            assert [frame["e"] for frame in private.frames] == ["listenKeyExpired"]


def test_a_fault_file_is_toml(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nkind = "delay-reply"\nafter_s = 1.5\ndelay_ms = [10, 20]\n')
    faults = read_faults(path)
    assert faults.fault == [Fault(kind="delay-reply", after_s=1.5, delay_ms=[10, 20])]


NO_KIND = "fault[0].kind: required key is missing"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("[[fault]]", [NO_KIND]),
        ("[[fault]]\nkind = 'nonsense'", ["fault[0].kind: Invalid enum value 'nonsense'"]),
        ("[[fault]]\nkind = 'delist'", ["fault[0]: delist needs a symbol"]),
        ("fault = 3", ["fault: expected [[fault]] tables"]),
        ("fault = [3]", ["fault[0]: expected a table"]),
        ("faults = []", ["faults: unknown key"]),
        ("reply_delay_ms = { a = -1 }", ["reply_delay_ms: "]),
        ("[[fault]]\nkind = 'cut'\nchange = { tick = 1 }", ["fault[0]: change belongs to"]),
        ("[[fault]]\nkind = 'delist'\nchange = { colour = 1 }",
         ["fault[0]: delist needs a symbol; no such filter: colour; change belongs to"]),
        ("mute_user_stream = 7\n[[fault]]\nafter_s = -1\nrout = ''\n[[fault]]\nskip = 'a'",
         ["fault[0].after_s: ", "fault[0].rout: unknown key", NO_KIND, "fault[1].skip: ",
          NO_KIND.replace("0", "1"), "mute_user_stream: "]),
        ("not toml", ["Expected"]),
    ],
)  # fmt: skip
def test_everything_that_means_nothing_is_named(
    tmp_path: Path, text: str, faults: list[str]
) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_faults(path)
    found = [fault.removeprefix(f"{path}: ") for fault in caught.value.faults]
    assert len(found) == len(faults), found
    assert all(map(str.startswith, found, faults)), found
