"""Every feed with a marked key, servers that quote it back: it is in no output at all."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from loguru import logger

from lowcap.core.facts import NewsSeen
from lowcap.ledger.replay import day_files
from lowcap.observe.logs import set_up_logging
from tests.daemon.stage import Stage, ask, in_virtual_time, parts_of, records, settings_for, until
from tests.daemon.stories import bwe_filing, tree_filing

FEEDS = ("tokyo", "toa_news", "phoenix", "synoptic", "twitter")
KEYS = {name: f"MARKED-{name}-0123456789" for name in FEEDS}
CAPS_KEY = "MARKED-coingecko-0123456789"


def _quoting(key: str) -> list[bytes]:
    """What a careless or hostile server might send back."""
    return [
        f"unknown key {key}, try again".encode(),
        json.dumps({"error": f"bad key {key}"}).encode(),
        json.dumps({"apiKey": key, "address": "0x1"}).encode(),
        json.dumps({"user": {"key": key}}).encode(),
        b'{"title": "broken ' + key.encode(),
        json.dumps({"title": f"your key is {key}", "time": 1, "source": "Blogs"}).encode(),
    ]


async def _provoke(stage: Stage, commands: Any, shown: list[str]) -> None:
    """Logins, quotes, refusals and cuts on every feed; everything an operator can ask for."""
    server = stage.feeds
    for feed, key in KEYS.items():
        for frame in _quoting(key):
            server.send(feed, frame)
        await trio.sleep(1)
        for kind in ("drop", "reject", "refuse", "close", "half-open", "junk"):
            server.fault(feed, kind, seconds=20, count=4)
            await trio.sleep(40)
    server.send("toa_news", tree_filing(stage.now_ms(), ("HBAR", "Hedera"), 1))
    server.send("bwe", bwe_filing(stage.now_ms(), ("ADA", "Cardano"), 2))
    await trio.sleep(2)
    for method, params in (
        *(("feed", {"action": "show", "name": feed}) for feed in FEEDS),
        *((name, {}) for name in ("status", "feeds", "triggers", "explain", "caps", "logs")),
        ("events", {"count": 1_000}),
        ("captures", {"action": "status"}),
    ):
        shown.append(json.dumps(await ask(commands, method, **params), default=str))


@pytest.mark.parametrize("wrong", [False, True], ids=["right keys", "wrong keys"])
def test_no_key_in_any_output(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = settings_for(tmp_path / "state")
    phoenix = attrs.evolve(settings.feed["phoenix"], auth="login")
    synoptic = attrs.evolve(settings.feed["synoptic"], auth="query")
    settings = attrs.evolve(
        settings,
        feed=settings.feed | {"phoenix": phoenix, "synoptic": synoptic},
        caps=attrs.evolve(settings.caps, enabled=True),
    )
    shown: list[str] = []
    written: list[str] = []

    async def main(stage: Stage) -> None:
        (tmp_path / "keys" / "coingecko").write_text(CAPS_KEY)
        if wrong:
            for feed in FEEDS:
                stage.feeds._keys[feed] = "another"
        async with stage.daemon(ready=False) as commands:
            await until(lambda: parts_of(commands).keeper.recovered.is_set())
            await ask(commands, "captures", action="record")
            if not wrong:
                await until(lambda: all(f.status.state == "up" for f in parts_of(commands).feeds))
            await _provoke(stage, commands, shown)

    set_up_logging("debug", {})
    sink = logger.add(written.append, serialize=True, level=0, diagnose=False)
    in_virtual_time(main, tmp_path, settings, feed_keys=KEYS)
    logger.remove(sink)

    ledger = "".join(path.read_text() for path in day_files(tmp_path / "state" / "ledger"))
    captures = [path.read_bytes() for path in (tmp_path / "state" / "captures").iterdir()]
    caps = (tmp_path / "state" / "caps.json").read_text()
    outputs = {
        "ledger": ledger,
        "log": "".join(written),
        "other loggers": caplog.text,
        "commands": "".join(shown),
        "captures": "".join(_unpacked(data) for data in captures),
        "capitalisations": caps,
    }
    for name, text in outputs.items():
        assert "MARKED" not in text, f"{name}: …{text[max(0, text.index('MARKED') - 300) :][:500]}"
    assert all(outputs[name] for name in ("ledger", "log", "commands", "capitalisations"))
    if not wrong:
        seen = [r.body for r in records(tmp_path) if isinstance(r.body, NewsSeen)]
        assert any("your key is ***" in fact.headline for fact in seen), "quoted, and hidden"
        assert outputs["captures"]


def _unpacked(data: bytes) -> str:
    import gzip

    return gzip.decompress(data).decode()
