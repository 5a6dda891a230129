"""One feed's connection under virtual time: login, pings, silence, back-off, key files."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing

from lowcap.core.clock import LoopClock
from lowcap.core.errors import ConnectionLost
from lowcap.feeds.session import FeedSession, FeedStatus, decoder_for
from lowcap.feeds.synoptic import SynopticDecoder
from lowcap.feeds.tree import TreeDecoder
from lowcap.net.net import MemoryNet
from lowcap.net.wire import Wire, WireLimits, accept_wire
from lowcap.settings import Feed

EPOCH_NS = 1_770_384_590 * 10**9
LIMITS = WireLimits(ping_every_s=10_000)


class Server:
    """A news server in memory: notes what it hears, answers as ``answers`` says."""

    def __init__(self, net: MemoryNet) -> None:
        self.net = net
        self.port = 0
        self.heard: list[tuple[float, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.opened_s: list[float] = []
        self.answers: dict[bytes, bytes] = {b"ping": b"pong"}
        self.refuse: str | None = None
        self.wires: list[Wire] = []
        self.stay_s = float("inf")

    async def handle(self, stream: trio.abc.Stream) -> None:
        wires: list[Wire] = []

        def on_request(path: str, headers: dict[str, str]) -> str | None:
            self.opened_s.append(trio.current_time())
            self.headers.append(headers)
            return self.refuse

        def on_frame(frame: bytes) -> None:
            self.heard.append((trio.current_time(), frame))
            if frame in self.answers:
                wires[0].send_now(self.answers[frame])

        async def session(wire: Wire) -> None:
            wires.append(wire)
            self.wires.append(wire)
            await trio.sleep(self.stay_s)

        try:
            await accept_wire(stream, on_request, on_frame, session, limits=LIMITS)
        except ConnectionLost:
            return

    def texts(self) -> list[bytes]:
        return [frame for _, frame in self.heard]


class Listener:
    """What the daemon would hear of a feed."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.changes: list[tuple[float, str, str]] = []

    def on_frame(self, status: FeedStatus, frame: bytes) -> None:
        self.frames.append(frame)

    def on_change(self, status: FeedStatus) -> None:
        self.changes.append((trio.current_time(), status.state, status.why))


Act = Callable[[Server, FeedSession, Listener], Awaitable[None]]


async def _play(feed: Feed, act: Act, *, serve: bool = True) -> None:
    """Run a session against a server until ``act`` is through."""
    net = MemoryNet()
    server, listener = Server(net), Listener()
    async with trio.open_nursery() as nursery:
        if serve:
            server.port = await nursery.start(net.serve, server.handle, "127.0.0.1", 40_000)
        session = FeedSession(
            *("tokyo", feed, net, LoopClock(EPOCH_NS)),
            *(listener.on_frame, listener.on_change, random.Random(1)),
        )
        nursery.start_soon(session.run)
        await act(server, session, listener)
        nursery.cancel_scope.cancel()


def _feed(**changes: object) -> Feed:
    values: dict[str, object] = {
        "url": "ws://127.0.0.1:40000/x", "format": "tree", "text_ping_s": 15, "idle_s": 75,
    }  # fmt: skip
    return Feed(**(values | changes))  # type: ignore[arg-type]


def _key(folder: Path, content: bytes = b"s3cret\n") -> str:
    path = folder / "key"
    path.write_bytes(content)
    return str(path)


def test_decoders_by_format() -> None:
    assert isinstance(decoder_for("a", _feed()), TreeDecoder)
    assert isinstance(decoder_for("a", _feed(format="synoptic")), SynopticDecoder)


