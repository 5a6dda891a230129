"""What the daemon answers to ``logs``: from its ring, never from the disk."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import trio

from lowcap.actions import Parts, whole_number
from lowcap.config_tree import shipped
from lowcap.control.logquery import journalctl_words, output_of
from lowcap.control.peer import Peer
from lowcap.control.select import Keep, keep_for
from lowcap.control.server import Handler
from lowcap.core.errors import CommandError
from lowcap.observe.catalog import Entry, filled_in, parse_catalog
from lowcap.observe.journal import journal_fields

ROWS_MAX = 500
LOOKED_AT_ONCE = 250
_CATALOG = "lowcap.catalog"

Json = dict[str, Any]


class LogCommands:
    """The handler of ``logs``."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self._catalog = catalog()
        self.handlers: dict[str, Handler] = {"logs": self._logs}

    async def _logs(self, params: Json, peer: Peer) -> Any:  # noqa: ANN401  # JSON
        await trio.lowlevel.checkpoint()
        ring, action = self._ready().ring, params.get("action")
        if params.get("journalctl"):
            return {"journalctl": shlex.join(journalctl_words(params, datetime.now(UTC)))}
        if action == "export" or params.get("tree"):
            raise CommandError(
                "the daemon writes no files for others",
                hint="in a shell: lowcapctl logs export",
                code="refused",
            )
        if action == "stats":
            return ring.stats()
        if action == "show":
            return self._show(str(params.get("cursor") or ""))
        output_of(params)
        given = params.get("count")
        count = max(1, whole_number("count", given)) if given is not None else 50
        keep = keep_for("logs", params)
        count = min(count, ROWS_MAX)
        if after := params.get("after"):
            return await _picked(ring.behind(str(after)), count, keep)
        return (await _picked(ring.rows()[::-1], count, keep))[::-1]

    def _show(self, cursor: str) -> Json:
        """One record in full, with what the catalog says of its kind."""
        row = self._ready().ring.find(cursor)
        if row is None:
            raise CommandError(
                f"no record {cursor[:40]!r} among the newest",
                hint="logs -o full shows cursors; older ones: logs show CURSOR --journalctl",
                code="not-found",
            )
        entry = self._catalog.get(row["message_id"], Entry("", ""))
        fields = journal_fields(row)
        return row | {
            "subject": filled_in(entry.subject, fields),
            "meaning": filled_in(entry.text, fields),
        }


async def _picked(rows: list[Json], count: int, keep: Keep) -> list[Json]:
    """The first ``count`` rows that ``keep`` lets through; frames are taken in between."""
    found: list[Json] = []
    for number, row in enumerate(rows, 1):
        if keep(row):
            found.append(row)
            if len(found) == count:
                break
        if number % LOOKED_AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
    return found


@cache
def catalog() -> dict[str, Entry]:
    """The catalog that comes with lowcap, installed or in a checkout."""
    path = shipped(f"systemd/{_CATALOG}")
    if not path.exists():
        path = shipped(f"contrib/systemd/{_CATALOG}")
    return parse_catalog(path.read_text(encoding="utf-8"))
