"""What the simulators' HTTP side adds to plain replies: endless ones, and refused upgrades."""

from __future__ import annotations

import pytest
import trio

from lowcap.core.errors import ConnectionLost
from lowcap.net.http import HttpReply, HttpxPort
from lowcap.net.net import MemoryNet, Net
from lowcap.net.serve import HttpRequest, HttpStream, SendBytes, serve_stream
from lowcap.net.wire import Wire, WireLimits, accept_wire, run_wire

NetAndScheme = tuple[Net, str]
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


class Server:
    """Answers by path; ``/endless`` counts until the client has had enough."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.cancelled = 0
        self.upgrades = 0

    async def handle(self, stream: trio.abc.Stream) -> None:
        await serve_stream(stream, self.answer, self.upgrade, admit=self.admit)

    def admit(self, request: HttpRequest) -> HttpReply | None:
        return None if request.path == "/open" else HttpReply(503, {"retry-after": "9"}, b"later")

    async def upgrade(self, stream: trio.abc.Stream) -> None:
        self.upgrades += 1

        async def session(wire: Wire) -> None:
            wire.send_now(b"hello")
            await trio.sleep_forever()

        try:
            await accept_wire(
                stream, lambda path, headers: None, lambda frame: None, session, limits=WireLimits()
            )
        except ConnectionLost:
            return

    async def answer(self, request: HttpRequest) -> HttpReply | HttpStream | None:
        if request.path == "/lines":
            return HttpStream({"content-type": "text/plain"}, self.three_lines)
        if request.path == "/endless":
            return HttpStream({}, self.count)
        return HttpReply(int(request.path.strip("/")), {"etag": '"x"'}, b"")

    async def three_lines(self, send: SendBytes) -> None:
        for number in range(3):
            await send(b"line %d\r\n" % number)
            await trio.sleep(0.01)

    async def count(self, send: SendBytes) -> None:
        try:
            await send(b"one\r\n")
            await trio.sleep_forever()
        except trio.Cancelled:
            self.cancelled += 1
            raise


async def _serve(nursery: trio.Nursery, server: Server) -> int:
    port: int = await nursery.start(server.net.serve, server.handle, "127.0.0.1", 0)
    return port


async def _all_of(stream: trio.abc.Stream) -> bytes:
    got = b""
    while data := await stream.receive_some(65_536):
        got += data
    return got


async def test_a_reply_in_chunks_arrives_whole(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port = await _serve(nursery, Server(net))
            http = HttpxPort(net)
            for _ in range(2):  # and the next request is served on a new connection
                reply = await http.request(
                    "GET", f"http{s}://127.0.0.1:{port}/lines", headers={}, timeout_s=5
                )
                assert (reply.status, reply.body) == (200, b"line 0\r\nline 1\r\nline 2\r\n")
                assert reply.headers["transfer-encoding"] == "chunked"
            await http.aclose()
            nursery.cancel_scope.cancel()


async def test_an_endless_reply_ends_when_the_client_leaves(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            server = Server(net)
            port = await _serve(nursery, server)
            stream = await net.connect("127.0.0.1", port, tls=bool(s), timeout_s=2)
            await stream.send_all(GET % b"endless")
            got = b""
            while b"one\r\n" not in got:
                got += await stream.receive_some(65_536)
            await stream.send_all(b"words that are no request")
            await trio.sleep(0.05)
            assert server.cancelled == 0
            await trio.aclose_forcefully(stream)
            while not server.cancelled:
                await trio.sleep(0.005)
            nursery.cancel_scope.cancel()
    assert server.cancelled == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, b"OK"),
        (403, b"Forbidden"),
        (426, b"Upgrade Required"),
        (429, b"Too Many Requests"),
        (503, b"Service Unavailable"),
    ],
)
async def test_replies_carry_their_reason(status: int, reason: bytes) -> None:
    net = MemoryNet()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port = await _serve(nursery, Server(net))
            stream = await net.connect("127.0.0.1", port, tls=False, timeout_s=2)
            await stream.send_all(
                b"GET /%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % status
            )
            got = await _all_of(stream)
            assert got.startswith(b"HTTP/1.1 %d %s\r\n" % (status, reason))
            assert b"content-length: 0" in got.lower()
            nursery.cancel_scope.cancel()


async def test_not_modified_has_no_length_and_the_connection_goes_on() -> None:
    net = MemoryNet()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port = await _serve(nursery, Server(net))
            stream = await net.connect("127.0.0.1", port, tls=False, timeout_s=2)
            for _ in range(2):
                await stream.send_all(GET % b"304")
                got = bytes(await stream.receive_some(65_536))
                assert got.startswith(b"HTTP/1.1 304 Not Modified\r\n")
                assert b"content-length" not in got.lower()
            await stream.aclose()
            nursery.cancel_scope.cancel()


async def test_an_upgrade_can_be_answered_by_http(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    heard: list[bytes] = []

    async def session(wire: Wire) -> None:
        while not heard:
            await trio.sleep(0.005)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            server = Server(net)
            url = f"ws{s}://127.0.0.1:{await _serve(nursery, server)}"
            with pytest.raises(ConnectionLost, match="HTTP 503"):
                await run_wire(net, f"{url}/shut", heard.append, session, limits=WireLimits())
            assert server.upgrades == 0
            await run_wire(net, f"{url}/open", heard.append, session, limits=WireLimits())
            nursery.cancel_scope.cancel()
    assert heard == [b"hello"]
