"""The alerts as configured: levels, hours, events that exist, and sinks that can be reached."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

from lowcap.alerts.alert import EVENTS, LEVELS, SINKS_MAX, is_pattern
from lowcap.alerts.quiet import parse_moment, parse_quiet
from lowcap.settings import Notify, NotifySink

KINDS = ("pushover", "telegram", "webhook", "exec")
COALESCE_S_MAX = 86_400
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{1,60}")
UrlFaults = Callable[[str, str, str], Iterable[str]]


def notify_faults(notify: Notify, url_faults: UrlFaults) -> Iterable[str]:
    """Every fault of ``notify``, with its path. ``url_faults`` judges path, address, scheme."""
    yield from _heard("notify", notify.level, notify.quiet_hours, notify.coalesce_s)
    try:
        parse_moment(notify.daily)
    except ValueError as error:
        yield f"notify.daily: {error}"
    if sum(sink.enabled for sink in notify.sink.values()) > SINKS_MAX:
        yield f"notify.sink: expected at most {SINKS_MAX} enabled sinks"
    for name, sink in notify.sink.items():
        path = f"notify.sink.{name}"
        if _NAME.fullmatch(name) is None:
            yield f"{path}: expected a name of letters, digits, _ and -"
        if sink.kind not in KINDS:
            yield f"{path}.kind: expected one of {', '.join(KINDS)}, not {sink.kind!r}"
            continue
        yield from _heard(path, sink.min_level, sink.quiet_hours, sink.coalesce_s)
        yield from _events(path, sink.events)
        yield from _keys(path, sink)
        yield from _way(path, sink, url_faults)


def _heard(
    path: str, level: str | None, hours: str | None, coalesce_s: int | None
) -> Iterable[str]:
    if level is not None and level not in LEVELS:
        key = "level" if path == "notify" else "min_level"
        yield f"{path}.{key}: expected one of {', '.join(LEVELS)}, not {level!r}"
    if coalesce_s is not None and not 0 <= coalesce_s <= COALESCE_S_MAX:
        yield f"{path}.coalesce_s: expected 0 to {COALESCE_S_MAX}"
    try:
        parse_quiet(hours or "")
    except ValueError as error:
        yield f"{path}.quiet_hours: {error}"


def _events(path: str, events: tuple[str, ...]) -> Iterable[str]:
    families = {f"{name.partition('.')[0]}.*" for name in EVENTS if "." in name}
    for pattern in events:
        if not is_pattern(pattern):
            near = get_close_matches(pattern, [*EVENTS, *sorted(families)], 1)
            hint = f"; did you mean {near[0]!r}?" if near else "; docs/alerts.md lists them"
            yield f"{path}.events: no event {pattern[:60]!r}{hint}"


def _keys(path: str, sink: NotifySink) -> Iterable[str]:
    for kind, file, env in (
        ("key", sink.key_file, sink.key_env),
        ("user", sink.user_file, sink.user_env),
    ):
        if "\0" in file:
            yield f"{path}.{kind}_file: expected a path, not text with a NUL character"
        if env and _ENV_NAME.fullmatch(env) is None:
            yield f"{path}.{kind}_env: expected the name of an environment variable"
        if file and env:
            yield f"{path}: expected {kind}_file or {kind}_env, not both"
        wanted = sink.kind == "pushover" if kind == "user" else sink.kind != "exec"
        if (file or env) and not wanted:
            yield f"{path}: a sink of kind {sink.kind} has no {kind}; take it away"


def _way(path: str, sink: NotifySink, url_faults: UrlFaults) -> Iterable[str]:
    """Where the messages go, as the kind of sink needs it."""
    if sink.kind == "exec":
        if sink.url or sink.chat:
            yield f"{path}: a sink of kind exec has a command, no url and no chat"
        yield from _command(path, sink)
        return
    if sink.command:
        yield f"{path}.command: only a sink of kind exec has one"
    if sink.url:
        yield from url_faults(f"{path}.url", sink.url, "http")
        if sink.kind != "webhook" and ("?" in sink.url or "#" in sink.url):
            yield f"{path}.url: expected an address without ? and #; keys have files of their own"
    elif sink.enabled:
        yield f"{path}.url: expected an address, or enabled = false"
    if sink.kind != "telegram":
        if sink.chat:
            yield f"{path}.chat: only a sink of kind telegram has one"
    elif sink.chat and _CHAT.fullmatch(sink.chat) is None:
        yield f"{path}.chat: expected a chat's number, or @ and a channel's name"
    elif sink.enabled and not sink.chat:
        yield f"{path}.chat: expected the chat to write to, or enabled = false"


def _command(path: str, sink: NotifySink) -> Iterable[str]:
    if any("\0" in word for word in sink.command):
        yield f"{path}.command: expected words without NUL characters"
    elif sink.command and not sink.command[0].startswith("/"):
        first = sink.command[0][:60]
        yield f"{path}.command: expected the program's full path first, not {first!r}"
    elif sink.enabled and not sink.command:
        yield f"{path}.command: expected a program and its arguments, or enabled = false"
