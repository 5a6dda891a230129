"""What the daemon does for operators about alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import trio
import trio.lowlevel

from lowcap.actions import Parts
from lowcap.alerts.alert import LEVELS, Alert
from lowcap.alerts.office import Alerts, Outlet, rule_of
from lowcap.alerts.outbox import Job
from lowcap.alerts.sink import OFF, WAITING
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.control.words_notify import NOTIFY_ACTIONS, TEST_KINDS
from lowcap.core import facts
from lowcap.core.clock import iso_ms
from lowcap.core.errors import CommandError
from lowcap.core.plain import plain
from lowcap.settings import NotifySink

Json = dict[str, Any]
# Shorter than a one-liner waits for its reply.
ANSWER_S = 8.0
SEND_LENGTH_MAX = 1_000


class NotifyCommands:
    """The handler."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self.handlers: dict[str, Handler] = {"notify": self._notify}

    async def _notify(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        action = _one_of("action", params.get("action"), NOTIFY_ACTIONS) or "status"
        what = str(params.get("what") or "")
        if action == "status":
            return sink_rows(parts.alerts)
        desk = parts.desk
        if action == "test":
            kind = _one_of("kind", params.get("kind"), TEST_KINDS) or "system"
            names = [_named(parts.alerts, what).sink.name] if what else list(parts.alerts.outlets)
            alert = sample(kind, desk.now_ms())
        elif action == "send":
            if not what:
                raise CommandError("send what?", hint='notify send "words" --level warning')
            names = list(parts.alerts.outlets)
            alert = _message(what, params, peer, desk.now_ms())
        else:
            outlet = _named(parts.alerts, what)
            self._note(parts, params, peer)
            return [_switch(parts, outlet, action == "enable", params, peer)]
        if not names:
            raise CommandError(
                "no alert sink is on",
                hint="enable one under notify.sink in the configuration, then reload",
                code="refused",
            )
        self._note(parts, params, peer)
        return await _sent(parts.alerts, names, alert)

    @staticmethod
    def _note(parts: Parts, params: Json, peer: Peer) -> None:
        text = plain(", ".join(f"{key}={value}" for key, value in params.items() if value))
        parts.desk.record(
            facts.CommandReceived(method="notify", params=text, uid=peer.uid, pid=peer.pid)
        )


def sink_rows(alerts: Alerts) -> list[Json]:
    """Every sink of the configuration, those that are off in it too."""
    return [_row(alerts, name, sink) for name, sink in alerts.settings.sink.items()]


def status_row(alerts: Alerts) -> Json:
    """The alerts in one object, for ``status``."""
    sinks = [outlet.sink for outlet in alerts.outlets.values()]
    return {
        "on": sum(not sink.off for sink in sinks),
        "waiting": sum(sink.state == WAITING for sink in sinks),
        "dead": {sink.name: sink.counts.last_error for sink in sinks if sink.dead},
    }


def _row(alerts: Alerts, name: str, settings: NotifySink) -> Json:
    outlet, rule = alerts.outlets.get(name), rule_of(alerts.settings, settings)
    row: Json = {
        "name": name,
        "kind": settings.kind,
        "to": settings.command[0] if settings.command else _host(settings.url),
        "state": OFF,
        "why": "off in the configuration",
        "events": list(rule.events),
        "min_level": rule.min_level,
        "quiet_now": False,
        "coalesce_s": rule.coalesce_ms // 1000,
    }
    if outlet is None:
        return row
    sink, counts = outlet.sink, outlet.sink.counts
    why = "switched off" if sink.off else counts.last_error if sink.dead or sink.waiting else ""
    return row | {
        "state": sink.state,
        "why": plain(why),
        "quiet_now": rule.quiet is not None and rule.quiet.holds(alerts.now_ms()),
        "queued": len(sink.box) + sink.busy,
        "sent": counts.sent,
        "failed": counts.failed,
        "refused": counts.refused,
        "dropped": counts.dropped,
        "drawn_together": outlet.sieve.drawn_together,
        "held_back": outlet.sieve.held,
        "left": counts.left,
        "last_error": plain(counts.last_error),
        "last_error_at": iso_ms(counts.last_error_ms) if counts.last_error_ms else None,
        "last_success_at": iso_ms(counts.last_success_ms) if counts.last_success_ms else None,
    }


def _host(url: str) -> str:
    """Who an address belongs to; its path may be a secret."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] if url else ""


def _named(alerts: Alerts, name: str) -> Outlet:
    """An enabled sink by name.

    Raises:
        CommandError: there is none.
    """
    if name in alerts.outlets:
        return alerts.outlets[name]
    if name in alerts.settings.sink:
        raise CommandError(
            f"sink {name} is off in the configuration",
            hint=f"set notify.sink.{name}.enabled = true there, then lowcapctl reload",
            code="refused",
        )
    known = ", ".join(alerts.settings.sink) or "none is configured"
    shown = plain(name, 40) or "which?"
    raise CommandError(f"no alert sink: {shown}", hint=f"one of {known}", code="not-found")


def _switch(parts: Parts, outlet: Outlet, on: bool, params: Json, peer: Peer) -> Json:
    """Switch a sink on or off; off stays so over restarts, and on also revives a dead one."""
    name, desk = outlet.sink.name, parts.desk
    if on == outlet.sink.off:
        reason = plain(str(params.get("reason") or ""))
        who = f"uid {peer.uid}"
        desk.record(facts.Switched(kind="sink", name=name, enabled=on, who=who, reason=reason))
    parts.alerts.switch(name, on=on)
    return _row(parts.alerts, name, outlet.settings)


async def _sent(alerts: Alerts, names: Iterable[str], alert: Alert) -> list[Json]:
    """Send by each of these sinks, past all rules, and wait a little for what became of it."""
    results: dict[str, str] = {}

    def job(name: str) -> Job:
        def on_end(why: str) -> None:
            results[name] = why or "sent"

        return Job(alert, on_end)

    wanted = list(names)
    for name in wanted:
        alerts.outlets[name].sink.put(job(name))
    with trio.move_on_after(ANSWER_S):
        while len(results) < len(wanted):
            await trio.sleep(0.02)
    return [
        {"name": name, "result": plain(results.get(name) or _still(alerts, name))}
        for name in wanted
    ]


def _still(alerts: Alerts, name: str) -> str:
    outlet = alerts.outlets.get(name)
    why = outlet.sink.counts.last_error if outlet is not None and outlet.sink.waiting else ""
    return f"not sent yet: {why or 'no answer so far'}"


def _message(text: str, params: Json, peer: Peer, at_ms: int) -> Alert:
    level = _one_of("level", params.get("level"), LEVELS) or "info"
    return Alert(
        event="message",
        level=level,
        title="MESSAGE",
        text=f"{plain(text, SEND_LENGTH_MAX)} (uid {peer.uid})",
        at_ms=at_ms,
    )


def sample(kind: str, at_ms: int) -> Alert:
    """A test alert that looks like a real one, and says that it is none."""
    if kind == "trade":
        return Alert(
            event="order.filled",
            level="info",
            title="TEST ENTRY BUY BTCUSDT",
            text="a test, no trade: BUY 0.5 BTCUSDT at 67012.30, 33,506.15 USD, by elon_btc",
            at_ms=at_ms,
            subject="BTCUSDT",
            fields={"symbol": "BTCUSDT", "side": "BUY", "qty": "0.5", "price": "67012.30"},
        )
    if kind == "alert":
        return Alert(
            event="alarm",
            level="error",
            title="TEST ALARM",
            text="a test, nothing is wrong: this is how an alarm looks",
            at_ms=at_ms,
            hint="lowcapctl status",
        )
    return Alert(
        event="message",
        level="info",
        title="TEST",
        text="a test: this sink works",
        at_ms=at_ms,
    )


def _one_of(name: str, given: object, choices: Iterable[str]) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or given not in choices:
        shown = plain(repr(given), 60)
        raise CommandError(f"{name}: {shown} is no choice", hint="one of " + ", ".join(choices))
    return given
