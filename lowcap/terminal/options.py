"""The options that every command knows, before its word or after it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lowcap.control.client import socket_candidates
from lowcap.control.commands import Command
from lowcap.core.errors import CommandError

TIMEOUT_S = 10.0
SLOW_COMMANDS_S = {"panic": 120.0, "close": 60.0}
WATCH_S_MIN, WATCH_S_MAX = 0.5, 86_400.0
TIMEOUT_S_MAX = 1e6
COLORS = ("auto", "always", "never")
SEE = "lowcapctl help"


class Options(NamedTuple):
    """What was asked for beside the command; times in seconds.

    ``timeout_s`` None is the command's own patience, 0 waits for ever.
    """

    as_json: bool = False
    as_csv: bool = False
    template: str | None = None
    header: bool = False
    yes: bool = False
    color: str = "auto"
    socket: str = ""
    instance: str = ""
    timeout_s: float | None = None
    watch_s: float | None = None

    def merged(self, given: Mapping[str, Any]) -> Options:
        """These options with those over them that were typed.

        Raises:
            CommandError: two of them cannot both hold.
        """
        typed = {name: value for name, value in given.items() if value not in (None, False, "")}
        if given.get("timeout_s") is not None:
            typed["timeout_s"] = given["timeout_s"]  # 0 was typed
        if given.get("template") is not None:
            typed["template"] = given["template"]
        made = self._replace(**typed)
        forms = [made.as_json, made.as_csv, made.template is not None]
        if sum(forms) > 1:
            raise CommandError("one of --json, --csv and --format, not several", hint=SEE)
        if made.socket and made.instance:
            raise CommandError("--socket and --instance both name a daemon: give one", hint=SEE)
        return made

    def places(self) -> list[Path]:
        """Where the control socket may be, best first."""
        return socket_candidates(self.socket, os.environ, self.instance)

    def patience_s(self, command: Command) -> float | None:
        """How long to wait for the reply to a command; None: for ever."""
        if self.timeout_s is None:
            return SLOW_COMMANDS_S.get(command.name, TIMEOUT_S)
        return self.timeout_s or None
