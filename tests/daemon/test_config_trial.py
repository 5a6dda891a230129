"""A file on trial: it reverts by itself, whatever is set, reloaded or restarted meanwhile."""

from __future__ import annotations

import random
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
import trio

from lowcap.config_files import ConfigFiles
from lowcap.config_tree import parse
from lowcap.control.peer import Peer
from lowcap.core.errors import CommandError, ConfigError
from lowcap.handlers import Commands
from tests.daemon.config_room import (
    LOWER,
    Ask,
    Room,
    collar,
    limits,
    only_given,
    play,
    refused,
    row,
    told,
)
from tests.daemon.stage import Stage, ask, in_virtual_time, parts_of

# -- a file on trial ------------------------------------------------------------------------


def test_an_apply_reverts_by_itself_unless_it_is_confirmed(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        done = await config("apply", LOWER, confirm_within="5s")
        assert limits(commands) == (3, 1_000)
        status = await ask(commands, "status")
        assert status["config"]["confirm_until"] == done["confirm_until"] is not None
        assert status["config"]["unsaved"] == 2
        await trio.sleep(4.9)
        assert limits(commands) == (3, 1_000)
        await trio.sleep(0.2)
        assert limits(commands) == (20, 500_000), "nobody confirmed"
        assert parts_of(commands).desk.settings == room.settings
        await refused(CommandError, "no apply waits", config("confirm"))
        await config("apply", LOWER, confirm_within="5s")
        await trio.sleep(4.9)
        assert (await config("confirm"))["confirmed"] == 2
        await trio.sleep(60)
        assert limits(commands) == (3, 1_000)
        shown = await row(config, "limits.open_positions_max")
        assert shown["origin"] == "runtime set"
        assert not room.runtime.exists()

    play(tmp_path, main)
    assert [f.how for f in told(tmp_path)] == ["apply", "revert", "apply", "confirm"]
    assert "nobody confirmed the apply of uid 1000" in told(tmp_path)[1].who


def test_a_pending_revert_survives_being_asked_twice_a_set_and_a_reload(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        await config("apply", LOWER, confirm_within="10s")
        await refused(CommandError, "waits for its confirmation", config("apply", LOWER))
        await config("set", "limits.open_positions_max", "7")
        await config("set", "order.collar_pct", "1.2")
        room.add("60-more.toml", "[order]\nretries_max = 1\n")
        await config("reload")
        settings = parts_of(commands).desk.settings
        assert (*limits(commands), settings.order.retries_max) == (7, 1_000, 1)
        await trio.sleep(10.1)
        settings = parts_of(commands).desk.settings
        assert limits(commands) == (7, 500_000), "what was set stays, what was applied goes"
        assert (settings.order.collar_pct, settings.order.retries_max) == (Decimal("1.2"), 1)

    play(tmp_path, main)


def test_nothing_may_be_set_that_would_be_faulty_after_the_revert(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        room.add("60-more.toml", "[order]\nmax_retry_slippage_pct = 2\n")
        await config("reload")
        await config("apply", "[order]\nmax_retry_slippage_pct = 5\n", confirm_within="10s")
        words = "max_retry_slippage_pct: expected at least order.collar_pct"
        await refused(ConfigError, words, config("set", "order.collar_pct", "4"))
        room.add("70-more.toml", "[order]\ncollar_pct = 4\n")
        await refused(ConfigError, words, config("reload"))
        await trio.sleep(10.1)
        order = parts_of(commands).desk.settings.order
        assert (order.collar_pct, order.max_retry_slippage_pct) == (Decimal("1.5"), 2)

    play(tmp_path, main)


def test_after_a_restart_the_files_rule(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        room = Room(tmp_path, stage)
        async with stage.daemon(settings=room.settings) as commands:
            parts_of(commands).reload = room.files
            await ask(commands, "config", action="apply", what=LOWER)
            await ask(commands, "config", action="set", what="order.collar_pct", value="1.1")
        await trio.sleep(1)
        async with stage.daemon(settings=ConfigFiles(room.file, {})()[0]) as commands:
            assert limits(commands) == (20, 500_000)
            assert collar(commands) == Decimal("1.5")

    in_virtual_time(main, tmp_path)


def test_confirmed_for_good_and_undone(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        await config("apply", LOWER)
        await config("undo")
        assert limits(commands) == (20, 500_000)
        await refused(CommandError, "no apply waits", config("undo"))
        await config("apply", LOWER + "[shutdown]\npositions = 'flatten'\n")
        done = await config("confirm", persist=True)
        assert done["written"] == str(room.runtime)
        await trio.sleep(120)
        assert limits(commands) == (3, 1_000)
        wanted = {"limits": {"open_positions_max": 3, "order_notional_usd_max": 1_000}}
        assert parse(room.runtime.read_text(), "") == wanted, "only what was tried"
        assert await config("diff") == []

    play(tmp_path, main)


CANNOT_BE_APPLIED = [
    ("", "60s", "apply what"),
    ("[shutdown]\npositions = 'flatten'\n", "60s", "nothing of what can change"),
    ("[limts]\nx = 1\n", "60s", "unknown key limts"),
    (
        "[shutdown]\npositions = 'no'\n[order]\ncollar_pct = 1\n",
        "60s",
        "positions: expected one",
    ),
    ("a = \n", "60s", "Invalid value"),
    (LOWER, "0s", "expected 1s to 1h"),
    (LOWER, "2h", "expected 1s to 1h"),
    (LOWER, "soon", "expected 1s to 1h"),
    ("a." * 20_000 + "b = 1\n", "60s", "nested too deeply"),
    ("x = 1\n" * 3_001, "60s", "longer than"),
    ("[order]\ncollar_pct = 9\nretries_max = 9\n", "60s", "retries_max: .*collar_pct: "),
]


def test_what_cannot_be_applied(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        before = parts_of(commands).desk.settings
        for text, within, words in CANNOT_BE_APPLIED:
            with pytest.raises((CommandError, ConfigError), match=words):
                await config("apply", text, confirm_within=within)
            assert parts_of(commands).desk.settings is before
            assert parts_of(commands).config.trial is None

    play(tmp_path, main)


def test_a_file_that_leaves_triggers_out_says_that_they_go_on(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        done = await config("apply", '[[trigger]]\nid = "elon_btc"\nenabled = false\n')
        assert "elon_btc" not in parts_of(commands).flow.enabled
        assert len(done["not_named"]) == 15
        same = await config("export")
        await config("undo")
        done = await config("apply", (await config("export"))["text"])
        assert (done["changes"], done["not_applied"], done["confirm_until"]) == ((), [], None)
        assert "enabled = false" in same["text"]

    play(tmp_path, main)


def test_a_bad_reload_changes_nothing_and_says_every_fault(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        before = parts_of(commands).desk.settings
        room.add("60-bad.toml", '[order]\ncollar_pct = "x"\nretries_max = 9\n[leverage]\nmx = 1\n')
        with pytest.raises(ConfigError) as caught:
            await config("reload")
        assert caught.value.faults == [
            "order.collar_pct: expected a number, not 'x'",
            "leverage: unknown key mx (did you mean max?)",
            "order.retries_max: expected 0 to 2",
        ]
        assert parts_of(commands).desk.settings is before
        checked = await config("check")
        assert not checked["ok"]
        assert [(f["where"], f["line"], f["key"]) for f in checked["faults"]] == [
            ("config.d/60-bad.toml", 2, "order.collar_pct"),
            ("config.d/60-bad.toml", 5, "leverage.mx"),
            ("config.d/60-bad.toml", 3, "order.retries_max"),
        ]
        await refused(ConfigError, "collar_pct", config("diff"))

    play(tmp_path, main)
    assert told(tmp_path) == []


def test_a_reload_says_when_values_set_at_run_time_stand_in_the_way(tmp_path: Path) -> None:
    async def main(room: Room, commands: Commands, config: Ask) -> None:
        await config("set", "order.collar_pct", "4")
        room.add("60-more.toml", "[order]\nmax_retry_slippage_pct = 3\n")
        with pytest.raises(ConfigError) as caught:
            await config("reload")
        assert "config unset" in caught.value.hint
        await config("unset", "order.collar_pct")
        await config("reload")

    play(tmp_path, main)


def test_two_operators_at_once_leave_what_one_after_the_other_would(tmp_path: Path) -> None:
    """Random commands of two clients; whatever comes, files plus what is set is what runs."""
    chance = random.Random(7)
    steps: list[tuple[str, str, str]] = [
        ("set", "order.collar_pct", "1.1"), ("set", "order.collar_pct", "4.9"),
        ("unset", "order.collar_pct", ""), ("apply", LOWER, ""), ("confirm", "", ""),
        ("undo", "", ""), ("reload", "", ""), ("set", "limits.open_positions_max", "9"),
        ("apply", "[order]\nmax_retry_slippage_pct = 2\n", ""), ("set", "order.collar_pct", "9"),
    ]  # fmt: skip

    async def main(room: Room, commands: Commands, config: Ask) -> None:
        parts = parts_of(commands)

        async def client(number: int) -> None:
            for _ in range(60):
                action, what, value = chance.choice(steps)
                given = {"what": what, "value": value, "confirm_within": "3s"}
                params = only_given({"action": action} | given)
                with suppress(CommandError, ConfigError):
                    await commands.handlers["config"](params, Peer(1000 + number, number, "admin"))
                plan = parts.config.plan(parts.desk.settings, trial=parts.config.trial)
                assert plan.now == parts.desk.settings
                parts.config.plan_reverted(parts.desk.settings)
                await trio.sleep(chance.uniform(0, 1))

        async with trio.open_nursery() as nursery:
            for number in range(2):
                nursery.start_soon(client, number)
        await trio.sleep(5)
        assert parts.config.trial is None
        assert parts.config.plan(parts.desk.settings).now == parts.desk.settings
        assert not room.runtime.exists()

    play(tmp_path, main)
    assert {fact.how for fact in told(tmp_path)} >= {"set", "unset", "apply", "confirm", "revert"}
