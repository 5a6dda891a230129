"""Each WebSocket feed answers as the real one: heartbeats, logins, keys, welcomes, history."""

from __future__ import annotations

import msgspec
import pytest
import trio
from feedserver_kit import HANDSHAKE, Serving, read_for, serving
from trio.testing import MockClock

from lowcap.core.errors import NotSent

USER = b'{"user":{"username":"trader"}}'
NEWS = [f'{{"title":"story {n}"}}'.encode() for n in range(5)]


@pytest.mark.parametrize("feed", ["bwe", "tokyo", "toa_news", "phoenix", "seventeenth"])
async def test_text_pings_are_answered_and_news_arrives(
    feed: str, autojump_clock: MockClock
) -> None:
    async with serving() as here, here.listener(f"{feed}/ws?x=1") as client:
        client.say("ping")
        await client.hears(1)
        assert here.server.send(feed, NEWS[0]) == 1
        assert await client.hears(2) == [b"pong", NEWS[0]]
        assert here.server.clients(feed) == 1
    counts = here.server.counts[feed]
    assert (counts.connects, counts.sent, counts.answers, counts.dropped) == (1, 1, 1, 0)


async def test_bwe_and_synoptic_know_no_login_and_synoptic_no_text_ping(
    autojump_clock: MockClock,
) -> None:
    async with serving() as here:
        for feed, pongs in (("bwe", [b"pong"]), ("synoptic", [])):
            async with here.listener(feed) as client:
                client.say("login key")
                client.say("ping")
                await settle(here, feed)
                assert client.frames == [*pongs, NEWS[0]]


async def settle(here: Serving, feed: str) -> None:
    """Send a frame and wait for it: what was to come before it has come."""
    counts = here.server.counts[feed]
    before = counts.sent
    await trio.sleep(1)
    here.server.send(feed, NEWS[0])
    while counts.sent == before:
        await trio.sleep(0.01)
    await trio.sleep(1)


@pytest.mark.parametrize("feed", ["tokyo", "toa_news", "seventeenth"])
async def test_any_login_is_good_where_no_key_is_set(feed: str, autojump_clock: MockClock) -> None:
    async with serving() as here, here.listener(feed) as client:
        here.server.send(feed, NEWS[0])
        client.say("login some-key")
        assert await client.hears(2) == [NEWS[0], USER]
        assert here.server.logins == ["login some-key"]


@pytest.mark.parametrize("line", ["login a b", "login ", "log me in", '{"login":"key"}'])
async def test_a_tree_server_calls_a_bad_line_bad(line: str, autojump_clock: MockClock) -> None:
    async with serving() as here, here.listener("tokyo") as client:
        client.say(line)
        assert await client.hears(1) == [b"Invalid login syntax"]


async def test_a_tree_server_is_silent_until_the_right_key_comes(autojump_clock: MockClock) -> None:
    async with serving(keys={"tokyo": "right"}) as here, here.listener("tokyo") as client:
        assert here.server.send("tokyo", NEWS[0]) == 0
        client.say("login wrong")
        client.say("ping")
        assert await client.hears(2) == [b"Invalid key", b"pong"]
        assert here.server.send("tokyo", NEWS[1]) == 0
        client.say("login right")
        await client.hears(3)
        assert here.server.send("tokyo", NEWS[2]) == 1
        assert (await client.hears(4))[2:] == [USER, NEWS[2]]
        assert here.server.counts["tokyo"].withheld == 2


async def test_an_anonymous_client_hears_news_where_the_server_lets_it(
    autojump_clock: MockClock,
) -> None:
    keys = {"toa_news": "right"}
    async with (
        serving(keys=keys, silent_without_login=False) as here,
        here.listener("toa_news") as client,
    ):
        here.server.send("toa_news", NEWS[0])
        assert await client.hears(1) == [NEWS[0]]


async def test_phoenix_takes_a_key_in_the_header_or_by_login_and_none_at_all(
    autojump_clock: MockClock,
) -> None:
    async with serving(keys={"phoenix": "right"}) as here:
        async with here.listener("phoenix", **{"x-api-key": "right"}) as client:
            client.say("login right")
            answer = msgspec.json.decode((await client.hears(1))[0])
            assert answer["apiKey"] == "right"
            assert answer["address"].startswith("0x")
            client.say("login other")
            assert (await client.hears(2))[1] == b"Invalid key"
        async with here.listener("phoenix") as client:
            here.server.send("phoenix", NEWS[0])
            assert await client.hears(1) == [NEWS[0]]
        assert "HTTP 401" in await here.refused("phoenix", **{"x-api-key": "wrong"})


