"""One feed's connection under virtual time: frames, pings, silence, back-off."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import trio
import trio.testing
from feed_kit import EPOCH_NS, Listener, Server, feed_of, play

from lowcap.core.clock import LoopClock
from lowcap.feeds.bwe import BweDecoder
from lowcap.feeds.phoenix import PhoenixDecoder
from lowcap.feeds.session import FeedSession, FeedStatus, NewsSession, decoder_for
from lowcap.feeds.synoptic import SynopticDecoder
from lowcap.feeds.tree import TreeDecoder
from lowcap.feeds.twitter import TwitterDecoder
from lowcap.feeds.upbit import UpbitDecoder
from lowcap.net.net import MemoryNet


@pytest.mark.parametrize(
    ("format_", "kind"),
    [("tree", TreeDecoder), ("synoptic", SynopticDecoder), ("bwe", BweDecoder),
     ("phoenix", PhoenixDecoder), ("twitter", TwitterDecoder), ("upbit", UpbitDecoder)],
)  # fmt: skip
def test_decoders_by_format(format_: str, kind: type) -> None:
    assert isinstance(decoder_for("a", feed_of(format=format_)), kind)


async def test_frames_are_handed_over_as_they_come(autojump_clock: trio.testing.MockClock) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(1)
        for frame in (b'{"title":"a"}', b"Invalid login syntax", "한".encode()):
            server.send(frame)
        await trio.sleep(1)
        assert listener.frames == [b'{"title":"a"}', b"Invalid login syntax", "한".encode()]

    await play(feed_of(), server.handle, act)


async def test_text_pings_and_counters(autojump_clock: trio.testing.MockClock) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(50)
        assert server.texts() == [b"ping"] * 3
        assert [round(at_s - server.opened_s[0]) for at_s, _ in server.heard] == [15, 30, 45]
        assert listener.frames == [b"pong"] * 3
        status = session.status
        assert (status.state, status.frames, status.connects) == ("up", 3, 1)
        assert status.last_frame_ms > status.since_ms > 0
        assert status.connected_ms == status.since_ms

    await play(feed_of(), server.handle, act)


async def test_a_silent_server_is_left_and_met_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        server.answers = {}
        await trio.sleep(100)
        assert listener.states() == ["up", "down", "up"]
        at_s, _, why = listener.changes[1]
        assert at_s - server.opened_s[0] == pytest.approx(75, abs=1)
        assert why == "no frame for 75 s"
        assert server.opened_s[1] - at_s < 2.5  # at once after a connection that held
        assert session.status.connects == 2

    await play(feed_of(), server.handle, act)


async def test_any_frame_is_a_sign_of_life(autojump_clock: trio.testing.MockClock) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(600)
        assert len(server.opened_s) == 1
        assert listener.states() == ["up"]

    await play(feed_of(), server.handle, act)


async def test_silence_without_text_pings(autojump_clock: trio.testing.MockClock) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(65)
        assert len(server.opened_s) == 2
        assert server.texts() == []

    await play(feed_of(text_ping_s=0, idle_s=60), server.handle, act)


async def test_silence_waits_for_the_end_of_the_window_where_pings_prove_life(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(369)  # 08:29:50 and so many seconds: just before 08:36
        assert len(server.opened_s) == 1
        await trio.sleep(65)
        assert len(server.opened_s) == 2
        assert session.status.state == "up"

    feed = feed_of(text_ping_s=0, idle_s=60, hold_open="08:25-08:36")
    await play(feed, server.handle, act)


async def test_a_server_that_answers_no_text_ping_is_left_even_in_the_window(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        server.answers = {}
        await trio.sleep(80)
        assert len(server.opened_s) == 2

    await play(feed_of(hold_open="08:25-08:36"), server.handle, act)


async def test_back_off_grows_and_has_an_end(autojump_clock: trio.testing.MockClock) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        server.refuse = "go away"
        await trio.sleep(300)
        waits = [b - a for a, b in pairwise(server.opened_s)]
        assert waits[0] < 0.5
        assert 0.3 < waits[1] < 1
        assert all(later > earlier for earlier, later in pairwise(waits[:6]))
        assert max(waits) < 38
        assert 22 < waits[-1] < 38
        assert session.status.state == "down"
        assert "401" in session.status.why
        assert "next attempt in" in session.status.why
        server.refuse = None
        await trio.sleep(40)
        assert (session.status.state, session.status.why) == ("up", "")

    await play(feed_of(), server.handle, act)


async def test_nobody_there(autojump_clock: trio.testing.MockClock) -> None:
    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(10)
        assert session.status.state == "down"
        assert "refused" in session.status.why
        assert listener.states() == ["down"]  # said once, not each time

    await play(feed_of(), None, act)


async def test_a_server_that_leaves_is_met_again_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        server.stay_s = 20
        await trio.sleep(90)
        waits = [b - a for a, b in pairwise(server.opened_s)]
        assert len(waits) >= 3
        assert all(20 <= wait < 23 for wait in waits)
        assert "closed" in next(why for _, state, why in listener.changes if state == "down")

    await play(feed_of(), server.handle, act)


async def test_a_server_that_leaves_too_soon_is_not_met_at_once_for_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        server.stay_s = 1
        await trio.sleep(300)
        assert len(server.opened_s) < 20

    await play(feed_of(), server.handle, act)


async def test_a_bug_behind_the_callback_is_not_swallowed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    net = MemoryNet()
    server = Server()

    def broken(status: FeedStatus, frame: bytes) -> None:
        raise AssertionError("bug")

    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(net.serve, server.handle, "127.0.0.1", 40_000)
            session = FeedSession(
                *("tokyo", feed_of(), net, LoopClock(EPOCH_NS)),
                *(broken, lambda status: None, random.Random(1)),
            )
            await session.run()
