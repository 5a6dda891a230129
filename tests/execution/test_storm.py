"""Many signals at once: the venue's limits hold, exits come first, each refusal is on record."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

from trio.testing import MockClock

from lowcap.core import facts
from lowcap.core.messages import OrderPlan, Purpose, TradingState
from tests.execution.exec_kit import SETTINGS, Room, trading
from tests.risk.risk_kit import limits

STORM = 200
WIDE = limits(
    order_notional_usd_max=Decimal(100_000),
    position_notional_usd_max=Decimal(200_000),
    gross_notional_usd_max=Decimal(10_000_000),
    open_positions_max=500,
    day_loss_usd_max=Decimal(50_000),
    entries_per_s_max=1_000,
    entries_per_min_max=10_000,
)


class Meter:
    """Placements as they reach the venue, by window of its clock."""

    def __init__(self, room: Room) -> None:
        self.tens: Counter[int] = Counter()
        self.minutes: Counter[int] = Counter()
        self._room = room
        room.server.on_request = self._count

    def _count(self, method: str) -> None:
        if method in ("order.place", "algoOrder.place"):
            at_ms = self._room.desk.now_ms()
            self.tens[at_ms // 10_000] += 1
            self.minutes[at_ms // 60_000] += 1


async def test_two_hundred_signals_stay_inside_the_budget(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path, limits=WIDE) as room:
        await room.until(lambda: len(room.venue.leverage) == len(room.venue.contracts))
        meter, sent, refused = Meter(room), 0, Counter[str]()
        symbols = sorted(set(room.venue.leverage) & set(room.desk.quotes))
        for number in range(STORM):
            answer = room.try_entering(symbols[number % len(symbols)], usd="300")
            if isinstance(answer, OrderPlan):
                room.desk.submit(answer, 0, {})
                sent += 1
            else:
                refused[answer.check] += 1
        each = 2 + len(SETTINGS.protect.ladder)
        assert sent >= 240 // each - 1
        assert refused["venue-budget"] > 0
        assert sent + refused.total() == STORM
        assert len(room.told(facts.Refused)) == refused.total()
        held = {o.symbol for o in room.book.orders.values() if o.purpose is Purpose.ENTRY}
        await room.until(
            lambda: all(room.stops(symbol) == 1 for symbol in held if room.held(symbol)), within_s=3
        )
        for symbol in held:
            await room.protected(symbol)
        # What a person closes now is closed at once: the reserve is there.
        await room.keeper.close_all()
        assert not any(room.held(symbol) for symbol in held)
        assert max(meter.tens.values()) <= 300
        assert max(meter.minutes.values()) <= 1_200


async def test_exits_go_out_where_entries_and_legs_may_not(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        # The start of a window, so that what a neighbour uses stays used for ten seconds.
        await room.until(lambda: room.venue.venue_ms() % 10_000 < 100)
        order = room.enter()
        room.venue.budget.spend(room.venue.venue_ms(), orders=275)
        await room.until(lambda: room.stops() == 1, within_s=3)
        assert order.filled_qty > 0
        assert room.legs() == 0
        answer = room.try_entering("BTCUSDT", usd="1000")
        assert not isinstance(answer, OrderPlan)
        assert answer.check == "venue-budget"
        await room.protected()  # once the window is over


async def test_a_ban_pauses_until_it_is_over(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with trading(tmp_path) as room:
        order = room.enter()
        await room.protected()
        at_ms = room.venue.venue_ms()
        room.venue.budget.hear_refusal(418, -1003, f"banned until {at_ms + 60_000}", {}, at_ms)
        answer = room.try_entering("BTCUSDT")
        assert not isinstance(answer, OrderPlan)
        assert "60 s of silence" in answer.measured
        await room.until(lambda: "banned" in room.book.state.holds)
        assert room.desk.state() is TradingState.REDUCING
        room.asked.clear()
        assert (await room.keeper.close_symbol(order.symbol)).flat  # exits are tried all the same
        await room.until(lambda: not room.book.state.holds, within_s=90)
        assert room.venue.venue_ms() >= at_ms + 60_000


async def test_a_key_that_is_refused_halts(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with trading(tmp_path) as room:
        room.faults(refuse={"order.place": -2015})
        room.enter()
        await room.until(lambda: "venue-refuses" in room.book.state.holds)
        assert room.desk.state() is TradingState.HALTED
        (alarm,) = [a for a in room.told(facts.AlarmRaised) if a.code == "venue-refuses"]
        assert "permissions" in alarm.hint


async def test_a_refused_time_measures_the_clock_and_a_filter_reads_the_contracts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.venue.offset_ms = 240
        room.faults(refuse={"order.place": -1021})
        room.enter()
        await room.until(lambda: room.venue.offset_ms == 0, within_s=5)
        room.venue.contracts = {}
        room.desk.read_again("contracts")
        await room.until(lambda: bool(room.venue.contracts), within_s=11)
