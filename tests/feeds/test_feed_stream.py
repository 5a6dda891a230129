"""X's filtered stream under virtual time: lines, silence, and the back-off that it asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing
from feed_kit import EPOCH_NS, KEY, Listener, feed_of, key_in, play
from stream_kit import Caller, WebServer

from lowcap.feeds.session import NewsSession
from lowcap.net.http import LINE_BYTES_MAX
from lowcap.settings import Feed

Answer = Callable[[Caller], Awaitable[None]]


def _feed(folder: Path, **changes: object) -> Feed:
    return feed_of(
        url="http://127.0.0.1:40000/stream?expansions=author_id",
        format="twitter",
        auth="bearer",
        idle_s=20,
        text_ping_s=0,
        **{"key_file": key_in(folder), **changes},
    )


async def _alive(caller: Caller) -> None:
    await caller.begin()
    while True:
        await caller.write(b"\r\n")
        await trio.sleep(20)


async def test_lines_and_heartbeats(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    async def answer(caller: Caller) -> None:
        await caller.begin()
        await caller.write(b'{"news":')
        await caller.write(b'"a"}\r\n{"b":1}\r\n\r')
        await caller.write(b"\n")
        await trio.sleep(19)
        await caller.write(b"\r\n")
        await trio.sleep_forever()

    server = WebServer(answer)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(10)
        assert listener.frames == [b'{"news":"a"}', b'{"b":1}', b""]
        (caller,) = server.callers
        assert caller.headers["authorization"] == f"Bearer {KEY}"
        assert caller.target == "/stream?expansions=author_id"
        assert (session.status.state, session.status.frames, session.status.news) == ("up", 3, 1)
        await trio.sleep(30)
        assert len(listener.frames) == 4
        assert len(server.callers) == 1
        assert KEY not in repr((session.status, listener.changes, listener.frames, vars(session)))

    await play(_feed(tmp_path), server.handle, act)


async def test_heartbeats_keep_it_open(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = WebServer(_alive)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(3_600)
        assert listener.states() == ["up"]
        session.reconnect("by order")
        await trio.sleep(1)
        assert listener.states() == ["up", "down", "up"]
        assert len(server.callers) == 2

    await play(_feed(tmp_path), server.handle, act)


async def test_silence_ends_it(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    async def answer(caller: Caller) -> None:
        await caller.begin()
        await trio.sleep_forever()

    server = WebServer(answer)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(70)
        waits = [b - a for a, b in pairwise(server.times())]
        assert all(20 <= wait < 24 for wait in waits)
        assert len(waits) >= 2
        assert "nothing for 22 s" in listener.said()
        assert "expansions" not in listener.said()  # an address is told without its query

    await play(_feed(tmp_path), server.handle, act)


async def test_a_line_without_end_is_not_kept(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async def answer(caller: Caller) -> None:
        await caller.begin()
        for _ in range(LINE_BYTES_MAX // 50_000 + 2):
            await caller.write(b"x" * 50_000)
        await trio.sleep_forever()

    server = WebServer(answer)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1)
        assert f"a line of more than {LINE_BYTES_MAX} bytes" in listener.said()
        assert listener.frames == []

    await play(_feed(tmp_path), server.handle, act)


async def test_a_clean_end_is_met_at_once(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async def answer(caller: Caller) -> None:
        await caller.begin()
        await trio.sleep(15)
        await caller.finish()

    server = WebServer(answer)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(100)
        waits = [b - a for a, b in pairwise(server.times())]
        assert len(waits) >= 5
        assert all(15 <= wait < 15.1 for wait in waits)
        assert "closed" in listener.said()

    await play(_feed(tmp_path), server.handle, act)


async def test_broken_connections_are_met_with_linear_pauses(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async def answer(caller: Caller) -> None:
        raise trio.BrokenResourceError  # no word, the line is cut

    server = WebServer(answer)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1_500)
        waits = [b - a for a, b in pairwise(server.times())]
        assert waits[0] < 0.1
        assert 0.25 <= waits[1] <= 0.35
        assert 0.5 <= waits[2] <= 0.65
        assert 2.5 <= waits[10] <= 3.2
        assert max(waits) <= 20.1
        assert waits[-1] >= 16

    await play(_feed(tmp_path), server.handle, act)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(503, [5, 10, 20, 40, 80, 160, 320, 320]), (401, [5, 10]), (429, [60, 120, 240, 480, 900])],
)
async def test_refusals_are_met_with_doubling_pauses(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, status: int, expected: list[int]
) -> None:
    async def answer(caller: Caller) -> None:
        await caller.reply(status, b"no")

    server = WebServer(answer)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(sum(expected) * 1.25 + 1)
        waits = [b - a for a, b in pairwise(server.times())]
        for wait, least in zip(waits, expected, strict=False):
            assert least <= wait <= least * 1.25 + 0.1
        assert len(waits) >= len(expected)
        assert f"HTTP {status}" in session.status.why
        assert "next attempt in" in session.status.why

    await play(_feed(tmp_path), server.handle, act)


@pytest.mark.parametrize(
    ("headers", "least_s"),
    [
        ({"retry_after": "200"}, 200),
        ({"retry_after": "Fri, 06 Feb 2026 13:34:50 GMT"}, 300),
        ({"x_rate_limit_reset": str(EPOCH_NS // 10**9 + 600)}, 600),
        ({"retry_after": "1"}, 60),
        ({"retry_after": "soon"}, 60),
        ({"retry_after": "-5", "x_rate_limit_reset": "x"}, 60),
        ({"retry_after": "9" * 400}, 3_600),
    ],
)
async def test_what_a_limit_asks_for_is_kept(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, headers: dict[str, str], least_s: int
) -> None:
    async def answer(caller: Caller) -> None:
        if len(server.callers) == 1:
            await caller.reply(429, b"", **headers)
        else:
            await _alive(caller)

    server = WebServer(answer)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(least_s * 1.25 + 2)
        first, second = server.times()
        assert least_s - 1 <= second - first <= least_s * 1.25 + 1.1
        assert session.status.state == "up"

    await play(_feed(tmp_path), server.handle, act)


async def test_without_a_token_nothing_is_asked(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = WebServer(_alive)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(5)
        assert server.callers == []
        assert session.status.state == "down"
        assert "no key" in session.status.why

    await play(_feed(tmp_path, key_file=""), server.handle, act)


async def test_a_stream_without_news_is_stale_and_renewed(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = WebServer(_alive)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(3_600 * 1.2)
        assert listener.states() == ["up", "stale", "down", "stale"]
        assert "planned reconnection after 1 h" in listener.said()

    await play(_feed(tmp_path, stale_s=600, renew_h=1), server.handle, act)
