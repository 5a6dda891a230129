"""Connections are replaced before the venue cuts them, new before old."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from lowcap.binance.handover import OVERLAP_S, RENEW_EVERY_S, TRY_AGAIN_S, Handover
from lowcap.core.errors import ConnectionLost
from tests.binance.binance_kit import ED25519, line_to_peer, line_to_venue


class Road:
    """Connections that come up, fail or end as they are told."""

    def __init__(self) -> None:
        self.opened: list[trio.Event] = []
        self.open_now = 0
        self.most_at_once = 0
        self.downs: list[str] = []
        self.failures = 0
        self.handover = Handover(self._connect, self.downs.append, random.Random(1))

    async def _connect(self, on_up: Callable[[], None]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionLost("no way")
        self.open_now += 1
        self.most_at_once = max(self.most_at_once, self.open_now)
        ended = trio.Event()
        self.opened.append(ended)
        try:
            await trio.sleep(0.1)
            on_up()
            await ended.wait()
            raise ConnectionLost("cut")
        finally:
            self.open_now -= 1


@asynccontextmanager
async def road() -> AsyncIterator[Road]:
    there = Road()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(there.handover.run)
        await trio.sleep(1)
        yield there
        nursery.cancel_scope.cancel()


async def test_the_new_one_is_up_before_the_old_one_goes(autojump_clock: MockClock) -> None:
    async with road() as there:
        await trio.sleep(RENEW_EVERY_S)
        assert (len(there.opened), there.open_now) == (2, 2)
        await trio.sleep(OVERLAP_S)
        assert there.open_now == 1
        await trio.sleep(RENEW_EVERY_S * 3 + 60)
        assert (len(there.opened), there.most_at_once, there.downs) == (5, 2, [])


async def test_where_no_new_one_comes_up_the_old_one_stays(autojump_clock: MockClock) -> None:
    async with road() as there:
        there.failures = 2
        there.handover.renew()
        await trio.sleep(1)
        assert (there.open_now, there.failures, there.downs) == (1, 1, [])
        await trio.sleep(TRY_AGAIN_S * 2 + OVERLAP_S + 1)
        assert (there.open_now, len(there.opened), there.failures) == (1, 2, 0)


async def test_the_old_one_may_die_while_the_new_one_comes_up(autojump_clock: MockClock) -> None:
    async with road() as there:
        there.handover.renew()
        await trio.sleep(0.05)
        there.opened[0].set()
        await trio.sleep(1)
        assert (there.open_now, there.downs) == (1, [])


async def test_one_that_is_lost_is_told_of_and_comes_back(autojump_clock: MockClock) -> None:
    async with road() as there:
        await trio.sleep(20)
        there.opened[0].set()
        await trio.sleep(1)
        assert (there.downs, there.open_now) == (["cut"], 1)
        there.failures = 3
        there.opened[1].set()
        await trio.sleep(10)
        assert there.downs == ["cut", "cut", "no way", "no way", "no way"]
        assert there.open_now == 1


async def test_the_order_socket_changes_over_without_a_gap(autojump_clock: MockClock) -> None:
    async with line_to_venue(ED25519) as (line, _):
        await line.up()
        line.socket.renew()
        await line.up(2)
        await trio.sleep(OVERLAP_S * 2)
        assert [up for up, _ in line.changes] == [True, True]
        replies: list[int] = []
        line.socket.request("session.status", {}, lambda reply: replies.append(reply.status))
        await trio.sleep(1)
        assert replies == [200]


async def test_a_reply_on_the_old_connection_is_still_heard(autojump_clock: MockClock) -> None:
    async with line_to_peer() as (line, peer):
        await line.up()
        replies: list[object] = []
        line.socket.request("order.place", {"symbol": "X"}, replies.append)
        await trio.sleep(0.1)
        line.socket.renew()
        await line.up(2)
        number = peer.got[0]["id"]
        peer.wires[0].send_now(b'{"id":%d,"status":200,"result":{}}' % number)
        await trio.sleep(0.5)
        assert len(replies) == 1
        line.socket.request("order.cancel", {"symbol": "X"}, replies.append)
        await trio.sleep(OVERLAP_S)
        assert len(peer.got) == 2
        assert line.socket.is_up
