"""Byte streams: real sockets, or memory for whole-daemon tests under virtual time."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit

import trio
import trio.testing
from msgspec import Struct

from lowcap.core.errors import ConnectionLost

StreamHandler = Callable[[trio.abc.Stream], Awaitable[None]]


class Endpoint(Struct, frozen=True):
    """Where a URL points: address, whether TLS is spoken, and the resource asked for."""

    host: str
    port: int
    tls: bool
    resource: str


def parse_endpoint(url: str) -> Endpoint:
    """The endpoint of an http, https, ws or wss URL.

    Raises:
        ValueError: another scheme, no host, or a bad port.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https", "ws", "wss"} or not parts.hostname:
        raise ValueError(f"not an http(s) or ws(s) URL: {url!r}")
    tls = parts.scheme in {"https", "wss"}
    port = parts.port if parts.port is not None else (443 if tls else 80)
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(parts.hostname, port, tls, resource)


class Net(Protocol):
    """How streams are opened and accepted. Every byte of lowcap goes through one of these."""

    async def connect(
        self, host: str, port: int, *, tls: bool, timeout_s: float
    ) -> trio.abc.Stream:
        """Open a stream.

        Raises:
            ConnectionLost: nothing answered within ``timeout_s``, or TLS failed.
        """
        ...

    async def serve(
        self,
        handler: StreamHandler,
        host: str,
        port: int,
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept streams until cancelled; ``started`` with the port (0 asks for a free one)."""
        ...


class SocketNet:
    """Real sockets. ``client_tls`` and ``server_tls`` are contexts for tests; else the defaults."""

    def __init__(
        self,
        client_tls: ssl.SSLContext | None = None,
        server_tls: ssl.SSLContext | None = None,
    ) -> None:
        self._client_tls = client_tls
        self._server_tls = server_tls

    async def connect(
        self, host: str, port: int, *, tls: bool, timeout_s: float
    ) -> trio.abc.Stream:
        """Open a TCP stream, with verified TLS where asked."""
        try:
            with trio.fail_after(timeout_s):
                stream = await trio.open_tcp_stream(host, port)
                if not tls:
                    return stream
                return await self._start_tls(stream, host)
        except (OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
            reason = str(error) or f"no answer within {timeout_s:g} s"
            raise ConnectionLost(f"{host}:{port}: {reason}") from error

    async def _start_tls(self, stream: trio.SocketStream, host: str) -> trio.abc.Stream:
        if self._client_tls is None:
            self._client_tls = ssl.create_default_context()
            self._client_tls.minimum_version = ssl.TLSVersion.TLSv1_2
        secured = trio.SSLStream(
            stream, self._client_tls, server_hostname=host, https_compatible=True
        )
        try:
            await secured.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return secured

    async def serve(
        self,
        handler: StreamHandler,
        host: str,
        port: int,
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listen on ``host``:``port`` until cancelled."""

        async def accept(stream: trio.SocketStream) -> None:
            if self._server_tls is None:
                await handler(stream)
            else:
                await handler(
                    trio.SSLStream(
                        stream, self._server_tls, server_side=True, https_compatible=True
                    )
                )

        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, accept, port, host=host))
            task_status.started(listeners[0].socket.getsockname()[1])


class MemoryNet:
    """A network inside one process: no socket, no thread, so virtual time can run freely."""

    def __init__(self) -> None:
        self._listening: dict[int, tuple[StreamHandler, trio.Nursery]] = {}
        self._next_port = 40_000

    async def connect(
        self, host: str, port: int, *, tls: bool, timeout_s: float
    ) -> trio.abc.Stream:
        """Open a pair of memory streams to whoever listens on ``port``; TLS is not played."""
        await trio.lowlevel.checkpoint()
        try:
            handler, nursery = self._listening[port]
        except KeyError:
            raise ConnectionLost(f"{host}:{port}: connection refused") from None
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(self._handle, handler, theirs)
        return ours

    @staticmethod
    async def _handle(handler: StreamHandler, stream: trio.abc.Stream) -> None:
        try:
            await handler(stream)
        finally:
            await trio.aclose_forcefully(stream)

    async def serve(
        self,
        handler: StreamHandler,
        host: str,
        port: int,
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Take connections on ``port`` until cancelled."""
        if port == 0:
            self._next_port += 1
            port = self._next_port
        async with trio.open_nursery() as nursery:
            self._listening[port] = (handler, nursery)
            try:
                task_status.started(port)
                await trio.sleep_forever()
            finally:
                del self._listening[port]
