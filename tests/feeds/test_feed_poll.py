"""Upbit's notices, asked for under virtual time: each once, old ones never, and politely."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing
from feed_kit import Listener, feed_of, play
from stream_kit import Caller, WebServer

from lowcap.core.messages import NewsItem
from lowcap.feeds.poll import SEEN_MAX
from lowcap.feeds.session import NewsSession
from lowcap.feeds.upbit import UpbitDecoder
from lowcap.settings import Feed

OLD = "2026-02-06T20:00:00+09:00"
NOW = "2026-02-06T22:29:40+09:00"  # ten seconds before the clock of the tests starts


def _notice(title: str, first: str = NOW, **changes: Any) -> dict[str, Any]:
    return {
        "id": 5_001, "title": title, "category": "거래", "listed_at": first,
        "first_listed_at": first, "need_new_badge": True, "need_update_badge": False, **changes,
    }  # fmt: skip


def _feed(**changes: object) -> Feed:
    return feed_of(url="http://127.0.0.1:40000/api?os=web", format="upbit", poll_s=5, **changes)


class Upbit(WebServer):
    """The announcements API, with an ETag where ``tagged``."""

    def __init__(self, *notices: dict[str, Any]) -> None:
        super().__init__(self._answer)
        self.notices = list(notices)
        self.tagged = False
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.body: bytes | None = None
        self.unchanged = 0

    async def _answer(self, caller: Caller) -> None:
        if self.refusal is not None:
            await caller.reply(self.refusal[0], b"", **self.refusal[1])
            return
        page = {"success": True, "data": {"notices": self.notices, "total_pages": 9}}
        body = json.dumps(page).encode() if self.body is None else self.body
        tag = f'"{len(body)}"'
        if self.tagged and caller.headers.get("if-none-match") == tag:
            self.unchanged += 1
            await caller.reply(304)
            return
        await caller.reply(200, body, **({"etag": tag} if self.tagged else {}))


def _titles(listener: Listener) -> list[str]:
    return [json.loads(frame)["title"] for frame in listener.frames]


async def test_each_notice_once_and_what_was_there_only_if_fresh(
    autojump_clock: trio.testing.MockClock,
) -> None:
    upbit = Upbit(_notice("fresh"), _notice("old", OLD))

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1)
        assert _titles(listener) == ["fresh"]
        upbit.notices = [_notice("third"), _notice("second"), *upbit.notices]
        await trio.sleep(6)
        assert _titles(listener) == ["fresh", "second", "third"]  # in the order of their coming
        await trio.sleep(60)
        assert len(listener.frames) == 3
        assert listener.states() == ["up"]
        waits = [b - a for a, b in pairwise(upbit.times())]
        assert all(5 <= wait <= 5.6 for wait in waits)

    await play(_feed(), upbit.handle, act)


async def test_an_edited_notice_is_none_and_a_renumbered_one_neither(
    autojump_clock: trio.testing.MockClock,
) -> None:
    upbit = Upbit(_notice("a", OLD))

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1)
        upbit.notices = [_notice("a", OLD, listed_at=NOW, id="2b1f")]
        await trio.sleep(10)
        assert listener.frames == []
        upbit.notices = [_notice("a (변경)", OLD, listed_at=NOW)]
        await trio.sleep(10)
        (frame,) = listener.frames  # another title is told, as old as its first listing
        item = UpbitDecoder("upbit").decode(frame, 0)
        assert isinstance(item, NewsItem)
        assert item.time_ms == 1_770_375_600_000

    await play(_feed(), upbit.handle, act)


async def test_the_memory_is_bounded_and_keeps_what_is_still_shown(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pinned = _notice("pinned", OLD)
    upbit = Upbit(pinned)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1)
        for number in range(SEEN_MAX // 20 * 2):
            upbit.notices = [pinned, *(_notice(f"{number}-{n}") for n in range(20))]
            await trio.sleep(6)
        assert len(_titles(listener)) == SEEN_MAX // 20 * 2 * 20
        assert "pinned" not in _titles(listener)
        assert len(session._seen) == SEEN_MAX  # type: ignore[attr-defined]

    await play(_feed(), upbit.handle, act)


async def test_unchanged_pages_are_not_sent_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    upbit = Upbit(_notice("a"))
    upbit.tagged = True

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(30)
        assert upbit.unchanged == len(upbit.callers) - 1 > 3
        upbit.notices.insert(0, _notice("b"))
        await trio.sleep(6)
        assert _titles(listener) == ["a", "b"]
        assert listener.states() == ["up"]
        assert "Mozilla" in upbit.callers[0].headers["user-agent"]
        assert session.status.round_trip_ms is not None

    await play(_feed(), upbit.handle, act)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (403, {}, [60, 120, 240, 480, 900, 900]),
        (429, {}, [60, 120]),
        (429, {"retry_after": "300"}, [300, 300]),
        (503, {}, [5, 10, 20, 40, 60, 60]),
        (302, {"location": "http://127.0.0.1:40000/else"}, [5, 10]),
    ],
)
async def test_refusals(
    autojump_clock: trio.testing.MockClock,
    status: int,
    headers: dict[str, str],
    expected: list[int],
) -> None:
    upbit = Upbit()
    upbit.refusal = (status, headers)

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(sum(expected) * 1.25 + 7)
        waits = [b - a for a, b in pairwise(upbit.times())]
        for wait, least in zip(waits, expected, strict=False):
            assert least <= wait <= least * 1.25 + 1.1
        assert len(waits) >= len(expected)
        assert f"HTTP {status}" in session.status.why
        assert listener.states() == ["down"]
        upbit.refusal = None
        session.reconnect("by order")
        await trio.sleep(1)
        assert session.status.state == "up"

    await play(_feed(), upbit.handle, act)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"null", b"[]", b'{"success":false}', b'{"data":null}', b'{"data":{}}',
     b'{"data":{"notices":{}}}', b'{"data":{"notices":null}}', b"\xff", b"[" * 100_000],
)  # fmt: skip
async def test_answers_that_are_none(autojump_clock: trio.testing.MockClock, body: bytes) -> None:
    upbit = Upbit(_notice("a"))
    upbit.body = body

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(3)
        assert session.status.state == "down"
        assert "not the expected JSON" in session.status.why
        upbit.body = None
        await trio.sleep(120)
        assert session.status.state == "up"
        assert len(upbit.callers) < 30

    await play(_feed(), upbit.handle, act)


async def test_notices_that_cannot_be_read_are_told_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    upbit = Upbit(_notice("a", OLD))

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1)
        upbit.body = b'{"data":{"notices":[5,{"title":7},{"title":"no time"},"x",null]}}'
        await trio.sleep(30)
        assert len(listener.frames) == 5

    await play(_feed(), upbit.handle, act)


async def test_nobody_there(autojump_clock: trio.testing.MockClock) -> None:
    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(200)
        assert listener.states() == ["down"]
        assert "os=web" not in session.status.why

    await play(_feed(), None, act)


async def test_a_quiet_source_is_stale_and_asked_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    upbit = Upbit(_notice("a", OLD))

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(700)
        assert session.status.state == "stale"
        upbit.notices = [_notice("news")]
        await trio.sleep(6)
        assert listener.states() == ["up", "stale", "up"]

    await play(_feed(stale_s=600), upbit.handle, act)
