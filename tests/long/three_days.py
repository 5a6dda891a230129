"""Seventy-two hours of random trading, cuts and expired keys in virtual time, played twice.

    python -m tests.long.three_days [HOURS] [SEED]

Both runs must write the same ledger to the last byte, miss no event of the
exchange, and never differ from it. Between trades prices tick every ten
seconds and the daemon looks at its deadlines every two.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs
import trio
from loguru import logger

from lowcap.core.facts import Filled, OrderUpdated, Reconciled
from lowcap.core.order import FINAL, VENUE_STATUS, Status
from lowcap.execution import keeper, watch
from lowcap.ledger import writer
from lowcap.ledger.record import decode_line
from lowcap.ledger.replay import day_files
from lowcap.paper.faults import Fault, Faults
from lowcap.settings import Log, Settings
from tests.daemon.stage import (
    Stage,
    ask,
    in_virtual_time,
    is_ready,
    parts_of,
    protected,
    settings_for,
    until,
)
from tests.long.fault_matrix import differences
from tests.long.rig import GUARDS_OFF

COINS = ("KAITO", "PENDLE", "ARB", "OP", "SUI", "APT", "INJ", "TIA", "SEI", "LINK")
HOUR_S = 3_600
IDLE_TICK_S = 10.0
OPEN_MAX = 5
UPSETS = ("cut", "cut", "expire-key", "half-open")
ROUTES = ("api", "private", "market", "")
# Half-open connections are found by a ping, every 10 s and 10 s to wait.
SETTLE_S = 25.0


def day_settings(folder: Path) -> Settings:
    """One feed, cool-downs of a minute, room for the losses of a random walk."""
    settings = settings_for(folder)
    tokyo = {"tokyo": settings.feed["tokyo"]}
    triggers = tuple(attrs.evolve(t, cooldown_s=60) for t in settings.trigger if "tokyo" in t.feeds)
    limits = attrs.evolve(settings.limits, day_loss_usd_max=Decimal(10**9), **GUARDS_OFF)
    return attrs.evolve(
        settings, feed=tokyo, trigger=triggers, limits=limits, log=Log(level="error")
    )


class Days:
    """Trades by chance and keeps the list of what the exchange told."""

    def __init__(self, stage: Stage, commands: Any, seed: int) -> None:
        self.stage = stage
        self.commands = commands
        self.desk = parts_of(commands).desk
        self.told: list[dict[str, Any]] = []
        self.did: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._number = 0
        take = stage.exchange.take_events

        def heard() -> list[Any]:
            events = take()
            self.told += [e["o"] for e in events if e["e"] == "ORDER_TRADE_UPDATE"]
            return events

        stage.exchange.take_events = heard  # type: ignore[method-assign]

    async def run(self, hours: float) -> None:
        """Trade, wait, be cut off, for so many hours."""
        ends_s = trio.current_time() + hours * HOUR_S
        while trio.current_time() < ends_s:
            self._upset()
            with self._slowly():
                await trio.sleep(self._chance.uniform(300, 1_800))
            await trio.sleep(IDLE_TICK_S + 2)  # an entry wants a price of the last seconds
            await until(lambda: is_ready(self.commands), 120)
            await self._trade()
            gc.collect()
            await trio.sleep(SETTLE_S)
            assert not differences(self.desk, self.stage), differences(self.desk, self.stage)
        await ask(self.commands, "close", all=True, confirm=True)
        await trio.sleep(SETTLE_S)

    @contextmanager
    def _slowly(self) -> Iterator[None]:
        """Coarser time while nothing is to be traded."""
        names = (
            (watch, "TICK_S", 2.0),
            (watch, "PRICES_SILENT_MS", 15_000),
            (keeper, "RECONCILE_EVERY_S", 60.0),
            (writer, "SYNC_EVERY_S", 2.0),
            (self.stage.server, "_tick_s", IDLE_TICK_S),
        )
        usual = [(room, name, getattr(room, name)) for room, name, _ in names]
        for room, name, value in names:
            setattr(room, name, value)
        try:
            yield
        finally:
            for room, name, value in usual:
                setattr(room, name, value)

    def _upset(self) -> None:
        """Something for the idle time: a cut, an expired key, a connection gone deaf."""
        kind, route = self._chance.choice(UPSETS), self._chance.choice(ROUTES)
        if kind == "expire-key":
            route = ""
        fault = Fault(kind=kind, route=route, after_s=self._chance.uniform(0, 300))  # type: ignore[arg-type]
        self.stage.exchange.replace_faults(Faults(fault=[fault]))
        self.did[kind] += 1

    async def _trade(self) -> None:
        """One signal, and one of the ways in which a position goes on."""
        coin = self._chance.choice(COINS)
        symbol = f"{coin}USDT"
        self._number += 1
        self.stage.feeds.send("tokyo", self.stage.upbit(coin, number=self._number))
        with trio.move_on_after(10):
            await until(lambda: protected(self.stage, symbol), 60)
        way = self._chance.choice(("stop", "ladder", "close", "share", "keep", "keep"))
        self.did[way] += 1
        if way == "stop":
            self._move(symbol, "-0.04")
        elif way == "ladder":
            self._move(symbol, "0.025")
        elif way in ("close", "share") and self.stage.qty(symbol):
            pct = {"pct": 50} if way == "share" else {}
            await ask(self.commands, "close", symbol=symbol, confirm=True, **pct)
        if len(self.desk.book.open_positions()) > OPEN_MAX:
            await ask(self.commands, "close", all=True, confirm=True)

    def _move(self, symbol: str, by: str) -> None:
        board = self.stage.exchange.board
        board.set_price(symbol, board.quotes[symbol].mark * (1 + Decimal(by)))

    def judge(self, found: list[Any]) -> dict[str, int]:
        """No event lost: fills once each, every order's end known; no comparison ever differed."""
        fills = Counter(f.trade_id for f in found if isinstance(f, Filled))
        trades = Counter(o["t"] for o in self.told if o["x"] == "TRADE")
        assert fills == trades, (fills - trades, trades - fills)
        ends = {
            f.client_id: Status(f.status)
            for f in found
            if isinstance(f, OrderUpdated) and Status(f.status) in FINAL
        }
        for body in self.told:
            status = VENUE_STATUS[body["X"]]
            if status in FINAL:
                assert ends.get(body["c"]) is status, body
        wrong = [f for f in found if isinstance(f, Reconciled) and not f.clean]
        assert not wrong, wrong[:3]
        return {"events": len(self.told), "fills": len(fills), **self.did}


