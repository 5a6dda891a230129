"""Every fault of the exchange at every step of an order's life, in virtual time, as a table.

    python -m tests.long.fault_matrix [PART_OF_A_NAME ...]

Each cell is a whole daemon with one signal, told twice. Three promises are
checked: one executed entry at most; belief equals the exchange within 15 s
after the last fault; a position is protected or closed within 3 s, counted
from its fill or, where the fault came later, from the fault.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio
from loguru import logger
from msgspec import Struct

from lowcap.core.errors import CommandError
from lowcap.core.money import ZERO
from lowcap.core.order import RESTING
from lowcap.execution.desk import Desk
from lowcap.paper.faults import Fault, Faults
from lowcap.settings import Log
from tests.daemon.stage import (
    Stage,
    ask,
    in_virtual_time,
    parts_of,
    protected,
    settings_for,
    until,
)

SYMBOL = "KAITOUSDT"
STEPS = {
    "entry": ("order.place", "*-e"),
    "stop": ("algoOrder.place", "*-s"),
    "ladder": ("order.place", "*-t[0-9]"),
    "cancel": ("order.cancel", "*"),
    "close": ("order.place", "*-c"),
}
LOOK_EVERY_S = 0.05
BELIEF_WITHIN_S = 15.0
SAFE_WITHIN_S = 3.0 + LOOK_EVERY_S
COARSER = {"step": Decimal(10), "qty_min": Decimal(10), "tick": Decimal("0.001")}
# A script's longest line, its late deliveries and the time to settle after them.
WATCHED_S = 40.0
Make = Callable[[str, str], list[Fault]]


def once(kind: Any, **more: Any) -> Make:
    """One fault at the step's request; ``more`` are further fields of the line."""

    def make(method: str, client_id: str) -> list[Fault]:
        return [Fault(kind=kind, method=method, client_id=client_id, **more)]

    return make


def events(kind: Any, event: str = "", **more: Any) -> Make:
    """A fault of the user stream during the first five seconds."""

    def make(method: str, client_id: str) -> list[Fault]:
        return [Fault(kind=kind, event=event, for_s=5, **more)]

    return make


def both(*makers: Make) -> Make:
    """Several faults at once."""

    def make(method: str, client_id: str) -> list[Fault]:
        return [fault for maker in makers for fault in maker(method, client_id)]

    return make


def lag(for_s: float) -> Make:
    """Queries that know of no order for a while."""

    def make(method: str, client_id: str) -> list[Fault]:
        return [Fault(kind="not-found", for_s=for_s)]

    return make


FAULTS: dict[str, Make] = {
    "none": lambda method, client_id: [],
    "request lost": once("lose-request"),
    "three requests lost": once("lose-request", count=3),
    "reply lost": once("lose-reply"),
    "three replies lost": once("lose-reply", count=3),
    "request 0.7 s late": once("delay-request", delay_ms=[700]),
    "request 3 s late": once("delay-request", delay_ms=[3_000]),
    "reply 3 s late": once("delay-reply", delay_ms=[3_000]),
    "503 unknown, executed": once("unknown-error"),
    "503 unknown, not executed": once("unknown-error", executed=False),
    "503 unavailable": once("unavailable"),
    "503 unavailable, three times": once("unavailable", count=3),
    "-1001 disconnected": once("disconnected"),
    "-1008 overload": once("overload", count=2),
    "-1007 timeout, executed": once("timeout"),
    "-1007 timeout, not executed": once("timeout", executed=False),
    "reply lost, queries lag 4 s": both(once("lose-reply"), lag(4)),
    "request lost, queries lag 4 s": both(once("lose-request"), lag(4)),
    "all events dropped": events("drop-event"),
    "order events dropped": events("drop-event", "ORDER_TRADE_UPDATE"),
    "account events dropped": events("drop-event", "ACCOUNT_UPDATE"),
    "algo events dropped": events("drop-event", "ALGO_UPDATE"),
    "reply lost, events dropped": both(once("lose-reply"), events("drop-event")),
    "every event twice": events("duplicate-event"),
    "events late, out of order": events("delay-event", delay_ms=[0, 3_000]),
    "reply lost, events late": both(
        once("lose-reply"), events("delay-event", delay_ms=[500, 3_000])
    ),
    "half-open order socket": once("half-open", route="api"),
    "half-open user stream": once("half-open", route="private"),
    "half-open everything": once("half-open"),
    "24-hour cut, order socket": once("cut", route="api"),
    "24-hour cut, user stream": once("cut", route="private"),
    "24-hour cut, everything": once("cut"),
    "listen key expired": once("expire-key"),
    "filter change": once("filter-change", symbol=SYMBOL, change=COARSER),
    "delisting": once("delist", symbol=SYMBOL),
}


class Cell(Struct, kw_only=True):
    """One run's findings; times in seconds, negative where nothing had to be waited for."""

    struck: int = 0
    entries: int = 0
    belief_s: float = 0.0
    unsafe_s: float = 0.0
    flat: bool = False
    why: str = ""

    def faults(self) -> list[str]:
        """The promises that were not kept."""
        found = []
        if self.entries > 1:
            found.append(f"{self.entries} entries executed")
        if self.belief_s > BELIEF_WITHIN_S:
            found.append(f"belief differs for {self.belief_s:.1f} s: {self.why}")
        if self.unsafe_s > SAFE_WITHIN_S:
            found.append(f"unprotected for {self.unsafe_s:.1f} s")
        if not self.flat:
            found.append("not flat in the end")
        return found

    def text(self) -> str:
        """The cell in the table."""
        if self.faults():
            return "; ".join(self.faults())
        return f"ok {max(self.belief_s, 0):.1f}/{max(self.unsafe_s, 0):.1f}"


