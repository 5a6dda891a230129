"""Client order ids: functions of the ledger, so that any order can be traced to its intent.

``lc{d|t|l}-{run}-{seq}-{leg}``, at most 36 characters of the set that the
venue allows (reference §5). They are *not* idempotency keys: the venue
enforces uniqueness among open orders only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_MODE_LETTER = {"dry": "d", "testnet": "t", "live": "l"}
_ID = re.compile(r"lc([dtl])-([0-9]{1,9})-([0-9]{1,15})-([a-z][a-z0-9]{0,3})\Z")
ID_LENGTH_MAX = 36


class ClientId(NamedTuple):
    """The parts of one of our client order ids."""

    mode_letter: str
    run: int
    seq: int
    leg: str


def prefix(mode: str) -> str:
    """The prefix that marks an order as ours in ``mode``: ``lcd-``, ``lct-`` or ``lcl-``."""
    return f"lc{_MODE_LETTER[mode]}-"


def client_id(mode: str, run: int, seq: int, leg: str) -> str:
    """The id of the order whose intent is record ``seq`` of the ledger."""
    return f"{prefix(mode)}{run}-{seq}-{leg}"


def parse_client_id(text: str) -> ClientId | None:
    """The parts of an id of ours, or None where the id is somebody else's."""
    match = _ID.match(text)
    if match is None:
        return None
    return ClientId(match[1], int(match[2]), int(match[3]), match[4])
