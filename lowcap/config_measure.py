"""What is measured, as configured: stages that exist, targets that make sense, a file to write."""

from __future__ import annotations

from collections.abc import Iterable

from lowcap.observe.latency import TARGETS_MS, WITHIN
from lowcap.settings import Settings

TARGET_MS_MAX = 60_000


def measure_faults(settings: Settings) -> Iterable[str]:
    """Every fault of ``latency`` and ``metrics``, each with its path."""
    known = ", ".join(name for name in TARGETS_MS if name not in WITHIN)
    for name, target_ms in settings.latency.target_ms.items():
        path = f"latency.target_ms.{name}"
        if name in WITHIN:
            yield f"{path}: is measured within {WITHIN[name]}; set that one"
        elif name not in TARGETS_MS:
            yield f"{path}: expected one of {known}"
        if not 0 < target_ms <= TARGET_MS_MAX:
            yield f"{path}: expected more than 0 and at most {TARGET_MS_MAX}"
    path = settings.metrics.textfile
    if "\0" in path:
        yield "metrics.textfile: expected a path, not text with a NUL character"
    elif path and (not path.startswith("/") or path.endswith("/")):
        yield f"metrics.textfile: expected a file by its whole path (/run/x.prom), not {path!r}"
