"""What ``config`` returns, with hostile texts in it."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_CHANGED = ("config set", "config unset", "config apply", "config confirm", "config undo",
            "config reload")  # fmt: skip
_SHOWN = ("config show", "config show --origin", "config show --defaults",
          "config show --origin --defaults", "config keys")  # fmt: skip
CONFIG_ACTIONS = (*_CHANGED, *_SHOWN, "config check", "config diff", "config export")


def config_values(text: str) -> Json:
    """A value for each page."""
    row = {
        "key": "limits.position_notional_usd_max", "value": text, "default": text,
        "origin": "environment LOWCAP_LIMITS__POSITION_NOTIONAL_USD_MAX", "hot": True,
        "range": "more than 0, at most 2_000_000 away from loopback", "help": "one position",
    }  # fmt: skip
    fault = {
        "text": text, "key": "order.collar_pct", "where": "config.toml", "line": 12,
        "range": "more than 0, at most 5", "told": f"{text} (config.toml, line 12)",
    }  # fmt: skip
    changed = {
        "changed": ["trigger"], "needs_restart": ["feed", text], "config_hash": "abc",
        "changes": [{"key": "trigger.x.match.any_of", "old": text, "new": "[a, b]"}],
        "unsaved": 3, "confirm_by": text, "confirm_until": "2026-02-06T13:31:00.123Z",
        "confirmed": 2, "written": f"/etc/{text}", "not_applied": [text], "not_named": [text] * 5,
    }  # fmt: skip
    differing = row | {"running": text, "files": None, "ends": "unset"}
    return {
        **dict.fromkeys(_CHANGED, changed),
        **{page: [row, row | {"hot": False, "default": None}] for page in _SHOWN},
        "config check": {"name": text, "ok": False, "faults": [fault] * 2},
        "config diff": [differing, differing | {"running": None, "files": text}],
        "config export": {"format": "toml", "text": f"{text}\nx = 1\n"},
    }
