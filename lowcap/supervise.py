"""Our Trio tools: nurseries that outlive their body, and supervision."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum

import trio


@asynccontextmanager
async def open_service_nursery() -> AsyncIterator[trio.Nursery]:
    """A nursery whose children live until the body has been left, even when it is cancelled.

    A plain nursery cancels its children together with its body. Services that
    the body still needs while it cleans up (the user stream of a desk that
    settles orders) must die only after it.
    """
    async with trio.open_nursery() as outer:
        inner_ready = trio.Event()
        body_left = trio.Event()
        services: list[trio.Nursery] = []

        async def host() -> None:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as inner:
                    services.append(inner)
                    inner_ready.set()
                    await body_left.wait()
                    inner.cancel_scope.cancel(reason="the body has been left")

        outer.start_soon(host)
        with trio.CancelScope(shield=True):
            await inner_ready.wait()
        try:
            yield services[0]
        finally:
            body_left.set()


class Health(StrEnum):
    """State of a supervised child, in supervisord's words."""

    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    FATAL = "fatal"


async def supervise(
    name: str,
    child: Callable[[], Awaitable[None]],
    on_change: Callable[[str, Health, str], None],
    *,
    bugs_max: int = 3,
    bugs_within_s: float = 300,
    restart_after_s: float = 1,
) -> None:
    """Run ``child`` for ever; a bug restarts it, ``bugs_max`` of them in the window end it.

    Only programming errors come here: lost connections are the child's own
    business. The supervisor returns when the child is FATAL, so that its
    siblings live on.
    """
    bugs: deque[float] = deque()
    while True:
        fault = ""
        try:
            on_change(name, Health.RUNNING, "")
            await child()
            return
        except* Exception as group:
            # Everything but cancellation: it is named, counted and shown, never dropped.
            fault = _leaf_words(group)
        now_s = trio.current_time()
        bugs.append(now_s)
        while bugs[0] < now_s - bugs_within_s:
            bugs.popleft()
        if len(bugs) >= bugs_max:
            on_change(name, Health.FATAL, fault)
            return
        on_change(name, Health.BACKOFF, fault)
        await trio.sleep(restart_after_s)


def _leaf_words(group: BaseExceptionGroup[BaseException]) -> str:
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    frame = leaf.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" ({frame.tb_frame.f_code.co_name}:{frame.tb_lineno})" if frame is not None else ""
    return f"{type(leaf).__name__}: {leaf}{place}"
