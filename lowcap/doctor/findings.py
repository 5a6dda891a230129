"""What a check found: one sentence, how bad it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

OK, WARN, FAIL = "ok", "warn", "FAIL"
Json = dict[str, Any]


class Finding(Struct, frozen=True, kw_only=True):
    """One check. ``figures`` are its numbers, with units in their names."""

    name: str
    level: str
    text: str
    remedy: str = ""
    figures: dict[str, Any] = {}

    def row(self) -> Json:
        """As plain values."""
        told: Json = {"name": self.name, "level": self.level, "text": self.text}
        return told | {"remedy": self.remedy, "figures": self.figures}


def ok(name: str, text: str, **figures: object) -> Finding:
    """Something that is as it should be."""
    return Finding(name=name, level=OK, text=text, figures=figures)


def warn(name: str, text: str, remedy: str = "", **figures: object) -> Finding:
    """Something to look at, that stops nothing."""
    return Finding(name=name, level=WARN, text=text, remedy=remedy, figures=figures)


def fail(name: str, text: str, remedy: str = "", **figures: object) -> Finding:
    """Something that must be mended."""
    return Finding(name=name, level=FAIL, text=text, remedy=remedy, figures=figures)


def report(findings: Iterable[Finding]) -> Json:
    """All of them as one document; ``ok`` is whether nothing must be mended."""
    rows = [finding.row() for finding in findings]
    counts = {level.lower(): sum(row["level"] == level for row in rows) for level in _LEVELS}
    return {"ok": not counts["fail"], "counts": counts, "findings": rows}


_LEVELS = (OK, WARN, FAIL)
