"""Every fault of the feed server, as a client meets it, and what is counted meanwhile."""

from __future__ import annotations

import msgspec
import pytest
import trio
from feedserver_kit import HANDSHAKE, Serving, read_for, serving, until
from test_feedserver import NEWS
from trio.testing import MockClock

from lowcap.core.clock import SystemClock
from lowcap.core.messages import NewsItem
from lowcap.feeds.session import decoder_for
from lowcap.net.net import Net, SocketNet
from lowcap.paper.feedfaults import harmless, junk
from lowcap.settings import Feed


async def test_drop_cuts_everyone_without_a_word(autojump_clock: MockClock) -> None:
    async with serving() as here:
        async with (
            here.listener("tokyo") as one,
            here.listener("tokyo") as two,
            here.listener("bwe") as other,
        ):
            assert here.server.fault("tokyo", "drop") == 2
            assert here.server.clients("tokyo") == 0
            await one.over.wait()
            await two.over.wait()
            assert "closed by the peer: 1006" in one.lost
            here.server.send("bwe", NEWS[0])
            await other.hears(1)
        async with here.listener("tokyo") as again:
            here.server.send("tokyo", NEWS[0])
            await again.hears(1)
        assert here.server.counts["tokyo"].connects == 3


async def test_close_says_goodbye_after_what_waited(autojump_clock: MockClock) -> None:
    async with serving() as here, here.listener("tokyo") as client:
        for frame in NEWS:
            here.server.send("tokyo", frame)
        here.server.fault("tokyo", "close")
        assert here.server.send("tokyo", NEWS[0]) == 0
        await client.over.wait()
        assert "closed by the peer: 1001" in client.lost
        assert client.frames == NEWS
        assert here.server.counts["tokyo"].sent == len(NEWS)
        assert here.server.counts["tokyo"].dropped == 0


async def test_close_cuts_who_does_not_say_goodbye_back(autojump_clock: MockClock) -> None:
    async with serving() as here:
        stream = await here.raw(HANDSHAKE % b"bwe")
        await until(lambda: here.server.clients("bwe") == 1)
        here.server.fault("bwe", "close")
        with trio.fail_after(10):
            got = await read_for(stream, 60)  # ends before the time is up
        assert got.endswith(b"\x88\x02\x03\xe9")


async def test_refuse_cuts_handshakes_for_a_while(autojump_clock: MockClock) -> None:
    async with serving() as here, here.listener("tokyo") as before:
        here.server.fault("tokyo", "refuse", seconds=30)
        for _ in range(2):
            with trio.fail_after(1):
                assert await read_for(await here.raw(HANDSHAKE % b"tokyo"), 60) == b""
        here.server.send("tokyo", NEWS[0])
        await before.hears(1)
        await trio.sleep(30)
        async with here.listener("tokyo") as after:
            here.server.send("tokyo", NEWS[1])
            await after.hears(1)


async def test_reject_answers_503_for_a_while(autojump_clock: MockClock) -> None:
    async with serving() as here:
        here.server.fault("synoptic", "reject", seconds=30)
        assert "HTTP 503" in await here.refused("synoptic")
        await trio.sleep(30)
        async with here.listener("synoptic"):
            assert here.server.clients("synoptic") == 1


async def test_mute_says_nothing_but_answers_protocol_pings(autojump_clock: MockClock) -> None:
    async with serving() as here:
        here.server.welcome["tokyo"] = b'{"type":"welcome"}'
        async with here.listener("tokyo") as client:
            await client.hears(1)
            here.server.fault("tokyo", "mute", seconds=60)
            async with here.listener("tokyo") as late:
                client.say("ping")
                client.say("login key")
                assert here.server.send("tokyo", NEWS[0]) == 0
                assert await client.wire.ping() < 1
                await trio.sleep(60)
                assert late.frames == []
                assert client.frames == [b'{"type":"welcome"}']
                assert not client.over.is_set()
                assert here.server.counts["tokyo"].withheld == 2
                here.server.send("tokyo", NEWS[1])
                await late.hears(1)


