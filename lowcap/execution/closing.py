"""Closing positions: the flattening core's shell inside the daemon."""

from __future__ import annotations

from decimal import Decimal

import trio
from msgspec import Struct

from lowcap.binance.errors import NO_SUCH_ORDER
from lowcap.binance.rest import RestClient, VenueRefused
from lowcap.binance.venue import Venue
from lowcap.core import facts
from lowcap.core.account import Snapshot
from lowcap.core.errors import CommandError, NoAnswer, NotSent
from lowcap.core.ids import prefix
from lowcap.core.messages import OrderPlan, Purpose
from lowcap.core.money import HUNDRED, ZERO, Side, floor_to_step
from lowcap.core.order import Order, Status
from lowcap.execution.desk import Desk
from lowcap.execution.flatten import (
    ALARM_AFTER_S,
    CancelSeen,
    CloseQty,
    FlatProof,
    FlattenStep,
    next_steps,
    ours_of,
)

SHARE_WITHIN_S = 5.0


class Closed(Struct, kw_only=True):
    """How a flattening ended: is it proved, how many reads it took, and what is left untouched."""

    flat: bool
    reads: int
    cancelled: int
    closes: int
    foreign: list[str]
    took_ms: int


async def close_symbols(
    desk: Desk,
    venue: Venue,
    symbols: set[str] | None,
    *,
    everything: bool = False,
    wait_for_entries: bool,
    give_up_s: float = float("inf"),
) -> Closed:
    """Bring ``symbols`` (None: all) flat and prove it; ``everything`` takes foreign ones too.

    Every send is guarded: an error is read again, never assumed away.
    """
    started_s = trio.current_time()
    dies_ms = max((_dies_ms(o) for o in desk.book.orders.values() if _is_entry(o)), default=0)
    proof = FlatProof(
        dies_ms if wait_for_entries else 0,
        believed_flat=not desk.book.open_positions() and not desk.book.open_orders(),
    )
    result = Closed(flat=False, reads=0, cancelled=0, closes=0, foreign=[], took_ms=0)
    alarmed = False
    only = next(iter(symbols)) if symbols is not None and len(symbols) == 1 else ""
    while trio.current_time() - started_s < give_up_s:
        try:
            seen = await venue.snapshot(venue.urgent, only)
        except (VenueRefused, NotSent, NoAnswer) as error:
            desk.alarm("close", f"cannot read the venue: {error.message}")
            await trio.sleep(1)
            continue
        result.reads += 1
        ours = None if everything else ours_of(desk.book)
        steps = next_steps(
            seen, venue.contracts, symbols=symbols, ours=ours, prefix=prefix(desk.mode)
        )
        if proof.read(seen, steps):
            result.flat = True
            _believe(desk, seen, symbols)
            result.foreign = sorted(
                p.symbol for p in seen.positions if symbols is None or p.symbol in symbols
            )
            break
        await _carry_out(desk, venue.urgent, steps, result)
        if not alarmed and trio.current_time() - started_s > ALARM_AFTER_S:
            alarmed = True
            desk.alarm("not-flat", f"not flat after {ALARM_AFTER_S:g} s, still trying")
        wait_s = proof.pause_s(seen, busy=bool(steps), reads=result.reads, one_symbol=bool(only))
        await trio.sleep(wait_s)
    result.took_ms = round((trio.current_time() - started_s) * 1000)
    return result


def _believe(desk: Desk, seen: Snapshot, symbols: set[str] | None) -> None:
    """What is proved flat is flat in our book too, whatever events were missed."""
    for position in list(desk.book.state.positions.values()):
        symbol, qty = position.symbol, seen.qty(position.symbol)
        if (symbols is not None and symbol not in symbols) or qty != ZERO:
            continue
        if position.qty != ZERO:
            desk.record(
                facts.PositionSeen(
                    symbol=symbol, qty=qty, entry_price=ZERO, source="query",
                    venue_ms=max(seen.at_ms, position.venue_ms),
                )
            )  # fmt: skip
        if position.own_qty != ZERO:
            desk.record(
                facts.OwnershipSettled(
                    symbol=symbol, own_qty=ZERO, foreign_qty=ZERO, why="proved flat"
                )
            )


