"""Looking after positions: what the bracket asks for is carried out, and flat ones are booked."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from lowcap.binance.budget import Urgency
from lowcap.core import facts
from lowcap.core.contract import Contract
from lowcap.core.errors import CommandError
from lowcap.core.messages import OrderPlan, Purpose
from lowcap.core.money import ZERO, stop_to_tick
from lowcap.execution.bracket import missing
from lowcap.execution.forced import symbol_off
from lowcap.execution.steps import Cancel, CloseNow, Look, PauseSymbol, Place
from lowcap.execution.stops import follows
from lowcap.risk.book_state import Position, unsettled_qty

if TYPE_CHECKING:
    from lowcap.execution.desk import Desk


def look_of(desk: Desk, symbol: str, contract: Contract) -> Look:
    """What protection sees of a symbol now."""
    protect, position = desk.protections.of(symbol), desk.book.position(symbol)
    return Look(
        book=desk.book,
        symbol=symbol,
        contract=contract,
        protect=protect,
        now_ms=desk.now_ms(),
        recv_window_ms=desk.settings.order.exit_recv_window_ms,
        time_exit_s=desk.protections.time_exit_s(symbol, position.trigger),
        best=desk.best.get(symbol),
        atr=desk.venue.markets.atr(symbol) if protect.atr_multiple else None,
    )


def look_after(desk: Desk, symbol: str) -> None:
    """Bring one symbol a step closer to protected, or to closed and tidy."""
    _close_books(desk, symbol)
    contract = desk.venue.contracts.get(symbol)
    if contract is None or desk.flattening or symbol in desk.closing:
        return
    position = desk.book.position(symbol)
    for step in missing(look_of(desk, symbol, contract)):
        match step:
            case Place() if _must_wait(desk, step.plan):
                continue  # the tick looks again
            case Place():
                desk.submit(step.plan, cause_of(desk, symbol, position.opened_seq), {})
            case Cancel():
                _cancel(desk, step.client_id)
            case PauseSymbol():
                symbol_off(desk, symbol, step.why)
            case CloseNow():
                desk.alarm("unprotected", f"{symbol}: {step.why}; closing it")
                desk.spawn_close(symbol)


def follow(desk: Desk, symbol: str) -> None:
    """Remember the best mark price of a position whose stop follows it."""
    contract, quote = desk.venue.contracts.get(symbol), desk.quotes.get(symbol)
    position = desk.book.position(symbol)
    if contract is None or position.own_qty == ZERO:
        desk.best.pop(symbol, None)
        return
    look = look_of(desk, symbol, contract)
    if not follows(look):
        desk.best.pop(symbol, None)
    elif quote is not None:
        best = desk.best.get(symbol, quote.mark)
        desk.best[symbol] = max(best, quote.mark, key=lambda price: price * look.sign)


def move_stop(desk: Desk, symbol: str, price: Decimal, *, loosen: bool, who: str) -> Decimal:
    """Put the stop of a position somewhere else; returns where, on the grid.

    One that is loosened does not follow the price any more.

    Raises:
        CommandError: there is no position, the price would trigger at once, or
            it is further away and ``loosen`` is not given.
    """
    contract, quote = desk.venue.contracts.get(symbol), desk.quotes.get(symbol)
    position = desk.book.position(symbol)
    if contract is None or position.own_qty == ZERO:
        raise CommandError(f"there is no position in {symbol}", hint="positions", code="not-found")
    sign = 1 if position.own_qty > ZERO else -1
    wanted = stop_to_tick(price, contract.tick, sign)
    if quote is None or not wanted > ZERO or not (quote.mark - wanted) * sign > ZERO:
        mark = "unknown" if quote is None else str(quote.mark)
        raise CommandError(
            f"a stop at {wanted} would trigger at once; the mark price is {mark}",
            hint="close SYMBOL closes it",
            code="refused",
        )
    looser = position.stop_price != ZERO and (wanted - position.stop_price) * sign < ZERO
    if looser and not loosen:
        raise CommandError(
            f"{wanted} is further from the market than {position.stop_price}",
            hint="--loosen moves it all the same, and ends its following",
            code="refused",
        )
    trails = position.trails and not looser
    desk.record(facts.StopMoved(symbol=symbol, price=wanted, who=who, trails=trails))
    look_after(desk, symbol)
    return wanted


def cause_of(desk: Desk, symbol: str, opened_seq: int) -> int:
    """Protection hangs on the newest entry of the position's life."""
    entries = [
        o.seq
        for o in desk.book.orders_of(symbol)
        if o.purpose is Purpose.ENTRY and o.seq >= opened_seq and o.filled_qty > ZERO
    ]
    return max(entries, default=opened_seq)


def _cancel(desk: Desk, client_id: str) -> None:
    order = desk.book.orders[client_id]
    if not order.cancel_asked:
        desk.record(facts.CancelAsked(client_id=client_id), order.seq)
    desk.spawn_cancel(client_id)


def _must_wait(desk: Desk, plan: OrderPlan) -> bool:
    """A take-profit leg waits where the venue's limits leave room for stops and closes only."""
    if plan.purpose is not Purpose.TAKE_PROFIT:
        return False
    return bool(desk.venue.budget.lack(Urgency.LEG, desk.venue.venue_ms(), orders=1))


def _close_books(desk: Desk, symbol: str) -> None:
    """A position that is flat by all accounts is over."""
    position = desk.book.state.positions.get(symbol)
    if position is None or not _is_over(position):
        return
    if any(unsettled_qty(o) > ZERO and o.purpose is Purpose.ENTRY
           for o in desk.book.orders_of(symbol)):  # fmt: skip
        return
    cause = cause_of(desk, symbol, position.opened_seq)
    desk.record(
        facts.PositionClosed(symbol=symbol, realized=position.realized, fees=position.fees), cause
    )


def _is_over(position: Position) -> bool:
    """Flat, and something has happened since it was closed last."""
    if position.qty != ZERO or position.own_qty != ZERO:
        return False
    return bool(position.opened_seq or position.realized or position.fees)
