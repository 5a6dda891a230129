"""A client of the feed server: a byte stream that can be held or cut, and counted frames."""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable

import trio
from msgspec import Struct

from lowcap.core.errors import NotSent

_TEXT_FRAME = b"\x81"  # the first byte of a whole text frame (RFC 6455 §5.2)
GOING_AWAY = b"\x88\x02\x03\xe9"  # a close frame with code 1001
_NO_LINGER = struct.pack("ii", 1, 0)


class Counts(Struct):
    """What became of a feed's frames, a client at a time.

    ``sent`` have left for the client. ``dropped`` have not, since it did not
    read, or since the connection ended before their turn. ``withheld`` were
    kept back by a fault or for want of a login. ``answers`` have left beside
    the news: pongs, login answers, welcomes, keep-alives. Of a feed that is
    asked, ``connects`` are requests and ``sent`` replies with status 200.
    """

    connects: int = 0
    sent: int = 0
    answers: int = 0
    dropped: int = 0
    withheld: int = 0


class FeedLine(trio.abc.Stream):
    """A stream that stands still while it is held, and knows when a text frame has left."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._held_until_s = 0.0
        self._changed = trio.Event()
        self._turn = trio.Lock()
        self.on_text: Callable[[], None] = lambda: None

    @property
    def is_held(self) -> bool:
        """Whether nothing is read or written at the moment."""
        return trio.current_time() < self._held_until_s

    def hold(self, seconds: float) -> None:
        """Read and write nothing for so long; the connection stays open."""
        self._held_until_s = trio.current_time() + seconds

    async def abort(self) -> None:
        """End the connection at once, without a word: a reset where it is a socket."""
        self._held_until_s = 0.0
        self._changed.set()
        under = self._stream
        if isinstance(under, trio.SSLStream):
            under = under.transport_stream
        if isinstance(under, trio.SocketStream) and under.socket.fileno() >= 0:
            under.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        await trio.aclose_forcefully(under)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Bytes from the client, once the line is not held."""
        data = bytes(await self._stream.receive_some(max_bytes))
        if self.is_held:
            await self._until_released()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, once the line is not held; a text frame is reported when it has left."""
        if self.is_held:
            await self._until_released()
        try:
            self._turn.acquire_nowait()  # no checkpoint on the way of a frame
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            await self._stream.send_all(data)
        finally:
            self._turn.release()
        if data[:1] == _TEXT_FRAME:
            self.on_text()

    async def _until_released(self) -> None:
        while (left_s := self._held_until_s - trio.current_time()) > 0:
            with trio.move_on_after(left_s):
                await self._changed.wait()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the stream below could take more."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below."""
        await self._stream.aclose()


class Client:
    """Someone who listens to a feed.

    ``put`` takes a frame without waiting, or raises NotSent. ``finish`` ends a
    stream of lines after what was put; a WebSocket has none.
    """

    def __init__(
        self,
        feed: str,
        line: FeedLine,
        counts: Counts,
        put: Callable[[bytes], object],
        finish: Callable[[], None] | None = None,
    ) -> None:
        self.feed = feed
        self.line = line
        self.finish = finish
        self.hears_news = True
        self.gone = trio.Event()
        self._counts = counts
        self._put = put
        self._waiting: deque[bool] = deque()  # of each frame: is it news?
        counts.connects += 1

    @property
    def waiting(self) -> int:
        """How many frames have been handed over and not yet left."""
        return len(self._waiting)

    def give(self, frame: bytes, *, news: bool) -> bool:
        """Queue a frame; whether there was room for it."""
        try:
            self._put(frame)
        except NotSent:
            self._counts.dropped += news
            return False
        self._waiting.append(news)
        return True

    def gone_out(self) -> None:
        """The oldest waiting frame has left."""
        if not self._waiting:
            return  # the connection was given up meanwhile, and the frame with it
        if self._waiting.popleft():
            self._counts.sent += 1
        else:
            self._counts.answers += 1

    def end(self) -> None:
        """The connection is over: what still waited is dropped."""
        self.gone.set()
        self._counts.dropped += sum(self._waiting)
        self._waiting.clear()
