"""Protection of a whole daemon at the exchange: following stops, hands on stops, time, fights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from lowcap.core.errors import CommandError
from lowcap.core.money import ZERO
from lowcap.settings import ProtectGroup
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


def stops_of(stage: Stage) -> list[Any]:
    return stage.exchange.algos.open_algos(SYMBOL)


async def move(stage: Stage, *pcts: str, every_s: float = 2.0) -> None:
    """Move the price, each time by so many per cent of where it started."""
    start = stage.exchange.board.quotes[SYMBOL].mark
    for pct in pcts:
        stage.exchange.board.set_price(SYMBOL, start * (1 + Decimal(pct) / 100))
        await trio.sleep(every_s)


@asynccontextmanager
async def never_bare(stage: Stage) -> AsyncIterator[list[float]]:
    """Looks a hundred times a second how long a position has been without a stop; seconds."""
    bare: list[float] = []

    async def look() -> None:
        since: float | None = None
        while True:
            if stage.qty(SYMBOL) == ZERO or stops_of(stage):
                since = None
            else:
                since = since if since is not None else trio.current_time()
                bare.append(trio.current_time() - since)
            await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        yield bare
        nursery.cancel_scope.cancel()


async def entered(stage: Stage) -> None:
    stage.feeds.send("tokyo", stage.upbit("KAITO"))
    await until(lambda: protected(stage, SYMBOL), 5)


def test_after_the_first_leg_the_stop_follows_and_then_takes_the_rest(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands, never_bare(stage) as bare:
            await entered(stage)
            desk = parts_of(commands).desk
            position = desk.book.position(SYMBOL)
            first, entry = position.stop_price, position.entry_price
            await move(stage, "1")
            assert [s.trigger_price for s in stops_of(stage)] == [first], "not yet"
            await move(stage, "1.2", "1.6", "1.9", every_s=3)
            assert len(stage.exchange.book.open_orders(SYMBOL)) == 2, "one leg is done"
            (stop,) = stops_of(stage)
            assert stop.close_position
            mark = stage.exchange.board.quotes[SYMBOL].mark
            away_pct = (mark - stop.trigger_price) / mark * 100
            assert Decimal("1.45") < away_pct < Decimal("1.75")
            page = await ask(commands, "position", symbol="kaito")
            assert page["follows"]
            assert page["stop_confirmed"]
            await move(stage, "-1", every_s=3)
            assert [s.trigger_price for s in stops_of(stage)] == [stop.trigger_price]
            await move(stage, "-1", every_s=5)
            assert stage.qty(SYMBOL) == ZERO
            assert desk.book.position(SYMBOL).qty == ZERO
            assert desk.book.day_result() > ZERO, "what was won is kept"
            assert stop.trigger_price > entry
            await until(lambda: not stops_of(stage), 5)
        assert max(bare, default=0.0) < 0.5

    in_virtual_time(main, tmp_path, settings_for(tmp_path / "state"))


def test_a_trade_by_hand_its_preview_and_hands_on_its_stop(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            seen = await ask(commands, "long", symbol="kaito", usd=1_000, preview=True)
            assert seen["allowed"]
            assert stage.qty(SYMBOL) == ZERO
            with pytest.raises(CommandError, match=r"BUY .* KAITOUSDT at .* or better") as asked:
                await ask(commands, "long", symbol="kaito", usd=1_000)
            assert asked.value.code == "confirm"
            done = await ask(commands, "trade", symbol="kaito", side="long", usd="1000.5",
                             confirm=True)  # fmt: skip
            assert (done["status"], done["purpose"]) == ("filled", "entry")
            assert 900 < float(done["executed_qty"]) * float(done["average_price"]) <= 1_001
            assert done["stop_price"] is not None
            rows = await ask(commands, "positions")
            assert [(row["symbol"], row["trigger"]) for row in rows] == [(SYMBOL, "manual")]
            with pytest.raises(CommandError, match="opposite-position"):
                await ask(commands, "short", symbol="KAITO", usd=500, confirm=True)
            await move_the_stop(stage, commands)

    in_virtual_time(main, tmp_path, settings_for(tmp_path / "state"))


async def move_the_stop(stage: Stage, commands: Any) -> None:
    mark = stage.exchange.board.quotes[SYMBOL].mark
    moved = await ask(commands, "stop", action="move", symbol="kaito", price="1%")
    assert moved["confirmed"]
    (stop,) = stops_of(stage)
    assert abs(stop.trigger_price / (mark * Decimal("0.99")) - 1) < Decimal("0.001")
    with pytest.raises(CommandError, match="further from the market"):
        await ask(commands, "stop", action="move", symbol="kaito", price="5%")
    with pytest.raises(CommandError, match="would trigger at once"):
        await ask(commands, "stop", action="move", symbol="kaito", price=str(mark * 2))
    loose = await ask(commands, "stop", action="move", symbol="kaito", price="5%", loosen=True)
    assert (loose["confirmed"], loose["follows"]) == (True, False)
    await trio.sleep(1)
    assert [str(s.trigger_price) for s in stops_of(stage)] == [loose["to"]]
    for wrong in ("nan", "-1", "x", "0%"):
        with pytest.raises(CommandError, match="is no price"):
            await ask(commands, "stop", action="move", symbol="kaito", price=wrong)
    with pytest.raises(CommandError, match="no contract"):
        await ask(commands, "position", symbol="nowhere")
    for wrong in ("nan", "0", "1e99", "ten"):
        with pytest.raises(CommandError, match="no amount of dollars"):
            await ask(commands, "long", symbol="kaito", usd=wrong)


def test_a_position_is_closed_when_its_time_is_over(tmp_path: Path) -> None:
    base = settings_for(tmp_path / "state")
    triggers = tuple(
        attrs.evolve(t, time_exit_s=60) if t.id == "upbit_listing" else t for t in base.trigger
    )

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await entered(stage)
            page = await ask(commands, "position", symbol=SYMBOL)
            assert page["closes"] is not None
            await trio.sleep(57)
            assert stage.qty(SYMBOL) != ZERO
            await trio.sleep(5)
            assert stage.qty(SYMBOL) == ZERO
            assert not stops_of(stage)

    in_virtual_time(main, tmp_path, attrs.evolve(base, trigger=triggers))


def test_a_group_of_symbols_has_a_stop_of_its_own(tmp_path: Path) -> None:
    group = ProtectGroup(
        symbols=(SYMBOL,), stop_pct=Decimal(5), ladder=((Decimal(100), Decimal(9)),)
    )
    base = settings_for(tmp_path / "state")

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await entered(stage)
            entry = parts_of(commands).desk.book.position(SYMBOL).entry_price
            (stop,) = stops_of(stage)
            assert abs(stop.trigger_price / (entry * Decimal("0.95")) - 1) < Decimal("0.001")
            assert len(stage.exchange.book.open_orders(SYMBOL)) == 1

    in_virtual_time(main, tmp_path, attrs.evolve(base, protect_for={"wide": group}))


def test_ranges_of_real_candles_set_the_stop(tmp_path: Path) -> None:
    base = settings_for(tmp_path / "state")
    protect = attrs.evolve(base.protect, atr_multiple=Decimal(30))

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await entered(stage)
            await trio.sleep(10)
            parts = parts_of(commands)
            atr = parts.venue.markets.atr(SYMBOL)
            assert atr is not None
            position = parts.desk.book.position(SYMBOL)
            (stop,) = stops_of(stage)
            assert stop.trigger_price == position.stop_price
            distance = position.entry_price - stop.trigger_price
            assert distance < position.entry_price * Decimal("0.05")
            assert abs(distance / (atr * 30) - 1) < Decimal("0.3")

    in_virtual_time(main, tmp_path, attrs.evolve(base, protect=protect))


def test_whoever_keeps_cancelling_a_stop_pauses_the_symbol_and_then_closes_it(
    tmp_path: Path,
) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await entered(stage)
            book = parts_of(commands).desk.book
            for times in (1, 2, 3):
                (stop,) = stops_of(stage)
                stage.exchange.call(
                    "algoOrder.cancel", {"clientAlgoId": stop.client_id}, stage.now_ms()
                )
                await trio.sleep(2)
                assert (book.paused_symbols() == [SYMBOL]) == (times >= 2)
                assert bool(stops_of(stage)) == (times < 3)
            await until(lambda: stage.qty(SYMBOL) == ZERO, 10)

    in_virtual_time(main, tmp_path, settings_for(tmp_path / "state"))
