"""A daemon that runs on configuration files, for tests of ``config`` at run time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from lowcap.config import shipped
from lowcap.config_files import ConfigFiles
from lowcap.core.facts import ConfigReloaded
from lowcap.handlers import Commands
from tests.daemon.stage import Stage, ask, in_virtual_time, parts_of, records, settings_for

Json = dict[str, Any]
Ask = Callable[..., Awaitable[Any]]
LOWER = "[limits]\nopen_positions_max = 3\norder_notional_usd_max = 1_000\n"


class Room:
    """A daemon's files in a folder, and how a test asks it."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self.folder = folder / "etc"
        (self.folder / "config.d").mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "config.toml"
        if not self.file.exists():
            self.file.write_bytes(shipped("config.toml").read_bytes())
        given = stage.settings()
        urls = {name: {"url": feed.url} for name, feed in given.feed.items()}
        venue = given.exchange
        tree: Json = {
            "state": {"dir": str(folder / "state")},
            "caps": {"enabled": False},
            "feed": urls,
            "exchange": {
                "rest_url": venue.rest_url,
                "ws_api_url": venue.ws_api_url,
                "stream_url": venue.stream_url,
                "credentials_dir": venue.credentials_dir,
            },
        }
        (self.folder / "config.d" / "50-stage.toml").write_text(tomli_w.dumps(tree))
        self.runtime = self.folder / "config.d" / "90-runtime.toml"
        self.files = ConfigFiles(self.file, {})
        self.settings, _ = self.files()

    def add(self, name: str, text: str) -> None:
        (self.folder / "config.d" / name).write_text(text)


def play(folder: Path, main: Callable[[Room, Commands, Ask], Awaitable[None]]) -> None:
    """``main`` with a daemon that runs on files, under virtual time."""

    async def run(stage: Stage) -> None:
        room = Room(folder, stage)
        async with stage.daemon(settings=room.settings) as commands:
            parts_of(commands).reload = room.files

            async def config(action: str, what: str = "", value: str = "", **more: Any) -> Any:
                given = {"what": what, "value": value} | more
                return await ask(commands, "config", action=action, **only_given(given))

            await main(room, commands, config)

    in_virtual_time(run, folder, settings_for(folder / "state"))


def only_given(params: Json) -> Json:
    return {name: value for name, value in params.items() if value != ""}


def collar(commands: Commands) -> Decimal:
    return parts_of(commands).desk.settings.order.collar_pct


def limits(commands: Commands) -> tuple[int, Decimal]:
    found = parts_of(commands).desk.settings.limits
    return found.open_positions_max, found.order_notional_usd_max


def told(folder: Path) -> list[ConfigReloaded]:
    return [r.body for r in records(folder) if isinstance(r.body, ConfigReloaded)]


async def row(config: Ask, key: str) -> Json:
    (found,) = await config("show", key)
    return dict(found)


async def refused(error: type[Exception], match: str, call: Awaitable[Any]) -> None:
    with pytest.raises(error, match=match):
        await call
