"""Leaving in order: gate closed, orders settled, every position kept safe or closed."""

from __future__ import annotations

import trio

from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO
from lowcap.core.order import Status
from lowcap.execution.bracket import has_confirmed_stop
from lowcap.execution.keeper import Keeper
from lowcap.house import House

DRAIN_S = 1.0
SETTLE_MARGIN_S = 0.5
FLATTEN_S = 8.0
_IN_FLIGHT = (Status.INTENDED, Status.SENT, Status.UNKNOWN)


async def leave(house: House) -> None:
    """Settle what is in flight, then keep positions with their stops, or flatten them."""
    desk, settings = house.desk, house.desk.settings
    window_s = settings.order.entry_recv_window_ms / 1000
    with trio.move_on_after(window_s + SETTLE_MARGIN_S):
        while any(o.status in _IN_FLIGHT for o in desk.book.open_orders()):
            await trio.sleep(0.02)
    with trio.move_on_after(DRAIN_S):
        while _unprotected(house):
            await trio.sleep(0.02)
    if settings.shutdown.positions == "flatten":
        await _close(house.keeper, [p.symbol for p in desk.book.open_positions()])
    else:
        await _close(house.keeper, _unprotected(house))
    if naked := _unprotected(house):
        desk.alarm(
            "left-unprotected",
            f"left without a confirmed stop: {', '.join(naked)}",
            "look at the venue now",
        )


def _unprotected(house: House) -> list[str]:
    """Positions of ours without a confirmed stop."""
    book = house.desk.book
    entering = {
        o.symbol
        for o in book.open_orders()
        if o.purpose is Purpose.ENTRY and o.status in _IN_FLIGHT
    }
    held = {p.symbol for p in book.open_positions() if p.own_qty != ZERO}
    return sorted(s for s in held | entering if not has_confirmed_stop(book, s))


async def _close(keeper: Keeper, symbols: list[str]) -> None:
    with trio.move_on_after(FLATTEN_S):
        async with trio.open_nursery() as nursery:
            for symbol in symbols:
                nursery.start_soon(keeper.close_symbol, symbol)
