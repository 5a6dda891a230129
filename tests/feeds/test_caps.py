"""Capitalisations asked page by page: turns, limits on calls, collisions, faults, staleness."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing

from lowcap.core.caps import NoCap
from tests.feeds.caps_kit import (
    EPOCH_MS,
    H_S,
    D,
    MockClock,
    Server,
    Stage,
    caps,
    play,
    reply,
    rest,
    row,
    wait,
)

KEY = "CG-sEcReT0123"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "state" / "caps.json"


# -- turns -------------------------------------------------------------------------


async def test_all_pages_at_first_then_each_in_its_turn(
    autojump_clock: MockClock, cache: Path
) -> None:
    stage = await play(cache, partial(wait, seconds=12 * H_S + 100))
    server = stage.server
    assert server.asked[:3] == [(0, 1), (6, 2), (12, 3)]  # ten a minute
    assert 12 * H_S / 300 - 3 <= len(server.times(1)) <= 12 * H_S / 300 + 1
    # The others are spread over the six hours, and then keep their distance.
    assert [round(at_s / H_S, 1) for at_s in server.times(2)] == [0, 3, 9]
    assert [round(at_s / H_S, 1) for at_s in server.times(3)] == [0, 6, 12]
    query = "vs_currency=usd&order=market_cap_desc&per_page=250&page=1"
    assert (server.requests[0].path, server.requests[0].query) == ("/api/v3/coins/markets", query)
    assert stage.usd == {
        "BTC": D(2_000_000_000_000),
        "ETH": D(300_000_000_000),
        "AAVE": D(3_000_000_000),
        "PEPE": D(900_000_000),
    }
    assert stage.states == [(0, "up")]
    status = stage.status
    assert (status.calls, status.faults, status.coins, status.why) == (len(server.asked), 0, 4, "")
    assert status.last_ms == max(status.pages.values()) > EPOCH_MS
    assert set(status.pages) == {1, 2, 3}


async def test_the_limit_on_calls_holds_whatever_is_due(
    autojump_clock: MockClock, cache: Path
) -> None:
    async def act(stage: Stage) -> None:
        for _ in range(600):
            stage.session.refresh()
            await trio.sleep(0.7)

    settings = caps(calls_per_min_max=4, interval_s=60, pages=20)
    stage = await play(cache, act, settings=settings)
    times = [at_s for at_s, _ in stage.server.asked]
    assert len(times) == 28
    assert all(later - earlier > 14.9 for earlier, later in pairwise(times))


async def test_a_tight_limit_starves_no_page(autojump_clock: MockClock, cache: Path) -> None:
    settings = caps(calls_per_min_max=1, interval_s=60, pages=5, rest_h=1)
    stage = await play(cache, partial(wait, seconds=2 * H_S), settings=settings)
    assert {number for _, number in stage.server.asked} == {1, 2, 3, 4, 5}
    assert all(len(stage.server.times(number)) >= 2 for number in (2, 3, 4, 5))
    assert len(stage.server.times(1)) > 100


async def test_refresh_asks_for_the_first_page_at_once(
    autojump_clock: MockClock, cache: Path
) -> None:
    async def act(stage: Stage) -> None:
        await rest(100)
        stage.server.pages[1][0]["market_cap"] = 5_000_000_000
        stage.session.refresh()
        await trio.sleep(0.1)
        assert stage.server.times(1) == [0, 100.5]
        assert stage.usd["BTC"] == D(5_000_000_000)
        await rest(300)
        assert stage.server.times(1) == [0, 100.5, 400.5]

    await play(cache, act)


# -- what counts -------------------------------------------------------------------


async def test_colliding_tickers_null_and_zero(autojump_clock: MockClock, cache: Path) -> None:
    server = Server()
    server.pages = {
        1: [
            row("big-beam", "beam", 900),
            row("beam-2", "BEAM", 500),
            row("btc-copy", "btc", 100),
            row("bitcoin", "btc", 7_000),
            row("bridged-btc", "btc", 200),
            row("no-cap", "aave", None),
            row("zero", "pepe", 0),
            row("ronin", "ron", 80),
            row("stranger", "xyz", 10_000),
            row("ethereum", "eth", 3_000.9),
        ],
        2: [row("sol-copy", "sol", 600)],
    }
    stage = await play(
        cache,
        partial(wait, seconds=30),
        server=server,
        settings=caps(pages=2),
        tickers={"BEAM", "BTC", "AAVE", "PEPE", "RONIN", "ETH", "SOL"},
        curated={"BEAM": "beam-2", "RONIN": "ronin", "SOL": "solana", "XYZ": "stranger"},
    )
    assert stage.usd == {
        "BEAM": D(500),  # the curated one, though it is smaller
        "RONIN": D(80),  # by its id, whatever its ticker
        "BTC": D(7_000),
        "ETH": D(3_000),
    }
    now_ms = EPOCH_MS + 30_000
    assert stage.session.table.of("SOL", now_ms) is NoCap.UNKNOWN
    assert stage.session.table.of("AAVE", now_ms) is NoCap.UNKNOWN


async def test_the_newest_word_on_a_coin_counts(autojump_clock: MockClock, cache: Path) -> None:
    async def act(stage: Stage) -> None:
        pages = stage.server.pages
        await rest(20)
        pages[1], pages[2] = [row("aave", "aave", 77), row("bitcoin", "btc", None)], []
        await rest(300)
        assert stage.usd["AAVE"] == D(77)  # now on another page
        assert "BTC" not in stage.usd
        assert stage.usd["ETH"]  # no page shows it any more, but that may be chance
        await rest(25 * H_S)
        assert "ETH" not in stage.usd

    await play(cache, act)


async def test_new_contracts_are_found_in_what_was_read(
    autojump_clock: MockClock, cache: Path
) -> None:
    async def act(stage: Stage) -> None:
        stage.session.rebuild()
        assert stage.tables == []  # nothing read yet
        await rest(20)
        assert stage.usd == {"BTC": D(2_000_000_000_000)}
        asked = len(stage.server.asked)
        stage.tickers = {"PEPE"}
        stage.session.rebuild()
        assert stage.tables[-1].usd == {"PEPE": D(900_000_000)}
        assert len(stage.server.asked) == asked

    await play(cache, act, tickers={"BTC"})


# -- faults ------------------------------------------------------------------------

BAD_PAGES = [
    (reply(b"<html>"), "not a list of coins"),
    (reply(b"\xff"), "not a list of coins"),
    (reply(b"[" * 5_000), "not a list of coins"),
    (reply({"status": {"error_code": 1}}), "not a list of coins"),
    (reply([]), "no coins"),
    (reply([1, None, {"id": 5}, {"id": "a"}, row("", "b", 1), row("b", "ß", 1)]), "no row of it"),
    (reply([row("bitcoin", "btc", 1)] * 251), "more than 250 coins"),
    (reply(b'["' + b"x" * 4_200_000 + b'"]'), "larger than"),
    (reply(b"", 500), "HTTP 500"),
    (reply(b"{}", 301, location="http://127.0.0.1:1/"), "HTTP 301"),
    (reply({"status": {"error_code": 10010}}, 400), "error 10010: a paid key belongs"),
    (reply({"status": {"error_code": 10011}}, 400), "error 10011: a demo key belongs"),
    (reply({"error_code": 10002}, 401), "HTTP 401, error 10002: the key is missing or wrong"),
    (reply({"error_code": 77, "error": KEY}, 403), "HTTP 403, error 77"),
    (None, "/coins/markets: "),
]


@pytest.mark.parametrize(("fault", "why"), BAD_PAGES, ids=[why for _, why in BAD_PAGES])
async def test_a_bad_page_loses_nothing_and_is_asked_for_again(
    autojump_clock: MockClock, cache: Path, fault: object, why: str
) -> None:
    async def act(stage: Stage) -> None:
        await rest(20)
        before = stage.session.table
        stage.server.faults = [fault] * 3  # type: ignore[list-item]
        await rest(280)
        assert stage.session.table is before
        assert stage.status.state == "failing"
        assert stage.status.why.startswith("page 1: ")
        assert why in stage.status.why
        assert KEY not in stage.status.why
        await rest(105)
        assert [round(at_s) for at_s in stage.server.times(1)] == [0, 300, 315, 345, 405]
        assert (stage.status.state, stage.status.why, stage.status.faults) == ("up", "", 3)
        assert stage.session.table.usd == before.usd
        assert stage.session.table.loaded_ms > before.loaded_ms

    await play(cache, act)


async def test_odd_rows_cost_only_themselves(autojump_clock: MockClock, cache: Path) -> None:
    server = Server()
    server.pages[1] = [
        row("bitcoin", "btc", True),
        row("ethereum", "eth", 5, current_price="?", extra=[1]),
        row("aave", "aave", "NaN"),
        row("pepe", "pepe", -4),
        row("sol", "sol", 10**16),
        row("x", "x" * 41, 3),
    ]
    server.pages[2] = [row("doge", "doge", 1e300)]
    stage = await play(
        cache, partial(wait, seconds=10), server=server, tickers=("ETH", "AAVE", "SOL", "DOGE")
    )
    assert stage.usd == {"ETH": D(5)}
    assert stage.status.state == "up"


async def test_one_bad_page_keeps_no_other_waiting(autojump_clock: MockClock, cache: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.server.faults_of = {2: reply(b"", 503)}
        await rest(2 * H_S)
        assert len(stage.server.times(1)) >= 23
        assert stage.usd["PEPE"] == D(900_000_000)
        assert (stage.status.state, stage.status.why) == ("failing", "page 2: HTTP 503")
        waits = [b - a for a, b in pairwise(stage.server.times(2))]
        assert [round(wait / 15) for wait in waits[:7]] == [1, 2, 4, 8, 16, 32, 60]
        assert all(890 < wait < 910 for wait in waits[6:])
        stage.server.faults_of = {}
        await rest(910)
        assert (stage.status.state, stage.status.why) == ("up", "")

    await play(cache, act)


@pytest.mark.parametrize(
    ("headers", "turns"),
    [
        ({}, [0, 60, 180, 420]),  # sixty seconds, doubling
        ({"retry_after": "soon"}, [0, 60, 180, 420]),
        ({"retry_after": "0"}, [0, 60, 180, 420]),
        ({"retry_after": "90"}, [0, 90, 180, 270]),
        ({"retry_after": "999999"}, [0, 3_600, 7_200, 10_800]),
        ({"retry_after": "9" * 5_000}, [0, 3_600, 7_200, 10_800]),
        ({"retry_after": "Fri, 06 Feb 2026 13:31:30 GMT"}, [0, 100, 220, 460]),
    ],
    ids=["none", "word", "zero", "90", "long", "absurd", "date"],
)
async def test_too_many_calls_stops_all_of_them(
    autojump_clock: MockClock, cache: Path, headers: dict[str, str], turns: list[int]
) -> None:
    async def act(stage: Stage) -> None:
        stage.server.faults = [reply(b"", 429, **headers) for _ in range(3)]
        await rest(10)
        assert "HTTP 429: too many calls; none for" in stage.status.why
        stage.session.refresh()  # waits like all others
        await rest(turns[-1])
        assert [round(at_s) for at_s, _ in stage.server.asked][:4] == turns
        assert stage.status.state == "up"

    await play(cache, act)


async def test_the_doubling_ends_at_an_hour_and_starts_afresh(
    autojump_clock: MockClock, cache: Path
) -> None:
    async def act(stage: Stage) -> None:
        stage.server.faults = [reply(b"", 429)] * 9
        await rest(6 * H_S)
        waits = [round(b - a) for (a, _), (b, _) in pairwise(stage.server.asked)]
        assert waits[:9] == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]
        asked = len(stage.server.asked)
        stage.server.faults = [reply(b"", 429)]
        await rest(400)
        times = [at_s for at_s, _ in stage.server.asked[asked:]]
        assert 59 < times[1] - times[0] < 61

    await play(cache, act)


async def test_stale_after_two_missed_turns_and_unusable_after_a_day(
    autojump_clock: MockClock, cache: Path
) -> None:
    async def act(stage: Stage) -> None:
        await rest(20)
        stage.server.faults_of = {1: reply(b"", 500)}
        await rest(575)
        assert stage.status.state == "failing"
        await rest(10)
        assert stage.states == [(0, "up"), (300, "failing"), (600, "stale")]
        await rest(H_S)
        assert stage.session.table.of("BTC", EPOCH_MS + H_S * 1_000) == D(2_000_000_000_000)
        await rest(24 * H_S)
        assert stage.session.table.of("BTC", EPOCH_MS + 25 * H_S * 1_000) is NoCap.NO_TABLE
        stage.server.faults_of = {}
        await rest(1_000)
        assert stage.states[3:] == [(stage.states[-1][0], "up")]
        assert stage.usd["BTC"]

    await play(cache, act)


async def test_stale_is_said_even_while_no_call_is_allowed(
    autojump_clock: MockClock, cache: Path
) -> None:
    async def act(stage: Stage) -> None:
        await rest(20)
        stage.server.faults = [reply(b"", 429, retry_after="3000")]
        await rest(620)
        assert stage.states == [(0, "up"), (300, "failing"), (600, "stale")]

    await play(cache, act)


async def test_nobody_there(autojump_clock: MockClock, cache: Path) -> None:
    stage = await play(cache, partial(wait, seconds=600), serve=False)
    assert stage.states == [(0, "failing")]
    assert "refused" in stage.status.why
    assert stage.tables == []
    assert not cache.exists()


async def test_a_bug_behind_the_callback_is_not_swallowed(
    autojump_clock: MockClock, cache: Path
) -> None:
    class Broken(Stage):
        def on_status(self, status: object) -> None:
            raise AssertionError("bug")

    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        await play(cache, partial(wait, seconds=5), stage_kind=Broken)
