"""Latency, stats, health, metrics, account and prices of a whole daemon."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from lowcap import __version__
from lowcap.core.errors import CommandError
from lowcap.observe.latency import TARGETS_MS
from lowcap.settings import LatencySettings, Metrics
from tests.daemon.stage import (
    Stage,
    ask,
    in_virtual_time,
    parts_of,
    protected,
    records,
    settings_for,
    until,
)
from tests.daemon.stories import bwe_filing

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
SYMBOLS = ("KAITOUSDT", "PENDLEUSDT")


async def bought(stage: Stage) -> None:
    stage.feeds.send("tokyo", stage.upbit("KAITO", "PENDLE"))
    for symbol in SYMBOLS:
        await until(lambda s=symbol: protected(stage, s), 5)
    await trio.sleep(0.1)


def parsed(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by name and label values, as a collector reads them."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_stages_of_a_trade_are_told_and_forgotten(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await bought(stage)
            table = await ask(commands, "latency")
            stages = {row["stage"]: row for row in table["stages"]}
            assert list(stages) == list(TARGETS_MS)
            # The second symbol waited for the first; both went through everything else.
            assert {name: row["count"] for name, row in stages.items()} == {
                **dict.fromkeys(TARGETS_MS, 2), "wait": 1, "leverage": None, "price": None,
            }  # fmt: skip
            story = await ask(commands, "explain")
            first, second = (o["stages_us"] for o in story["orders"] if o["stages_us"])
            assert second["wait"] > sum(first[s] for s in ("risk", "prepare", "submit"))
            assert table["recent_ms"] == [
                pytest.approx(sum(each.values()) / 1000) for each in (first, second)
            ]
            # Entries, their stops and ladders all had an answer; entries alone acknowledge.
            assert table["round_trip"]["ws"]["count"] == 10
            rows = await ask(commands, "latency", action="export")
            assert [row["symbol"] for row in rows] == list(SYMBOLS)
            assert (await ask(commands, "explain", trace=rows[0]["trace"]))["trace"]
            assert len(await ask(commands, "latency", action="export", count=1)) == 1
            hist = await ask(commands, "latency", action="hist", stage="submit")
            assert sum(row["count"] for row in hist["bins"]) == 2
            assert await ask(commands, "latency", action="bottlenecks") == []
            for bad in ({"stage": "x"}, {"action": "hist", "stage": "price"}, {"count": "x"}):
                with pytest.raises(CommandError):
                    await ask(commands, "latency", **{"action": "export"} | bad)
            assert await ask(commands, "latency", action="reset") == {"forgotten": 2}
            assert (await ask(commands, "latency"))["recent_ms"] == []

    in_virtual_time(main, tmp_path)
    told = [r.body for r in records(tmp_path) if r.kind == "CommandReceived"]
    assert [(each.method, each.params) for each in told] == [("latency", "action=reset")]


def test_a_turn_in_the_batch_queue_is_waited_for_and_counted(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            frame = bwe_filing(stage.now_ms(), ("HBAR", "Hedera"), 1)
            old = b"BlackRock registers an iShares Hedera Trust in Delaware"
            stage.feeds.send("bwe", frame.replace(old, b"Visa partners with Hedera (HBAR)"))
            await until(lambda: protected(stage, "HBARUSDT"), 5)
            [row] = await ask(commands, "latency", action="export")
            assert (row["tier"], row["symbol"]) == ("batch", "HBARUSDT")
            assert row["wait_us"] > 0
            [tier] = (await ask(commands, "latency"))["tiers"]
            assert (tier["tier"], tier["target_ms"], tier["count"]) == ("batch", 500.0, 1)
            flow, status = parts_of(commands).flow, parts_of(commands).intake.sessions["bwe"].status
            flow.on_frame(status, frame.replace(old, b"Visa buys Hedera (HBAR)"))
            queue = (await ask(commands, "stats"))["queues"]["batch"]
            # Asking takes a turn of its own, and the queue may have had one first.
            assert queue["peak"] == 1
            assert (queue["oldest_ms"] is None) == (queue["waiting"] == 0)

    in_virtual_time(main, tmp_path)


def test_own_work_over_its_target_is_an_alarm(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "state")
    tight = LatencySettings(target_ms={"total": Decimal("0.0001")})

    async def main(stage: Stage) -> None:
        async with stage.daemon():
            await bought(stage)

    in_virtual_time(main, tmp_path, attrs.evolve(settings, latency=tight))
    alarms = [r.body for r in records(tmp_path) if r.kind == "AlarmRaised"]
    assert [alarm.code for alarm in alarms] == ["latency-breach"]


def test_health_names_what_is_not_well_and_what_still_works(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            told = await ask(commands, "health")
            assert (told["ok"], told["works"]) == (True, "entries and exits")
            names = {row["name"] for row in told["components"]}
            assert names >= {
                "ledger", "order-socket", "rest", "user-stream", "prices", "clock", "caps",
                "breakers", "loop", "log", "protection", "outcomes", "feed:tokyo", "feed:twitter",
            }  # fmt: skip
            stage.feeds.fault("tokyo", "refuse", seconds=5)
            stage.feeds.fault("tokyo", "drop")
            await trio.sleep(0.1)
            told = await ask(commands, "health", component="feed:tokyo")
            [row] = told["components"]
            assert (told["ok"], row["ok"]) == (False, False)
            assert (await ask(commands, "health", component="ledger"))["ok"]
            kind = await ask(commands, "health", component="feed")
            assert len(kind["components"]) == len(parts_of(commands).feeds)
            await until(lambda: parts_of(commands).intake.session("tokyo").status.state == "up")
            await ask(commands, "pause")
            assert (await ask(commands, "health"))["works"] == "exits and stops; no entries"
            with pytest.raises(CommandError, match="no component"):
                await ask(commands, "health", component="nothing")

    in_virtual_time(main, tmp_path)


def test_stats_tell_rates_queues_and_connections(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(60)
            await bought(stage)
            stage.feeds.send("tokyo", stage.upbit("KAITO", number=2))
            await trio.sleep(40)
            told = await ask(commands, "stats")
            assert told["totals"]["news"] == 2
            assert told["totals"]["signals"] == 1
            assert told["totals"]["orders"] == 10
            assert told["per_min"]["news"] == pytest.approx(2, abs=0.2)
            assert told["dedup"]["repeated"] == 1
            assert told["dedup"]["keys_closed"] >= 2
            assert told["success_pct"] == 100.0
            assert told["process"]["open_files"] > 0
            assert told["process"]["uptime_s"] >= 100
            links = {row["name"]: row for row in told["links"]}
            for name in ("orders", "user-stream", "price-stream", "tokyo"):
                assert (links[name]["state"], links[name]["way"]) == ("up", "ws")
                assert links[name]["round_trip_ms"] is not None
            assert links["twitter"]["way"] == "http"
            seldom = await ask(commands, "metrics")
            assert seldom["totals"] == told["totals"]
            assert seldom["own_work_ms"]["count"] == 2

    in_virtual_time(main, tmp_path)


def test_metrics_are_what_a_collector_reads(tmp_path: Path) -> None:
    path = tmp_path / "out" / "lowcap.prom"
    settings = settings_for(tmp_path / "state")
    given = attrs.evolve(settings, metrics=Metrics(textfile=str(path)))

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            # There is no such folder yet: an alarm, once, and life goes on.
            await trio.sleep(40)
            assert not (await ask(commands, "health", component="metrics"))["ok"]
            path.parent.mkdir()
            await bought(stage)
            await trio.sleep(20)
            assert (await ask(commands, "metrics"))["textfile_fault"] is None
            first = path.stat()
            assert first.st_mode & 0o777 == 0o640
            await trio.sleep(16)
            assert path.stat().st_ino != first.st_ino  # another file in its place
            assert list(path.parent.iterdir()) == [path]
            written = parsed(path.read_text())
            asked = parsed((await ask(commands, "metrics", prom=True))["text"])
            assert written.keys() == asked.keys()
            _check(asked)

    in_virtual_time(main, tmp_path, given)
    alarms = [r.body for r in records(tmp_path) if r.kind == "AlarmRaised"]
    assert [(each.code, str(path) in each.text) for each in alarms] == [("metrics", True)]


def _check(found: dict[str, dict[tuple[str, ...], float]]) -> None:
    assert found["lowcap_stage_seconds_count"][("total",)] == 2
    assert found["lowcap_stage_seconds_bucket"][("+Inf", "total")] == 2
    assert 0 < found["lowcap_stage_seconds_sum"][("total",)] < 0.1
    assert found["lowcap_reply_seconds_count"][("ws",)] == 10
    assert found["lowcap_orders_total"] == {("filled",): 2}
    assert found["lowcap_trades_total"][()] == 0
    assert found["lowcap_volume_usd_total"][()] > 10_000
    assert found["lowcap_errors_total"] == {("metrics",): 1}
    assert found["lowcap_feed_reconnects_total"][("tokyo",)] == 0
    assert found["lowcap_feed_up"][("tokyo",)] == 1
    assert found["lowcap_positions"][()] == 2
    assert found["lowcap_connections"][()] == 0
    assert found["lowcap_state"][("ACTIVE",)] == 1
    assert sum(found["lowcap_state"].values()) == 1
    assert found["lowcap_healthy"][("ledger",)] == 1
    assert found["lowcap_process_resident_bytes"][()] > 10_000_000
    assert found["lowcap_process_cpu_seconds_total"][()] > 0
    assert found["lowcap_info"] == {("dry", __version__): 1}


def _families(text: str) -> set[str]:
    """Names as the documentation has them: counters with their ending."""
    return {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(text)
    }


def test_every_metric_is_documented_and_none_is_invented(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            text = (await ask(commands, "metrics", prom=True))["text"]
            documented = set(re.findall(r"`(lowcap_[a-z_]+)`", DOCUMENT.read_text()))
            assert documented == _families(text)

    in_virtual_time(main, tmp_path)


def test_the_account_adds_up(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(5)
            nothing = await ask(commands, "account")
            assert (nothing["positions"], nothing["used_pct"]) == ([], "0.00")
            assert nothing["position_margin_usd_max"] == "300000.00"
            await bought(stage)
            told: dict[str, Any] = await ask(commands, "account")
            assert {row["symbol"] for row in told["positions"]} == set(SYMBOLS)
            used = Decimal(told["margin_used_usd"])
            wallet, free = Decimal(told["wallet_usdt"]), Decimal(told["margin_available_usd"])
            assert abs(wallet - used - free) < Decimal("0.05")
            for row in told["positions"]:
                margin = Decimal(row["notional_usd"]) / row["leverage"]
                assert abs(margin - Decimal(row["margin_usd"])) < Decimal("0.01")
                assert 0 < Decimal(row["maintenance_usd"]) < margin
                assert row["side"] == "LONG"
            equity = wallet + Decimal(told["unrealized_usd"])
            assert abs(Decimal(told["equity_usd"]) - equity) <= Decimal("0.01")

    in_virtual_time(main, tmp_path)


def test_prices_by_name_and_by_pattern(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await bought(stage)
            await trio.sleep(2)
            every = await ask(commands, "prices")
            assert len(every) == len(parts_of(commands).venue.contracts)
            [kaito] = await ask(commands, "prices", symbol="kaito")
            assert kaito["symbol"] == "KAITOUSDT"
            assert Decimal(kaito["bid"]) < Decimal(kaito["ask"])
            assert 0 < Decimal(kaito["spread_bps"]) < 1_000
            assert 0 <= kaito["age_ms"] < 2_000
            [pepe] = await ask(commands, "prices", symbol="PEPE")
            assert (pepe["symbol"], pepe["coin"], pepe["multiplier"]) == (
                "1000PEPEUSDT", "PEPE", 1000,
            )  # fmt: skip
            assert pepe["leverage_set"] in range(1, 21)
            assert (pepe["spread_bps"], pepe["tier"]) == (None, None)
            some = await ask(commands, "prices", symbol="1000*")
            assert pepe["symbol"] in [row["symbol"] for row in some]
            assert all(row["symbol"].startswith("1000") for row in some)
            for bad in ("NOSUCH", "NOSUCH*", "*" * 41, "["):
                with pytest.raises(CommandError):
                    await ask(commands, "prices", symbol=bad)

    in_virtual_time(main, tmp_path)
