"""Commands about the daemon itself: configuration, log."""

from __future__ import annotations

from lowcap.control.entry import ADMIN, COUNT, FOLLOW, Argument, Command, Option

SERVICE: tuple[Command, ...] = (
    Command(
        "who",
        "who is connected, with which role, since when; who is denied",
        examples=("who", "who --json"),
    ),
    Command(
        "kick",
        "end a session; with --deny its user may not come back until allowed",
        role=ADMIN,
        arguments=(Argument("session", required=False),),
        options=(
            Option("deny", "and all others of that user, for good", flag=True),
            Option("allow", "let this user connect again"),
        ),
        examples=("kick 3", "kick 3 --deny", "kick --allow ana"),
    ),
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
