"""Minutes of a New York weekday in which a connection is not given up without need."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

NEW_YORK = ZoneInfo("America/New_York")
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
SATURDAY = 5


class Window(Struct, frozen=True):
    """``start_s`` to before ``end_s``, in seconds of a New York day, Monday to Friday."""

    start_s: int
    end_s: int

    def left_s(self, at_ms: int) -> float:
        """Seconds until the window is over, 0 outside of it. ``at_ms`` is wall time."""
        moment = datetime.fromtimestamp(at_ms / 1000, NEW_YORK)
        of_day_s = moment.hour * 3_600 + moment.minute * 60 + moment.second
        if moment.weekday() >= SATURDAY or not self.start_s <= of_day_s < self.end_s:
            return 0.0
        return self.end_s - of_day_s - moment.microsecond / 1e6


def parse_window(text: str) -> Window:
    """The window of a text like ``08:25-08:36``; an empty one never holds.

    Raises:
        ValueError: the text is none, or ends before it starts.
    """
    if not text:
        return Window(0, 0)
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError("expected New York times like 08:25-08:36")
    hour, minute, end_hour, end_minute = map(int, found.groups())
    window = Window(hour * 3_600 + minute * 60, end_hour * 3_600 + end_minute * 60)
    if window.start_s >= window.end_s:
        raise ValueError("expected a start before the end, on one day")
    return window
