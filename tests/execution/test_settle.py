"""Unknown outcomes: found out by query, never by sending again, and never believed absent early."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio.testing

from lowcap.core import facts
from lowcap.core.messages import Purpose, Refusal
from lowcap.core.order import Status
from lowcap.paper.state import VenueError
from lowcap.settings import Orders
from tests.execution.exec_kit import Room, trading
from tests.risk.risk_kit import XRP, D


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)


Mock = trio.testing.MockClock


async def test_an_entry_with_all_its_answers(tmp_path: Path, autojump_clock: Mock) -> None:
    async with trading(tmp_path) as room:
        order = room.enter()
        assert order.status is Status.SENT
        await room.protected()
        assert order.status is Status.FILLED
        assert room.held() == order.qty == room.book.position(XRP).own_qty
        assert room.asked["order.place"] == 1 + 3
        assert room.told(facts.OutcomeUnknown) == []


@pytest.mark.parametrize("mute", [False, True])
async def test_a_lost_reply_is_found_by_query_and_never_sent_again(
    tmp_path: Path, autojump_clock: Mock, mute: bool
) -> None:
    async with trading(tmp_path) as room:
        room.faults(lose_replies={"order.place": 1}, mute_user_stream=mute)
        order = room.enter()
        started_s = trio.current_time()
        await room.until(lambda: order.status is Status.FILLED, 4)
        if mute:
            (settled,) = room.told(facts.OutcomeSettled)
            assert (settled.client_id, settled.outcome) == (order.client_id, "filled")
            assert len(room.told(facts.OutcomeUnknown)) == 1
        await room.protected()
        assert trio.current_time() - started_s < 5
        assert order.filled_qty == order.qty == room.held()
        entries = [o for o in room.exchange.state.orders.values() if not o.reduce_only]
        assert len(entries) == 1
        assert room.asked["order.place"] == 1 + 3


async def test_while_in_doubt_the_symbol_takes_no_entry_and_counts_in_full(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        room.faults(lose_requests={"order.place": 1})
        order = room.enter()
        assert order.qty is not None
        await room.until(lambda: order.status is Status.UNKNOWN)
        assert room.book.exposure_qty(XRP) == order.qty
        answer = room.try_entering()
        assert isinstance(answer, Refusal)
        assert answer.check == "order-in-doubt"
        await room.until(lambda: order.status is Status.ABSENT)
        assert room.book.exposure_qty(XRP) == 0


async def test_a_lost_request_is_absent_only_after_the_venue_would_refuse_it(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        room.faults(lose_requests={"order.place": 1}, mute_user_stream=True)
        order = room.enter()
        await room.until(lambda: order.status is Status.ABSENT)
        dies_ms = order.timestamp_ms + order.recv_window_ms
        assert room.venue.venue_ms() > dies_ms + 2_000
        assert len(room.told(facts.OrderSent)) == 1
        assert room.asked["order.status"] >= 3
        assert room.held() == 0
        (settled,) = room.told(facts.OutcomeSettled)
        assert settled.how == "query: no such order"
        assert room.enter().client_id != order.client_id


async def test_no_such_order_is_not_believed_while_reads_lag(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    """The order is there; the first queries do not see it yet."""
    async with trading(tmp_path) as room:
        room.faults(lose_replies={"order.place": 1}, mute_user_stream=True)
        calls = room.exchange._calls
        honest, blind = calls["order.status"], [5]

        def lagging(params: object) -> object:
            if blind[0]:
                blind[0] -= 1
                raise VenueError(-2013, "Order does not exist.")
            return honest(params)  # type: ignore[arg-type]

        calls["order.status"] = lagging
        order = room.enter()
        await room.until(lambda: order.status is Status.FILLED)
        assert blind == [0]
        await room.protected()
        assert room.asked["order.place"] == 1 + 3


async def test_the_stream_may_settle_it_first(tmp_path: Path, autojump_clock: Mock) -> None:
    async with trading(tmp_path, order=Orders(reply_timeout_ms=400)) as room:
        room.faults(lose_replies={"order.place": 1}, request_delay_ms={"order.place": [800]})
        order = room.enter()
        started_s = trio.current_time()
        await room.until(lambda: order.status is Status.UNKNOWN)
        await room.until(lambda: order.status is Status.FILLED)
        assert trio.current_time() - started_s < 0.9
        await room.protected()


async def test_the_connection_dies_with_the_order_in_it(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        order = room.enter()
        room.venue.socket._line.waiting.clear()  # type: ignore[union-attr]  # what the end of a connection does
        await room.until(lambda: order.is_final)
        await room.protected()
        assert sum(not o.reduce_only for o in room.exchange.state.orders.values()) == 1


@pytest.mark.parametrize("fault", ["lose_replies", "lose_requests"])
async def test_an_entry_by_the_second_road_is_not_repeated_either(
    tmp_path: Path, autojump_clock: Mock, fault: str
) -> None:
    async with trading(tmp_path) as room:
        room.faults(**{fault: {"order.place": 1}}, mute_user_stream=True)
        room.venue.socket._line = None  # down: the desk takes REST
        order = room.enter()
        expected = Status.FILLED if fault == "lose_replies" else Status.ABSENT
        await room.until(lambda: order.status is expected)
        entries = [o for o in room.exchange.state.orders.values() if not o.reduce_only]
        assert len(entries) == (fault == "lose_replies")


async def test_a_status_that_nobody_knows_keeps_being_asked_about(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    """An unknown word of the venue must not end the search."""
    async with trading(tmp_path) as room:
        room.faults(lose_replies={"order.place": 1}, mute_user_stream=True)
        calls = room.exchange._calls
        honest, odd = calls["order.status"], [4]

        def strange(params: object) -> object:
            answer = honest(params)  # type: ignore[arg-type]
            if odd[0]:
                odd[0] -= 1
                return {**answer, "status": "PENDING_SOMETHING", "executedQty": "0"}  # type: ignore[dict-item]
            return answer

        calls["order.status"] = strange
        order = room.enter()
        await room.until(lambda: order.status is Status.FILLED)
        assert room.book.unknown_orders() == []
        (settled,) = room.told(facts.OutcomeSettled)
        assert settled.outcome in ("partly-filled", "filled")


async def test_fills_that_the_stream_never_told_are_fetched_in_time_for_the_stop(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    """The reply says filled; without its fills nothing would be ours to protect."""
    async with trading(tmp_path) as room:
        room.faults(mute_user_stream=True)
        order = room.enter()
        await room.until(lambda: order.status is Status.FILLED)
        assert order.filled_qty == 0
        await room.until(lambda: room.stops() == 1, 3)
        await room.protected()
        assert order.filled_qty == order.qty
        assert room.resting(Purpose.STOP)
        assert "unprotected" not in room.alarms()


async def test_a_close_that_the_stream_never_told_ends_the_position(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        room.faults(mute_user_stream=True)
        closed = await room.keeper.close_symbol(XRP)
        assert closed.flat
        assert room.held() == 0
        await room.until(room.is_over, 25)
        assert room.book.day_result() < 0, "fees and result of the close were learned"
        assert room.told(facts.PositionClosed)[0].fees > D(0)


async def _nothing_more_happens(room: Room) -> None:
    before = len(room.records)
    await trio.sleep(30)
    room.ledger.publish_pending()
    assert len(room.records) == before


async def test_at_rest_nothing_is_recorded(tmp_path: Path, autojump_clock: Mock) -> None:
    async with trading(tmp_path) as room:
        room.enter()
        await room.protected()
        await trio.sleep(15)
        room.ledger.publish_pending()
        await _nothing_more_happens(room)
