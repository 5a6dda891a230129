"""The stop of a position: where it belongs, laying it, moving it, laying it again. Pure.

At rest there is one close-position stop, which covers any size. The venue
takes only one of that kind, so that it moves by a bridge: a stop by quantity
at the new price, the old one cancelled, the new one laid, the bridge
cancelled. Never is there a moment without one, unless the venue refuses the
bridge; then the old one goes first and the next is due within the deadline.
By itself a stop only moves towards the market.
"""

from __future__ import annotations

from decimal import Decimal

from lowcap.binance.errors import STOP_RESTS, WOULD_TRIGGER
from lowcap.core.messages import OrderPlan, Purpose
from lowcap.core.money import HUNDRED, ZERO, ceil_to_step, percent_of, stop_to_tick
from lowcap.core.order import RESTING, Order, Status
from lowcap.execution.steps import (
    TRIES_MAX,
    Cancel,
    CloseNow,
    Look,
    PauseSymbol,
    Place,
    Step,
    refused_since,
    too_soon,
)
from lowcap.settings import Protect

# Without an average true range for so long, the fixed distance has to do.
ATR_WITHIN_MS = 5_000
# Deadlines are looked at ten times a second: whoever acts so early keeps them.
EARLY_MS = 200
# One stop cancelled elsewhere may be a mistake; at the second the symbol is paused.
VANISHED_PAUSES = 2


def stop_steps(look: Look, stops: list[Order]) -> list[Step]:
    """What the stop of a position needs next; ``stops`` are those of its life, oldest first."""
    mine = [o for o in stops if o.side is look.exit_side]
    steps: list[Step] = [
        Cancel(o.client_id) for o in stops if o.side is not look.exit_side and o.status in RESTING
    ]
    resting = [o for o in mine if o.status in RESTING]
    if resting:
        return steps + _tend(look, mine, resting)
    return steps + _lay(look, mine)


def wanted_price(look: Look) -> Decimal:
    """Where the stop belongs: as it is, or closer to the market by a step worth an order."""
    position, protect, sign = look.position, look.protect, look.sign
    candidates = []
    if position.stop_price == ZERO or protect.atr_multiple:
        candidates.append(position.entry_price - sign * _distance(look, position.entry_price))
    trail = _trail(look)
    if trail is not None:
        candidates.append(trail)
    prices = [stop_to_tick(price, look.contract.tick, sign) for price in candidates]
    best = max(prices, key=lambda price: price * sign, default=position.stop_price)
    if position.stop_price == ZERO:
        return best
    worth = percent_of(position.stop_price, protect.trail_step_pct)
    return best if (best - position.stop_price) * sign >= worth else position.stop_price


def follows(look: Look) -> bool:
    """Whether the stop follows the price: from the first leg on, where it is configured."""
    position, protect = look.position, look.protect
    if not position.trails or not (protect.trail_pct or protect.atr_multiple):
        return False
    return any(
        o.purpose is Purpose.TAKE_PROFIT and o.status is Status.FILLED
        for o in look.book.orders_of(look.symbol)
        if o.seq >= position.opened_seq
    )


def _trail(look: Look) -> Decimal | None:
    if look.best is None or not follows(look):
        return None
    if look.protect.atr_multiple and look.atr is not None:
        return look.best - look.sign * _ranges(look.protect, look.atr, look.best)
    if not look.protect.trail_pct:
        return None
    return look.best * (1 - look.sign * look.protect.trail_pct / HUNDRED)


def _distance(look: Look, entry_price: Decimal) -> Decimal:
    """From entry to the first stop, in USDT. While ranges are on their way, the widest."""
    protect = look.protect
    if not protect.atr_multiple:
        return percent_of(entry_price, protect.stop_pct)
    if look.atr is not None:
        return _ranges(protect, look.atr, entry_price)
    waiting = look.now_ms - look.position.opened_ms < ATR_WITHIN_MS
    return percent_of(entry_price, protect.atr_pct_max if waiting else protect.stop_pct)


def _ranges(protect: Protect, atr: Decimal, price: Decimal) -> Decimal:
    """So many average true ranges in USDT, at most ``atr_pct_max`` of ``price``."""
    return min(protect.atr_multiple * atr, percent_of(price, protect.atr_pct_max))


# -- laying ----------------------------------------------------------------


