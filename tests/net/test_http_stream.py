"""Endless HTTP replies over memory, plain and TLS: lines, deadlines, refusals, clean ends."""

from __future__ import annotations

import logging

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.errors import ConnectionLost
from lowcap.net.http import (
    LINE_BYTES_MAX,
    HttpRefused,
    HttpReply,
    HttpxPort,
    _Lines,
    retry_after_s,
)
from lowcap.net.net import MemoryNet, Net
from lowcap.net.serve import HttpRequest, HttpStream, SendBytes, serve_stream

NetAndScheme = tuple[Net, str]
NOW_MS = 1_770_384_590_000


async def _no_upgrade(stream: trio.abc.Stream) -> None:
    await trio.aclose_forcefully(stream)


class Server:
    """Streams what its paths say."""

    def __init__(self) -> None:
        self.seen: list[HttpRequest] = []

    async def handle(self, stream: trio.abc.Stream) -> None:
        await serve_stream(stream, self.answer, _no_upgrade)

    async def answer(self, request: HttpRequest) -> HttpReply | HttpStream | None:
        self.seen.append(request)
        if request.path == "/lost":
            return None
        if request.path == "/refused":
            return HttpReply(429, {"retry-after": "9"}, b"later")
        bodies = {"/lines": self.lines, "/mute": self.mute, "/long": self.long, "/end": self.end}
        return HttpStream({"content-type": "application/json"}, bodies[request.path])

    async def lines(self, send: SendBytes) -> None:
        for part in (b'{"a":1}\r\n{"b"', b":2}\r", b"\n\r\n", "한\n".encode()[:1]):
            await send(part)
        await send("한\n".encode()[1:])
        await trio.sleep_forever()

    async def mute(self, send: SendBytes) -> None:
        await send(b"first\n")
        await trio.sleep_forever()

    async def long(self, send: SendBytes) -> None:
        for _ in range(LINE_BYTES_MAX // 60_000 + 2):
            await send(b"x" * 60_000)
        await trio.sleep_forever()

    async def end(self, send: SendBytes) -> None:
        await send(b"last\nunfinished")


class Caller:
    """What a caller of ``stream`` hears."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.opened = 0
        self.enough = trio.Event()
        self.wanted = 10**9

    def on_open(self) -> None:
        self.opened += 1

    def on_line(self, line: bytes) -> None:
        self.lines.append(line)
        if len(self.lines) == self.wanted:
            self.enough.set()

    async def call(self, http: HttpxPort, url: str, chunk_s: float = 5) -> None:
        await http.stream(
            url,
            headers={"authorization": "Bearer t0ken"},
            on_open=self.on_open,
            on_line=self.on_line,
            connect_s=2,
            chunk_s=chunk_s,
        )


async def test_lines_as_they_come(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    server, caller, http = Server(), Caller(), HttpxPort(net)
    caller.wanted = 4
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, server.handle, "127.0.0.1", 0)
            nursery.start_soon(caller.call, http, f"http{s}://127.0.0.1:{port}/lines?q=1")
            await caller.enough.wait()
            nursery.cancel_scope.cancel()
        await http.aclose()
    assert caller.lines == [b'{"a":1}', b'{"b":2}', b"", "한".encode()]
    assert caller.opened == 1
    assert server.seen[0].headers["authorization"] == "Bearer t0ken"
    assert server.seen[0].headers["accept-encoding"] == "identity"
    assert server.seen[0].query == "q=1"


@pytest.mark.parametrize(
    ("path", "error", "opened"),
    [
        ("/mute", "nothing for 0.3 s", 1),
        ("/long", f"a line of more than {LINE_BYTES_MAX} bytes", 1),
        ("/refused", "HTTP 429", 0),
        ("/lost", "disconnected|closed|ended", 0),
    ],
)
async def test_how_it_ends(
    net_and_scheme: NetAndScheme, path: str, error: str, opened: int
) -> None:
    net, s = net_and_scheme
    server, caller, http = Server(), Caller(), HttpxPort(net)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, server.handle, "127.0.0.1", 0)
            url = f"http{s}://127.0.0.1:{port}{path}?secret=1"
            with pytest.raises(ConnectionLost, match=error) as caught:
                await caller.call(http, url, chunk_s=0.3)
            nursery.cancel_scope.cancel()
        await http.aclose()
    assert caller.opened == opened
    assert "secret" not in caught.value.message
    assert "t0ken" not in repr((caught.value, caught.value.__cause__))
    if isinstance(caught.value, HttpRefused):
        assert (caught.value.status, caught.value.headers["retry-after"]) == (429, "9")
    else:
        assert path != "/refused"


async def test_an_end_in_order_returns(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    server, caller, http = Server(), Caller(), HttpxPort(net)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, server.handle, "127.0.0.1", 0)
            await caller.call(http, f"http{s}://127.0.0.1:{port}/end")
            nursery.cancel_scope.cancel()
        await http.aclose()
    assert caller.lines == [b"last"]


async def test_nobody_listening() -> None:
    http = HttpxPort(MemoryNet())
    with pytest.raises(ConnectionLost, match="refused"):
        await Caller().call(http, "http://127.0.0.1:9/lines")
    await http.aclose()


async def test_a_bug_in_the_line_handler_is_seen_and_frees_the_slot() -> None:
    net, server = MemoryNet(), Server()
    http = HttpxPort(net, connections_max=1)

    class Broken(Caller):
        def on_line(self, line: bytes) -> None:
            raise AssertionError("bug")

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, server.handle, "127.0.0.1", 0)
            for _ in range(3):
                with pytest.raises(AssertionError, match="bug"):
                    await Broken().call(http, f"http://127.0.0.1:{port}/mute")
            nursery.cancel_scope.cancel()
        await http.aclose()


async def test_cancelled_streams_free_their_slots() -> None:
    net, server = MemoryNet(), Server()
    http = HttpxPort(net, connections_max=1)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, server.handle, "127.0.0.1", 0)
            for _ in range(3):
                caller = Caller()
                caller.wanted = 1
                async with trio.open_nursery() as one:
                    one.start_soon(caller.call, http, f"http://127.0.0.1:{port}/mute")
                    await caller.enough.wait()
                    one.cancel_scope.cancel()
            nursery.cancel_scope.cancel()
        await http.aclose()


def test_the_library_tells_no_addresses(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    HttpxPort(MemoryNet())
    for name in ("httpx", "httpcore", "httpcore.http11"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)


# -- pure parts ---------------------------------------------------------------------


@given(st.lists(st.binary(max_size=20)), st.data())
def test_lines_do_not_depend_on_chunks(parts: list[bytes], data: st.DataObject) -> None:
    lines = [part.replace(b"\n", b"").rstrip(b"\r") for part in parts]
    ends = data.draw(st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=len(lines)))
    whole = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    splitter, got = _Lines(), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        got += list(splitter.feed(whole[start:end]))
    assert got == lines


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "Fri, 06 Feb 2026 13:30:50 GMT"}, 60),
        ({"retry-after": "Fri, 06 Feb 2026 13:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "9" * 5_000}, 999_999_999),
        ({"retry-after": "Fri, 99 Feb 2026 13:30:50 GMT"}, None),
        ({"x-rate-limit-reset": "1770384650"}, 60),
        ({"x-rate-limit-reset": "5"}, 0),
        ({"x-rate-limit-reset": "later"}, None),
        ({"retry-after": "7", "x-rate-limit-reset": "1770384650"}, 7),
        ({"retry-after": "soon", "x-rate-limit-reset": "1770384650"}, 60),
    ],
)
def test_how_long_a_reply_asks_to_wait(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers, NOW_MS) == expected


@given(st.text(max_size=60))
def test_no_header_raises(text: str) -> None:
    for name in ("retry-after", "x-rate-limit-reset"):
        asked_s = retry_after_s({name: text}, NOW_MS)
        assert asked_s is None or asked_s >= 0
