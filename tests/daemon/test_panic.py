"""Panic: entries stop, everything is closed, flat is proved, and the halt outlives a restart."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from lowcap.core.errors import CommandError
from lowcap.paper.faults import Faults
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

HELD = ("ETHUSDT", "KAITOUSDT", "PENDLEUSDT")


async def _three_positions(stage: Stage) -> None:
    await trio.sleep(8)
    stage.feeds.send("synoptic", stage.payrolls())
    stage.feeds.send("tokyo", stage.upbit("KAITO", "PENDLE"))
    for symbol in HELD:
        await until(lambda s=symbol: protected(stage, s), 5)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(reply_delay_ms={"order.place": [1000, 1000]}),
        Faults(request_delay_ms={"order.place": [900, 900]}),
        Faults(lose_replies={"order.place": 1}),
        Faults(lose_requests={"order.place": 1}),
    ],
    ids=["late reply", "late request", "lost reply", "lost request"],
)
def test_flat_with_an_entry_in_flight(tmp_path: Path, faults: Faults) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await _three_positions(stage)
            stage.exchange.replace_faults(faults)
            stage.feeds.send("tokyo", stage.elon())
            await until(lambda: "BTCUSDT" in {e.symbol for e in entries(tmp_path)}, 1)
            closed = await ask(commands, "panic", confirm=True, reason="test")
            assert closed["flat"]
            assert closed["state"] == "HALTED"
            await trio.sleep(5)
            assert all(stage.qty(symbol) == 0 for symbol in (*HELD, "BTCUSDT"))
            assert stage.exchange.book.open_orders() == []
            assert stage.exchange.algos.open_algos() == []
            stage.exchange.replace_faults(Faults())
            await until(lambda: not parts_of(commands).desk.book.unknown_orders(), 15)
            stage.feeds.send("tokyo", stage.upbit("UNI", number=5))
            await trio.sleep(1)
        async with stage.daemon(ready=False) as commands:
            await until(lambda: parts_of(commands).keeper.recovered.is_set())
            status = await ask(commands, "status")
            assert status["state"] == "HALTED"
            with pytest.raises(CommandError, match="reason"):
                await ask(commands, "resume")
            resumed = await ask(commands, "resume", reason="checked by hand")
            assert "panic" not in resumed["holds"]
            await until(lambda: parts_of(commands).desk.state() == "ACTIVE")
            await until(lambda: len(parts_of(commands).venue.leverage) > 100)
            await trio.sleep(5)
            stage.feeds.send("tokyo", stage.upbit("AAVE", number=6))
            await until(lambda: protected(stage, "AAVEUSDT"), 5)

    in_virtual_time(main, tmp_path)
    refused = [r.body for r in records(tmp_path) if r.kind == "Refused"]
    assert [f.check for f in refused] == ["halted"]  # type: ignore[attr-defined]
    by_symbol = [e.symbol for e in entries(tmp_path)]
    assert sorted(by_symbol) == sorted([*HELD, "BTCUSDT", "AAVEUSDT"])


def test_no_position_is_naked_while_panic_closes_it(tmp_path: Path) -> None:
    naked: list[str] = []

    async def main(stage: Stage) -> None:
        watching = stage.exchange.book

        def watch(event: dict[str, Any]) -> None:
            symbol = event.get("o", {}).get("s")
            ended = event["e"] == "ALGO_UPDATE" and event["o"]["X"] in ("CANCELED", "EXPIRED")
            if ended and watching.position(symbol).qty != 0:
                naked.append(symbol)

        async with stage.daemon() as commands:
            await _three_positions(stage)
            take = stage.exchange.take_events

            def take_and_watch() -> list[dict[str, Any]]:
                events = take()
                for event in events:
                    watch(event)
                return events

            stage.exchange.take_events = take_and_watch  # type: ignore[method-assign]
            closed = await ask(commands, "panic", confirm=True)
            assert closed["flat"]

    in_virtual_time(main, tmp_path)
    assert naked == []


def test_panic_goes_on_when_the_operator_hangs_up(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await _three_positions(stage)
            with trio.move_on_after(0.05):
                await ask(commands, "panic", confirm=True)
            await until(lambda: all(stage.qty(s) == 0 for s in HELD), 10)

    in_virtual_time(main, tmp_path)


def test_panic_interrupted_by_a_crash_is_carried_through(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await _three_positions(stage)
            desk = parts_of(commands).desk
            # The hold is on disk, the flattening never began: as after a crash right there.
            from lowcap.core.messages import TradingState

            desk.place_hold("panic", TradingState.HALTED, "test", "uid 1000")
        async with stage.daemon(ready=False):
            await until(lambda: all(stage.qty(s) == 0 for s in HELD), 30)

    in_virtual_time(main, tmp_path)


def test_foreign_quantity_is_left_alone_and_named(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await _three_positions(stage)
            stage.exchange.call(
                "order.place",
                {
                    "symbol": "SOLUSDT",
                    "side": "BUY",
                    "type": "MARKET",
                    "quantity": "10",
                    "newClientOrderId": "by-hand",
                },
                stage.now_ms(),
            )
            await until(lambda: "SOLUSDT" in parts_of(commands).desk.book.state.foreign, 40)
            with pytest.raises(CommandError, match="SOLUSDT") as failure:
                await ask(commands, "panic", confirm=True)
            assert failure.value.code == "partial"
            assert stage.qty("SOLUSDT") == Decimal(10)
            assert all(stage.qty(symbol) == 0 for symbol in HELD)
            closed = await ask(commands, "panic", confirm=True, all=True)
            assert closed["flat"]
            assert stage.qty("SOLUSDT") == 0

    in_virtual_time(main, tmp_path)


def test_a_damaged_ledger_starts_halted_until_a_person_has_looked(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon():
            await _three_positions(stage)
        path = next((tmp_path / "state" / "ledger").glob("*.log"))
        lines = path.read_bytes().splitlines(keepends=True)
        lines[20] = lines[20].replace(b'"seq"', b'"sEq"')
        path.write_bytes(b"".join(lines))
        async with stage.daemon(ready=False) as commands:
            await until(lambda: parts_of(commands).keeper.recovered.is_set())
            status = await ask(commands, "status")
            assert status["state"] == "HALTED"
            assert any(hold["name"] == "ledger-corrupt" for hold in status["holds"])
            await ask(commands, "halt")
            with pytest.raises(CommandError):
                await ask(commands, "resume")

    in_virtual_time(main, tmp_path)
    assert list((tmp_path / "state" / "ledger").glob("*.bad"))


def test_panic_leaves_the_stops_of_positions_that_it_leaves_open(tmp_path: Path) -> None:
    """As after a lost ledger: positions nobody knows, guarded by stops with our prefix."""

    async def main(stage: Stage) -> None:
        async with stage.daemon():
            await _three_positions(stage)
        (tmp_path / "state" / "ledger").rename(tmp_path / "lost")
        async with stage.daemon(ready=False) as commands:
            await until(lambda: parts_of(commands).keeper.recovered.is_set())
            with pytest.raises(CommandError) as failure:
                await ask(commands, "panic", confirm=True)
            assert failure.value.code == "partial"
            for symbol in HELD:
                assert stage.qty(symbol) != 0
                assert len(stage.exchange.algos.open_algos(symbol)) == 1, symbol
            await ask(commands, "panic", confirm=True, all=True)
            assert all(stage.qty(symbol) == 0 for symbol in HELD)
            resumed = await ask(commands, "resume", reason="looked at the venue")
            assert "panic" not in resumed["holds"]

    in_virtual_time(main, tmp_path)


@pytest.mark.parametrize("method", ["panic", "close"])
def test_thirty_at_once_are_one_and_stay_inside_what_the_venue_allows(
    tmp_path: Path, method: str
) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await _three_positions(stage)
            params = {"confirm": True} | ({"all": True} if method == "close" else {})
            replies: list[bool] = []

            async def ask_once() -> None:
                replies.append((await ask(commands, method, **params))["flat"])

            with trio.fail_after(20):
                async with trio.open_nursery() as nursery:
                    for _ in range(30):
                        nursery.start_soon(ask_once)
            assert replies == [True] * 30
            assert all(stage.qty(symbol) == 0 for symbol in HELD)
            assert "banned" not in parts_of(commands).desk.book.state.holds
            used = parts_of(commands).venue.budget.used(parts_of(commands).venue.venue_ms())
            spent, most = used["weight-60s"].split("/")
            assert int(spent) < int(most)

    in_virtual_time(main, tmp_path)
