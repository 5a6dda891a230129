"""Twenty-four hours of trading in virtual time: the ledger alone explains the wallet.

    python -m tests.long.books_day [HOURS] [SEED]

Prices move, stops and ladders fill, funding is settled at 00, 08 and 16 UTC,
connections are cut, positions are liquidated and deleveraged, somebody else
trades on the account. At the end the accounts, folded from the ledger, must
add up to the wallet to the last decimal, and each kind to the exchange's own
income history; a ledger with one fill missing must not.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import trio
from loguru import logger
from msgspec import Struct

from lowcap.core import facts
from lowcap.core.errors import CommandError
from lowcap.core.facts import Record
from lowcap.core.messages import TradingState
from lowcap.core.money import ZERO
from lowcap.ledger.record import decode_line
from lowcap.ledger.replay import day_files, replay
from lowcap.observe.accounts import Accounts
from lowcap.observe.sums import FUNDING, LIQUIDATION, Sums
from lowcap.paper.exchange import Exchange, SimEvent
from lowcap.paper.state import PaperIncome
from tests.daemon.stage import Stage, ask, in_virtual_time, is_ready, parts_of, until
from tests.long.three_days import HOUR_S, IDLE_TICK_S, SETTLE_S, Days, _repeatable, day_settings

STRANGER = "XRPUSDT"
FORCED = ("liquidation", "adl")


class Booked(Struct):
    """What a day left behind: the exchange's own books, and the ledger."""

    started: Decimal
    ended: Decimal
    income: list[PaperIncome]
    records: list[Record]
    replayed: list[Record]
    counts: dict[str, int]


