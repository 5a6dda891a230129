"""Who is connected, and sending somebody away: once, or for good."""

from __future__ import annotations

import os
import pwd
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import trio

from lowcap.actions import Parts, whole_number
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.control.session import Client, user_name
from lowcap.core import facts
from lowcap.core.errors import CommandError

USER = "user:"
# One alarm for the same attempt in so long: a script that tries again and again is told once.
DENIED_APART_S = 600.0
DENIED_KEPT = 100
Json = dict[str, Any]


class Sessions(Protocol):
    """The control server, as far as ``who`` and ``kick`` see it."""

    def sessions(self) -> list[Json]:
        """Who is connected."""
        ...

    def dismiss(self, wanted: Callable[[Client], bool], why: str) -> int:
        """Let sessions go."""
        ...


class SessionCommands:
    """The handlers, and what the control server tells about its visitors."""

    def __init__(self, ready: Callable[[], Parts], server: Callable[[], Sessions | None]) -> None:
        self._ready = ready
        self._server = server
        self._denied: OrderedDict[tuple[int, str], float] = OrderedDict()
        self.handlers: dict[str, Handler] = {"who": self._who, "kick": self._kick}

    async def _who(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        server = self._server()
        rows = server.sessions() if server is not None else []
        nobody: Json = {"session": None, "role": "denied", "pid": None, "follows": "", "you": False}
        shown: list[Json] = [row | {"you": row["pid"] == peer.pid} for row in rows]
        return shown + [
            nobody | {"uid": uid, "user": user_name(uid), "connected_s": None, "idle_s": None}
            for uid in self._denied_users(self._ready())
        ]

    async def _kick(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts, server = self._ready(), self._server()
        given, allow = params.get("session"), params.get("allow")
        if (given is None) == (allow is None):
            raise CommandError("send whom away?", hint="kick SESSION [--deny], kick --allow USER")
        if allow is not None:
            uid = _uid_of(str(allow))
            if uid not in self._denied_users(parts):
                raise CommandError(f"user {uid} is not denied", hint="who", code="not-found")
            self._switch(parts, uid, True, peer)
            return {"allowed": uid, "sessions": 0}
        number = whole_number("session", given)
        rows = server.sessions() if server is not None else []
        row = next((row for row in rows if row["session"] == number), None)
        if server is None or row is None:
            raise CommandError(f"there is no session {number}", hint="who", code="not-found")
        why, uid = f"sent away by {user_name(peer.uid)}", row["uid"]
        if not params.get("deny"):
            _note(parts, f"session {number}", peer)
            return {"session": number, "uid": uid, "sessions": server.dismiss(
                lambda client: client.number == number, why)}  # fmt: skip
        if uid in (0, os.geteuid()):
            raise CommandError("root and the daemon's own user cannot be denied", code="refused")
        self._switch(parts, uid, False, peer)
        gone = server.dismiss(lambda client: client.peer.uid == uid, why)
        return {"session": number, "uid": uid, "denied": uid, "sessions": gone}

    def _switch(self, parts: Parts, uid: int, enabled: bool, peer: Peer) -> None:
        """In the ledger at once: it outlives the daemon."""
        _note(parts, f"{'allow' if enabled else 'deny'} user {uid}", peer)
        parts.desk.record(
            facts.Switched(
                kind="user", name=str(uid), enabled=enabled, who=f"uid {peer.uid}", reason="kick"
            )
        )
        parts.desk.ledger.sync_now()

    def _denied_users(self, parts: Parts) -> list[int]:
        names = parts.desk.book.state.switched_off
        return sorted(int(name.removeprefix(USER)) for name in names if name.startswith(USER))

    # -- what the control server asks and tells ------------------------------------

    def may_enter(self, peer: Peer) -> bool:
        """Whether this user has not been sent away for good."""
        parts = self._ready()
        return peer.uid not in self._denied_users(parts)

    def on_denied(self, peer: Peer, wanted: str) -> None:
        """An attempt at more than is theirs: an alarm, but not one for each try."""
        now_s, key = trio.current_time(), (peer.uid, wanted)
        if now_s - self._denied.get(key, -DENIED_APART_S) < DENIED_APART_S:
            return
        self._denied[key] = now_s
        while len(self._denied) > DENIED_KEPT:
            self._denied.popitem(last=False)
        text = f"user {user_name(peer.uid)} ({peer.uid}, process {peer.pid}) may not {wanted}"
        self._ready().desk.alarm("access-denied", text, "add the user to a group, or find out why")

    def on_session(self, peer: Peer) -> None:
        """Somebody has come to stay."""
        self._ready().desk.record(
            facts.SessionOpened(
                uid=peer.uid, user=user_name(peer.uid), pid=peer.pid, role=peer.role
            )
        )


def _uid_of(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 10:
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid
    except (KeyError, ValueError):
        raise CommandError(
            f"there is no user {text[:40]!r}", hint="who", code="not-found"
        ) from None


def _note(parts: Parts, text: str, peer: Peer) -> None:
    parts.desk.record(facts.CommandReceived(method="kick", params=text, uid=peer.uid, pid=peer.pid))
