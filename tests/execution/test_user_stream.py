"""The user data stream: renewed, silent, expired; and the rarer things that it tells."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from lowcap.binance.handover import RENEW_EVERY_S
from lowcap.binance.userevents import AccountEvent, read_user_event
from lowcap.core import facts
from lowcap.core.messages import OrderPlan, Purpose
from lowcap.core.order import Status
from tests.execution.exec_kit import Room, trading
from tests.risk.risk_kit import XRP

BTC = "BTCUSDT"


def tell(room: Room, **event: Any) -> None:
    """An event as it would arrive on the stream."""
    room.desk.on_user_event(read_user_event(msgspec.json.encode(event)))


def forced(room: Room, client_id: str, qty: str, **changes: Any) -> None:
    body = {
        "s": XRP, "c": client_id, "S": "SELL", "o": "LIQUIDATION", "x": "TRADE", "X": "FILLED",
        "i": 99, "l": qty, "z": qty, "L": "1.5", "n": "0.1", "T": room.venue.venue_ms(), "t": 4711,
        "rp": "-12",
    }  # fmt: skip
    tell(room, e="ORDER_TRADE_UPDATE", E=1, T=room.venue.venue_ms(), o=body | changes)


def account_qty(room: Room, qty: str) -> None:
    row = {"s": XRP, "pa": qty, "ep": "1.9", "ps": "BOTH"}
    tell(room, e="ACCOUNT_UPDATE", E=1, T=room.venue.venue_ms(), a={"m": "ORDER", "P": [row]})


async def test_after_23_hours_a_new_connection_takes_over(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        downs: list[str] = []
        lost = room.keeper.on_user_stream
        room.user._on_change = lambda up, why: (
            downs.append(why) if not up else None,
            lost(up, why),
        )[1]
        room.asked.clear()
        await trio.sleep(1)
        room.user.renew()
        room.venue.socket.renew()
        await trio.sleep(5)
        assert downs == []
        assert room.asked["order.open"] >= 1  # a snapshot after every connection
        await room.keeper.close_all()
        await room.until(room.is_over)
        assert room.book.state.foreign == {}
        assert RENEW_EVERY_S == 23 * 3_600


async def test_an_accepted_order_that_is_not_told_of_replaces_the_stream(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.faults(mute_user_stream=True)
        room.enter()
        renewed: list[float] = []
        room.keeper.renew_user_stream = lambda: renewed.append(trio.current_time())
        started_s = trio.current_time()
        await room.until(lambda: bool(renewed))
        assert 5 <= renewed[0] - started_s < 8
        assert "user-stream" in room.alarms()


async def test_a_minute_of_silence_with_a_position_replaces_the_stream(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        renewed: list[float] = []
        room.keeper.renew_user_stream = lambda: renewed.append(trio.current_time())
        await trio.sleep(200)
        assert renewed == []
        room.enter()
        await room.protected()
        started_s = trio.current_time()
        await trio.sleep(130)
        assert [round(at - started_s) // 10 for at in renewed] == [6, 12]


@pytest.mark.parametrize("client_id", ["autoclose-17", "adl_autoclose", "settlement_autoclose-3"])
@pytest.mark.parametrize("account_first", [True, False])
async def test_what_the_venue_closes_by_force_is_closed_and_pauses_the_symbol(
    client_id: str, account_first: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        order = room.enter()
        await room.protected()
        held, realized = str(room.held()), room.book.state.day_realized
        room.desk.closing_of([XRP]).__enter__()  # the simulator knows nothing of this close
        if account_first:
            account_qty(room, "0")
        forced(room, client_id, held)
        forced(room, client_id, held)  # twice
        if not account_first:
            account_qty(room, "0")
        assert room.is_over()
        assert room.book.state.day_realized - realized == Decimal(-12)
        (closed,) = room.told(facts.PositionClosed)
        assert closed.realized == -12
        assert order.status is Status.FILLED
        assert room.alarms().count("forced-close") >= 1
        room.desk.closing.clear()
        answer = room.try_entering()
        assert not isinstance(answer, OrderPlan)
        assert answer.check == "symbol-paused"
        assert room.book.state.switched_off == [f"symbol:{XRP}"]


async def test_a_part_closed_by_force_leaves_the_rest(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        own = room.book.position(XRP).own_qty
        forced(room, "autoclose-5", "10", X="PARTIALLY_FILLED", x="CALCULATED")
        assert room.book.position(XRP).own_qty == own - 10


async def test_a_strangers_position_closed_by_force_is_not_ours(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        forced(room, "autoclose-5", "10")
        assert room.book.position(XRP).own_qty == 0
        assert room.book.state.day_realized == 0
        assert "forced-close" in room.alarms()


async def test_leverage_that_is_changed_behind_us_is_put_right(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        await room.until(lambda: BTC in room.venue.leverage)
        wanted = room.venue.leverage[BTC]
        tell(room, e="ACCOUNT_CONFIG_UPDATE", E=1, T=1, ac={"s": BTC, "l": wanted})
        assert "leverage" not in room.alarms()
        tell(room, e="ACCOUNT_CONFIG_UPDATE", E=1, T=1, ac={"s": BTC, "l": 3})
        answer = room.try_entering(BTC)
        assert not isinstance(answer, OrderPlan)
        assert answer.check == "leverage-not-set"
        await room.until(lambda: room.venue.leverage.get(BTC) == wanted, within_s=5)
        room.desk.on_user_event(AccountEvent((), None, 1, (BTC,)))
        assert BTC not in room.venue.leverage
        await room.until(lambda: BTC in room.venue.leverage, within_s=5)


async def test_a_hint_without_a_report_is_asked_about(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        order = room.enter()
        await room.protected()
        room.asked.clear()
        lite = {"e": "TRADE_LITE", "s": XRP, "c": order.client_id}
        tell(room, **lite, t=order.trade_ids[0])
        await trio.sleep(1)
        assert room.asked["order.status"] == 0
        tell(room, **lite, t=123_456)
        await trio.sleep(1)
        assert room.asked["order.status"] == 1


async def test_a_child_under_a_name_of_its_own_is_its_parents(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        (stop,) = room.resting(Purpose.STOP)
        own = room.book.position(XRP).own_qty
        body = {
            "caid": stop.client_id,
            "aid": stop.order_id,
            "s": XRP,
            "X": "TRIGGERED",
            "ai": "77",
        }
        tell(room, e="ALGO_UPDATE", E=1, T=1, o=body)
        forced(room, "x-child", "10", i=77, X="PARTIALLY_FILLED", o="MARKET")
        assert (stop.filled_qty, room.book.position(XRP).own_qty) == (10, own - 10)


async def test_a_stop_that_triggered_in_vain_is_asked_about_and_a_margin_call_is_told(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        (stop,) = room.resting(Purpose.STOP)
        room.asked.clear()
        tell(
            room, e="CONDITIONAL_ORDER_TRIGGER_REJECT", **{"or": {"s": XRP, "i": stop.order_id}},
        )  # fmt: skip
        await room.until(lambda: room.asked["algoOrder.status"] == 1)
        tell(room, e="MARGIN_CALL", p=[{"s": XRP}])
        assert {"trigger-rejected", "margin-call"} <= set(room.alarms())


async def test_multi_assets_mode_is_looked_up(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with trading(tmp_path) as room:
        looked: list[str] = []
        room.desk.read_again = looked.append
        tell(room, e="ACCOUNT_CONFIG_UPDATE", ai={"j": True})
        tell(room, e="ACCOUNT_CONFIG_UPDATE", ai={"j": False})
        assert looked == ["contracts"]


async def test_the_market_of_a_position_is_followed_while_it_lasts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        await room.until(lambda: len(room.venue.markets.ages_ms(XRP)) == 3)
        assert room.venue.markets.ages_ms(BTC) == {}
        await room.keeper.close_all()
        await room.until(lambda: room.venue.markets.ages_ms(XRP) == {})
