"""Clocks: wall time that can be shifted or follow virtual time."""

from __future__ import annotations

import time

import pytest
import trio
import trio.testing

from lowcap.core.clock import LoopClock, SystemClock, iso_ms, iso_to_ms, parse_as_of, utc_day


def test_as_of_shifts_the_wall_clock_only() -> None:
    shift = parse_as_of("2026-02-06T13:29:50Z")
    clock = SystemClock(shift)
    assert abs(clock.now_ns() - 1_770_384_590 * 10**9) < 10**9
    first = clock.stage_ns()
    assert clock.stage_ns() >= first


def test_as_of_with_an_anchor_is_shared_between_processes() -> None:
    anchor = time.time() - 10
    one = parse_as_of(f"2026-02-06T13:29:50Z@{anchor}")
    two = parse_as_of(f"2026-02-06T13:29:50Z@{anchor}")
    assert one == two
    assert abs(SystemClock(one).now_ns() - 1_770_384_600 * 10**9) < 10**9


@pytest.mark.parametrize("text", ["2026-02-06T13:29:50", "yesterday", "", "12:00Z"])
def test_as_of_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse_as_of(text)


def test_loop_clock_follows_virtual_time() -> None:
    clock = LoopClock(1_770_384_590 * 10**9)

    async def main() -> tuple[int, int]:
        start = clock.now_ns()
        await trio.sleep(3600)
        return start, clock.now_ns()

    start, end = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert end - start == 3600 * 10**9


def test_iso_round_trip() -> None:
    assert iso_ms(1_770_384_590_123) == "2026-02-06T13:29:50.123Z"
    assert iso_to_ms("2026-02-06T13:29:50.123Z") == 1_770_384_590_123
    assert iso_to_ms("2026-02-06T13:29:50") is None
    assert iso_to_ms("soon") is None
    assert utc_day(1_770_384_590_123 * 10**6) == "2026-02-06"
