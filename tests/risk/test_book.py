"""The book: a fold that late, repeated and reordered reports cannot lead astray."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import pytest
from msgspec import Raw

from lowcap.core import facts
from lowcap.core.facts import Record
from lowcap.core.messages import Purpose, TradingState
from lowcap.core.money import Side
from lowcap.core.order import Status
from lowcap.risk.book import FINAL_ORDERS_KEPT, Book, unsettled_qty
from tests.risk.risk_kit import BTC, ETH, T0, XRP, D, Story

DAY_MS = 86_400_000


def test_a_fill_before_its_reply_and_twice() -> None:
    story = Story()
    name = story.send()
    fill = story.fill(name, "4", realized=D(3), fee=D(1))
    order, book = story.book.orders[name], story.book
    assert (order.status, order.filled_qty) == (Status.PARTLY_FILLED, 4)
    for _ in range(3):
        story.tell(fill)
    assert (order.filled_qty, order.trade_ids) == (4, [fill.trade_id])
    assert book.position(XRP).own_qty == book.position(XRP).qty == 4
    assert book.day_result() == 2
    assert book.pending_qty(XRP) == 6
    story.update(name, "working", "0", order_id=7)  # the reply to the placement, late
    assert (order.status, order.executed_qty, order.order_id) == (Status.PARTLY_FILLED, 4, 7)
    story.update(name, "expired", "4")
    assert book.pending_qty(XRP) == 0
    assert book.exposure_qty(XRP) == 4


def test_two_fills_and_two_position_events_of_one_millisecond_in_any_order() -> None:
    for order in permutations(["f1", "f2", "p1", "p2"]):
        if order.index("f1") > order.index("f2") or order.index("p1") > order.index("p2"):
            continue  # each kind of event keeps its own order (reference §6)
        story = Story()
        name = story.send()
        for step in order:
            if step[0] == "f":
                story.fill(name, "5")
            else:
                story.see("5" if step == "p1" else "10")
            # Never less than what the venue already holds.
            assert story.book.exposure_qty(XRP) >= 10, order
        position = story.book.position(XRP)
        assert (position.qty, position.own_qty, story.book.exposure_qty(XRP)) == (10, 10, 10)


def test_a_position_event_older_than_the_newest_says_nothing() -> None:
    story = Story()
    story.see("10", at_ms=T0 + 5)
    story.see("3", at_ms=T0 + 4)
    assert story.book.position(XRP).qty == 10
    story.see("0", at_ms=T0 + 6)
    assert story.book.position(XRP).qty == 0


def test_a_position_event_without_an_entry_price_keeps_the_known_one() -> None:
    story = Story()
    story.fill(story.send(), "10", "1.9")
    story.see("10", "0", at_ms=T0 + 1)
    assert story.book.position(XRP).entry_price == D("1.9")


@pytest.mark.parametrize("qty", ["0", "-1", "-10"])
def test_a_fill_of_nothing_or_less_changes_nothing(qty: str) -> None:
    story = Story()
    name = story.send()
    story.fill(name, qty)
    assert story.book.position(XRP).own_qty == 0
    assert story.book.orders[name].filled_qty == 0
    assert story.book.pending_qty(XRP) == 10
    story.fill(name, "10")
    assert story.book.position(XRP).own_qty == 10


def test_an_unknown_order_counts_as_filled_until_it_is_proved_absent() -> None:
    story = Story()
    name = story.send()
    story.tell(facts.OutcomeUnknown(client_id=name, why="no reply"))
    book = story.book
    assert book.is_in_doubt(XRP)
    assert not book.is_in_doubt(BTC)
    assert book.unknown_orders() == [book.orders[name]]
    assert book.exposure_qty(XRP) == 10
    assert book.exposed_symbols() == {XRP}
    story.tell(facts.OutcomeSettled(client_id=name, outcome="absent", how="query"))
    assert book.exposure_qty(XRP) == 0
    assert not book.is_in_doubt(XRP)
    story.fill(name, "10")  # the venue's late word still holds
    assert book.exposure_qty(XRP) == 10


def test_executed_but_unreported_quantity_is_on_its_way() -> None:
    story = Story()
    name = story.send()
    story.update(name, "expired", "6")
    assert story.book.pending_qty(XRP) == 6
    story.fill(name, "4")
    assert story.book.pending_qty(XRP) == 2
    assert story.book.exposure_qty(XRP) == 6


def test_a_filled_order_counts_in_full_even_if_the_reply_named_no_quantity() -> None:
    story = Story()
    name = story.send()
    story.update(name, "filled", "0")
    assert story.book.exposure_qty(XRP) == 10
    story.fill(name, "10")
    assert story.book.exposure_qty(XRP) == 10


def test_shorts_and_sells_count_like_longs() -> None:
    story = Story()
    name = story.send(side=Side.SELL)
    assert story.book.pending_qty(XRP) == -10
    story.fill(name, "10")
    assert story.book.position(XRP).qty == -10
    assert story.book.exposure_qty(XRP) == 10
    close = story.send(side=Side.BUY, purpose=Purpose.CLOSE, reduce_only=True, leg="c")
    assert story.book.exposure_qty(XRP) == 10
    story.fill(close, "10", realized=D(2))
    assert story.book.exposure_qty(XRP) == 0


def test_a_closed_position_is_forgotten_and_counted() -> None:
    story = Story()
    name = story.send()
    story.fill(name, "10", fee=D(1))
    close = story.send(side=Side.SELL, purpose=Purpose.CLOSE, reduce_only=True, leg="c")
    story.fill(close, "10", realized=D(5), fee=D(1))
    story.update(name, "filled", "10")
    position = story.book.position(XRP)
    assert (position.qty, position.own_qty, position.realized, position.fees) == (0, 0, 5, 2)
    story.tell(facts.PositionClosed(symbol=XRP, realized=D(5), fees=D(2)))
    position = story.book.position(XRP)
    assert (position.opened_seq, position.realized, position.fees) == (0, 0, 0)
    assert (story.book.state.day_trades, story.book.state.day_wins) == (1, 1)
    assert story.book.exposed_symbols() == set()


def test_an_entry_after_the_quantity_reached_zero_starts_a_new_life() -> None:
    """The stop took the first entry while the second was on its way."""
    story = Story()
    first = story.send()
    story.fill(first, "10")
    second = story.send()
    stop = story.send(side=Side.SELL, purpose=Purpose.STOP, type="STOP_MARKET", leg="s")
    story.fill(stop, "10")
    assert story.book.position(XRP).opened_seq == story.book.orders[first].seq
    story.now_ms += 10_000
    story.fill(second, "10")
    assert story.book.position(XRP).opened_seq == story.book.orders[second].seq


def test_ownership_is_settled_by_word() -> None:
    story = Story()
    story.fill(story.send(), "10")
    story.see("14", at_ms=T0 + 1)
    story.tell(facts.OwnershipSettled(symbol=XRP, own_qty=D(9), foreign_qty=D(5), why="w"))
    assert story.book.position(XRP).own_qty == 9
    assert story.book.state.foreign == {XRP: D(5)}
    story.tell(facts.OwnershipSettled(symbol=XRP, own_qty=D(9), foreign_qty=D(0), why="w"))
    assert story.book.state.foreign == {}


def test_the_day_starts_afresh_at_midnight_and_positions_do_not() -> None:
    story = Story()
    story.now_ms = T0 - T0 % DAY_MS + DAY_MS - 1
    name = story.send()
    story.fill(name, "4", realized=D(-7), fee=D(1))
    assert story.book.day_result() == -8
    story.now_ms += 1
    story.fill(name, "6", realized=D(-2))
    assert story.book.day_result() == -2
    position = story.book.position(XRP)
    assert (position.own_qty, position.realized, position.fees) == (10, -9, 1)
    assert story.book.state.day_trades == 0


def _eventful() -> Story:
    story = Story()
    raised = story.tell(
        facts.SignalRaised(
            trigger="t1", feed="f", side=Side.BUY, symbols=(XRP,), matched=(), tier="m", age_ms=1
        )
    )
    done = story.intend()
    story.tell(facts.OrderSent(client_id=done, road="ws"), raised.seq)
    story.fill(done, "10", "1.91", fee=D("0.01"), realized=D("0.5"))
    story.update(done, "filled", "10", order_id=10**18)
    story.tell(facts.OutcomeUnknown(client_id=story.send(symbol=BTC), why="lost"))
    story.send(symbol=ETH)
    story.send(purpose=Purpose.STOP, type="STOP_MARKET", qty=None, close_position=True, leg="s")
    story.see("10", "1.91", at_ms=T0 + 3)
    story.tell(
        facts.HoldPlaced(name="h", state=TradingState.HALTED, reason="r", who="w", until_ms=5)
    )
    story.tell(facts.OwnershipSettled(symbol=ETH, own_qty=D(0), foreign_qty=D(-2), why="w"))
    story.tell(facts.Switched(kind="trigger", name="t1", enabled=False, who="w"))
    return story


def test_a_checkpoint_is_as_good_as_the_records_before_it() -> None:
    story = _eventful()
    checkpoint = facts.Checkpoint(book=Raw(story.book.snapshot()), keys=Raw(b"{}"))
    restored = Book()
    restored.apply(
        Record(seq=99, ts=T0 * 10**6, run=1, kind="Checkpoint", cause=0, body=checkpoint)
    )
    live, replayed = story.book, story.replayed()
    for book in (restored, replayed):
        assert book.state == live.state
        assert book.snapshot() == live.snapshot()
        assert book.exposed_symbols() == live.exposed_symbols()
        for symbol in (XRP, BTC, ETH):
            assert book.pending_qty(symbol) == live.pending_qty(symbol)
            assert book.is_in_doubt(symbol) == live.is_in_doubt(symbol)
            assert book.orders_of(symbol) == live.orders_of(symbol)


def test_toggles_and_holds_fold() -> None:
    story = Story()
    for enabled in (False, False, True, True):
        story.tell(facts.Switched(kind="feed", name="tree", enabled=enabled, who="w"))
    assert story.book.state.switched_off == []
    story.tell(facts.HoldLifted(name="nothing", reason="r", who="w"))
    assert story.book.trading_state(T0) is TradingState.ACTIVE


def test_old_final_orders_are_forgotten_and_busy_symbols_are_not() -> None:
    story = Story()
    kept = story.send(symbol=BTC)
    story.update(kept, "filled", "10")
    for _ in range(FINAL_ORDERS_KEPT * 2 + 10):
        story.update(story.send(), "rejected")
    assert len(story.book.orders) < FINAL_ORDERS_KEPT * 2 + 10
    assert kept in story.book.orders
    assert len(story.book.orders_of(XRP)) == len(story.book.orders) - 1
    assert story.book.exposure_qty(BTC) == 10


def test_reports_about_strangers_change_nothing() -> None:
    story = Story()
    before = story.book.snapshot()
    story.update("lcd-9-9-e", "filled", "3")
    story.tell(facts.OutcomeUnknown(client_id="lcd-9-9-e", why="w"))
    story.tell(
        facts.Filled(
            client_id="x", symbol=XRP, side=Side.BUY, trade_id=1, qty=D(1), price=Decimal(1)
        )
    )
    story.see("0")
    state = Book()
    state.apply(story.records[0])
    assert story.book.snapshot() == state.snapshot() != before


def test_a_reduce_only_order_that_the_venue_shrank_awaits_nothing_more() -> None:
    story = Story()
    story.fill(story.send(), "10")
    close = story.send(side=Side.SELL, purpose=Purpose.CLOSE, qty=D(10), reduce_only=True, leg="c")
    story.update(close, "filled", "6")
    assert story.book.orders[close].lacks_fills
    story.fill(close, "6")
    assert not story.book.orders[close].lacks_fills
    assert unsettled_qty(story.book.orders[close]) == 0
