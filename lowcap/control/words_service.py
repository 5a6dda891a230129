"""Commands about the daemon itself."""

from __future__ import annotations

from lowcap.control.entry import COUNT, FOLLOW, Command, Option

SERVICE: tuple[Command, ...] = (
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
