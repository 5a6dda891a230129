"""What an operator asks about a feed."""

from __future__ import annotations

import statistics
from collections import deque

from msgspec import Struct, field

LATENCIES_KEPT = 200


def _latencies() -> deque[int]:
    return deque(maxlen=LATENCIES_KEPT)


class FeedStatus(Struct):
    """State and counters of a feed. Times are wall milliseconds, 0 for never.

    ``state`` is ``connecting``, ``up``, ``stale`` (connected, and no news for
    too long) or ``down``; ``why`` explains it. ``connected_ms`` is when the
    newest connection was made: news older than that was waiting for it.
    ``ended_by_us`` says whether the newest connection to end did so as planned.
    ``round_trip_ms`` is the newest ping's. ``latency_ms`` is the newest news'
    way from the sender's clock to ours, ``latencies_ms`` the last ones.
    ``taken_ns`` is the stage counter when the newest frame was taken from its
    connection, 0 where nobody has looked.
    """

    name: str
    state: str = "connecting"
    since_ms: int = 0
    connected_ms: int = 0
    last_frame_ms: int = 0
    last_news_ms: int = 0
    frames: int = 0
    news: int = 0
    faults: int = 0
    connects: int = 0
    ended_by_us: bool = False
    why: str = ""
    round_trip_ms: float | None = None
    latency_ms: int | None = None
    taken_ns: int = 0
    latencies_ms: deque[int] = field(default_factory=_latencies)

    def saw_news(self, time_ms: int | None, received_ms: int) -> None:
        """Count a news item that its sender stamped ``time_ms`` and that came at ``received_ms``.

        One stamped before the connection was made says nothing about the way.
        """
        self.news += 1
        self.last_news_ms = received_ms
        if time_ms is not None and time_ms >= self.connected_ms:
            self.latency_ms = received_ms - time_ms
            self.latencies_ms.append(self.latency_ms)

    @property
    def latency_median_ms(self) -> float | None:
        """The median of the last latencies, None before the first."""
        return statistics.median(self.latencies_ms) if self.latencies_ms else None
