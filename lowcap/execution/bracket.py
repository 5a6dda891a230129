"""What a position still lacks: stop at the exchange, take-profit ladder. Pure.

``missing`` looks at what is and says what to do next. It keeps no state of
its own, so that a restart, a lost reply or a vanished order all end in the
same repair.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from lowcap.binance.errors import WOULD_TRIGGER
from lowcap.core.contract import Contract
from lowcap.core.messages import OrderPlan, Purpose
from lowcap.core.money import HUNDRED, ZERO, Side, floor_to_step, price_to_tick, stop_to_tick
from lowcap.core.order import RESTING, Order, Status
from lowcap.risk.book import Book, Position, unsettled_qty
from lowcap.settings import Settings

TRIES_MAX = 3
RETRY_AFTER_MS = 200


class Place(Struct, frozen=True):
    """Send this order."""

    plan: OrderPlan


class Cancel(Struct, frozen=True):
    """Take this order out of the book."""

    client_id: str


class CloseNow(Struct, frozen=True):
    """The position cannot be protected: close it at the market."""

    symbol: str
    why: str


Step: TypeAlias = Place | Cancel | CloseNow


def missing(
    book: Book, symbol: str, contract: Contract, settings: Settings, now_ms: int
) -> list[Step]:
    """The next steps towards a protected position, or towards no leftovers once it is flat."""
    position = book.position(symbol)
    known = book.orders_of(symbol)
    if position.own_qty == ZERO:
        return _leftovers(known)
    if position.qty == ZERO:
        return []  # one of the two is ahead of the other
    orders = [o for o in known if o.seq >= position.opened_seq]
    steps = _stop_steps(position, orders, contract, settings, now_ms, book.state.compared_ms)
    steps += [Cancel(o.client_id) for o in _resting_legs(known) if o.seq < position.opened_seq]
    entering = any(o.purpose is Purpose.ENTRY and not o.is_final for o in orders)
    if not entering and not any(isinstance(step, CloseNow) for step in steps):
        steps += _ladder_steps(position, orders, contract, settings)
    return steps


def orders_owed(book: Book, settings: Settings) -> int:
    """How many exits positions and entries on their way still lack: a stop and legs for each."""
    each = 1 + len(settings.protect.ladder)
    return sum(max(each - laid, 0) for laid in book.figures().exits_laid.values())


def has_confirmed_stop(book: Book, symbol: str) -> bool:
    """Whether a stop of this position rests at the venue, as far as is known."""
    return any(o.purpose is Purpose.STOP and o.status in RESTING for o in book.orders_of(symbol))


def _leftovers(orders: list[Order]) -> list[Step]:
    """Resting legs where nothing is ours; a close-position stop is expired by the venue."""
    if any(o.purpose is Purpose.ENTRY and unsettled_qty(o) > ZERO for o in orders):
        return []
    return [Cancel(o.client_id) for o in _resting_legs(orders)]


def _resting_legs(orders: list[Order]) -> list[Order]:
    return [o for o in orders if o.purpose is Purpose.TAKE_PROFIT and o.status in RESTING]


def _stop_steps(
    position: Position,
    orders: list[Order],
    contract: Contract,
    settings: Settings,
    now_ms: int,
    compared_ms: int,
) -> list[Step]:
    stops = [o for o in orders if o.purpose is Purpose.STOP]
    if any(o.status in RESTING for o in stops):
        return []
    first_fill_ms = min((o.first_fill_ms for o in orders if o.first_fill_ms), default=now_ms)
    # Before start-up's comparison nobody could have laid one.
    since_ms = max(first_fill_ms, _newest_ms(stops), compared_ms)
    if now_ms - since_ms > settings.protect.stop_deadline_ms:
        return [CloseNow(position.symbol, "no confirmed stop in time")]
    if any(not o.is_final for o in stops):
        return []
    refused = [o for o in stops if o.status in (Status.REJECTED, Status.DENIED)]
    if any(o.code in WOULD_TRIGGER for o in refused):
        return [CloseNow(position.symbol, "the stop would trigger at once")]
    if len(refused) >= TRIES_MAX:
        return [CloseNow(position.symbol, f"stop refused: {refused[-1].reason}")]
    if refused and now_ms - refused[-1].updated_ms < RETRY_AFTER_MS * len(refused):
        return []
    return [Place(_stop_plan(position, contract, settings))]


def _newest_ms(stops: list[Order]) -> int:
    """When a stop last ended well enough (it rested before), which starts a new deadline."""
    return max((o.updated_ms for o in stops if o.order_id and o.is_final), default=0)


def _stop_plan(position: Position, contract: Contract, settings: Settings) -> OrderPlan:
    sign = 1 if position.own_qty > 0 else -1
    distance = position.entry_price * settings.protect.stop_pct / HUNDRED
    trigger = stop_to_tick(position.entry_price - sign * distance, contract.tick, sign)
    return OrderPlan(
        symbol=position.symbol,
        side=Side.SELL if sign > 0 else Side.BUY,
        purpose=Purpose.STOP,
        type="STOP_MARKET",
        trigger_price=trigger,
        close_position=True,
        leg="s",
        recv_window_ms=settings.order.exit_recv_window_ms,
    )


def _ladder_steps(
    position: Position, orders: list[Order], contract: Contract, settings: Settings
) -> list[Step]:
    legs = [o for o in orders if o.purpose is Purpose.TAKE_PROFIT]
    live = [o for o in legs if not o.is_final]
    if any(o.status not in RESTING for o in live):
        return []  # one is on its way: its reply decides
    held = abs(position.own_qty)
    claimed = sum((o.open_qty for o in live), ZERO)
    taken = {o.leg for o in legs if o.status is Status.FILLED} | {o.leg for o in live}
    wanted = [
        (f"t{number}", share, distance)
        for number, (share, distance) in enumerate(settings.protect.ladder, start=1)
        if f"t{number}" not in taken and _tries(legs, f"t{number}") < TRIES_MAX
    ]
    if claimed > held or (claimed < held and live and not wanted):
        # The position changed under the ladder: take it down, the next look lays it anew.
        return [Cancel(o.client_id) for o in live]
    free = held - claimed
    if free <= ZERO or not wanted:
        return []
    return [Place(plan) for plan in _split(position, wanted, free, contract, settings)]


def _tries(legs: list[Order], leg: str) -> int:
    """How often the venue would not have a leg; one that it expired counts too."""
    failed = (Status.REJECTED, Status.DENIED, Status.EXPIRED)
    return sum(1 for o in legs if o.leg == leg and o.status in failed)


def _split(
    position: Position,
    wanted: list[tuple[str, Decimal, Decimal]],
    free: Decimal,
    contract: Contract,
    settings: Settings,
) -> list[OrderPlan]:
    """``free`` as take-profit orders, a leg for each share."""
    sign = 1 if position.own_qty > 0 else -1
    plans: list[OrderPlan] = []
    for leg, qty, distance in _quantities(wanted, free, contract):
        target = position.entry_price * (1 + sign * distance / HUNDRED)
        plans.append(
            OrderPlan(
                symbol=position.symbol,
                side=Side.SELL if sign > 0 else Side.BUY,
                purpose=Purpose.TAKE_PROFIT,
                type="LIMIT",
                time_in_force="GTC",
                qty=qty,
                price=price_to_tick(target, contract.tick, up=sign > 0),
                reduce_only=True,
                leg=leg,
                recv_window_ms=settings.order.exit_recv_window_ms,
            )
        )
    return plans


def _quantities(
    wanted: list[tuple[str, Decimal, Decimal]], free: Decimal, contract: Contract
) -> list[tuple[str, Decimal, Decimal]]:
    """Leg, quantity and distance. The last leg takes the rest of the rounding.

    A leg below the minimum is left to the next one, or, where none follows,
    to the one before: the quantities add up to ``free`` or there is no leg.
    """
    shares = sum((share for _, share, _ in wanted), ZERO)
    legs: list[tuple[str, Decimal, Decimal]] = []
    left, carried = free, ZERO
    for index, (leg, share, distance) in enumerate(wanted):
        part = floor_to_step(free * share / shares, contract.step) + carried
        qty = left if index == len(wanted) - 1 else min(part, left)
        if qty < contract.qty_min:
            carried = qty
            continue
        carried = ZERO
        left -= qty
        legs.append((leg, qty, distance))
    if legs and left > ZERO:
        leg, qty, distance = legs[-1]
        legs[-1] = (leg, qty + left, distance)
    return legs
