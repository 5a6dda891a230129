"""Staying connected: a session that reconnects with back-off until it is cancelled."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import trio
from msgspec import Struct

from lowcap.core.errors import ConnectionLost


class BackOff(Struct, frozen=True, kw_only=True):
    """How long to wait between attempts, in seconds. The first retry comes at once."""

    first_s: float = 0.5
    factor: float = 2.0
    longest_s: float = 30.0
    healthy_after_s: float = 10.0


async def stay_connected(
    connect: Callable[[], Awaitable[None]],
    on_lost: Callable[[str, float], None],
    *,
    back_off: BackOff,
    chance: random.Random,
) -> None:
    """Call ``connect`` for ever; it returns or raises ConnectionLost when a connection ends.

    ``on_lost`` hears the reason and the seconds until the next attempt. A
    connection that lasted ``healthy_after_s`` starts the back-off afresh, and
    the first retry after it comes at once.
    """
    failures = 0
    while True:
        started_s = trio.current_time()
        reason = "closed"
        try:
            await connect()
        except ConnectionLost as lost:
            reason = lost.message
        if trio.current_time() - started_s >= back_off.healthy_after_s:
            failures = 0
        wait_s = 0.0
        if failures:
            wait_s = min(
                back_off.first_s * back_off.factor ** (failures - 1), back_off.longest_s
            ) * chance.uniform(0.75, 1.25)
        failures += 1
        on_lost(reason, wait_s)
        await trio.sleep(wait_s)
