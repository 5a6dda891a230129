"""``HttpPort``: one HTTP request, one reply, and an honest answer about what happened."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import httpcore
import httpx
import trio
from msgspec import Struct

from lowcap.core.errors import ConnectionLost, NoAnswer, NotSent
from lowcap.net.net import Net

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)


class HttpReply(Struct, frozen=True):
    """Status, headers (names in lower case) and body of a reply."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpPort(Protocol):
    """Where HTTP requests go out."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes = b"",
        timeout_s: float,
    ) -> HttpReply:
        """Send one request and wait for its reply.

        Raises:
            NotSent: it certainly never left.
            NoAnswer: it may have arrived; the outcome is unknown.
        """
        ...


class HttpxPort:
    """httpx over our own streams: no redirects, no ambient proxies, a bounded pool.

    Waiting for a pooled connection and being cancelled there leaks the slot
    for good (httpcore issue 1093), hence the semaphore of the pool's size.
    """

    def __init__(self, net: Net, *, connections_max: int = 8) -> None:
        transport = httpx.AsyncHTTPTransport(trust_env=False)
        # httpx offers no parameter for the backend; the pool is replaced before first use.
        transport._pool = httpcore.AsyncConnectionPool(
            max_connections=connections_max,
            max_keepalive_connections=connections_max,
            keepalive_expiry=60,
            network_backend=_Backend(net),
        )
        self._client = httpx.AsyncClient(
            transport=transport, trust_env=False, follow_redirects=False
        )
        self._slots = trio.Semaphore(connections_max)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes = b"",
        timeout_s: float,
    ) -> HttpReply:
        """Send one request; every phase is bounded by ``timeout_s``."""
        deadlines = httpx.Timeout(
            connect=timeout_s, read=timeout_s, write=timeout_s, pool=timeout_s
        )
        async with self._slots:
            try:
                reply = await self._client.request(
                    method, url, headers=dict(headers), content=content, timeout=deadlines
                )
            except _NOT_SENT as error:
                raise NotSent(f"{method} {_bare(url)}: {error or 'not sent'}") from error
            except httpx.RequestError as error:
                raise NoAnswer(f"{method} {_bare(url)}: {error or type(error).__name__}") from error
        return HttpReply(reply.status_code, dict(reply.headers), reply.content)

    async def aclose(self) -> None:
        """Close all pooled connections."""
        with trio.move_on_after(2, shield=True):
            await self._client.aclose()


def _bare(url: str) -> str:
    """``url`` without its query, which may carry a signature."""
    return url.partition("?")[0]


class _Backend(httpcore.AsyncNetworkBackend):
    """httpcore's view of a ``Net``."""

    def __init__(self, net: Net) -> None:
        self._net = net

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        # TLS is asked for afterwards, through start_tls: remember where we are going.
        return _LazyStream(self._net, host, port, timeout or 5.0)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class _LazyStream(httpcore.AsyncNetworkStream):
    """Opens on first use, when it is known whether TLS is wanted."""

    def __init__(self, net: Net, host: str, port: int, timeout_s: float) -> None:
        self._net = net
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._stream: trio.abc.Stream | None = None

    async def _open(self, *, tls: bool) -> trio.abc.Stream:
        if self._stream is None:
            try:
                self._stream = await self._net.connect(
                    self._host, self._port, tls=tls, timeout_s=self._timeout_s
                )
            except ConnectionLost as error:
                raise httpcore.ConnectError(error.message) from error
        return self._stream

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        await self._open(tls=True)
        return self

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        stream = await self._open(tls=False)
        try:
            with trio.fail_after(timeout if timeout is not None else float("inf")):
                return bytes(await stream.receive_some(max_bytes))
        except trio.TooSlowError as error:
            raise httpcore.ReadTimeout("no reply in time") from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        stream = await self._open(tls=False)
        try:
            with trio.fail_after(timeout if timeout is not None else float("inf")):
                await stream.send_all(buffer)
        except trio.TooSlowError as error:
            raise httpcore.WriteTimeout("not written in time") from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # httpcore's own signature
        if info == "is_readable" and isinstance(self._stream, trio.SocketStream):
            # An idle connection that has something to read has been closed by the server.
            return _readable(self._stream.socket.fileno())
        return None


def _readable(fd: int) -> bool:
    import select

    if fd < 0:
        return True
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
