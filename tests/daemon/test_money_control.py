"""pnl, equity and trades of a running daemon, over restarts and midnight."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from lowcap.core.errors import CommandError
from lowcap.ledger.replay import day_files
from lowcap.paper.exchange import SimEvent
from tests.daemon.stage import (
    PAYROLL_MORNING_NS,
    Stage,
    ask,
    in_virtual_time,
    parts_of,
    protected,
    until,
)

LATE_NS = PAYROLL_MORNING_NS + 37_680 * 10**9  # 23:57:50 UTC
SYMBOL = "KAITOUSDT"


async def bought(stage: Stage) -> None:
    stage.feeds.send("tokyo", stage.upbit("KAITO"))
    await until(lambda: protected(stage, SYMBOL), 5)


def explained(told: dict[str, Any]) -> bool:
    return told["wallet"]["unexplained_usd"] == "0"


def test_open_and_closed_trades_with_their_money(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(8)
            nothing = await ask(commands, "pnl")
            assert (nothing["total"]["trades"], explained(nothing)) == (0, True)
            await bought(stage)
            stage.exchange.happen(SimEvent(kind="funding"), stage.now_ms())
            await trio.sleep(5)
            told = await ask(commands, "pnl", by="symbol")
            [held] = told["open"]
            assert (held["symbol"], held["side"], held["feed"]) == (SYMBOL, "LONG", "tokyo")
            assert Decimal(held["funding_usd"]) < 0
            assert held["unrealized_usd"] == told["unrealized_usd"] != "0"
            assert [row["name"] for row in told["rows"]] == [SYMBOL]
            await ask(commands, "close", symbol=SYMBOL, confirm=True)
            await trio.sleep(2)
            told = await ask(commands, "pnl", period="7d", by="trigger")
            [trade] = await ask(commands, "trades")
            assert trade["result_usd"] == told["total"]["result_usd"]
            assert trade["trigger"] == told["rows"][0]["name"] == "upbit_listing"
            assert (told["total"]["trades"], told["open"], explained(told)) == (1, [], True)
            moved = stage.exchange.state.wallet - 1_000_000
            assert Decimal(trade["result_usd"]) == moved
            curve = await ask(commands, "equity", days=1)
            assert Decimal(curve["points"][-1]["equity_usd"]) == stage.exchange.state.wallet
            assert (await ask(commands, "explain", trace=trade["trace"]))["feed"] == "tokyo"

    in_virtual_time(main, tmp_path)


def test_midnight_and_restarts_lose_no_figure(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(8)
            await bought(stage)
            await ask(commands, "close", symbol=SYMBOL, confirm=True)
            await trio.sleep(2)
            before = await ask(commands, "pnl")
            trades = await ask(commands, "trades", action="export")
            await trio.sleep(60)
            stage.feeds.send("tokyo", stage.upbit("PENDLE", number=2))
            await until(lambda: protected(stage, "PENDLEUSDT"), 5)
            await trio.sleep(120)
        assert len(day_files(tmp_path / "state" / "ledger")) == 2
        # While nobody looks a funding is paid.
        stage.exchange.happen(SimEvent(kind="funding"), stage.now_ms())
        income = stage.exchange.state.income
        paid = sum(row.amount for row in income if row.kind == "FUNDING_FEE")
        for _ in range(2):
            async with stage.daemon() as commands:
                await trio.sleep(25)
                yesterday = await ask(commands, "pnl", period="yesterday")
                assert yesterday["total"]["trades"] == 1
                whole = await ask(commands, "pnl", period="all", by="day")
                assert [row["name"] for row in whole["rows"]] == ["2026-02-06", "2026-02-07"]
                assert explained(whole)
                assert [held["symbol"] for held in whole["open"]] == ["PENDLEUSDT"]
                assert Decimal(whole["open"][0]["funding_usd"]) == paid
                assert await ask(commands, "trades") == trades
        assert Decimal(before["total"]["result_usd"]) == Decimal(trades[0]["result_usd"])

    in_virtual_time(main, tmp_path, epoch_ns=LATE_NS)


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("pnl", {"period": "8d"}, "period: '8d' is no choice"),
        ("pnl", {"period": ["today"]}, "is no choice"),
        ("pnl", {"by": "colour\x1b"}, "by: "),
        ("pnl", {"by": 5}, "by: 5 is no choice"),
        ("equity", {"days": 0}, "days: 0 is not between 1 and 100"),
        ("equity", {"days": 101}, "days: 101 is not between 1 and 100"),
        ("equity", {"days": "many"}, "--days 'many' is no whole number"),
        ("trades", {"action": "drop"}, "action: 'drop' is no choice"),
        ("trades", {"count": -1}, "count: -1 is not between 1"),
        ("trades", {"count": True}, "whole number"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, method: str, params: dict[str, Any], words: str
) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon(ready=False) as commands:
            with pytest.raises(CommandError) as refused:
                await ask(commands, method, **params)
            assert words in refused.value.message
            assert refused.value.message.isprintable()
            assert parts_of(commands).accounts.state.closed == []

    in_virtual_time(main, tmp_path)
