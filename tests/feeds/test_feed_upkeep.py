"""What keeps a connection useful: stale feeds told, planned renewals, orders, round trips."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest
import trio
import trio.testing
from feed_kit import EPOCH_NS, NEWS, Listener, Server, feed_of, play
from hypothesis import given
from hypothesis import strategies as st

from lowcap.feeds.session import FeedStatus, NewsSession
from lowcap.feeds.window import NEW_YORK, Window, parse_window
from lowcap.settings import Feed

HOUR_S = 3_600


def _quiet(**changes: object) -> Feed:
    """A feed whose hours pass quickly under virtual time."""
    return feed_of(**{"text_ping_s": 0, "ping_s": 300, "idle_s": 86_400, **changes})


async def test_no_news_for_long_is_stale_until_the_next_news(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(250)
        server.send(NEWS)
        await trio.sleep(299)
        assert listener.states() == ["up"]
        await trio.sleep(2)
        # It may be deaf: it is replaced, and stays stale until there is news.
        assert (session.status.state, session.status.why) == ("stale", "no news for 300 s")
        assert listener.states() == ["up", "stale", "down", "stale"]
        assert len(server.opened_s) == 2
        server.send(b'{"other":1}')
        await trio.sleep(10)
        assert session.status.state == "stale"
        server.send(NEWS)
        await trio.sleep(1)
        assert (session.status.state, session.status.why) == ("up", "")
        await trio.sleep(298)
        assert session.status.state == "up"
        await trio.sleep(2)
        assert listener.states()[4:6] == ["up", "stale"]

    await play(feed_of(stale_s=300), server.handle, act)


async def test_a_reconnection_makes_no_stale_feed_fresh(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(200)
        session.reconnect("by order")
        await trio.sleep(99)
        assert session.status.state == "up"
        await trio.sleep(3)
        assert session.status.state == "stale"
        session.reconnect("by order")
        await trio.sleep(5)
        assert listener.states() == ["up", "down", "up", "stale", "down", "stale"]
        server.send(NEWS)
        await trio.sleep(1)
        assert session.status.state == "up"

    await play(feed_of(stale_s=300), server.handle, act)


async def test_time_without_a_connection_is_not_silence_of_the_source(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        server.refuse = "closed today"
        await trio.sleep(1_000)
        server.refuse = None
        await trio.sleep(60)
        assert session.status.state == "up"

    await play(feed_of(stale_s=300), server.handle, act)


async def test_an_ordered_reconnection_comes_at_once_and_says_why(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        for _ in range(5):  # however often: an order is no failure
            await trio.sleep(1)
            session.reconnect("by order of demo")
        await trio.sleep(1)
        assert len(server.opened_s) == 6
        assert listener.said().count("by order of demo") == 5
        assert (session.status.state, session.status.why) == ("up", "")

    await play(feed_of(), server.handle, act)


async def test_an_order_ends_the_wait_for_the_next_attempt(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        server.refuse = "busy"
        await trio.sleep(120)
        server.refuse = None
        attempts = len(server.opened_s)
        session.reconnect("by order")
        await trio.sleep(0.5)
        assert len(server.opened_s) == attempts + 1
        assert session.status.state == "up"

    await play(feed_of(), server.handle, act)


async def test_an_order_before_the_start_does_no_harm(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        session.reconnect("early")
        await trio.sleep(1)
        assert session.status.state == "up"

    await play(feed_of(), server.handle, act)


async def test_connections_are_renewed(autojump_clock: trio.testing.MockClock) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(50 * HOUR_S)
        times = server.opened_s
        assert len(times) >= 4
        assert all(10.8 * HOUR_S <= b - a <= 13.3 * HOUR_S for a, b in pairwise(times))
        assert len({round(b - a) for a, b in pairwise(times)}) > 1
        assert "planned reconnection after 12 h" in listener.said()
        assert session.status.state == "up"

    await play(_quiet(renew_h=12), server.handle, act)


async def test_no_renewal_in_the_hours_to_be_held(autojump_clock: trio.testing.MockClock) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        opened: list[datetime] = []
        start_s = trio.current_time()
        await trio.sleep(24 * 8 * HOUR_S)
        for at_s in server.opened_s:
            moment = EPOCH_NS / 1e9 + at_s - start_s
            opened.append(datetime.fromtimestamp(moment, NEW_YORK))
        assert len(opened) > 100
        held = [at for at in opened[1:] if at.weekday() < 5 and 6 <= at.hour < 20]
        assert held == []
        assert any(at.weekday() >= 5 and 6 <= at.hour < 20 for at in opened)
        after = [at for at in opened if at.weekday() < 5 and at.hour == 20 and at.minute < 2]
        assert len({at.second for at in after}) > 2  # not all of them at the same second

    await play(_quiet(renew_h=1, hold_open="06:00-20:00"), server.handle, act)


async def test_round_trips(autojump_clock: trio.testing.MockClock) -> None:
    server = Server()

    async def act(session: NewsSession, listener: Listener) -> None:
        assert session.status.round_trip_ms is None
        await trio.sleep(11)
        assert session.status.round_trip_ms is not None
        assert 0 <= session.status.round_trip_ms < 1_000
        session.status.round_trip_ms = None
        await trio.sleep(5)  # at 15 s the text ping
        assert server.texts() == [b"ping"]
        assert session.status.round_trip_ms is not None

    await play(feed_of(ping_s=10), server.handle, act)


async def test_a_peer_that_answers_no_ping_is_left(autojump_clock: trio.testing.MockClock) -> None:
    held: list[float] = []

    async def deaf(stream: trio.abc.Stream) -> None:
        """Shakes hands, then reads nothing more."""
        held.append(trio.current_time())
        server = Server()
        await server.handle(_Deaf(stream))

    async def act(session: NewsSession, listener: Listener) -> None:
        await trio.sleep(30)
        assert len(held) == 2
        assert "no pong within 5 s" in listener.said()

    await play(feed_of(text_ping_s=0, ping_s=15), deaf, act)


class _Deaf(trio.abc.Stream):
    """A stream that can be read once."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._was_read = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._was_read:
            await trio.sleep_forever()
        self._was_read = True
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