def differences(desk: Desk, stage: Stage) -> str:
    """What of the desk's belief is not so at the exchange; empty where all is."""
    exchange, book = stage.exchange, desk.book
    held = {p.symbol: p.qty for p in exchange.state.positions.values() if p.qty != ZERO}
    seen = {p.symbol: p.qty for p in book.open_positions()}
    own = {s: p.own_qty for s, p in book.state.positions.items() if p.own_qty != ZERO}
    if seen != held or own != held:
        return f"positions {seen}, ours {own}, exchange {held}"
    unknown = {o.client_id for o in book.open_orders() if o.status not in RESTING}
    if unknown:
        return f"in doubt {sorted(unknown)}"
    ours = {o.client_id for o in book.open_orders()}
    there = {o.client_id for o in exchange.book.open_orders()}
    there |= {a.client_id for a in exchange.algos.open_algos()}
    if ours != there:
        return f"orders {sorted(ours - there)} only here, {sorted(there - ours)} only there"
    return ""


class Watch:
    """Looks at exchange and belief twenty times a second."""

    def __init__(self, stage: Stage, desk: Desk) -> None:
        self._stage = stage
        self._desk = desk
        self._unsafe_since_ms = 0
        self._unsafe: list[tuple[int, int]] = []
        self.differs_ms = 0
        self.why = ""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await trio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """One look."""
        at_ms = self._stage.now_ms()
        why = differences(self._desk, self._stage)
        if why:
            self.differs_ms, self.why = at_ms, why
        stops = self._stage.exchange.algos.open_algos(SYMBOL)
        safe = self._stage.qty(SYMBOL) == ZERO or any(a.close_position for a in stops)
        if safe:
            self._unsafe_since_ms = 0
        else:
            self._unsafe_since_ms = self._unsafe_since_ms or at_ms
            self._unsafe.append((self._unsafe_since_ms, at_ms))

    def longest_unsafe_ms(self, struck_ms: int) -> int:
        """The longest time without protection; what a fault held up counts from its end."""
        return max(
            (at_ms - max(since_ms, min(struck_ms, at_ms)) for since_ms, at_ms in self._unsafe),
            default=0,
        )


async def play(stage: Stage, step: str, make: Make) -> Cell:
    """One cell: a signal, the fault at its step, and a close."""
    cell = Cell()
    async with stage.daemon() as commands:
        await trio.sleep(5)
        desk = parts_of(commands).desk
        script = make(*STEPS[step])
        watch = Watch(stage, desk)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.run)
            if step in ("cancel", "close"):
                stage.feeds.send("tokyo", stage.upbit("KAITO"))
                await until(lambda: protected(stage, SYMBOL), 5)
                stage.exchange.replace_faults(Faults(fault=script))
                nursery.start_soon(_close, commands)
            else:
                stage.exchange.replace_faults(Faults(fault=script))
                stage.feeds.send("tokyo", stage.upbit("KAITO"))
                await trio.sleep(1)
            stage.feeds.send("tokyo", stage.upbit("KAITO", number=2))
            await trio.sleep(WATCHED_S)
            _judge(cell, stage, script, watch)
            stage.exchange.replace_faults(Faults())
            if step not in ("cancel", "close"):
                await _close(commands)
                await trio.sleep(1)
            # What a coarser step leaves over, no order can close.
            left = abs(stage.qty(SYMBOL)) < stage.exchange.contracts[SYMBOL].step
            cell.flat = left and not differences(desk, stage)
            nursery.cancel_scope.cancel()
    return cell


async def _close(commands: Any) -> None:
    with suppress(CommandError, trio.TooSlowError):
        await ask(commands, "close", symbol=SYMBOL, confirm=True)


def _judge(cell: Cell, stage: Stage, script: list[Fault], watch: Watch) -> None:
    done = stage.exchange.faults.play
    delays = [f.delay_ms[-1] for f in script if f.kind.startswith("delay")]
    struck_ms = done.newest_ms + max(delays, default=0)
    entered = [o for o in stage.exchange.state.orders.values() if o.client_id.endswith("-e")]
    cell.struck = sum(done.struck.values())
    cell.entries = sum(order.executed > ZERO for order in entered)
    cell.belief_s = (watch.differs_ms - struck_ms) / 1000
    cell.unsafe_s = watch.longest_unsafe_ms(struck_ms) / 1000
    cell.why = watch.why


def run_cell(folder: Path, fault: str, step: str) -> Cell:
    """Play one cell in ``folder``."""
    found: list[Cell] = []

    async def main(stage: Stage) -> None:
        found.append(await play(stage, step, FAULTS[fault]))

    settings = attrs.evolve(settings_for(folder / "state"), log=Log(level="error"))
    in_virtual_time(main, folder, settings)
    return found[0]


def main() -> int:
    """Print the table; the number of cells with a broken promise is the exit status."""
    logger.remove()
    wanted = sys.argv[1:]
    names = [name for name in FAULTS if not wanted or any(word in name for word in wanted)]
    print(f"{'':<32}" + "".join(f"{step:<14}" for step in STEPS))
    broken: list[str] = []
    for name in names:
        print(f"{name:<32}", end="", flush=True)
        for step in STEPS:
            with tempfile.TemporaryDirectory(prefix="lowcap-matrix-") as folder:
                cell = run_cell(Path(folder), name, step)
            if cell.faults():
                broken.append(f"{name}, {step}: {cell.text()}")
            silent = not cell.struck and name != "none"
            shown = "BROKEN" if cell.faults() else "no chance" if silent else cell.text()
            print(f"{shown:<14}", end="", flush=True)
        print()
    print("cells: seconds until belief was right after the fault / unprotected at most")
    print("\n".join(broken) or "every promise kept")
    return min(len(broken), 100)


if __name__ == "__main__":
    sys.exit(main())
