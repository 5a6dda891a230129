"""Request weight and order counts, as the venue reports them with its replies (§8)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from lowcap.paper.state import VenueError

HANDSHAKE_WEIGHT = 5
# What counts on the order limits of ten seconds and of a minute (§4).
COUNTED = {
    "order.place": (1, 1),
    "order.modify": (1, 1),
    "algoOrder.place": (1, 1),
    "order.placeMany": (5, 1),
    "order.modifyMany": (5, 1),
}
# Whoever goes on after this many refusals is banned, each time for twice as long.
REFUSALS_BEFORE_BAN = 50
BAN_MS = 120_000
BAN_MS_MAX = 3 * 86_400_000


class Limits(Struct, frozen=True, kw_only=True):
    """What the venue allows one address and account; exchangeInfo tells it."""

    weight_per_min: int = 2_400
    orders_per_10s: int = 300
    orders_per_min: int = 1_200

    def times(self, factor: int) -> Limits:
        """So many times as much."""
        return Limits(
            weight_per_min=self.weight_per_min * factor,
            orders_per_10s=self.orders_per_10s * factor,
            orders_per_min=self.orders_per_min * factor,
        )


class Counter:
    """A sum that starts afresh with every window of the UTC clock."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._window = 0
        self._used = 0

    def add(self, amount: int, now_ms: int) -> None:
        """Count ``amount`` in the running window."""
        self._used = self.used(now_ms) + amount

    def used(self, now_ms: int) -> int:
        """The sum since the window began."""
        if now_ms // self._window_ms != self._window:
            self._window, self._used = now_ms // self._window_ms, 0
        return self._used


class Usage:
    """What the one client address and account have used, and the end of the venue's patience."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.weight = Counter(60_000)
        self.orders_10s = Counter(10_000)
        self.orders_minute = Counter(60_000)
        self._refusals = Counter(60_000)
        self._banned_until_ms = 0
        self._ban_ms = BAN_MS

    def handshake(self, now_ms: int) -> None:
        """Count the opening of a WebSocket API connection."""
        self.weight.add(HANDSHAKE_WEIGHT, now_ms)

    def count(self, method: str, weight: int, now_ms: int) -> None:
        """Count one request, whatever becomes of it.

        Raises:
            VenueError: 429 beyond a limit (-1003 for weight, -1015 for
                orders), 418 while banned (§8).
        """
        if now_ms < self._banned_until_ms:
            raise self._ban()
        in_10s, in_minute = COUNTED.get(method, (0, 0))
        self.weight.add(weight, now_ms)
        self.orders_10s.add(in_10s, now_ms)
        self.orders_minute.add(in_minute, now_ms)
        most = self.limits
        if self.weight.used(now_ms) > most.weight_per_min:
            self._refuse(now_ms)
        if in_10s and self.orders_10s.used(now_ms) > most.orders_per_10s:
            raise _too_many_orders(f"{most.orders_per_10s} orders per TEN_SECONDS")
        if in_minute and self.orders_minute.used(now_ms) > most.orders_per_min:
            raise _too_many_orders(f"{most.orders_per_min} orders per MINUTE")

    def _refuse(self, now_ms: int) -> None:
        self._refusals.add(1, now_ms)
        if self._refusals.used(now_ms) > REFUSALS_BEFORE_BAN:
            self._banned_until_ms = now_ms + self._ban_ms
            self._ban_ms = min(self._ban_ms * 2, BAN_MS_MAX)
            raise self._ban()
        raise VenueError(
            -1003,
            f"Too many requests; current limit is {self.limits.weight_per_min} request weight "
            "per 1 MINUTE. Please use the websocket for live updates to avoid polling the API.",
            status=429,
        )

    def _ban(self) -> VenueError:
        return VenueError(
            -1003,
            f"Way too many requests; IP banned until {self._banned_until_ms}. "
            "Please use the websocket for live updates to avoid bans.",
            status=418,
        )

    def headers(self, method: str, now_ms: int) -> dict[str, str]:
        """The X-MBX headers of a REST reply."""
        headers = {"x-mbx-used-weight-1m": str(self.weight.used(now_ms))}
        if method in COUNTED:
            headers["x-mbx-order-count-10s"] = str(self.orders_10s.used(now_ms))
            headers["x-mbx-order-count-1m"] = str(self.orders_minute.used(now_ms))
        return headers

    def rate_limits(self, method: str, now_ms: int) -> list[dict[str, Any]]:
        """The rateLimits of a WebSocket API reply."""
        rows = [("REQUEST_WEIGHT", "MINUTE", 1, self.limits.weight_per_min, self.weight)]
        if method in COUNTED:
            rows += [
                ("ORDERS", "SECOND", 10, self.limits.orders_per_10s, self.orders_10s),
                ("ORDERS", "MINUTE", 1, self.limits.orders_per_min, self.orders_minute),
            ]
        return [
            {
                "rateLimitType": kind,
                "interval": interval,
                "intervalNum": number,
                "limit": limit,
                "count": counter.used(now_ms),
            }
            for kind, interval, number, limit, counter in rows
        ]


def _too_many_orders(limit: str) -> VenueError:
    return VenueError(-1015, f"Too many new orders; current limit is {limit}.", status=429)
