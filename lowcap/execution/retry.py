"""A second try of an entry that the venue has refused for certain: smaller, or with a wider collar.

Only an answer that leaves nothing open leads here. An outcome that is unknown
is found out and never tried again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from lowcap.binance.errors import OUTSIDE_BAND, TOO_LITTLE_MARGIN
from lowcap.core.messages import Refusal, Signal, Target
from lowcap.core.order import Order, Status
from lowcap.risk.sizing import Wish
from lowcap.settings import Settings

if TYPE_CHECKING:
    from lowcap.execution.desk import Desk

SMALLER = 2


class Attempt(Struct, frozen=True, kw_only=True):
    """An entry that was sent, and what another try of it would need.

    ``cause`` is the record of the signal, ``good_until_ms`` our wall time at
    which its news is too old; ``tries`` counts the orders sent before this one,
    and ``collar_pct`` is None where it had the configured one.
    """

    signal: Signal
    target: Target
    wish: Wish
    cause: int
    good_until_ms: int
    tries: int = 0
    collar_pct: Decimal | None = None


def next_try(
    attempt: Attempt, order: Order, code: int, settings: Settings, now_ms: int
) -> Attempt | None:
    """What to try after ``order`` was rejected with ``code``; None where that was all."""
    if order.status is not Status.REJECTED or attempt.tries >= settings.order.retries_max:
        return None
    if not now_ms <= attempt.good_until_ms:
        return None
    tries, orders = attempt.tries + 1, settings.order
    if code in TOO_LITTLE_MARGIN and settings.sizing.partial:
        wish = (order.notional_usd / SMALLER, f"half, after {code}")
        return structs.replace(attempt, wish=wish, tries=tries)
    if code in OUTSIDE_BAND:
        collar_pct = attempt.collar_pct or orders.collar_pct
        wider_pct = min(collar_pct * orders.retry_backoff, orders.max_retry_slippage_pct)
        if wider_pct > collar_pct:
            return structs.replace(attempt, collar_pct=wider_pct, tries=tries)
    return None


def remember(desk: Desk, name: str, attempt: Attempt) -> None:
    """Keep what another try of the order ``name`` would need, until its outcome is known."""
    now_ms = desk.now_ms()
    for old in [n for n, a in desk.attempts.items() if a.good_until_ms < now_ms]:
        del desk.attempts[old]
    desk.attempts[name] = attempt


def try_again(desk: Desk, attempt: Attempt, order: Order, code: int) -> None:
    """Plan and send the next try of a rejected entry, through the gate like any other."""
    again = next_try(attempt, order, code, desk.settings, desk.now_ms())
    if again is None:
        return
    answer = desk.enter(again.signal, again.target, again.wish, again.cause, again.collar_pct)
    if not isinstance(answer, Refusal):
        name = desk.submit(answer, again.cause, {}, retry_of=order.client_id)
        remember(desk, name, again)