async def _carry_out(
    desk: Desk, rest: RestClient, steps: list[FlattenStep], result: Closed
) -> None:
    async with trio.open_nursery() as nursery:
        for step in steps:
            if isinstance(step, CancelSeen):
                result.cancelled += 1
                nursery.start_soon(cancel_order, desk, rest, step.symbol, step.client_id, step.algo)
            elif not _close_under_way(desk, step):
                result.closes += 1
                desk.submit(_close_plan(desk, step), _cause(desk, step.symbol), {})


def _close_under_way(desk: Desk, step: CloseQty) -> bool:
    """A close that still waits for its reply is not sent twice; one in doubt may be repeated."""
    return any(
        o.purpose is Purpose.CLOSE and not o.is_final and o.status is not Status.UNKNOWN
        for o in desk.book.orders_of(step.symbol)
    )


def _close_plan(desk: Desk, step: CloseQty) -> OrderPlan:
    return OrderPlan(
        symbol=step.symbol,
        side=step.side,
        purpose=Purpose.CLOSE,
        type="MARKET",
        qty=step.qty,
        reduce_only=True,
        leg="c",
        recv_window_ms=desk.settings.order.exit_recv_window_ms,
    )


def _cause(desk: Desk, symbol: str) -> int:
    entries = [o.seq for o in desk.book.orders_of(symbol) if _is_entry(o)]
    return max(entries, default=0)


def _is_entry(order: Order) -> bool:
    return order.purpose is Purpose.ENTRY


def _dies_ms(order: Order) -> int:
    return order.timestamp_ms + order.recv_window_ms


async def cancel_order(
    desk: Desk, rest: RestClient, symbol: str, client_id: str, algo: bool
) -> None:
    """Cancel one order; already gone is as good, no answer is read again later."""
    try:
        await rest.cancel(symbol, client_id, algo=algo)
    except VenueRefused as error:
        if error.venue_code not in NO_SUCH_ORDER:
            desk.alarm("cancel", f"{client_id}: {error.message}")
    except (NotSent, NoAnswer) as error:
        desk.alarm("cancel", f"{client_id}: {error.message}")


async def close_share(desk: Desk, venue: Venue, symbol: str, pct: Decimal) -> Decimal:
    """Close ``pct`` per cent of our position: legs off, one market order, legs laid anew.

    Returns the quantity that was executed.

    Raises:
        CommandError: it rounds to nothing, the venue refused, or its answer is not known yet.
    """
    contract = venue.contracts.get(symbol)
    if contract is None:
        raise CommandError(
            f"{symbol} is not among the venue's contracts yet", hint="status", code="refused"
        )
    own = desk.book.position(symbol).own_qty
    qty = floor_to_step(abs(own) * pct / HUNDRED, contract.step)
    qty = min(qty, floor_to_step(contract.market_qty_max, contract.step))
    if qty == ZERO:
        raise CommandError(f"{pct} % of {abs(own)} is less than one step of {contract.step}")
    with desk.closing_of([symbol]):
        for order in desk.book.orders_of(symbol):
            if order.purpose is Purpose.TAKE_PROFIT and not order.is_final:
                await cancel_order(desk, venue.urgent, symbol, order.client_id, algo=False)
        step = CloseQty(symbol, Side.SELL if own > ZERO else Side.BUY, qty)
        name = desk.submit(_close_plan(desk, step), _cause(desk, symbol), {})
        with trio.move_on_after(SHARE_WITHIN_S):
            while not desk.book.orders[name].is_final:
                await trio.sleep(0.02)
    desk.look_after(symbol)
    closing = desk.book.orders[name]
    if not closing.is_final:
        raise CommandError("no answer yet", hint="orders, then positions", code="unknown-outcome")
    if closing.executed_qty == ZERO:
        why = closing.reason or closing.status.value
        raise CommandError(f"the venue did not close it: {why}", code="failed")
    return closing.executed_qty
