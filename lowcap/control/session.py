"""One connected operator: who it is, what it follows, what waits to be sent to it."""

from __future__ import annotations

import pwd
from typing import NamedTuple

import trio

from lowcap.control.peer import Peer
from lowcap.control.protocol import Json, notice
from lowcap.control.select import Keep

EVENTS_QUEUED_MAX = 1_000
REQUESTS_PER_MIN_MAX = 200
LINES_PER_MIN_MAX = 2_000


class Parcel(NamedTuple):
    """A message for a client; ``settles`` marks the reply to a request."""

    message: Json
    settles: bool


class Client:
    """One connected operator."""

    def __init__(self, number: int, peer: Peer) -> None:
        self.number = number
        self.peer = peer
        self.came_s = self.heard_s = trio.current_time()
        self.follows = ""
        self.keep: Keep = lambda event: True
        self.outbox, self.queued = trio.open_memory_channel[Parcel](EVENTS_QUEUED_MAX)
        self.farewell = ""
        self.calls: dict[int | str, trio.CancelScope] = {}
        self.owed = 0
        self._minute_s = 0.0
        self._lines = 0

    def push(self, message: Json, *, settles: bool = False) -> None:
        """Queue a message; a client that does not read is let go."""
        try:
            self.outbox.send_nowait(Parcel(message, settles))
        except trio.WouldBlock:
            self.farewell = self.farewell or "too slow: events were lost"
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # it has left; its session task is about to notice

    def dismiss(self, why: str) -> None:
        """Say goodbye instead of whatever else is queued."""
        self.farewell = self.farewell or why
        self.push(notice("bye", {"reason": why}))

    def is_too_fast(self, now_s: float) -> bool:
        """Whether this client has spent its requests of the minute."""
        if now_s - self._minute_s >= 60:
            self._minute_s, self._lines = now_s, 0
        self._lines += 1
        if self._lines > LINES_PER_MIN_MAX:
            self.dismiss(f"more than {LINES_PER_MIN_MAX} lines a minute")
        return self._lines > REQUESTS_PER_MIN_MAX

    def row(self, now_s: float) -> Json:
        """What ``who`` says of this session; times in seconds."""
        return {
            "session": self.number,
            "uid": self.peer.uid,
            "user": user_name(self.peer.uid),
            "role": self.peer.role,
            "pid": self.peer.pid,
            "connected_s": int(now_s - self.came_s),
            "idle_s": int(now_s - self.heard_s),
            "follows": self.follows,
        }


def user_name(uid: int) -> str:
    """The name of a user, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
