"""The venue's income history: every booking on the wallet, page by page (docs/venue.md §4)."""

from __future__ import annotations

from lowcap.binance.rest import INCOME_ROWS, RestClient
from lowcap.binance.wire import IncomeRow
from lowcap.core.account import Income
from lowcap.core.errors import NoAnswer
from lowcap.core.money import decimal_from_wire
from lowcap.core.plain import plain

PAGES_MAX = 10
WORD_LENGTH_MAX = 40
Key = tuple[str, str, int, int]


async def read_income(rest: RestClient, start_ms: int) -> tuple[list[Income], int]:
    """Bookings since a venue time, oldest first, each once; and from when there may be more, or 0.

    Pages overlap by their last millisecond, so that none is lost between two.

    Raises:
        VenueRefused, NotSent, NoAnswer: a page failed; the whole is to be read again.
    """
    found: dict[Key, Income] = {}
    more_from_ms = 0
    for _ in range(PAGES_MAX):
        page = await rest.income(start_ms)
        try:
            rows = [income_of(row) for row in page]
        except ValueError as error:
            raise NoAnswer(f"unreadable income: {error}") from error
        for row in rows:
            found[key_of(row)] = row
        if len(page) < INCOME_ROWS:
            more_from_ms = 0
            break
        newest_ms = max(row.venue_ms for row in rows)
        # The venue gives no more of one millisecond than a page: go on behind it.
        start_ms = newest_ms if newest_ms > start_ms else start_ms + 1
        more_from_ms = start_ms
    return sorted(found.values(), key=lambda row: row.venue_ms), more_from_ms


def key_of(row: Income) -> Key:
    """What tells two bookings apart: the venue's numbers are unique within a kind only."""
    return row.kind, row.symbol, row.tran_id, row.venue_ms


def income_of(row: IncomeRow) -> Income:
    """A row with its figures read and its words made harmless.

    Raises:
        ValueError: the amount or a number is none.
    """
    return Income(
        kind=plain(row.incomeType, WORD_LENGTH_MAX),
        symbol=plain(row.symbol, WORD_LENGTH_MAX),
        amount=decimal_from_wire(row.income),
        asset=plain(row.asset, WORD_LENGTH_MAX),
        tran_id=_number(row.tranId),
        trade_id=_number(row.tradeId or 0),
        venue_ms=row.time,
    )


def _number(value: int | str) -> int:
    if isinstance(value, str) and not (value.isascii() and value.isdecimal() and len(value) < 30):
        raise ValueError(f"not a whole number: {value[:40]!r}")
    return int(value)