async def test_half_open_answers_nothing_but_serves_who_comes_anew(
    autojump_clock: MockClock,
) -> None:
    async with serving() as here, here.listener("tokyo") as client:
        here.server.fault("tokyo", "half-open", seconds=300)
        assert here.server.send("tokyo", NEWS[0]) == 0
        client.say("ping")
        await client.over.wait()
        assert "no pong" in client.lost  # by the client's own protocol ping
        assert client.frames == []
        assert here.server.clients("tokyo") == 0
        async with here.listener("tokyo") as anew:
            assert here.server.send("tokyo", NEWS[1]) == 1
            assert await anew.hears(1) == [NEWS[1]]
            await trio.sleep(300)
            assert here.server.clients("tokyo") == 1
        assert (here.server.counts["tokyo"].withheld, here.server.counts["tokyo"].sent) == (2, 1)


async def test_half_open_ends_and_late_answers_come(autojump_clock: MockClock) -> None:
    async with serving() as here, here.listener("tokyo") as client:
        here.server.fault("tokyo", "half-open", seconds=3)
        client.say("ping")
        await trio.sleep(2)
        assert client.frames == []
        assert await client.hears(1) == [b"pong"]
        assert await client.wire.ping() < 1


async def test_drop_reaches_a_half_open_client(autojump_clock: MockClock) -> None:
    async with serving() as here:
        stream = await here.raw(HANDSHAKE % b"bwe")
        await until(lambda: here.server.clients("bwe") == 1)
        here.server.fault("bwe", "half-open", seconds=10_000)
        await stream.send_all(b"\x81\x84\0\0\0\0ping")
        await trio.sleep(1)
        here.server.fault("bwe", "drop")
        with trio.fail_after(10):
            assert b"pong" not in await read_for(stream, 60)


async def test_junk_is_the_same_on_every_run_and_never_news(autojump_clock: MockClock) -> None:
    runs = []
    for _ in range(2):
        async with serving() as here, here.listener("tokyo") as client:
            here.server.fault("tokyo", "junk", count=20)
            here.server.fault("tokyo", "junk", count=20)
            runs.append(await client.hears(40))
    assert runs[0] == runs[1]
    assert len(set(runs[0])) >= 15
    for name, form in FORMATS.items():
        decoder = decoder_for(name, Feed(url="ws://x", format=form))
        for frame in runs[0]:
            item = decoder.decode(frame, 1)
            if isinstance(item, NewsItem):
                assert "story" not in item.title, frame


async def test_duplicates_repeat_the_last_news_not_a_pong(autojump_clock: MockClock) -> None:
    async with serving() as here, here.listener("bwe") as client:
        assert here.server.fault("bwe", "duplicate", count=3) == 0
        here.server.send("bwe", NEWS[0])
        here.server.send("bwe", NEWS[1])
        here.server.send("bwe", b"a bare sentence")
        assert here.server.fault("bwe", "duplicate", count=3) == 3
        assert (await client.hears(6))[3:] == [NEWS[1]] * 3


async def test_stale_news_is_marked_where_the_feed_marks_it(autojump_clock: MockClock) -> None:
    async with serving() as here:
        for feed in ("tokyo", "toa_news", "phoenix", "synoptic"):
            async with here.listener(feed) as client:
                here.server.send(feed, NEWS[2])
                here.server.fault(feed, "stale")
                fresh, again = await client.hears(2)
                assert fresh == NEWS[2]
                if feed in ("tokyo", "toa_news"):
                    title = msgspec.json.decode(again)["title"]
                    assert title == "story 2 [272 minutes ago]"
                else:
                    assert again == fresh


async def test_a_flood_arrives_whole_and_every_frame_is_another(autojump_clock: MockClock) -> None:
    async with serving() as here, here.listener("tokyo") as client:
        assert here.server.fault("tokyo", "flood", count=5_000) == 5_000
        frames = await client.hears(5_000, within_s=60)
        assert len(set(frames)) == 5_000
        assert (await account(here, "tokyo")) == 5_000


