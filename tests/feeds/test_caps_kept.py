"""What a session of capitalisations keeps: its key to itself, its coins on the disk."""

from __future__ import annotations

import os
import stat
from functools import partial
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
    wait,
)

KEY = "CG-sEcReT0123"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "state" / "caps.json"


# -- keys --------------------------------------------------------------------------


def _file(path: Path, content: bytes = KEY.encode() + b"\n", mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


async def test_without_a_key_no_header(autojump_clock: MockClock, cache: Path) -> None:
    stage = await play(cache, partial(wait, seconds=5))
    assert not [name for name in stage.server.requests[0].headers if name.startswith("x-cg")]


@pytest.mark.parametrize("source", ["folder", "file", "variable"])
async def test_the_key_goes_into_the_header_and_nowhere_else(
    autojump_clock: MockClock, cache: Path, tmp_path: Path, source: str
) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "cred"), "CG": KEY}
    settings = caps(pages=1)
    if source == "folder":  # as systemd leaves it: an access list shows as group bits
        _file(tmp_path / "cred" / "coingecko", mode=0o440)
        settings = caps(pages=1, key_file="/nowhere")
    elif source == "variable":
        settings = caps(pages=1, key_env="CG")
    else:
        (tmp_path / "cred").mkdir()  # holds keys of others only
        settings = caps(pages=1, key_file=str(_file(tmp_path / "key")))

    async def act(stage: Stage) -> None:
        await rest(5)
        stage.server.faults = [reply(KEY.encode(), 401), None]
        await rest(320)
        assert stage.status.faults == 2

    stage = await play(cache, act, settings=settings, environ=environ)
    assert len(stage.server.requests) == 3
    for request in stage.server.requests:
        assert request.headers["x-cg-demo-api-key"] == KEY
        assert KEY not in request.query + request.path
    kept = {name: value for name, value in vars(stage.session).items() if name != "_environ"}
    assert KEY not in repr(kept) + repr(stage.session)
    assert KEY.encode() not in cache.read_bytes()


async def test_a_paid_host_wants_its_own_header(autojump_clock: MockClock, cache: Path) -> None:
    settings = caps(url="http://pro-api.local:40000/api/v3/", key_env="CG", pages=1)
    stage = await play(cache, partial(wait, seconds=5), settings=settings, environ={"CG": KEY})
    headers = stage.server.requests[0].headers
    assert headers["x-cg-pro-api-key"] == KEY
    assert "x-cg-demo-api-key" not in headers
    assert stage.server.requests[0].path == "/api/v3/coins/markets"


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"secret", 0o640, "readable by others; chmod 600"),
        (b"secret", 0o604, "readable by others; chmod 600"),
        (b"", 0o600, "expected one word"),
        (b"secret two", 0o600, "expected one word"),
        (b"secret\ntwo", 0o600, "expected one word"),
        (b"secret\xff", 0o600, "expected one word"),
        ("secrét".encode(), 0o600, "expected one word"),
    ],
)
async def test_a_key_file_that_is_no_good_is_named_and_never_sent(
    autojump_clock: MockClock, cache: Path, tmp_path: Path, content: bytes, mode: int, why: str
) -> None:
    path = _file(tmp_path / "key", content, mode)

    async def act(stage: Stage) -> None:
        await rest(5)
        assert stage.server.requests == []
        assert why in stage.status.why
        assert str(path) in stage.status.why
        assert "secr" not in stage.status.why.replace(str(path), "")
        assert (stage.status.state, stage.status.calls) == ("failing", 0)
        _file(path)
        await rest(60)
        assert stage.server.requests[0].headers["x-cg-demo-api-key"] == KEY
        assert stage.status.state == "up"

    await play(cache, act, settings=caps(key_file=str(path)))


async def test_a_missing_key_is_named(autojump_clock: MockClock, cache: Path) -> None:
    for settings, why in (
        (caps(key_file=str(cache / "key")), f"key file {cache}/key: No such file"),
        (caps(key_file=str(cache.parent.parent)), "not a regular file"),
    ):
        stage = await play(cache, partial(wait, seconds=5), settings=settings)
        assert why in stage.status.why
        assert stage.server.requests == []


# -- the file ----------------------------------------------------------------------


