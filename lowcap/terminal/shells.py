"""Completion in bash, zsh and fish: the scripts, and the words that only the daemon knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from lowcap.control.client import Connection
from lowcap.control.commands import COMMANDS
from lowcap.control.protocol import Json
from lowcap.core.errors import LowcapError
from lowcap.terminal.options import Options
from lowcap.terminal.output import finish, say
from lowcap.terminal.topics import TOPICS

PROGRAM, VARIABLE = "lowcapctl", "_LOWCAPCTL_COMPLETE"
# For the greeting and for each reply: whoever presses Tab is waiting.
PATIENCE_S = 0.15


def completion(params: Json, options: Options) -> int:
    """Print the script that a shell reads to complete our commands."""
    made = get_completion_class(params["shell"])
    assert made is not None
    say(made(click.Group(PROGRAM), {}, PROGRAM, VARIABLE).source().strip())
    finish()
    return 0


def words_of_kind(kind: str, context: click.Context, typed: str) -> list[CompletionItem]:
    """Words of a kind that go on from what is typed; none where the daemon is away."""
    if kind == "file":
        return [CompletionItem(typed, type="file")]
    known = _FIXED.get(kind)
    if known is None and kind in _ASKED:
        root = context.find_root().params
        known = _asked(kind, str(root.get("socket") or ""), str(root.get("instance") or ""))
    wanted = typed.lower()
    return [CompletionItem(word) for word in known or () if word.lower().startswith(wanted)]


def _asked(kind: str, socket: str, instance: str) -> list[str]:
    """Words of a kind from the daemon, best first; only such as a shell can take as they are."""
    try:
        places = Options(socket=socket, instance=instance).places()
        connection = Connection(places, PATIENCE_S)
        try:
            found = list(_ASKED[kind](connection))
        finally:
            connection.close()
    except (LowcapError, OSError, KeyError, TypeError):
        return []  # away, slow, too old or too new: a Tab then does nothing
    return [word for word in dict.fromkeys(found) if word.isprintable() and " " not in word]


def _status(connection: Connection) -> Any:  # noqa: ANN401
    return connection.call("status", {})


def _positions(connection: Connection) -> Iterable[str]:
    return map(str, _status(connection)["symbols"])


def _feeds(connection: Connection) -> Iterable[str]:
    return [str(feed["name"]) for feed in _status(connection)["feeds"]]


def _triggers(connection: Connection) -> Iterable[str]:
    return map(str, _status(connection)["trigger_ids"])


def _locks(connection: Connection) -> Iterable[str]:
    """What ``unlock`` may lift: symbols, protections and breakers, no hold of an operator."""
    status = _status(connection)
    held = [hold for hold in status["holds"] if not str(hold["who"]).startswith(("uid ", "auto"))]
    return [
        *map(str, status["paused_symbols"]),
        *(str(row["name"]) for row in [*held, *status["breakers"]]),
    ]


def _traces(connection: Connection) -> Iterable[str]:
    events: Any = connection.call("events", {"count": 20, "type": "SignalRaised"})
    return [str(event["cause"] or event["seq"]) for event in reversed(events)]


def _orders(connection: Connection) -> Iterable[str]:
    orders: Any = connection.call("orders", {"count": 20})
    return [str(order["client_id"]) for order in reversed(orders)]


def _waited(connection: Connection) -> Iterable[str]:
    return [*_feeds(connection), *_orders(connection)]


def _keys(connection: Connection) -> Iterable[str]:
    """Configuration keys; a daemon that has no such list answers with an error."""
    rows: Any = connection.call("config", {"action": "show"})
    return [str(row["key"]) for row in rows]


_ASKED = {
    "position": _positions,
    "symbol": _positions,
    "feed": _feeds,
    "trigger": _triggers,
    "lock": _locks,
    "trace": _traces,
    "id": _orders,
    "waited": _waited,
    "key": _keys,
}
_FIXED: dict[str, list[str]] = {
    "topic": [*(command.name for command in COMMANDS), *TOPICS],
    "by": ["trigger", "symbol", "feed", "day"],
    "priority": ["debug", "info", "warning", "error", "critical"],
    "for": ["30s", "30m", "2h"],
}
