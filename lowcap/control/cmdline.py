"""The command line of whoever asks for something, for the record; secrets are left out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lowcap.core.plain import plain

BYTES_READ = 4_096
LENGTH_MAX = 300
WITHHELD = "[withheld]"
_SECRET_NAME = re.compile(r"key|secret|token|password|passwd|credential", re.IGNORECASE)
_LONG = re.compile(r"[A-Za-z0-9+_-]{32,}")


def command_line_of(pid: int) -> str:
    """The command line of a process, by what the kernel says; empty where it does not.

    A daemon that is shielded from the processes of others sees its own user's only.
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            raw = file.read(BYTES_READ)
    except OSError:
        return ""
    words = raw.decode(errors="replace").rstrip("\0").split("\0")
    return readable_line(words)


def readable_line(words: Sequence[str]) -> str:
    """Words as one harmless line, without what looks like a secret."""
    shown: list[str] = []
    withhold = False
    for word in (each[:BYTES_READ] for each in words):
        name, equals, value = word.partition("=")
        if withhold and not word.startswith("-"):
            shown.append(WITHHELD)
        elif equals and value and _SECRET_NAME.search(name):
            shown.append(f"{name}={WITHHELD}")
        else:
            shown.append(_LONG.sub(_unless_key, word))
        withhold = not equals and bool(_SECRET_NAME.search(word)) and " " not in word
    return plain(" ".join(shown).strip(), LENGTH_MAX)


def _unless_key(found: re.Match[str]) -> str:
    """A stretch as long as keys are stays only where it is not as mixed as they are."""
    text = found[0]
    mixed = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    return WITHHELD if mixed else text
