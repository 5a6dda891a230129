"""Facts about operators: what they asked for, how it ended, what they switched."""

from __future__ import annotations

from lowcap.core.fact import Fact
from lowcap.core.messages import Changed


class CommandReceived(Fact, frozen=True, kw_only=True):
    """An operator's state-changing request, with the peer's user and process."""

    method: str
    params: str
    uid: int
    pid: int


class SessionOpened(Fact, frozen=True, kw_only=True):
    """An operator has come to stay: a session that follows events."""

    uid: int
    user: str
    pid: int
    role: str


class CommandDone(Fact, frozen=True, kw_only=True):
    """How a state-changing request ended: the client's exit code, and the ``code`` of a refusal.

    ``command_line`` is that of the peer's process, or what the client said
    it was where the kernel does not let us look; secrets are left out.
    """

    method: str
    uid: int
    pid: int
    exit: int
    ms: float
    code: str = ""
    command_line: str = ""


class Switched(Fact, frozen=True, kw_only=True):
    """A trigger or feed was turned on or off."""

    kind: str
    name: str
    enabled: bool
    who: str
    reason: str = ""


class ConfigReloaded(Fact, frozen=True, kw_only=True):
    """A changed configuration took effect without a restart.

    ``changed`` names the sections, ``changes`` each key with its old and new value, ``how``
    what brought it about: reload, set, unset, apply, confirm, revert or persist.
    """

    config_hash: str
    changed: tuple[str, ...]
    who: str
    changes: tuple[Changed, ...] = ()
    how: str = "reload"
