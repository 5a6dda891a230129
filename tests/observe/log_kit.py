"""What a ring of log records holds, as rows."""

from __future__ import annotations

from typing import Any

from lowcap.observe.logs import LogRing, row_in

Json = dict[str, Any]


def rows_of(ring: LogRing) -> list[Json]:
    """Everything, oldest first."""
    return [row_in(line) for line in ring.lines()]


def behind(ring: LogRing, cursor: str) -> list[Json]:
    """What is behind a cursor."""
    return [row_in(line) for line in ring.lines_behind(cursor)]
