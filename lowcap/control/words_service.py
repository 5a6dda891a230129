"""Commands about the daemon itself: who is connected to it."""

from __future__ import annotations

from lowcap.control.entry import ADMIN, Argument, Command, Option

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
)
