"""Times of day in a time zone: quiet hours, and the moment of the daily summary. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

_TIME = r"([01]\d|2[0-3]):([0-5]\d)"
_HOURS = re.compile(rf"{_TIME}-{_TIME}(?: (\S{{1,60}}))?", re.ASCII)
_MOMENT = re.compile(rf"{_TIME}(?: (\S{{1,60}}))?", re.ASCII)
HOUR_MS = 3_600_000


class Moment(Struct, frozen=True):
    """A minute of every day in ``zone``."""

    minute: int
    zone: str

    def next_ms(self, at_ms: int) -> int:
        """Wall time of the next such minute after ``at_ms``, in milliseconds."""
        zone = ZoneInfo(self.zone)
        today = datetime.fromtimestamp(at_ms / 1000, zone).date()
        candidates = []
        for days in (-1, 0, 1, 2):
            day = today + timedelta(days=days)
            hour, minute = divmod(self.minute, 60)
            for fold in (0, 1):  # the hour that a clock set back repeats
                when = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold)
                candidates.append(round(when.timestamp() * 1000))
        return min(ms for ms in candidates if ms > at_ms)


class Quiet(Struct, frozen=True):
    """Hours of every day, ``start`` to before ``end``, over midnight where the end comes first."""

    start: Moment
    end: Moment

    def holds(self, at_ms: int) -> bool:
        """Whether it is quiet at this wall time in milliseconds."""
        moment = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(self.start.zone))
        minute = moment.hour * 60 + moment.minute
        if self.start.minute < self.end.minute:
            return self.start.minute <= minute < self.end.minute
        return minute >= self.start.minute or minute < self.end.minute

    def end_ms(self, at_ms: int) -> int:
        """When to look again whether it is over, in milliseconds."""
        return min(self.end.next_ms(at_ms), at_ms + HOUR_MS)


def parse_quiet(text: str) -> Quiet | None:
    """The hours of a text like ``22:00-07:00 Europe/Berlin``; None for an empty one.

    Raises:
        ValueError: it is none, or names no known zone.
    """
    if not text:
        return None
    found = _HOURS.fullmatch(text)
    if found is None or found.group(1, 2) == found.group(3, 4):
        raise ValueError("expected hours like 22:00-07:00 Europe/Berlin (UTC where none is named)")
    zone = _zone(found[5])
    numbers = [int(group) for group in found.groups()[:4]]
    return Quiet(
        Moment(numbers[0] * 60 + numbers[1], zone), Moment(numbers[2] * 60 + numbers[3], zone)
    )


def parse_moment(text: str) -> Moment | None:
    """The minute of a text like ``21:00 Europe/Berlin``; None for an empty one.

    Raises:
        ValueError: it is none, or names no known zone.
    """
    if not text:
        return None
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("expected a time like 21:00 Europe/Berlin (UTC where none is named)")
    return Moment(int(found[1]) * 60 + int(found[2]), _zone(found[3]))


def _zone(name: str | None) -> str:
    if name is None:
        return "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone {name!r}; one is Europe/Berlin") from None
    return name
