"""What the daemon answers to each command of the control protocol."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any, Protocol

import trio
from msgspec import Struct, to_builtins

from lowcap import __version__
from lowcap.binance.venue import Venue
from lowcap.control.commands import parse_duration_s
from lowcap.control.peer import Peer
from lowcap.control.protocol import PROTOCOL
from lowcap.control.server import Handler
from lowcap.core import facts
from lowcap.core.clock import iso_ms
from lowcap.core.errors import CommandError, LowcapError
from lowcap.core.facts import Record
from lowcap.core.messages import TradingState
from lowcap.core.money import ZERO
from lowcap.execution.closing import Closed, close_share
from lowcap.execution.desk import Desk
from lowcap.execution.keeper import Keeper
from lowcap.feeds.session import FeedSession
from lowcap.flow import Flow
from lowcap.observe.logs import LogRing
from lowcap.observe.traces import TraceIndex
from lowcap.risk.gate import gross_exposure
from lowcap.rows import event_of, feed_row, order_row, position_row, stop_of, unrealized

EVENTS_KEPT = 10_000
OPERATOR_PAUSE, OPERATOR_HALT, PANIC = "operator-pause", "operator-halt", "panic"
DAY_LOSS = "day-loss"
LATCHED = (OPERATOR_HALT, PANIC, DAY_LOSS)

Json = dict[str, Any]


class Parts(Struct, kw_only=True):
    """The rooms that commands look into."""

    desk: Desk
    venue: Venue
    keeper: Keeper
    flow: Flow
    feeds: list[FeedSession]
    traces: TraceIndex
    ring: LogRing
    config_hash: str
    started_ms: int


class Publisher(Protocol):
    """Where events go: everybody who follows."""

    def publish(self, kind: str, value: Json) -> None:
        """Push one value."""
        ...


class Commands:
    """The handlers by method name, and the events that sessions may follow."""

    def __init__(self) -> None:
        self.parts: Parts | None = None
        self.publisher: Publisher | None = None
        self._events: deque[Json] = deque(maxlen=EVENTS_KEPT)
        self._hits: dict[str, int] = {}
        self._own_work_us: deque[float] = deque(maxlen=1_000)
        self.handlers: dict[str, Handler] = {
            "status": self._status,
            "positions": self._positions,
            "orders": self._orders,
            "feeds": self._feeds,
            "triggers": self._triggers,
            "explain": self._explain,
            "events": self._events_of,
            "logs": self._logs,
            "pause": self._pause,
            "resume": self._resume,
            "halt": self._halt,
            "panic": self._panic,
            "close": self._close,
            "arm": self._arm,
            "disarm": self._disarm,
            "version": self._version,
        }

    # -- what the control server asks of us -----------------------------------

    def hello(self) -> Json:
        """The greeting: versions and which run this is."""
        run = self.parts.desk.ledger.run if self.parts else 0
        return {"protocol": PROTOCOL, "version": __version__, "run": run}

    def read(self, record: Record) -> None:
        """Take a ledger record in: for followers, and for the figures of ``status``."""
        if isinstance(record.body, facts.SignalRaised):
            trigger = record.body.trigger
            self._hits[trigger] = self._hits.get(trigger, 0) + 1
        if isinstance(record.body, facts.OrderSent) and record.body.stages_us:
            self._own_work_us.append(sum(record.body.stages_us.values()))
        event = event_of(record)
        self._events.append(event)
        if self.publisher is not None:
            self.publisher.publish("events", event)

    def _ready(self) -> Parts:
        if self.parts is None:
            raise CommandError("the daemon is still starting", hint="try again", code="starting")
        return self.parts

    # -- looking --------------------------------------------------------------

    async def _status(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        desk, now_ms = parts.desk, parts.desk.now_ms()
        own = sorted(self._own_work_us)
        positions = desk.book.open_positions()
        return {
            "mode": desk.mode,
            "state": desk.state().value,
            "armed": desk.armed,
            "recovered": parts.keeper.recovered.is_set(),
            "holds": [
                {
                    "name": hold.name,
                    "state": hold.state.value,
                    "reason": hold.reason,
                    "who": hold.who,
                    "since": iso_ms(hold.since_ms),
                    "until": iso_ms(hold.until_ms) if hold.until_ms else None,
                }
                for hold in desk.book.state.holds.values()
            ],
            "feeds_up": sum(1 for feed in parts.feeds if feed.status.state == "up"),
            "feeds": [feed_row(feed, now_ms) for feed in parts.feeds],
            "positions": len(positions),
            "symbols": sorted(p.symbol for p in positions),
            "unprotected": sum(1 for p in positions if not stop_of(desk, p)),
            "unrealized_usd": str(sum((unrealized(desk, p) for p in positions), ZERO)),
            "gross_usd": f"{gross_exposure(desk.book, desk.quotes):.2f}",
            "open_orders": len(desk.book.open_orders()),
            "unknown_orders": len(desk.book.unknown_orders()),
            "day": {
                "result_usd": f"{desk.book.day_result():.2f}",
                "closed": desk.book.state.day_trades,
                "wins": desk.book.state.day_wins,
            },
            "wallet_usdt": f"{parts.venue.wallet_usdt:.2f}",
            "margin_available_usd": f"{desk.margin_available():.2f}",
            "venue": {
                "order_socket": "up" if parts.venue.socket.is_up else "down",
                "round_trip_ms": round(parts.venue.round_trip_ms, 2),
                "clock_offset_ms": parts.venue.offset_ms,
                "contracts": len(parts.venue.contracts),
                "prepared": len(parts.venue.leverage),
            },
            "own_work_us": {
                "trades": len(own),
                "p50": round(own[len(own) // 2], 1) if own else None,
                "p99": round(own[int(len(own) * 0.99)], 1) if own else None,
            },
            "ledger": {
                "run": desk.ledger.run,
                "seq": desk.ledger.last_seq,
                "fault": desk.ledger.broken,
            },
            "frames_unrecorded": parts.flow.unrecorded,
            "uptime_s": (now_ms - parts.started_ms) // 1000,
            "version": __version__,
            "config_hash": parts.config_hash,
            "now": iso_ms(now_ms),
        }

    async def _positions(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        return [position_row(desk, p) for p in desk.book.open_positions()]

    async def _orders(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        orders = desk.book.open_orders() if params.get("open") else list(desk.book.orders.values())
        return [order_row(order) for order in orders[-_count(params, 100) :]]

    async def _feeds(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        return [feed_row(feed, parts.desk.now_ms()) for feed in parts.feeds]

    async def _triggers(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        return [
            {
                "id": trigger.id,
                "on": trigger.id in parts.flow.enabled,
                "feeds": list(trigger.feeds),
                "side": trigger.side.value,
                "matcher": trigger.matcher,
                "tier": trigger.tier,
                "max_age_s": trigger.max_age_s,
                "cooldown_s": trigger.cooldown_s,
                "signals": self._hits.get(trigger.id, 0),
            }
            for trigger in parts.desk.settings.trigger
        ]

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
            except (TypeError, ValueError):
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
        kind, since = params.get("type"), params.get("since")
        found = [
            event
            for event in self._events
            if (not kind or event["kind"] == kind) and (since is None or event["seq"] > int(since))
        ]
        return found if since is not None else found[-_count(params, 20) :]

    async def _logs(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        return self._ready().ring.select(
            _count(params, 50), str(params.get("priority") or ""), str(params.get("grep") or "")
        )

    async def _version(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        return {"daemon": __version__, "protocol": PROTOCOL}

    # -- stopping and going on ------------------------------------------------

    def _note(self, method: str, params: Json, peer: Peer) -> str:
        """Record who asked for what; returns the name to record with its effects."""
        desk = self._ready().desk
        text = ", ".join(f"{key}={value}" for key, value in params.items() if value)
        desk.record(facts.CommandReceived(method=method, params=text, uid=peer.uid, pid=peer.pid))
        return f"uid {peer.uid}"

    async def _pause(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        until_ms = 0
        if wanted := params.get("for"):
            try:
                until_ms = desk.now_ms() + parse_duration_s(str(wanted)) * 1000
            except ValueError:
                raise CommandError(f"{wanted!r} is no duration", hint="30s, 30m or 2h") from None
        who = self._note("pause", params, peer)
        reason = str(params.get("reason") or "paused")
        desk.place_hold(OPERATOR_PAUSE, TradingState.REDUCING, reason, who, until_ms)
        desk.ledger.sync_now()
        return {"state": desk.state().value, "until": iso_ms(until_ms) if until_ms else None}

    async def _halt(self, params: Json, peer: Peer) -> Json:
        parts = self._ready()
        who = self._note("halt", params, peer)
        reason = str(params.get("reason") or "halted")
        parts.desk.place_hold(OPERATOR_HALT, TradingState.HALTED, reason, who)
        cancelled = await parts.keeper.cancel_entries()
        return {"state": parts.desk.state().value, "entries_cancelled": cancelled}

    async def _resume(self, params: Json, peer: Peer) -> Json:
        parts = self._ready()
        desk = parts.desk
        reason = str(params.get("reason") or "")
        latched = [name for name in LATCHED if name in desk.book.state.holds]
        if latched:
            if not reason:
                raise CommandError(
                    f"resuming after {', '.join(latched)} needs a reason",
                    hint='resume --reason "why it is safe again"',
                )
            if desk.flattening:
                raise CommandError("a panic is still closing positions", code="refused")
            found = await parts.keeper.reconcile("resume", record_always=True)
            if found.differences:
                raise CommandError(
                    "belief and venue differ: " + "; ".join(found.differences[:3]),
                    hint="they are being put right; try again in a few seconds",
                    code="refused",
                )
        who = self._note("resume", params, peer)
        for name in (OPERATOR_PAUSE, *LATCHED):
            desk.lift_hold(name, reason or "resumed", who)
        desk.ledger.sync_now()
        left = sorted(desk.book.state.holds)
        return {"state": desk.state().value, "holds": left}

    async def _panic(self, params: Json, peer: Peer) -> Json:
        parts = self._ready()
        desk = parts.desk
        if not params.get("confirm"):
            raise _confirmation("panic", "FLATTEN", desk)
        who = self._note("panic", params, peer)
        desk.place_hold(PANIC, TradingState.HALTED, str(params.get("reason") or "panic"), who)
        done = trio.Event()
        closed: list[Closed] = []

        async def flatten() -> None:
            closed.append(await parts.keeper.panic(bool(params.get("all"))))
            done.set()

        # It belongs to the venue: an operator who hangs up does not stop it.
        parts.keeper.start(flatten)
        await done.wait()
        return _closed_reply(desk, closed[0])

    async def _close(self, params: Json, peer: Peer) -> Json:
        parts = self._ready()
        desk = parts.desk
        symbol = str(params.get("symbol") or "").upper()
        if not symbol and not params.get("all"):
            raise CommandError("close what?", hint="close SYMBOL, or close --all")
        if symbol and not symbol.endswith("USDT"):
            symbol += "USDT"
        if symbol and desk.book.position(symbol).own_qty == ZERO:
            raise CommandError(
                f"there is no position in {symbol}", hint="positions", code="not-found"
            )
        if not params.get("confirm"):
            raise _confirmation("close", "CLOSE", desk, symbol)
        self._note("close", params, peer)
        if symbol and params.get("pct") is not None:
            return await self._close_share(parts, symbol, params["pct"])
        done = trio.Event()
        closed: list[Closed] = []

        async def close() -> None:
            keeper = parts.keeper
            closed.append(await (keeper.close_symbol(symbol) if symbol else keeper.close_all()))
            done.set()

        parts.keeper.start(close)
        await done.wait()
        return _closed_reply(desk, closed[0])

    async def _close_share(self, parts: Parts, symbol: str, pct: object) -> Json:
        try:
            share = Decimal(str(pct))
        except ArithmeticError:
            share = ZERO
        if not 0 < share <= 100:
            raise CommandError(f"--pct {pct}: expected more than 0 and at most 100")
        qty = await close_share(parts.desk, parts.venue, symbol, share)
        left = parts.desk.book.position(symbol).own_qty
        return {"symbol": symbol, "closed_qty": str(qty), "left_qty": str(left)}

    async def _arm(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        if not params.get("confirm"):
            raise _confirmation("arm", "ARM", desk)
        self._note("arm", params, peer)
        desk.armed = True
        return {"armed": True, "mode": desk.mode}

    async def _disarm(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        self._note("disarm", params, peer)
        desk.armed = False
        return {"armed": False, "mode": desk.mode}


def _confirmation(what: str, word: str, desk: Desk, symbol: str = "") -> LowcapError:
    positions = [p for p in desk.book.open_positions() if symbol in ("", p.symbol)]
    count = f" {len(positions)}" if what != "arm" else ""
    return CommandError(
        f"{what} would act on {len(positions)} positions, "
        f"{gross_exposure(desk.book, desk.quotes):,.0f} USD notional",
        hint=f"type {word}{count} to go on, or use --yes",
        code="confirm",
    )


def _closed_reply(desk: Desk, closed: Closed) -> Json:
    reply: Json = to_builtins(closed)
    if closed.foreign or not closed.flat:
        raise CommandError(
            f"not ours and left alone: {', '.join(closed.foreign)}"
            if closed.flat
            else "not flat yet",
            hint="panic --all takes everything" if closed.flat else "lowcapctl status",
            code="partial",
        )
    return reply | {"state": desk.state().value}


def _count(params: Json, default: int) -> int:
    try:
        return max(1, int(params.get("count") or default))
    except (TypeError, ValueError):
        raise CommandError(f"--count {params['count']!r} is no number") from None
