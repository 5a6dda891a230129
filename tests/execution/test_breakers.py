"""What the desk tells its breakers about orders, and what it records of them."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from lowcap.binance.outcome import Outcome, Verdict
from lowcap.core import facts
from lowcap.core.facts import Fact
from lowcap.core.messages import OrderPlan, Refusal
from lowcap.execution.breakers import Breakers
from lowcap.risk.breaker import REJECTIONS, REJECTIONS_RULE, REST, ROAD_RULE, WS, BreakerState
from tests.execution.exec_kit import Room, trading
from tests.risk.risk_kit import Story

UNKNOWN = Outcome(verdict=Verdict.UNKNOWN, reason="no reply")
ACCEPTED = Outcome(verdict=Verdict.ACCEPTED, status="NEW")
NO_MARGIN = Outcome(verdict=Verdict.REJECTED, code=-2019, reason="Margin is insufficient.")
NOT_SENT = Outcome(verdict=Verdict.REJECTED, reason="not sent: refused")


class Line:
    """Breakers over a story's book."""

    def __init__(self) -> None:
        self.story = Story()
        self.breakers = Breakers(self.story.book, self._record, lambda: self.story.now_ms)

    def _record(self, fact: Fact) -> object:
        return self.story.tell(fact)

    def order(self, road: str, outcome: Outcome, leg: str = "e") -> None:
        """One order by a road, and what became of it."""
        name = self.story.send(leg=leg)
        order = self.story.book.orders[name]
        self.breakers.sent(name, road)
        self.breakers.answered(order, outcome)
        if outcome.verdict is Verdict.UNKNOWN:
            self.breakers.unanswered(name, outcome.reason)
            self.breakers.unanswered(name, "once more")

    def state(self, name: str) -> str:
        breaker = self.breakers.tripped.get(name)
        return breaker.state if breaker else BreakerState.CLOSED

    def wait(self, ms: int) -> None:
        self.story.now_ms += ms
        self.breakers.tick()


def test_lost_replies_open_the_breaker_of_their_road_alone() -> None:
    line = Line()
    for number in range(ROAD_RULE.failures):
        assert line.breakers.failures(WS) == number
        line.order(WS, UNKNOWN)
    assert line.breakers.is_open(WS)
    assert not line.breakers.is_open(REST)
    for _ in range(ROAD_RULE.failures):
        line.order(REST, NOT_SENT)
    assert line.breakers.is_open(REST)
    line.wait(ROAD_RULE.rest_ms)
    assert line.state(WS) == line.state(REST) == BreakerState.HALF_OPEN
    line.order(WS, NO_MARGIN)  # a no is an answer
    line.order(REST, UNKNOWN)
    assert line.state(WS) == BreakerState.CLOSED
    assert line.breakers.tripped[REST].rest_ms == 2 * ROAD_RULE.rest_ms


def test_rejections_of_entries_by_the_venue_open_theirs() -> None:
    line = Line()
    for _ in range(REJECTIONS_RULE.failures - 1):
        line.order(WS, NO_MARGIN)
    line.order(REST, NOT_SENT)
    assert not line.breakers.is_open(REJECTIONS), "what was not sent was not rejected"
    line.order(WS, NO_MARGIN)
    assert line.breakers.is_open(REJECTIONS)
    assert "-2019" in line.breakers.tripped[REJECTIONS].why
    line.wait(REJECTIONS_RULE.rest_ms)
    line.order(WS, ACCEPTED)
    assert line.state(REJECTIONS) == BreakerState.CLOSED


def test_a_person_closes_one_and_a_restart_does_not() -> None:
    line = Line()
    for _ in range(ROAD_RULE.failures):
        line.order(WS, UNKNOWN)
    line.story.book = line.story.replayed()
    fresh = Breakers(line.story.book, line._record, lambda: line.story.now_ms)
    assert fresh.is_open(WS)
    fresh.reset(WS, "reset by uid 0")
    assert not fresh.tripped
    before = len(line.story.records)
    fresh.reset(WS, "again")
    assert len(line.story.records) == before


def _enter(room: Room) -> str:
    """Try an entry and send it where the gate agrees; the check that says no, else nothing."""
    answer = room.try_entering(usd="100")
    if isinstance(answer, Refusal):
        return answer.check
    assert isinstance(answer, OrderPlan)
    room.desk.submit(answer, 0, {})
    return ""


async def test_a_venue_that_rejects_every_entry_is_left_alone_for_a_while(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        room.faults(refuse={"order.place": -2019})
        checks = []
        for _ in range(REJECTIONS_RULE.failures + 2):
            checks.append(_enter(room))
            await room.until(lambda: not room.book.open_orders())
            await trio.sleep(1)
        assert checks == [""] * REJECTIONS_RULE.failures + ["rejections-breaker"] * 2
        room.faults()
        await room.until(lambda: not room.desk.breakers.is_open(REJECTIONS), within_s=90)
        assert _enter(room) == ""
        await room.until(lambda: not room.desk.breakers.tripped)
        states = [fact.state for fact in room.told(facts.BreakerChanged)]
        assert states == ["open", "half-open", "closed"]
        assert room.book.state.guards.hits == {"rejections-breaker": 2}
