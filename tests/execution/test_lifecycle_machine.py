"""Random lives of orders: whatever the wire does, belief ends in the state the simulator holds.

``LOWCAP_SEQUENCES=2000 pytest tests/execution/test_lifecycle_machine.py`` plays more of them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lowcap.binance.outcome import Outcome
from lowcap.core import facts
from lowcap.core.facts import Record
from lowcap.core.money import ZERO, Side
from lowcap.core.order import RESTING, VENUE_STATUS, Order, Status
from lowcap.execution.settle import ask
from lowcap.risk.book import Book
from tests.execution.lifecycle_kit import SYMBOLS, Fate, Pair, Wish, run_pair

SEQUENCES = int(os.environ.get("LOWCAP_SEQUENCES", "250"))

_late = st.sampled_from([0, 0, 0, 30, 600, 2_500])
_requests = st.builds(Fate, late_ms=st.sampled_from([0, 0, 0, 500, 900, 3_000]),
                      lost=st.sampled_from([False] * 6 + [True]))  # fmt: skip
_replies = st.builds(Fate, late_ms=_late, lost=st.sampled_from([False] * 4 + [True]),
                     timeout=st.sampled_from([False] * 5 + [True]))  # fmt: skip
_events = st.builds(Fate, late_ms=_late, lost=st.sampled_from([False] * 5 + [True]),
                    twice=st.sampled_from([False] * 3 + [True]))  # fmt: skip
_wishes = st.lists(
    st.builds(
        Wish,
        after_ms=st.sampled_from([0, 20, 400, 1_200, 4_000]),
        kind=st.sampled_from(["enter", "enter", "move", "move", "close"]),
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(list(Side)),
        share=st.sampled_from([Decimal(1), Decimal("0.37")]),
        move_pct=st.sampled_from([Decimal(n) for n in ("-3", "-0.4", "0.4", "3", "6")]),
    ),
    min_size=1,
    max_size=8,
)
_fates = st.tuples(
    st.lists(_requests, max_size=16),
    st.lists(_replies, max_size=24),
    st.lists(_events, max_size=60),
)
_lag_ms = st.sampled_from([0, 0, 0, 1_000, 2_500])
# Refused placements leave no trace at the simulator.
NEVER_THERE = {Status.ABSENT, Status.REJECTED, Status.DENIED}
Wires = tuple[list[Fate], list[Fate], list[Fate]]


def judge(pair: Pair) -> None:
    """Belief is what the simulator holds: positions, orders, quantities, fills, money."""
    exchange, book = pair.venue.exchange, pair.book
    ids = Counter(o.client_id for o in exchange.state.orders.values())
    assert max(ids.values(), default=0) <= 1, "an intent was executed twice"
    for symbol in SYMBOLS:
        held = exchange.book.position(symbol).qty
        position = book.position(symbol)
        assert (position.qty, position.own_qty) == (held, held), symbol
    there = {o.client_id: o for o in exchange.state.orders.values()}
    for order in book.orders.values():
        _judge_order(order, there, pair)
    resting = {o.client_id for o in book.open_orders() if o.status in RESTING}
    shown = {o.client_id for o in pair.venue.snapshot().orders}
    assert resting == shown
    assert not book.unknown_orders()
    trades = exchange.state.trades
    assert book.state.day_fees == sum((t.fee for t in trades), ZERO)
    assert book.state.day_realized == sum((t.realized for t in trades), ZERO)


def _judge_order(order: Order, there: dict[str, Any], pair: Pair) -> None:
    if order.is_algo:
        algos = pair.venue.exchange.state.algos.values()
        shown = next((a for a in algos if a.client_id == order.client_id), None)
        filled = shown.child_qty if shown is not None else ZERO
    else:
        shown = there.get(order.client_id)
        filled = shown.executed if shown is not None else ZERO
    if shown is None:
        assert order.status in NEVER_THERE, order
    else:
        assert order.status is VENUE_STATUS[shown.status], order
    assert order.filled_qty == filled, order


def judge_refold(pair: Pair) -> None:
    """A restart arrives at the same book: the records say it all."""
    again = Book()
    for record in pair.ledger.records:
        again.apply(record)
    assert again.state == pair.book.state


def _as_it_should(pair: Pair) -> None:
    judge(pair)
    judge_refold(pair)


def play(examples: int, kind: type[Pair], *phases: Phase) -> Callable[[], None]:
    """A function that plays so many sequences."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    @given(_wishes, _fates, _lag_ms)
    def sequences(wishes: list[Wish], fates: Wires, lag_ms: int) -> None:
        run_pair(wishes, fates, lag_ms, _as_it_should, kind)

    return sequences


def test_belief_ends_where_the_simulator_is() -> None:
    play(SEQUENCES, Pair, Phase.generate, Phase.shrink)()


# -- planted bugs ------------------------------------------------------------------------


class TrustsTheFirstAnswer(Pair):
    """One "no such order" is believed."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.desk.settle = lambda name: self.start(self._settle, name)

    async def _settle(self, name: str) -> None:
        order = self.book.orders[name]
        while order.status is Status.UNKNOWN:
            await trio.sleep(0.2)
            if await ask(self.desk, order) is True:
                self.desk.record(
                    facts.OutcomeSettled(client_id=name, outcome="absent", how="one query")
                )


class SumsWhatItHears(Pair):
    """Every execution that is told counts, whether or not it has been told before."""

    def new_book(self) -> Book:
        class Summing(Book):
            def apply(self, record: Record) -> None:
                super().apply(record)
                if isinstance(record.body, facts.Filled):
                    self.orders[record.body.client_id].trade_ids.clear()

        return Summing()


class ForgetsTheChild(Pair):
    """What a triggered algo order became is nobody's business."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        hear, fills = self.desk.on_user_event, self.venue.fills

        def on_user_event(event: Any) -> None:
            known = self.book.orders.get(getattr(getattr(event, "body", None), "c", ""))
            if known is None or not known.is_algo:
                hear(event)

        async def some_fills(order: Order, outcome: Outcome) -> list[facts.Filled]:
            return [] if order.is_algo else await fills(order, outcome)

        self.desk.on_user_event = on_user_event  # type: ignore[method-assign]
        self.venue.fills = some_fills  # type: ignore[method-assign]


class SendsAgain(Pair):
    """No answer: the same order once more."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        settle = self.desk.settle

        def again(name: str) -> None:
            intent = next(
                r.body
                for r in self.ledger.records
                if isinstance(r.body, facts.OrderIntended) and r.body.client_id == name
            )
            self.venue.submit(intent, lambda outcome: self.desk.on_outcome(name, outcome))
            settle(name)

        self.desk.settle = again


@pytest.mark.parametrize(
    "bug", [TrustsTheFirstAnswer, SumsWhatItHears, ForgetsTheChild, SendsAgain]
)
def test_a_planted_bug_is_caught(bug: type[Pair]) -> None:
    with pytest.raises(AssertionError):
        play(1_000, bug, Phase.generate)()
