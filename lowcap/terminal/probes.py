"""Yes or no by exit code, and waiting for a yes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lowcap.control.client import CallFailed, Connection, Unreachable
from lowcap.control.protocol import Json
from lowcap.core.errors import CommandError
from lowcap.core.plain import plain
from lowcap.terminal.options import TIMEOUT_S, Options
from lowcap.terminal.output import finish, json_text, say

EXIT_NO = 3
WAIT_S = 60.0
# Fewer than the requests a minute that a session may make.
ASK_EVERY_S = 0.4
CONNECTED = ("up", "stale")
ENDED = ("filled", "cancelled", "expired", "rejected", "denied", "absent")

Why = Callable[[Json], list[str]]


# -- what an answer says, pure --------------------------------------------------


def why_not_armed(status: Json) -> list[str]:
    """Why no order may be sent; nothing where it may."""
    return [] if status["armed"] else [f"{status['mode']} mode is not armed"]


def why_not_flat(status: Json) -> list[str]:
    """What is open, or may be."""
    counts = (
        (status["positions"], "open positions"),
        (status["unknown_orders"], "orders with an unknown outcome"),
        (status["open_orders"], "open orders"),
    )
    found = [f"{count} {what}" for count, what in counts if count]
    return found if status["recovered"] else [*found, "still recovering"]


def why_not_healthy(health: Json) -> list[str]:
    """What is not as it should be, by the reply of ``health``."""
    return [f"{row['name']}: {row['text']}" for row in health["components"] if not row["ok"]]


# -- yes or no -----------------------------------------------------------------


def is_armed(params: Json, options: Options) -> int:
    """Exit 0 if orders may be sent, else 3; nothing is printed but JSON on request."""
    return _probe("armed", "status", why_not_armed, options)


def is_flat(params: Json, options: Options) -> int:
    """Exit 0 if nothing is open, else 3."""
    return _probe("flat", "status", why_not_flat, options)


def is_healthy(params: Json, options: Options) -> int:
    """Exit 0 if all is as it should be, else 3."""
    return _probe("healthy", "health", why_not_healthy, options)


def _probe(word: str, method: str, why: Why, options: Options) -> int:
    timeout_s = TIMEOUT_S if options.timeout_s is None else options.timeout_s or None
    try:
        connection = Connection(options.places(), timeout_s)
        try:
            answer: Any = connection.call(method, {})
            reasons = why(answer)
        finally:
            connection.close()
    except Unreachable as away:
        reasons = [away.message]
    except CallFailed as failure:
        if failure.code != "starting":
            raise
        reasons = [failure.message]
    if options.as_json:
        say(json_text({word: not reasons, "why": reasons}))
        finish()
    return EXIT_NO if reasons else 0


def _status(connection: Connection) -> Any:  # noqa: ANN401
    return connection.call("status", {})


# -- waiting -------------------------------------------------------------------


def wait(params: Json, options: Options) -> int:
    """Wait for what ``params`` name, 60 s unless --timeout says otherwise (0: for ever).

    Raises:
        CallFailed: it did not come in time, or it cannot come any more.
        CommandError: there is no such thing to wait for.
    """
    what, name = params["what"], str(params.get("name") or "")
    if (what in ("feed", "order")) != bool(name):
        form = f"wait {what} NAME" if not name else f"wait {what}"
        raise CommandError(f"wait {what}: {'which one?' if not name else 'no name'}", hint=form)
    wait_s = WAIT_S if options.timeout_s is None else options.timeout_s
    until_s = time.monotonic() + wait_s if wait_s else None
    ask = {"ready": _ready, "flat": _flat, "feed": _feed, "order": _order}[what]
    connection: Connection | None = None
    why = "nothing was heard"
    try:
        while True:
            left_s = TIMEOUT_S if until_s is None else until_s - time.monotonic()
            if left_s <= 0:
                raise CallFailed(f"wait {what} {name}".rstrip() + f": {plain(why)}",
                                 hint="lowcapctl status", code="timeout")  # fmt: skip
            try:
                connection = connection or Connection(options.places(), min(left_s, TIMEOUT_S))
                why = ask(connection, name)
            except Unreachable as away:
                connection, why = None, away.message
            except CallFailed as failure:
                if failure.code not in ("starting", "busy"):
                    raise
                why = failure.message
            if not why:
                return 0
            time.sleep(ASK_EVERY_S if until_s is None else max(0.0, min(ASK_EVERY_S, left_s)))
    finally:
        if connection is not None:
            connection.close()


def _ready(connection: Connection, name: str) -> str:
    status = _status(connection)
    if not status["recovered"]:
        return "still recovering"
    return "" if status["venue"]["order_socket"] == "up" else "the order connection is down"


def _flat(connection: Connection, name: str) -> str:
    return "; ".join(why_not_flat(_status(connection)))


def _feed(connection: Connection, name: str) -> str:
    feeds = {feed["name"]: feed for feed in _status(connection)["feeds"]}
    if name not in feeds:
        raise CommandError(
            f"no feed {name!r}", hint="one of " + (", ".join(feeds) or "none: all are off")
        )
    feed = feeds[name]
    return "" if feed["state"] in CONNECTED else f"{name} is {feed['state']}: {feed['why']}"


def _order(connection: Connection, name: str) -> str:
    rows: Any = connection.call("orders", {"id": name})
    if not rows:
        raise CallFailed(f"no order {name}", hint="lowcapctl orders", code="not-found")
    status = rows[-1]["status"]
    if status == "filled":
        return ""
    if status in ENDED:
        reason = f": {rows[-1]['reason']}" if rows[-1]["reason"] else ""
        raise CallFailed(f"order {name} has ended {status}{reason}", hint="lowcapctl orders",
                         code="not-filled")  # fmt: skip
    return f"{name} is {status}"
