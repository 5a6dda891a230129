"""What the venue still allows us to ask: weights and order counts, with a reserve for exits. Pure.

Every time is the venue's, in milliseconds (docs/venue.md §8). Own requests
count when they are sent; what the venue reports counts where it is more, since
neighbours on the same address use the same budget.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum

import msgspec
from msgspec import Struct

from lowcap.binance.errors import LIMITED
from lowcap.binance.wire import UNREADABLE, RateLimitRow
from lowcap.net.http import retry_after_s

SECOND_MS, MINUTE_MS = 1_000, 60_000
HANDSHAKE_WEIGHT = 5
_UNIT_MS = {"SECOND": SECOND_MS, "MINUTE": MINUTE_MS, "HOUR": 3_600_000, "DAY": 86_400_000}
_HEADERS = {
    "x-mbx-used-weight-1m": ("REQUEST_WEIGHT", MINUTE_MS),
    "x-mbx-order-count-10s": ("ORDERS", 10 * SECOND_MS),
    "x-mbx-order-count-1m": ("ORDERS", MINUTE_MS),
}
_BANNED = re.compile(r"banned until (\d{13})")
_WORDS = {"REQUEST_WEIGHT": "weight", "ORDERS": "orders"}


class Urgency(IntEnum):
    """How much of each limit, in percent, a request may use up."""

    ROUTINE = 80
    LEG = 90
    EXIT = 100


class Limit(Struct):
    """One of the venue's limits and what of it is used in the running window of its clock."""

    kind: str
    window_ms: int
    most: int
    used: int = 0
    window: int = 0

    def now_used(self, at_ms: int) -> int:
        """What is used in the window that ``at_ms`` falls into."""
        if at_ms // self.window_ms != self.window:
            self.window, self.used = at_ms // self.window_ms, 0
        return self.used

    def describe(self, used: int) -> str:
        """In words, for a refusal."""
        return f"{used} of {self.most} {_WORDS[self.kind]} in {self.window_ms // SECOND_MS} s"


