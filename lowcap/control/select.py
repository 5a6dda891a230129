"""Which records of a stream an operator asked for: the same for the past and for what follows."""

from __future__ import annotations

from collections.abc import Callable

from lowcap.control.protocol import Json
from lowcap.core.errors import CommandError

LEVELS = ("debug", "info", "warning", "error", "critical")

Keep = Callable[[Json], bool]


def rank_of(level: str) -> int:
    """How bad a level is; one that we do not know counts as info."""
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("info")


def keep_for(stream: str, params: Json) -> Keep:
    """What ``params`` of ``events`` or ``logs`` let through.

    Text to look for is plain text, never a pattern: one operator's pattern
    could hold everybody up.

    Raises:
        CommandError: there is no such level.
    """
    if stream == "logs":
        return _keep_logs(params)
    if stream == "feed":
        name = str(params.get("name") or "")
        return lambda frame: frame["feed"] == name
    kind = "CommandReceived" if params.get("commands") else str(params.get("type") or "")
    return lambda event: not kind or event["kind"] == kind


def _keep_logs(params: Json) -> Keep:
    priority = str(params.get("priority") or LEVELS[0]).lower()
    wanted = str(params.get("grep") or "").lower()
    if priority not in LEVELS:
        raise CommandError(f"no such level {priority!r}", hint="one of " + ", ".join(LEVELS))
    lowest = rank_of(priority)
    return lambda line: rank_of(line["level"]) >= lowest and wanted in line["text"].lower()