class BooksDay(Days):
    """Days of trading in which others, and the venue itself, touch the account too."""

    async def run(self, hours: float) -> None:
        """Trade for so many hours, with everything that may happen to a wallet."""
        ends_s, turn = trio.current_time() + hours * HOUR_S, 0
        while trio.current_time() < ends_s:
            self._upset()
            with self._slowly():
                await trio.sleep(self._chance.uniform(300, 1_800))
            await self._go_on()
            await trio.sleep(IDLE_TICK_S + 2)
            await until(lambda: is_ready(self.commands), 180)
            await self._trade()
            turn += 1
            if turn % 4 == 2:
                self._force(FORCED[turn // 4 % 2])
            elif turn % 4 == 3:
                self._meddle()
            gc.collect()
            await trio.sleep(SETTLE_S)
        await self._close_all()
        self._meddle()
        # Somebody else's fills are waited with for a minute.
        await trio.sleep(120)

    async def _go_on(self) -> None:
        """A symbol that was closed by force, or a halt, is lifted by a person."""
        desk = self.desk
        halted = any(h.state is TradingState.HALTED for h in desk.book.state.holds.values())
        if halted or desk.book.paused_symbols():
            await ask(self.commands, "resume", reason="looked at it")

    async def _trade(self) -> None:
        # Closing everything names what the stranger holds, and leaves it alone.
        with suppress(CommandError):
            await super()._trade()

    async def _close_all(self) -> None:
        with suppress(CommandError):
            await ask(self.commands, "close", all=True, confirm=True)

    def _force(self, kind: str) -> None:
        held = [p.symbol for p in self.desk.book.open_positions()]
        if held:
            self.stage.exchange.happen(
                SimEvent(kind=kind, symbol=held[0]),  # type: ignore[arg-type]
                self.stage.now_ms(),
            )
            self.did[kind] += 1

    def _meddle(self) -> None:
        """Somebody else buys or sells on the same account."""
        held = self.stage.qty(STRANGER)
        self._number += 1
        params: dict[str, Any] = {
            "symbol": STRANGER,
            "side": "SELL" if held > ZERO else "BUY",
            "type": "MARKET",
            "quantity": "5000",
            "newClientOrderId": f"web_{self._number}",
        }
        self.stage.exchange.call("order.place", params, self.stage.now_ms())
        self.did["stranger"] += 1


def play(folder: Path, hours: float, seed: int) -> Booked:
    """A day, and what it left behind."""
    folder.mkdir()
    kept: list[tuple[BooksDay, Exchange]] = []
    started: list[Decimal] = []

    async def main(stage: Stage) -> None:
        started.append(stage.exchange.state.wallet)
        async with stage.daemon() as commands:
            day = BooksDay(stage, commands, seed)
            kept.append((day, stage.exchange))
            await day.run(hours)
            await until(lambda: not parts_of(commands).keeper.income.owed_since_ms, 120)

    with _repeatable():
        in_virtual_time(main, folder, day_settings(folder / "state"), seed=seed)
    (day, exchange), ledger = kept[0], folder / "state" / "ledger"
    replayed: list[Record] = []
    replay(ledger, replayed.append)
    lines = b"".join(path.read_bytes() for path in day_files(ledger)).splitlines()
    return Booked(
        started[0],
        exchange.state.wallet,
        exchange.state.income,
        [decode_line(line) for line in lines],
        replayed,
        dict(day.did),
    )


def total_of(records: list[Record]) -> tuple[Sums, Accounts]:
    """All sums of a ledger, as the daemon folds them."""
    accounts = Accounts()
    for record in records:
        accounts.read(record)
    total = Sums()
    for sums in accounts.sums.values():
        total.add(sums)
    return total, accounts


def differs(records: list[Record], booked: Booked) -> list[str]:
    """Where the accounts of a ledger do not explain the wallet; nothing where all is explained."""
    total, accounts = total_of(records)
    moved = booked.ended - booked.started
    found = [] if total.moved == moved else [f"wallet {moved}, accounts {total.moved}"]
    if accounts.state.explained != moved:
        found.append(f"wallet {moved}, explained {accounts.state.explained}")
    venue = Sums()
    for row in booked.income:
        if row.symbol == STRANGER:
            venue.not_ours += row.amount
        elif row.kind in FUNDING:
            venue.funding += row.amount
        elif row.kind in LIQUIDATION:
            venue.liquidation += row.amount
        elif row.kind == "COMMISSION":
            venue.fees -= row.amount
        else:
            venue.realized += row.amount
    for name in ("realized", "fees", "funding", "liquidation", "not_ours"):
        here, there = getattr(total, name), getattr(venue, name)
        if here != there:
            found.append(f"{name}: accounts {here}, venue {there}")
    return found


def judge(booked: Booked) -> str:
    """Hold the accounts against the exchange; a sentence about what they say."""
    total, accounts = total_of(booked.records)
    assert not (wrong := differs(booked.records, booked)), wrong
    # What a start-up reads, from the newest checkpoint on, says the same.
    again, restored = total_of(booked.replayed)
    assert again == total, (again, total)
    assert restored.state.closed == accounts.state.closed
    assert not accounts.state.open
    assert total.trades == total.wins + total.losses == len(accounts.state.closed)
    by_trade = sum((t.sums.result for t in accounts.state.closed), ZERO)
    assert by_trade + total.not_ours == booked.ended - booked.started
    fills = [n for n, r in enumerate(booked.records) if isinstance(r.body, facts.Filled)]
    for n in (fills[0], fills[len(fills) // 2], fills[-1]):
        assert differs(booked.records[:n] + booked.records[n + 1 :], booked), "a lost fill passed"
    alarms = {r.body.code for r in booked.records if isinstance(r.body, facts.AlarmRaised)}
    assert not alarms & {"income", "income-differs"}, alarms
    return (
        f"{total.trades} trades, {len(fills)} fills: {total.realized} - {total.fees} "
        f"+ {total.funding} {total.liquidation:+f} {total.not_ours:+f} "
        f"= {booked.ended - booked.started}; {booked.counts}"
    )


def main() -> None:
    """One day, judged."""
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 24.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    logger.remove()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lowcap-books-") as name:
        booked = play(Path(name) / "day", hours, seed)
    took_s = time.monotonic() - started_s
    print(f"{hours:g} hours in {took_s:.0f} s: {judge(booked)}")
    print("the ledger explains the wallet to the last decimal; a lost fill is found")


if __name__ == "__main__":
    main()
