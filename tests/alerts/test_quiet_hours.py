"""Quiet hours over midnight, in zones, on the days that clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.alerts.quiet import HOUR_MS, Moment, Quiet, parse_moment, parse_quiet


def ms(text: str, zone: str = "UTC", fold: int = 0) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(moment.timestamp() * 1000)


def quiet(text: str) -> Quiet:
    found = parse_quiet(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-02-06 21:59:59", False),
        ("2026-02-06 22:00:00", True),
        ("2026-02-07 00:00:00", True),
        ("2026-02-07 06:59:59", True),
        ("2026-02-07 07:00:00", False),
        ("2026-02-07 12:00:00", False),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])
def test_hours_over_midnight_are_those_of_the_zone(at: str, holds: bool, zone: str) -> None:
    assert quiet(f"22:00-07:00 {zone}").holds(ms(at, zone)) is holds


def test_without_a_zone_it_is_utc_and_hours_of_one_day_need_no_midnight() -> None:
    lunch = quiet("12:00-13:30")
    assert [lunch.holds(ms(f"2026-02-06 {at}")) for at in ("11:59", "12:00", "13:29", "13:30")] == [
        False, True, True, False,
    ]  # fmt: skip
    # 22:00 in Berlin is 21:00 UTC in winter and 20:00 in summer.
    night = quiet("22:00-07:00 Europe/Berlin")
    assert night.holds(ms("2026-01-10 21:00"))
    assert not night.holds(ms("2026-01-10 20:30"))
    assert night.holds(ms("2026-07-10 20:30"))


def test_on_the_night_of_the_clock_change_it_ends_when_the_clock_on_the_wall_says_so() -> None:
    night = quiet("22:00-02:30 Europe/Berlin")
    # Spring 2026: 02:00 becomes 03:00, so that 02:30 is skipped.
    assert night.holds(ms("2026-03-29 01:59", "Europe/Berlin"))
    assert not night.holds(ms("2026-03-29 03:00", "Europe/Berlin"))
    # Autumn: 02:15 comes twice, and so does the quiet before 02:30.
    for fold in (0, 1):
        assert night.holds(ms("2026-10-25 02:15", "Europe/Berlin", fold))
        assert not night.holds(ms("2026-10-25 02:45", "Europe/Berlin", fold))


_ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
_MINUTES = st.integers(0, 24 * 60 - 1)
_TIMES = st.integers(ms("2025-01-01"), ms("2027-12-31"))


@given(_MINUTES, _MINUTES, _ZONES, _TIMES)
def test_whoever_waits_for_the_end_is_never_late_by_more_than_an_hour(
    start: int, end: int, zone: str, at_ms: int
) -> None:
    hours = Quiet(Moment(start, zone), Moment(end, zone))
    looked = at_ms
    for _ in range(27):
        if not hours.holds(looked):
            break
        after = hours.end_ms(looked)
        assert looked < after <= looked + HOUR_MS
        looked = after
    else:
        pytest.fail("it never ends") if start != end else None
    before_ms = looked - 60_000
    if looked > at_ms and zone == "UTC" and before_ms > at_ms:
        assert hours.holds(before_ms), "looked too late"


@given(_MINUTES, _ZONES, _TIMES)
def test_the_daily_moment_comes_every_day(minute: int, zone: str, at_ms: int) -> None:
    moment = Moment(minute, zone)
    first = moment.next_ms(at_ms)
    second = moment.next_ms(first)
    assert at_ms < first <= at_ms + 26 * HOUR_MS
    # A minute that a clock set back repeats may come twice that day.
    assert first < second <= first + 26 * HOUR_MS


def test_the_daily_moment_is_one_of_the_wall() -> None:
    moment = parse_moment("21:00 America/New_York")
    assert moment is not None
    at = datetime.fromtimestamp(moment.next_ms(ms("2026-07-01 12:00")) / 1000, UTC)
    assert at == datetime(2026, 7, 2, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["22-7", "22:00", "22:00-24:00", "22:00-22:00", "22:00-07:00 Mars/Base", "22:00-07:00 ../etc",
     "22:00-07:00  UTC", "22:00-07:00 UTC x", "\N{ARABIC-INDIC DIGIT TWO}2:00-07:00"],
)  # fmt: skip
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected hours|no time zone"):
        parse_quiet(text)


@pytest.mark.parametrize("text", ["9:00", "25:00", "21:00 Nowhere", "noon"])
def test_moments_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a time|no time zone"):
        parse_moment(text)


def test_nothing_given_is_never_quiet() -> None:
    assert parse_quiet("") is None
    assert parse_moment("") is None