class Budget:
    """All limits of one address and account, and the pauses that the venue has imposed."""

    def __init__(self) -> None:
        self.limits = [
            Limit("REQUEST_WEIGHT", MINUTE_MS, 2_400),
            Limit("ORDERS", MINUTE_MS, 1_200),
            Limit("ORDERS", 10 * SECOND_MS, 300),
        ]
        self.paused_until_ms = 0
        self.banned_until_ms = 0
        self.pauses = 0
        self._rows = msgspec.json.Decoder(list[RateLimitRow])

    # -- asking -----------------------------------------------------------

    def lack(self, urgency: Urgency, at_ms: int, *, weight: int = 0, orders: int = 0) -> str:
        """Why a request may not be made now, in words; empty where it may.

        Exits always may: a limit that they break costs less than a position
        that stays open.
        """
        if urgency is Urgency.EXIT:
            return ""
        if at_ms < self.paused_until_ms:
            wait_s = (self.paused_until_ms - at_ms + 999) // 1_000
            return f"the venue wants {wait_s} s of silence"
        for limit in self.limits:
            wanted = weight if limit.kind == "REQUEST_WEIGHT" else orders
            used = limit.now_used(at_ms)
            if wanted and (used + wanted) * 100 > limit.most * urgency:
                return limit.describe(used + wanted)
        return ""

    def may_ask(self, at_ms: int) -> bool:
        """Whether the venue has not asked for silence."""
        return at_ms >= self.paused_until_ms

    def spend(self, at_ms: int, *, weight: int = 0, orders: int = 0) -> None:
        """Count a request that is being sent."""
        for limit in self.limits:
            limit.now_used(at_ms)
            limit.used += weight if limit.kind == "REQUEST_WEIGHT" else orders

    def used(self, at_ms: int) -> dict[str, str]:
        """Every limit in words, for people."""
        return {
            f"{_WORDS[limit.kind]}-{limit.window_ms // SECOND_MS}s": (
                f"{limit.now_used(at_ms)}/{limit.most}"
            )
            for limit in self.limits
        }

    # -- listening ----------------------------------------------------------

    def learn_limits(self, raw: bytes) -> None:
        """The ``rateLimits`` of exchangeInfo: limits that differ from those we know."""
        for row in self._read(raw):
            window_ms = _UNIT_MS.get(row.interval, 0) * row.intervalNum
            if row.rateLimitType not in _WORDS or not (window_ms > 0 and row.limit > 0):
                continue
            known = self._limit(row.rateLimitType, window_ms)
            if known is None:
                self.limits.append(Limit(row.rateLimitType, window_ms, row.limit))
            else:
                known.most = row.limit

    def hear_counts(self, raw: bytes, at_ms: int) -> None:
        """The ``rateLimits`` of a WebSocket API reply."""
        for row in self._read(raw):
            window_ms = _UNIT_MS.get(row.interval, 0) * row.intervalNum
            self._report(row.rateLimitType, window_ms, row.count, at_ms)

    def hear_headers(self, headers: Mapping[str, str], at_ms: int) -> None:
        """The ``X-MBX-…`` headers of a REST reply, names in lower case; -1 says nothing."""
        for name, (kind, window_ms) in _HEADERS.items():
            text = headers.get(name, "")
            if text.isascii() and text.isdigit():
                self._report(kind, window_ms, int(text[:9]), at_ms)

    def hear_refusal(
        self, status: int, code: int, msg: str, headers: Mapping[str, str], at_ms: int
    ) -> None:
        """An error answer: 429, 418 and their codes impose silence.

        For as long as ``Retry-After`` says or a ban lasts, else until the
        next minute of the venue's clock. -1003 inside a ban names its end.
        """
        if status not in (418, 429) and code not in LIMITED:
            return
        banned = _BANNED.search(msg)
        asked_s = retry_after_s(headers, at_ms)
        if banned is not None:
            until_ms = int(banned[1])
        elif asked_s is not None:
            until_ms = at_ms + round(asked_s * SECOND_MS)
        else:
            until_ms = (at_ms // MINUTE_MS + 1) * MINUTE_MS
        self.pauses += until_ms > self.paused_until_ms
        self.paused_until_ms = max(self.paused_until_ms, until_ms)
        if status == 418 or banned is not None:
            self.banned_until_ms = max(self.banned_until_ms, until_ms)

    def _report(self, kind: str, window_ms: int, count: int, at_ms: int) -> None:
        limit = self._limit(kind, window_ms)
        if limit is not None:
            limit.used = max(limit.now_used(at_ms), count)

    def _limit(self, kind: str, window_ms: int) -> Limit | None:
        return next((x for x in self.limits if x.kind == kind and x.window_ms == window_ms), None)

    def _read(self, raw: bytes) -> list[RateLimitRow]:
        if not raw:
            return []
        try:
            return self._rows.decode(raw)
        except UNREADABLE:
            return []  # own counts go on


# (HTTP method, path) -> weight for one symbol, for all; docs/venue.md §4. The rest weigh 1.
_WEIGHTS: dict[tuple[str, str], tuple[int, int]] = {
    ("POST", "/fapi/v1/order"): (0, 0),
    ("POST", "/fapi/v1/algoOrder"): (0, 0),
    ("GET", "/fapi/v1/openOrders"): (1, 40),
    ("GET", "/fapi/v1/openAlgoOrders"): (1, 40),
    ("GET", "/fapi/v3/positionRisk"): (5, 5),
    ("GET", "/fapi/v3/balance"): (5, 5),
    ("GET", "/fapi/v1/accountConfig"): (5, 5),
    ("GET", "/fapi/v1/symbolConfig"): (5, 5),
    ("GET", "/fapi/v1/userTrades"): (5, 5),
    ("GET", "/fapi/v1/income"): (30, 30),
}
_ORDERS = frozenset({("POST", "/fapi/v1/order"), ("POST", "/fapi/v1/algoOrder")})


def rest_cost(method: str, path: str, *, one: bool) -> tuple[int, int]:
    """Weight and order count of a REST request; ``one`` where it names a symbol."""
    weight = _WEIGHTS.get((method, path), (1, 1))[0 if one else 1]
    return weight, 1 if (method, path) in _ORDERS else 0


def api_cost(method: str) -> tuple[int, int]:
    """Weight and order count of a WebSocket API request that we make; docs/venue.md §3."""
    if method in ("order.place", "algoOrder.place"):
        return 0, 1
    return (2, 0) if method.startswith("session.") else (1, 0)