class _Unshuffled(random.Random):
    """Leaves every batch of tasks as it is."""

    def shuffle(self, x: Any) -> None:
        """Change nothing."""


@contextmanager
def _repeatable() -> Iterator[None]:
    """Nothing but the seed decides, and nobody waits for a disk.

    Trio keeps the tasks of a cancelled scope in a set, whose order is that of
    their addresses; sorted batches make it that of their birth, and nothing is
    drawn for them, since one batch more would change every draw after it. The
    collector of garbage wakes Trio where it finds a generator: it comes when it
    is called.
    """
    from trio._core import _run

    usual = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r, os.fdatasync
    _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r = True, _Unshuffled()
    os.fdatasync = lambda fd: None  # type: ignore[assignment]
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r, os.fdatasync = usual


def play(folder: Path, hours: float, seed: int) -> tuple[bytes, dict[str, int]]:
    """The ledger of so many hours, and what happened in them."""
    folder.mkdir()
    kept: list[Days] = []

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            days = Days(stage, commands, seed)
            kept.append(days)
            await days.run(hours)

    with _repeatable():
        in_virtual_time(main, folder, day_settings(folder / "state"), seed=seed)
    ledger = b"".join(path.read_bytes() for path in day_files(folder / "state" / "ledger"))
    # Line by line: a start-up would read the newest day only.
    return ledger, kept[0].judge([decode_line(line).body for line in ledger.splitlines()])


def _played(folder: Path, hours: float, seed: int) -> tuple[bytes, dict[str, int]]:
    logger.remove()
    return play(folder, hours, seed)


def main() -> None:
    """Play twice at once, each in a process with its own hash seed, and compare."""
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 72.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    started_s = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="lowcap-days-") as name,
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool,
    ):
        runs = [pool.submit(_played, Path(name) / run, hours, seed) for run in ("one", "two")]
        (first, counts), (second, _) = (run.result() for run in runs)
    print(f"{hours:g} hours in {time.monotonic() - started_s:.0f} s: {counts}")
    assert first == second, "the ledgers differ"
    print(f"no event lost, no mismatch; two ledgers of {len(first)} bytes, equal")


if __name__ == "__main__":
    main()
