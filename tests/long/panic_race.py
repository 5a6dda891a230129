"""Panic raced against entries: whatever is on its way, the end is flat and nothing comes after.

    python -m tests.long.panic_race [COUNT] [FIRST_SEED]

Each seed is a daemon in virtual time with news, lost and late replies, a cut
of the order connection and a panic, all at instants drawn within one window.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import trio
from loguru import logger

from lowcap.core.facts import HoldPlaced, OrderIntended, OrderUpdated, Record
from lowcap.core.messages import Purpose
from lowcap.core.order import Status
from lowcap.handlers import Commands
from lowcap.paper.faults import Fault, Faults
from lowcap.settings import Settings
from tests.daemon.stage import (
    Stage,
    ask,
    in_virtual_time,
    parts_of,
    protected,
    records,
    settings_for,
    until,
)

COINS = ("KAITO", "PENDLE", "UNI", "AAVE", "ARB")
WINDOW_S = 1.2
WATCHED_S = 4.0
PLACE, CANCEL = "order.place", "order.cancel"


def race_settings(folder: Path) -> Settings:
    """One feed, and more entries a second than one panic can meet."""
    settings = settings_for(folder)
    limits = attrs.evolve(settings.limits, entries_per_s_max=20)
    return attrs.evolve(settings, feed={"tokyo": settings.feed["tokyo"]}, limits=limits)


class Race:
    """One seed: what is drawn, what happens, and what is wrong with it."""

    def __init__(self, stage: Stage, commands: Commands, seed: int) -> None:
        self.stage = stage
        self.commands = commands
        self._chance = random.Random(seed)

    async def run(self) -> None:
        """Hold something, or nothing; then everything at once; then look for a while."""
        stage, chance = self.stage, self._chance
        await trio.sleep(8)
        coins = chance.sample(COINS, 4)
        if chance.random() < 0.5:
            stage.feeds.send("tokyo", stage.upbit(coins[3], number=99))
            await until(lambda: protected(stage, f"{coins[3]}USDT"), 5)
        stage.exchange.replace_faults(self._faults())
        async with trio.open_nursery() as nursery:
            for number, coin in enumerate(coins[: chance.choice((1, 2, 3))]):
                nursery.start_soon(self._news, coin, number, chance.uniform(0, WINDOW_S))
            nursery.start_soon(self._panic, chance.uniform(0, WINDOW_S))
        self._must_be_empty("when panic said flat")
        with trio.move_on_after(WATCHED_S):
            while True:
                await trio.sleep(0.05)
                self._must_be_empty("later")
        stage.exchange.replace_faults(Faults())
        desk = parts_of(self.commands).desk
        await until(lambda: not desk.book.unknown_orders(), 30)
        await until(lambda: not desk.book.open_positions(), 30)
        self._must_be_empty("at the end")
        assert desk.state() == "HALTED"

    def _faults(self) -> Faults:
        """Late and lost, on the way there and back, and sometimes a cut in the middle."""
        chance = self._chance
        delays: dict[str, list[int]] = {}
        for method in (PLACE, CANCEL):
            low = chance.choice((0, 50, 400, 700, 900))
            delays[method] = [low, low + chance.choice((0, 20, 300))]
        script: list[Fault] = []
        if chance.random() < 0.15:
            down_s = chance.uniform(0, WINDOW_S)
            script.append(Fault(kind="cut", route="api", after_s=down_s, for_s=0.6))
        if chance.random() < 0.3:
            script.append(Fault(kind="drop-event", for_s=WINDOW_S))
        if chance.random() < 0.2:
            script.append(Fault(kind="unknown-error", method=PLACE, count=2))
        if chance.random() < 0.2:
            script.append(Fault(kind="delay-event", for_s=2, delay_ms=[0, 1_500]))
        return Faults(
            request_delay_ms={name: delays[name] for name in delays if chance.random() < 0.7},
            reply_delay_ms={name: [0, chance.choice((0, 100, 1_500))] for name in delays},
            lose_replies={PLACE: chance.choice((0, 0, 1, 2)), CANCEL: chance.choice((0, 0, 1))},
            lose_requests={PLACE: chance.choice((0, 0, 0, 1))},
            fault=script,
        )

    async def _news(self, coin: str, number: int, after_s: float) -> None:
        await trio.sleep(after_s)
        self.stage.feeds.send("tokyo", self.stage.upbit(coin, number=number))

    async def _panic(self, after_s: float) -> None:
        await trio.sleep(after_s)
        closed = await ask(self.commands, "panic", confirm=True, reason="race")
        assert closed["flat"], closed

    def _must_be_empty(self, when: str) -> None:
        exchange = self.stage.exchange
        held = {coin: self.stage.qty(f"{coin}USDT") for coin in COINS}
        assert not any(held.values()), f"{when}: holds {held}"
        resting = [o.client_id for o in exchange.book.open_orders()]
        resting += [a.client_id for a in exchange.algos.open_algos()]
        assert not resting, f"{when}: orders {resting}"


def judge(found: list[Record]) -> Counter[str]:
    """No entry after the hold of the panic; what was still on its way when it came, counted."""
    hold = next(r.seq for r in found if isinstance(r.body, HoldPlaced) and r.body.name == "panic")
    entries = {
        r.body.client_id: r.seq
        for r in found
        if isinstance(r.body, OrderIntended) and r.body.purpose is Purpose.ENTRY
    }
    late = [name for name, seq in entries.items() if seq > hold]
    assert not late, f"entries after the hold: {late}"
    ended = {
        r.body.client_id: r
        for r in reversed(found)
        if isinstance(r.body, OrderUpdated) and r.body.client_id in entries
        and Status(r.body.status) not in (Status.WORKING, Status.PARTLY_FILLED)
    }  # fmt: skip
    counts: Counter[str] = Counter(entries=len(entries))
    for name in entries:
        end = ended.get(name)
        if end is None or end.seq > hold:
            counts["in flight"] += 1
            if end is not None and isinstance(end.body, OrderUpdated):
                counts[f"in flight, then {end.body.status}"] += 1
    refused = [r.body for r in found if r.kind == "Refused" and r.seq > hold]
    counts["refused after it"] = len(refused)
    return counts


def play(seed: int) -> Counter[str]:
    """One seed; raises AssertionError where something is wrong, naming the seed."""
    with tempfile.TemporaryDirectory(prefix="lowcap-race-") as name:
        folder = Path(name)

        async def main(stage: Stage) -> None:
            async with stage.daemon() as commands:
                await Race(stage, commands, seed).run()

        try:
            in_virtual_time(main, folder, race_settings(folder / "state"), seed=seed)
            return judge(records(folder))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {_leaf(error)!r}") from error


def _quiet() -> None:
    logger.remove()


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def play_many(count: int, first: int, tell: Callable[[str], Any]) -> Counter[str]:
    """Seeds ``first`` onwards on two processors; the first that fails ends it."""
    total: Counter[str] = Counter()
    started_s = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=_quiet) as pool:
        for done, counts in enumerate(pool.map(play, range(first, first + count), chunksize=5), 1):
            total += counts
            if done % 50 == 0:
                tell(f"{done:>5} seeds, {total['in flight']} entries in flight, "
                     f"{time.monotonic() - started_s:.0f} s")  # fmt: skip
    return total


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    started_s = time.monotonic()
    total = play_many(count, first, lambda line: print(line, flush=True))
    print(f"{count} seeds in {time.monotonic() - started_s:.0f} s: flat at the end of each, no "
          "entry after the hold")  # fmt: skip
    for what, number in sorted(total.items()):
        print(f"  {number:>5} {what}")
    if count >= 100 and total["in flight"] < count // 10:
        sys.exit("too few entries were in flight for this to prove anything")


if __name__ == "__main__":
    main()
