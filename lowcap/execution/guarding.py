"""The protections at work: equity marked, halts placed, and what may lift them."""

from __future__ import annotations

from decimal import Decimal

from lowcap.core import facts
from lowcap.core.clock import utc_day
from lowcap.core.errors import CommandError
from lowcap.core.messages import TradingState
from lowcap.execution.desk import Desk
from lowcap.risk.guard_state import DAY_LOSS, DRAWDOWN, EQUITY_FLOOR
from lowcap.risk.guards import HALT_WORDS, breaches

RISK = "risk"
# The day's highest is written down each time it has grown by this share.
MARK_STEP = Decimal("0.0005")


def watch_guards(desk: Desk) -> None:
    """Look at every protection that halts, and at the breakers that have rested."""
    desk.breakers.tick()
    equity = desk.equity_usd()
    if equity is not None and equity > 0:
        peak = desk.book.state.guards.peak_usd
        # A record is what begins the book's new day, however quiet the night.
        is_new_day = desk.book.state.day != utc_day(desk.clock.now_ns())
        if peak is None or is_new_day or equity > peak * (1 + MARK_STEP):
            desk.record(facts.EquityMarked(equity_usd=equity))
    for name, measured, limit in breaches(desk.book, desk.settings.limits, equity):
        if name not in desk.book.state.holds:
            reason = HALT_WORDS[name].format(measured, limit)
            desk.place_hold(name, TradingState.HALTED, reason, RISK)


def must_not_lift(desk: Desk, names: tuple[str, ...] = (DAY_LOSS, EQUITY_FLOOR)) -> None:
    """Losses cannot be acknowledged away; a streak and a drawdown may be, by a person.

    Raises:
        CommandError: one of ``names`` is breached still.
    """
    for name, measured, limit in breaches(desk.book, desk.settings.limits, desk.equity_usd()):
        if name not in names:
            continue
        if name == DAY_LOSS:
            raise CommandError(
                "the day's loss is at its limit until 00:00 UTC",
                hint="wait, or raise limits.day_loss_usd_max and reload",
                code="refused",
            )
        if name == EQUITY_FLOOR:
            raise CommandError(
                f"the account is worth {measured}, at or below its floor of {limit}",
                hint="add margin, or lower limits.equity_floor_usd and reload",
                code="refused",
            )


def lift(desk: Desk, name: str, reason: str, who: str) -> None:
    """Lift a latched hold; a drawdown is measured from here on, a streak begins anew."""
    if name not in desk.book.state.holds:
        return
    equity = desk.equity_usd()
    if name == DRAWDOWN and equity is not None:
        desk.record(facts.EquityMarked(equity_usd=equity, anew=True))
    desk.lift_hold(name, reason, who)
