"""The fault script: what the simulator is told to do wrong, to put clients to the test."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct, field

# A fixed delay, or a low and a high end.
DelayMs = Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1, max_length=2)]


class Faults(Struct, kw_only=True, forbid_unknown_fields=True):
    """Replaced as a whole by ``POST /sim/faults``. Keys are WebSocket API method names.

    ``reply_delay_ms`` holds a fixed delay or a [low, high] range. Replies are
    delayed *after* the request took effect; ``request_delay_ms`` holds the
    request back before it does. ``lose_replies`` and ``lose_requests`` count
    down. ``fill_share`` lets entries of a symbol execute only in part.
    ``mute_user_stream`` keeps events from every private connection.
    """

    reply_delay_ms: dict[str, DelayMs] = field(default_factory=dict)
    request_delay_ms: dict[str, DelayMs] = field(default_factory=dict)
    lose_replies: dict[str, int] = field(default_factory=dict)
    lose_requests: dict[str, int] = field(default_factory=dict)
    refuse: dict[str, int] = field(default_factory=dict)
    fill_share: dict[str, Decimal] = field(default_factory=dict)
    mute_user_stream: bool = False

    def take(self, counts: dict[str, int], method: str) -> bool:
        """Whether a countdown of ``method`` is running; it loses one."""
        left = counts.get(method, 0)
        if left > 0:
            counts[method] = left - 1
        return left > 0
