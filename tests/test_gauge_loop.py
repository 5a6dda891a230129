"""The gauges' own task: the loop's lag, a file replaced in one step, faults told and lived with."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from lowcap.gauges import LAGS_KEPT, Gauges, replace_file
from lowcap.observe.latency import Latency
from lowcap.observe.tally import Tally


def made(textfile: str = "") -> tuple[Gauges, list[str]]:
    told: list[str] = []
    gauges = Gauges(Latency(), Tally(), textfile)
    gauges.on_fault = told.append
    return gauges, told


def test_a_loop_that_was_kept_is_seen_for_a_minute() -> None:
    clock = trio.testing.MockClock()

    async def main() -> None:
        gauges, _ = made()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gauges.run)
            await trio.testing.wait_all_tasks_blocked()
            for jump_s, lag_ms in ((1.0, 0), (3.5, 2_500), (1.0, 2_500)):
                clock.jump(jump_s)
                await trio.testing.wait_all_tasks_blocked()
                assert gauges.lag_ms == pytest.approx(lag_ms)
            for _ in range(LAGS_KEPT):
                clock.jump(1.0)
                await trio.testing.wait_all_tasks_blocked()
            assert gauges.lag_ms == pytest.approx(0)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock)


def test_a_bug_in_what_only_looks_is_told_once_and_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    gauges, told = made(str(path))
    broken = True

    def text() -> bytes:
        if broken:
            raise ValueError("half of it\x1b[2J")
        return b"x 1\n"

    gauges.text = text

    async def main() -> None:
        nonlocal broken
        with trio.move_on_after(40):
            await gauges.run()
        assert not path.exists()
        assert gauges.fault
        broken = False
        with trio.move_on_after(20):
            await gauges.run()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(told) == 1
    assert told[0].startswith("a bug: ValueError: half of it")
    assert "\x1b" not in told[0]
    assert (path.read_bytes(), gauges.fault) == (b"x 1\n", "")


def test_a_file_is_as_it_was_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    replace_file(path, b"one\n")
    replace_file(path, b"two\n")
    assert path.read_bytes() == b"two\n"
    assert list(tmp_path.iterdir()) == [path]
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / ".m.prom.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        replace_file(path, b"three\n")
    assert (path.read_bytes(), victim.read_text()) == (b"two\n", "kept")
