"""After recognition: is this signal fresh, and new? Keys live until their time is over."""

from __future__ import annotations

import msgspec

from lowcap.core.messages import Failure, Signal, Target

KEYS_MAX = 50_000
REFUSED_COOLDOWN_S = 30
# How long the day's decision stays closed that an item takes without trading.
DECIDED_MS = 86_400_000
SUSPECT_MUTE_MS = 5_000


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

    def closed(self, now_ms: int) -> list[tuple[str, int]]:
        """The keys that are closed now, each with the wall time at which it opens."""
        return [(key, until_ms) for key, until_ms in self._until_ms.items() if until_ms > now_ms]

    def admit(
        self, signal: Signal, started_ms: int, now_ms: int, connected_ms: int = 0
    ) -> tuple[Target, ...] | Failure:
        """The targets of a signal that may trade now, or why none may.

        Too old is what is past its trigger's age or older than this process.
        What is older than its feed's connection waited at the server: such
        replays never trade, nor does an item without a usable time of its own
        in the first moments of a connection.
        """
        if signal.age_ms > signal.age_ms_max:
            return Failure("stale", f"age {signal.age_ms} ms of at most {signal.age_ms_max} ms")
        sent_ms = now_ms - signal.age_ms
        if sent_ms < started_ms:
            return Failure("stale", "older than this process")
        if sent_ms + signal.step_ms <= connected_ms:
            return Failure("replay", "older than the connection that it came by")
        if signal.time_suspect and sent_ms - connected_ms < SUSPECT_MUTE_MS:
            return Failure("replay", "no usable time, so soon after connecting")
        if signal.once and (left_ms := self.left_ms(signal.once, now_ms)):
            return Failure("same-story", f"{signal.once}: {left_ms // 1000} s left")
        fresh = tuple(t for t in signal.targets if not self.left_ms(t.key, now_ms))
        if fresh:
            return fresh
        left_s = self.left_ms(signal.targets[0].key, now_ms) // 1000
        return Failure("cool-down", f"{signal.targets[0].key}: {left_s} s left")

    def snapshot(self) -> bytes:
        """All keys as JSON, for a checkpoint."""
        return msgspec.json.encode(self._until_ms)

    def restore(self, snapshot: bytes) -> None:
        """Continue from a checkpoint."""
        self._until_ms = msgspec.json.decode(snapshot, type=dict[str, int])
