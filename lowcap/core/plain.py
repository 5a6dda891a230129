"""Untrusted text made harmless before it reaches a terminal or a log."""

from __future__ import annotations

import unicodedata

TEXT_LENGTH_MAX = 400
_HOSTILE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: str, limit: int = TEXT_LENGTH_MAX) -> str:
    """``text`` on one line: control, format and unassigned characters escaped, cut at ``limit``.

    A headline can then neither move the cursor, recolour, ring, nor forge a
    line of output.
    """
    shown = text[: limit + 1]
    if not shown.isascii() or not shown.isprintable():
        shown = "".join(_shown(character) for character in shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _shown(character: str) -> str:
    if character in "\n\t":
        return " "
    if unicodedata.category(character) in _HOSTILE:
        code = ord(character)
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return character
