"""A feed that is one endless HTTP reply: X's filtered stream."""

from __future__ import annotations

import random
from collections.abc import Mapping

from lowcap.core.clock import Clock
from lowcap.feeds.base import NewsSession, OnChange, OnFrame
from lowcap.feeds.keys import hiding, read_key, scrubbed
from lowcap.feeds.pace import HttpPace, Steps
from lowcap.net.http import HttpPort
from lowcap.settings import Feed

CONNECT_S = 10.0
# The server's blank line may be this much later than the ``idle_s`` that it promises.
GRACE_S = 2.0


class StreamSession(NewsSession):
    """Keeps one filtered stream open for ever. The rules that filter it are set elsewhere."""

    def __init__(
        self,
        name: str,
        feed: Feed,
        http: HttpPort,
        clock: Clock,
        on_frame: OnFrame,
        on_change: OnChange,
        chance: random.Random,
        environ: Mapping[str, str],
    ) -> None:
        pace = HttpPace(
            broken=Steps(first_s=0.25, longest_s=16, linear=True),
            refused=Steps(first_s=5, longest_s=320),
            limited=Steps(first_s=60, longest_s=900),
            limits=frozenset({429}),
            clock=clock,
            chance=chance,
        )
        super().__init__(name, feed, clock, on_frame, on_change, chance, pace)
        self._http = http
        self._environ = environ

    async def _carry(self) -> None:
        feed = self._feed
        key = read_key(self.status.name, feed.auth, feed.key_file, feed.key_env, self._environ)
        shown = key.encode()

        def receive(line: bytes) -> None:
            self.status.taken_ns = self._clock.stage_ns()
            self._receive(scrubbed(line, shown))

        with hiding(key):
            await self._http.stream(
                feed.url,
                headers={"authorization": f"Bearer {key}"} if key else {},
                on_open=self._up,
                on_line=receive,
                connect_s=CONNECT_S,
                chunk_s=feed.idle_s + GRACE_S,
            )
