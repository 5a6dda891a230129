"""Which alerts pass to a sink, and when: events, level, quiet hours, drawing together. Pure."""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec import Struct

from lowcap.alerts.alert import CRITICAL, EVENTS, LEVELS, Alert, selects
from lowcap.alerts.quiet import Quiet

WINDOWS_MAX = 500
# A window in which more came is followed by one twice as long, up to so many times the first.
WIDEST = 16


class Rule(Struct, frozen=True, kw_only=True):
    """What a sink wants; no ``events`` are all. ``quiet`` holds back all that is not critical.

    Within ``coalesce_ms`` of an alert others like it are only counted.
    """

    events: tuple[str, ...] = ()
    min_level: str = "info"
    quiet: Quiet | None = None
    coalesce_ms: int = 60_000


class _Window(Struct):
    until_ms: int
    width_ms: int
    last: Alert
    count: int = 0


class Sieve:
    """One sink's memory of what it was told. Times are wall milliseconds."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.drawn_together = 0
        self.held = 0
        self._windows: dict[tuple[str, ...], _Window] = {}
        self._quiet: Counter[str] = Counter()
        self._quiet_last: Alert | None = None
        self._quiet_level = 0

    def offer(self, alert: Alert, now_ms: int) -> Alert | None:
        """The alert, where it is to be told now."""
        rule = self.rule
        if alert.rank < LEVELS.index(rule.min_level):
            return None
        if rule.events and not selects(rule.events, alert.event):
            return None
        if alert.rank < CRITICAL and rule.quiet is not None and rule.quiet.holds(now_ms):
            self.held += 1
            self._quiet[alert.event] += 1
            self._quiet_last = alert
            self._quiet_level = max(self._quiet_level, alert.rank)
            return None
        if not rule.coalesce_ms:
            return alert
        key = self._key(alert)
        window = self._windows.get(key)
        if window is not None and now_ms < window.until_ms:
            window.count += 1
            window.last = alert
            self.drawn_together += 1
            return None
        if window is not None and window.count:
            # It is over and was not looked at yet: this one tells its count.
            self._widen(key, window, alert, now_ms)
            return _more(alert, window.count + 1)
        self._windows[key] = _Window(now_ms + rule.coalesce_ms, rule.coalesce_ms, alert)
        return alert

    def due(self, now_ms: int, *, at_once: bool = False) -> list[Alert]:
        """What is to be told because time has passed; ``at_once``: all that was held back."""
        told = []
        for key, window in list(self._windows.items()):
            if now_ms < window.until_ms and not at_once:
                continue
            del self._windows[key]
            if window.count:
                told.append(_more(window.last, window.count))
                self._widen(key, window, window.last, now_ms)
        quiet = self.rule.quiet
        if self._quiet_last is not None and (at_once or quiet is None or not quiet.holds(now_ms)):
            told.append(self._digest(self._quiet_last, now_ms))
        return told

    def next_ms(self, now_ms: int) -> int | None:
        """When ``due`` is to be asked next; None: not before the next alert."""
        times = [window.until_ms for window in self._windows.values()]
        if self._quiet_last is not None:
            quiet = self.rule.quiet
            times.append(now_ms if quiet is None else quiet.end_ms(now_ms))
        return min(times, default=None)

    def _key(self, alert: Alert) -> tuple[str, ...]:
        subject = alert.subject if EVENTS[alert.event].apart else ""
        if alert.event in ("alarm", "message") or alert.rank == CRITICAL:
            # Only the very same is said once: two dangers are never one.
            subject = f"{alert.subject} {alert.text}"
        key = (alert.event, alert.level, subject)
        return key if key in self._windows or len(self._windows) < WINDOWS_MAX else key[:2]

    def _widen(self, key: tuple[str, ...], window: _Window, last: Alert, now_ms: int) -> None:
        width_ms = min(window.width_ms * 2, self.rule.coalesce_ms * WIDEST)
        self._windows[key] = _Window(now_ms + width_ms, width_ms, last)

    def _digest(self, last: Alert, now_ms: int) -> Alert:
        counts = ", ".join(f"{count} x {event}" for event, count in self._quiet.most_common())
        digest = Alert(
            event="digest",
            level=LEVELS[self._quiet_level],
            title="while it was quiet",
            text=f"{counts}; the last: {last.text}",
            at_ms=now_ms,
            seq=last.seq,
        )
        self._quiet.clear()
        self._quiet_last, self._quiet_level = None, 0
        return digest


def _more(alert: Alert, count: int) -> Alert:
    return msgspec.structs.replace(alert, more=alert.more + count)