def _lay(look: Look, stops: list[Order]) -> list[Step]:
    """No stop rests: the first one, or the next after one that is gone."""
    symbol = look.symbol
    if look.now_ms - _bare_since_ms(look, stops) > look.protect.stop_deadline_ms - EARLY_MS:
        return [CloseNow(symbol, "no confirmed stop in time")]
    live = [o for o in stops if not o.is_final]
    if any(o.status is not Status.UNKNOWN for o in live):
        return []  # its reply decides
    refused = refused_since(stops, _accepted_seq(stops))
    if live:
        # Laid once more at once: the venue holds one such stop and refuses a second.
        one_rests = any(o.code == STOP_RESTS for o in refused)
        return [] if one_rests or len(live) >= TRIES_MAX else [_place_whole(look)]
    if any(o.code in WOULD_TRIGGER for o in refused):
        return [CloseNow(symbol, "the stop would trigger at once")]
    if len(refused) >= TRIES_MAX:
        return [CloseNow(symbol, f"stop refused: {refused[-1].reason}")]
    vanished = sum(1 for o in stops if o.status is Status.CANCELLED and not o.cancel_asked)
    if vanished >= TRIES_MAX:
        return [CloseNow(symbol, "its stop keeps being cancelled elsewhere")]
    steps: list[Step] = []
    if vanished >= VANISHED_PAUSES:
        steps.append(PauseSymbol(symbol, "its stop was cancelled elsewhere more than once"))
    return steps if too_soon(refused, look.now_ms) else [*steps, _place_whole(look)]


def _bare_since_ms(look: Look, stops: list[Order]) -> int:
    """Since when nothing protects it. Before start-up's comparison nobody could have."""
    fills = [
        o.first_fill_ms
        for o in look.book.orders_of(look.symbol)
        if o.first_fill_ms and o.seq >= look.position.opened_seq
    ]
    # A stop that ended well enough (it rested before) starts a new deadline.
    ended = max((o.updated_ms for o in stops if o.order_id and o.is_final), default=0)
    return max(
        min(fills, default=look.position.opened_ms or look.now_ms),
        ended,
        look.book.state.compared_ms,
    )


def _accepted_seq(stops: list[Order]) -> int:
    """The newest stop that the venue took and did not take back."""
    took = (o.seq for o in stops if o.order_id and o.status is not Status.REJECTED)
    return max(took, default=0)


# -- moving ----------------------------------------------------------------


def _tend(look: Look, stops: list[Order], resting: list[Order]) -> list[Step]:
    """A stop rests: leave it, or move it to where it belongs."""
    wanted = wanted_price(look)
    if any(not o.is_final and o.status not in RESTING | {Status.UNKNOWN} for o in stops):
        return []  # a reply decides
    whole = next((o for o in resting if o.close_position), None)
    if whole is not None and whole.trigger_price == wanted:
        return [Cancel(o.client_id) for o in resting if o is not whole]
    if any(o.status is Status.UNKNOWN for o in stops):
        return []  # protected meanwhile: the query decides
    refused = refused_since(stops, max(o.seq for o in resting))
    if any(o.code in WOULD_TRIGGER for o in refused):
        return [CloseNow(look.symbol, "the price is beyond its moved stop")]
    held = abs(look.position.own_qty)
    covering = [o for o in resting if not o.close_position and (o.qty or ZERO) >= held]
    if whole is None:
        return _after_bridge(look, refused, covers=bool(covering))
    if any(_serves(look, o, whole, wanted) for o in covering):
        return [Cancel(whole.client_id)]
    if refused:
        return [Cancel(whole.client_id)]  # no bridge to be had: one goes, then the next comes
    stale: list[Step] = [Cancel(o.client_id) for o in resting if o is not whole]
    return [*stale, Place(_plan(look, wanted, qty=ceil_to_step(held, look.contract.step)))]


def _serves(look: Look, bridge: Order, whole: Order, wanted: Decimal) -> bool:
    """Whether the old stop may go while ``bridge`` rests."""
    if bridge.trigger_price is None or whole.trigger_price is None:
        return False
    tighter = (bridge.trigger_price - whole.trigger_price) * look.sign > ZERO
    return tighter or bridge.trigger_price == wanted


def _after_bridge(look: Look, refused: list[Order], *, covers: bool) -> list[Step]:
    """Only the bridge is left: the lasting stop is laid, at most so often."""
    if len(refused) < TRIES_MAX:
        return [] if too_soon(refused, look.now_ms) else [_place_whole(look)]
    if covers:
        return []  # it protects what there is
    return [CloseNow(look.symbol, f"stop refused: {refused[-1].reason}")]


def _place_whole(look: Look) -> Place:
    return Place(_plan(look, wanted_price(look), qty=None))


def _plan(look: Look, price: Decimal, *, qty: Decimal | None) -> OrderPlan:
    return OrderPlan(
        symbol=look.symbol,
        side=look.exit_side,
        purpose=Purpose.STOP,
        type="STOP_MARKET",
        qty=qty,
        trigger_price=price,
        close_position=qty is None,
        reduce_only=qty is not None,
        leg="s",
        recv_window_ms=look.recv_window_ms,
    )
