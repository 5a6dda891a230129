"""Commands about the daemon itself: configuration, log."""

from __future__ import annotations

from lowcap.control.entry import ADMIN, COUNT, FOLLOW, Command, Option

SERVICE: tuple[Command, ...] = (
    Command(
        "reload",
        "read the configuration again: triggers, sizes and limits take effect at once",
        role=ADMIN,
        examples=("reload",),
    ),
    Command(
        "logs",
        "the daemon's log",
        options=(
            FOLLOW,
            COUNT,
            Option("priority", "this level and worse", short="-p"),
            Option("grep", "only lines that contain this text", short="-g"),
        ),
        examples=("logs -n 50", "logs -f -p warning"),
        stream=True,
    ),
)
