"""Bookings on the wallet that no order of ours makes: funding, liquidation fees, transfers.

Nothing here is lost by a missed event: the venue's income history is read
after every (re)connection of the user stream, after every event that moved
the wallet without an order of ours, and every hour; from where the ledger
says that it was read last.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Protocol

import trio
from msgspec import Struct, field

from lowcap.binance.income import read_income
from lowcap.binance.rest import VenueRefused
from lowcap.binance.venue import Venue
from lowcap.core.account import Income
from lowcap.core.errors import NoAnswer, NotSent
from lowcap.core.facts import IncomeRead, IncomeSeen
from lowcap.core.money import ZERO
from lowcap.execution.desk import Desk

READ_EVERY_S = 3_600.0
# What an event tells of may reach the history a little later.
SOON_S, AGAIN_S, RETRY_S = 1.0, 15.0, 30.0
# A fill may be told of, or found by a query, after its commission was booked.
FILL_LATE_MS = 60_000
OVERLAP_MS = 600_000
# The venue keeps three months.
OLDEST_MS = 85 * 86_400_000
FAILURES_TOLD = 3
COMMISSION, REALIZED = "COMMISSION", "REALIZED_PNL"


class Books(Protocol):
    """What the ledger holds of income so far."""

    @property
    def income_until_ms(self) -> int:
        """The venue time up to which it was read, 0 for never."""
        ...

    @property
    def income_from_ms(self) -> int:
        """The venue time that the accounts begin at, 0 where they have not begun."""
        ...

    def knows_booking(self, kind: str, symbol: str, tran_id: int, venue_ms: int) -> bool:
        """Whether a booking is in the ledger."""
        ...

    def execution(self, symbol: str, trade_id: int) -> tuple[Decimal, Decimal] | None:
        """Profit and fee of a fill of ours."""
        ...


class Judged(Struct, kw_only=True):
    """What one reading brought: new facts, bookings to wait with, and what does not agree."""

    new: list[IncomeSeen] = field(default_factory=list)
    waiting: list[Income] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def judge(rows: list[Income], books: Books, venue_ms: int) -> Judged:
    """Sort the rows of the venue's income. Pure.

    Commission and profit of our own fills are in the ledger already and are
    only compared. Of an execution that is not, its fill may be on its way;
    after a minute it is taken for somebody else's.
    """
    judged = Judged()
    own: Counter[tuple[str, str, int]] = Counter()
    amounts: dict[tuple[str, str, int], Decimal] = {}
    for row in rows:
        if row.kind in (COMMISSION, REALIZED) and row.trade_id:
            if books.execution(row.symbol, row.trade_id) is not None:
                key = (row.symbol, row.kind, row.trade_id)
                own[key] += 1
                amounts[key] = amounts.get(key, ZERO) + row.amount
                if row.asset != "USDT":
                    judged.differences.append(
                        f"{row.symbol}: the fee of trade {row.trade_id} was paid in {row.asset}"
                    )
                continue
            if venue_ms - row.venue_ms < FILL_LATE_MS:
                judged.waiting.append(row)
                continue
        if not books.knows_booking(row.kind, row.symbol, row.tran_id, row.venue_ms):
            judged.new.append(_fact_of(row))
    for (symbol, kind, trade_id), amount in amounts.items():
        found = books.execution(symbol, trade_id) or (ZERO, ZERO)
        expected = found[0] if kind == REALIZED else -found[1]
        if amount != expected:
            judged.differences.append(
                f"{symbol}: {kind} of trade {trade_id} is {amount:f} at the venue, "
                f"{expected:f} in the ledger"
            )
    return judged


def _fact_of(row: Income) -> IncomeSeen:
    return IncomeSeen(
        kind=row.kind,
        symbol=row.symbol,
        usdt=row.amount,
        asset=row.asset,
        tran_id=row.tran_id,
        trade_id=row.trade_id,
        venue_ms=row.venue_ms,
    )


class IncomeReader:
    """Reads the income history into the ledger, and knows whether a reading is owed.

    ``books`` must be set before it runs.
    """

    books: Books

    def __init__(self, desk: Desk, venue: Venue) -> None:
        self._desk = desk
        self._venue = venue
        self._wanted = trio.Event()
        self._told: set[str] = set()
        self._failures = 0
        self.owed_since_ms = 0

    def want(self) -> None:
        """The wallet may have moved by something that no order of ours did."""
        self.owed_since_ms = self.owed_since_ms or self._desk.now_ms()
        self._wanted.set()

    async def run(self, ready: trio.Event) -> None:
        """Read when something asks for it, and every hour."""
        await ready.wait()
        while True:
            asked = self._wanted.is_set()
            self._wanted = trio.Event()
            await trio.sleep(SOON_S)
            wait_s = await self._read()
            if asked:
                wait_s = min(wait_s, AGAIN_S)
            with trio.move_on_after(wait_s):
                await self._wanted.wait()

    async def _read(self) -> float:
        """One reading; in how many seconds the next is due."""
        until_ms = self._desk.venue.venue_ms()
        # What was booked before the accounts began is not theirs; a clock that was set back
        # (another --as-of) asks from its own time on.
        begun_ms = self.books.income_from_ms or until_ms
        known_ms = min(self.books.income_until_ms or until_ms, until_ms)
        start_ms = max(known_ms - OVERLAP_MS, until_ms - OLDEST_MS)
        if begun_ms <= until_ms:
            start_ms = max(start_ms, begun_ms)
        try:
            rows, more_from_ms = await read_income(self._venue.rest, start_ms)
        except (VenueRefused, NotSent, NoAnswer) as error:
            self._failures += 1
            if self._failures == FAILURES_TOLD:
                self._desk.alarm("income", f"the venue's income cannot be read: {error.message}")
            return RETRY_S
        self._failures = 0
        # Fills that were recorded a moment ago must be in the books before they are asked.
        self._desk.ledger.publish_pending()
        judged = judge(rows, self.books, until_ms)
        self._record(judged, more_from_ms or until_ms)
        if more_from_ms:
            return SOON_S
        self.owed_since_ms = 0 if not self._wanted.is_set() else self.owed_since_ms
        return RETRY_S if judged.waiting else READ_EVERY_S

    def _record(self, judged: Judged, until_ms: int) -> None:
        for fact in judged.new:
            self._desk.record(fact)
        for text in judged.differences:
            if text not in self._told:
                self._told.add(text)
                self._desk.alarm("income-differs", text, "lowcapctl pnl")
        until_ms = min([until_ms, *(row.venue_ms for row in judged.waiting)])
        if judged.new or abs(until_ms - self.books.income_until_ms) >= OVERLAP_MS:
            self._desk.record(IncomeRead(until_ms=until_ms))
