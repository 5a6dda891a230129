"""The gate keeps every rule against the oracle, and the oracle notices a gate that does not."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from lowcap.core.messages import OrderPlan, Refusal
from lowcap.core.order import Status
from lowcap.risk.book import Book
from lowcap.risk.gate import EntryWish, Situation, preview
from lowcap.settings import Settings
from tests.risk.gate_machine import Decide, GateMachine

EXAMPLES = int(os.environ.get("LOWCAP_SEQUENCES", "150"))

TestGateMachine = GateMachine.TestCase
TestGateMachine.settings = hypothesis_settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Forgetful(Book):
    """A book that takes an unknown order for one that never was."""

    def is_in_doubt(self, symbol: str) -> bool:
        return False

    def pending_qty(self, symbol: str) -> Decimal:
        unknown = {n: o for n, o in self._entering.items() if o.status is Status.UNKNOWN}
        for name in unknown:
            del self._entering[name]
        try:
            return super().pending_qty(symbol)
        finally:
            self._entering.update(unknown)


def without(*checks: str) -> Decide:
    """The gate with some of its checks forgotten."""

    def decide(
        wish: EntryWish, book: Book, now: Situation, settings: Settings
    ) -> OrderPlan | Refusal:
        refused, plan = preview(wish, book, now, settings)
        left = [each for each in refused if each.check not in checks]
        if left or plan is None:
            return (left or refused)[0]
        return plan

    return decide


PLANTED: dict[str, dict[str, object]] = {
    "unknown orders not counted": {"make_book": Forgetful},
    **{
        name: {"decide": staticmethod(without(name))}
        for name in (
            *("stale-price", "mark-last", "opposite-position", "order-in-doubt"),
            *("foreign-position", "loss-streak", "trigger-executions", "entries-per-second"),
            "day-loss",
        )
    },
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_bug_is_noticed(planted: str) -> None:
    buggy = type("Buggy", (GateMachine,), PLANTED[planted])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            buggy,
            settings=hypothesis_settings(
                max_examples=1_000,
                stateful_step_count=40,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
