"""What an entry of the command table is: arguments, options, role, danger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

VIEW, TRADE, ADMIN = "view", "trade", "admin"


class Argument(NamedTuple):
    """A positional word. ``kind`` names what completes it, ``choices`` all that it may be.

    With an action of ``file_for`` it names a file, whose text travels in its place.
    """

    name: str
    kind: str = "text"
    required: bool = True
    choices: tuple[str, ...] = ()
    file_for: tuple[str, ...] = ()


class Option(NamedTuple):
    """A ``--name VALUE`` option, or a flag. What a ``file`` holds travels in its place.

    With a ``shows`` option the same reply is shown as another page.
    """

    name: str
    help: str
    flag: bool = False
    short: str = ""
    number: bool = False
    file: bool = False
    shows: bool = False


class Command(NamedTuple):
    """One command. ``severe`` ones ask for a typed word, ``moderate`` ones for yes.

    ``roles`` are those of actions (the first argument) that need more than ``role``.
    ``local`` names the function (``module:function`` of ``lowcap.terminal``) that carries
    out a command which the daemon does not answer by itself; it returns the exit code, or
    None where the daemon answers after all.
    """

    name: str
    help: str
    role: str = VIEW
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    danger: str = ""
    stream: bool = False
    roles: tuple[tuple[str, str], ...] = ()
    local: str = ""

    def role_for(self, params: Mapping[str, object]) -> str:
        """The role that a call with these parameters needs."""
        return dict(self.roles).get(str(params.get("action")), self.role)

    def follows(self, params: Mapping[str, object]) -> bool:
        """Whether a call goes on to show what comes."""
        return self.stream and bool(params.get("follow") or params.get("action") == "tail")


FOLLOW = Option("follow", "go on as new ones come", flag=True, short="-f")
COUNT = Option("count", "how many", short="-n", number=True)
REASON = Option("reason", "why; it is recorded")
