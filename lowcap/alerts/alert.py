"""An alert, the events that raise one, and how it reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from lowcap.core.clock import iso_ms
from lowcap.core.plain import plain

LEVELS = ("debug", "info", "warning", "error", "critical")
CRITICAL = LEVELS.index("critical")
TITLE_LENGTH_MAX = 120
SINKS_MAX = 8  # enabled at once


class Event(Struct, frozen=True):
    """What may be told. ``apart``: alerts about different subjects are never drawn together."""

    meaning: str
    apart: bool = False


EVENTS: dict[str, Event] = {
    "signal": Event("a trigger fired, with the headline", apart=True),
    "order.filled": Event("an order of ours was filled: side, amount, price, result", apart=True),
    "order.refused": Event("the gate or the venue refused an order", apart=True),
    "order.unknown": Event("an order may or may not be at the venue; then: how it ended"),
    "position.closed": Event("a position is flat again, with its result", apart=True),
    "position.forced": Event("the venue closed a position by force", apart=True),
    "stop.missing": Event("a position without its stop is being closed", apart=True),
    "stop.moved": Event("an operator moved a stop", apart=True),
    "trading.halted": Event("only closing is possible until somebody resumes", apart=True),
    "trading.panic": Event("everything is being closed"),
    "trading.paused": Event("an operator paused entries"),
    "trading.resumed": Event("a halt or pause was lifted"),
    "trading.armed": Event("live trading was armed or disarmed"),
    "limit.breached": Event("a loss limit halted trading, or turned a trigger off", apart=True),
    "margin.high": Event("the venue warns of the margin: close to liquidation", apart=True),
    "feed.lost": Event("a news source is gone"),
    "feed.stale": Event("a news source is connected and says nothing"),
    "feed.back": Event("a news source that was lost or stale is back"),
    "venue.lost": Event("a road to the venue, its prices or its clock cannot be relied on"),
    "venue.back": Event("what was lost of the venue is back"),
    "latency.breach": Event("our own work from frame to order took too long"),
    "breaker.open": Event("a circuit breaker opened"),
    "breaker.closed": Event("a circuit breaker closed again"),
    "config.changed": Event("a changed configuration took effect"),
    "switched": Event("a trigger, feed, symbol or alert sink was switched on or off"),
    "reconcile.differs": Event("belief and venue differed, and what was put right"),
    "session.opened": Event("a user connected for the first time in this run"),
    "session.denied": Event("somebody was refused a connection or a command"),
    "command": Event("an operator's command that changes something"),
    "daemon.started": Event("the daemon started; live mode comes back disarmed"),
    "daemon.ready": Event("recovery is over: belief and venue agree"),
    "daemon.stopped": Event("the daemon ended in order"),
    "notify.dead": Event("another alert sink was given up"),
    "alarm": Event("anything else that a person should look at"),
    "summary": Event("the day in one line, at notify.daily"),
    "digest": Event("what was held back in quiet hours"),
    "message": Event("words of an operator, by notify send or notify test"),
}


class Alert(Struct, frozen=True, kw_only=True):
    """One thing to tell. ``seq`` is its ledger record, 0 where there is none.

    ``subject`` is what it is about (a symbol, a feed), ``quote`` somebody
    else's words, ``fields`` the same facts for programs, ``more`` how many
    others like it this one stands for.
    """

    event: str
    level: str
    title: str
    text: str
    at_ms: int
    seq: int = 0
    subject: str = ""
    hint: str = ""
    quote: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    more: int = 0

    @property
    def rank(self) -> int:
        """How severe, as a number that grows."""
        return LEVELS.index(self.level)


def selects(patterns: Iterable[str], event: str) -> bool:
    """Whether a list of events names ``event``: itself, or its family as ``feed.*``."""
    family = event.partition(".")[0] + ".*"
    return any(pattern in (event, family) for pattern in patterns)


def is_pattern(pattern: str) -> bool:
    """Whether a pattern names any event."""
    return any(selects((pattern,), event) for event in EVENTS)


def title_of(alert: Alert, mode: str) -> str:
    """The headline of a message: nobody shall take paper for money, or the reverse."""
    return plain(f"{mode.upper()} {alert.title}", TITLE_LENGTH_MAX)


def lines_of(alert: Alert) -> list[str]:
    """The body of a message: each line is one harmless line, whatever a headline holds."""
    text = alert.text
    if alert.more:
        text = f"{alert.more} more of these, the last: {text}"
    lines = [text]
    if alert.quote:
        lines.append(f"“{plain(alert.quote)}”")
    if alert.hint:
        lines.append(f"hint: {alert.hint}")
    lines.append(f"{alert.level}, {iso_ms(alert.at_ms)[:19]}Z")
    return [plain(line, 1_000) for line in lines]
