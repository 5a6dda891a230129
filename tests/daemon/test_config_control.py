"""``config`` at run time: set, unset, make permanent, look."""

from __future__ import annotations

import resource
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from lowcap.config import load
from lowcap.core.errors import CommandError, ConfigError
from lowcap.core.facts import CommandReceived
from lowcap.handlers import Commands
from tests.daemon.config_room import (
    Ask,
    Room,
    collar,
    limits,
    play,
    refused,
    row,
    told,
)
from tests.daemon.stage import ask, parts_of, records

# -- one value -----------------------------------------------------------------------


def test_a_value_is_set_and_unset_and_every_change_says_who(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        before = await row(config, "order.collar_pct")
        assert (before["value"], before["origin"], before["hot"]) == ("1.5", "config.toml", True)
        done = await config("set", "order.collar_pct", "1.20")
        assert [(c["key"], c["old"], c["new"]) for c in done["changes"]] == [
            ("order.collar_pct", "1.5", "1.20")
        ]
        assert str(collar(commands)) == "1.20", "exactly as typed"
        now = await row(config, "order.collar_pct")
        assert (now["value"], now["origin"], now["default"]) == ("1.20", "runtime set", "1.5")
        status = await ask(commands, "status")
        assert status["config"] == {"unsaved": 1, "confirm_by": None, "confirm_until": None}
        (differing,) = await config("diff")
        assert differing == {
            "key": "order.collar_pct", "running": "1.20", "files": "1.5", "hot": True,
            "ends": "unset",
        }  # fmt: skip
        await config("unset", "order.collar_pct")
        assert await row(config, "order.collar_pct") == before
        assert await config("diff") == []
        await refused(CommandError, "was not set", config("unset", "order.collar_pct"))
        assert not room.runtime.exists()

    play(tmp_path, main)
    assert [(fact.how, fact.who) for fact in told(tmp_path)] == [
        ("set", "uid 1000 pid 1"),
        ("unset", "uid 1000 pid 1"),
    ]
    asked = [r.body for r in records(tmp_path) if isinstance(r.body, CommandReceived)]
    assert [(c.method, c.uid, c.pid) for c in asked] == [("config", 1000, 1)] * 3


CANNOT_BE_SET: list[tuple[str, str, type[Exception], str]] = [
    ("order.collar_pct", "5.01", ConfigError, "order.collar_pct: expected at most 5"),
    ("order.collar_pct", "-1", ConfigError, "expected more than 0"),
    ("order.collar_pct", "nan", ConfigError, "expected a finite number"),
    ("order.collar_pct", "inf", ConfigError, "expected a finite number"),
    ("order.collar_pct", "1e400", ConfigError, "number of ordinary size"),
    ("order.collar_pct", "much", ConfigError, "expected a number, not 'much'"),
    ("order.collar_pct", "true", ConfigError, "expected a number, not True"),
    ("order.retries_max", "1.5", ConfigError, "expected a whole number"),
    ("order.colar_pct", "1", ConfigError, r"unknown key colar_pct \(did you mean collar_pct"),
    ("oder.collar_pct", "1", CommandError, "no key 'oder.collar_pct'"),
    ("trigger.elon_btk.cooldown_s", "5", CommandError, "no key trigger.elon_btk"),
    ("trigger.elon_btc.id", "x", CommandError, "known by its id"),
    ("trigger.elon_btc.match.symbols", '["btc"]', ConfigError, "trigger elon_btc.match"),
    ("trigger.elon_btc", "{}", CommandError, "key by key"),
    ("sizing.symbol_usd", "{}", CommandError, "is a table"),
    ("sizing.symbol_usd.btc", "5", ConfigError, "expected a symbol in capitals"),
    ("protect.ladder", "[[50, 2]]", ConfigError, "shares that add up to 100"),
    ("limits.order_notional_usd_max", "1e999", ConfigError, "ordinary size"),
    ("shutdown.positions", "flatten", CommandError, "needs a restart"),
    ("mode", "live", CommandError, "needs a restart"),
    ("exchange.rest_url", "http://127.0.0.1:1", CommandError, "is set in a file only"),
    ("feed.tokyo.enabled", "false", CommandError, "is set in a file only"),
    ("exchange.credentials_dir", "/tmp", CommandError, "is set in a file only"),
    ("notify.sink.x.command", '["/bin/sh"]', CommandError, "is set in a file only"),
    ("metrics.textfile", "/etc/passwd", CommandError, "is set in a file only"),
    ("credentials.api-key", "x", CommandError, "keys have files of their own"),
    ("order..collar_pct", "1", CommandError, "is no key"),
    ("order.", "1", CommandError, "is no key"),
    ("", "1", CommandError, "set what"),
    ("order.collar_pct", "", CommandError, "set what"),
]


def test_what_cannot_be_set_changes_nothing(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        before = parts_of(commands).desk.settings
        for key, value, error, words in CANNOT_BE_SET:
            await refused(error, words, config("set", key, value))
            assert parts_of(commands).desk.settings is before, key
            assert parts_of(commands).config.unsaved() == [], key

    play(tmp_path, main)
    assert told(tmp_path) == []


def test_a_hard_ceiling_holds_where_the_daemon_trades_whatever_the_files_say(
    tmp_path: Path,
) -> None:
    """Files that speak of loopback do not loosen a daemon that trades elsewhere."""

    async def main(room: Room, commands: Commands, config: Ask) -> None:
        desk = parts_of(commands).desk
        tokyo = attrs.evolve(desk.settings.feed["tokyo"], url="wss://x.example/")
        desk.settings = attrs.evolve(desk.settings, feed=desk.settings.feed | {"tokyo": tokyo})
        words = "at most 1000000 away from loopback"
        await refused(
            ConfigError, words, config("set", "limits.order_notional_usd_max", "1_000_001")
        )
        room.add("60-more.toml", "[limits]\norder_notional_usd_max = 1_000_001\n")
        await refused(ConfigError, words, config("reload"))
        trial = "[limits]\norder_notional_usd_max = 1_000_001\n"
        await refused(ConfigError, words, config("apply", trial))
        assert limits(commands) == (20, 500_000)
        desk.settings = room.settings
        await config("reload")
        assert limits(commands) == (20, 1_000_001), "on loopback it may"

    play(tmp_path, main)


# -- for good ---------------------------------------------------------------------------


def test_persisted_values_stand_in_one_file_whose_comments_stay(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        by_hand = room.file.read_bytes()
        await config("set", "order.collar_pct", "1.10", persist=True)
        text = room.runtime.read_text() + "# mine\n"
        room.runtime.write_text(text.replace("1.10", "1.10  # agreed with Ana"))
        await config("set", "trigger.elon_btc.cooldown_s", "77", persist=True)
        await config("set", "trigger.elon_btc.match.any_of", '["a", "b"]', persist=True)
        await config("set", "shutdown.positions", "flatten", persist=True)
        text = room.runtime.read_text()
        assert "1.10  # agreed with Ana" in text
        assert "# mine" in text
        assert room.file.read_bytes() == by_hand
        assert load(room.file, {})[0].shutdown.positions == "flatten"
        assert room.runtime.stat().st_mode & 0o777 == room.file.stat().st_mode & 0o777
        assert (await row(config, "order.collar_pct"))["origin"] == "config.d/90-runtime.toml"
        status = await ask(commands, "status")
        assert status["config"]["unsaved"] == 0
        (waits,) = await config("diff")
        assert (waits["key"], waits["ends"]) == ("shutdown.positions", "restart")
        for key in ("trigger.elon_btc.cooldown_s", "trigger.elon_btc.match.any_of"):
            await config("unset", key, persist=True)
        assert "elon_btc" not in room.runtime.read_text()
        assert "# agreed with Ana" in room.runtime.read_text()
        elon = [t for t in parts_of(commands).desk.settings.trigger if t.id == "elon_btc"]
        assert elon[0].cooldown_s == 21_600
        await refused(CommandError, "is not in", config("unset", "order.retries_max", persist=True))

    play(tmp_path, main)
    assert [fact.how for fact in told(tmp_path)][:2] == ["set", "persist"]


def test_a_value_that_would_not_last_is_not_written(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        room.add("95-later.toml", "[order]\ncollar_pct = 1.4\n")
        call = config("set", "order.collar_pct", "1.1", persist=True)
        await refused(CommandError, r"would not last: config.d/95-later.toml comes later", call)
        room.add("95-later.toml", "[order]\ncollar = 1\n")
        call = config("set", "order.retries_max", "1", persist=True)
        await refused(ConfigError, "order: unknown key collar", call)
        (room.folder / "config.d" / "95-later.toml").unlink()
        room.files.environ = {"LOWCAP_ORDER__COLLAR_PCT": "1.4"}
        call = config("set", "order.collar_pct", "1.1", persist=True)
        await refused(CommandError, "environment LOWCAP_ORDER__COLLAR_PCT comes later", call)
        assert not room.runtime.exists()
        assert collar(commands) == Decimal("1.5")

    play(tmp_path, main)
    assert told(tmp_path) == []


def test_a_file_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """The disk takes eight bytes of the new file, then no more."""

    async def main(room: Room, commands: Commands, config: Ask) -> None:
        room.runtime.write_text("# kept\n")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
        try:
            call = config("set", "order.collar_pct", "1.1", persist=True)
            await refused(CommandError, "File too large; nothing was changed", call)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert room.runtime.read_text() == "# kept\n"
        assert sorted(each.name for each in room.runtime.parent.iterdir()) == [
            "50-stage.toml", "90-runtime.toml",
        ]  # fmt: skip
        assert collar(commands) == Decimal("1.5")
        assert parts_of(commands).config.unsaved() == []

    play(tmp_path, main)
    assert told(tmp_path) == []


# -- looking ----------------------------------------------------------------------------------


def test_what_is_shown(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        rows = await config("show")
        assert all(
            set(r) == {"key", "value", "default", "origin", "hot", "range", "help"} for r in rows
        )
        by_key = {r["key"]: r for r in rows}
        assert not [r["key"] for r in rows if not r["help"]]
        assert by_key["exchange.rest_url"]["origin"] == "config.d/50-stage.toml"
        assert by_key["credentials.api-key"]["value"] == "set"
        assert by_key["credentials.feed-toa_news"]["value"] == "not set"
        assert by_key["order.collar_pct"]["range"] == "more than 0, at most 5"
        assert not any(key.startswith("trigger.") for key in by_key)
        assert all(r["hot"] for r in await config("keys", hot=True))
        cooldown = await row(config, "trigger.elon_btc.cooldown_s")
        assert (cooldown["value"], cooldown["default"]) == ("21600", "600")
        own = {r["key"]: r["value"] for r in await config("show", **{"for": "WIF"})}
        assert own["protect_for.memes.stop_pct"] == "3.0"
        assert own["protect.trail_step_pct"] == "0.2"
        own = {r["key"]: r["value"] for r in await config("show", **{"for": "BTCUSDT"})}
        assert own["sizing.symbol_usd.BTCUSDT"] == "250000"
        assert own["trigger.elon_btc.notional_usd.BTCUSDT"] == "250000"
        await refused(CommandError, "no contract", config("show", **{"for": "NOPE"}))
        with pytest.raises(CommandError) as caught:
            await config("show", "order.colar_pct")
        assert caught.value.hint == "did you mean order.collar_pct?"

    play(tmp_path, main)
