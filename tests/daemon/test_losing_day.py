"""Bad days in the whole daemon: it halts at its limits, stays halted, and says why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from lowcap.core import facts
from lowcap.core.errors import CommandError
from lowcap.core.messages import Purpose
from lowcap.handlers import Commands
from lowcap.reload import take
from lowcap.settings import Settings
from tests.daemon.stage import (
    Stage,
    ask,
    entries,
    in_virtual_time,
    parts_of,
    protected,
    records,
    settings_for,
    until,
)
from tests.long.rig import ledger_records

COINS = ("KAITO", "PENDLE", "HBAR", "DOT", "LINK", "UNI")
NOTHING = Decimal(0)
BEFORE_MIDNIGHT_NS = 1_770_421_800 * 10**9  # 2026-02-06 23:50 UTC


def bad_day(tmp_path: Path, **limits: Any) -> Settings:
    """Every protection that halts is off but those that are given."""
    settings = settings_for(tmp_path / "state")
    given = {"losing_streak_max": 0, "drawdown_pct_max": NOTHING, "executions_per_hour_max": 0}
    return attrs.evolve(settings, limits=attrs.evolve(settings.limits, **(given | limits)))


async def lose(stage: Stage, commands: Commands, coin: str, number: int) -> bool:
    """A listing is traded and its price falls through the stop; whether it was traded at all."""
    desk, symbol = parts_of(commands).desk, f"{coin}USDT"
    stage.feeds.send("tokyo", stage.upbit(coin, number=number))
    with trio.move_on_after(3):
        await until(lambda: protected(stage, symbol), 10)
    if not stage.qty(symbol):
        return False
    board = stage.exchange.board
    board.set_price(symbol, board.quotes[symbol].mark * Decimal("0.95"))
    await until(lambda: not desk.book.open_positions() and not desk.book.open_orders(), 20)
    await trio.sleep(1)
    return True


async def lose_until_halted(stage: Stage, commands: Commands) -> int:
    """Lose coin by coin; how many were traded before nothing was any more."""
    for number, coin in enumerate(COINS):
        if not await lose(stage, commands, coin, number):
            return number
    raise AssertionError("nothing ever stopped it")


def play(tmp_path: Path, settings: Settings, main: Callable[[Stage], Awaitable[None]]) -> None:
    in_virtual_time(main, tmp_path, settings, epoch_ns=BEFORE_MIDNIGHT_NS)


def test_a_losing_day_halts_at_its_limit_and_stays_halted_over_a_restart(tmp_path: Path) -> None:
    limit = Decimal(1_500)

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            count = await lose_until_halted(stage, commands)
            assert count >= 2, "the limit is more than one loss"
            status = await ask(commands, "status")
            lost = -Decimal(status["day"]["result_usd"])
            assert status["state"] == "HALTED"
            assert limit <= lost
            (hold,) = status["holds"]
            assert (hold["name"], hold["who"]) == ("day-loss", "risk")
            assert hold["reason"] == f"lost {lost:.2f} USD since 00:00 UTC, limit 1500 USD"
            for command in ("resume", "unlock"):
                with pytest.raises(CommandError, match="until 00:00 UTC"):
                    await ask(commands, command, name="day-loss", reason="please")
        async with stage.daemon(ready=False) as commands:
            await until(lambda: parts_of(commands).keeper.recovered.is_set())
            await trio.sleep(3)
            again = await ask(commands, "status")
            assert (again["state"], again["holds"]) == ("HALTED", [hold])
            assert not await lose(stage, commands, "AVAX", 50)
            # The next day it is a person who lets it trade again.
            await trio.sleep(600)
            assert (await ask(commands, "status"))["state"] == "HALTED"
            done = await ask(commands, "unlock", name="day-loss", reason="a new day")
            assert (done["state"], done["holds"]) == ("ACTIVE", [])

    play(tmp_path, bad_day(tmp_path, day_loss_usd_max=limit), main)
    told = [r.body for r in ledger_records(tmp_path)]  # of both days
    refused = [fact for fact in told if isinstance(fact, facts.Refused)]
    assert {fact.check for fact in refused} == {"halted"}
    assert all("day-loss" in fact.measured for fact in refused)
    losses = [fact for fact in told if isinstance(fact, facts.PositionClosed)]
    sent = [f for f in told if isinstance(f, facts.OrderIntended) and f.purpose is Purpose.ENTRY]
    assert len(sent) == len(losses)
    before = -sum((f.realized - f.fees for f in losses[:-1]), NOTHING)
    assert before < limit, "it did not halt before its limit"


def test_a_streak_of_losses_halts_and_a_person_acknowledges_it(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            assert await lose_until_halted(stage, commands) == 3
        async with stage.daemon(ready=False) as commands:
            await until(lambda: parts_of(commands).keeper.recovered.is_set())
            await trio.sleep(3)
            (hold,) = (await ask(commands, "status"))["holds"]
            assert hold["name"] == "loss-streak"
            assert hold["reason"] == "3 positions in a row closed at a loss, limit 3"
            with pytest.raises(CommandError, match="needs a reason"):
                await ask(commands, "unlock", name="loss-streak")
            done = await ask(commands, "unlock", name="loss-streak", reason="stops are wider now")
            assert done["state"] == "ACTIVE"
            await until(lambda: not parts_of(commands).desk.book.state.holds)
            assert await lose(stage, commands, "AVAX", 50)
            assert parts_of(commands).desk.book.state.guards.losing_streak == 1

    play(tmp_path, bad_day(tmp_path, losing_streak_max=3), main)
    lifted = [r.body for r in records(tmp_path) if isinstance(r.body, facts.HoldLifted)]
    assert [(f.reason, f.who) for f in lifted if f.name == "loss-streak"] == [
        ("stops are wider now", "uid 1000")
    ]


def test_drawdown_is_measured_anew_once_acknowledged_and_the_floor_is_not(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            desk = parts_of(commands).desk
            await trio.sleep(5)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await until(lambda: protected(stage, "KAITOUSDT"), 5)
            await until(lambda: desk.book.state.guards.peak_usd is not None)
            tight = attrs.evolve(desk.settings.limits, drawdown_pct_max=Decimal("0.01"))
            take(parts_of(commands), attrs.evolve(desk.settings, limits=tight), "x", "uid 7")
            board = stage.exchange.board
            board.set_price("KAITOUSDT", board.quotes["KAITOUSDT"].mark * Decimal("0.985"))
            await until(lambda: "drawdown" in desk.book.state.holds, 5)
            assert (await ask(commands, "status"))["state"] == "HALTED"
            await ask(commands, "close", symbol="KAITO", confirm=True)
            done = await ask(commands, "resume", reason="seen")
            assert done == {"state": "ACTIVE", "holds": []}
            await trio.sleep(2)
            assert (await ask(commands, "status"))["state"] == "ACTIVE"
            equity = desk.equity_usd()
            assert equity is not None
            floor = attrs.evolve(tight, equity_floor_usd=equity + 1)
            take(parts_of(commands), attrs.evolve(desk.settings, limits=floor), "y", "uid 7")
            await until(lambda: "equity-floor" in desk.book.state.holds, 5)
            for command in ("resume", "unlock"):
                with pytest.raises(CommandError, match="its floor"):
                    await ask(commands, command, name="equity-floor", reason="please")

    play(tmp_path, bad_day(tmp_path), main)


def test_a_trigger_that_trades_too_often_goes_off_until_it_is_enabled_by_name(
    tmp_path: Path,
) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            for number, coin in enumerate(COINS[:3]):
                stage.feeds.send("tokyo", stage.upbit(coin, number=number))
                await trio.sleep(1)
            row = await ask(commands, "trigger", action="show", id="upbit_listing")
            assert row["on"], "three in an hour are allowed"
        async with stage.daemon() as commands:
            await trio.sleep(5)
            stage.feeds.send("tokyo", stage.upbit("DOT", "LINK", number=8))
            await trio.sleep(1)
            row = await ask(commands, "trigger", action="show", id="upbit_listing")
            off = (row["on"], row["why_off"])
            assert off == (False, "3 by upbit_listing in an hour, limit 3")
            (lock,) = [r for r in (await ask(commands, "risk"))["locks"] if r["kind"] == "trigger"]
            assert lock["ends"] == "trigger enable upbit_listing"
            with pytest.raises(CommandError) as caught:
                await ask(commands, "unlock", name="upbit_listing", reason="x")
            assert "trigger enable upbit_listing" in caught.value.hint
        async with stage.daemon() as commands:
            await trio.sleep(5)
            stage.feeds.send("tokyo", stage.upbit("DOT", number=9))
            await trio.sleep(1)
            assert not stage.qty("DOTUSDT"), "a new start does not enable it"
            await ask(commands, "trigger", action="enable", id="upbit_listing")
            stage.feeds.send("tokyo", stage.upbit("UNI", number=10))
            await until(lambda: protected(stage, "UNIUSDT"), 5)

    play(tmp_path, bad_day(tmp_path, executions_per_hour_max=3), main)
    refused = [r.body for r in records(tmp_path) if isinstance(r.body, facts.Refused)]
    assert [f.check for f in refused] == ["trigger-executions"] * 2
    switched = [r.body for r in records(tmp_path) if isinstance(r.body, facts.Switched)]
    assert [(f.name, f.enabled, f.who) for f in switched] == [
        ("upbit_listing", False, "guard"),
        ("upbit_listing", True, "uid 1000"),
    ]


def test_a_feed_that_sends_rubbish_is_not_traded_on_until_it_speaks_sense(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            for _ in range(10):
                stage.feeds.send("tokyo", b"{broken")
            await trio.sleep(1)
            (row,) = (await ask(commands, "status"))["breakers"]
            assert (row["name"], row["state"], row["rest_s"]) == ("feed:tokyo", "open", 60)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await trio.sleep(1)
            assert not stage.qty("KAITOUSDT")
            await trio.sleep(60)
            assert (await ask(commands, "risk"))["breakers"][0]["state"] == "half-open"
            stage.feeds.send("tokyo", stage.upbit("PENDLE", number=2))
            await until(lambda: protected(stage, "PENDLEUSDT"), 5)
            assert not (await ask(commands, "risk"))["breakers"]

    play(tmp_path, bad_day(tmp_path), main)
    refused = [r.body for r in records(tmp_path) if isinstance(r.body, facts.Refused)]
    assert [f.check for f in refused] == ["feed-breaker"]


def test_a_feed_whose_connection_comes_and_goes_is_not_traded_on(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            session = parts_of(commands).intake.sessions["bwe"]
            session.reconnect("an operator's wish is no fault of the feed")
            await until(lambda: session.status.connects == 2)
            for number in range(4):
                stage.feeds.fault("bwe", "drop")
                await until(lambda n=number: session.status.connects == 3 + n)
            (row,) = (await ask(commands, "risk"))["breakers"]
            assert (row["name"], row["state"]) == ("feed:bwe", "open")
            done = await ask(commands, "unlock", name="feed:bwe", reason="their server is back")
            assert done["unlocked"] == "feed:bwe"
            assert not (await ask(commands, "risk"))["breakers"]

    play(tmp_path, bad_day(tmp_path), main)


def test_the_gate_is_asked_without_a_trade(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            desk = parts_of(commands).desk
            before = desk.ledger.last_seq
            told = await ask(commands, "risk", action="check", symbol="btc", side="long")
            assert (told["symbol"], told["would"], told["refused"]) == ("BTCUSDT", "be sent", [])
            told = await ask(
                commands, "risk", action="check", symbol="BTCUSDT", side="short", usd="9_000_000"
            )
            assert told["side"] == "SELL"
            assert "cut by" in told["plan"]["sizing"]
            assert (
                Decimal(told["plan"]["notional_usd"]) <= desk.settings.limits.order_notional_usd_max
            )
            for wrong in (
                {"symbol": "BTC"},
                {"symbol": "NOPE", "side": "long"},
                {"symbol": "BTC", "side": "long", "usd": "-1"},
                {"symbol": "BTC", "side": "long", "usd": "NaN"},
            ):
                with pytest.raises(CommandError):
                    await ask(commands, "risk", action="check", **wrong)
            assert desk.ledger.last_seq == before
            await ask(commands, "pause")
            told = await ask(
                commands, "risk", action="check", symbol="BTC", side="long", usd="5000"
            )
            assert [row["check"] for row in told["refused"]] == ["paused"]
            assert told["plan"] is not None
            with pytest.raises(CommandError, match="no lock of a protection"):
                await ask(commands, "unlock", name="operator-pause", reason="x")
            with pytest.raises(CommandError, match="there is no lock"):
                await ask(commands, "unlock", name="nothing", reason="x")
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await trio.sleep(1)
            rows = {row["name"]: row for row in (await ask(commands, "risk"))["guards"]}
            assert rows["paused"]["hits"] == 1
            assert rows["loss-streak"]["limit"] == "off"
            assert rows["gross-notional"]["used_pct"] == 0

    play(tmp_path, bad_day(tmp_path), main)


def test_a_changed_limit_holds_for_the_next_order_and_says_who_and_what(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            await trio.sleep(5)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await until(lambda: protected(stage, "KAITOUSDT"), 5)
            limits = attrs.evolve(parts.desk.settings.limits, order_notional_usd_max=Decimal(2_000))
            triggers = tuple(
                attrs.evolve(t, cooldown_s=5) if t.id == "elon_btc" else t
                for t in parts.desk.settings.trigger
            )
            fresh = attrs.evolve(parts.desk.settings, limits=limits, trigger=triggers)
            parts.reload = lambda: (fresh, "fresh")
            told = await ask(commands, "config", action="reload")
            assert [row["key"] for row in told["changes"]] == [
                "limits.order_notional_usd_max",
                "trigger.elon_btc.cooldown_s",
            ]
            stage.feeds.send("tokyo", stage.upbit("PENDLE", number=2))
            await until(lambda: protected(stage, "PENDLEUSDT"), 5)

    play(tmp_path, bad_day(tmp_path), main)
    first, second = entries(tmp_path)
    assert first.notional_usd > 2_000 >= second.notional_usd
    (record,) = [r for r in records(tmp_path) if isinstance(r.body, facts.ConfigReloaded)]
    fact: facts.ConfigReloaded = record.body  # type: ignore[assignment]
    assert fact.who == "uid 1000 pid 1"
    assert record.ts > 0
    assert [(c.key, c.old, c.new) for c in fact.changes] == [
        ("limits.order_notional_usd_max", "500000", "2000"),
        ("trigger.elon_btc.cooldown_s", "21600", "5"),
    ]
    asked = [r.body for r in records(tmp_path) if isinstance(r.body, facts.CommandReceived)]
    assert [(c.method, c.uid) for c in asked] == [("config", 1000)]
