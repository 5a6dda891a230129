"""``leverage SYMBOL``: what is set, what would be best, and how large a position may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from lowcap.core.errors import CommandError
from lowcap.terminal.render import render
from lowcap.terminal.table import Style
from tests.daemon.stage import Stage, ask, in_virtual_time, parts_of, until


def test_leverage_of_a_symbol(tmp_path: Path) -> None:
    found: dict[str, Any] = {}

    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            await until(lambda: len(parts.venue.leverage) == len(parts.venue.contracts) > 0)
            found["usual"] = await ask(commands, "leverage", symbol="hbar")
            found["large"] = await ask(commands, "leverage", symbol="HBARUSDT", usd="1000000")
            found["scaled"] = await ask(commands, "leverage", symbol="PEPE", usd="214001")
            found["huge"] = await ask(commands, "leverage", symbol="BTC", usd="99000000000")
            del parts.venue.leverage["HBARUSDT"]
            found["unset"] = await ask(commands, "leverage", symbol="HBAR", usd="214000")
            for usd in ("0", "-5", "nan", "much", "1e40"):
                with pytest.raises(CommandError, match="expected dollars"):
                    await ask(commands, "leverage", symbol="HBAR", usd=usd)
            for name in ("NOPE", ""):
                with pytest.raises(CommandError, match="no contract"):
                    await ask(commands, "leverage", symbol=name)
            await trio.sleep(60)
            found["later"] = await ask(commands, "leverage", symbol="HBAR")

    in_virtual_time(main, tmp_path)
    usual, large, scaled, huge = (found[n] for n in ("usual", "large", "scaled", "huge"))
    assert (usual["symbol"], usual["set"], usual["best"], usual["fits"]) == (
        "HBARUSDT",
        20,
        20,
        True,
    )
    assert (usual["largest_usd"], usual["bound_by"]) == ("214000.00", "liquidation distance")
    assert usual["bracket"]["cap_usd"] == "20000"
    assert usual["margin_allowed_usd"] == "300000.00"
    assert (large["best"], large["fits"], large["bracket_usd"]) == (17, False, "3000000.00")
    assert large["margin_usd"] == "50000.00"
    assert (scaled["symbol"], scaled["best"]) == ("1000PEPEUSDT", 14)
    assert (huge["bracket"], huge["best"], huge["fits"]) == (None, 1, False)
    assert (found["unset"]["set"], found["unset"]["at"]) == (None, 20)
    assert found["later"]["brackets_age_s"] - usual["brackets_age_s"] >= 60

    lines = render("leverage", usual, Style(colour=False), 120)
    assert lines[0].startswith("HBARUSDT: 20x set, best for ")
    assert lines[1] == "largest position at 20x: 214,000 USD, by the liquidation distance"
    assert "so large a position does not fit" in "\n".join(
        render("leverage", large, Style(colour=False), 120)
    )
    assert "not set yet" in render("leverage", found["unset"], Style(colour=False), 120)[0]
    assert "larger than any bracket" in "\n".join(
        render("leverage", huge, Style(colour=False), 120)
    )