async def test_the_file_is_private_whole_and_read_at_the_start(
    autojump_clock: MockClock, cache: Path
) -> None:
    first = await play(cache, partial(wait, seconds=30))
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert os.listdir(cache.parent) == ["caps.json"]

    async def act(stage: Stage) -> None:
        await trio.sleep(0.1)
        assert stage.tables == [first.session.table]
        assert stage.states == [(0, "cached")]
        assert stage.status.why.startswith("read from disk, of 2026-02-06T13:")
        assert stage.server.asked == []  # nothing is due yet
        await rest(300)
        assert stage.server.asked == [(200, 1)]
        assert (stage.status.state, stage.status.why) == ("up", "")

    await play(cache, act, at_ms=EPOCH_MS + 100_000)


@pytest.mark.parametrize(
    ("age_h", "states", "cap"),
    [
        (0.1, ["cached"], D(300_000_000_000)),
        (2, ["cached", "stale"], D(300_000_000_000)),
        (25, ["cached", "stale"], NoCap.NO_TABLE),
        (-1, ["cached", "stale"], D(300_000_000_000)),
        (-25, ["cached", "stale"], NoCap.NO_TABLE),
    ],
)
async def test_an_old_file_is_loaded_and_counts_for_a_day(
    autojump_clock: MockClock, cache: Path, age_h: float, states: list[str], cap: object
) -> None:
    await play(cache, partial(wait, seconds=30))
    at_ms = EPOCH_MS + round(age_h * H_S * 1_000)

    async def act(stage: Stage) -> None:
        await rest(5)
        assert stage.session.table.of("ETH", at_ms) == cap
        assert stage.server.asked[:1] == [(0, 1)]
        assert [state for _, state in stage.states] == [*states, *(["failing"] * (age_h == 0.1))]

    server = Server()
    server.faults_of = {number: reply(b"", 500) for number in (1, 2, 3)}
    await play(cache, act, server=server, at_ms=at_ms)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b'{"version":1}',
        b"[" * 5_000,
        b'{"version":2,"pages":{},"coins":{}}',
        b'{"version":1,"pages":{"1":99999999999999999999999},"coins":{}}',
        b'{"version":1,"pages":{"1":-1},"coins":{}}',
        b'{"version":1,"pages":{"1":5},"coins":{"a":{"ticker":"BTC","usd":"NaN","seen_ms":5}}}',
        b'{"version":1,"pages":{"1":5},"coins":{"a":{"ticker":"BTC","usd":"-1","seen_ms":5}}}',
        b'{"version":1,"pages":{"1":5},"coins":{"a":{"ticker":"BTC","usd":"1","seen_ms":-5}}}',
    ],
)
async def test_a_damaged_file_is_reported_ignored_and_replaced(
    autojump_clock: MockClock, cache: Path, content: bytes
) -> None:
    _file(cache, content)
    why: list[str] = []

    async def act(stage: Stage) -> None:
        while not stage.server.asked:
            why.append(stage.status.cache_why)
            await trio.lowlevel.checkpoint()
        await rest(20)
        assert stage.status.state == "up"
        assert stage.status.cache_why == ""
        assert stage.usd["BTC"]

    await play(cache, act)
    assert why[-1].startswith(f"{cache}: ")
    assert "ignored" in why[-1]
    assert b"bitcoin" in cache.read_bytes()


async def test_a_file_that_cannot_be_written_stops_nothing(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("not a folder")
    stage = await play(tmp_path / "state" / "caps.json", partial(wait, seconds=20))
    assert stage.status.state == "up"
    assert "not written" in stage.status.cache_why


async def test_turns_go_on_where_they_were(autojump_clock: MockClock, cache: Path) -> None:
    await play(cache, partial(wait, seconds=5 * H_S))
    stage = await play(
        cache, partial(wait, seconds=16 * H_S), at_ms=EPOCH_MS + 5 * H_S * 1_000 + 30_000
    )
    assert [round(at_s / H_S, 1) for at_s in stage.server.times(2)] == [4, 10, 16]
    assert [round(at_s / H_S, 1) for at_s in stage.server.times(3)] == [1, 7, 13]


async def test_a_part_left_behind_lends_its_mode_to_nothing(
    autojump_clock: MockClock, cache: Path
) -> None:
    _file(cache.parent / "caps.json.part", b"", 0o666)
    await play(cache, partial(wait, seconds=5))
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600


async def test_a_link_in_the_place_of_the_part_is_not_followed(
    autojump_clock: MockClock, cache: Path, tmp_path: Path
) -> None:
    victim = _file(tmp_path / "victim", b"mine")
    cache.parent.mkdir()
    (cache.parent / "caps.json.part").symlink_to(victim)
    stage = await play(cache, partial(wait, seconds=20))
    assert victim.read_bytes() == b"mine"
    assert "not written" in stage.status.cache_why
