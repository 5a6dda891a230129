"""Comparing on demand, and a stranger's position: told, taken over or ignored."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from lowcap.core.errors import CommandError
from lowcap.handlers import Commands
from lowcap.reconcile_commands import COMPARED_APART_S
from tests.daemon.stage import Stage, ask, in_virtual_time, parts_of, protected, until


def _by_hand(stage: Stage, method: str = "order.place", **params: str) -> Any:
    given = {"symbol": "SOLUSDT", **params}
    return stage.exchange.call(method, given, stage.now_ms())


async def _a_stranger(stage: Stage, commands: Commands, side: str = "BUY") -> None:
    _by_hand(stage, side=side, type="MARKET", quantity="10", newClientOrderId="by-hand")
    await until(lambda: "SOLUSDT" in parts_of(commands).desk.book.state.foreign, 40)


def test_agreement_and_a_difference_are_told(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            assert (await ask(commands, "reconcile"))["clean"]
            with pytest.raises(CommandError, match="a moment ago"):
                await ask(commands, "reconcile")
            await trio.sleep(COMPARED_APART_S)
            _by_hand(stage, side="BUY", type="MARKET", quantity="10", newClientOrderId="by-hand")
            found = await ask(commands, "reconcile")
            assert found["foreign"] == [{"symbol": "SOLUSDT", "qty": "10", "ignored": False}]
            assert not found["clean"]
            await trio.sleep(COMPARED_APART_S)
            assert (await ask(commands, "reconcile"))["clean"]

    in_virtual_time(main, tmp_path)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_an_adopted_position_is_protected_counted_and_closed_by_panic(
    tmp_path: Path, side: str
) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await _a_stranger(stage, commands, side)
            with pytest.raises(CommandError) as asked:
                await ask(commands, "reconcile", adopt="SOL")
            assert asked.value.code == "confirm"
            adopted = await ask(commands, "reconcile", adopt="SOL", confirm=True)
            assert adopted["adopted"] == "SOLUSDT"
            assert adopted["stop_price"]
            assert not adopted["foreign"]
            await until(lambda: protected(stage, "SOLUSDT"), 5)
        # A restart knows whose it is.
        async with stage.daemon() as commands:
            status = await ask(commands, "status")
            assert status["symbols"] == ["SOLUSDT"]
            assert status["foreign"] == []
            await until(lambda: protected(stage, "SOLUSDT"), 5)
            assert (await ask(commands, "panic", confirm=True))["flat"]
            assert stage.qty("SOLUSDT") == 0

    in_virtual_time(main, tmp_path)


def test_a_stop_of_ones_own_choice(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await _a_stranger(stage, commands)
            desk = parts_of(commands).desk
            mark = desk.quotes["SOLUSDT"].mark
            with pytest.raises(CommandError, match="at once"):
                await ask(commands, "reconcile", adopt="SOL", stop=str(mark * 2), confirm=True)
            adopted = await ask(commands, "reconcile", adopt="SOL", stop="7%", confirm=True)
            assert Decimal(adopted["stop_price"]) < mark * Decimal("0.95")
            await until(lambda: protected(stage, "SOLUSDT"), 5)

    in_virtual_time(main, tmp_path)


def test_a_strangers_orders_stand_in_the_way(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await _a_stranger(stage, commands)
            _by_hand(
                stage, side="SELL", type="LIMIT", quantity="10", price="9000",
                timeInForce="GTC", reduceOnly="true", newClientOrderId="mine",
            )  # fmt: skip
            with pytest.raises(CommandError, match="1 orders on SOLUSDT"):
                await ask(commands, "reconcile", adopt="SOL", confirm=True)
            assert "SOLUSDT" in parts_of(commands).desk.book.state.foreign
            assert not stage.exchange.algos.open_algos("SOLUSDT")

    in_virtual_time(main, tmp_path)


def test_what_is_ignored_is_quiet_until_it_is_gone(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await _a_stranger(stage, commands)
            found = await ask(commands, "reconcile", ignore="SOL")
            assert found["foreign"] == [{"symbol": "SOLUSDT", "qty": "10", "ignored": True}]
            with pytest.raises(CommandError, match="foreign-position"):
                await ask(commands, "trade", symbol="SOL", side="long", usd=1000, confirm=True)
        async with stage.daemon() as commands:
            assert (await ask(commands, "status"))["foreign"][0]["ignored"]
            _by_hand(stage, side="SELL", type="MARKET", quantity="10", newClientOrderId="out")
            book = parts_of(commands).desk.book
            await until(lambda: not book.state.foreign, 40)
            await trio.sleep(30)
            await _a_stranger(stage, commands)
            assert not (await ask(commands, "status"))["foreign"][0]["ignored"]

    in_virtual_time(main, tmp_path)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"adopt": "SOL", "ignore": "SOL"}, "adopt it or ignore it"),
        ({"adopt": "SOL", "confirm": True}, "nothing of SOLUSDT is foreign"),
        ({"ignore": "NOSUCH"}, "no contract"),
        ({"stop": "2%"}, "--stop is of --adopt"),
    ],
)
def test_wrong_words_are_named(tmp_path: Path, params: dict[str, Any], says: str) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            with pytest.raises(CommandError, match=says):
                await ask(commands, "reconcile", **params)

    in_virtual_time(main, tmp_path)


def test_a_position_turned_round_by_hand_is_adopted_with_a_stop_of_its_own(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await ask(commands, "trade", symbol="SOL", side="buy", qty="13", confirm=True)
            await until(lambda: protected(stage, "SOLUSDT"), 5)
            for order in list(stage.exchange.book.open_orders("SOLUSDT")):
                _by_hand(stage, "order.cancel", origClientOrderId=order.client_id)
            _by_hand(stage, side="SELL", type="MARKET", quantity="39", newClientOrderId="turned")
            await until(lambda: parts_of(commands).desk.book.state.foreign, 60)
            await trio.sleep(COMPARED_APART_S)
            qty = stage.qty("SOLUSDT")
            assert qty < 0, "somebody else's turn is left alone"
            adopted = await ask(commands, "reconcile", adopt="SOL", confirm=True)
            mark = parts_of(commands).desk.quotes["SOLUSDT"].mark
            assert adopted["stop_price"] is not None
            assert (Decimal(adopted["stop_price"]) - mark) * qty < 0
            assert stage.qty("SOLUSDT") == qty

    in_virtual_time(main, tmp_path)
