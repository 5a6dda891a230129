"""The take-profit ladder of a position: laid, repaired, laid anew when it changes. Pure."""

from __future__ import annotations

from decimal import Decimal

from lowcap.core.contract import Contract
from lowcap.core.messages import OrderPlan, Purpose
from lowcap.core.money import HUNDRED, ZERO, floor_to_step, price_to_tick
from lowcap.core.order import RESTING, Order, Status
from lowcap.execution.steps import TRIES_MAX, Cancel, Look, Place, Step


def ladder_steps(look: Look, orders: list[Order]) -> list[Step]:
    """What the take-profit ladder needs next; ``orders`` are those of the position's life."""
    position, contract = look.position, look.contract
    legs = [o for o in orders if o.purpose is Purpose.TAKE_PROFIT]
    live = [o for o in legs if not o.is_final]
    if any(o.status not in RESTING for o in live):
        return []  # one is on its way: its reply decides
    if any(o.side is not look.exit_side for o in live):
        return [Cancel(o.client_id) for o in live]  # the position has turned round
    # Less than a step of a position cannot be sold by quantity: the stop alone guards it.
    held = floor_to_step(abs(position.own_qty), contract.step)
    claimed = sum((o.open_qty for o in live), ZERO)
    taken = {o.leg for o in legs if o.status is Status.FILLED} | {o.leg for o in live}
    wanted = [
        (f"t{number}", share, distance)
        for number, (share, distance) in enumerate(look.protect.ladder, start=1)
        if f"t{number}" not in taken and _tries(legs, f"t{number}") < TRIES_MAX
    ]
    most = floor_to_step(contract.qty_max, contract.step)
    # More than the largest order of each leg cannot be laid.
    short = claimed < held and any(o.open_qty < most for o in live)
    if claimed > held or (short and not wanted):
        # The position changed under the ladder: take it down, the next look lays it anew.
        return [Cancel(o.client_id) for o in live]
    free = held - claimed
    if free <= ZERO or not wanted:
        return []
    return [Place(plan) for plan in _split(look, wanted, free)]


def _tries(legs: list[Order], leg: str) -> int:
    """How often the venue would not have a leg; one that it expired counts too."""
    failed = (Status.REJECTED, Status.DENIED, Status.EXPIRED)
    return sum(1 for o in legs if o.leg == leg and o.status in failed)


def _split(
    look: Look, wanted: list[tuple[str, Decimal, Decimal]], free: Decimal
) -> list[OrderPlan]:
    """``free`` as take-profit orders, a leg for each share."""
    position, contract, sign = look.position, look.contract, look.sign
    plans: list[OrderPlan] = []
    for leg, qty, distance in _quantities(wanted, free, contract):
        target = position.entry_price * (1 + sign * distance / HUNDRED)
        plans.append(
            OrderPlan(
                symbol=position.symbol,
                side=look.exit_side,
                purpose=Purpose.TAKE_PROFIT,
                type="LIMIT",
                time_in_force="GTC",
                qty=qty,
                price=price_to_tick(target, contract.tick, up=sign > 0),
                reduce_only=True,
                leg=leg,
                recv_window_ms=look.recv_window_ms,
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
    return _capped(legs, floor_to_step(contract.qty_max, contract.step))


def _capped(
    legs: list[tuple[str, Decimal, Decimal]], most: Decimal
) -> list[tuple[str, Decimal, Decimal]]:
    """No leg above the venue's largest order: what is over goes to legs with room, if any."""
    over = sum((max(qty - most, ZERO) for _, qty, _ in legs), ZERO)
    capped = []
    for leg, qty, distance in legs:
        more = min(over, max(most - qty, ZERO))
        over -= more
        capped.append((leg, min(qty, most) + more, distance))
    return capped
