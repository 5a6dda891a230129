"""What posts of all frame families have in common: who shows as their author, and when."""

from __future__ import annotations

import re
from collections.abc import Iterable

_STATUS_URL = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:twitter|x)\.com/(\w{1,30})/status/", re.IGNORECASE
)


def handles_of(names: Iterable[str | None], *urls: str | None) -> tuple[str, ...]:
    """Every account name that a frame shows, lower case, without repeats.

    ``names`` as the fields have them, ``urls`` what it gives as its own address.
    """
    shown = [name for name in names if name]
    for url in urls:
        # x.com/i/status/1 names no account.
        if url and (found := _STATUS_URL.match(url)) and found[1] != "i":
            shown.append(found[1])
    # Only ASCII has upper and lower case here: the Kelvin sign is not a k.
    return tuple(dict.fromkeys(n.lower() if n.isascii() else n for n in shown))


def id_of(*shown: str | None) -> str:
    """The id that the frame shows; two different ones are nobody's."""
    return " or ".join(dict.fromkeys(number for number in shown if number is not None))


def milliseconds(time: float | None) -> int | None:
    """A sender's time in milliseconds since 1970, whatever unit its magnitude shows."""
    if time is None or not 0 < time < 10**17:
        return None
    if time < 10**11:
        return int(time * 1000)
    return int(time) if time < 10**14 else int(time) // 1000
