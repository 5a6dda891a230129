"""What operators do about news while the daemon runs, and what of it survives a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from lowcap.config import from_tree, load, shipped
from lowcap.core.errors import CommandError, ConfigError
from lowcap.core.facts import ConfigReloaded, NewsSeen, SignalRaised, Switched
from lowcap.detection.trigger import Trigger
from lowcap.paper.capture import read_capture
from lowcap.reload import take
from lowcap.settings import Settings
from tests.daemon.stage import (
    Stage,
    ask,
    entries,
    in_virtual_time,
    parts_of,
    records,
    settings_for,
    until,
)
from tests.daemon.stories import bwe_filing, tree_filing, tree_listing

HBAR = ("HBAR", "Hedera")
SEVENTEENTH = {
    "id": "my_wallet",
    "feeds": ["bwe"],
    "side": "BUY",
    "matcher": "text",
    "key": "mine",
    "cooldown_s": 60,
    "match": {
        "sources": ["BWENEWS"],
        "text": "title",
        "any_of": ["opens a new vault"],
        "none_of": ["test"],
        "symbols": ["DOTUSDT"],
    },
}


def seventeenth() -> Trigger:
    limits = dict.fromkeys(
        (
            *("order_notional_usd_max", "position_notional_usd_max", "gross_notional_usd_max"),
            *("open_positions_max", "day_loss_usd_max"),
        ),
        1,
    )
    feed = {"bwe": {"url": "wss://x.example/", "format": "bwe"}}
    return from_tree({"limits": limits, "feed": feed, "trigger": [SEVENTEENTH]}).trigger[0]


def vault(stage: Stage, words: str = "Lakeshore opens a new vault") -> bytes:
    frame = bwe_filing(stage.now_ms(), HBAR, 1)
    return frame.replace(b"BlackRock registers an iShares Hedera Trust in Delaware", words.encode())


def facts_of(folder: Path, kind: type) -> list[Any]:
    return [record.body for record in records(folder) if isinstance(record.body, kind)]


def test_no_second_trade_after_a_restart(tmp_path: Path) -> None:
    """In the middle of a cool-down, and right after a traded story by another feed."""

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            stage.feeds.send("bwe", bwe_filing(stage.now_ms(), HBAR, 1))
            await until(lambda: len(parts_of(commands).desk.book.open_positions()) == 1)
        async with stage.daemon():
            await trio.sleep(2)
            stage.feeds.send("toa_news", tree_filing(stage.now_ms(), HBAR, 2))
            await trio.sleep(1)
        await trio.sleep(3_600)
        async with stage.daemon():
            await trio.sleep(2)
            stage.feeds.send("bwe", bwe_filing(stage.now_ms(), HBAR, 3))
            await trio.sleep(1)

    in_virtual_time(main, tmp_path)
    assert len(entries(tmp_path)) == 1
    reasons = [seen.reason for seen in facts_of(tmp_path, NewsSeen) if seen.decision == "no-trade"]
    assert reasons == ["s1_trust: cool-down", "etf_filing: cool-down"]


def test_a_seventeenth_trigger_by_reload_without_losing_a_frame(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            frames = parts.intake.sessions["bwe"].status
            stage.feeds.send("bwe", vault(stage))
            await trio.sleep(1)
            before, connects = frames.frames, frames.connects
            fresh = attrs.evolve(
                parts.desk.settings, trigger=(*parts.desk.settings.trigger, seventeenth())
            )
            for number in range(40):  # frames come while it is activated
                stage.feeds.send("bwe", vault(stage, f"Noise {number}"))
                if number == 20:
                    done = take(parts, fresh, "fresh", "test")
            assert (done.changed, done.needs_restart) == (("trigger",), ())
            stage.feeds.send("bwe", vault(stage))
            await until(lambda: parts.desk.book.position("DOTUSDT").qty > 0)
            assert frames.frames == before + 41
            assert frames.connects == connects
            rows = await ask(commands, "triggers")
            assert rows[-1]["id"] == "my_wallet"
            assert rows[-1]["signals"] == 1

    in_virtual_time(main, tmp_path)
    assert [fact.trigger for fact in facts_of(tmp_path, SignalRaised)] == ["my_wallet"]
    reload = facts_of(tmp_path, ConfigReloaded)[0]
    assert (reload.changed, reload.who, reload.config_hash) == (("trigger",), "test", "fresh")


def test_a_changed_limit_holds_for_the_next_order(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            old = parts.desk.settings
            limits = attrs.evolve(old.limits, order_notional_usd_max=2_000)
            mode = attrs.evolve(old, limits=limits, mode="live")
            done = take(parts, mode, "x", "test")
            assert (done.changed, done.needs_restart) == (("limits",), ("mode",))
            assert parts.desk.settings.mode == "dry"
            stage.feeds.send("bwe", bwe_filing(stage.now_ms(), HBAR, 1))
            await until(lambda: len(parts.desk.book.open_positions()) == 1)
            order = next(iter(parts.desk.book.orders.values()))
            assert order.notional_usd <= 2_000

    in_virtual_time(main, tmp_path)


def test_a_reload_with_faults_changes_nothing_and_names_them_all(tmp_path: Path) -> None:
    faults = ["order.collar_pct: expected at most 5", "feed.x: unknown"]

    def broken() -> tuple[Settings, str]:
        raise ConfigError(faults)

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            before = parts.desk.settings
            with pytest.raises(CommandError, match="no configuration"):
                await ask(commands, "config", action="reload")
            parts.reload = broken
            with pytest.raises(ConfigError) as caught:
                await ask(commands, "config", action="reload")
            assert caught.value.faults == faults
            assert parts.desk.settings is before
            parts.reload = lambda: (before, "same")
            assert not (await ask(commands, "config", action="reload"))["changed"]

    in_virtual_time(main, tmp_path)


def test_toggles_survive_a_restart(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            row = await ask(
                commands, "trigger", action="disable", id="etf_filing", reason="too noisy"
            )
            assert (row["on"], row["why_off"]) == (False, "switched off")
            await ask(commands, "feed", action="disable", name="phoenix")
            await until(lambda: stage.feeds.clients("phoenix") == 0)
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            stage.feeds.send("bwe", bwe_filing(stage.now_ms(), HBAR, 1))
            await trio.sleep(1)
            assert not parts.desk.book.open_positions()
            assert parts.intake.sessions["phoenix"].status.state == "off"
            assert stage.feeds.clients("phoenix") == 0
            await ask(commands, "trigger", action="enable", id="etf_filing")
            row = await ask(commands, "feed", action="enable", name="phoenix")
            await until(lambda: stage.feeds.clients("phoenix") == 1)
            stage.feeds.send("bwe", bwe_filing(stage.now_ms(), HBAR, 2))
            await until(lambda: len(parts.desk.book.open_positions()) == 1)

    in_virtual_time(main, tmp_path)
    switched = [(s.kind, s.name, s.enabled, s.who) for s in facts_of(tmp_path, Switched)]
    assert switched == [
        ("trigger", "etf_filing", False, "uid 1000"),
        ("feed", "phoenix", False, "uid 1000"),
        ("trigger", "etf_filing", True, "uid 1000"),
        ("feed", "phoenix", True, "uid 1000"),
    ]
    assert facts_of(tmp_path, NewsSeen)[0].reason == "etf_filing: disabled"


def test_try_goes_through_sizing_and_sends_nothing(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            before = parts.desk.ledger.last_seq
            good = "Visa partners with Hedera (HBAR) on payments"
            told = await ask(commands, "try", feed="bwe", text=good)
            assert told["signal"]["trigger"] == "news_coin_mention"
            (target,) = told["targets"]
            assert (target["symbol"], target["side"]) == ("HBARUSDT", "BUY")
            assert float(target["notional_usd"]) <= float(target["usd"])
            assert "by default" in target["sizing"]
            no = await ask(commands, "try", feed="bwe", text=good + ", analysts say")
            assert no["signal"] is None
            assert (no["reason"], no["detail"]) == (
                "news_coin_mention: forbidden-phrase",
                "analysts",
            )
            elon = await ask(
                commands, "try", feed="tokyo", author="elonmusk", text="Bitcoin, not gold"
            )
            miss = next(m for m in elon["misses"] if m["trigger"] == "elon_btc")
            assert (miss["reason"], *miss["blocking"]) == ("forbidden-phrase", "not")
            assert list(miss["matched"]) == ["Bitcoin"]
            assert parts.desk.ledger.last_seq == before
            for params in ({"feed": "nowhere", "text": "x"}, {"feed": "bwe"}):
                with pytest.raises(CommandError):
                    await ask(commands, "try", **params)

    in_virtual_time(main, tmp_path)
    assert not entries(tmp_path)


def test_a_trigger_is_shown_tested_and_counted(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            shown = await ask(commands, "trigger", action="show", id="elon_btc")
            (author,) = shown["table"]["match"]["authors"]
            assert author == {"handle": "elonmusk", "id": "44196397"}
            await ask(commands, "trigger", action="disable", id="elon_btc")
            told = await ask(
                commands, "trigger", action="test", id="elon_btc", author="elonmusk",
                text="Bitcoin at last",
            )  # fmt: skip
            assert told["signal"]["trigger"] == "elon_btc", "tested although it is off"
            frame = tree_listing(stage.now_ms(), ("KAITO", "카이토"), 3).decode()
            told = await ask(commands, "trigger", action="test", id="upbit_listing", file=frame)
            assert [t["symbol"] for t in told["targets"]] == ["KAITOUSDT"]
            stage.feeds.send("tokyo", frame.encode())
            await until(lambda: len(parts_of(commands).desk.book.open_positions()) == 1)
            stage.feeds.send("bwe", bwe_filing(stage.now_ms(), ("X", "nothing"), 5))
            await trio.sleep(1)
            rows = {row["id"]: row for row in await ask(commands, "trigger", action="stats")}
            assert (rows["upbit_listing"]["signals"], rows["upbit_listing"]["trades"]) == (1, 1)
            assert rows["etf_filing"]["near_misses"] == {"no-coin": 1}
            with pytest.raises(CommandError, match="no trigger"):
                await ask(commands, "trigger", action="show", id="nobody")

    in_virtual_time(main, tmp_path)


def test_feeds_are_shown_and_made_to_reconnect(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            session = parts_of(commands).intake.sessions["tokyo"]
            row = await ask(commands, "feed", action="show", name="tokyo")
            assert row["triggers"] == ["upbit_listing", "elon_btc"]
            assert (row["state"], row["connects"]) == ("up", 1)
            await ask(commands, "feed", action="reconnect", name="tokyo")
            await until(lambda: session.status.connects == 2)
            with pytest.raises(CommandError, match="off in the configuration"):
                await ask(commands, "feed", action="enable", name="upbit")
            with pytest.raises(CommandError, match="no feed"):
                await ask(commands, "feed", action="show", name="nowhere")

    in_virtual_time(main, tmp_path)


def test_a_recording_can_be_read_as_a_capture(tmp_path: Path) -> None:
    sent: list[bytes] = []

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await ask(commands, "captures", action="record", feeds="bwe,tokyo")
            for number in range(3):
                sent.append(bwe_filing(stage.now_ms(), HBAR, number))
                stage.feeds.send("bwe", sent[-1])
                await trio.sleep(1)
            stage.feeds.send("toa_news", tree_filing(stage.now_ms(), HBAR, 9))
            status = await ask(commands, "captures", action="status")
            assert (status["recording"], status["frames"]) == (True, 3)
            await ask(commands, "captures", action="stop")
            await trio.sleep(1)
            (file,) = await ask(commands, "captures", action="list")
            assert file["bytes"] > 0

    in_virtual_time(main, tmp_path)
    (path,) = (tmp_path / "state" / "captures").glob("*.jsonl.gz")
    lines = read_capture([path])
    assert [line.wire_frame() for line in lines] == sent
    assert {line.feed for line in lines} == {"bwe"}


def test_the_batch_tier_waits_its_turn_and_says_what_it_dropped(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            flow, status = parts.flow, parts.intake.sessions["bwe"].status
            told = b"Visa partners with Hedera (HBAR) number %d"
            for number in range(70):  # all in one instant: no turn for the batch in between
                title = told % number
                frame = bwe_filing(stage.now_ms(), HBAR, number)
                old = b"BlackRock registers an iShares Hedera Trust in Delaware"
                flow.on_frame(status, frame.replace(old, title))
            assert len(flow.batch) == 64
            await trio.sleep(1)
            assert not flow.batch
            assert flow.counts["dropped"] == 6

    in_virtual_time(main, tmp_path)
    reasons = [seen.reason for seen in facts_of(tmp_path, NewsSeen)]
    assert reasons.count("news_coin_mention: queue-full") == 6
    assert reasons.count("news_coin_mention: cool-down") == 63
    assert len(entries(tmp_path)) == 1


def test_capitalisations_decide_the_size(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "state")
    settings = attrs.evolve(settings, caps=attrs.evolve(settings.caps, enabled=True))

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            await until(lambda: bool(parts.caps.table.usd))
            row = await ask(commands, "caps", symbol="HBAR")
            assert row["symbol"] == "HBARUSDT"
            assert float(row["cap_usd"]) > 1e9
            told = await ask(
                commands, "try", feed="bwe", text="Visa partners with Hedera (HBAR) on rails"
            )
            assert told["targets"][0]["by"] == "tier mid"

    in_virtual_time(main, tmp_path, settings)


def test_the_shipped_configuration_has_no_live_stand_ins(tmp_path: Path) -> None:
    settings, _ = load(shipped("config.toml"), {})
    marked = {trigger.id for trigger in settings.trigger if trigger.stand_in}
    assert marked == {
        *("nfp_le_50k", "nfp_51k_100k", "nfp_125k_149k", "nfp_ge_150k", "nfp_unr_a", "nfp_unr_b"),
        *("sec_approval", "coinbase_roadmap"),
    }
