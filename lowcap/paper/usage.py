"""Request weight and order counts, as the venue reports them with its replies (§8)."""

from __future__ import annotations

from typing import Any

WEIGHT_PER_MINUTE = 2_400
ORDERS_PER_10S = 300
ORDERS_PER_MINUTE = 1_200
HANDSHAKE_WEIGHT = 5
# Placing counts on both order limits and weighs nothing.
COUNTED = frozenset({"order.place", "algoOrder.place"})


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
    """What the one client address and account have used; reported, never enforced."""

    def __init__(self) -> None:
        self.weight = Counter(60_000)
        self.orders_10s = Counter(10_000)
        self.orders_minute = Counter(60_000)

    def count(self, method: str, weight: int, now_ms: int) -> None:
        """Count one request, refused ones too."""
        self.weight.add(weight, now_ms)
        if method in COUNTED:
            self.orders_10s.add(1, now_ms)
            self.orders_minute.add(1, now_ms)

    def headers(self, method: str, now_ms: int) -> dict[str, str]:
        """The X-MBX headers of a REST reply."""
        headers = {"x-mbx-used-weight-1m": str(self.weight.used(now_ms))}
        if method in COUNTED:
            headers["x-mbx-order-count-10s"] = str(self.orders_10s.used(now_ms))
            headers["x-mbx-order-count-1m"] = str(self.orders_minute.used(now_ms))
        return headers

    def rate_limits(self, method: str, now_ms: int) -> list[dict[str, Any]]:
        """The rateLimits of a WebSocket API reply."""
        rows = [("REQUEST_WEIGHT", "MINUTE", 1, WEIGHT_PER_MINUTE, self.weight)]
        if method in COUNTED:
            rows += [
                ("ORDERS", "SECOND", 10, ORDERS_PER_10S, self.orders_10s),
                ("ORDERS", "MINUTE", 1, ORDERS_PER_MINUTE, self.orders_minute),
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
