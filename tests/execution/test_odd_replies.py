"""Attacks: odd words, lost words and full disks must not end the daemon or bare a position."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio.testing

from lowcap.core import facts
from lowcap.core.messages import Purpose, Refusal, TradingState
from lowcap.core.money import Side
from lowcap.core.order import Status
from tests.execution.exec_kit import Room, trading
from tests.risk.risk_kit import XRP, D

Mock = trio.testing.MockClock


@pytest.fixture
def autojump_clock() -> Mock:
    return Mock(autojump_threshold=0)


def twist(room: Room, method: str, change: Callable[[Any], Any], times: int = 1) -> None:
    """Let the next ``times`` results of a method go out changed."""
    calls = room.exchange._calls
    honest, left = calls[method], [times]

    def odd(params: Any) -> Any:
        result = honest(params)
        if left[0]:
            left[0] -= 1
            return change(result)
        return result

    calls[method] = odd


ODD_ORDERS: list[dict[str, Any]] = [
    {"executedQty": "NaN"},
    {"executedQty": "1e3"},
    {"executedQty": "-5"},
    {"executedQty": None},
    {"status": "SOMETHING_NEW"},
    {"status": None},
    {"orderId": "x"},
    {"orderId": 10**30},
    {"updateTime": "now"},
]


@pytest.mark.parametrize("odd", ODD_ORDERS)
async def test_an_odd_reply_to_an_entry_is_asked_about_and_not_repeated(
    tmp_path: Path, autojump_clock: Mock, odd: dict[str, Any]
) -> None:
    async with trading(tmp_path) as room:
        twist(room, "order.place", lambda result: result | odd)
        order = room.enter()
        await room.until(lambda: order.status is Status.FILLED)
        await room.protected()
        entries = [o for o in room.exchange.state.orders.values() if not o.reduce_only]
        assert len(entries) == 1
        assert room.held() == order.qty


ODD_STOPS: list[Any] = [{"algoId": "x"}, {"algoStatus": None}, {"algoStatus": "SOMETHING_NEW"}]


@pytest.mark.parametrize("odd", ODD_STOPS)
async def test_an_odd_reply_to_a_stop_leaves_one_stop(
    tmp_path: Path, autojump_clock: Mock, odd: dict[str, Any]
) -> None:
    async with trading(tmp_path) as room:
        twist(room, "algoOrder.place", lambda result: result | odd)
        room.enter()
        await room.protected()
        await trio.sleep(10)
        assert room.stops() == 1
        assert room.resting(Purpose.STOP)


def _order_event(**changes: Any) -> dict[str, Any]:
    body = {
        "s": XRP, "c": "NAME", "S": "BUY", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 1,
        "l": "1", "z": "1", "L": "1.9", "t": 1, "T": 1, "rp": "0", "n": "0",
    }  # fmt: skip
    body |= changes
    return {"e": "ORDER_TRADE_UPDATE", "E": 1, "T": 1, "o": body}


ODD_EVENTS: list[dict[str, Any]] = [
    *(_order_event(**{name: odd}) for name in ("l", "L", "z", "rp", "n")
      for odd in ("NaN", "1e5", "-1", "0", "x", None, 5)),
    _order_event(S="LONG"),
    _order_event(S=None),
    _order_event(X="NEW_ADL"),
    _order_event(x="CALCULATED", t=0, X="NEW_INSURANCE"),
    _order_event(i=10**30),
    _order_event(t=2, T=10**30),
    _order_event(t=2, T=1_795_300_000_000_000),
    _order_event(s="NO_SUCH_SYMBOL", X="FILLED"),
    {"e": "ORDER_TRADE_UPDATE"},
    {"e": "ORDER_TRADE_UPDATE", "o": {"c": "NAME"}},
    {"e": "ALGO_UPDATE", "T": 1, "o": {"caid": "NAME", "aid": 1, "s": XRP, "X": "NEW_WORD"}},
    {"e": "ALGO_UPDATE", "T": 1, "o": {"caid": "NAME", "aid": 10**30, "s": XRP, "X": "TRIGGERING"}},
    {"e": "ALGO_UPDATE", "o": {}},
    {"e": "ACCOUNT_UPDATE", "T": 1, "a": {"P": [{"s": "NO_SUCH", "pa": "1", "ep": "2"}]}},
    {"e": "ACCOUNT_UPDATE", "T": 1, "a": {"P": [{"s": XRP, "pa": "x", "ep": "2"}]}},
    {"e": "ACCOUNT_UPDATE", "T": 10**30, "a": {"P": [{"s": XRP, "pa": "1", "ep": "2"}]}},
    {"e": "ACCOUNT_UPDATE", "T": 1, "a": {"B": [{"a": "USDT", "wb": "-1"}]}},
    {"e": "listenKeyExpired", "E": "soon"},
    {"e": 5},
]  # fmt: skip


async def test_odd_events_do_no_harm(tmp_path: Path, autojump_clock: Mock) -> None:
    """All of them about the entry of a living position, then another trade as if nothing were."""
    async with trading(tmp_path) as room:
        order = room.enter()
        await room.protected()
        for event in ODD_EVENTS:
            if "o" in event and "c" in event["o"]:
                event["o"]["c"] = order.client_id
            if "o" in event and "caid" in event["o"]:
                event["o"]["caid"] = room.resting(Purpose.STOP)[0].client_id
            room.exchange.book.events.append(event)
        await trio.sleep(40)
        await room.ready()
        await room.protected()
        assert room.book.position(XRP).qty == room.held() == order.qty == order.filled_qty
        assert "unprotected" not in room.alarms()
        closed = await room.keeper.close_symbol(XRP)
        assert closed.flat
        await room.until(room.is_over)
        assert room.held() == 0


@pytest.mark.parametrize(
    ("method", "odd"),
    [
        ("account.position", {"positionAmt": "NaN"}),
        ("account.position", {"positionAmt": None}),
        ("account.position", {"entryPrice": "1e5"}),
        ("account.balance", {"balance": "Infinity"}),
        ("order.open", {"origQty": "x"}),
        ("algoOrder.open", {"quantity": "x"}),
    ],
)
async def test_an_account_that_cannot_be_read_is_never_taken_for_flat(
    tmp_path: Path, autojump_clock: Mock, method: str, odd: dict[str, Any]
) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        twist(room, method, lambda rows: [row | odd for row in rows], times=3)
        closed = await room.keeper.close_symbol(XRP)
        assert closed.flat
        assert room.held() == 0
        assert room.alarms().count("close") >= 1


@pytest.mark.parametrize("odd", [{"side": "LONG"}, {"qty": "NaN"}, {"qty": "-1"}, {"id": None}])
async def test_odd_trades_are_asked_for_again(
    tmp_path: Path, autojump_clock: Mock, odd: dict[str, Any]
) -> None:
    async with trading(tmp_path) as room:
        room.faults(mute_user_stream=True)
        twist(room, "account.trades", lambda rows: [row | odd for row in rows])
        order = room.enter()
        await room.protected()
        assert order.filled_qty == order.qty


async def test_panic_takes_what_no_event_has_told_yet(tmp_path: Path, autojump_clock: Mock) -> None:
    """Executed, not yet known as ours by its fills: it is ours all the same."""
    async with trading(tmp_path) as room:
        room.faults(mute_user_stream=True)
        order = room.enter()
        await room.until(lambda: order.status is Status.FILLED)
        room.desk.place_hold("panic", TradingState.HALTED, "test", "op")
        closed = await room.keeper.panic(False)
        assert closed.flat
        assert room.held() == 0
        assert closed.foreign == []


async def test_panic_takes_an_entry_whose_reply_was_lost(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        room.faults(lose_replies={"order.place": 1}, mute_user_stream=True)
        room.enter()
        await trio.sleep(0.05)
        room.desk.place_hold("panic", TradingState.HALTED, "test", "op")
        closed = await room.keeper.panic(False)
        assert closed.flat
        assert room.held() == 0


async def test_panic_on_a_full_disk_goes_on(
    tmp_path: Path, autojump_clock: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        with monkeypatch.context() as patch:

            def full(fd: int, data: bytes) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(os, "write", full)
            room.desk.place_hold("panic", TradingState.HALTED, "test", "op")
            assert room.desk.state() is TradingState.HALTED
            closed = await room.keeper.panic(False)
            assert closed.flat
            assert room.held() == 0
        assert "ledger" in room.alarms()


async def test_an_entry_on_a_full_disk_is_denied(
    tmp_path: Path, autojump_clock: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trading(tmp_path) as room:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda fd, data: 3)
            order = room.enter()
            assert order.status is Status.DENIED
            answer = room.try_entering()
            assert isinstance(answer, Refusal)
            assert answer.check == "ledger"
        assert room.asked["order.place"] == 0
        await trio.sleep(5)
        assert room.held() == 0


async def test_a_stop_that_the_venue_rejects_when_it_triggers(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    """What was believed a stop is none any more: another one, or out."""
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        (algo,) = room.exchange.algos.open_algos(XRP)
        algo.reason = "Margin is insufficient."
        room.exchange.algos._end(algo, "REJECTED")
        await trio.sleep(5)
        assert room.stops() == 1 or room.held() == 0
        await trio.sleep(15)
        assert len(room.resting(Purpose.STOP)) == room.stops()


async def test_a_stop_that_the_venue_has_forgotten_is_laid_again(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    """Neither in the book nor to be found by query: nobody would ever tell us that it ended."""
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        room.exchange.state.algos.clear()
        await trio.sleep(35)
        assert room.stops() == 1
        assert len(room.resting(Purpose.STOP)) == 1


@pytest.mark.parametrize("everything", [False, True])
async def test_a_close_that_cannot_succeed_stays_within_the_request_budget(
    tmp_path: Path, autojump_clock: Mock, everything: bool
) -> None:
    """Reading without pause would have the address banned, and then nothing closes any more."""
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        room.faults(refuse={"order.place": -1016})
        keeper, used = room.keeper, room.server._usage.weight
        with trio.move_on_after(130):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(keeper.panic if everything else keeper.close_symbol, XRP)
                while True:
                    await trio.sleep(0.5)
                    assert used.used(room.desk.now_ms()) < 2_400 * 0.9
        room.faults()
        closed = await keeper.close_symbol(XRP)
        assert closed.flat


async def test_a_leg_is_cancelled_once_however_long_it_takes(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        room.asked.clear()
        room.faults(request_delay_ms={"order.cancel": [3_000]})
        room.enter(usd="5000")
        await room.until(lambda: room.legs() == room.held(), 20)
        assert room.asked["order.cancel"] <= 3


async def test_a_leg_that_will_not_go_does_not_block_the_close_for_ever(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    """Somebody else's reduce-only order claims the whole position."""
    async with trading(tmp_path) as room:
        order = room.enter()
        await room.protected()
        room.exchange.book.cancel_all({"symbol": XRP})
        params = {
            "symbol": XRP, "side": "SELL", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": str(order.qty), "price": "2.1", "reduceOnly": "true",
            "newClientOrderId": "web_1",
        }  # fmt: skip
        room.exchange.call("order.place", params, room.desk.now_ms())
        with trio.fail_after(30):
            closed = await room.keeper.close_symbol(XRP)
        assert closed.flat
        assert room.held() == 0


