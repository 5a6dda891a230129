"""Belief against the venue's word: each difference is named, and put right or asked about."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lowcap.core import facts
from lowcap.core.account import SeenOrder, SeenPosition, Snapshot
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO, Side
from lowcap.execution.reconcile import LAG_MS, Findings, compare
from tests.risk.risk_kit import BTC, T0, XRP, D, Story

STOP: dict[str, Any] = {
    "purpose": Purpose.STOP,
    "type": "STOP_MARKET",
    "side": Side.SELL,
    "qty": None,
    "close_position": True,
    "leg": "s",
}
LEG: dict[str, Any] = {"purpose": Purpose.TAKE_PROFIT, "side": Side.SELL, "leg": "t1"}


class Scene(Story):
    """A story, and what the venue shows meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.positions: list[SeenPosition] = []
        self.orders: list[SeenOrder] = []
        self.read_ms = 0

    def shows(self, qty: str, price: str = "1.9", symbol: str = XRP, at_ms: int = 0) -> None:
        self.positions = [p for p in self.positions if p.symbol != symbol]
        if D(qty) != ZERO:
            self.positions.append(
                SeenPosition(
                    symbol=symbol,
                    qty=D(qty),
                    entry_price=D(price),
                    venue_ms=at_ms or self.now_ms,
                )
            )

    def shows_order(self, name: str, *, algo: bool = False, reduces: bool = True) -> None:
        self.orders.append(
            SeenOrder(symbol=XRP, client_id=name, side="SELL", qty=D(1), reduces=reduces, algo=algo)
        )

    def enter(self, qty: str) -> str:
        name = self.send(qty=D(qty))
        self.fill(name, qty)
        self.update(name, "filled", qty)
        return name

    def compare(self) -> Findings:
        seen = Snapshot(
            at_ms=self.read_ms or self.now_ms,
            positions=tuple(self.positions),
            orders=tuple(self.orders),
        )
        return compare(self.book, seen, self.now_ms, "lcd-")

    def put_right(self) -> Findings:
        """Compare, believe, and come back without differences."""
        found = self.compare()
        for fact in (*found.positions, *found.ownership):
            self.tell(fact)
        return found


def test_agreement_has_no_differences() -> None:
    scene = Scene()
    scene.enter("10")
    stop = scene.send(**STOP)
    scene.update(stop, "working")
    scene.now_ms += 60_000
    scene.shows("10", at_ms=T0)
    scene.shows_order(stop, algo=True)
    found = scene.compare()
    assert found == Findings(differences=[], positions=[], ownership=[], ask_about=[], orphans=[])


def test_the_venues_quantity_wins() -> None:
    scene = Scene()
    scene.enter("10")
    scene.now_ms += 10_000
    scene.shows("7", "1.95")
    found = scene.put_right()
    assert found.differences[0] == "XRPUSDT: position 10 is 7 at the venue"
    position = scene.book.position(XRP)
    assert (position.qty, position.entry_price, position.own_qty) == (7, D("1.95"), 7)
    assert scene.compare().differences == []


def test_a_position_that_is_gone() -> None:
    scene = Scene()
    scene.enter("10")
    scene.now_ms += 10_000
    found = scene.put_right()
    assert found.differences[0] == "XRPUSDT: position 10 is 0 at the venue"
    assert (scene.book.position(XRP).qty, scene.book.position(XRP).own_qty) == (0, 0)


@pytest.mark.parametrize("qty", ["5", "-5"])
def test_a_position_that_nobody_explains_is_foreign(qty: str) -> None:
    scene = Scene()
    scene.shows(qty)
    scene.put_right()
    assert scene.book.state.foreign == {XRP: D(qty)}
    assert scene.book.position(XRP).own_qty == 0
    assert scene.compare().differences == []
    scene.now_ms += 1
    scene.shows("0")
    scene.put_right()
    assert scene.book.state.foreign == {}


def test_ours_and_foreign_on_one_symbol() -> None:
    scene = Scene()
    scene.enter("10")
    scene.now_ms += 10_000
    scene.shows("14")
    scene.put_right()
    assert scene.book.position(XRP).own_qty == 10
    assert scene.book.state.foreign == {XRP: D(4)}
    scene.now_ms += 10_000
    scene.shows("-3")
    scene.put_right()
    assert scene.book.position(XRP).own_qty == 0
    assert scene.book.state.foreign == {XRP: D(-3)}


