"""Moments as operators type them: so long ago, a time of today, a time with its day."""

from __future__ import annotations

from datetime import UTC, datetime

from lowcap.control.commands import parse_duration_s
from lowcap.core.clock import iso_to_ms
from lowcap.core.errors import CommandError
from lowcap.core.plain import plain

MS_PER_DAY = 86_400_000
FORMS = "10m, 2h, 13:30, 13:30:05 or 2026-02-06T13:30:00Z"


def moment_ms(name: str, text: str, now_ms: int) -> int:
    """``10m`` (ago), ``13:30`` (the newest, UTC) or an ISO time in wall milliseconds.

    A day without a time is its beginning; what names no zone is UTC.

    Raises:
        CommandError: it is none of them; ``name`` says what was given.
    """
    try:
        return now_ms - parse_duration_s(text) * 1000
    except ValueError:
        pass  # not so long ago, then a moment
    if ":" in text[:3]:
        today = f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m-%d}"
        found = iso_to_ms(f"{today}T{text}Z")
        if found is not None and found > now_ms:
            found -= MS_PER_DAY
    else:
        found = iso_to_ms(text) or iso_to_ms(text + ("Z" if "T" in text else "T00:00:00Z"))
    if found is None:
        raise CommandError(f"{name}: {plain(text, 60)!r} is no time", hint=f"one of {FORMS}")
    return found
