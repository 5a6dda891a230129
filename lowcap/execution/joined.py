"""Work that is asked for again while it runs is not begun twice: who comes later shares its end.

A second panic beside the first would only read the venue twice as often, until
that bans this address and nothing can be closed any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from lowcap.core.errors import CommandError
from lowcap.execution.closing import Closed

Work = Callable[[], Awaitable[Closed]]


class _Run:
    """One closing that goes on, and how it ended."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.closed: Closed | None = None


class Joined:
    """Closings by name: of each name at most one goes on at a time."""

    def __init__(self) -> None:
        self._running: dict[str, _Run] = {}

    async def do(self, name: str, work: Work) -> Closed:
        """Do ``work``, or wait for the same work that goes on already.

        Raises:
            CommandError: what went on has ended without a result.
        """
        run = self._running.get(name)
        if run is not None:
            await run.done.wait()
            if run.closed is None:
                raise CommandError(
                    "the closing that was under way has failed",
                    hint="lowcapctl status",
                    code="unknown-outcome",
                )
            return run.closed
        run = self._running[name] = _Run()
        try:
            run.closed = await work()
            return run.closed
        finally:
            del self._running[name]
            run.done.set()
