"""The command about the configuration, at rest and while the daemon runs."""

from __future__ import annotations

from lowcap.control.entry import ADMIN, TRADE, Argument, Command, Option

CONFIG: tuple[Command, ...] = (
    Command(
        "config",
        "settings: show, check, set, take a file on trial, go back",
        arguments=(
            Argument(
                "action",
                choices=(
                    *("show", "keys", "check", "diff", "set", "unset", "apply", "confirm"),
                    *("undo", "reload", "export"),
                ),
            ),
            Argument("what", "setting", required=False, file_for=("check", "apply")),
            Argument("value", required=False),
        ),
        options=(
            Option("origin", "with show: where each value comes from", flag=True, shows=True),
            Option("defaults", "with show: built-in values and ranges", flag=True, shows=True),
            Option("for", "with show: what holds for this symbol"),
            Option("hot", "with show and keys: only what needs no restart", flag=True),
            Option("persist", "with set, unset, confirm: also in config.d, for good", flag=True),
            Option("confirm-within", "with apply: revert after 60s (or 1s to 1h) by itself"),
            Option("format", "with export: toml or json"),
        ),
        examples=(
            "config show order --origin",
            "config show --for PEPEUSDT",
            "config set order.collar_pct 1.2",
            "config apply new.toml --confirm-within 60s",
            "config export > now.toml",
        ),
        aliases=("reload",),
        # A long file takes its time to check, and news waits for it.
        roles=(
            ("check", TRADE),
            ("diff", TRADE),
            *((act, ADMIN) for act in ("set", "unset", "apply", "confirm", "undo", "reload")),
        ),
    ),
)
