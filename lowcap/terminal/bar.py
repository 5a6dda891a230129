"""What stands in the prompt and below it, as pure functions of the last status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lowcap.core.plain import plain
from lowcap.terminal.table import cut, width_of

SEPARATOR = " │ "


class Bar(NamedTuple):
    """The words of the toolbar. ``alarm``: they must not be overlooked."""

    text: str
    alarm: bool


def is_hot(status: Mapping[str, Any] | None) -> bool:
    """Whether the next entry would be made with real money."""
    return status is not None and status["mode"] == "live" and bool(status["armed"])


def prompt_words(status: Mapping[str, Any] | None) -> str:
    """The prompt: which daemon this is, in words."""
    mode = plain(str(status["mode"]), 10).upper() if status is not None else "?"
    return f"lowcap {mode}{' ARMED' if is_hot(status) else ''}> "


def toolbar(status: Mapping[str, Any] | None, why: str, is_silent: bool, columns: int) -> Bar:
    """The toolbar in at most ``columns`` columns; what matters least goes first.

    ``why`` is why there is no status; ``is_silent``: the daemon has not answered for a while.
    """
    room = columns - 2
    if status is None:
        return Bar(f" {cut(plain(why), room)} ", alarm=True)
    hot = is_hot(status)
    for parts in _versions(status, hot=hot, is_silent=is_silent):
        text = SEPARATOR.join(part for part in parts if part)
        if width_of(text) <= room:
            break
    return Bar(f" {cut(text, room)} ", alarm=hot or is_silent or bool(status["unprotected"]))


def _versions(status: Mapping[str, Any], *, hot: bool, is_silent: bool) -> list[list[str]]:
    """The same, from the fullest to the shortest."""
    mode = plain(str(status["mode"]), 10).upper()
    if hot:
        mode = f"!! {mode} ARMED !!"
    elif mode == "LIVE":
        mode += " not armed"
    state = "NO ANSWER" if is_silent else plain(str(status["state"]), 12)
    naked = f"{status['unprotected']} WITHOUT STOP" if status["unprotected"] else ""
    up, all_feeds = status["feeds_up"], len(status["feeds"])
    feeds, few = f"feeds {up}/{all_feeds}", f"{up}/{all_feeds}"
    result = float(status["unrealized_usd"])
    full, short = (
        f"pos {status['positions']} {result:+,.2f}",
        f"{status['positions']} {result:+,.0f}",
    )
    speed = _speed(status["own_work_us"])
    clock = f"{plain(status['now'][11:19])}Z"
    return [
        [mode, state, naked, feeds, full, speed, clock],
        [mode, state, naked, feeds, full, clock],
        [mode, state, naked, few, short, clock],
        [mode, state, naked, few, short],
        [mode, state, naked],
    ]


def _speed(own: Mapping[str, Any]) -> str:
    """The slowest hundredth of our own work, from frame to order."""
    p99_us = own.get("p99") if own.get("trades") else None
    if p99_us is None:
        return ""
    return f"p99 {p99_us / 1000:.1f} ms" if p99_us >= 1000 else f"p99 {p99_us:.0f} µs"
