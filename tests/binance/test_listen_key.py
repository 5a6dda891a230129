"""The listen key of the user data stream: renewed while it lives, replaced once it is gone."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import MockClock

from lowcap.binance.streams import UserStream
from lowcap.binance.userevents import KeyExpired
from lowcap.core.errors import NoAnswer
from lowcap.net.net import MemoryNet
from tests.binance.binance_kit import FakeHttp, Peer, reply, rest

KEY, OK = reply({"listenKey": "k" * 64}), reply({})
GONE = reply({"code": -1125, "msg": "This listenKey does not exist."}, 400)


class Stream:
    """A user data stream to a scripted peer, and what it said."""

    def __init__(self, net: MemoryNet, port: int, *answers: Any) -> None:
        self.changes: list[tuple[bool, str]] = []
        self.events: list[object] = []
        client, self.http = rest(*answers)
        self.stream = UserStream(
            *(net, f"ws://127.0.0.1:{port}", client, self.events.append),
            lambda up, why: self.changes.append((up, why)),
            random.Random(1),
        )

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.http.asked]


@asynccontextmanager
async def user_stream(*answers: Any) -> AsyncIterator[tuple[Stream, Peer, FakeHttp]]:
    net, peer = MemoryNet(), Peer()
    async with trio.open_nursery() as nursery:
        port = await nursery.start(net.serve, peer.handle, "127.0.0.1", 0)
        there = Stream(net, port, *answers)
        nursery.start_soon(there.stream.run)
        await trio.sleep(1)
        yield there, peer, there.http
        nursery.cancel_scope.cancel()


async def test_a_renewal_that_fails_is_tried_again_while_the_key_lives(
    autojump_clock: MockClock,
) -> None:
    late = NoAnswer("timeout")
    async with user_stream(KEY, late, reply({}, 502), late, OK, GONE, KEY) as (there, _, _):
        await trio.sleep(27 * 60)
        assert there.methods() == ["POST", *["PUT"] * 4]
        assert there.changes == [(True, "")]
        await trio.sleep(25 * 60)
        assert there.methods()[5:] == ["PUT", "POST"]
        assert [up for up, _ in there.changes] == [True, False, True]
        assert "not renewed: -1125" in there.changes[1][1]


async def test_a_key_that_must_be_dead_by_now_is_replaced(autojump_clock: MockClock) -> None:
    async with user_stream(KEY, NoAnswer("timeout")) as (there, _, _):
        await trio.sleep(54 * 60)
        assert there.changes == [(True, "")]
        await trio.sleep(3 * 60)
        assert there.changes[1][0] is False


async def test_an_expired_key_ends_its_own_connection_only(autojump_clock: MockClock) -> None:
    async with user_stream(KEY) as (there, peer, _):
        peer.wires[0].send_now(b'{"e":"listenKeyExpired","E":"1","listenKey":"another"}')
        await trio.sleep(1)
        assert (there.events, len(peer.wires)) == ([KeyExpired("another")], 1)
        peer.wires[0].send_now(b'{"e":"listenKeyExpired","E":1,"listenKey":"%s"}' % (b"k" * 64))
        await trio.sleep(3)
        assert there.changes == [(True, ""), (False, "the listen key has expired"), (True, "")]
        assert len(peer.wires) == 2