def test_ownership_waits_for_fills_that_are_still_to_come() -> None:
    scene = Scene()
    name = scene.send()
    scene.update(name, "filled", "10")
    scene.shows("10")
    found = scene.put_right()
    assert found.ownership == []
    assert scene.book.position(XRP).qty == 10
    unknown = scene.send(symbol=BTC)
    scene.tell(facts.OutcomeUnknown(client_id=unknown, why="w"))
    scene.shows("10", "68000", BTC)
    assert scene.compare().ownership == []


def test_a_read_older_than_an_event_says_nothing_about_the_position() -> None:
    scene = Scene()
    scene.see("10", at_ms=T0 + 50)
    scene.read_ms = T0 + 49
    found = scene.compare()
    assert (found.differences, found.positions, found.ownership) == ([], [], [])


def test_a_read_older_than_a_fill_says_nothing_about_the_position() -> None:
    """The fill's own position event is still on its way."""
    scene = Scene()
    scene.enter("10")
    scene.read_ms = T0 - 1
    assert scene.put_right().positions == []
    assert scene.book.position(XRP).qty == 10


def test_a_difference_is_believed_even_if_the_position_has_not_moved_for_long() -> None:
    """Stamped with its last change alone it would be older than what we think we know."""
    scene = Scene()
    scene.see("10", at_ms=T0)
    scene.now_ms += 10_000
    scene.put_right()
    assert scene.book.position(XRP).qty == 0
    scene.now_ms += 10_000
    scene.shows("10", at_ms=T0 + 9_999)
    scene.put_right()
    assert scene.book.position(XRP).qty == 10


@pytest.mark.parametrize("kind", [STOP, LEG])
def test_a_resting_order_that_is_not_shown_is_asked_about(kind: dict[str, Any]) -> None:
    scene = Scene()
    name = scene.send(**kind)
    scene.update(name, "working")
    scene.now_ms += LAG_MS
    assert scene.compare().ask_about == [], "reads may lag behind events"
    scene.now_ms += 1
    found = scene.compare()
    assert found.ask_about == [name]
    assert found.differences == [f"{name}: working but not in the book"]


@pytest.mark.parametrize("status", ["sent", "unknown"])
def test_orders_on_their_way_are_left_to_their_deadlines(status: str) -> None:
    scene = Scene()
    name = scene.send()
    if status == "unknown":
        scene.tell(facts.OutcomeUnknown(client_id=name, why="w"))
    scene.now_ms += 60_000
    assert scene.compare().ask_about == []


def test_an_order_of_ours_without_an_intent_is_an_orphan() -> None:
    scene = Scene()
    scene.shows_order("lcd-9-9-e", reduces=False)
    scene.shows_order("web_17")
    scene.shows_order("lct-9-9-e")
    found = scene.compare()
    assert [o.client_id for o in found.orphans] == ["lcd-9-9-e"]
    assert found.differences == ["lcd-9-9-e: at the venue without an intent"]


def test_an_orphan_that_guards_a_position_outside_our_books_stays() -> None:
    """A power loss may have taken the intents of an entry and of its stop."""
    scene = Scene()
    scene.shows("10")
    scene.shows_order("lcd-9-9-s", algo=True)
    scene.shows_order("lcd-9-8-e", reduces=False)
    found = scene.compare()
    assert [o.client_id for o in found.orphans] == ["lcd-9-8-e"]
    assert "lcd-9-9-s: at the venue without an intent" not in found.differences
    scene.shows("0")
    assert len(scene.compare().orphans) == 2
    scene.enter("10")
    scene.shows("10")
    assert len(scene.compare().orphans) == 2, "an owned position gets a stop of its own"


def test_an_order_believed_over_but_still_shown_is_an_orphan() -> None:
    scene = Scene()
    name = scene.send(**LEG)
    scene.update(name, "cancelled")
    scene.shows_order(name)
    assert scene.compare().orphans == []
    scene.now_ms += LAG_MS + 1
    found = scene.compare()
    assert [o.client_id for o in found.orphans] == [name]
    assert found.differences == [f"{name}: cancelled but still in the book"]


@pytest.mark.parametrize("qty", ["0", "3", "10", "-10", "25"])
def test_two_comparisons_in_a_row_come_to_rest(qty: str) -> None:
    scene = Scene()
    scene.enter("10")
    scene.now_ms += 10_000
    scene.shows(qty)
    scene.put_right()
    scene.put_right()
    assert scene.compare().differences == []
    position = scene.book.position(XRP)
    foreign = scene.book.state.foreign.get(XRP, ZERO)
    assert position.qty == D(qty) == position.own_qty + foreign
    assert abs(position.own_qty) <= abs(Decimal(qty))
