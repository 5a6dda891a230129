"""An hour of feed traffic in seconds, twice, with ledgers equal to the last byte."""

from __future__ import annotations

import random
import time
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
import trio

from lowcap.ledger.replay import day_files
from lowcap.paper.contracts import listed_contracts
from lowcap.settings import Log
from tests.daemon.stage import Stage, in_virtual_time, parts_of, records, settings_for
from tests.long.rig import GUARDS_OFF

HOUR_S = 3_600
NOISE = (
    "Gas fees fall to a yearly low",
    "Weekly digest of governance votes",
    "Bitcoin would rise if rates fell",
    "Exchange maintenance is over",
)


async def _an_hour(stage: Stage, seed: int) -> None:
    """Noise every few seconds, a listing every minute or so, closes and pauses in between."""
    chance = random.Random(seed)
    coins = [s.removesuffix("USDT") for s in listed_contracts() if not s.startswith("1")]
    chance.shuffle(coins)
    async with stage.daemon() as commands:
        parts = parts_of(commands)
        ends_s = trio.current_time() + HOUR_S
        number = 0
        while trio.current_time() < ends_s:
            await trio.sleep(chance.uniform(0.5, 6))
            number += 1
            draw = chance.random()
            if draw < 0.04:
                stage.feeds.send("tokyo", stage.upbit(coins.pop(), number=number))
            elif draw < 0.06:
                stage.feeds.send("tokyo", stage.elon("Bitcoin, as ever", number))
            elif draw < 0.08:
                stage.feeds.send("toa_news", b"{broken")
            else:
                stage.feeds.send("tokyo", stage.elon(chance.choice(NOISE), number))
            if len(parts.desk.book.open_positions()) > 8:
                await parts.keeper.close_all()


def _play(folder: Path, seed: int) -> bytes:
    folder.mkdir()
    settings = attrs.evolve(settings_for(folder / "state"), log=Log(level="error"))
    limits = attrs.evolve(settings.limits, **GUARDS_OFF)
    settings = attrs.evolve(settings, limits=limits)

    async def main(stage: Stage) -> None:
        await _an_hour(stage, seed)

    in_virtual_time(main, folder, settings, seed=seed)
    return b"".join(path.read_bytes() for path in day_files(folder / "state" / "ledger"))


def test_an_hour_twice_gives_the_same_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _play(tmp_path / "one", seed=11)
    # However long it takes: by the machine's clock the second time lasts for hours.
    machine = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: machine() * 1_000)
    second = _play(tmp_path / "two", seed=11)
    found = records(tmp_path / "one")
    fills = [r.body for r in found if r.kind == "Filled"]
    assert len(fills) > 40
    assert sum(r.kind == "NewsSeen" for r in found) > 500
    assert any(f.realized != Decimal(0) for f in fills)  # type: ignore[attr-defined]
    assert first == second
