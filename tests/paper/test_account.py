"""The simulated account's books: money adds up, whatever orders come in (docs/venue.md §4, §6)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from paper_kit import DOGE, XRP, Venue, algo, order

from lowcap.core.money import ZERO
from lowcap.paper.server import load_state, save_state
from lowcap.paper.state import VenueError

START = Decimal(1_000_000)
Step = tuple[Any, ...]

SYMBOLS = st.sampled_from([XRP, DOGE])
SIDES = st.sampled_from(["BUY", "SELL"])
BASE = {XRP: Decimal("1.9"), DOGE: Decimal("0.15")}
TICK_DECIMALS = {XRP: 4, DOGE: 5}
PERCENTS = st.integers(-8, 8)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("market"), SYMBOLS, SIDES, st.integers(1, 400), st.booleans()),
        st.tuples(st.just("limit"), SYMBOLS, SIDES, st.integers(1, 400), st.booleans(), PERCENTS),
        st.tuples(st.just("stop"), SYMBOLS, SIDES, PERCENTS),
        st.tuples(st.just("price"), SYMBOLS, PERCENTS),
        st.tuples(st.just("share"), SYMBOLS, st.integers(0, 100)),
        st.tuples(st.just("cancel"), SYMBOLS),
    ),
    max_size=25,
)
# Few sizes and prices of one symbol, so that ladders, reversals and touches meet often.
CROWDED = st.lists(
    st.one_of(
        st.tuples(st.just("market"), st.just(XRP), SIDES, st.sampled_from([1, 4]), st.just(False)),
        st.tuples(
            st.just("limit"), st.just(XRP), SIDES, st.just(1), st.just(True),
            st.sampled_from([-2, 2]),
        ),
        st.tuples(st.just("price"), st.just(XRP), st.sampled_from([-3, 0, 3])),
    ),
    min_size=15,
    max_size=40,
)  # fmt: skip


def _at(symbol: str, percent: int) -> Decimal:
    return round(BASE[symbol] * (100 + percent) / 100, TICK_DECIMALS[symbol])


def _take(venue: Venue, step: Step) -> None:
    """Carry out one step; a refusal is an answer like any other."""
    kind, symbol = step[0], step[1]
    try:
        match kind:
            case "market":
                venue.market(step[2], f"{step[3]}0", symbol, reduceOnly=str(step[4]).lower())
            case "limit":
                price = f"{_at(symbol, step[5]):f}"
                flag = str(step[4]).lower()
                venue.limit(step[2], f"{step[3]}0", price, symbol, reduceOnly=flag)
            case "stop":
                trigger = f"{_at(symbol, step[3]):f}"
                venue.call("algoOrder.place", **algo(step[2], trigger, symbol=symbol))
            case "price":
                venue.price(f"{_at(symbol, step[2]):f}", symbol)
            case "share":
                venue.faults(fill_share={symbol: Decimal(step[2]) / 100})
            case _:
                venue.call("order.cancelAll", symbol=symbol)
    except VenueError:
        pass


def _check_books(venue: Venue) -> None:
    trades = venue.exchange.state.trades
    realized = sum((t.realized for t in trades), ZERO)
    fees = sum((t.fee for t in trades), ZERO)
    assert venue.exchange.state.wallet == START + realized - fees
    for symbol in (XRP, DOGE):
        signed = sum(
            (t.qty if t.side == "BUY" else -t.qty for t in trades if t.symbol == symbol), ZERO
        )
        assert venue.held(symbol) == signed
        assert (venue.exchange.book.position(symbol).entry_price == 0) == (signed == 0)
    for held_order in venue.exchange.state.orders.values():
        filled = sum((t.qty for t in trades if t.order_id == held_order.order_id), ZERO)
        assert held_order.executed == filled <= held_order.qty


@settings(max_examples=120, deadline=None)
@given(STEPS)
def test_wallet_and_positions_are_the_sums_of_the_trades(steps: list[Step]) -> None:
    """§4: realised profit is before fees; the position is what was bought less what was sold."""
    venue = Venue()
    for step in steps:
        _take(venue, step)
        _check_books(venue)


@settings(max_examples=150, deadline=None)
@given(CROWDED)
def test_reduce_only_fills_never_open_grow_or_reverse(steps: list[Step]) -> None:
    """§5: seen from the trades alone, in their order."""
    venue = Venue()
    for step in steps:
        _take(venue, step)
    held = {XRP: ZERO, DOGE: ZERO}
    orders = venue.exchange.state.orders
    for trade in venue.exchange.state.trades:
        before = held[trade.symbol]
        held[trade.symbol] += trade.qty if trade.side == "BUY" else -trade.qty
        after = held[trade.symbol]
        if orders[trade.order_id].reduce_only:
            assert abs(after) < abs(before)
            assert before * after >= 0


@settings(max_examples=120, deadline=None)
@given(STEPS)
def test_every_fill_is_told_three_times_at_one_moment(steps: list[Step]) -> None:
    """§6: TRADE_LITE, ACCOUNT_UPDATE and ORDER_TRADE_UPDATE with equal T, absolute values."""
    venue = Venue()
    for step in steps:
        _take(venue, step)
    events = venue.events()
    lites = [i for i, event in enumerate(events) if event["e"] == "TRADE_LITE"]
    assert len(lites) == len(venue.exchange.state.trades)
    for i, trade in zip(lites, venue.exchange.state.trades, strict=True):
        lite, account, update = events[i : i + 3]
        body = update["o"]
        assert (account["e"], update["e"]) == ("ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE")
        assert lite["T"] == account["T"] == update["T"] == body["T"] == trade.time_ms
        assert lite["t"] == body["t"] == trade.trade_id
        assert (body["x"], account["a"]["m"]) == ("TRADE", "ORDER")
        assert Decimal(lite["l"]) == Decimal(body["l"]) == trade.qty
        assert Decimal(body["rp"]) == trade.realized
        assert Decimal(body["n"]) == trade.fee
    accounts = [event["a"] for event in events if event["e"] == "ACCOUNT_UPDATE"]
    if accounts:
        assert Decimal(accounts[-1]["B"][0]["wb"]) == venue.exchange.state.wallet
        (row,) = accounts[-1]["P"]
        assert Decimal(row["pa"]) == venue.held(row["s"])


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_every_order_has_one_beginning_and_one_end(steps: list[Step]) -> None:
    """§5, status machine: NEW first, at most one final status, nothing behind it."""
    venue = Venue()
    for step in steps:
        _take(venue, step)
    lives: dict[int, list[str]] = {}
    for event in venue.events():
        if event["e"] == "ORDER_TRADE_UPDATE":
            lives.setdefault(event["o"]["i"], []).append(event["o"]["X"])
    for order_id, statuses in lives.items():
        assert statuses[0] == "NEW"
        assert {"NEW", "PARTIALLY_FILLED"} >= set(statuses[:-1])
        assert venue.exchange.state.orders[order_id].status == statuses[-1]


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_saved_state_is_loaded_as_it_was(tmp_path_factory: Any, steps: list[Step]) -> None:
    path: Path = tmp_path_factory.mktemp("paper") / "account.json"
    venue = Venue()
    for step in steps:
        _take(venue, step)
    save_state(venue.exchange.state, path)
    assert load_state(path) == venue.exchange.state


def test_restored_account_carries_on(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    assert load_state(path) is None
    venue = Venue()
    venue.market("BUY", "100")
    venue.limit("SELL", "40", "2.0", reduceOnly="true", newClientOrderId="leg")
    venue.call("algoOrder.place", **algo("SELL", "1.7"))
    save_state(venue.exchange.state, path)
    later = Venue(load_state(path))
    assert later.market("BUY", "100", DOGE)["orderId"] == venue.exchange.state.next_order_id
    later.price("2.1")
    assert later.held() == 60
    later.price("1.6")
    assert later.held() == 0
    assert later.refusal("order.place", **order("SELL", "1", reduceOnly="true")) == -2022
