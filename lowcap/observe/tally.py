"""Counters of what happened since the start, folded from ledger records. Pure.

They begin at zero with every start: the ledger keeps what must last.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping

from lowcap.core import facts
from lowcap.core.facts import Record
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO

ORDERS_KEPT = 5_000
KINDS_KEPT = 200
MINUTE_S = 60.0
# Reasons with which admission turns a repeated story down.
REPEATED = ("cool-down", "same-story")
# How an order can end, and what that is called here.
_RESULTS = {
    "filled": "filled",
    "cancelled": "cancelled",
    "expired": "expired",
    "rejected": "rejected",
    "denied": "denied",
    "absent": "never-placed",
}


class Tally:
    """Fed with every record, in order."""

    def __init__(self) -> None:
        self.orders: Counter[str] = Counter()
        self.entries: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.trades = self.wins = 0
        self.news = self.signals = self.sent = self.repeated = 0
        self.volume_usd = ZERO
        self.reconnects: Counter[str] = Counter()
        self._connected: set[str] = set()
        self._open: OrderedDict[str, Purpose] = OrderedDict()

    def read(self, record: Record) -> None:
        """Take one record in."""
        match record.body:
            case facts.NewsSeen() as fact:
                self.news += 1
                self.repeated += fact.reason.rpartition(": ")[2] in REPEATED
            case facts.FrameRefused():
                self._fail("frame")
            case facts.SignalRaised():
                self.signals += 1
            case facts.Refused() as fact:
                self.refused[fact.check] += 1
            case facts.FeedChanged() as fact:
                self._connect(fact)
            case facts.BreakerChanged() as fact:
                if fact.state == "open":
                    self._fail("breaker")
            case facts.AlarmRaised() as fact:
                self._fail(fact.code)
            case _:
                self._read_money(record)

    def _read_money(self, record: Record) -> None:
        match record.body:
            case facts.OrderIntended() as fact:
                self._open[fact.client_id] = fact.purpose
                if len(self._open) > ORDERS_KEPT:
                    self._open.popitem(last=False)
            case facts.OrderSent():
                self.sent += 1
            case facts.OrderUpdated() as fact:
                self._end(fact)
            case facts.OutcomeUnknown():
                self._fail("outcome-unknown")
            case facts.Filled() as fact:
                self.volume_usd += fact.qty * fact.price
            case facts.PositionClosed() as fact:
                self.trades += 1
                self.wins += fact.realized > fact.fees
            case _:
                return

    def _end(self, fact: facts.OrderUpdated) -> None:
        """Count an order's end once, however often it is told."""
        result = _RESULTS.get(fact.status)
        if result is None:
            return
        purpose = self._open.pop(fact.client_id, None)
        if purpose is None:
            return
        if result in ("cancelled", "expired") and fact.executed_qty > ZERO:
            result = "partly-filled"
        self.orders[result] += 1
        if purpose is Purpose.ENTRY:
            self.entries[result] += 1
        if result == "rejected":
            self._fail("order-rejected")

    def _connect(self, fact: facts.FeedChanged) -> None:
        """A feed that comes up again after it was down has reconnected."""
        if fact.state == "up" and fact.feed in self._connected:
            return
        if fact.state == "up":
            self._connected.add(fact.feed)
            self.reconnects[fact.feed] += 1
        elif fact.state == "down":
            self._connected.discard(fact.feed)
            self._fail("feed-lost")

    def _fail(self, kind: str) -> None:
        """Count an error; names beyond a bound share one."""
        known = kind in self.errors or len(self.errors) < KINDS_KEPT
        self.errors[kind if known else "other"] += 1

    @property
    def success_pct(self) -> float | None:
        """How many entries that ended have bought or sold something; None before the first."""
        ended = sum(self.entries.values())
        done = self.entries["filled"] + self.entries["partly-filled"]
        return round(done / ended * 100, 1) if ended else None


class Rates:
    """Counts per minute over about the last minute, from totals sampled now and then."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[str, float]]] = deque()

    def sample(self, at_s: float, totals: Mapping[str, float]) -> None:
        """Remember totals at a loop time; one sample older than a minute is kept."""
        self._samples.append((at_s, dict(totals)))
        while len(self._samples) > 2 and self._samples[1][0] <= at_s - MINUTE_S:
            self._samples.popleft()

    def per_min(self, at_s: float, totals: Mapping[str, float]) -> dict[str, float]:
        """How much each total has grown a minute since the oldest sample kept."""
        then_s, then = self._samples[0] if self._samples else (at_s, {})
        passed_s = at_s - then_s
        if passed_s <= 0:
            return dict.fromkeys(totals, 0.0)
        return {
            name: round((total - then.get(name, 0)) / passed_s * MINUTE_S, 2)
            for name, total in totals.items()
        }