# -- latency of news --------------------------------------------------------------


def test_latencies_are_of_news_sent_while_connected() -> None:
    status = FeedStatus("a", connected_ms=1_000)
    assert (status.latency_ms, status.latency_median_ms) == (None, None)
    status.saw_news(900, 5_000)  # replayed on connecting
    status.saw_news(None, 5_000)
    assert (status.news, status.latency_ms, status.last_news_ms) == (2, None, 5_000)
    for late_ms in (10, 40, 20):
        status.saw_news(6_000, 6_000 + late_ms)
    assert (status.news, status.latency_ms, status.latency_median_ms) == (5, 20, 20)
    for _ in range(500):
        status.saw_news(7_000, 7_007)
    assert len(status.latencies_ms) == 200
    assert status.latency_median_ms == 7


# -- windows ------------------------------------------------------------------------


def _at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp() * 1000)


@pytest.mark.parametrize(
    ("at", "left_s"),
    [
        ("2026-02-06T08:24:59.999", 0), ("2026-02-06T08:25:00", 660),
        ("2026-02-06T08:30:00.500", 359.5), ("2026-02-06T08:35:59.999", 0.001),
        ("2026-02-06T08:36:00", 0), ("2026-02-07T08:30:00", 0), ("2026-02-08T08:30:00", 0),
        ("2026-02-09T08:30:00", 360), ("2026-07-03T08:30:00", 360),  # summer time
    ],
)  # fmt: skip
def test_windows(at: str, left_s: float) -> None:
    assert parse_window("08:25-08:36").left_s(_at(at)) == pytest.approx(left_s, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    ["8:25-8:36", "08:25", "08:25-", "08:36-08:25", "08:25-08:25", "24:00-24:30", "08:60-09:00",
     " 08:25-08:36", "08:25-08:36\n", "08:25–08:36", "０8:25-08:36", "22:00-02:00"],
)  # fmt: skip
def test_no_windows(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_window(text)


@given(st.integers(0, 4_000_000_000_000))
def test_an_empty_window_never_holds_and_others_end(at_ms: int) -> None:
    assert parse_window("").left_s(at_ms) == 0
    window = Window(30_300, 30_960)
    left_s = window.left_s(at_ms)
    assert 0 <= left_s <= 660
    assert window.left_s(at_ms + int(left_s * 1000) + 1) == 0 or left_s == 0
