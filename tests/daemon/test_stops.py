"""Stops from outside: the gate knows at once, the tick makes a hold of it, a resume needs care."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from lowcap.core.errors import CommandError
from lowcap.core.messages import OrderPlan
from lowcap.core.order import Status
from lowcap.core.stopword import StopWord
from lowcap.execution.watch import TICK_S
from lowcap.handlers import Commands
from lowcap.paper.faults import Fault, Faults
from lowcap.risk.gate import EntryWish
from tests.daemon.stage import (
    Stage,
    ask,
    entries,
    in_virtual_time,
    parts_of,
    protected,
    records,
    until,
)


def _word(commands: Commands) -> StopWord:
    return parts_of(commands).desk.stop_word


def _signal(commands: Commands) -> None:
    _word(commands).on_signal(signal.SIGUSR1, None)


def _stop(how: str, stage: Stage, commands: Commands) -> None:
    if how == "SIGUSR1":
        _signal(commands)
    else:
        stage.stop_file.write_text("fire in the building")


def _refusals(folder: Path) -> list[tuple[str, str]]:
    return [(r.body.check, r.body.measured) for r in records(folder) if r.kind == "Refused"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["SIGUSR1", "stop file"])
def test_no_entry_between_the_stop_and_the_next_tick(tmp_path: Path, how: str) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            desk = parts_of(commands).desk
            await trio.sleep(8)
            ticks = parts_of(commands).keeper.ticks
            _stop(how, stage, commands)
            tokyo = next(f.status for f in parts_of(commands).feeds if f.status.name == "tokyo")
            parts_of(commands).flow.on_frame(tokyo, stage.upbit("KAITO"))
            assert parts_of(commands).keeper.ticks == ticks, "all of it before a tick"
            assert desk.state() == "ACTIVE"
            await trio.sleep(2 * TICK_S)
            status = await ask(commands, "status")
            assert status["state"] == "HALTED"
            hold = next(h for h in status["holds"] if h["name"] == "operator-halt")
            assert hold["who"] == how
            assert hold["reason"] == (
                "fire in the building" if how == "stop file" else "stopped by SIGUSR1"
            )
            assert (status["stopped_by"], status["stop_file"]) == (how, str(stage.stop_file))
            await trio.sleep(5)
        assert len([r for r in records(tmp_path) if r.kind == "HoldPlaced"
                    and r.body.name == "operator-halt"]) == 1  # type: ignore[attr-defined]  # fmt: skip

    in_virtual_time(main, tmp_path)
    assert entries(tmp_path) == []
    assert _refusals(tmp_path) == [("stopped-outside", how)]


def test_a_signal_between_gate_and_road_denies_the_entry(tmp_path: Path) -> None:
    """The order is planned, its intent written; then the signal comes."""

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            desk = parts_of(commands).desk
            plan = desk.plan(EntryWish(symbol="KAITOUSDT", side=_long(), wish=_wish()))
            assert isinstance(plan, OrderPlan)
            _signal(commands)
            name = desk.submit(plan, 0, {})
            order = desk.book.orders[name]
            assert (order.status, order.reason) == (Status.DENIED, "stopped by SIGUSR1")
            await trio.sleep(3)
            assert stage.qty("KAITOUSDT") == 0

    in_virtual_time(main, tmp_path)


@pytest.mark.parametrize("how", ["SIGUSR1", "stop file", "halt"])
def test_an_entry_on_its_way_to_the_second_road_is_denied(tmp_path: Path, how: str) -> None:
    """With the order socket down an entry waits for a task: the stop overtakes it."""

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            desk, sent = parts_of(commands).desk, []
            by_rest = desk.spawn_rest

            def hold_back(intent: Any) -> None:
                sent.append(intent)

            desk.spawn_rest = hold_back
            desk.venue.socket._line = None
            plan = desk.plan(EntryWish(symbol="KAITOUSDT", side=_long(), wish=_wish()))
            assert isinstance(plan, OrderPlan)
            name = desk.submit(plan, 0, {})
            if how == "halt":
                await ask(commands, "halt")
            else:
                _stop(how, stage, commands)
            by_rest(sent[0])
            await trio.sleep(3)
            assert desk.book.orders[name].status is Status.DENIED
            assert stage.qty("KAITOUSDT") == 0

    in_virtual_time(main, tmp_path)


def test_the_stop_file_holds_over_a_restart_until_it_is_gone(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(8)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await until(lambda: protected(stage, "KAITOUSDT"), 5)
            stage.stop_file.write_text("look first")
            await trio.sleep(1)
            assert protected(stage, "KAITOUSDT"), "a halt leaves positions and their stops"
            with pytest.raises(CommandError, match="look first") as failure:
                await ask(commands, "resume", reason="too early")
            assert f"rm {stage.stop_file}" in failure.value.hint
        async with stage.daemon(ready=False) as commands:
            await until(lambda: parts_of(commands).keeper.recovered.is_set())
            with pytest.raises(CommandError, match=str(stage.stop_file)):
                await ask(commands, "resume", reason="still there")
            stage.stop_file.unlink()
            assert (await ask(commands, "status"))["state"] == "HALTED", "latched without the file"
            with pytest.raises(CommandError, match="needs a reason"):
                await ask(commands, "resume")
            await ask(commands, "resume", reason="looked")
            await until(lambda: parts_of(commands).desk.state() == "ACTIVE")

    in_virtual_time(main, tmp_path)


def test_a_signal_during_a_resume_is_not_lost(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            _signal(commands)
            with pytest.raises(CommandError, match="being stopped"):
                await ask(commands, "resume", reason="at once")
            await trio.sleep(2 * TICK_S)
            stage.exchange.replace_faults(
                Faults(fault=[Fault(kind="delay-reply", for_s=5, delay_ms=[200])])
            )
            async with trio.open_nursery() as nursery:

                async def resume() -> None:
                    with pytest.raises(CommandError, match="meanwhile"):
                        await ask(commands, "resume", reason="fine again")

                nursery.start_soon(resume)
                await trio.sleep(0.3)
                _signal(commands)
            assert parts_of(commands).desk.state() == "HALTED"
            await trio.sleep(6)
            await ask(commands, "resume", reason="fine at last")
            assert _word(commands).raised() == ""
            await until(lambda: parts_of(commands).desk.state() == "ACTIVE")

    in_virtual_time(main, tmp_path)


def test_a_stop_file_that_says_panic_closes_what_is_ours(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(8)
            stage.feeds.send("tokyo", stage.upbit("KAITO", "PENDLE"))
            for symbol in ("KAITOUSDT", "PENDLEUSDT"):
                await until(lambda s=symbol: protected(stage, s), 5)
            stage.stop_file.write_text("panic: by hand")
            await until(lambda: stage.qty("KAITOUSDT") == stage.qty("PENDLEUSDT") == 0, 10)
            await until(lambda: not parts_of(commands).desk.flattening, 10)
            assert stage.exchange.book.open_orders() == []
            assert stage.exchange.algos.open_algos() == []
            await until(lambda: not parts_of(commands).desk.book.open_positions(), 10)
            assert (await ask(commands, "status"))["state"] == "HALTED"

    in_virtual_time(main, tmp_path)


def _long() -> Any:
    from lowcap.core.money import Side

    return Side.BUY


def _wish() -> Any:
    from decimal import Decimal

    return (Decimal(10_000), "test")
