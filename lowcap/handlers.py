"""What the daemon answers to each command of the control protocol."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from platform import python_version
from typing import Any, Protocol

import trio
from loguru import logger

from lowcap import __version__
from lowcap.account_commands import AccountCommands
from lowcap.actions import (
    LATCHED,
    OPERATOR_PAUSE,
    PANIC,
    Actions,
    Parts,
    whole_number,
)
from lowcap.config_commands import ConfigCommands
from lowcap.config_rows import config_row
from lowcap.control.logquery import moment_of
from lowcap.control.peer import Peer
from lowcap.control.protocol import EXIT_OF_CODE, PROTOCOL
from lowcap.control.select import Keep, keep_for
from lowcap.control.server import Done, Handler
from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS, iso_ms
from lowcap.core.errors import CommandError
from lowcap.core.facts import Record
from lowcap.core.money import ZERO
from lowcap.core.plain import plain
from lowcap.core.stopword import OPERATOR_HALT
from lowcap.gauge_commands import GaugeCommands
from lowcap.guard_commands import GuardCommands, breaker_rows
from lowcap.intake import CONNECTED
from lowcap.log_commands import LogCommands
from lowcap.money_commands import MoneyCommands
from lowcap.news_commands import NewsCommands
from lowcap.notify_commands import NotifyCommands, status_row
from lowcap.order_commands import OrderCommands
from lowcap.position_commands import PositionCommands
from lowcap.reconcile_commands import ReconcileCommands
from lowcap.risk.book import Book
from lowcap.risk.gate import gross_exposure
from lowcap.risk_commands import RiskCommands
from lowcap.rows import (
    event_of,
    feed_row,
    foreign_rows,
    hold_row,
    position_row,
    stop_of,
    unrealized,
)
from lowcap.session_commands import SessionCommands, Sessions

EVENTS_KEPT, COMMANDS_KEPT = 1_500, 1_000
Json = dict[str, Any]

__all__ = ["LATCHED", "OPERATOR_HALT", "OPERATOR_PAUSE", "PANIC", "Commands", "Parts"]


class Publisher(Sessions, Protocol):
    """Where events go: everybody who follows."""

    def publish(self, kind: str, value: Json) -> None:
        """Push one value."""
        ...


class Commands:
    """The handlers by method name, and the events that sessions may follow."""

    def __init__(self) -> None:
        self.parts: Parts | None = None
        self.publisher: Publisher | None = None
        self._records: deque[Record] = deque(maxlen=EVENTS_KEPT)
        self._operators: deque[Record] = deque(maxlen=COMMANDS_KEPT)
        self._news = NewsCommands(self._ready)
        self._sessions = SessionCommands(self._ready, lambda: self.publisher)
        self._orders = OrderCommands(self._ready)
        self._own_work_us: deque[float] = deque(maxlen=1_000)
        self.handlers: dict[str, Handler] = {
            "status": self._status,
            "positions": self._positions,
            "feeds": self._feeds,
            "explain": self._explain,
            "events": self._events_of,
            "version": self._version,
            **Actions(self._ready).handlers,
            **self._news.handlers,
            **self._orders.handlers,
            **PositionCommands(self._ready).handlers,
            **RiskCommands(self._ready).handlers,
            **GuardCommands(self._ready).handlers,
            **MoneyCommands(self._ready).handlers,
            **ReconcileCommands(self._ready).handlers,
            **self._sessions.handlers,
            **GaugeCommands(self._ready).handlers,
            **AccountCommands(self._ready).handlers,
            **LogCommands(self._ready).handlers,
            **NotifyCommands(self._ready).handlers,
            **ConfigCommands(self._ready).handlers,
        }

    # -- what the control server asks of us -----------------------------------

    def hello(self) -> Json:
        """The greeting: versions and which run this is."""
        run = self.parts.desk.ledger.run if self.parts else 0
        return {"protocol": PROTOCOL, "version": __version__, "run": run}

    def on_bug(self, method: str, bug: Exception) -> None:
        """A command ended in an error that nobody foresaw: told in full, and an alarm."""
        told = logger.opt(exception=bug).bind(kind="command.bug")
        told.error("{}", f"command {method} failed: a bug")
        if self.parts is not None:
            text = f"{method}: {type(bug).__name__}: {bug}"
            self.parts.desk.alarm("command-bug", plain(text), "lowcapctl logs")

    def may_enter(self, peer: Peer) -> bool:
        """Whether this user may connect; while we are starting, everybody with a role may."""
        return self.parts is None or self._sessions.may_enter(peer)

    def on_denied(self, peer: Peer, wanted: str) -> bool:
        """Somebody asked for more than is theirs; whether that is to be written down."""
        return self.parts is not None and self._sessions.on_denied(peer, wanted)

    def on_session(self, peer: Peer) -> None:
        """Somebody has come to stay."""
        if self.parts is not None:
            self._sessions.on_session(peer)

    def on_done(self, done: Done) -> None:
        """Record how a command ended, with the client's exit code."""
        if self.parts is None:
            return
        fault = done.reply.get("error")
        code = str(fault["data"]["code"]) if fault else ""
        self.parts.desk.record(
            facts.CommandDone(
                method=plain(done.method, 60),
                uid=done.peer.uid,
                pid=done.peer.pid,
                exit=EXIT_OF_CODE.get(code, 1) if code else 0,
                ms=round(done.took_s * 1000, 3),
                code=code,
                command_line=done.command_line,
            )
        )

    def read(self, record: Record) -> None:
        """Take a ledger record in: for followers, and for the figures of ``status``."""
        self._news.read(record)
        self._orders.read(record)
        if isinstance(record.body, facts.OrderSent) and record.body.stages_us:
            self._own_work_us.append(sum(record.body.stages_us.values()))
        if isinstance(record.body, facts.CommandReceived | facts.CommandDone):
            self._operators.append(record)
        self._records.append(record)
        if self.publisher is not None:
            self.publisher.publish("events", event_of(record))

    def _ready(self) -> Parts:
        if self.parts is None:
            raise CommandError("the daemon is still starting", hint="try again", code="starting")
        return self.parts

    # -- looking --------------------------------------------------------------

    async def _status(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        desk, now_ms = parts.desk, parts.desk.now_ms()
        positions = desk.book.open_positions()
        return {
            "mode": desk.mode,
            "state": desk.state().value,
            "armed": desk.armed,
            "recovered": parts.keeper.recovered.is_set(),
            "holds": [hold_row(hold) for hold in desk.book.state.holds.values()],
            "feeds_up": sum(feed.status.state in CONNECTED for feed in parts.feeds),
            "feeds": [feed_row(feed, now_ms) for feed in parts.feeds],
            "positions": len(positions),
            "symbols": sorted(p.symbol for p in positions),
            "paused_symbols": desk.book.paused_symbols(),
            "foreign": foreign_rows(desk),
            **desk.stop_word.row(),
            "breakers": breaker_rows(desk),
            "alerts": status_row(parts.alerts),
            "unprotected": sum(1 for p in positions if not stop_of(desk, p)),
            "unrealized_usd": str(sum((unrealized(desk, p) for p in positions), ZERO)),
            "gross_usd": f"{gross_exposure(desk.book, desk.quotes):.2f}",
            "open_orders": len(desk.book.open_orders()),
            "unknown_orders": len(desk.book.unknown_orders()),
            "day": _day_row(desk.book),
            "wallet_usdt": f"{parts.venue.wallet_usdt:.2f}",
            "margin_available_usd": f"{desk.margin_available():.2f}",
            "venue": {
                "order_socket": "up" if parts.venue.socket.is_up else "down",
                "round_trip_ms": round(parts.venue.round_trip_ms, 2),
                "clock_offset_ms": parts.venue.offset_ms,
                "contracts": len(parts.venue.contracts),
                "prepared": len(parts.venue.leverage),
                "foreign_events": desk.foreign_events,
                "used": parts.venue.budget.used(parts.venue.venue_ms()),
            },
            "own_work_us": self._own_work(),
            "ledger": {
                "run": desk.ledger.run,
                "seq": desk.ledger.last_seq,
                "fault": desk.ledger.broken,
            },
            "triggers_on": len(parts.flow.enabled),
            "triggers": len(desk.settings.trigger),
            "trigger_ids": [trigger.id for trigger in desk.settings.trigger],
            "judged": dict(parts.flow.counts),
            "frames_unrecorded": parts.flow.unrecorded,
            "batch_waiting": len(parts.flow.batch),
            "recording": parts.intake.recorder.status().recording,
            "uptime_s": (now_ms - parts.started_ms) // 1000,
            "version": __version__,
            "config_hash": parts.config_hash,
            "config": config_row(parts),
            "now": iso_ms(now_ms),
        }

    def _own_work(self) -> Json:
        """Our own work from frame to order, in microseconds."""
        own = sorted(self._own_work_us)
        return {
            "trades": len(own),
            "p50": round(own[len(own) // 2], 1) if own else None,
            "p99": round(own[int(len(own) * 0.99)], 1) if own else None,
        }

    async def _positions(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        return [position_row(desk, p) for p in desk.book.open_positions()]

    async def _feeds(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        return [feed_row(feed, parts.desk.now_ms()) for feed in parts.feeds]

    async def _explain(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        traces = self._ready().traces
        given = params.get("trace")
        if params.get("fastest"):
            root = traces.fastest()
        elif given is None:
            root = traces.last()
        else:
            try:
                root = traces.find(int(given))
            except (TypeError, ValueError, OverflowError):
                raise CommandError(f"{given!r} is no trace number", hint="events -n 20") from None
        if root is None:
            raise CommandError(
                f"no trace {given} is remembered"
                if given is not None
                else "nothing to explain yet",
                hint="events -n 50 shows record numbers",
                code="not-found",
            )
        return traces.explain(root)

    async def _events_of(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        keep, since = keep_for("events", params), params.get("since")
        kept = self._operators if params.get("commands") else self._records
        if since is None:
            return _newest(kept, _count(params, 20), keep)
        is_later = self._later_than(since)
        events = (event_of(record) for record in kept if is_later(record))
        return [event for event in events if keep(event)]

    def _later_than(self, since: object) -> Callable[[Record], bool]:
        """Whether a record comes after a record number, or at a moment or later."""
        if isinstance(since, str) and not since.isdecimal():
            now = datetime.fromtimestamp(self._ready().desk.now_ms() / 1000, UTC)
            from_ns = round(moment_of(since, now).timestamp() * 1000) * NS_PER_MS
            return lambda record: record.ts >= from_ns
        after = whole_number("since", since)
        return lambda record: record.seq > after

    async def _version(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self.parts
        told: Json = {"daemon": __version__, "protocol": PROTOCOL, "python": python_version()}
        if parts is not None:
            told |= {
                "mode": parts.desk.mode,
                "uptime_s": (parts.desk.now_ms() - parts.started_ms) // 1000,
                "config_hash": parts.config_hash,
            }
        return told


def _newest(records: deque[Record], count: int, keep: Keep) -> list[Json]:
    """The last ``count`` events that ``keep`` lets through, oldest first."""
    found: list[Json] = []
    for record in reversed(records):
        event = event_of(record)
        if keep(event):
            found.append(event)
            if len(found) == count:
                break
    return found[::-1]


def _day_row(book: Book) -> Json:
    """The UTC day so far."""
    return {
        "result_usd": f"{book.day_result():.2f}",
        "closed": book.state.day_trades,
        "wins": book.state.day_wins,
    }


def _count(params: Json, default: int) -> int:
    given = params.get("count")
    return max(1, whole_number("count", given)) if given is not None else default
