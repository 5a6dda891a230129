"""The same closing asked for twice is one closing."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from lowcap.core.errors import CommandError, NoAnswer
from lowcap.execution.closing import Closed
from lowcap.execution.joined import Joined


def _flat() -> Closed:
    return Closed(flat=True, reads=2, cancelled=0, closes=1, foreign=[], took_ms=5)


async def test_who_comes_later_shares_the_end_of_the_first() -> None:
    joined, begun, go_on, ended = Joined(), [], trio.Event(), []

    async def work() -> Closed:
        begun.append(1)
        await go_on.wait()
        return _flat()

    async def ask() -> None:
        ended.append(await joined.do("panic", work))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert begun == [1]
        go_on.set()
    assert len(ended) == 30
    assert all(closed is ended[0] for closed in ended)
    go_on.set()
    await ask()
    assert begun == [1, 1], "the next one is a new one"


async def test_another_name_is_other_work() -> None:
    joined, begun = Joined(), []

    async def work() -> Closed:
        begun.append(1)
        await trio.sleep(0.01)
        return _flat()

    async with trio.open_nursery() as nursery:
        for name in ("close A", "close B", "panic"):
            nursery.start_soon(joined.do, name, work)
    assert len(begun) == 3


async def test_a_failure_is_told_to_all_and_the_next_begins_anew() -> None:
    joined, go_on, told = Joined(), trio.Event(), []

    async def fails() -> Closed:
        await go_on.wait()
        raise NoAnswer("nobody")

    async def works() -> Closed:
        await trio.lowlevel.checkpoint()
        return _flat()

    async def ask() -> None:
        with pytest.raises((NoAnswer, CommandError)) as failure:
            await joined.do("panic", fails)
        told.append(failure.type)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()
    assert told == [NoAnswer, CommandError] or told == [CommandError, NoAnswer]
    assert (await joined.do("panic", works)).flat
