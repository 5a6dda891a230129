"""The wire's promises, kept over memory streams, plain sockets and TLS alike."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
import trio

from lowcap.core.errors import ConnectionLost, NotSent
from lowcap.net.net import MemoryNet, Net, SocketNet
from lowcap.net.wire import Wire, WireLimits, accept_wire, run_wire

LIMITS = WireLimits(ping_every_s=0.2, pong_within_s=1, close_s=0.5, connect_s=2)
NetAndScheme = tuple[Net, str]


async def _quiet(wire: Wire) -> None:
    await trio.sleep_forever()


class EchoServer:
    """Echoes frames until told to leave."""

    def __init__(self, net: Net, refuse: str | None = None) -> None:
        self.net = net
        self.refuse = refuse
        self.leave = trio.Event()
        self.seen: list[bytes] = []
        self.requests: list[tuple[str, dict[str, str]]] = []

    async def handle(self, stream: trio.abc.Stream) -> None:
        wires: list[Wire] = []

        def on_frame(frame: bytes) -> None:
            self.seen.append(frame)
            wires[0].send_now(frame)

        def on_request(path: str, headers: dict[str, str]) -> str | None:
            self.requests.append((path, headers))
            return self.refuse

        async def session(wire: Wire) -> None:
            wires.append(wire)
            await self.leave.wait()

        with contextlib.suppress(ConnectionLost):
            await accept_wire(stream, on_request, on_frame, session, limits=LIMITS)


async def _serve(nursery: trio.Nursery, server: EchoServer) -> int:
    port: int = await nursery.start(server.net.serve, server.handle, "127.0.0.1", 0)
    return port


async def test_frames_arrive_in_order_both_ways(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    got: list[bytes] = []
    frames = [f'{{"n":{i},"text":"Ünïcode 테스트"}}'.encode() for i in range(300)]

    async def session(wire: Wire) -> None:
        for frame in frames:
            wire.send_now(frame)
            await trio.lowlevel.checkpoint()
        while len(got) < len(frames):
            await trio.sleep(0.005)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            server = EchoServer(net)
            port = await _serve(nursery, server)
            await run_wire(
                net,
                f"ws{s}://127.0.0.1:{port}/x?y=1",
                got.append,
                session,
                limits=LIMITS,
                headers={"x-api-key": "k"},
            )
            nursery.cancel_scope.cancel()
    assert got == frames
    path, headers = server.requests[0]
    assert path == "/x?y=1"
    assert headers["x-api-key"] == "k"


async def test_server_leaving_is_a_lost_connection(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            server = EchoServer(net)
            port = await _serve(nursery, server)

            async def session(wire: Wire) -> None:
                server.leave.set()
                await trio.sleep_forever()

            with pytest.raises(ConnectionLost, match="closed by the peer"):
                await run_wire(
                    net, f"ws{s}://127.0.0.1:{port}/", lambda f: None, session, limits=LIMITS
                )
            nursery.cancel_scope.cancel()


async def test_refused_upgrade_names_the_status(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port = await _serve(nursery, EchoServer(net, refuse="no key"))
            with pytest.raises(ConnectionLost, match="HTTP 401"):
                await run_wire(
                    net, f"ws{s}://127.0.0.1:{port}/", lambda f: None, _quiet, limits=LIMITS
                )
            nursery.cancel_scope.cancel()


async def test_nobody_listening(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme
    with trio.fail_after(10), pytest.raises(ConnectionLost):
        await run_wire(net, f"ws{s}://127.0.0.1:9/", lambda f: None, _quiet, limits=LIMITS)


async def test_closing_during_the_handshake_is_noticed(net_and_scheme: NetAndScheme) -> None:
    net, s = net_and_scheme

    async def slam(stream: trio.abc.Stream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.receive_some(100)
        await trio.aclose_forcefully(stream)

    # At once, not when the time for connecting is up.
    limits = msgspec.structs.replace(LIMITS, connect_s=60)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, slam, "127.0.0.1", 0)
            with pytest.raises(ConnectionLost, match=r"handshake broken off|Broken"):
                await run_wire(
                    net, f"ws{s}://127.0.0.1:{port}/", lambda f: None, _quiet, limits=limits
                )
            nursery.cancel_scope.cancel()


async def test_mute_peer_fails_the_ping() -> None:
    net = MemoryNet()

    async def mute(stream: trio.abc.Stream) -> None:
        head = bytes(await stream.receive_some(65_536))
        key = next(
            line.split(b": ")[1]
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        import base64
        import hashlib

        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        accept = base64.b64encode(digest)
        await stream.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await trio.sleep_forever()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(net.serve, mute, "127.0.0.1", 0)
            with pytest.raises(ConnectionLost, match="no pong"):
                await run_wire(
                    net, f"ws://127.0.0.1:{port}/", lambda f: None, _quiet, limits=LIMITS
                )
            nursery.cancel_scope.cancel()


async def test_full_queue_refuses_and_says_so() -> None:
    net = MemoryNet()
    limits = WireLimits(queue_frames=3, close_s=0.2)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port = await _serve(nursery, EchoServer(net))
            kept: list[Wire] = []

            async def session(wire: Wire) -> None:
                kept.append(wire)
                for _ in range(3):
                    assert wire.send_now(b"{}") is False
                with pytest.raises(NotSent, match="full"):
                    wire.send_now(b"{}")

            await run_wire(net, f"ws://127.0.0.1:{port}/", lambda f: None, session, limits=limits)
            with pytest.raises(NotSent, match="closed"):
                kept[0].send_now(b"{}")
            nursery.cancel_scope.cancel()


async def test_oversized_frame_ends_the_connection() -> None:
    net = SocketNet()
    small = WireLimits(frame_bytes_max=1000, close_s=0.5)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port = await _serve(nursery, EchoServer(net))

            async def session(wire: Wire) -> None:
                wire.send_now(b"x" * 5000)
                await trio.sleep_forever()

            with pytest.raises(ConnectionLost):
                await run_wire(
                    net, f"ws://127.0.0.1:{port}/", lambda f: None, session, limits=small
                )
            nursery.cancel_scope.cancel()


async def test_a_bug_in_the_frame_handler_is_seen_not_swallowed() -> None:
    net = MemoryNet()

    def broken(frame: bytes) -> None:
        raise AssertionError("bug")

    async def session(wire: Wire) -> None:
        wire.send_now(b"{}")
        await trio.sleep_forever()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            port = await _serve(nursery, EchoServer(net))
            with pytest.RaisesGroup(AssertionError, flatten_subgroups=True):
                await run_wire(net, f"ws://127.0.0.1:{port}/", broken, session, limits=LIMITS)
            nursery.cancel_scope.cancel()
