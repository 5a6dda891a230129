"""The message catalog, read as journald reads it: what a record means and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_ID = re.compile(r"-- ([0-9a-f]{32})")
_PLACE = re.compile(r"@([A-Z0-9_]+)@")


class Entry(NamedTuple):
    """The explanation of one message id."""

    subject: str
    text: str


def parse_catalog(source: str) -> dict[str, Entry]:
    """All entries by their message ids.

    Raises:
        ValueError: an id has two entries.
    """
    entries: dict[str, Entry] = {}
    for part in re.split(r"^(?=-- )", source, flags=re.MULTILINE):
        first, _, rest = part.partition("\n")
        found = _ID.fullmatch(first.strip())
        if found is None:
            continue
        if found[1] in entries:
            raise ValueError(f"{found[1]} is explained twice")
        head, _, text = rest.partition("\n\n")
        headers = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        entries[found[1]] = Entry(headers.get("Subject", ""), text.strip())
    return entries


def filled_in(text: str, fields: Mapping[str, str]) -> str:
    """``text`` with the values of a record's fields in their places."""
    return _PLACE.sub(lambda place: fields.get(place[1], "?"), text)