async def test_login_comes_first_then_pings(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(50)
        assert server.texts() == [b"login s3cret", b"ping", b"ping", b"ping"]
        times = [round(at_s - server.opened_s[0]) for at_s, _ in server.heard]
        assert times == [0, 15, 30, 45]
        assert listener.frames == [b"pong"] * 3
        assert "x-api-key" not in server.headers[0]
        status = session.status
        assert (status.state, status.frames, status.connects) == ("up", 3, 1)
        assert status.last_frame_ms > status.since_ms > 0

    await _play(_feed(key_file=_key(tmp_path)), act)


async def test_without_a_key_nobody_logs_in(autojump_clock: trio.testing.MockClock) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(20)
        assert server.texts() == [b"ping"]

    await _play(_feed(), act)


async def test_synoptic_shows_its_key_in_a_header_and_nowhere_else(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(100)
        assert server.headers[0]["x-api-key"] == "s3cret"
        assert server.texts() == []
        assert "s3cret" not in session.status.why

    feed = _feed(format="synoptic", text_ping_s=0, idle_s=900, key_file=_key(tmp_path))
    await _play(feed, act)


async def test_frames_are_handed_over_as_they_come(autojump_clock: trio.testing.MockClock) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(1)
        for frame in (b'{"title":"a"}', b"Invalid login syntax", "한".encode()):
            server.wires[0].send_now(frame)
        await trio.sleep(1)
        assert listener.frames == [b'{"title":"a"}', b"Invalid login syntax", "한".encode()]

    await _play(_feed(), act)


async def test_a_silent_server_is_left_and_met_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        server.answers = {}
        await trio.sleep(100)
        assert [state for _, state, _ in listener.changes] == ["up", "down", "up"]
        at_s, _, why = listener.changes[1]
        assert 75 < at_s - server.opened_s[0] <= 75 + 15 + 1
        assert why == "no frame for 75 s"
        assert server.opened_s[1] - at_s < 2.5  # at once after a connection that held
        assert session.status.connects == 2

    await _play(_feed(), act)


async def test_any_frame_is_a_sign_of_life(autojump_clock: trio.testing.MockClock) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(600)
        assert len(server.opened_s) == 1
        assert [state for _, state, _ in listener.changes] == ["up"]

    await _play(_feed(), act)


async def test_silence_without_text_pings(autojump_clock: trio.testing.MockClock) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(60 * 1.5 + 5)
        assert len(server.opened_s) == 2
        assert server.texts() == []

    await _play(_feed(text_ping_s=0, idle_s=60), act)


async def test_back_off_grows_and_has_an_end(autojump_clock: trio.testing.MockClock) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
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
        server.refuse = None
        await trio.sleep(40)
        assert session.status.state == "up"
        assert session.status.why == ""

    await _play(_feed(), act)


async def test_nobody_there(autojump_clock: trio.testing.MockClock) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(10)
        assert session.status.state == "down"
        assert "refused" in session.status.why
        assert [state for _, state, _ in listener.changes] == ["down"]  # said once, not each time

    await _play(_feed(), act, serve=False)


async def test_a_missing_key_file_is_named_and_read_again(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    path = tmp_path / "key"

    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(5)
        assert server.opened_s == []
        assert session.status.state == "down"
        assert str(path) in session.status.why
        path.write_text("late\n")
        await trio.sleep(40)
        assert session.status.state == "up"
        assert server.texts()[0] == b"login late"

    await _play(_feed(key_file=str(path)), act)


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"\xff\xfe\x00", b"two\nlines", b"two words", "schlüssel".encode(), b"a\x00b"],
)
@pytest.mark.parametrize("format_", ["tree", "synoptic"])
async def test_a_key_that_is_none_is_named_and_never_sent(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, content: bytes, format_: str
) -> None:
    key_file = _key(tmp_path, content)

    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(5)
        assert server.opened_s == []
        assert key_file in session.status.why
        assert "schl" not in session.status.why.replace(key_file, "")

    await _play(_feed(key_file=key_file, format=format_), act)


async def test_a_folder_for_a_key_file(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        await trio.sleep(5)
        assert "directory" in session.status.why

    await _play(_feed(key_file=str(tmp_path)), act)


async def test_a_server_that_leaves_is_met_again_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def act(server: Server, session: FeedSession, listener: Listener) -> None:
        server.stay_s = 20
        await trio.sleep(90)
        waits = [b - a for a, b in pairwise(server.opened_s)]
        assert len(waits) >= 3
        assert all(20 <= wait < 23 for wait in waits)
        assert "closed" in next(why for _, state, why in listener.changes if state == "down")

    await _play(_feed(), act)


async def test_a_bug_behind_the_callback_is_not_swallowed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    net = MemoryNet()
    server = Server(net)

    def broken(status: FeedStatus, frame: bytes) -> None:
        raise AssertionError("bug")

    with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(net.serve, server.handle, "127.0.0.1", 40_000)
            session = FeedSession(
                *("tokyo", _feed(), net, LoopClock(EPOCH_NS)),
                *(broken, lambda status: None, random.Random(1)),
            )
            await session.run()
