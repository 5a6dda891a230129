"""A symbol in which the venue closed by force stays paused until a person resumes."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from lowcap.core import facts
from lowcap.core.errors import CommandError
from tests.daemon.stage import Stage, ask, entries, in_virtual_time, parts_of, protected, until

SYMBOL = "KAITOUSDT"


def test_paused_until_resumed_with_a_reason(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            await trio.sleep(8)
            off = facts.Switched(
                kind="symbol", name=SYMBOL, enabled=False, who="auto", reason="liquidation"
            )
            parts_of(commands).desk.record(off)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await trio.sleep(2)
            assert entries(tmp_path) == []
            assert (await ask(commands, "status"))["paused_symbols"] == [SYMBOL]
            with pytest.raises(CommandError, match=f"resuming after {SYMBOL} needs a reason"):
                await ask(commands, "resume")
            await ask(commands, "resume", reason="seen")
            assert (await ask(commands, "status"))["paused_symbols"] == []
            await trio.sleep(60)
            stage.feeds.send("tokyo", stage.upbit("KAITO"))
            await until(lambda: protected(stage, SYMBOL), 5)

    in_virtual_time(main, tmp_path)
