"""Every order that a trade sends passes the venue's filters: entry, stop, ladder and close.

Forty contracts from a satoshi to a bitcoin, at the edges of their grids, least
sizes, brackets and largest orders. What the gate plans is sent to the
simulator, whose checks are its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from msgspec import structs

from lowcap.binance.orders import place_params
from lowcap.core import facts
from lowcap.core.account import SeenOrder, SeenPosition, Snapshot
from lowcap.core.contract import Contract
from lowcap.core.messages import OrderPlan, Purpose, Refusal
from lowcap.core.money import ZERO, Side, floor_to_step
from lowcap.execution.bracket import missing
from lowcap.execution.flatten import CancelSeen, CloseQty, next_steps
from lowcap.execution.steps import Look, Place
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.risk.gate import EntryWish, decide
from lowcap.risk.leverage import LeverageTable
from lowcap.settings import Settings
from tests.risk.risk_kit import T0, D, Story, quote, settings, situation

ENOUGH = D(10**12)
SETTINGS: Settings = settings(
    order_notional_usd_max=ENOUGH,
    position_notional_usd_max=ENOUGH,
    gross_notional_usd_max=ENOUGH,
    day_loss_usd_max=ENOUGH,
    entries_per_s_max=10_000,
    entries_per_min_max=10_000,
)
NAMES = """
BTC ETH BNB SOL XRP DOGE ADA TRX LTC BCH UNI ATOM SUI MKR YFI XMR TAO ZEC HYPE TRUMP
1000PEPE 1000SHIB 1000BONK 1000FLOKI 1000SATS 1000WHY 1000CHEEMS 1000X 1000000MOG
1MBABYDOGE HMSTR DOGS NEIRO NOT MEME HOT BOME SUN BEAMX G ZIL GALA
"""
# Grids that the simulator does not list: a tick of one per cent, steps of hundreds,
# a least quantity of many steps, an order no larger than a bracket.
ODD: dict[str, dict[str, Any]] = {
    "MAV": {"tick": D("0.0006"), "price_min": D("0.0006"), "price_max": D("5.9994")},
    "BLUR": {"step": D(10), "qty_min": D(10), "qty_max": D(1_000_000)},
    "JST": {"step": D(100), "qty_min": D(300), "notional_min": D(5)},
    "VET": {"step": D(1), "qty_min": D(5_000), "notional_min": D(100)},
    "ENS": {"qty_max": D(50), "market_qty_max": D(7)},
    "KSM": {"price_up": D("1.01"), "price_down": D("0.99")},
    "GAS": {"step": D("0.001"), "qty_min": D("0.001"), "notional_min": D("0.01")},
    "AXS": {"step": D(1), "notional_min": D(20), "market_qty_max": D(900_000)},
}
LISTED = listed_contracts()
CONTRACTS: dict[str, Contract] = {
    f"{name}USDT": LISTED[f"{name}USDT"][0] for name in NAMES.split()
} | {
    f"{name}USDT": structs.replace(LISTED[f"{name}USDT"][0], **changes)
    for name, changes in ODD.items()
}


class Market:
    """One contract at the simulator, a book in front of it, and every order that went there."""

    def __init__(self, contract: Contract, mark: Decimal, leverage: int) -> None:
        self.exchange = EXCHANGE
        self.exchange.contracts[contract.symbol] = contract
        self.exchange.state.leverage[contract.symbol] = leverage
        self.exchange.board.set_price(contract.symbol, mark)
        self.story = Story()
        self.contract, self.mark, self.leverage = contract, mark, leverage
        self.sent: list[facts.OrderIntended] = []

    def plan(self, side: Side, usd: Decimal) -> OrderPlan | Refusal:
        symbol = self.contract.symbol
        now = situation(
            quotes={symbol: quote(symbol, self.mark)},
            contracts={symbol: self.contract},
            leverage={symbol: self.leverage},
            margin_available_usd=ENOUGH,
        )
        wish = EntryWish(symbol=symbol, side=side, wish=(usd, "trigger"))
        return decide(wish, self.story.book, now, SETTINGS)

    def send(self, plan: OrderPlan) -> Any:
        """Place what is planned, and tell the book what came of it."""
        name = self.story.intend(plan)
        intent = self.story.records[-1].body
        assert isinstance(intent, facts.OrderIntended)
        on_grid(intent, self.contract)
        self.sent.append(intent)
        method, params = place_params(intent)
        told = self.exchange.state.trades
        before = told[-1].trade_id if told else -1
        view = self.exchange.call(method, params, T0)
        trades = [t for t in self.exchange.state.trades if t.trade_id > before]
        self.exchange.take_events()
        if method == "order.place":
            executed = sum((t.qty for t in trades), ZERO)
            status = (
                "filled" if executed == intent.qty else "working" if not executed else "expired"
            )
            self.story.update(name, status, str(executed), order_id=view["orderId"])
        else:
            self.story.update(name, "working", order_id=view["algoId"])
        for trade in trades:
            self.story.fill(name, str(trade.qty), str(trade.price))
        self.story.see(str(self.held), str(trades[-1].price if trades else self.mark))
        return view

    @property
    def held(self) -> Decimal:
        return self.exchange.book.position(self.contract.symbol).qty

    def protect(self) -> list[OrderPlan]:
        """Stop and ladder, as the desk lays them."""
        symbol, placed = self.contract.symbol, []
        for _ in range(4):
            steps = missing(
                Look(
                    book=self.story.book,
                    symbol=symbol,
                    contract=self.contract,
                    protect=SETTINGS.protect,
                    now_ms=T0,
                    recv_window_ms=SETTINGS.order.exit_recv_window_ms,
                )
            )
            for step in steps:
                assert isinstance(step, Place), step
                self.send(step.plan)
                placed.append(step.plan)
        return placed

    def flatten(self) -> None:
        """Cancel, close, cancel, as a close of the symbol does."""
        contracts = {self.contract.symbol: self.contract}
        for _ in range(50):
            steps = next_steps(self._seen(), contracts, symbols=None, ours=None, prefix="lcd-")
            if not steps:
                self._forget()
                return
            for step in steps:
                self._carry_out(step)
        raise AssertionError("not flat")

    def _forget(self) -> None:
        """What is over slows every look-up of the simulator down."""
        state = self.exchange.state
        state.orders.clear()
        state.algos.clear()
        state.trades.clear()

    def _carry_out(self, step: CancelSeen | CloseQty) -> None:
        if isinstance(step, CancelSeen):
            method, key = ("algoOrder.cancel", "clientAlgoId") if step.algo else (
                "order.cancel", "origClientOrderId"
            )  # fmt: skip
            self.exchange.call(method, {"symbol": step.symbol, key: step.client_id}, T0)
            return
        self.send(
            OrderPlan(
                symbol=step.symbol, side=step.side, purpose=Purpose.CLOSE, type="MARKET",
                qty=step.qty, reduce_only=True, leg="c", recv_window_ms=2_000,
            )
        )  # fmt: skip

    def _seen(self) -> Snapshot:
        symbol, book = self.contract.symbol, self.exchange.book
        position = SeenPosition(symbol=symbol, qty=self.held, entry_price=self.mark, venue_ms=T0)
        orders = [
            SeenOrder(symbol=symbol, client_id=o.client_id, side=o.side, qty=o.remaining,
                      reduces=True, algo=False)
            for o in book.open_orders(symbol)
        ] + [
            SeenOrder(symbol=symbol, client_id=a.client_id, side=a.side, qty=a.qty,
                      reduces=True, algo=True)
            for a in self.exchange.algos.open_algos(symbol)
        ]  # fmt: skip
        positions = (position,) if self.held else ()
        return Snapshot(at_ms=T0, positions=positions, orders=tuple(orders))


EXCHANGE = Exchange(ExchangeSetup(step_bps=0.0, wallet=ENOUGH))


def on_grid(intent: facts.OrderIntended, contract: Contract) -> None:
    """The filters once more, in their own words: the simulator forgives a stop price its grid."""
    for price in (intent.price, intent.trigger_price):
        if price is not None:
            assert (price - contract.price_min) % contract.tick == 0
            assert contract.price_min <= price <= contract.price_max
    if intent.qty is not None:
        most = contract.market_qty_max if intent.type == "MARKET" else contract.qty_max
        assert intent.qty % contract.step == 0
        assert intent.qty <= most
        assert intent.qty >= contract.qty_min or intent.reduce_only


def marks(contract: Contract) -> Iterator[Decimal]:
    """Where it stands, off the grid, and just above a tick."""
    price = LISTED[contract.symbol][1]
    yield price + contract.tick * D("0.37")
    yield price - contract.tick * D("0.01")


def wishes(contract: Contract, mark: Decimal, leverage: int) -> Iterator[Decimal]:
    """Dollars at every edge: least size, steps, brackets, liquidation distance, largest order."""
    table = LeverageTable(contract, 20, D(2))
    least = max(contract.notional_min, contract.qty_min * mark)
    edges = [
        least,
        contract.step * mark * 7,
        contract.qty_max * mark,
        D(50),
        *table.bounds(leverage),
    ]
    edges += [bracket.notional_cap for bracket in contract.brackets[:5]]
    for edge in edges:
        yield from (edge - D("0.01"), edge, edge + D("0.01"), edge + contract.step * mark)
    yield from (least * D("1.02"), least * D("1.2"), D("14567"), D(500_000), D(10**8))


@pytest.mark.parametrize("symbol", sorted(CONTRACTS))
def test_every_order_passes_its_filters(symbol: str) -> None:
    contract, lives, refused = CONTRACTS[symbol], 0, 0
    for mark in marks(contract):
        for leverage in (20, 10):
            for usd in sorted(set(wishes(contract, mark, leverage))):
                for side in Side:
                    market = Market(contract, mark, leverage)
                    plan = market.plan(side, usd)
                    if isinstance(plan, Refusal):
                        refused += 1
                        too_small(plan, contract, mark, usd)
                    else:
                        lives += 1
                        live(market, plan, usd)
    assert lives > 100
    assert refused > 3


def live(market: Market, plan: OrderPlan, usd: Decimal) -> None:
    """One trade from entry to flat."""
    contract, table = market.contract, LeverageTable(market.contract, 20, D(2))
    assert plan.qty is not None
    assert plan.price is not None
    assert plan.qty * market.mark <= usd
    worst = plan.qty * max(plan.price, market.mark)
    assert worst <= table.largest(market.leverage)
    if plan.qty < contract.qty_max and "cut by" not in plan.sizing:
        assert plan.qty == floor_to_step(usd / market.mark, contract.step)
    market.send(plan)
    if market.held:
        placed = market.protect()
        assert [p.purpose for p in placed].count(Purpose.STOP) == 1
        legs = [p.qty or ZERO for p in placed if p.purpose is Purpose.TAKE_PROFIT]
        assert sum(legs, ZERO) == abs(market.held)
    market.flatten()
    assert market.held == ZERO


def too_small(refusal: Refusal, contract: Contract, mark: Decimal, usd: Decimal) -> None:
    """Refused only where what would be left, at the collar, is below the least order."""
    assert refusal.check == "size", refusal
    largest = usd / mark // contract.step * contract.step
    worst = mark * D("0.98")
    assert largest < contract.qty_min or largest * worst < contract.notional_min, refusal


def test_the_contracts_are_as_different_as_they_should_be() -> None:
    assert len(CONTRACTS) >= 30
    assert len({c.tick for c in CONTRACTS.values()}) >= 7
    assert len({c.step for c in CONTRACTS.values()}) >= 5
    assert {"BTCUSDT", "ETHUSDT", "1000PEPEUSDT", "1000000MOGUSDT"} <= set(CONTRACTS)
    assert sum(LISTED[s][1] <= D("0.015") for s in CONTRACTS) >= 5


@pytest.mark.parametrize("symbol", ["BTCUSDT", "1000PEPEUSDT", "HMSTRUSDT"])
def test_near_the_ends_of_the_price_range_an_entry_is_refused_by_name(symbol: str) -> None:
    contract = CONTRACTS[symbol]
    market = Market(contract, contract.price_max - contract.tick, 3)
    answer = market.plan(Side.BUY, D(5_000))
    assert isinstance(answer, Refusal)
    assert answer.check == "price-range"


@pytest.mark.parametrize("symbol", ["BTCUSDT", "1000PEPEUSDT", "1000000MOGUSDT", "JSTUSDT"])
def test_adding_to_a_position_stays_within_the_bracket(symbol: str) -> None:
    contract, mark = CONTRACTS[symbol], LISTED[symbol][1]
    for side in Side:
        market = Market(contract, mark, 20)
        for usd in (D(60_000), D(10**8), D(10**8), D(10**8)):
            plan = market.plan(side, usd)
            if isinstance(plan, Refusal):
                assert "20x" in plan.measured, plan
                break
            market.send(plan)
            held_usd = abs(market.held) * max(mark, plan.price or ZERO)
            assert held_usd <= LeverageTable(contract, 20, D(2)).largest(20)
        market.protect()
        market.flatten()


def test_a_wider_collar_passes_too() -> None:
    for symbol in ("BTCUSDT", "XRPUSDT", "KSMUSDT", "MAVUSDT"):
        contract = CONTRACTS[symbol]
        made = attrs.evolve(SETTINGS, order=attrs.evolve(SETTINGS.order, collar_pct=D(5)))
        for mark in marks(contract):
            for side in Side:
                market = Market(contract, mark, 20)
                now = situation(
                    quotes={symbol: quote(symbol, mark)}, contracts={symbol: contract},
                    leverage={symbol: 20}, margin_available_usd=ENOUGH,
                )  # fmt: skip
                wish = EntryWish(symbol=symbol, side=side, wish=(D(200_000), "trigger"))
                plan = decide(wish, market.story.book, now, made)
                assert isinstance(plan, OrderPlan)
                market.send(plan)
                market.flatten()
