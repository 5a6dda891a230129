"""``Wire``: a text-frame connection. The only file that knows trio-websocket.

Frames arrive by a synchronous callback in the receiving task. Frames leave by
``send_now``, which never waits: it answers True when the kernel has the bytes
and False when the writer task will hand them over at its next turn. This
standard wire always answers False.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Protocol

import trio
import trio_websocket
import wsproto.utilities
from msgspec import Struct

from lowcap.core.errors import ConnectionLost, LowcapError, NotSent
from lowcap.net.net import Net, parse_endpoint

CANCELLED_CLOSE_S = 0.05
FrameHandler = Callable[[bytes], None]


class WireLimits(Struct, frozen=True, kw_only=True):
    """Every deadline and size of a connection; times in seconds."""

    connect_s: float = 5
    close_s: float = 2
    send_s: float = 5
    ping_every_s: float = 15
    pong_within_s: float = 5
    frame_bytes_max: int = 1_048_576
    queue_frames: int = 256


class Wire(Protocol):
    """One open connection that carries text frames.

    ``round_trip_ms`` is the newest ping's, None before the first answer.
    """

    round_trip_ms: float | None

    def send_now(self, frame: bytes) -> bool:
        """Hand over one UTF-8 text frame without waiting.

        Returns True when it has reached the kernel, False when the writer
        task has it.

        Raises:
            NotSent: the connection is closed or its queue is full; the frame
                has not left and will not.
        """
        ...

    async def ping(self) -> float:
        """The round-trip time of a ping in seconds.

        Raises:
            ConnectionLost: no pong came within the limit.
        """
        ...


class TrioWire:
    """The standard wire, for clients and for the simulators' servers."""

    def __init__(self, socket: trio_websocket.WebSocketConnection, limits: WireLimits) -> None:
        self._socket = socket
        self._limits = limits
        self._pings = 0
        self.round_trip_ms: float | None = None
        self._outbox, self._queued = trio.open_memory_channel[bytes](limits.queue_frames)

    def send_now(self, frame: bytes) -> bool:
        """Queue ``frame`` for the writer task."""
        try:
            self._outbox.send_nowait(frame)
        except trio.WouldBlock:
            raise NotSent("the connection's queue is full") from None
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise NotSent("the connection is closed") from None
        return False

    async def ping(self) -> float:
        """Send a protocol ping and wait for its pong."""
        started_s = trio.current_time()
        with trio.move_on_after(self._limits.pong_within_s) as scope:
            # A payload of our own: the library would draw one by chance.
            self._pings += 1
            await self._socket.ping(self._pings.to_bytes(4, "big"))
        if scope.cancelled_caught:
            raise ConnectionLost(f"no pong within {self._limits.pong_within_s:g} s")
        took_s = trio.current_time() - started_s
        self.round_trip_ms = took_s * 1000
        return took_s

    async def run(self, on_frame: FrameHandler, session: Callable[[Wire], Awaitable[None]]) -> None:
        """Carry frames until ``session`` returns or the connection ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, on_frame)
            nursery.start_soon(self._write)
            nursery.start_soon(self._keep_alive)
            try:
                await session(self)
            finally:
                self._outbox.close()
            nursery.cancel_scope.cancel(reason="the session is over")

    async def close(self) -> None:
        """Say goodbye within the limit; a peer that does not answer is left.

        When we are cancelled, the task that would hear the answer is too: the
        goodbye is sent and not waited for.
        """
        cancelled = trio.current_effective_deadline() == -math.inf
        limit_s = (
            min(self._limits.close_s, CANCELLED_CLOSE_S) if cancelled else self._limits.close_s
        )
        with trio.move_on_after(limit_s, shield=True):
            await self._socket.aclose()

    async def _read(self, on_frame: FrameHandler) -> None:
        while True:
            message = await self._socket.get_message()
            on_frame(message.encode() if isinstance(message, str) else message)

    async def _write(self) -> None:
        async for frame in self._queued:
            with trio.move_on_after(self._limits.send_s) as scope:
                await self._socket.send_message(frame.decode())
            if scope.cancelled_caught:
                raise ConnectionLost(f"the peer took nothing for {self._limits.send_s:g} s")

    async def _keep_alive(self) -> None:
        while True:
            await trio.sleep(self._limits.ping_every_s)
            await self.ping()


async def run_wire(
    net: Net,
    url: str,
    on_frame: FrameHandler,
    session: Callable[[Wire], Awaitable[None]],
    *,
    limits: WireLimits,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Connect to ``url``, run ``session`` beside the frame callback, close, return.

    Raises:
        ConnectionLost: the connection could not be made or ended on its own.
        ExceptionGroup: whatever else ``session`` or ``on_frame`` raised.
    """
    endpoint = parse_endpoint(url)
    stream = await net.connect(
        endpoint.host, endpoint.port, tls=endpoint.tls, timeout_s=limits.connect_s
    )

    watched = _Watched(stream)

    async def client(nursery: trio.Nursery) -> TrioWire:
        opened: list[trio_websocket.WebSocketConnection] = []

        async def shake(hands: trio.CancelScope) -> None:
            opened.append(
                await trio_websocket.wrap_client_stream(
                    nursery,
                    watched,  # type: ignore[arg-type]  # any Stream will do, the stubs say sockets
                    f"{endpoint.host}:{endpoint.port}",
                    endpoint.resource,
                    extra_headers=[(k.encode(), v.encode()) for k, v in (headers or {}).items()],
                    message_queue_size=limits.queue_frames,
                    max_message_size=limits.frame_bytes_max,
                    receive_buffer_size=65_536,
                )
            )
            hands.cancel(reason="the handshake is done")

        with trio.move_on_after(limits.connect_s) as scope:
            async with trio.open_nursery() as shaking:
                shaking.start_soon(shake, shaking.cancel_scope)
                await watched.over.wait()
                shaking.cancel_scope.cancel(reason="the peer has hung up")
        if opened:
            return TrioWire(opened[0], limits)
        why = "not finished in time" if scope.cancelled_caught else "broken off"
        raise ConnectionLost(f"{endpoint.host}: handshake {why}")

    await _carry(stream, client, on_frame, session)


