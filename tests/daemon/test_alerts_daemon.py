"""Alerts of the whole daemon: what a trading day tells, and services that hang while it trades."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from lowcap.control.peer import Peer
from lowcap.core.errors import CommandError
from lowcap.core.facts import SinkChanged
from lowcap.handlers import Commands
from lowcap.ledger.replay import day_files
from lowcap.reload import take
from lowcap.settings import Notify, Settings
from tests.alerts.alert_fakes import FakeService, with_services
from tests.alerts.alert_kit import HOSTILE, KEYS, is_harmless, sinks_for
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

WRITABLE = HOSTILE.replace("\ud800", "")  # no JSON carries that as it is
Services = dict[str, FakeService]


def with_alerts(
    main: Callable[[Stage, Services, Settings], Awaitable[None]], folder: Path, **notify: Any
) -> None:
    """A stage with one service of each kind; the settings given have a sink for each."""

    async def run(stage: Stage) -> None:
        for name, key in KEYS.items():
            (folder / "keys" / name).write_text(key)

        async def inside(services: Services) -> None:
            given = Notify(**{"sink": sinks_for(services), **notify})
            await main(stage, services, attrs.evolve(stage.settings(), notify=given))

        await with_services(stage.net, inside)

    in_virtual_time(run, folder, settings_for(folder / "state"))


def events(service: FakeService) -> list[str]:
    return [taken.fields["event"] for taken in service.taken]


def test_a_trading_day_is_told_from_start_to_end(tmp_path: Path) -> None:
    async def main(stage: Stage, services: Services, settings: Settings) -> None:
        hook, chat = services["webhook"], services["telegram"]
        async with stage.daemon(settings=settings) as commands:
            await trio.sleep(8)
            stage.feeds.send("tokyo", stage.elon(f"Bitcoin again {WRITABLE}"))
            await until(lambda: protected(stage, "BTCUSDT"), 5)
            await trio.sleep(3)
            await ask(commands, "close", symbol="BTCUSDT", confirm=True)
            await trio.sleep(3)
            await ask(commands, "halt", reason="enough")
            await trio.sleep(1)
            await ask(commands, "resume", reason="going on")
            await trio.sleep(1)
        assert events(hook) == [
            "daemon.started", "daemon.ready", "signal", "order.filled", "order.filled",
            "position.closed", "trading.halted", "trading.resumed", "daemon.stopped",
        ]  # fmt: skip
        signal, entry, closed = (hook.taken[n].fields for n in (2, 3, 5))
        assert entry["title"] == "DRY ENTRY BUY BTCUSDT"
        assert entry["text"].split("\n")[0].endswith("USD, by elon_btc")
        assert entry["at"].startswith("2026-02-06T13:29:")
        assert closed["fields"]["symbol"] == "BTCUSDT"
        assert "pnl_usd" in closed["fields"]
        assert "Bitcoin again" in signal["text"]
        for taken in (*hook.taken, *chat.taken):
            assert all(is_harmless(line) for line in taken.text.split("\n"))
        assert "LIVE" not in chat.taken[0].text

    with_alerts(main, tmp_path, coalesce_s=0)


def test_while_every_service_hangs_the_daemon_trades_and_leaves_as_ever(tmp_path: Path) -> None:
    async def main(stage: Stage, services: Services, settings: Settings) -> None:
        for service in services.values():
            service.always = "hang"
        async with stage.daemon(settings=settings) as commands:
            await trio.sleep(5)
            for n in range(400):
                stage.feeds.send("bwe", b"junk")
                parts_of(commands).desk.alarm("orphan", f"alarm {n}")
            stage.feeds.send("synoptic", stage.payrolls())
            stage.feeds.send("tokyo", stage.elon())
            for symbol in ("ETHUSDT", "BTCUSDT"):
                await until(lambda s=symbol: protected(stage, s), 2)
            await trio.sleep(120)
            rows = {row["name"]: row for row in await ask(commands, "notify")}
            kinds = ("pushover", "telegram", "webhook")
            assert not any(rows[name]["sent"] for name in kinds)
            assert all(rows[name]["failed"] and rows[name]["queued"] <= 101 for name in kinds)
            assert all(rows[name]["dropped"] >= 300 for name in kinds)
            for outlet in parts_of(commands).alerts.outlets.values():
                outlet.sink.die("as after an hour")
            status = await ask(commands, "status")
            assert sorted(status["alerts"]["dead"]) == sorted(kinds)
            health = await ask(commands, "health", component="alerts")
            assert not health["ok"]
            assert "telegram is dead: as after an hour" in health["components"][0]["text"]
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await until(lambda: protected(stage, "KAITOUSDT"), 2)
            before_s = trio.current_time()
        assert trio.current_time() - before_s < 10
        assert not any(service.taken for service in services.values())

    with_alerts(main, tmp_path, coalesce_s=0)
    dead = [r.body for r in records(tmp_path) if isinstance(r.body, SinkChanged)]
    assert sorted(fact.sink for fact in dead) == ["pushover", "telegram", "webhook"]
    ledger = "".join(path.read_text() for path in day_files(tmp_path / "state" / "ledger"))
    assert "MARKED" not in ledger


def test_the_command_tests_sends_and_switches(tmp_path: Path) -> None:
    async def main(stage: Stage, services: Services, settings: Settings) -> None:
        services["telegram"].always = "drop"
        async with stage.daemon(settings=settings) as commands:
            await trio.sleep(3)
            rows = {r["name"]: r["result"] for r in await ask(commands, "notify", action="test")}
            assert (rows["pushover"], rows["webhook"]) == ("sent", "sent")
            assert rows["telegram"].startswith("not sent yet: ")
            assert "MARKED" not in str(rows)
            [row] = await ask(commands, "notify", action="test", what="webhook", kind="trade")
            assert row == {"name": "webhook", "result": "sent"}
            assert services["webhook"].taken[-1].fields["title"] == "DRY TEST ENTRY BUY BTCUSDT"
            await ask(commands, "notify", action="send", what=HOSTILE, level="critical")
            pushed = services["pushover"].taken[-1]
            assert pushed.fields["priority"] == "2"
            assert pushed.text.split("\n")[0].endswith("end (uid 1000)")
            assert all(is_harmless(line) for line in pushed.text.split("\n"))
            [off] = await ask(commands, "notify", action="disable", what="webhook", reason="noise")
            assert (off["state"], off["why"]) == ("off", "switched off")
        async with stage.daemon(settings=settings) as commands:
            await trio.sleep(3)
            count = len(services["webhook"].taken)
            rows = {row["name"]: row for row in await ask(commands, "notify", action="status")}
            assert rows["webhook"]["state"] == "off", "it survives a restart"
            [row] = await ask(commands, "notify", action="test", what="webhook")
            assert row["result"] == "off: switched off"
            [on] = await ask(commands, "notify", action="enable", what="webhook")
            assert on["state"] == "up"
            [row] = await ask(commands, "notify", action="test", what="webhook")
            assert row["result"] == "sent"
            assert len(services["webhook"].taken) > count
            assert rows["pushover"]["left"] == 7_496
            assert rows["pushover"]["to"].startswith("127.0.0.1:")

    with_alerts(main, tmp_path)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"action": "test", "what": "pigeon"}, "not-found"),
        ({"action": "enable"}, "not-found"),
        ({"action": "enable", "what": "webhook"}, "refused"),
        ({"action": "test"}, "refused"),
        ({"action": "send"}, "usage"),
        ({"action": "send", "what": "x", "level": "loud"}, "usage"),
        ({"action": "test", "kind": "love"}, "usage"),
        ({"action": "shout"}, "usage"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_hint(
    tmp_path: Path, params: dict[str, str], code: str
) -> None:
    async def main(stage: Stage, services: Services, settings: Settings) -> None:
        sinks = {
            name: attrs.evolve(sink, enabled=False) for name, sink in settings.notify.sink.items()
        }
        settings = attrs.evolve(settings, notify=Notify(sink=sinks))
        async with stage.daemon(settings=settings, ready=False) as commands:
            with pytest.raises(CommandError) as caught:
                await ask(commands, "notify", **params)
            assert caught.value.code == code
            assert caught.value.hint
            rows = await ask(commands, "notify")
            assert {row["why"] for row in rows} == {"off in the configuration"}

    with_alerts(main, tmp_path)


def test_a_reload_takes_the_sinks_in_and_revives_a_dead_one(tmp_path: Path) -> None:
    async def main(stage: Stage, services: Services, settings: Settings) -> None:
        key = tmp_path / "keys" / "notify-pushover-token"
        key.write_text("WRONG")
        async with stage.daemon(settings=settings) as commands:
            parts = parts_of(commands)
            await until(lambda: "pushover" in _dead(commands))
            key.write_text(KEYS["notify-pushover-token"])
            done = take(parts, settings, "same", "uid 0")
            assert not done.changed
            await ask(commands, "notify", action="test", what="pushover")
            assert services["pushover"].taken
            quieter = attrs.evolve(settings.notify, level="critical")
            done = take(parts, attrs.evolve(settings, notify=quieter), "new", "uid 0")
            assert done.changed == ("notify",)
            assert [change.key for change in done.changes] == ["notify.level"]
            count = len(services["pushover"].taken)
            parts.desk.alarm("orphan", "not critical")
            await trio.sleep(10)
            assert len(services["pushover"].taken) == count

    with_alerts(main, tmp_path, coalesce_s=0)


def _dead(commands: Commands) -> dict[str, str]:
    outlets = parts_of(commands).alerts.outlets
    return {name: o.sink.state for name, o in outlets.items() if o.sink.state == "dead"}


def test_the_day_in_one_line(tmp_path: Path) -> None:
    async def main(stage: Stage, services: Services, settings: Settings) -> None:
        async with stage.daemon(settings=settings) as commands:
            await trio.sleep(8)
            stage.feeds.send("tokyo", stage.elon())
            await until(lambda: protected(stage, "BTCUSDT"), 5)
            await ask(commands, "close", symbol="BTCUSDT", confirm=True)
            hook = services["webhook"]
            await until(lambda: "summary" in events(hook), within_s=3_600)
            text = hook.taken[-1].fields["text"]
            assert text.startswith("2026-02-06: result ")
            assert ", 1 closed, " in text

    with_alerts(main, tmp_path, daily="13:45")


def test_who_comes_and_who_may_not_is_told(tmp_path: Path) -> None:
    async def main(stage: Stage, services: Services, settings: Settings) -> None:
        async with stage.daemon(settings=settings) as commands:
            commands.on_session(Peer(1_001, 5, "trade"))
            commands.on_denied(Peer(4_242, 9, ""), "connect")
            hook = services["webhook"]
            await until(lambda: "session.denied" in events(hook))
            texts = {taken.fields["event"]: taken.text for taken in hook.taken}
            assert "uid 1001, process 5" in texts["session.opened"]
            assert "may not connect" in texts["session.denied"]

    with_alerts(main, tmp_path, coalesce_s=0)
