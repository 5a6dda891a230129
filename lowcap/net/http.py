"""``HttpPort``: one HTTP request, one reply, and an honest answer about what happened."""

from __future__ import annotations

import email.utils
import logging
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import httpcore
import httpx
import trio
from msgspec import Struct

from lowcap.core.errors import ConnectionLost, NoAnswer, NotSent
from lowcap.net.net import Net

LINE_BYTES_MAX = 1_048_576
# A pooled connection that was idle for longer is not used again: the server may be closing it.
IDLE_S_MAX = 60
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


class HttpRefused(ConnectionLost):
    """The server answered with another status than the one that was hoped for."""

    code = "http"

    def __init__(self, message: str, status: int, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


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

    async def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        on_open: Callable[[], None],
        on_line: Callable[[bytes], None],
        connect_s: float,
        chunk_s: float,
    ) -> None:
        """GET ``url`` and hand over each line of a reply that does not mean to end.

        ``on_open`` is called at status 200, ``on_line`` with every line, blank
        ones too, without its line break. Returns when the server ends the
        reply in order. At most ``chunk_s`` pass without a byte.

        Raises:
            HttpRefused: another status than 200.
            ConnectionLost: no connection, silence, a line above
                ``LINE_BYTES_MAX``, or an end in disorder.
        """
        ...


class HttpxPort:
    """httpx over our own streams: no redirects, no ambient proxies, a bounded pool.

    Waiting for a pooled connection and being cancelled there leaks the slot
    for good (httpcore issue 1093), hence the semaphore of the pool's size.

    With ``body_bytes_max`` replies are taken as they come on the wire, and cut there:
    for servers of which only the status and the first words matter.
    """

    def __init__(
        self, net: Net, *, connections_max: int = 8, body_bytes_max: int | None = None
    ) -> None:
        self._body_bytes_max = body_bytes_max
        for name in ("httpx", "httpcore"):  # they log addresses, and those may carry keys
            logging.getLogger(name).setLevel(logging.WARNING)
        transport = httpx.AsyncHTTPTransport(trust_env=False)
        # httpx offers no parameter for the backend; the pool is replaced before first use.
        transport._pool = httpcore.AsyncConnectionPool(
            max_connections=connections_max,
            max_keepalive_connections=connections_max,
            keepalive_expiry=None,  # httpcore's own count takes the machine's clock, not the loop's
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
                if self._body_bytes_max is not None:
                    asked = {**headers, "accept-encoding": "identity"}
                    async with self._client.stream(
                        method, url, headers=asked, content=content, timeout=deadlines
                    ) as cut:
                        body = await _head_of(cut, self._body_bytes_max)
                        return HttpReply(cut.status_code, dict(cut.headers), body)
                reply = await self._client.request(
                    method, url, headers=dict(headers), content=content, timeout=deadlines
                )
            except _NOT_SENT as error:
                raise NotSent(f"{method} {_bare(url)}: {error or 'not sent'}") from error
            except httpx.RequestError as error:
                raise NoAnswer(f"{method} {_bare(url)}: {error or type(error).__name__}") from error
        return HttpReply(reply.status_code, dict(reply.headers), reply.content)

    async def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        on_open: Callable[[], None],
        on_line: Callable[[bytes], None],
        connect_s: float,
        chunk_s: float,
    ) -> None:
        """Lines of an endless reply; it holds one connection of the pool while it lasts."""
        deadlines = httpx.Timeout(connect=connect_s, read=chunk_s, write=connect_s, pool=connect_s)
        # Compression would hold lines back until a block is full.
        asked = {**headers, "accept-encoding": "identity"}
        async with self._slots:
            try:
                async with self._client.stream(
                    "GET", url, headers=asked, timeout=deadlines
                ) as reply:
                    if reply.status_code != 200:
                        message = f"{_bare(url)}: HTTP {reply.status_code}"
                        raise HttpRefused(message, reply.status_code, dict(reply.headers))
                    on_open()
                    await _read_lines(reply, on_line)
            except httpx.ReadTimeout as error:
                raise ConnectionLost(f"{_bare(url)}: nothing for {chunk_s:g} s") from error
            except httpx.RequestError as error:
                reason = str(error) or type(error).__name__
                raise ConnectionLost(f"{_bare(url)}: {reason}") from error

    async def aclose(self) -> None:
        """Close all pooled connections."""
        with trio.move_on_after(2, shield=True):
            await self._client.aclose()


def retry_after_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Seconds that a reply asks to wait for, or None where it asks for nothing readable.

    ``Retry-After`` in seconds or as a date, else ``x-rate-limit-reset`` in
    seconds since 1970. Names are in lower case; ``now_ms`` is wall time.
    """
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked[:9])
    at_s: float | None = None
    if asked:
        try:
            at_s = email.utils.parsedate_to_datetime(asked).timestamp()
        except (ValueError, OverflowError):
            at_s = None
    reset = headers.get("x-rate-limit-reset", "").strip()
    if at_s is None and reset.isascii() and reset.isdigit():
        at_s = float(reset[:12])
    return None if at_s is None else max(0.0, at_s - now_ms / 1000)


def _bare(url: str) -> str:
    """``url`` without its query, which may carry a signature."""
    return url.partition("?")[0]


async def _head_of(reply: httpx.Response, most: int) -> bytes:
    """The first ``most`` bytes of a body; the rest is never read."""
    body = bytearray()
    with trio.CancelScope() as scope:
        async for chunk in reply.aiter_raw():
            body += chunk
            if len(body) >= most:
                # As below: the generators under this loop end by being cancelled.
                scope.cancel(reason="enough of the body")
    return bytes(body[:most])


async def _read_lines(reply: httpx.Response, on_line: Callable[[bytes], None]) -> None:
    """Hand over the lines of ``reply`` until it ends or something raises."""
    lines, failure = _Lines(), None
    with trio.CancelScope() as scope:
        async for chunk in reply.aiter_bytes():
            try:
                for line in lines.feed(chunk):
                    on_line(line)
            except Exception as error:
                # Leaving the loop here would strand the generators below it: they end by being
                # cancelled.
                failure = error
                scope.cancel(reason="a line could not be taken")
    if failure is not None:
        raise failure


class _Lines:
    """Chunks into lines, each without its line break; what is unfinished waits, bounded."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Every line that ``chunk`` completes.

        Raises:
            ConnectionLost: a line does not end within ``LINE_BYTES_MAX``.
        """
        self._rest += chunk
        while (end := self._rest.find(b"\n", self._searched)) >= 0:
            line = bytes(self._rest[:end]).removesuffix(b"\r")
            del self._rest[: end + 1]
            self._searched = 0
            yield line
        self._searched = len(self._rest)
        if self._searched > LINE_BYTES_MAX:
            raise ConnectionLost(f"a line of more than {LINE_BYTES_MAX} bytes")


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
        self._used_s = trio.current_time()

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
                data = bytes(await stream.receive_some(max_bytes))
                self._used_s = trio.current_time()
                return data
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
        if info != "is_readable":
            return None
        # Asked of idle connections: one that has something to read was closed by the server.
        if trio.current_time() - self._used_s > IDLE_S_MAX:
            return True
        return isinstance(self._stream, trio.SocketStream) and _readable(
            self._stream.socket.fileno()
        )


def _readable(fd: int) -> bool:
    import select

    if fd < 0:
        return True
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