@pytest.mark.parametrize("lost", ["lose_replies", "lose_requests"])
async def test_a_stop_whose_reply_or_request_is_lost(
    tmp_path: Path, autojump_clock: Mock, lost: str
) -> None:
    """Within the deadline there is a stop, or the position is being closed."""
    async with trading(tmp_path) as room:
        room.faults(**{lost: {"algoOrder.place": 1}}, mute_user_stream=lost == "lose_replies")
        room.enter()
        await trio.sleep(6)
        assert room.stops() == (1 if room.held() else 0)
        assert len(room.resting(Purpose.STOP)) == room.stops()
        if lost == "lose_replies":
            assert room.held()


async def test_a_fill_share_and_a_short(tmp_path: Path, autojump_clock: Mock) -> None:
    async with trading(tmp_path) as room:
        room.faults(fill_share={XRP: "0.37"})
        room.exchange.faults.fill_share = {XRP: D("0.37")}
        order = room.enter(side=Side.SELL)
        await room.protected()
        assert order.status is Status.EXPIRED
        assert order.filled_qty == -room.held()
        assert room.book.exposure_qty(XRP) == order.filled_qty
        room.exchange.board.set_price(XRP, D("2.2"))
        await room.until(room.is_over)
        assert room.held() == 0
        assert room.book.day_result() < 0
        assert room.told(facts.PositionClosed)
