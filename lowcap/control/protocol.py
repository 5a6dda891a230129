"""The operator's protocol: JSON-RPC 2.0, one object a line. Pure; used by both ends.

The server speaks first (``hello``). Events are ledger records. A line towards
the daemon is at most 64 KiB long.
"""

from __future__ import annotations

import json
from typing import Any

PROTOCOL = 1
LINE_BYTES_MAX = 65_536

Json = dict[str, Any]

# Exit codes of one-liners by error code; what is not named here is 1, failed.
EXIT_OF_CODE = {
    "usage": 2,
    "unreachable": 3,
    "halted": 4,
    "paused": 4,
    "disarmed": 4,
    "stopped-outside": 4,
    "refused": 4,
    "mode": 4,
    "permission": 5,
    "timeout": 6,
    "cancelled": 6,
    "unknown-outcome": 6,
    "partial": 7,
    "confirm": 10,
}


def encode(message: Json) -> bytes:
    """A message as one line. Bytes of the command line that are no text become ``?``."""
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace") + b"\n"


def request(number: int, method: str, params: Json, typed: str = "") -> Json:
    """A request message; ``typed`` is the command line it comes from, for the record."""
    message: Json = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return message | {"typed": typed} if typed else message


def result(number: int | str | None, value: object) -> Json:
    """A successful reply."""
    return {"jsonrpc": "2.0", "id": number, "result": value}


def error(number: int | str | None, code: str, message: str, hint: str = "") -> Json:
    """A failed reply: the stable ``code`` travels in ``data``, beside the hint."""
    return {
        "jsonrpc": "2.0",
        "id": number,
        "error": {"code": -32000, "message": message, "data": {"code": code, "hint": hint}},
    }


def notice(method: str, params: object) -> Json:
    """A message that expects no reply: ``hello``, ``event``, ``bye``."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


class Lines:
    """Cuts a byte stream into lines; an overlong one is reported, not kept."""

    def __init__(self, limit: int = LINE_BYTES_MAX) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """Complete lines in ``data``; None stands for one that was too long."""
        found: list[bytes | None] = []
        self._rest += data
        while (end := self._rest.find(b"\n")) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            if self._skipping:
                self._skipping = False
            else:
                found.append(None if len(line) > self._limit else line)
        if len(self._rest) > self._limit:
            if not self._skipping:
                found.append(None)
            self._skipping = True
            self._rest.clear()
        return found
