"""Who is on the other end of the control socket, and what they may do."""

from __future__ import annotations

import grp
import os
import socket
import struct
from typing import Protocol

from msgspec import Struct

from lowcap.control.cmdline import command_line_of
from lowcap.control.commands import ADMIN, TRADE, VIEW

SO_PEERGROUPS = 59
_ROLE_GROUPS = (("lowcap-admin", ADMIN), ("lowcap-trade", TRADE), ("lowcap", VIEW))
_RANK = {"": 0, VIEW: 1, TRADE: 2, ADMIN: 3}


class Peer(Struct, frozen=True):
    """A connected process: its user, its id, the best role its groups give, its command line."""

    uid: int
    pid: int
    role: str
    command_line: str = ""

    @property
    def rank(self) -> int:
        """How much this peer may do."""
        return _RANK[self.role]

    def may(self, role: str) -> bool:
        """Whether this peer's role is at least ``role``."""
        return self.rank >= _RANK[role]


class HasOptions(Protocol):
    """A socket, of the standard library or of Trio."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
        """As in the standard library."""
        ...


def peer_of(connection: HasOptions) -> Peer:
    """The peer of a Unix socket, by what the kernel says about it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, gid = struct.unpack("3i", raw)
    if uid in (0, os.geteuid()):
        return Peer(uid, pid, ADMIN, command_line_of(pid))
    groups = {gid, *_supplementary(connection)}
    for name, role in _ROLE_GROUPS:
        try:
            if grp.getgrnam(name).gr_gid in groups:
                # Of an onlooker we read nothing: the kernel may let him make us wait.
                return Peer(uid, pid, role, command_line_of(pid) if role != VIEW else "")
        except KeyError:
            continue
    return Peer(uid, pid, "")


def _supplementary(connection: HasOptions) -> tuple[int, ...]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 1024)
    except OSError:
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)
