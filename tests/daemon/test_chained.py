"""Dry mode on another venue's prices: the stage's exchange is the upstream of the built-in one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio

from lowcap.paper.faults import Fault, Faults
from lowcap.settings import ExchangeSettings, Settings
from tests.daemon.stage import Stage, in_virtual_time, is_ready, records, until


def chained(stage: Stage) -> Settings:
    """Dry mode at its built-in exchange, whose prices are those of the stage's exchange."""
    settings = stage.settings()
    upstream_url = settings.exchange.stream_url
    return attrs.evolve(
        settings,
        exchange=ExchangeSettings(),
        paper=attrs.evolve(settings.paper, upstream_url=upstream_url),
    )


def move(stage: Stage, symbol: str, price: str) -> None:
    """Take the upstream far away from where the built-in walk could be."""
    stage.exchange.board.set_price(symbol, Decimal(price))


def bodies(folder: Path, kind: str) -> list[Any]:
    return [r.body for r in records(folder) if r.kind == kind]


def test_news_fills_at_the_price_that_the_upstream_has_at_that_moment(tmp_path: Path) -> None:
    asks: list[Decimal] = []

    async def main(stage: Stage) -> None:
        move(stage, "KAITOUSDT", "7.5")
        move(stage, "PENDLEUSDT", "0.9")
        async with stage.daemon(settings=chained(stage)):
            for number, symbol in enumerate(("KAITOUSDT", "PENDLEUSDT")):
                await trio.sleep(7.3)
                stage.feeds.send("tokyo", stage.upbit(symbol[:-4], number=number))
                asks.append(stage.exchange.board.quotes[symbol].ask)
                await trio.sleep(0.5)
        assert not stage.exchange.state.orders  # paper money: nothing reached the upstream

    in_virtual_time(main, tmp_path)
    filled = {f.symbol: f.price for f in bodies(tmp_path, "Filled")}
    assert list(filled.values()) == asks
    assert Decimal(7) < filled["KAITOUSDT"] < Decimal(8)


def test_with_the_upstream_away_an_entry_is_refused_until_it_is_back(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon(settings=chained(stage)) as commands:
            await trio.sleep(3.3)
            dead = Fault(kind="half-open", route="market")
            stage.exchange.replace_faults(Faults(fault=[dead]))
            await trio.sleep(5.7)
            stage.feeds.send("tokyo", stage.upbit("KAITO", number=1))
            await trio.sleep(3)
            stage.feeds.send("tokyo", stage.upbit("PENDLE", number=2))
            # A silent line is given up and made anew; then there are prices again.
            await until(lambda: is_ready(commands), 90)
            move(stage, "STORJUSDT", "0.77")
            await trio.sleep(2.3)
            stage.feeds.send("tokyo", stage.upbit("STORJ", number=3))
            await trio.sleep(1)

    in_virtual_time(main, tmp_path)
    assert [(r.symbol, r.check) for r in bodies(tmp_path, "Refused")] == [
        ("KAITOUSDT", "stale-price"),
        ("PENDLEUSDT", "paused"),
    ]
    assert [f.symbol for f in bodies(tmp_path, "Filled")] == ["STORJUSDT"]


def test_without_its_upstream_a_dry_daemon_is_up_and_trades_nothing(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        settings = chained(stage)
        paper = attrs.evolve(settings.paper, upstream_url="ws://127.0.0.1:9")
        settings = attrs.evolve(settings, paper=paper)
        async with stage.daemon(ready=False, settings=settings) as commands:
            await trio.sleep(20)
            assert commands.parts is not None
            desk = commands.parts.desk
            assert commands.parts.keeper.recovered.is_set()
            assert [hold.reason for hold in desk.book.state.holds.values()] == ["no mark prices"]
            assert not desk.quotes
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await trio.sleep(1)

    in_virtual_time(main, tmp_path)
    assert [r.symbol for r in bodies(tmp_path, "Refused")] == ["KAITOUSDT"]
    assert not bodies(tmp_path, "OrderIntended")
