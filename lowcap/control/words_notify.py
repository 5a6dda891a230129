"""The command about alerts."""

from __future__ import annotations

from lowcap.control.entry import REASON, TRADE, Argument, Command, Option

NOTIFY_ACTIONS = ("status", "test", "send", "enable", "disable")
TEST_KINDS = ("trade", "system", "alert")

NOTIFY: tuple[Command, ...] = (
    Command(
        "notify",
        "alerts: how each sink is, try one, send words, switch a sink on or off",
        arguments=(
            Argument("action", required=False, choices=NOTIFY_ACTIONS),
            Argument("what", required=False),
        ),
        options=(
            Option("kind", f"with test: {', '.join(TEST_KINDS)}"),
            Option("level", "with send: debug, info, warning, error or critical"),
            REASON,
        ),
        examples=(
            "notify",
            "notify test telegram --kind trade",
            'notify send "taking over by hand" --level warning',
            "notify enable pushover",
        ),
        roles=tuple((action, TRADE) for action in NOTIFY_ACTIONS[1:]),
    ),
)
