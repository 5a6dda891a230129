"""Getting ready: account modes that we do not trade in are refused with the remedy named."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from lowcap.binance.rest import VenueRefused
from lowcap.binance.venue import KNOWN_URLS, Venue, VenueUrls
from lowcap.core.clock import LoopClock
from lowcap.core.errors import LowcapError, NoAnswer
from lowcap.net.net import MemoryNet
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.market import bracket_view, contract_view
from tests import vectors as v
from tests.binance.binance_kit import HMAC, FakeHttp, reply

INFO = {"symbols": []}
GOOD = {"canTrade": True, "dualSidePosition": False, "multiAssetsMargin": False}
XRP = listed_contracts()["XRPUSDT"][0]


def venue(*answers: Any, clock: LoopClock | None = None) -> tuple[Venue, FakeHttp]:
    http = FakeHttp(*answers)
    urls = VenueUrls("http://x", "ws://x", "ws://x")
    clock = clock or LoopClock(v.AT_MS * 1_000_000)
    return Venue(MemoryNet(), http, http, urls, HMAC, clock, random.Random(1)), http


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"dualSidePosition": True}, "hedge mode"),
        ({"multiAssetsMargin": True}, "multi-assets mode"),
        ({"canTrade": False}, "may not trade"),
    ],
)
async def test_modes_that_we_do_not_trade_in(change: dict[str, bool], word: str) -> None:
    there, _ = venue(reply(INFO), reply(GOOD | change))
    with pytest.raises(LowcapError, match=word) as caught:
        await there.load_contracts()
    assert caught.value.hint


@pytest.mark.parametrize("name", GOOD)
async def test_a_mode_that_is_not_told_is_not_assumed(name: str) -> None:
    told = {key: value for key, value in GOOD.items() if key != name}
    there, _ = venue(reply(INFO), reply(told))
    with pytest.raises(NoAnswer, match=name):
        await there.load_contracts()


async def test_contracts_are_loaded() -> None:
    encode = msgspec.json.Encoder(decimal_format="number").encode
    there, _ = venue(
        reply(encode({"symbols": [contract_view(XRP), None]})),
        reply(GOOD),
        reply(encode([None, bracket_view(XRP)])),
    )
    await there.load_contracts()
    assert there.contracts == {"XRPUSDT": XRP}


HOUR_MS = 3_600_000
ENCODE = msgspec.json.Encoder(decimal_format="number").encode
LIST = (reply(ENCODE({"symbols": [contract_view(XRP)]})), reply(GOOD))
LADDERS = reply(ENCODE([bracket_view(XRP)]))
BUSY = reply({"code": -1016, "msg": "in maintenance"}, 400)


class HandClock(LoopClock):
    """A clock that is set by hand."""

    at_ms = v.AT_MS

    def now_ns(self) -> int:
        return self.at_ms * 1_000_000


async def test_brackets_are_kept_for_hours_and_filters_are_not() -> None:
    clock = HandClock(0)
    there, http = venue(*LIST, LADDERS, *LIST, *LIST, LADDERS, clock=clock)
    for after_ms, asked in ((0, 3), (11 * HOUR_MS - 1, 5), (1, 8)):
        clock.at_ms += after_ms
        await there.load_contracts()
        assert (len(http.asked), there.filters_ms) == (asked, clock.at_ms)
    assert there.contracts == {"XRPUSDT": XRP}
    assert there.brackets_ms == v.AT_MS + 11 * HOUR_MS


async def test_brackets_survive_a_refused_renewal_and_tell_their_age() -> None:
    clock = HandClock(0)
    there, _ = venue(*LIST, LADDERS, *LIST, BUSY, *LIST, LADDERS, clock=clock)
    await there.load_contracts()
    clock.at_ms += 11 * HOUR_MS
    await there.load_contracts()
    assert there.contracts == {"XRPUSDT": XRP}
    assert (there.brackets_ms, there.filters_ms) == (v.AT_MS, clock.at_ms)
    assert "in maintenance" in there.brackets_fault
    await there.load_contracts()
    assert (there.brackets_ms, there.brackets_fault) == (clock.at_ms, "")


async def test_without_any_brackets_there_are_no_contracts() -> None:
    there, _ = venue(*LIST, BUSY)
    with pytest.raises(VenueRefused):
        await there.load_contracts()
    assert (there.contracts, there.filters_ms) == ({}, 0)


async def test_brackets_are_read_sooner_for_a_new_contract_and_where_they_are_in_doubt() -> None:
    new = msgspec.structs.replace(XRP, symbol="NEWUSDT", base="NEW")
    both = (reply(ENCODE({"symbols": [contract_view(XRP), contract_view(new)]})), reply(GOOD))
    ladders = reply(ENCODE([bracket_view(XRP), bracket_view(new)]))
    there, http = venue(*LIST, LADDERS, *both, ladders, *both, *both, ladders)
    for asked in (3, 6, 8):
        await there.load_contracts()
        assert len(http.asked) == asked
    assert there.contracts["NEWUSDT"] == new
    there.doubt_brackets()
    await there.load_contracts()
    assert len(http.asked) == 11


async def test_leverage_counts_only_where_the_venue_took_it() -> None:
    config = [
        {"symbol": "A", "marginType": "ISOLATED", "leverage": 20},
        {"symbol": "B", "marginType": "CROSSED", "leverage": 20},
    ]
    no = reply({"code": -4047, "msg": "open orders exist"}, 400)
    there, http = venue(reply(config), no)
    faults: list[str] = []
    await there.prepare_symbols({"A": 20, "B": 20, "C": 10}, faults.append)
    assert there.leverage == {"A": 20}
    assert sorted(text.partition(":")[0] for text in faults) == ["B", "C"]
    assert all("/fapi/v1/" in url for _, url, _ in http.asked)


async def test_one_symbol_is_read_by_name() -> None:
    row = [{"asset": "USDT", "balance": "12.5", "availableBalance": "1"}]
    there, http = venue(reply([]), reply([]), reply([]), reply(row))
    seen = await there.snapshot(there.urgent, "XRPUSDT")
    assert (seen.positions, seen.orders, str(there.wallet_usdt)) == ((), (), "12.5")
    assert ["symbol=XRPUSDT" in url for _, url, _ in http.asked] == [True, True, True, False]


async def test_a_refused_read_is_no_snapshot() -> None:
    there, _ = venue(reply([]), reply({"code": -1003, "msg": "slow down"}, 429))
    with pytest.raises(VenueRefused):
        await there.snapshot(there.rest)


RIGHTS = {
    "ipRestrict": True,
    "enableReading": True,
    "enableFutures": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "permitsUniversalTransfer": False,
}


def venue_with_rights(rights: Any) -> tuple[Venue, FakeHttp]:
    http = FakeHttp(reply(rights))
    urls = VenueUrls("http://x", "ws://x", "ws://x", "https://account.example")
    clock = LoopClock(v.AT_MS * 1_000_000)
    return Venue(MemoryNet(), http, http, urls, HMAC, clock, random.Random(1)), http


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"enableWithdrawals": True}, "may withdraw"),
        ({"enableInternalTransfer": True}, "transfer between accounts"),
        ({"permitsUniversalTransfer": True}, "transfer within the account"),
        ({"enableFutures": False}, "may not trade futures"),
    ],
)
async def test_a_key_that_may_do_too_much_or_too_little(
    change: dict[str, bool], words: str
) -> None:
    there, _ = venue_with_rights(RIGHTS | change)
    with pytest.raises(LowcapError, match=words) as caught:
        await there.check_key()
    assert caught.value.code == "key-permissions"
    assert caught.value.hint


async def test_a_key_as_it_should_be_and_one_for_any_address() -> None:
    there, http = venue_with_rights(RIGHTS)
    assert await there.check_key() == ""
    assert http.asked[0][1].startswith(
        "https://account.example/sapi/v1/account/apiRestrictions?timestamp="
    )
    there, _ = venue_with_rights(RIGHTS | {"ipRestrict": False})
    assert "bind it" in await there.check_key()
    assert "not checked" in await venue(reply({}))[0].check_key()


@pytest.mark.parametrize("name", [n for n in RIGHTS if n not in ("ipRestrict", "enableReading")])
async def test_a_right_that_is_not_told_is_not_assumed_away(name: str) -> None:
    there, _ = venue_with_rights({key: value for key, value in RIGHTS.items() if key != name})
    with pytest.raises(NoAnswer):
        await there.check_key()


def test_testnet_and_live_differ_by_addresses_only() -> None:
    assert KNOWN_URLS["live"].account
    assert not KNOWN_URLS["testnet"].account
