"""Commands about the daemon itself: its configuration."""

from __future__ import annotations

from lowcap.control.entry import ADMIN, Command

SERVICE: tuple[Command, ...] = (
    Command(
        "reload",
        "read the configuration again: triggers, sizes and limits take effect at once",
        role=ADMIN,
        examples=("reload",),
    ),
)
