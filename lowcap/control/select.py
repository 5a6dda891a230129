"""Which records of a stream an operator asked for: the same for the past and for what follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from lowcap.control.logquery import keep_logs
from lowcap.control.protocol import Json

Keep = Callable[[Json], bool]


def keep_for(stream: str, params: Json) -> Keep:
    """What ``params`` of ``events`` or ``logs`` let through.

    Raises:
        CommandError: what they ask for does not exist.
    """
    if stream == "logs":
        return keep_logs(params, datetime.now(UTC))
    if stream == "feed":
        name = str(params.get("name") or "")
        return lambda frame: frame["feed"] == name
    if params.get("commands"):
        return lambda event: event["kind"] in ("CommandReceived", "CommandDone")
    kind = str(params.get("type") or "")
    return lambda event: not kind or event["kind"] == kind
