"""Positions in a rough market, in virtual time: is there always a stop, and does all add up?

    python -m tests.long.protection [SESSIONS [FIRST_SEED]]

Each session is a whole daemon with up to three positions, entered by hand on
either side, some in part. For a minute prices jump by up to 40 per cent,
stops are refused, answered late or not at all, or cancelled elsewhere, legs
vanish, positions are added to, closed in part, and their stops are moved.
Watched at the exchange, twenty times a second: a position without a stop for
longer than the deadline that is not being closed, a stop that moved away from
the market by itself, a position that turned round in one execution; at the
end: a ladder that is not the position, and belief that is not the exchange's.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio
from loguru import logger
from msgspec import Struct, field

from lowcap.core.errors import LowcapError
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO, floor_to_step
from lowcap.core.order import Order
from lowcap.execution.desk import Desk
from lowcap.execution.steps import TRIES_MAX
from lowcap.paper.faults import Fault, Faults
from lowcap.settings import Log
from tests.daemon.stage import Stage, ask, in_virtual_time, parts_of, settings_for
from tests.long.fault_matrix import differences
from tests.long.rig import GUARDS_OFF

SYMBOLS = ("KAITOUSDT", "XRPUSDT", "1000PEPEUSDT", "DOGEUSDT", "SOLUSDT")
LOOK_EVERY_S = 0.05
BARE_S_MAX = 3.0 + LOOK_EVERY_S
ROUGH_S = 60.0
SETTLE_S = 15.0


class Session(Struct, kw_only=True):
    """What one session found; ``faults`` is empty where every promise was kept."""

    seed: int
    faults: list[str] = field(default_factory=list)
    happenings: int = 0
    entries: int = 0
    stops: int = 0
    bare_s: float = 0.0


class Eye:
    """Looks at positions and stops at the exchange."""

    def __init__(self, stage: Stage, desk: Desk, session: Session) -> None:
        self._stage = stage
        self._desk = desk
        self._session = session
        self._bare_since: dict[str, float] = {}
        self._stop_at: dict[str, tuple[int, Decimal]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            for symbol in SYMBOLS:
                self._look(symbol)
            await trio.sleep(LOOK_EVERY_S)

    def moved_by_hand(self, symbol: str) -> None:
        """An operator moved the stop: what it was does not count any more."""
        self._stop_at.pop(symbol, None)

    def _look(self, symbol: str) -> None:
        qty = self._stage.qty(symbol)
        side = "SELL" if qty > ZERO else "BUY"
        stops = [
            algo
            for algo in self._stage.exchange.algos.open_algos(symbol)
            if algo.side == side and (algo.close_position or algo.qty >= abs(qty))
        ]
        self._count_bare(symbol, qty == ZERO or bool(stops) or symbol in self._desk.closing)
        if qty == ZERO or not stops:
            return
        sign = 1 if qty > ZERO else -1
        tightest = max((a.trigger_price for a in stops), key=lambda price: price * sign)
        position = self._desk.book.position(symbol)
        life = position.opened_seq
        # One that an operator loosened goes there when the venue takes it, and stays.
        before = self._stop_at.get(symbol) if position.trails else None
        if before is not None and before[0] == life and (tightest - before[1]) * sign < ZERO:
            self._session.faults.append(f"{symbol}: stop went from {before[1]} to {tightest}")
        self._stop_at[symbol] = (life, tightest)

    def _count_bare(self, symbol: str, safe: bool) -> None:
        if safe:
            self._bare_since.pop(symbol, None)
            return
        now_s = trio.current_time()
        bare_s = now_s - self._bare_since.setdefault(symbol, now_s)
        self._session.bare_s = max(self._session.bare_s, bare_s)
        if bare_s > BARE_S_MAX:
            self._session.faults.append(f"{symbol}: without a stop for {bare_s:.2f} s")
            del self._bare_since[symbol]


class Rough:
    """What happens to the market, the venue and the positions."""

    def __init__(self, stage: Stage, commands: Any, chance: random.Random, eye: Eye) -> None:
        self._stage = stage
        self._commands = commands
        self._chance = chance
        self._eye = eye
        self._symbols = chance.sample(SYMBOLS, chance.randint(1, 3))
        self._side = {symbol: chance.choice(("long", "short")) for symbol in self._symbols}

    async def enter(self, symbol: str) -> None:
        """Trade by hand; the gate may say no."""
        usd = self._chance.choice((60, 2_000, 25_000, 150_000))
        with suppress(LowcapError, trio.TooSlowError):
            await ask(
                self._commands,
                "trade",
                symbol=symbol,
                side=self._side[symbol],
                usd=usd,
                confirm=True,
            )

    async def begin(self) -> None:
        """The first entries."""
        for symbol in self._symbols:
            await self.enter(symbol)

    async def happen(self, nursery: trio.Nursery) -> None:
        """One thing to one symbol."""
        symbol = self._chance.choice(self._symbols)
        what: Callable[[str], Any] = self._chance.choice(
            (
                *(self._drift, self._drift, self._drift, self._gap, self._stop_trouble),
                *(self._stop_trouble, self._stop_vanishes, self._leg_vanishes, self.enter),
                *(self._close_share, self._move_stop),
            )
        )
        nursery.start_soon(what, symbol)
        await trio.sleep(self._chance.uniform(0.05, 4))

    async def _drift(self, symbol: str) -> None:
        # Mostly with the position, so that legs fill and stops follow.
        towards = 1 if self._side[symbol] == "long" else -1
        pct = self._chance.uniform(-1, 2.2) * towards
        for _ in range(3):
            self._move(symbol, pct / 3)
            await trio.sleep(0.4)

    async def _gap(self, symbol: str) -> None:
        await trio.lowlevel.checkpoint()
        self._move(symbol, self._chance.uniform(5, 40) * self._chance.choice((-1, 1)))

    def _move(self, symbol: str, pct: float) -> None:
        board = self._stage.exchange.board
        board.set_price(symbol, board.quotes[symbol].mark * (1 + Decimal(f"{pct:.4f}") / 100))

    async def _stop_trouble(self, symbol: str) -> None:
        await trio.lowlevel.checkpoint()
        kind: Any = self._chance.choice(
            (
                *("overload", "unavailable", "lose-request", "lose-reply", "delay-reply"),
                *("delay-request", "timeout", "unknown-error", "disconnected"),
            )
        )
        fault = Fault(
            kind=kind,
            method="algoOrder.place",
            count=self._chance.randint(1, 3),
            delay_ms=[300, 2_500],
            executed=self._chance.random() < 0.5,
        )
        share = {s: Decimal(self._chance.choice(("1", "0.4"))) for s in self._symbols}
        self._stage.exchange.replace_faults(Faults(fault=[fault], fill_share=share))

    async def _stop_vanishes(self, symbol: str) -> None:
        await trio.lowlevel.checkpoint()
        for algo in self._stage.exchange.algos.open_algos(symbol):
            self._cancel("algoOrder.cancel", {"clientAlgoId": algo.client_id})

    async def _leg_vanishes(self, symbol: str) -> None:
        await trio.lowlevel.checkpoint()
        for order in self._stage.exchange.book.open_orders(symbol)[:1]:
            self._cancel("order.cancel", {"symbol": symbol, "origClientOrderId": order.client_id})

    def _cancel(self, method: str, params: dict[str, str]) -> None:
        self._stage.exchange.call(method, params, self._stage.now_ms())
        self._stage.server.send_events()

    async def _close_share(self, symbol: str) -> None:
        pct = self._chance.choice((10, 33, 50, 100))
        with suppress(LowcapError, trio.TooSlowError):
            await ask(self._commands, "close", symbol=symbol, pct=pct, confirm=True)

    async def _move_stop(self, symbol: str) -> None:
        self._eye.moved_by_hand(symbol)
        with suppress(LowcapError, trio.TooSlowError):
            await ask(
                self._commands,
                "stop",
                action="move",
                symbol=symbol,
                price=f"{self._chance.choice((1, 2, 3))}%",
                loosen=self._chance.random() < 0.3,
            )
        self._eye.moved_by_hand(symbol)


async def play(stage: Stage, session: Session) -> None:
    """One session."""
    chance = random.Random(session.seed)
    async with stage.daemon() as commands:
        desk = parts_of(commands).desk
        eye = Eye(stage, desk, session)
        rough = Rough(stage, commands, chance, eye)
        async with trio.open_nursery() as watching:
            watching.start_soon(eye.run)
            await rough.begin()
            async with trio.open_nursery() as nursery:
                until_s = trio.current_time() + ROUGH_S
                while trio.current_time() < until_s:
                    await rough.happen(nursery)
                    session.happenings += 1
            stage.exchange.replace_faults(Faults())
            await trio.sleep(SETTLE_S)
            _judge_end(stage, desk, session)
            watching.cancel_scope.cancel()
        orders = stage.exchange.state.orders.values()
        session.entries = sum(o.client_id.endswith("-e") and o.executed > ZERO for o in orders)
        session.stops = sum(a.client_id.endswith("-s") for a in stage.exchange.state.algos.values())


def _judge_end(stage: Stage, desk: Desk, session: Session) -> None:
    """After the dust has settled: belief, ladders, and whether anything ever turned round."""
    differing = differences(desk, stage)
    if differing:
        session.faults.append(f"belief: {differing}")
    for symbol in SYMBOLS:
        held = floor_to_step(abs(stage.qty(symbol)), stage.exchange.contracts[symbol].step)
        legs = [o for o in stage.exchange.book.open_orders(symbol) if o.reduce_only]
        claimed = sum((o.remaining for o in legs), ZERO)
        if claimed != held and not (claimed < held and _ladder_is_used_up(desk, symbol)):
            session.faults.append(f"{symbol}: legs of {claimed} for a position of {held}")
    qty: dict[str, Decimal] = {}
    for trade in stage.exchange.state.trades:
        before = qty.get(trade.symbol, ZERO)
        qty[trade.symbol] = before + (trade.qty if trade.side == "BUY" else -trade.qty)
        if before * qty[trade.symbol] < ZERO:
            session.faults.append(f"{trade.symbol}: turned round by {trade.client_id}")


def _ladder_is_used_up(desk: Desk, symbol: str) -> bool:
    """Every leg was filled, or refused as often as it is tried: the stop guards the rest."""
    position = desk.book.position(symbol)
    orders = [
        o
        for o in desk.book.orders_of(symbol)
        if o.purpose is Purpose.TAKE_PROFIT and o.seq >= position.opened_seq
    ]
    legs = {f"t{n}" for n in range(1, 1 + len(desk.protections.of(symbol).ladder))}
    return all(_is_used_up([o for o in orders if o.leg == leg]) for leg in legs)


def _is_used_up(orders: list[Order]) -> bool:
    failed = [o for o in orders if o.status in ("rejected", "denied", "expired")]
    live = [o for o in orders if not o.is_final]
    return bool(live) or any(o.status == "filled" for o in orders) or len(failed) >= TRIES_MAX


def run_session(folder: Path, seed: int) -> Session:
    """Play one session in ``folder``."""
    session = Session(seed=seed)

    async def main(stage: Stage) -> None:
        await play(stage, session)

    base = settings_for(folder / "state")
    limits = attrs.evolve(
        base.limits, entries_per_min_max=1_000, entries_per_s_max=100, **GUARDS_OFF
    )
    settings = attrs.evolve(base, log=Log(level="error"), limits=limits)
    in_virtual_time(main, folder, settings, seed=seed)
    return session


def main() -> int:
    """Run the sessions and print what they found; 1 where a promise was broken."""
    logger.remove()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    broken: list[Session] = []
    total = Session(seed=0)
    began_s = time.monotonic()
    for number, seed in enumerate(range(first, first + count), start=1):
        with tempfile.TemporaryDirectory(prefix="lowcap-protection-") as folder:
            session = run_session(Path(folder), seed)
        total.happenings += session.happenings
        total.entries += session.entries
        total.stops += session.stops
        total.bare_s = max(total.bare_s, session.bare_s)
        if session.faults:
            broken.append(session)
            print(f"seed {seed}: " + "; ".join(session.faults[:5]), flush=True)
        if number % 25 == 0 or number == count:
            print(f"{number:>4} sessions, {time.monotonic() - began_s:.0f} s", flush=True)
    print(
        f"{total.entries} entries, {total.stops} stops, {total.happenings} happenings; "
        f"bare and not closing for {total.bare_s:.2f} s at most; {len(broken)} sessions broken"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
