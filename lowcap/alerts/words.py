"""Alerts that one ledger record raises by itself. Pure."""

from __future__ import annotations

from lowcap.alerts.alert import Alert
from lowcap.core import facts
from lowcap.core.facts import Fact

# Codes of alarms that are events of their own; the others are the event "alarm".
_ALARM_EVENTS = {
    "unprotected": ("stop.missing", "critical"),
    "shadow-stop": ("stop.missing", "critical"),
    "trigger-rejected": ("stop.missing", "critical"),
    "forced-close": ("position.forced", "critical"),
    "margin-call": ("margin.high", "critical"),
    "margin-high": ("margin.high", "error"),
    "latency-breach": ("latency.breach", "warning"),
    "trigger-executions": ("limit.breached", "error"),
}
_ALARM_LEVELS = {
    "not-flat": "critical",
    "ledger": "critical",
    "ledger-corrupt": "critical",
    "brackets": "warning",
    "captures": "warning",
    "caps-failing": "warning",
    "caps-stale": "warning",
    "order-socket": "warning",
    "user-stream": "warning",
    "venue-file": "warning",
}
_PANIC, _RISK = "panic", "risk"


def who_words(who: str) -> str:
    """Who did something, for a sentence."""
    return "the daemon itself" if who == "auto" else who


def alarm_alert(fact: facts.AlarmRaised, seq: int, at_ms: int) -> Alert:
    """The alert of an alarm, by its code."""
    usual = ("alarm", _ALARM_LEVELS.get(fact.code, "error"))
    event, level = _ALARM_EVENTS.get(fact.code, usual)
    return Alert(
        event=event,
        level=level,
        title=f"ALARM {fact.code}",
        text=fact.text,
        at_ms=at_ms,
        seq=seq,
        subject=fact.code,
        hint=fact.hint,
        fields={"code": fact.code},
    )


def hold_alert(fact: facts.HoldPlaced, seq: int, at_ms: int) -> Alert:
    """The alert of a halt, a panic or a pause."""
    by = f"by {who_words(fact.who)}: {fact.reason}"
    if fact.state != "HALTED":
        event, level, title, text = "trading.paused", "warning", "PAUSED", f"no new entries, {by}"
    elif fact.name == _PANIC:
        event, level, title = "trading.panic", "critical", "PANIC"
        text = f"everything is being closed, {by}"
    elif fact.who == _RISK:
        event, level, title = "limit.breached", "critical", f"LIMIT {fact.name}"
        text = f"halted: {fact.reason}"
    else:
        event, level, title, text = "trading.halted", "critical", "HALTED", f"{fact.name}, {by}"
    return Alert(
        event=event,
        level=level,
        title=title,
        text=text,
        at_ms=at_ms,
        seq=seq,
        subject=fact.name,
        fields={"hold": fact.name, "state": fact.state.value},
    )


Told = tuple[str, str, str, str, str]  # event, level, title, text, subject


def other_alert(fact: Fact, seq: int, at_ms: int, mode: str) -> Alert | None:
    """The alert of any other fact that is worth one."""
    fields: dict[str, str] = {}
    if isinstance(fact, facts.PositionClosed):
        told, fields = _closed(fact)
    else:
        found = _trading(fact) or _service(fact, mode)
        if found is None:
            return None
        told = found
    event, level, title, text, subject = told
    return Alert(
        event=event,
        level=level,
        title=title,
        text=text,
        at_ms=at_ms,
        seq=seq,
        subject=subject,
        fields=fields,
    )


def _closed(fact: facts.PositionClosed) -> tuple[Told, dict[str, str]]:
    net = fact.realized - fact.fees
    level = "warning" if net < 0 else "info"
    text = f"{fact.symbol} is flat, result {net:+,.2f} USD after {fact.fees:,.2f} USD of fees"
    fields = {"symbol": fact.symbol, "pnl_usd": f"{net:.2f}", "fees_usd": f"{fact.fees:.2f}"}
    return (
        "position.closed",
        level,
        f"CLOSED {fact.symbol} {net:+,.2f}",
        text,
        fact.symbol,
    ), fields


def _trading(fact: Fact) -> Told | None:
    match fact:
        case facts.Refused():
            by = f", by {fact.trigger}" if fact.trigger else ""
            text = (
                f"{fact.side} {fact.symbol}{by}: {fact.check}, {fact.measured} (limit {fact.limit})"
            )
            return "order.refused", "warning", f"REFUSED {fact.symbol}", text, fact.symbol
        case facts.StopMoved():
            text = f"stop of {fact.symbol} to {fact.price:f} by {fact.who}"
            return "stop.moved", "info", f"STOP {fact.symbol}", text, fact.symbol
        case facts.BreakerChanged(state="open"):
            text = f"{fact.name}: {fact.why}; tried again after {fact.rest_ms // 1000} s"
            return "breaker.open", "warning", f"BREAKER {fact.name}", text, fact.name
        case facts.BreakerChanged(state="closed"):
            return "breaker.closed", "info", f"BREAKER {fact.name}", "closed again", fact.name
        case facts.Reconciled(clean=False):
            text = f"{fact.why}: {'; '.join(fact.differences)}"
            return "reconcile.differs", "warning", "DIFFERENCES", text, ""
        case _:
            return None


def _service(fact: Fact, mode: str) -> Told | None:
    match fact:
        case facts.Switched():
            on = "on" if fact.enabled else "off"
            why = f": {fact.reason}" if fact.reason else ""
            text = f"{fact.kind} {fact.name} turned {on} by {who_words(fact.who)}{why}"
            return "switched", "warning", f"{on.upper()} {fact.name}", text, fact.name
        case facts.SinkChanged(state="dead"):
            text = f"alert sink {fact.sink} is given up: {fact.why}"
            return "notify.dead", "error", f"SINK {fact.sink}", text, fact.sink
        case facts.ConfigReloaded():
            changes = [f"{each.key} {each.old} -> {each.new}" for each in fact.changes]
            text = f"by {fact.who}: {', '.join(changes or fact.changed)}"
            return "config.changed", "warning", "CONFIGURATION", text, ""
        case facts.CommandReceived(method="arm" | "disarm" as method):
            text = f"trading {method}ed by uid {fact.uid}"
            return "trading.armed", "warning", f"{method.upper()}ED", text, ""
        case facts.CommandReceived():
            text = f"{fact.method} {fact.params} by uid {fact.uid}"
            return "command", "debug", "COMMAND", text, fact.method
        case facts.RunStarted():
            live = mode == "live"
            armed = "; DISARMED: no entries until lowcapctl arm" if live else ""
            text = f"lowcap {fact.version} started in {fact.mode} mode{armed}"
            return "daemon.started", "warning" if live else "info", "STARTED", text, ""
        case facts.Recovered():
            after = "after a crash" if fact.crashed else "after an orderly end"
            text = (
                f"recovered {after} in {fact.ms} ms: {fact.positions} positions, "
                f"{fact.unknown_settled} unknown outcomes settled"
            )
            return "daemon.ready", "warning" if fact.crashed else "info", "READY", text, ""
        case facts.RunEnded():
            return "daemon.stopped", "warning", "STOPPED", f"the daemon ended: {fact.reason}", ""
        case _:
            return None
