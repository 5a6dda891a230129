"""What the daemon does for operators about news: triggers, feeds, trials, captures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import trio
import trio.lowlevel
from msgspec import to_builtins

from lowcap.actions import Parts
from lowcap.control.commands import parse_duration_s
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core import facts
from lowcap.core.clock import iso_ms
from lowcap.core.errors import CommandError
from lowcap.core.facts import Record
from lowcap.core.plain import plain
from lowcap.detection.trigger import Trigger
from lowcap.rehearse import Asked, item_of, rehearse
from lowcap.rows import feed_row, trigger_row

# Judging takes its time, and real news waits for it.
TRIAL_CHARACTERS_MAX = 8_192
Json = dict[str, Any]


class NewsCommands:
    """The handlers, and the counts by trigger that ``trigger stats`` shows."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        # By trigger: signals, and why it did not fire on what came near.
        self._signals: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = {}
        self._trades: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._raised: dict[int, str] = {}
        self.handlers: dict[str, Handler] = {
            "triggers": self._triggers,
            "trigger": self._trigger,
            "try": self._try,
            "feed": self._feed,
            "captures": self._captures,
            "caps": self._caps,
        }

    def read(self, record: Record) -> None:
        """Take a ledger record in, for the counts."""
        match record.body:
            case facts.SignalRaised() as fact:
                self._signals[fact.trigger] += 1
                self._raised = {record.seq: fact.trigger}
            case facts.OrderIntended(purpose="entry", retry_of="") if record.cause in self._raised:
                self._trades[self._raised[record.cause]] += 1
            case facts.Refused() as fact if fact.trigger:
                self._refused[fact.trigger] += 1
            case facts.NewsSeen(decision="no-trade") as fact:
                for miss in fact.misses:
                    self._reasons.setdefault(miss.trigger, Counter())[miss.reason] += 1
            case _:
                return

    # -- triggers -------------------------------------------------------------

    async def _triggers(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        return [self._row(parts, trigger) for trigger in parts.desk.settings.trigger]

    def _row(self, parts: Parts, trigger: Trigger) -> Json:
        return trigger_row(
            trigger,
            on=trigger.id in parts.flow.enabled,
            why_off=_why_off(parts, trigger),
            signals=self._signals[trigger.id],
        )

    async def _trigger(self, params: Json, peer: Peer) -> Any:  # noqa: ANN401  # JSON
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        action, name = str(params.get("action")), str(params.get("id") or "")
        if action == "stats" and not name:
            return [self._stats(trigger) for trigger in parts.desk.settings.trigger]
        trigger = _trigger_named(parts, name)
        match action:
            case "show":
                table: Json = to_builtins(_plain_table(trigger))
                return self._row(parts, trigger) | {"table": table}
            case "stats":
                return [self._stats(trigger)]
            case "test":
                asked = _asked(params, trigger.feeds[0])
                return rehearse(parts, item_of(asked, parts), trigger.id)
            case _:
                return self._switch(parts, trigger, action == "enable", params, peer)

    def _stats(self, trigger: Trigger) -> Json:
        return {
            "id": trigger.id,
            "signals": self._signals[trigger.id],
            "trades": self._trades[trigger.id],
            "refused": self._refused[trigger.id],
            "near_misses": dict(self._reasons.get(trigger.id, Counter()).most_common(8)),
        }

    def _switch(self, parts: Parts, trigger: Trigger, on: bool, params: Json, peer: Peer) -> Json:
        desk = parts.desk
        if on and not trigger.enabled:
            raise CommandError(
                f"{trigger.id} is off in the configuration",
                hint="set enabled = true there, then lowcapctl reload",
                code="refused",
            )
        if on and trigger.stand_in and desk.mode == "live":
            raise CommandError(
                f"{trigger.id} uses invented ids, so it stays off in live mode",
                hint="write the real ids into the configuration, stand_in = false, then reload",
                code="refused",
            )
        who, reason = f"uid {peer.uid}", plain(str(params.get("reason") or ""))
        _note(parts, "trigger", params, peer)
        desk.record(
            facts.Switched(kind="trigger", name=trigger.id, enabled=on, who=who, reason=reason)
        )
        desk.ledger.sync_now()
        parts.flow.refresh_enabled()
        return self._row(parts, trigger)

    async def _try(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        return rehearse(parts, item_of(_asked(params, ""), parts))

    # -- feeds ----------------------------------------------------------------

    async def _feed(self, params: Json, peer: Peer) -> Any:  # noqa: ANN401  # JSON
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        action, name = str(params.get("action")), str(params.get("name") or "")
        session = parts.intake.session(name)
        match action:
            case "show":
                feed = parts.desk.settings.feed[name]
                listening = [t.id for t in parts.desk.settings.trigger if name in t.feeds]
                return feed_row(session, parts.desk.now_ms()) | {
                    "format": feed.format,
                    "auth": feed.auth,
                    "host": feed.url.partition("?")[0],
                    "hold_open": feed.hold_open,
                    "latencies_ms": list(session.status.latencies_ms)[-20:],
                    "triggers": listening,
                }
            case "tail":
                return []
            case "reconnect":
                _note(parts, "feed", params, peer)
                session.reconnect(f"uid {peer.uid} asked for it")
            case _:
                _note(parts, "feed", params, peer)
                reason = plain(str(params.get("reason") or ""))
                parts.intake.switch(name, action == "enable", f"uid {peer.uid}", reason)
                parts.desk.ledger.sync_now()
                await trio.lowlevel.checkpoint()
        return feed_row(session, parts.desk.now_ms())

    # -- captures, capitalisations, configuration -------------------------------

    async def _captures(self, params: Json, peer: Peer) -> Any:  # noqa: ANN401  # JSON
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        recorder, action = parts.intake.recorder, str(params.get("action"))
        if action == "list":
            return [to_builtins(file) for file in recorder.captures()]
        if action == "record":
            names = [name for name in str(params.get("feeds") or "").split(",") if name]
            for name in names:
                parts.intake.session(name)
            until_ms = None
            if (wanted := params.get("for")) is not None:
                try:
                    until_ms = parts.desk.now_ms() + parse_duration_s(str(wanted)) * 1000
                except ValueError:
                    raise CommandError(
                        f"{wanted!r} is no duration up to 30 days", hint="30s, 30m or 2h"
                    ) from None
            _note(parts, "captures", params, peer)
            recorder.start(names, until_ms)
        elif action == "stop":
            _note(parts, "captures", params, peer)
            recorder.stop()
        return to_builtins(recorder.status())

    async def _caps(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        if params.get("refresh"):
            parts.caps.refresh()
        status, table = parts.caps.status, parts.caps.table
        now_ms = parts.desk.now_ms()
        row: Json = {
            "state": status.state if parts.desk.settings.caps.enabled else "off",
            "usable": table.is_usable(now_ms),
            "coins": len(table.usd),
            "age_s": table.age_ms(now_ms) // 1000 if table.loaded_ms else None,
            "last": iso_ms(status.last_ms) if status.last_ms else None,
            "calls": status.calls,
            "why": status.why or status.cache_why,
        }
        if ticker := str(params.get("symbol") or "").upper():
            coins = parts.flow.detector.coins
            ticker = coins.ticker(ticker) or ticker
            known = table.usd.get(ticker)
            row |= {
                "coin": ticker,
                "symbol": coins.symbol(ticker),
                "cap_usd": None if known is None else f"{known:f}",
            }
        return row


def _note(parts: Parts, method: str, params: Json, peer: Peer) -> None:
    """Record who asked for what."""
    text = plain(", ".join(f"{key}={value}" for key, value in params.items() if value))
    parts.desk.record(facts.CommandReceived(method=method, params=text, uid=peer.uid, pid=peer.pid))


def _trigger_named(parts: Parts, name: str) -> Trigger:
    for trigger in parts.desk.settings.trigger:
        if trigger.id == name:
            return trigger
    raise CommandError(f"no trigger {name[:60]!r}", hint="lowcapctl triggers", code="not-found")


def _why_off(parts: Parts, trigger: Trigger) -> str:
    if trigger.id in parts.flow.enabled:
        return ""
    if not trigger.enabled:
        return "off in the configuration"
    if trigger.stand_in and parts.desk.mode == "live":
        return "uses invented ids"
    return parts.desk.book.state.guards.triggers_off.get(trigger.id) or "switched off"


def _asked(params: Json, feed: str) -> Asked:
    for name in ("text", "author", "source", "file"):
        if len(str(params.get(name) or "")) > TRIAL_CHARACTERS_MAX:
            raise CommandError(
                f"{name} is longer than {TRIAL_CHARACTERS_MAX} characters",
                hint="lowcapd detect judges frames of any length",
            )
    return Asked(
        feed=str(params.get("feed") or feed),
        text=str(params.get("text") or ""),
        author=str(params.get("author") or ""),
        source=str(params.get("source") or ""),
        frame=str(params.get("file") or ""),
    )


def _plain_table(trigger: Trigger) -> Json:
    """A trigger's table as plain values."""
    import attrs

    table: Json = attrs.asdict(trigger)
    table["notional_usd"] = {symbol: f"{usd:f}" for symbol, usd in trigger.notional_usd.items()}
    return table
