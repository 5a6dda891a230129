"""The command about the daemon's log."""

from __future__ import annotations

from lowcap.control.entry import COUNT, FOLLOW, Argument, Command, Option
from lowcap.core.logplaces import AREAS

LOGS: tuple[Command, ...] = (
    Command(
        "logs",
        "the daemon's log: read it, follow it, export it; show CURSOR explains one record",
        arguments=(
            Argument("action", required=False, choices=("show", "stats", "export")),
            Argument("cursor", required=False),
        ),
        options=(
            FOLLOW,
            COUNT,
            Option("priority", "this level and worse: debug ... critical", short="-p"),
            Option("errors", "errors only", flag=True),
            Option("grep", "only records that contain this text", short="-g"),
            Option("since", "from -30m, 2h, today, 13:30 or an ISO time on", short="-S"),
            Option("until", "up to such a time", short="-U"),
            Option("output", "short, full or json; for export the file to write", short="-o"),
            Option("area", "one of " + ", ".join(AREAS)),
            Option("feed", "only of this feed"),
            Option("trigger", "only of this trigger"),
            Option("trace", "only what this frame led to", number=True),
            Option("after", "only behind this cursor"),
            Option("format", "of an export: text or json"),
            Option("tree", "export as a tree of files into this folder"),
            Option("journalctl", "print the journalctl call that asks the same", flag=True),
        ),
        examples=(
            "logs -n 50",
            "logs -f -p warning",
            "logs --since -2h --area orders -o json",
            "logs export -o today.log --since today",
            "logs export --tree logs",
        ),
        stream=True,
        local="logs:run_logs",
    ),
)
