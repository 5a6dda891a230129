"""Completion at the prompt: the pure one over the newest that is known of the daemon."""

from __future__ import annotations

from collections.abc import Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from lowcap.core.plain import plain
from lowcap.terminal.complete import Snapshot, complete
from lowcap.terminal.link import Link
from lowcap.terminal.prompt_topics import TOPICS

META_LENGTH_MAX = 60


def snapshot_of(link: Link) -> Snapshot:
    """What the last status and the last events said."""
    status = link.status or {}
    paused = tuple(status.get("paused_symbols", ()))
    holds = [hold["name"] for hold in status.get("holds", ())]
    breakers = [breaker["name"] for breaker in status.get("breakers", ())]
    return Snapshot(
        positions=tuple(status.get("symbols", ())),
        traces=tuple(link.traces),
        feeds=tuple(feed["name"] for feed in status.get("feeds", ())),
        triggers=tuple(status.get("trigger_ids", ())),
        symbols=tuple(link.symbols),
        locks=(*holds, *breakers, *paused),
        keys=tuple(link.keys),
        state=status.get("state", ""),
        mode=status.get("mode", ""),
        armed=bool(status.get("armed")),
        held=bool(holds or paused or status.get("stopped_by")),
        recording=bool(status.get("recording")),
        role=str(link.hello.get("role", "")),
    )


class TableCompleter(Completer):
    """Offers words of the command table and of the daemon."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Completions of the word before the cursor."""
        line = document.text_before_cursor.lstrip()
        typed = line.split(" ")[-1]
        for candidate in complete(line, snapshot_of(self._link), tuple(TOPICS)):
            yield Completion(
                plain(candidate.word),
                start_position=-len(typed),
                display_meta=plain(candidate.meta, META_LENGTH_MAX),
            )
