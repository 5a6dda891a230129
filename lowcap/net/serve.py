"""One listening port that answers HTTP requests and WebSocket upgrades, for the simulators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import h11
import trio
from msgspec import Struct

from lowcap.net.http import HttpReply

_REASONS = {
    200: b"OK",
    304: b"Not Modified",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    422: b"Unprocessable Content",
    426: b"Upgrade Required",
    429: b"Too Many Requests",
    503: b"Service Unavailable",
}
SendBytes = Callable[[bytes], Awaitable[None]]


class HttpRequest(Struct, frozen=True):
    """A request as received. ``query`` and ``body`` are raw, since signatures cover raw bytes."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class HttpStream(Struct, frozen=True):
    """A reply with status 200 in chunks: ``body`` sends one at a time and returns at the end.

    It is cancelled when the client leaves. The connection ends with the reply.
    """

    headers: dict[str, str]
    body: Callable[[SendBytes], Awaitable[None]]


HttpHandler = Callable[[HttpRequest], Awaitable[HttpReply | HttpStream | None]]
UpgradeHandler = Callable[[trio.abc.Stream], Awaitable[None]]


async def serve_stream(
    stream: trio.abc.Stream,
    on_http: HttpHandler,
    on_upgrade: UpgradeHandler,
    *,
    admit: Callable[[HttpRequest], HttpReply | None] = lambda request: None,
) -> None:
    """Serve one connection: requests in turn, or a WebSocket when the first asks for it.

    A handler that returns None drops the connection without an answer, which
    is how a fault script loses a reply. ``admit`` sees each request for a
    WebSocket and may answer it with a reply of HTTP instead.
    """
    connection = h11.Connection(h11.SERVER)
    seen = bytearray()
    try:
        while True:
            request = await _next_request(stream, connection, seen)
            if request is None:
                return
            reply: HttpReply | HttpStream | None
            if request.headers.get("upgrade", "").lower() == "websocket":
                reply = admit(request)
                if reply is None:
                    await on_upgrade(_Replayed(stream, bytes(seen)))
                else:
                    await _answer(stream, connection, reply)
                return
            reply = await on_http(request)
            if reply is None:
                return
            if isinstance(reply, HttpStream):
                await _answer_in_chunks(stream, connection, reply)
                return
            await _answer(stream, connection, reply)
            if connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()
            seen.clear()
    except (h11.ProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
        return  # the client broke off or does not speak HTTP; there is nobody to tell
    finally:
        await trio.aclose_forcefully(stream)


async def _next_request(
    stream: trio.abc.Stream, connection: h11.Connection, seen: bytearray
) -> HttpRequest | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = bytes(await stream.receive_some(65_536))
            if head is None:
                seen += data
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
            headers = {k.decode().lower(): v.decode() for k, v in event.headers}
            if headers.get("upgrade", "").lower() == "websocket":
                return _request(head, headers, b"")
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {k.decode().lower(): v.decode() for k, v in head.headers}
            return _request(head, headers, bytes(body))
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            return None


def _request(head: h11.Request, headers: dict[str, str], body: bytes) -> HttpRequest:
    target = urlsplit(head.target.decode())
    return HttpRequest(head.method.decode(), target.path, target.query, headers, body)


async def _answer(stream: trio.abc.Stream, connection: h11.Connection, reply: HttpReply) -> None:
    headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
    if reply.status != 304:  # that has no body; a length would speak of the one it spares
        headers.append((b"content-length", str(len(reply.body)).encode()))
    head = h11.Response(
        status_code=reply.status, headers=headers, reason=_REASONS.get(reply.status, b"")
    )
    data = connection.send(head) or b""
    data += connection.send(h11.Data(data=reply.body)) or b""
    data += connection.send(h11.EndOfMessage()) or b""
    await stream.send_all(data)


async def _answer_in_chunks(
    stream: trio.abc.Stream, connection: h11.Connection, reply: HttpStream
) -> None:
    async def send(chunk: bytes) -> None:
        await stream.send_all(connection.send(h11.Data(data=chunk)) or b"")

    headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
    headers += [(b"transfer-encoding", b"chunked"), (b"connection", b"close")]
    head = h11.Response(status_code=200, headers=headers, reason=_REASONS[200])
    await stream.send_all(connection.send(head) or b"")
    complete = False
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, stream, nursery.cancel_scope)
            await reply.body(send)
            complete = True
            nursery.cancel_scope.cancel(reason="the body is complete")
    except* (trio.BrokenResourceError, trio.ClosedResourceError):
        complete = False  # the client broke off; there is nobody to tell
    if complete:
        await stream.send_all(connection.send(h11.EndOfMessage()) or b"")


async def _until_gone(stream: trio.abc.Stream, body: trio.CancelScope) -> None:
    """Cancel the body when the client hangs up; what it says meanwhile is no request."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while await stream.receive_some(65_536):
            pass
    body.cancel(reason="the client has left")


class _Replayed(trio.abc.Stream):
    """A stream whose first bytes have been read already and are given out again."""

    def __init__(self, stream: trio.abc.Stream, first: bytes) -> None:
        self._stream = stream
        self._first = first

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._first:
            await trio.lowlevel.checkpoint()
            first, self._first = self._first, b""
            return first
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