@pytest.mark.parametrize(
    ("feed", "kind", "numbers", "words"),
    [
        ("tokyo", "fire", {}, "unknown fault 'fire'"),
        ("tokyo", "mute", {}, "mute needs seconds"),
        ("tokyo", "refuse", {"seconds": -1}, "refuse needs seconds"),
        ("tokyo", "flood", {"count": 0}, "flood needs a count"),
        ("coingecko", "flood", {}, "coingecko serves a table"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(
    feed: str,
    kind: str,
    numbers: dict[str, int],
    words: str,
    autojump_clock: MockClock,
) -> None:
    async with serving() as here:
        with pytest.raises(ValueError, match=words):
            here.server.fault(feed, kind, **numbers)


FORMATS = {
    "bwe": "bwe",
    "tokyo": "tree",
    "toa_news": "tree",
    "phoenix": "phoenix",
    "synoptic": "synoptic",
    "twitter": "twitter",
    "upbit": "upbit",
}


async def account(here: Serving, feed: str) -> int:
    """Frames that left; none may be missing from the books."""
    counts = here.server.counts[feed]
    assert counts.dropped == counts.withheld == 0
    return counts.sent


@pytest.mark.parametrize("name", FORMATS)
def test_harmless_news_is_news_of_its_feed_and_fresh(name: str) -> None:
    at_ms = 1_770_384_590_000
    decoder = decoder_for(name, Feed(url="ws://x", format=FORMATS[name]))
    items = [decoder.decode(harmless(name, n, at_ms), at_ms * 1_000_000) for n in (1, 2)]
    first, second = items
    assert isinstance(first, NewsItem)
    assert isinstance(second, NewsItem)
    assert first.time_ms is not None
    assert abs(first.time_ms - at_ms) <= 1_000
    assert first.source_id != second.source_id or first.title != second.title


def test_junk_can_travel_as_text() -> None:
    for number in range(40):
        assert junk(number).decode()


@pytest.mark.parametrize(("kind", "code"), [("drop", "1006"), ("close", "1001")])
async def test_connections_end_alike_over_every_net(
    net_and_scheme: tuple[Net, str], kind: str, code: str
) -> None:
    net, s = net_and_scheme
    with trio.fail_after(20):
        async with serving(net, SystemClock(), s=s) as here, here.listener("tokyo") as client:
            here.server.send("tokyo", NEWS[0])
            await client.hears(1)
            here.server.fault("tokyo", "half-open", seconds=0.1)
            client.say("ping")
            assert await client.hears(2) == [NEWS[0], b"pong"]
            here.server.fault("tokyo", kind)
            await client.over.wait()
            assert f"closed by the peer: {code}" in client.lost


async def test_over_sockets_all_is_reset_and_counted_when_a_client_does_not_read() -> None:
    with trio.fail_after(60):
        async with serving(SocketNet(), SystemClock()) as here:
            stream = await here.raw(HANDSHAKE % b"tokyo")
            await until(lambda: here.server.clients("tokyo") == 1)
            handed = 0
            big = b'{"title":"' + b"x" * 100_000 + b'"}'
            for _ in range(300):  # more than the kernel takes for a client that does not read
                handed += here.server.send("tokyo", big)
            await until(lambda: here.server.counts["tokyo"].sent > 0)
            refused = 0
            while not refused:
                refused += here.server.send("tokyo", NEWS[0]) == 0
                handed += 1
            counts = here.server.counts["tokyo"]
            assert counts.dropped == 1
            assert counts.sent < 300
            here.server.fault("tokyo", "drop")
            with pytest.raises(trio.BrokenResourceError):
                await read_for(stream, 30)
            await stream.aclose()
            await until(lambda: counts.sent + counts.dropped == handed)
            async with here.listener("tokyo") as again:
                here.server.fault("tokyo", "flood", count=3_000)
                await again.hears(3_000, within_s=30)
            assert counts.sent + counts.dropped == handed + 3_000
