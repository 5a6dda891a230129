"""The breakers of feeds, roads to the venue and rejections: what they count, and on what record.

The state of each is in the book, folded from ``BreakerChanged`` records, so
that an open one is open after a restart. The failures that have not opened it
yet are counted here.
"""

from __future__ import annotations

from collections.abc import Callable

from lowcap.binance.outcome import Outcome, Verdict
from lowcap.core.facts import BreakerChanged
from lowcap.core.messages import Purpose
from lowcap.core.order import Order
from lowcap.risk.book import Book
from lowcap.risk.breaker import (
    FEED,
    FEED_RULE,
    REJECTIONS,
    REJECTIONS_RULE,
    ROAD_RULE,
    Breaker,
    BreakerState,
    Change,
    Rule,
    Window,
    rested,
)


class Breakers:
    """All breakers by name: ``feed:NAME``, ``ws``, ``rest`` and ``rejections``."""

    def __init__(
        self, book: Book, record: Callable[[BreakerChanged], object], now_ms: Callable[[], int]
    ) -> None:
        self._book = book
        self._record = record
        self._now_ms = now_ms
        self._windows: dict[str, Window] = {}
        # Entries and exits without an answer yet, by client id, to the road they went.
        self._roads: dict[str, str] = {}

    @property
    def tripped(self) -> dict[str, Breaker]:
        """Those that are not closed."""
        return self._book.state.guards.breakers

    def is_open(self, name: str) -> bool:
        """Whether nothing is to go through ``name`` at present."""
        breaker = self.tripped.get(name)
        return breaker is not None and breaker.state is BreakerState.OPEN

    def failures(self, name: str) -> int:
        """The weight of the failures of late that may yet open a breaker."""
        window = self._windows.get(name)
        return window.count(self._now_ms()) if window else 0

    def on_failure(self, name: str, why: str, weight: int = 1) -> None:
        """Something went wrong by ``name``."""
        window = self._windows.setdefault(name, Window(_rule_of(name)))
        self._change(name, window.failed(self.tripped.get(name), self._now_ms(), why, weight))

    def on_success(self, name: str) -> None:
        """Something went through by ``name``."""
        breaker = self.tripped.get(name)
        if breaker is not None:
            window = self._windows.setdefault(name, Window(_rule_of(name)))
            self._change(name, window.succeeded(breaker))

    def reset(self, name: str, why: str) -> None:
        """Close a breaker by a person's word; its failures are forgotten."""
        self._windows.pop(name, None)
        if name in self.tripped:
            self._change(name, Change(state=BreakerState.CLOSED, why=why))

    def tick(self) -> None:
        """Let one through where a rest is over."""
        for name, breaker in list(self.tripped.items()):
            self._change(name, rested(breaker, self._now_ms()))

    # -- orders -----------------------------------------------------------------

    def sent(self, client_id: str, road: str) -> None:
        """An order has taken a road: its answer, or the lack of one, speaks for or against it."""
        self._roads[client_id] = road

    def answered(self, order: Order, outcome: Outcome) -> None:
        """What an answer says about its road, and about our entries."""
        if outcome.verdict is Verdict.UNKNOWN:
            return  # ``unanswered`` hears of it
        road = self._roads.pop(order.client_id, "")
        by_venue = outcome.verdict is Verdict.ACCEPTED or outcome.code != 0
        if road and by_venue:
            self.on_success(road)
        elif road:
            self.on_failure(road, outcome.reason)
        if order.purpose is not Purpose.ENTRY or not by_venue:
            return
        if outcome.verdict is Verdict.ACCEPTED:
            self.on_success(REJECTIONS)
        else:
            self.on_failure(REJECTIONS, f"entry rejected: {outcome.code} {outcome.reason}")

    def unanswered(self, client_id: str, why: str) -> None:
        """An order's outcome is unknown: its road has failed, once."""
        road = self._roads.pop(client_id, "")
        if road:
            self.on_failure(road, why)

    def _change(self, name: str, change: Change | None) -> None:
        if change is not None:
            self._record(
                BreakerChanged(
                    name=name,
                    state=change.state.value,
                    why=change.why,
                    until_ms=change.until_ms,
                    rest_ms=change.rest_ms,
                )
            )


def _rule_of(name: str) -> Rule:
    if name == REJECTIONS:
        return REJECTIONS_RULE
    return FEED_RULE if name.startswith(FEED) else ROAD_RULE
