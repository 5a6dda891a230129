"""Which log records an operator asks for: as a filter, and as a call of ``journalctl``. Pure.

Text to look for is plain text, never a pattern: one operator's pattern could
hold everybody up. Times without a zone are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from lowcap.core.errors import CommandError
from lowcap.core.logplaces import AREAS

LEVELS = ("debug", "info", "warning", "error", "critical")
OUTPUTS = ("short", "full", "json")
IDENTIFIER, NAMESPACE = "lowcapd", "lowcap"
_SYSLOG = {"error": "err", "critical": "crit"}
_JOURNAL_OUTPUT = {"short": "short-iso", "full": "verbose", "json": "json"}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"-?(\d{1,6})\s*([smhd])(?:\s+ago)?")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_FIELDS = (("area", "LOWCAP_AREA"), ("feed", "LOWCAP_FEED"), ("trigger", "LOWCAP_TRIGGER"))

Json = dict[str, Any]
Keep = Callable[[Json], bool]


def rank_of(level: str) -> int:
    """How bad a level is; one that we do not know counts as info."""
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("info")


def moment_of(text: str, now: datetime) -> datetime:
    """``-30m``, ``2h ago``, ``today``, ``yesterday``, ``13:30``, or an ISO 8601 date or time.

    Raises:
        CommandError: anything else.
    """
    words = text.strip().lower()
    midnight = datetime.combine(now.date(), time(), UTC)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    try:
        if words in named:
            return named[words]
        if ago := _AGO.fullmatch(words):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if _CLOCK.fullmatch(words):
            return datetime.combine(now.date(), time.fromisoformat(words.zfill(5)), UTC)
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise CommandError(
            f"{text[:40]!r} is no time", hint="-30m, 2h, today, 13:30 or 2026-02-06T13:30:00Z"
        ) from None


def stamp(moment: datetime) -> str:
    """A time as records have it; such texts sort as the times do."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def keep_logs(params: Json, now: datetime) -> Keep:
    """What ``params`` of ``logs`` let through.

    Raises:
        CommandError: no such level or area, no such time, or no trace number.
    """
    lowest = rank_of(_priority(params))
    wanted = str(params.get("grep") or "").lower()
    since, until = (_bound(params, name, now) for name in ("since", "until"))
    trace = _trace(params)
    given = [(name, str(params[name])) for name, _ in _FIELDS if params.get(name)]
    area = dict(given).get("area")
    if area is not None and area not in AREAS:
        raise CommandError(f"no such area {area[:40]!r}", hint="one of " + ", ".join(AREAS))

    def keep(row: Json) -> bool:
        return (
            rank_of(row["level"]) >= lowest
            and (not since or since <= row["at"])
            and (not until or row["at"] <= until)
            and all(row.get(name) == value for name, value in given)
            and (trace is None or row.get("trace") == trace)
            and wanted in row["text"].lower()
        )

    return keep


def _priority(params: Json) -> str:
    given = str(params.get("priority") or LEVELS[0]).lower()
    if given not in LEVELS:
        raise CommandError(f"no such level {given[:40]!r}", hint="one of " + ", ".join(LEVELS))
    return max(given, "error" if params.get("errors") else given, key=rank_of)


def _bound(params: Json, name: str, now: datetime) -> str:
    given = params.get(name)
    return stamp(moment_of(str(given), now)) if given else ""


def _trace(params: Json) -> int | None:
    given = params.get("trace")
    if given is None:
        return None
    try:
        return int(given)
    except (TypeError, ValueError, OverflowError):
        raise CommandError(f"{str(given)[:40]!r} is no trace number", hint="explain") from None


def output_of(params: Json) -> str:
    """How records are to be shown.

    Raises:
        CommandError: there is no such form.
    """
    output = str(params.get("output") or OUTPUTS[0])
    if output not in OUTPUTS:
        raise CommandError(f"no such output {output[:40]!r}", hint="one of " + ", ".join(OUTPUTS))
    return output


def journalctl_words(params: Json, now: datetime, namespace: str = NAMESPACE) -> list[str]:
    """The ``journalctl`` call that asks the journal the same.

    Raises:
        CommandError: as ``keep_logs`` and ``output_of``.
    """
    keep_logs(params, now)
    words = ["journalctl", f"--namespace={namespace}", f"--identifier={IDENTIFIER}"]
    if params.get("follow"):
        words.append("--follow")
    if params.get("count") is not None:
        words.append(f"--lines={params['count']}")
    priority = _priority(params)
    if priority != LEVELS[0]:
        words.append(f"--priority={_SYSLOG.get(priority, priority)}")
    if grep := params.get("grep"):
        words += [f"--grep={re.escape(str(grep))}", "--case-sensitive=no"]
    for name in ("since", "until"):
        if given := params.get(name):
            moment = moment_of(str(given), now)
            words.append(f"--{name}={moment:%Y-%m-%d %H:%M:%S} UTC")
    if params.get("action") == "show":
        words += ["--output=verbose", "--catalog", f"LOWCAP_CURSOR={params.get('cursor') or ''}"]
    elif params.get("action") != "export":
        words.append(f"--output={_JOURNAL_OUTPUT[output_of(params)]}")
    words += [f"{field}={params[name]}" for name, field in _FIELDS if params.get(name)]
    if (trace := _trace(params)) is not None:
        words.append(f"LOWCAP_TRACE={trace}")
    return words
