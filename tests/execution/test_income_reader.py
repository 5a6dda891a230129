"""Bookings that no order of ours makes reach the ledger once, whatever was missed on the way."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock as Mock

from lowcap.core import facts
from lowcap.core.account import Income
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO
from lowcap.execution import income as room_of_income
from lowcap.execution.income import FILL_LATE_MS, judge
from lowcap.paper.bookings import book
from lowcap.paper.exchange import SimEvent
from tests.execution.exec_kit import Room, trading
from tests.risk.risk_kit import BTC, XRP, D

NOW = 1_770_384_600_000


@pytest.fixture
def autojump_clock() -> Mock:
    return Mock(autojump_threshold=0)


class Known:
    """Books that know one fill of ours, and one booking."""

    income_until_ms = income_from_ms = NOW - 1_000

    def knows_booking(self, kind: str, symbol: str, tran_id: int, venue_ms: int) -> bool:
        return (kind, tran_id) == ("FUNDING_FEE", 1)

    def execution(self, symbol: str, trade_id: int) -> tuple[Decimal, Decimal] | None:
        return (D(5), D(2)) if (symbol, trade_id) == (XRP, 9) else None


def row(kind: str, amount: str, tran_id: int = 3, trade_id: int = 0, **changes: Any) -> Income:
    given: dict[str, Any] = {"symbol": XRP, "asset": "USDT", "venue_ms": NOW - FILL_LATE_MS}
    return Income(
        kind=kind, amount=D(amount), tran_id=tran_id, trade_id=trade_id, **(given | changes)
    )


def test_own_fills_are_compared_and_everything_else_is_new_once() -> None:
    rows = [
        row("COMMISSION", "-2", trade_id=9),
        row("REALIZED_PNL", "3", trade_id=9),
        row("REALIZED_PNL", "2", tran_id=4, trade_id=9),  # told in two rows
        row("FUNDING_FEE", "-1", tran_id=1),
        row("FUNDING_FEE", "-1", tran_id=2),
        row("COMMISSION", "-1", trade_id=10),
    ]
    judged = judge(rows, Known(), NOW)
    assert [(f.kind, f.tran_id, f.trade_id) for f in judged.new] == [
        ("FUNDING_FEE", 2, 0),
        ("COMMISSION", 3, 10),
    ]
    assert (judged.waiting, judged.differences) == ([], [])


def test_an_unknown_execution_waits_a_minute_for_its_fill() -> None:
    young = row("COMMISSION", "-1", trade_id=10, venue_ms=NOW - FILL_LATE_MS + 1)
    judged = judge([young], Known(), NOW)
    assert (judged.new, judged.waiting) == ([], [young])


def test_other_amounts_and_other_assets_are_named() -> None:
    told = judge(
        [row("COMMISSION", "-2.5", trade_id=9), row("REALIZED_PNL", "5", trade_id=9)], Known(), NOW
    )
    assert told.differences == [
        f"{XRP}: COMMISSION of trade 9 is -2.5 at the venue, -2 in the ledger"
    ]
    in_bnb = judge([row("COMMISSION", "-2", trade_id=9, asset="BNB")], Known(), NOW)
    assert in_bnb.differences == [f"{XRP}: the fee of trade 9 was paid in BNB"]


# -- over the simulated venue ---------------------------------------------------------


def seen(room: Room) -> list[tuple[str, Decimal]]:
    return [(fact.kind, fact.usdt) for fact in room.told(facts.IncomeSeen)]


def unexplained(room: Room) -> Decimal:
    """What the wallet moved by, less what the accounts know."""
    room.ledger.publish_pending()
    state = room.accounts.state
    return room.exchange.state.wallet - state.start_wallet - state.explained


async def opened(room: Room) -> None:
    await room.until(lambda: bool(room.told(facts.EquitySeen)))
    order = room.enter()
    await room.protected()
    assert order.filled_qty > ZERO


async def test_funding_is_in_the_ledger_seconds_after_its_event(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        await opened(room)
        room.exchange.happen(SimEvent(kind="funding"), room.desk.now_ms())
        await trio.sleep(3)
        [(kind, amount)] = seen(room)
        assert (kind, amount < ZERO) == ("FUNDING_FEE", True)
        assert room.accounts.state.open[XRP].sums.funding == amount
        await trio.sleep(60)
        assert len(seen(room)) == 1
        assert unexplained(room) == ZERO


async def test_a_missed_event_loses_nothing(tmp_path: Path, autojump_clock: Mock) -> None:
    async with trading(tmp_path) as room:
        await opened(room)
        await trio.sleep(20)  # the readings that follow the connection are over
        room.exchange.happen(SimEvent(kind="funding"), room.desk.now_ms())
        room.exchange.take_events()
        await trio.sleep(30)
        assert seen(room) == []
        # A minute of silence with a position brings a new stream, and that a reading.
        await trio.sleep(60)
        assert len(seen(room)) == 1
        assert unexplained(room) == ZERO


async def test_what_nothing_tells_of_is_found_within_the_hour(
    tmp_path: Path, autojump_clock: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_of_income, "READ_EVERY_S", 300)
    async with trading(tmp_path) as room:
        await room.until(lambda: bool(room.told(facts.EquitySeen)))
        await trio.sleep(20)
        room.exchange.state.wallet += 5
        book(room.exchange.state, "COMMISSION_REBATE", "", D(5), room.desk.now_ms())
        await trio.sleep(200)
        assert seen(room) == []
        await trio.sleep(300)
        assert seen(room) == [("COMMISSION_REBATE", D(5))]
        assert unexplained(room) == ZERO


async def test_somebody_elses_trades_are_not_ours_but_explained(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        await opened(room)
        for side in ("BUY", "SELL"):
            order = {
                "symbol": BTC, "side": side, "type": "MARKET", "quantity": "1",
                "newClientOrderId": f"web_{side}",
            }  # fmt: skip
            room.exchange.call("order.place", order, room.desk.now_ms())
        await trio.sleep(30)
        assert seen(room) == []
        await trio.sleep(90)
        assert {kind for kind, _ in seen(room)} == {"COMMISSION", "REALIZED_PNL"}
        assert unexplained(room) == ZERO
        not_ours = sum((sums.not_ours for sums in room.accounts.sums.values()), ZERO)
        assert not_ours == sum(amount for _, amount in seen(room))
        assert room.alarms() == []


async def test_what_differs_from_a_fill_is_an_alarm_once(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        await opened(room)
        income = room.exchange.state.income
        wrong = next(n for n, r in enumerate(income) if r.kind == "COMMISSION")
        income[wrong] = msgspec.structs.replace(income[wrong], amount=D(-1))
        for _ in range(2):
            room.keeper.income.want()
            await trio.sleep(20)
        assert room.alarms() == ["income-differs"]
        assert seen(room) == []


async def test_a_venue_that_does_not_say_is_asked_again(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        await opened(room)
        room.faults(refuse={"account.income": -1008})
        room.exchange.happen(SimEvent(kind="funding"), room.desk.now_ms())
        await trio.sleep(150)
        assert room.alarms() == ["income"]
        assert seen(room) == []
        room.faults()
        await trio.sleep(40)
        assert len(seen(room)) == 1
        assert room.keeper.income.owed_since_ms == 0


async def test_equity_waits_for_what_is_owed_and_is_written_once_a_minute(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        await room.until(lambda: bool(room.told(facts.EquitySeen)))
        await trio.sleep(600)
        assert len(room.told(facts.EquitySeen)) == 1  # nothing has moved
        # Money is taken out: the curve must not see it before the ledger knows why.
        state, at_ms = room.exchange.state, room.desk.now_ms()
        state.wallet -= 1_000
        book(state, "TRANSFER", "", D(-1_000), at_ms)
        room.exchange.book.tell_account(XRP, "WITHDRAW")
        await trio.sleep(120)
        room.ledger.publish_pending()
        kinds = [r.kind for r in room.records if r.kind in ("IncomeSeen", "EquitySeen")]
        assert kinds == ["EquitySeen", "IncomeSeen", "EquitySeen"]
        curve = room.accounts.state.curve.fine
        assert curve[0][1] == curve[1][1]
        assert unexplained(room) == ZERO


async def test_the_profit_of_open_positions_is_in_the_equity(
    tmp_path: Path, autojump_clock: Mock
) -> None:
    async with trading(tmp_path) as room:
        await opened(room)
        held, entry = room.held(), room.exchange.book.position(XRP).entry_price
        room.exchange.board.set_price(XRP, entry * D("1.01"))
        await trio.sleep(65)
        newest = room.told(facts.EquitySeen)[-1]
        mark = room.exchange.board.quotes[XRP].mark
        assert newest.unrealized_usd == held * (mark - entry)
        assert newest.wallet_usdt == room.exchange.state.wallet
        count = len(room.told(facts.EquitySeen))
        await trio.sleep(300)
        assert len(room.told(facts.EquitySeen)) - count <= 5
        assert room.resting(Purpose.STOP)
