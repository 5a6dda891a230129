"""From a frame on a socket to a protected position, in the whole daemon."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import trio

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


def test_three_triggers_trade_and_every_position_is_protected(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            stage.feeds.send("synoptic", stage.payrolls())
            stage.feeds.send("tokyo", stage.upbit("KAITO", "PENDLE"))
            stage.feeds.send("tokyo", stage.elon())
            for symbol in ("ETHUSDT", "KAITOUSDT", "PENDLEUSDT", "BTCUSDT"):
                await until(lambda s=symbol: protected(stage, s), 5)
            assert stage.qty("ETHUSDT") < 0 < stage.qty("BTCUSDT")
            story = await ask(commands, "explain")
            assert story["signal"]["trigger"] == "elon_btc"
            purposes = [o["purpose"] for o in story["orders"]]
            assert purposes == ["entry", "stop", "take-profit", "take-profit", "take-profit"]
            assert story["orders"][0]["fills"]
            assert set(story["orders"][0]["stages_us"]) == {
                "receive",
                "parse",
                "detect",
                "admit",
                "risk",
                "prepare",
                "submit",
            }

    in_virtual_time(main, tmp_path)
    assert len(entries(tmp_path)) == 4
    chain = {r.seq: r for r in records(tmp_path)}
    fill = next(r for r in chain.values() if r.kind == "Filled")
    kinds = []
    while fill.cause:
        fill = chain[fill.cause]
        kinds.append(fill.kind)
    assert kinds == ["OrderIntended", "SignalRaised", "NewsSeen"]


def test_the_same_event_again_does_not_trade_again(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon():
            await trio.sleep(5)
            for number in range(3):
                stage.feeds.send("tokyo", stage.upbit("KAITO", number=number))
                stage.feeds.send("tokyo", stage.elon(number=number))
                stage.feeds.send("synoptic", stage.payrolls(37 + number))
                await trio.sleep(1)
        async with stage.daemon():
            await trio.sleep(5)
            stage.feeds.send("tokyo", stage.upbit("KAITO", number=9))
            stage.feeds.send("tokyo", stage.elon(number=9))
            await trio.sleep(1)

    in_virtual_time(main, tmp_path)
    assert sorted(e.symbol for e in entries(tmp_path)) == ["BTCUSDT", "ETHUSDT", "KAITOUSDT"]


def test_a_print_in_the_dead_zone_decides_the_day(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon():
            await trio.sleep(8)
            stage.feeds.send("synoptic", stage.payrolls("110K"))
            await trio.sleep(1)
            stage.feeds.send("synoptic", stage.payrolls("20K"))
            await trio.sleep(1)

    in_virtual_time(main, tmp_path)
    assert entries(tmp_path) == []


def test_a_print_that_comes_too_late_decides_the_day_as_well(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon():
            await trio.sleep(8)
            late = stage.payrolls("20K")
            await trio.sleep(11)
            stage.feeds.send("synoptic", late)
            await trio.sleep(1)
            stage.feeds.send("synoptic", stage.payrolls("21K"))
            await trio.sleep(1)

    in_virtual_time(main, tmp_path)
    assert entries(tmp_path) == []


def test_bad_frames_are_counted_and_the_session_goes_on(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            for frame in (
                b"{not json",
                b"[" * 100_000,
                b'{"title": 5, "body": []}',
                b'{"title":"' + b"x" * 200_000 + b'"}',
                b'{"title":"' + b"x" * 2_000_000 + b'"}',
                b"null",
                b'"text"',
            ):
                stage.feeds.send("tokyo", frame)
            await trio.sleep(1)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await until(lambda: protected(stage, "KAITOUSDT"), 5)
            row = next(f for f in await ask(commands, "feeds") if f["name"] == "tokyo")
            assert row["faults"] >= 5
            assert row["connects"] == 1

    in_virtual_time(main, tmp_path)
    assert sum(r.kind == "FrameRefused" for r in records(tmp_path)) >= 4


def test_stop_at_the_exchange_closes_the_position_and_the_legs_go(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await until(lambda: protected(stage, "KAITOUSDT"), 5)
            price = stage.exchange.board.quotes["KAITOUSDT"].mark * Decimal("0.95")
            stage.exchange.board.set_price("KAITOUSDT", price)
            await until(lambda: stage.qty("KAITOUSDT") == 0, 5)
            desk = parts_of(commands).desk
            await until(lambda: not desk.book.open_positions(), 5)
            await until(lambda: not desk.book.open_orders(), 5)
            status = await ask(commands, "status")
            assert status["day"]["closed"] == 1
            assert float(status["day"]["result_usd"]) < 0

    in_virtual_time(main, tmp_path)
    assert any(r.kind == "PositionClosed" for r in records(tmp_path))


def test_a_market_order_cannot_be_placed_while_paused_but_exits_can(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await until(lambda: protected(stage, "KAITOUSDT"), 5)
            await ask(commands, "pause", **{"for": "30s"})
            stage.feeds.send("tokyo", stage.upbit("PENDLE", number=2))
            await trio.sleep(1)
            assert stage.qty("PENDLEUSDT") == 0
            closed = await ask(commands, "close", symbol="kaito", confirm=True)
            assert closed["flat"]
            assert stage.qty("KAITOUSDT") == 0
            await trio.sleep(31)
            status = await ask(commands, "status")
            assert status["state"] == "ACTIVE"

    in_virtual_time(main, tmp_path)
    refused = [r.body for r in records(tmp_path) if r.kind == "Refused"]
    assert [f.check for f in refused] == ["paused"]  # type: ignore[attr-defined]


def test_part_of_a_position_can_be_closed_and_the_ladder_is_laid_anew(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await until(lambda: protected(stage, "KAITOUSDT"), 5)
            before = stage.qty("KAITOUSDT")
            await ask(commands, "close", symbol="KAITOUSDT", pct=50, confirm=True)
            await until(lambda: protected(stage, "KAITOUSDT"), 5)
            assert abs(stage.qty("KAITOUSDT") - before / 2) <= 1

    in_virtual_time(main, tmp_path)
