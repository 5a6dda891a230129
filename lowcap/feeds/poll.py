"""A feed that has to be asked: Upbit's announcements, politely, and each notice once."""

from __future__ import annotations

import random

import msgspec
import trio
from msgspec import Raw, Struct

from lowcap.core.clock import Clock, now_ms
from lowcap.core.errors import ConnectionLost, NoAnswer, NotSent
from lowcap.feeds.base import NewsSession, OnChange, OnFrame
from lowcap.feeds.pace import HttpPace, Steps
from lowcap.feeds.upbit import key_of, listed_ms
from lowcap.net.http import HttpPort, HttpRefused
from lowcap.settings import Feed

TIMEOUT_S = 10.0
FRESH_MS = 60_000
SEEN_MAX = 500
POLL_SPREAD = 1.1
# The server's shield turns away what does not look like a browser (docs/feeds.md).
BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "application/json, text/plain, */*",
    "accept-language": "ko-KR,ko;q=0.9,en;q=0.8",
}


class _Page(Struct):
    notices: list[Raw]


class _Reply(Struct):
    data: _Page


_decoder = msgspec.json.Decoder(_Reply)


class PolledSession(NewsSession):
    """Asks one source for ever. The first answer only tells what there is already."""

    def __init__(
        self,
        name: str,
        feed: Feed,
        http: HttpPort,
        clock: Clock,
        on_frame: OnFrame,
        on_change: OnChange,
        chance: random.Random,
    ) -> None:
        pace = HttpPace(
            broken=Steps(first_s=feed.poll_s, longest_s=60),
            refused=Steps(first_s=feed.poll_s, longest_s=60),
            limited=Steps(first_s=60, longest_s=900),
            limits=frozenset({403, 429}),
            clock=clock,
            chance=chance,
        )
        super().__init__(name, feed, clock, on_frame, on_change, chance, pace)
        self._http = http
        self._etag = ""
        self._seen: dict[str, None] = {}  # oldest sight first

    async def _carry(self) -> None:
        is_up = False
        while True:
            notices = await self._ask()
            if not is_up:
                self._up()
                is_up = True
            self._hear()
            self._tell(notices)
            await trio.sleep(self._feed.poll_s * self._chance.uniform(1, POLL_SPREAD))

    async def _ask(self) -> list[bytes]:
        """The notices of one answer, oldest first; none where nothing has changed.

        Raises:
            ConnectionLost: no answer, or none that can be used.
        """
        headers = {**BROWSER, **({"if-none-match": self._etag} if self._etag else {})}
        sent_s = trio.current_time()
        try:
            reply = await self._http.request(
                "GET", self._feed.url, headers=headers, timeout_s=TIMEOUT_S
            )
        except (NotSent, NoAnswer) as error:
            raise ConnectionLost(error.message) from error
        self.status.round_trip_ms = (trio.current_time() - sent_s) * 1000
        if reply.status == 304:
            return []
        if reply.status != 200:
            raise HttpRefused(f"HTTP {reply.status}", reply.status, reply.headers)
        try:
            notices = [bytes(raw) for raw in _decoder.decode(reply.body).data.notices]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ConnectionLost(f"not the expected JSON: {error}") from error
        self._etag = reply.headers.get("etag", "")
        return notices[::-1]

    def _tell(self, notices: list[bytes]) -> None:
        """Hand over what has not been seen; of what was there at first only what is fresh."""
        is_first = not self._seen
        oldest_ms = now_ms(self._clock) - FRESH_MS
        for notice in notices:
            key = key_of(notice)
            is_new = key not in self._seen
            # Pinned notices are seen for years: the order is of their last sight.
            self._seen.pop(key, None)
            self._seen[key] = None
            if is_new and (not is_first or (listed_ms(notice) or 0) >= oldest_ms):
                self.status.taken_ns = self._clock.stage_ns()
                self._receive(notice)
        while len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
