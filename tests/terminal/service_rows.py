"""Values of the commands about machine and installation, as the renderers get them."""

from __future__ import annotations

from typing import Any


def doctor_value(text: str) -> dict[str, Any]:
    """A report with a finding of each level."""
    rows = [
        {"name": name, "level": level, "text": text, "remedy": remedy, "figures": {}}
        for name, level, remedy in (
            ("clock", "ok", ""),
            ("permissions", "warn", text),
            ("unit", "FAIL", "lowcapctl unit print > /etc/systemd/system/lowcapd.service"),
        )
    ]
    return {"ok": False, "counts": {"ok": 1, "warn": 1, "fail": 1}, "findings": rows}
