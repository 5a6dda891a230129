"""What a decision costs: the gate with many positions open, and a look-up of leverage.

    python -m bench.gate [--json FILE]

The whole step from a wish to a plan, situation included, as ``risk`` in the
stages of an order. Beside it the plain way: the same positions in a list of
floats, added up for each of the limits. Leverage is looked up in its table, and
the plain way is to go down from the highest until the rule holds.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import random
import statistics
import tempfile
import time
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from lowcap.binance.sign import HmacSigner
from lowcap.binance.venue import Venue, VenueUrls
from lowcap.config import from_tree, shipped
from lowcap.core import facts
from lowcap.core.clock import SystemClock, now_ms
from lowcap.core.contract import Contract
from lowcap.core.messages import OrderPlan, Purpose, Quote
from lowcap.core.money import Side
from lowcap.execution.desk import Desk
from lowcap.ledger.replay import replay
from lowcap.ledger.writer import Ledger
from lowcap.net.http import HttpxPort
from lowcap.net.net import MemoryNet
from lowcap.paper.contracts import listed_contracts
from lowcap.risk.book import Book
from lowcap.risk.gate import EntryWish
from lowcap.risk.leverage import LeverageTable, plan_leverage
from lowcap.settings import Settings

POSITIONS = (0, 10, 40)
ROUNDS, PER_ROUND = 40, 100
USD, WISH = 10_000, (Decimal(10_000), "trigger")
LISTED = listed_contracts()
SYMBOLS = [symbol for symbol in LISTED if symbol != "BTCUSDT"]
WANTED = SYMBOLS[60:80]
Decision = Callable[[str], object]


def settings() -> Settings:
    """The shipped configuration with room for as many positions as are open here."""
    tree = tomllib.loads(shipped("config.toml").read_text(), parse_float=Decimal)
    made = from_tree(tree)
    return attrs.evolve(made, limits=attrs.evolve(made.limits, open_positions_max=100))


def desk_with(positions: int, folder: Path) -> Desk:
    """A desk as it stands with so many positions, each with its stop and ladder."""
    net, clock, book = MemoryNet(), SystemClock(), Book()
    ledger = Ledger(folder, clock, replay(folder, book.apply))
    http, urls = HttpxPort(net), VenueUrls("http://x", "ws://x", "ws://x")
    signer = HmacSigner("bench-key", "bench-secret")
    venue = Venue(net, http, http, urls, signer, clock, random.Random(1))
    desk = Desk(ledger, book, settings(), clock, venue)
    venue.contracts = {symbol: contract for symbol, (contract, _) in LISTED.items()}
    venue.wallet_usdt = Decimal(1_000_000)
    venue.filters_ms = venue.brackets_ms = now_ms(clock)
    desk.prepare_tables()
    venue.leverage = plan_leverage(
        venue.contracts, desk.settings, desk.tables, desk.protections.stop_pct
    )
    for symbol in SYMBOLS[:positions]:
        open_position(desk, symbol)
    # All of it was a while ago, as were more entries than anybody counts.
    book.state.guards.entries_ms[:] = [now_ms(clock) - 3_600_001] * 1_000
    return desk


def open_position(desk: Desk, symbol: str) -> None:
    """A filled entry with a stop and three legs at rest, told as the venue would."""
    contract, price = LISTED[symbol]
    qty = max(Decimal(USD) / price // contract.step, Decimal(1)) * contract.step
    entry = _intend(desk, symbol, Purpose.ENTRY, "e", qty, price)
    at_ms = desk.now_ms()
    desk.record(
        facts.Filled(
            client_id=entry, symbol=symbol, side=Side.BUY, trade_id=1, qty=qty, price=price,
            venue_ms=at_ms,
        )
    )  # fmt: skip
    desk.record(
        facts.OrderUpdated(client_id=entry, status="filled", source="bench", executed_qty=qty)
    )
    for purpose, leg in (
        (Purpose.STOP, "s"),
        *((Purpose.TAKE_PROFIT, f"t{number}") for number in (1, 2, 3)),
    ):
        name = _intend(desk, symbol, purpose, leg, qty, price)
        desk.record(facts.OrderUpdated(client_id=name, status="working", source="bench"))


def _intend(
    desk: Desk, symbol: str, purpose: Purpose, leg: str, qty: Decimal, price: Decimal
) -> str:
    name = f"lcd-1-{desk.ledger.next_seq}-{leg}"
    desk.record(
        facts.OrderIntended(
            client_id=name, symbol=symbol, purpose=purpose, type="LIMIT", leg=leg,
            side=Side.BUY if purpose is Purpose.ENTRY else Side.SELL,
            recv_window_ms=1_000, timestamp_ms=desk.now_ms(), qty=qty, price=price,
        )
    )  # fmt: skip
    return name


def fresh_prices(desk: Desk) -> None:
    """Marks of this instant."""
    at_ms = desk.now_ms()
    for symbol, (_, price) in LISTED.items():
        desk.quotes[symbol] = Quote(symbol=symbol, mark=price, mark_ms=at_ms)


def gate(desk: Desk) -> Decision:
    """Our own way: situation, checks, sizing, plan."""

    def decide(symbol: str) -> object:
        plan = desk.plan(
            EntryWish(symbol=symbol, side=Side.BUY, wish=WISH, trigger="bench", feed="tokyo")
        )
        if not isinstance(plan, OrderPlan):
            raise AssertionError(plan)
        return plan

    return decide


def plain(desk: Desk) -> Decision:
    """The least that the same limits ask for, in floats."""
    held = [
        (p.symbol, float(p.qty), float(LISTED[p.symbol][1])) for p in desk.book.open_positions()
    ]
    limits = desk.settings.limits
    order_max, gross_max = (
        float(limits.order_notional_usd_max),
        float(limits.gross_notional_usd_max),
    )
    position_max, wallet = float(limits.position_notional_usd_max), 1_000_000.0
    prices = {symbol: (float(price), time.time()) for symbol, (_, price) in LISTED.items()}

    def decide(symbol: str) -> object:
        mark, at_s = prices[symbol]
        if time.time() - at_s > 3_600 or len(held) >= limits.open_positions_max:
            raise AssertionError(symbol)
        gross = sum(abs(qty) * price for _, qty, price in held)
        mine = sum(abs(qty) * price for name, qty, price in held if name == symbol)
        free = wallet - sum(abs(qty) * price / 20 for _, qty, price in held)
        usd = min(float(USD), order_max, position_max - mine, gross_max - gross, free * 0.3 * 20)
        return round(usd / mark, 3), round(mark * 1.015, 4)

    return decide


def plain_leverage(contract: Contract, usd: Decimal) -> int:
    """The highest leverage that bracket and stop allow, tried one by one."""
    leverage = contract.leverage_for(usd, 20)
    ratio = contract.maintenance_margin(usd) / usd
    while leverage > 1 and 1 / Decimal(leverage) - ratio < Decimal("0.04"):
        leverage -= 1
    return leverage


def measure() -> dict[str, list[float]]:
    """Microseconds of every single decision, the ways taking turns."""
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="lowcap-bench-") as name:
        desks = {n: desk_with(n, Path(name) / str(n)) for n in POSITIONS}
        ways = [(f"gate, {n} positions", gate(desk), desk) for n, desk in desks.items()]
        ways += [(f"plain, {n} positions", plain(desk), desk) for n, desk in desks.items()]
        for warm_up in (True, *[False] * ROUNDS):
            for way, decide, desk in ways:
                fresh_prices(desk)
                found = [_timed(decide, WANTED[i % len(WANTED)]) for i in range(PER_ROUND)]
                if not warm_up:
                    taken.setdefault(way, []).extend(found)
        for desk in desks.values():
            desk.ledger.close()
    return taken | measure_leverage()


def measure_leverage() -> dict[str, list[float]]:
    """Look-ups of the best leverage and of the largest position, beside the plain way."""
    chance = random.Random(7)
    tables = {symbol: LeverageTable(LISTED[symbol][0], 20, Decimal(2)) for symbol in SYMBOLS}
    asked = [(chance.choice(SYMBOLS), Decimal(chance.randint(10, 4_000_000))) for _ in range(500)]
    ways: dict[str, Callable[[str, Decimal], object]] = {
        "best leverage, table": lambda symbol, usd: tables[symbol].best(usd),
        "best leverage, plain": lambda symbol, usd: plain_leverage(LISTED[symbol][0], usd),
        "largest position, table": lambda symbol, usd: tables[symbol].largest(13),
    }
    for symbol, usd in asked:
        if tables[symbol].best(usd) != plain_leverage(LISTED[symbol][0], usd):
            raise AssertionError(symbol)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for warm_up in (True, *[False] * ROUNDS):
        for way, look_up in ways.items():
            for symbol, usd in asked:
                start_ns = time.perf_counter_ns()
                look_up(symbol, usd)
                end_ns = time.perf_counter_ns()
                if not warm_up:
                    taken[way].append((end_ns - start_ns) / 1_000)
    return taken


def _timed(decide: Decision, symbol: str) -> float:
    start_ns = time.perf_counter_ns()
    decide(symbol)
    return (time.perf_counter_ns() - start_ns) / 1_000


def run() -> dict[str, Any]:
    """Everything that is printed."""
    gc.collect()
    gc.freeze()
    rows = {}
    for name, values in measure().items():
        values.sort()
        rows[name] = {
            "p50": round(statistics.median(values), 2),
            "p99": round(values[int(len(values) * 0.99)], 2),
        }
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    return {"decisions": ROUNDS * PER_ROUND, "machine": machine, "us": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the result here")
    options = parser.parse_args()
    result = run()
    print(f"{result['decisions']} decisions each, {result['machine']}; microseconds")
    print(f"{'':<26}{'p50':>8}{'p99':>8}")
    for name, values in result["us"].items():
        print(f"{name:<26}{values['p50']:>8.2f}{values['p99']:>8.2f}")
    text = json.dumps(result)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
