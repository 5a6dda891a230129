"""Accounts and keys that are not traded with: a hold says why, and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from lowcap.core.messages import TradingState
from tests.binance.binance_kit import reply, rest
from tests.execution.exec_kit import Room, trading

RIGHTS = {
    "enableFutures": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "permitsUniversalTransfer": False,
    "ipRestrict": True,
}


async def read_rights(room: Room, rights: dict[str, bool]) -> None:
    room.venue._account = rest(reply(rights))[0]
    room.keeper._key_good_until_ms = 0
    room.desk.read_again("contracts")


async def test_with_real_money_a_key_that_may_withdraw_holds(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path, mode="live") as room:
        assert "key-permissions" in room.alarms()  # the simulator does not tell
        await read_rights(room, RIGHTS | {"enableWithdrawals": True})
        await room.until(lambda: "venue" in room.book.state.holds)
        hold = room.book.state.holds["venue"]
        assert hold.state is TradingState.REDUCING
        assert (
            hold.reason == "the key may withdraw; make a key that may only read and trade futures"
        )
        room.venue._account = rest(reply(RIGHTS))[0]
        await room.until(lambda: not room.book.state.holds)


async def test_with_paper_money_the_key_is_not_asked_about(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        assert "key-permissions" not in room.alarms()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dualSidePosition": True}, "switch the position mode to one-way"),
        ({"multiAssetsMargin": True}, "switch the asset mode to single-asset"),
    ],
)
async def test_a_mode_that_is_switched_behind_us_holds_with_its_remedy(
    change: dict[str, bool], words: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trading(tmp_path) as room:
        honest = room.exchange._calls["account.config"]

        def changed(params: Any) -> Any:
            told: Any = honest(params)
            return told | change

        room.exchange._calls["account.config"] = changed
        room.desk.read_again("contracts")
        await room.until(lambda: "venue" in room.book.state.holds)
        assert words in room.book.state.holds["venue"].reason
        room.exchange._calls["account.config"] = honest
        await room.until(lambda: not room.book.state.holds)
