"""A circuit breaker: when it opens, how long it rests, and what one try decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core import facts
from lowcap.core.messages import Refusal
from lowcap.core.money import Side
from lowcap.risk.breaker import Breaker, BreakerState, Change, Rule, Window, rested
from lowcap.risk.gate import EntryWish, decide
from tests.risk.risk_kit import BTC, XRP, D, Story, settings, situation

RULE = Rule(failures=3, window_ms=1_000, rest_ms=500, longest_ms=1_500)


class Line:
    """A breaker and its window, as the shell keeps them."""

    def __init__(self) -> None:
        self.window, self.breaker = Window(RULE), None
        self.now_ms = 0

    breaker: Breaker | None

    @property
    def state(self) -> BreakerState:
        return self.breaker.state if self.breaker else BreakerState.CLOSED

    def take(self, change: Change | None) -> None:
        if change is None:
            return
        self.breaker = None
        if change.state is not BreakerState.CLOSED:
            self.breaker = Breaker(
                state=change.state, since_ms=self.now_ms, until_ms=change.until_ms,
                rest_ms=change.rest_ms, why=change.why,
            )  # fmt: skip

    def fail(self, weight: int = 1) -> None:
        self.take(self.window.failed(self.breaker, self.now_ms, "why", weight))

    def succeed(self) -> None:
        self.take(self.window.succeeded(self.breaker))

    def wait(self, ms: int) -> None:
        self.now_ms += ms
        if self.breaker is not None:
            self.take(rested(self.breaker, self.now_ms))


def test_failures_within_the_window_open_it_and_older_ones_do_not_count() -> None:
    line = Line()
    line.fail()
    line.fail()
    line.wait(1_000)
    line.fail()
    line.fail()
    assert line.state is BreakerState.CLOSED
    line.succeed()  # a success does not wash failures away
    line.fail()
    assert line.state is BreakerState.OPEN


def test_a_heavy_failure_counts_for_several() -> None:
    line = Line()
    line.fail(2)
    assert line.state is BreakerState.CLOSED
    line.fail(2)
    assert line.state is BreakerState.OPEN


def test_one_success_closes_it_and_one_failure_makes_the_rest_longer_up_to_a_limit() -> None:
    line, rests = Line(), []
    line.fail(3)
    for _ in range(4):
        assert line.breaker is not None
        rests.append(line.breaker.rest_ms)
        line.wait(rests[-1] - 1)
        assert line.state is BreakerState.OPEN
        line.fail()
        line.succeed()
        assert line.state is BreakerState.OPEN, "neither says anything while it rests"
        line.wait(1)
        assert line.state is BreakerState.HALF_OPEN
        line.fail()
        assert line.state is BreakerState.OPEN
    assert rests == [500, 1_000, 1_500, 1_500]
    line.wait(1_500)
    line.succeed()
    assert line.state is BreakerState.CLOSED
    line.fail(3)
    assert line.breaker is not None
    assert line.breaker.rest_ms == 500, "the next time it begins with a short rest again"


@given(st.lists(st.sampled_from(["fail", "succeed", "wait 100", "wait 700"]), max_size=60))
def test_it_opens_by_failures_alone_and_never_closes_without_a_success(steps: list[str]) -> None:
    line, since_ms = Line(), list[int]()
    for step in steps:
        before = line.state
        if step == "fail":
            since_ms.append(line.now_ms)
            line.fail()
        elif step == "succeed":
            line.succeed()
        else:
            line.wait(int(step.split()[1]))
        if before is BreakerState.CLOSED and line.state is not before:
            recent = [at for at in since_ms if line.now_ms - at < RULE.window_ms]
            assert step == "fail"
            assert len(recent) >= RULE.failures
        if before is not BreakerState.CLOSED and line.state is BreakerState.CLOSED:
            assert (step, before) == ("succeed", BreakerState.HALF_OPEN)
        if line.breaker is not None:
            assert RULE.rest_ms <= line.breaker.rest_ms <= RULE.longest_ms


# -- at the gate ------------------------------------------------------------------------


def change(story: Story, name: str, state: BreakerState) -> None:
    story.tell(
        facts.BreakerChanged(
            name=name, state=state.value, why="faulty frames", until_ms=9, rest_ms=9
        )
    )


def check_of(story: Story, feed: str = "tokyo", symbol: str = XRP) -> str:
    wish = EntryWish(symbol=symbol, side=Side.BUY, wish=(D(1_000), "x"), feed=feed)
    at = situation(now_ms=story.now_ms)
    answer = decide(wish, story.book, at, settings())
    return answer.check if isinstance(answer, Refusal) else ""


def test_the_breaker_of_a_feed_refuses_its_entries_and_no_others() -> None:
    story = Story()
    change(story, "feed:tokyo", BreakerState.OPEN)
    assert (check_of(story), check_of(story, "bwe"), check_of(story, "")) == (
        "feed-breaker",
        "",
        "",
    )
    story.book = story.replayed()
    assert check_of(story) == "feed-breaker"
    change(story, "feed:tokyo", BreakerState.HALF_OPEN)
    assert check_of(story) == ""
    change(story, "feed:tokyo", BreakerState.CLOSED)
    assert story.book.state.guards.breakers == {}


@pytest.mark.parametrize("state", BreakerState)
def test_entries_go_on_while_one_road_works(state: BreakerState) -> None:
    story = Story()
    change(story, "ws", BreakerState.OPEN)
    assert check_of(story) == ""
    change(story, "rest", state)
    assert check_of(story) == ("venue-breaker" if state is BreakerState.OPEN else "")


def test_after_rejections_one_entry_is_let_through_to_see() -> None:
    story = Story()
    change(story, "rejections", BreakerState.OPEN)
    assert check_of(story) == "rejections-breaker"
    change(story, "rejections", BreakerState.HALF_OPEN)
    assert check_of(story) == ""
    trial = story.send()
    story.now_ms += 2_000
    assert check_of(story, symbol=BTC) == "rejections-breaker"
    story.update(trial, "expired")
    change(story, "rejections", BreakerState.CLOSED)
    assert check_of(story, symbol=BTC) == ""
