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


class Pace:
    """Counts failures in a row and says how long to wait after each."""

    def __init__(self, back_off: BackOff, chance: random.Random) -> None:
        self._back_off = back_off
        self._chance = chance
        self._failures = 0

    def wait_s(self, lost: ConnectionLost, lasted_s: float) -> float:
        """Seconds until the next attempt, after a connection that lasted ``lasted_s``.

        One that lasted ``healthy_after_s`` starts the back-off afresh, and the
        first retry after it comes at once.
        """
        back_off = self._back_off
        if lasted_s >= back_off.healthy_after_s:
            self._failures = 0
        wait_s = 0.0
        if self._failures:
            wait_s = min(
                back_off.first_s * back_off.factor ** (self._failures - 1), back_off.longest_s
            ) * self._chance.uniform(0.75, 1.25)
        # A power grows for ever, and a float does not: a month without a server is no error.
        self._failures = min(self._failures + 1, 60)
        return wait_s


async def stay_connected(
    connect: Callable[[], Awaitable[None]],
    on_lost: Callable[[str, float], None],
    *,
    back_off: BackOff,
    chance: random.Random,
) -> None:
    """Call ``connect`` for ever; it returns or raises ConnectionLost when a connection ends.

    ``on_lost`` hears the reason and the seconds until the next attempt, as
    ``Pace`` has it.
    """
    pace = Pace(back_off, chance)
    while True:
        started_s = trio.current_time()
        lost = ConnectionLost("closed")
        try:
            await connect()
        except ConnectionLost as error:
            lost = error
        wait_s = pace.wait_s(lost, trio.current_time() - started_s)
        on_lost(lost.message, wait_s)
        await trio.sleep(wait_s)
