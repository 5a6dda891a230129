"""What differs between two configurations, key by key, as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from lowcap.core.messages import Changed
from lowcap.core.plain import plain
from lowcap.detection.trigger import Trigger
from lowcap.settings import NotifySink

SHOWN_CHARACTERS = 200
CHANGES_MAX = 200
NOTHING = "nothing"


def changes_between(old: object, new: object, sections: tuple[str, ...]) -> tuple[Changed, ...]:
    """Every key of ``sections`` that took another value, dotted: ``trigger.elon_btc.cooldown_s``.

    At most ``CHANGES_MAX``; the last one then says how many more there are.
    """
    found = [
        change
        for name in sections
        for change in _differing(name, getattr(old, name), getattr(new, name))
    ]
    if len(found) <= CHANGES_MAX:
        return tuple(found)
    more = len(found) - CHANGES_MAX + 1
    return (*found[: CHANGES_MAX - 1], Changed("and more", "", f"{more} keys"))


def _differing(path: str, old: Any, new: Any) -> Iterator[Changed]:  # noqa: ANN401  # settings
    if old == new:
        return
    pairs = _parts(old), _parts(new)
    if None in pairs or type(old) is not type(new):
        yield Changed(path, _text(old), _text(new))
        return
    was, now = (pair or {} for pair in pairs)
    for key in {**was, **now}:
        if key == "url" and isinstance(old, NotifySink):
            if old.url != new.url:
                yield Changed(f"{path}.url", "set", "another")
            continue
        if key not in now:
            yield Changed(f"{path}.{key}", _text(was[key]), NOTHING)
        elif key not in was:
            yield Changed(f"{path}.{key}", NOTHING, _text(now[key]))
        else:
            yield from _differing(f"{path}.{key}", was[key], now[key])


def _parts(value: Any) -> dict[str, Any] | None:  # noqa: ANN401  # settings
    """A table as keys and values; None for what is a value itself."""
    if isinstance(value, dict):
        return value
    if attrs.has(type(value)):
        return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    if isinstance(value, tuple) and value and all(isinstance(row, Trigger) for row in value):
        return {row.id: row for row in value}
    return None


def _text(value: object) -> str:
    if isinstance(value, NotifySink):
        return f"a sink of kind {value.kind}"
    if isinstance(value, Trigger):
        return f"{value.matcher} on {', '.join(value.feeds)}"
    if isinstance(value, tuple):
        return plain(f"[{', '.join(_text(each) for each in value)}]", SHOWN_CHARACTERS)
    return plain(str(value), SHOWN_CHARACTERS)
