"""Trades by hand in coins and at a price of one's own: exact, never worse, refused by name."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lowcap.core.errors import CommandError
from tests.daemon.stage import Stage, ask, in_virtual_time, parts_of


@pytest.mark.parametrize(("side", "signed"), [("buy", 1), ("sell", -1)])
def test_so_many_coins_are_so_many_coins(tmp_path: Path, side: str, signed: int) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await ask(commands, "trade", symbol="SOL", side=side, qty="12", confirm=True)
            assert stage.qty("SOLUSDT") == 12 * signed

    in_virtual_time(main, tmp_path)


def test_a_price_out_of_reach_fills_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            mark = parts_of(commands).desk.quotes["SOLUSDT"].mark
            wished = {"symbol": "SOL", "qty": "12", "confirm": True}
            low = await ask(
                commands, "trade", side="buy", price=str(mark * Decimal("0.97")), **wished
            )
            assert (low["status"], low["executed_qty"]) == ("expired", "0")
            high = await ask(
                commands, "trade", side="sell", price=str(mark * Decimal("1.03")), **wished
            )
            assert (high["status"], high["executed_qty"]) == ("expired", "0")
            assert stage.qty("SOLUSDT") == 0
            assert not stage.exchange.book.open_orders("SOLUSDT")

    in_virtual_time(main, tmp_path)


def test_a_price_beyond_the_collar_does_not_widen_it(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            plain = await ask(commands, "trade", symbol="SOL", side="buy", qty="12", preview=True)
            mark = parts_of(commands).desk.quotes["SOLUSDT"].mark
            wide = await ask(
                commands, "trade", symbol="SOL", side="buy", qty="12", price=str(mark * 2),
                preview=True,
            )  # fmt: skip
            assert wide["price"] == plain["price"]
            assert Decimal(plain["margin_usd"]) * plain["leverage"] == pytest.approx(
                Decimal(plain["notional_usd"]), abs=Decimal(1)
            )
            assert Decimal(plain["stop_price"]) < mark
            assert [leg["share_pct"] for leg in plain["ladder"]] == ["50", "30", "20"]

    in_virtual_time(main, tmp_path)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"qty": "nan"}, "is no quantity"),
        ({"qty": "0"}, "is no quantity"),
        ({"qty": "1", "usd": "5"}, "not both"),
        ({"qty": "1", "price": "-4"}, "is no price"),
        ({"qty": "1", "price": "x"}, "is no price"),
        ({"qty": "1", "side": "up"}, "is no side"),
    ],
)
def test_nonsense_is_named(tmp_path: Path, params: dict[str, Any], says: str) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            with pytest.raises(CommandError, match=says):
                await ask(
                    commands,
                    "trade",
                    **({"symbol": "SOL", "side": "buy", "confirm": True} | params),
                )
            assert stage.qty("SOLUSDT") == 0

    in_virtual_time(main, tmp_path)


def test_a_trade_by_hand_is_explained(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            done = await ask(
                commands, "trade", symbol="SOL", side="buy", qty="12", price="9999", confirm=True
            )
            for params in ({}, {"trace": str(done["trace"])}):
                story = await ask(commands, "explain", **params)
                assert story["decision"] == "by-hand"
                assert "9999" in story["headline"]
                purposes = [order["purpose"] for order in story["orders"]]
                assert purposes[:2] == ["entry", "stop"]

    in_virtual_time(main, tmp_path)
