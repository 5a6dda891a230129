"""What the protections remember, as a fold of ledger records: entries, streak, peak, hits."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal

from msgspec import Struct, field

from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS
from lowcap.core.facts import Record
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO
from lowcap.risk.breaker import Breaker, BreakerState

HOUR_MS = 3_600_000
# Holds of the protections: latched, and lifted by a person alone.
DAY_LOSS, LOSS_STREAK = "day-loss", "loss-streak"
EQUITY_FLOOR, DRAWDOWN = "equity-floor", "drawdown"
GUARD = "guard"  # who turns a trigger off that has traded too often
GUARD_HOLDS = (DAY_LOSS, LOSS_STREAK, EQUITY_FLOOR, DRAWDOWN)


class Execution(Struct, frozen=True):
    """A signal that led to an entry: the record of the signal, and when it was."""

    seq: int
    at_ms: int


class GuardState(Struct, kw_only=True):
    """The memory of the protections; a checkpoint carries it.

    ``losing_streak`` counts positions closed at a loss in a row, fees counted.
    ``entries_ms`` are the entries of the last hour, ``executions`` those
    signals of the last hour by trigger that led to any. ``peak_usd`` is the
    highest equity since 00:00 UTC, None before it was seen. ``hits`` are the
    refusals since 00:00 UTC by check. ``triggers_off`` are the triggers that a
    protection turned off, with the reason.
    """

    losing_streak: int = 0
    day_entries: int = 0
    entries_ms: list[int] = field(default_factory=list)
    executions: dict[str, list[Execution]] = field(default_factory=dict)
    peak_usd: Decimal | None = None
    hits: dict[str, int] = field(default_factory=dict)
    triggers_off: dict[str, str] = field(default_factory=dict)
    breakers: dict[str, Breaker] = field(default_factory=dict)

    def start_day(self) -> None:
        """Begin to count anew what is counted by the day."""
        self.day_entries = 0
        self.peak_usd = None
        self.hits = {}

    def entries_since(self, at_ms: int) -> int:
        """How many entries were intended after a wall time within the last hour."""
        return len(self.entries_ms) - bisect_right(self.entries_ms, at_ms)

    def executions_since(self, trigger: str, at_ms: int, but: int = 0) -> int:
        """How many signals of a trigger led to entries after ``at_ms``; signal ``but`` aside."""
        done = self.executions.get(trigger, ())
        return sum(1 for each in done if each.at_ms > at_ms and each.seq != but)

    def see_equity(self, equity_usd: Decimal) -> None:
        """Take in what the account was worth at some time of the day."""
        if self.peak_usd is None or equity_usd > self.peak_usd:
            self.peak_usd = equity_usd

    def fold(self, record: Record, trigger: str) -> None:
        """Fold one record in; ``trigger`` is that of the signal that caused it, if one did."""
        match record.body:
            case facts.OrderIntended(purpose=Purpose.ENTRY):
                self._enter(record, trigger)
            case facts.PositionClosed() as fact:
                net = fact.realized - fact.fees
                if net != ZERO:
                    self.losing_streak = self.losing_streak + 1 if net < ZERO else 0
            case facts.EquityMarked() as fact:
                if fact.anew:
                    self.peak_usd = None
                self.see_equity(fact.equity_usd)
            case facts.EquitySeen() as fact:
                self.see_equity(fact.wallet_usdt + fact.unrealized_usd)
            case facts.HoldLifted() as fact if fact.name == LOSS_STREAK:
                self.losing_streak = 0
            case facts.Switched(kind="trigger") as fact:
                self._switch(fact)
            case facts.Refused() as fact:
                self.hits[fact.check] = self.hits.get(fact.check, 0) + 1
            case facts.BreakerChanged() as fact:
                self._change(fact, record.ts // NS_PER_MS)
            case _:
                return

    def _enter(self, record: Record, trigger: str) -> None:
        at_ms = record.ts // NS_PER_MS
        if self.entries_ms:
            at_ms = max(at_ms, self.entries_ms[-1])  # a clock set back must not lose entries
        since_ms = at_ms - HOUR_MS
        self.day_entries += 1
        self.entries_ms = self.entries_ms[bisect_right(self.entries_ms, since_ms) :]
        self.entries_ms.append(at_ms)
        if not trigger:
            return
        done = [each for each in self.executions.get(trigger, ()) if each.at_ms > since_ms]
        if all(each.seq != record.cause for each in done):
            done.append(Execution(record.cause, at_ms))
        self.executions[trigger] = done

    def _switch(self, fact: facts.Switched) -> None:
        if fact.enabled:
            self.triggers_off.pop(fact.name, None)
            self.executions.pop(fact.name, None)
        elif fact.who == GUARD:
            self.triggers_off[fact.name] = fact.reason

    def _change(self, fact: facts.BreakerChanged, at_ms: int) -> None:
        if fact.state == BreakerState.CLOSED:
            self.breakers.pop(fact.name, None)
            return
        self.breakers[fact.name] = Breaker(
            state=BreakerState(fact.state),
            since_ms=at_ms,
            until_ms=fact.until_ms,
            rest_ms=fact.rest_ms,
            why=fact.why,
        )