class _Watched(trio.abc.Stream):
    """Says when the peer hangs up: in a handshake the library would go on waiting for it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.over = trio.Event()
        self._stream = stream

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            data = bytes(await self._stream.receive_some(max_bytes))
        except trio.BrokenResourceError:
            self.over.set()
            raise
        if not data:
            self.over.set()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def accept_wire(
    stream: trio.abc.Stream,
    on_request: Callable[[str, dict[str, str]], str | None],
    on_frame: FrameHandler,
    session: Callable[[Wire], Awaitable[None]],
    *,
    limits: WireLimits,
) -> None:
    """Serve one WebSocket client on ``stream``.

    ``on_request`` sees path and headers and may answer with a reason to reject.

    Raises:
        ConnectionLost: the client left.
    """

    async def server(nursery: trio.Nursery) -> TrioWire:
        with trio.move_on_after(limits.connect_s) as scope:
            request = await trio_websocket.wrap_server_stream(
                nursery,
                stream,
                message_queue_size=limits.queue_frames,
                max_message_size=limits.frame_bytes_max,
            )
            headers = {k.decode().lower(): v.decode() for k, v in request.headers}
            refused = on_request(request.path, headers)
            if refused is not None:
                await request.reject(401, body=refused.encode())
                raise ConnectionLost(f"rejected: {refused}")
            socket = await request.accept()
        if scope.cancelled_caught:
            raise ConnectionLost("handshake not finished in time")
        return TrioWire(socket, limits)

    await _carry(stream, server, on_frame, session)


async def _carry(
    stream: trio.abc.Stream,
    handshake: Callable[[trio.Nursery], Awaitable[TrioWire]],
    on_frame: FrameHandler,
    session: Callable[[Wire], Awaitable[None]],
) -> None:
    """Run one connection from handshake to close; turn its ends into one error."""
    lost: str | None = None
    try:
        async with trio.open_nursery() as nursery:
            wire = await handshake(nursery)
            try:
                await wire.run(on_frame, session)
            finally:
                await wire.close()
                nursery.cancel_scope.cancel(reason="the connection is over")
    except* (
        ConnectionLost,
        trio_websocket.ConnectionClosed,
        trio_websocket.HandshakeError,
        wsproto.utilities.ProtocolError,
        trio.BrokenResourceError,
        trio.ClosedResourceError,
        OSError,
    ) as group:
        lost = _first_words(group)
    finally:
        await trio.aclose_forcefully(stream)
    if lost is not None:
        raise ConnectionLost(lost)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _first_words(group: BaseExceptionGroup[BaseException]) -> str:
    """The leaf of ``group`` that explains most, in words: our own errors before the library's."""
    leaves = list(_leaves(group))
    leaf = next((each for each in leaves if isinstance(each, LowcapError)), leaves[0])
    if isinstance(leaf, trio_websocket.ConnectionClosed):
        reason = leaf.reason
        if reason is None:
            return "closed"
        return f"closed by the peer: {reason.code} {reason.reason or reason.name}"
    if isinstance(leaf, trio_websocket.ConnectionRejected):
        return f"the server refused the connection: HTTP {leaf.status_code}"
    if isinstance(leaf, LowcapError):
        return leaf.message
    if isinstance(leaf, wsproto.utilities.ProtocolError):
        return "the peer broke the WebSocket protocol, or was closing"
    return f"{type(leaf).__name__}: {leaf}" if str(leaf) else type(leaf).__name__