async def test_synoptic_wants_its_key_in_the_handshake(autojump_clock: MockClock) -> None:
    async with serving(keys={"synoptic": "right"}) as here:
        assert "HTTP 401" in await here.refused("synoptic")
        assert "HTTP 401" in await here.refused("synoptic?apiKey=wrong")
        assert "HTTP 401" in await here.refused("synoptic", **{"x-api-key": "wrong"})
        async with here.listener("synoptic/on-stream-post?apiKey=right") as client:
            here.server.send("synoptic", NEWS[0])
            await client.hears(1)
        async with here.listener("synoptic", **{"x-api-key": "right"}) as client:
            here.server.send("synoptic", NEWS[1])
            await client.hears(1)
        assert here.server.counts["synoptic"].connects == 2


async def test_synoptic_replays_the_last_posts_when_asked(autojump_clock: MockClock) -> None:
    async with serving() as here:
        for frame in NEWS:
            here.server.send("synoptic", frame)
        async with here.listener("synoptic?lastPosts=2") as client:
            assert await client.hears(2) == NEWS[-2:]
        async with here.listener("synoptic?lastPosts=0") as client:
            await settle(here, "synoptic")
            assert client.frames == [NEWS[0]]
        async with here.listener("tokyo?lastPosts=2") as client:
            await settle(here, "tokyo")
            assert client.frames == [NEWS[0]]


async def test_a_welcome_comes_first_where_one_is_set(autojump_clock: MockClock) -> None:
    async with serving() as here:
        here.server.welcome["bwe"] = b'{"type":"welcome","message":"connected"}'
        async with here.listener("bwe") as client:
            here.server.send("bwe", NEWS[0])
            assert await client.hears(2) == [here.server.welcome["bwe"], NEWS[0]]
        async with here.listener("tokyo") as client:
            await settle(here, "tokyo")
            assert client.frames == [NEWS[0]]


async def test_feeds_do_not_hear_each_other(autojump_clock: MockClock) -> None:
    async with serving() as here, here.listener("tokyo") as tokyo, here.listener("bwe") as bwe:
        here.server.send("tokyo", NEWS[0])
        here.server.send("bwe", NEWS[1])
        assert await tokyo.hears(1) == [NEWS[0]]
        assert await bwe.hears(1) == [NEWS[1]]


async def test_the_server_sends_protocol_pings(autojump_clock: MockClock) -> None:
    async with serving() as here:
        stream = await here.raw(HANDSHAKE % b"tokyo")
        got = await read_for(stream, 16)
        assert got.startswith(b"HTTP/1.1 101")
        assert got.endswith(b"\x89\x04\x00\x00\x00\x01")
        await stream.aclose()


async def test_login_bytes_that_are_no_text_harm_nobody(autojump_clock: MockClock) -> None:
    async with serving() as here, here.listener("tokyo") as other:
        stream = await here.raw(HANDSHAKE % b"tokyo")
        await read_for(stream, 1)
        await stream.send_all(b"\x82\x89\0\0\0\0login \xff\xfe!")
        await read_for(stream, 1)
        here.server.send("tokyo", NEWS[0])
        assert await other.hears(1) == [NEWS[0]]
        assert here.server.logins[0].startswith("login ")
        await stream.aclose()


async def test_a_full_queue_drops_and_counts(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    def full(frame: bytes) -> bool:
        raise NotSent("the connection's queue is full")

    async with serving() as here, here.listener("bwe") as client:
        [theirs] = here.server._clients["bwe"]
        monkeypatch.setattr(theirs, "_put", full)
        assert here.server.send("bwe", NEWS[0]) == 0
        monkeypatch.undo()
        assert here.server.send("bwe", NEWS[1]) == 1
        assert await client.hears(1) == [NEWS[1]]
        assert (here.server.counts["bwe"].sent, here.server.counts["bwe"].dropped) == (1, 1)


async def test_a_socket_feed_is_no_http_and_an_http_feed_no_socket(
    autojump_clock: MockClock,
) -> None:
    async with serving() as here:
        assert (await here.get("bwe")).status == 426
        assert "HTTP 400" in await here.refused("twitter")
        assert "HTTP 400" in await here.refused("upbit")
