"""Where the simulator's prices come from: the seed, or a script that plays at its times."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from paper_kit import DOGE, T0, XRP, Venue, algo

from lowcap.paper.contracts import listed_contracts
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.prices import MarketLine, PriceBoard, Upsets


def _after(seed: int, ticks: int) -> dict[str, Decimal]:
    exchange = Exchange(ExchangeSetup(seed=seed))
    for n in range(ticks):
        exchange.tick(T0 + n * 1_000)
    return {symbol: quote.mark for symbol, quote in exchange.board.quotes.items()}


def test_same_seed_same_prices() -> None:
    assert _after(7, 20) == _after(7, 20)
    assert _after(7, 20) != _after(8, 20)


def test_calls_between_ticks_do_not_change_the_walk() -> None:
    exchange = Exchange(ExchangeSetup(seed=7))
    for n in range(20):
        exchange.tick(T0 + n * 1_000)
        exchange.call("ticker.price", {}, T0 + n * 1_000 + 500)
    assert {s: q.mark for s, q in exchange.board.quotes.items()} == _after(7, 20)


@settings(max_examples=50, deadline=None)
@given(price=st.decimals(Decimal("0.00001"), 90_000, places=7), symbol=st.sampled_from([XRP, DOGE]))
def test_quotes_are_on_the_grid_and_in_order(price: Decimal, symbol: str) -> None:
    listed = listed_contracts()
    board = PriceBoard(listed, seed=1)
    board.set_price(symbol, price)
    quote, tick = board.quotes[symbol], listed[symbol][0].tick
    assert quote.mark == price
    assert 0 < quote.bid <= quote.last < quote.ask
    assert all(p % tick == 0 for p in (quote.bid, quote.last, quote.ask))


def _script(*lines: tuple[int, str]) -> tuple[MarketLine, ...]:
    return tuple(MarketLine(T0 + ms, XRP, Decimal(price)) for ms, price in lines)


def test_scripted_lines_play_at_their_times() -> None:
    """In time order, by ticks and by calls alike; nothing else moves a scripted symbol."""
    setup = ExchangeSetup(script=_script((5_000, "2.5"), (1_000, "2.0"), (2_500, "2.2")))
    exchange = Exchange(setup)
    seen = []
    for ms in (0, 1_000, 2_000, 3_000, 4_000, 5_000, 60_000):
        exchange.tick(T0 + ms)
        seen.append(str(exchange.board.quotes[XRP].mark))
    assert seen == ["1.9", "2.0", "2.0", "2.2", "2.2", "2.5", "2.5"]
    exchange = Exchange(setup)
    price = exchange.call("ticker.price", {"symbol": XRP}, T0 + 2_600)["price"]
    assert Decimal(price) == Decimal("2.2")


def test_lines_of_unknown_symbols_are_passed_over() -> None:
    line = MarketLine(T0, "NOPEUSDT", Decimal(1))
    exchange = Exchange(ExchangeSetup(script=(line, *_script((0, "2.0")))))
    exchange.tick(T0)
    assert exchange.board.quotes[XRP].mark == 2


def test_a_price_that_holds_less_than_a_tick_still_counts() -> None:
    """A spike between two ticks fills the resting order and triggers the stop that it touches."""
    venue = Venue(script=_script((200, "1.7"), (400, "1.9"), (600, "2.2"), (800, "1.9")))
    venue.limit("BUY", "100", "1.8", newClientOrderId="dip")
    venue.tick(300)
    assert venue.held() == 100
    venue.call("algoOrder.place", **algo("SELL", "2.1", "TAKE_PROFIT_MARKET"))
    venue.tick(700)
    assert venue.held() == 0
    assert venue.exchange.board.quotes[XRP].last == Decimal("1.9")
    assert [Decimal(t["price"]) for t in venue.call("account.trades", symbol=XRP)] == [
        Decimal("1.8"),
        Decimal("2.1999"),
    ]


def test_jumps_are_far_and_as_frequent_as_they_should_be() -> None:
    upsets = Upsets(jump_chance=0.05, jump_bps=500.0)
    board = PriceBoard(listed_contracts(), seed=3, step_bps=1.0, upsets=upsets)
    far = 0
    for _ in range(20):
        before = dict(board.quotes)
        board.walk()
        moves = [abs(quote.mark / before[s].mark - 1) for s, quote in board.quotes.items()]
        far += sum(move > Decimal("0.002") for move in moves)
    assert 0.03 < far / 20 / len(board.quotes) < 0.06


def test_a_gap_stands_still_and_then_goes_on() -> None:
    upsets = Upsets(gap_chance=0.2, gap_ticks=5)
    board = PriceBoard(listed_contracts(), seed=3, step_bps=50.0, upsets=upsets)
    marks = []
    for _ in range(60):
        board.walk()
        marks.append(board.quotes["BTCUSDT"].mark)
    steps = "".join("=" if a == b else "x" for a, b in pairwise(marks))
    gaps = [gap for gap in steps.split("x")[1:-1] if gap]
    assert len(gaps) > 1
    assert {len(gap) for gap in gaps} == {5}
