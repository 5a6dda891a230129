"""What the daemon does for operators: stopping, going on, closing, arming."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import trio
from msgspec import Struct, to_builtins

from lowcap.alerts.office import Alerts
from lowcap.binance.venue import Venue
from lowcap.config_runtime import RuntimeConfig
from lowcap.control.commands import parse_duration_s
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core import facts
from lowcap.core.clock import iso_ms
from lowcap.core.errors import BrokenInvariant, CommandError, LowcapError
from lowcap.core.messages import TradingState
from lowcap.core.money import ZERO
from lowcap.core.plain import plain
from lowcap.core.stopword import OPERATOR_HALT
from lowcap.execution.closing import Closed, close_share
from lowcap.execution.desk import VENUE_REFUSES, Desk
from lowcap.execution.guarding import lift, must_not_lift
from lowcap.execution.keeper import Keeper
from lowcap.feeds.caps import CapSession
from lowcap.feeds.session import NewsSession
from lowcap.flow import Flow
from lowcap.gauges import Gauges
from lowcap.intake import Intake
from lowcap.observe.accounts import Accounts
from lowcap.observe.logs import LogRing
from lowcap.observe.traces import TraceIndex
from lowcap.risk.gate import notionals
from lowcap.risk.guard_state import GUARD_HOLDS
from lowcap.settings import Settings

OPERATOR_PAUSE, PANIC = "operator-pause", "panic"
LEDGER_CORRUPT = "ledger-corrupt"
LATCHED = (OPERATOR_HALT, PANIC, *GUARD_HOLDS, LEDGER_CORRUPT, VENUE_REFUSES)

Json = dict[str, Any]
T = TypeVar("T")


class Parts(Struct, kw_only=True):
    """The rooms that commands look into."""

    desk: Desk
    venue: Venue
    keeper: Keeper
    intake: Intake
    caps: CapSession
    reload: Callable[[], tuple[Settings, str]] | None
    traces: TraceIndex
    accounts: Accounts
    gauges: Gauges
    alerts: Alerts
    ring: LogRing
    config: RuntimeConfig
    config_hash: str
    started_ms: int

    @property
    def flow(self) -> Flow:
        """The hot path."""
        return self.intake.flow

    @property
    def feeds(self) -> list[NewsSession]:
        """The sessions of all feeds."""
        return list(self.intake.sessions.values())


class Actions:
    """The handlers of commands that change something."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self.handlers: dict[str, Handler] = {
            "pause": self._pause,
            "resume": self._resume,
            "halt": self._halt,
            "panic": self._panic,
            "close": self._close,
            "arm": self._arm,
            "disarm": self._disarm,
        }

    def _note(self, method: str, params: Json, peer: Peer) -> str:
        """Record who asked for what; returns the name to record with its effects."""
        desk = self._ready().desk
        text = plain(", ".join(f"{key}={value}" for key, value in params.items() if value))
        desk.record(facts.CommandReceived(method=method, params=text, uid=peer.uid, pid=peer.pid))
        return f"uid {peer.uid}"

    async def _pause(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        until_ms = 0
        if (wanted := params.get("for")) is not None:
            try:
                until_ms = desk.now_ms() + parse_duration_s(str(wanted)) * 1000
            except ValueError:
                raise CommandError(
                    f"{wanted!r} is no duration up to 30 days", hint="30s, 30m or 2h"
                ) from None
        who = self._note("pause", params, peer)
        reason = _reason(params, "paused")
        desk.place_hold(OPERATOR_PAUSE, TradingState.REDUCING, reason, who, until_ms)
        desk.ledger.sync_now()
        return {"state": desk.state().value, "until": iso_ms(until_ms) if until_ms else None}

    async def _halt(self, params: Json, peer: Peer) -> Json:
        parts = self._ready()
        who = self._note("halt", params, peer)
        parts.desk.place_hold(OPERATOR_HALT, TradingState.HALTED, _reason(params, "halted"), who)
        cancelled = await carried_through(parts.keeper, parts.keeper.cancel_entries)
        return {"state": parts.desk.state().value, "entries_cancelled": cancelled}

    async def _resume(self, params: Json, peer: Peer) -> Json:
        parts = self._ready()
        desk = parts.desk
        reason = _reason(params, "")
        before = dict(desk.book.state.holds)
        signals = _refuse_while_stopped(desk)
        paused = desk.book.paused_symbols()
        latched = [*(name for name in LATCHED if name in before), *paused]
        if latched:
            if not reason:
                raise CommandError(
                    f"resuming after {', '.join(latched)} needs a reason",
                    hint='resume --reason "why it is safe again"',
                )
            if desk.flattening:
                raise CommandError("a panic is still closing positions", code="refused")
            must_not_lift(desk)
            await compare_clean(parts.keeper, "resume")
        now_held = desk.book.state.holds
        if desk.stop_word.signals != signals or desk.stop_word.is_laid():
            raise CommandError("trading was stopped from outside meanwhile", code="refused")
        if desk.flattening or any(now_held.get(n) != before.get(n) for n in LATCHED):
            raise CommandError("trading was stopped again meanwhile", code="refused")
        who = self._note("resume", params, peer)
        desk.stop_word.answer(signals)
        for name in (OPERATOR_PAUSE, *LATCHED):
            lift(desk, name, reason or "resumed", who)
        for symbol in paused:
            desk.record(
                facts.Switched(kind="symbol", name=symbol, enabled=True, who=who, reason=reason)
            )
        desk.ledger.sync_now()
        left = sorted(desk.book.state.holds)
        return {"state": desk.state().value, "holds": left}

    async def _panic(self, params: Json, peer: Peer) -> Json:
        parts = self._ready()
        desk, everything = parts.desk, bool(params.get("all"))
        if params.get("confirm") is not True:
            raise _confirmation("panic", "FLATTEN", desk)
        who = self._note("panic", params, peer)
        desk.place_hold(PANIC, TradingState.HALTED, _reason(params, "panic"), who)
        closed = await carried_through(parts.keeper, lambda: parts.keeper.panic(everything))
        return _closed_reply(desk, closed)

    async def _close(self, params: Json, peer: Peer) -> Json:
        parts = self._ready()
        desk, keeper, everything = parts.desk, parts.keeper, bool(params.get("all"))
        symbol = str(params.get("symbol") or "").upper()
        if bool(symbol) == everything:
            raise CommandError("close what?", hint="close SYMBOL, or close --all")
        share = _share(params.get("pct"))
        if everything and share is not None:
            raise CommandError("--pct is of one position", hint="close SYMBOL --pct 50")
        if symbol and not symbol.endswith("USDT"):
            symbol += "USDT"
        if symbol and desk.book.position(symbol).own_qty == ZERO:
            raise CommandError(
                f"there is no position in {symbol[:40]}", hint="positions", code="not-found"
            )
        if params.get("confirm") is not True:
            raise _confirmation("close", "CLOSE", desk, symbol)
        self._note("close", params, peer)
        if share is not None:
            qty = await carried_through(
                keeper, lambda: close_share(desk, parts.venue, symbol, share)
            )
            left = desk.book.position(symbol).own_qty
            return {"symbol": symbol, "closed_qty": str(qty), "left_qty": str(left)}
        closed = await carried_through(
            keeper, lambda: keeper.close_symbol(symbol) if symbol else keeper.close_all()
        )
        return _closed_reply(desk, closed)

    async def _arm(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        if params.get("confirm") is not True:
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


async def compare_clean(keeper: Keeper, why: str) -> None:
    """Compare belief and venue: whoever lifts a halt must find no difference.

    Raises:
        CommandError: there are some.
    """
    found = await keeper.reconcile(why, record_always=True)
    if found.differences:
        raise CommandError(
            "belief and venue differ: " + "; ".join(found.differences[:3]),
            hint="they are being put right; try again in a few seconds",
            code="refused",
        )


async def carried_through(keeper: Keeper, work: Callable[[], Awaitable[T]]) -> T:
    """Run ``work`` where the venue lives: an operator who hangs up does not stop it.

    Its errors are raised here, where they become an answer; only a broken
    invariant ends the daemon.
    """
    done = trio.Event()
    values: list[T] = []
    faults: list[Exception] = []

    async def task() -> None:
        try:
            values.append(await work())
        except BrokenInvariant:
            raise
        except Exception as error:
            faults.append(error)
        finally:
            done.set()

    keeper.start(task)
    await done.wait()
    if values:
        return values[0]
    if faults:
        raise faults[0]
    raise CommandError("the daemon is leaving", hint="lowcapctl status", code="unknown-outcome")


def whole_number(name: str, given: object) -> int:
    """A parameter as an integer.

    Raises:
        CommandError: it is none.
    """
    try:
        return int(str(given))
    except ValueError:
        raise CommandError(f"--{name} {str(given)[:40]!r} is no whole number") from None


def _refuse_while_stopped(desk: Desk) -> int:
    """How many signals have said stop so far; a resume answers these and no later one.

    Raises:
        CommandError: the stop file is there, or what it or a signal says is not yet a hold.
    """
    word = desk.stop_word
    if word.is_laid():
        said = word.text()
        raise CommandError(
            f"the stop file {word.path} is there" + (f": {said}" if said else ""),
            hint=f"remove it, then resume: rm {word.path}",
            code="refused",
        )
    if word.raised() and OPERATOR_HALT not in desk.book.state.holds:
        raise CommandError("trading is being stopped from outside", hint="status", code="refused")
    return word.signals


def _reason(params: Json, default: str) -> str:
    return plain(str(params.get("reason") or "")) or default


def _share(pct: object) -> Decimal | None:
    if pct is None:
        return None
    try:
        share = Decimal(str(pct))
    except ArithmeticError:
        share = ZERO
    if not share.is_finite() or not 0 < share <= 100:
        raise CommandError(f"--pct {str(pct)[:40]}: expected more than 0 and at most 100")
    return share


def _confirmation(what: str, word: str, desk: Desk, symbol: str = "") -> LowcapError:
    positions = [p for p in desk.book.open_positions() if symbol in ("", p.symbol)]
    count = f" {len(positions)}" if what != "arm" else ""
    worth = notionals(desk.book, desk.quotes)
    usd = sum((worth.get(position.symbol, ZERO) for position in positions), ZERO)
    return CommandError(
        f"{what} would act on {len(positions)} positions, {usd:,.0f} USD notional",
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
