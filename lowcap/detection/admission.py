"""After recognition: is this signal fresh, and new? Keys live until their time is over."""

from __future__ import annotations

import msgspec

from lowcap.core.messages import Signal

KEYS_MAX = 50_000
REFUSED_COOLDOWN_S = 30


class Admission:
    """The dedupe keys that are closed, by wall time. Restored from the ledger at start."""

    def __init__(self) -> None:
        self._until_ms: dict[str, int] = {}

    def take(self, keys: tuple[str, ...], until_ms: int) -> None:
        """Close ``keys`` until a wall time; an earlier end never shortens a later one."""
        for key in keys:
            self._until_ms[key] = max(until_ms, self._until_ms.pop(key, 0))
        while len(self._until_ms) > KEYS_MAX:
            del self._until_ms[next(iter(self._until_ms))]

    def left_ms(self, key: str, now_ms: int) -> int:
        """How long ``key`` stays closed, in milliseconds; 0 when open."""
        until_ms = self._until_ms.get(key, 0)
        if until_ms <= now_ms:
            self._until_ms.pop(key, None)
            return 0
        return until_ms - now_ms

    def stale(self, signal: Signal, started_ms: int, now_ms: int) -> str:
        """Why a signal is too old, or empty: past its age, or from before this process began."""
        if signal.age_ms > signal.age_ms_max:
            return f"age {signal.age_ms} ms of at most {signal.age_ms_max} ms"
        if now_ms - signal.age_ms < started_ms:
            return "older than this process"
        return ""

    def snapshot(self) -> bytes:
        """All keys as JSON, for a checkpoint."""
        return msgspec.json.encode(self._until_ms)

    def restore(self, snapshot: bytes) -> None:
        """Continue from a checkpoint."""
        self._until_ms = msgspec.json.decode(snapshot, type=dict[str, int])
