"""What operators ask and tell of the protections: risk, what the gate would say, unlock."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import trio
from msgspec import to_builtins

from lowcap.actions import Parts, compare_clean
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core import facts
from lowcap.core.clock import iso_ms
from lowcap.core.errors import CommandError
from lowcap.core.messages import OrderPlan, Target
from lowcap.core.money import Side
from lowcap.core.plain import plain
from lowcap.execution.desk import AUTO, Desk
from lowcap.execution.guarding import lift, must_not_lift
from lowcap.risk.gate import CLOCK_OFFSET_MS_MAX, EntryWish, notionals, preview
from lowcap.risk.guard_state import DAY_LOSS, EQUITY_FLOOR, GUARD_HOLDS
from lowcap.risk.guards import Measure, measures
from lowcap.rows import hold_row

Json = dict[str, Any]
COOL_DOWNS_SHOWN = 20
SIDES = {"long": Side.BUY, "short": Side.SELL}


class GuardCommands:
    """The handlers of ``risk`` and ``unlock``."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self.handlers: dict[str, Handler] = {"risk": self._risk, "unlock": self._unlock}

    async def _risk(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        if params.get("action") == "check":
            return _checked(parts, params)
        desk = parts.desk
        equity = desk.equity_usd()
        return {
            "mode": desk.mode,
            "state": desk.state().value,
            "armed": desk.armed,
            "equity_usd": None if equity is None else f"{equity:.2f}",
            "holds": [hold_row(hold) for hold in desk.book.state.holds.values()],
            "guards": guard_rows(desk),
            "locks": _lock_rows(parts),
            "breakers": breaker_rows(desk),
        }

    async def _unlock(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        desk, name = parts.desk, str(params.get("name") or "")
        reason = plain(str(params.get("reason") or ""))
        if not reason:
            raise CommandError(
                "unlocking needs a reason", hint='unlock NAME --reason "why it is safe again"'
            )
        who = f"uid {peer.uid}"
        symbol = name.removeprefix("symbol:").upper()
        if name in desk.book.state.holds:
            await _lift_hold(parts, name)
            _note(desk, params, peer)
            lift(desk, name, reason, who)
        elif name in desk.breakers.tripped:
            _note(desk, params, peer)
            desk.breakers.reset(name, f"reset by {who}: {reason}")
        elif symbol in desk.book.paused_symbols():
            _note(desk, params, peer)
            desk.record(
                facts.Switched(kind="symbol", name=symbol, enabled=True, who=who, reason=reason)
            )
        else:
            raise _no_lock(parts, name)
        desk.ledger.sync_now()
        return {
            "unlocked": name,
            "state": desk.state().value,
            "holds": sorted(desk.book.state.holds),
        }


async def _lift_hold(parts: Parts, name: str) -> None:
    """Whether a hold may be lifted by its name alone.

    Raises:
        CommandError: it may not, and what may be done instead.
    """
    desk = parts.desk
    if name not in GUARD_HOLDS:
        hold = desk.book.state.holds[name]
        hint = "it lifts itself when its cause is gone" if hold.who == AUTO else "lowcapctl resume"
        raise CommandError(f"{name} is no lock of a protection", hint=hint, code="refused")
    if desk.flattening:
        raise CommandError("a panic is still closing positions", code="refused")
    must_not_lift(desk, tuple(each for each in (DAY_LOSS, EQUITY_FLOOR) if each == name))
    before = desk.book.state.holds[name]
    await compare_clean(parts.keeper, "unlock")
    if desk.book.state.holds.get(name) != before:
        raise CommandError(f"{name} has changed meanwhile", hint="lowcapctl risk", code="refused")


def _no_lock(parts: Parts, name: str) -> CommandError:
    if f"trigger:{name}" in parts.desk.book.state.switched_off:
        return CommandError(
            f"{name} is a trigger that is off",
            hint=f"lowcapctl trigger enable {name}",
            code="refused",
        )
    state = parts.desk.book.state
    known = [*(h for h in state.holds if h in GUARD_HOLDS), *state.guards.breakers]
    known += parts.desk.book.paused_symbols()
    return CommandError(
        f"there is no lock {name[:60]!r}",
        hint=f"one of {', '.join(known)}" if known else "nothing is locked; see risk",
        code="not-found",
    )


def _note(desk: Desk, params: Json, peer: Peer) -> None:
    text = plain(", ".join(f"{key}={value}" for key, value in params.items() if value))
    desk.record(facts.CommandReceived(method="unlock", params=text, uid=peer.uid, pid=peer.pid))


# -- looking --------------------------------------------------------------------


def guard_rows(desk: Desk) -> list[Json]:
    """Every limit with what is used of it, and how often each check refused today."""
    limits, hits = desk.settings.limits, dict(desk.book.state.guards.hits)
    worth = notionals(desk.book, desk.quotes)
    found = measures(desk.book, desk.now_ms(), limits, worth, desk.equity_usd())
    offset = Decimal(abs(desk.venue.offset_ms))
    d = Decimal
    found += [
        Measure(name="order-notional", limit=limits.order_notional_usd_max, unit="USD"),
        Measure(name="position-margin", limit=limits.margin_pct_max, unit="%"),
        Measure(name="collar", limit=desk.settings.order.collar_pct, unit="%"),
        Measure(name="stale-price", limit=d(limits.price_age_ms_max), unit="ms"),
        Measure(name="mark-last", limit=limits.mark_last_pct_max, unit="%"),
        Measure(name="clock-offset", now=offset, limit=d(CLOCK_OFFSET_MS_MAX), unit="ms"),
    ]
    rows = [_guard_row(each, hits.pop(each.name, 0)) for each in found]
    return rows + [
        {"name": n, "of": "", "now": None, "limit": None, "unit": "", "used_pct": None, "hits": h}
        for n, h in sorted(hits.items())
    ]


def _guard_row(measure: Measure, hits: int) -> Json:
    used = measure.used_pct
    return {
        "name": measure.name,
        "of": measure.of,
        "now": None if measure.now is None else _number(measure.now, measure.unit),
        "limit": _number(measure.limit, measure.unit) if measure.limit else "off",
        "unit": measure.unit,
        "used_pct": None if used is None else round(float(used), 1),
        "hits": hits,
    }


def _number(amount: Decimal, unit: str) -> str:
    return f"{amount:.2f}" if unit in ("USD", "%") else f"{amount:f}"


def breaker_rows(desk: Desk) -> list[Json]:
    """The breakers that are not closed."""
    return [
        {
            "name": name,
            "state": breaker.state.value,
            "why": breaker.why,
            "since": iso_ms(breaker.since_ms),
            "until": iso_ms(breaker.until_ms),
            "rest_s": breaker.rest_ms // 1000,
        }
        for name, breaker in desk.breakers.tripped.items()
    ]


def _lock_rows(parts: Parts) -> list[Json]:
    """What keeps single symbols, triggers and keys from trading, and how it ends."""
    desk, now_ms = parts.desk, parts.desk.now_ms()
    rows = [
        _lock("symbol", name, "the venue closed a position of it by force", f"unlock {name}")
        for name in desk.book.paused_symbols()
    ]
    rows += [
        _lock("symbol", name, f"{qty} of it is not ours", "close what is not ours")
        for name, qty in desk.book.state.foreign.items()
    ]
    rows += [
        _lock("trigger", name, why, f"trigger enable {name}")
        for name, why in desk.book.state.guards.triggers_off.items()
    ]
    closed = parts.flow.admission.closed(now_ms)
    rows += [
        _lock("cool-down", key, "", f"at {iso_ms(until_ms)[:19]}Z")
        for key, until_ms in sorted(closed, key=lambda row: row[1])[:COOL_DOWNS_SHOWN]
    ]
    return rows


def _lock(kind: str, name: str, why: str, ends: str) -> Json:
    return {"kind": kind, "name": name, "why": why, "ends": ends}


# -- what the gate would say ------------------------------------------------------


def _checked(parts: Parts, params: Json) -> Json:
    """An entry as the gate sees it now; nothing is recorded, reserved or sent."""
    desk = parts.desk
    side = SIDES.get(str(params.get("side") or "").lower())
    given = str(params.get("symbol") or "").upper()
    if not given or side is None:
        raise CommandError("check what?", hint="risk check BTCUSDT long --usd 50000")
    symbol = _symbol(parts, given)
    wish = desk.wishes([Target(symbol=symbol, key=symbol)])[0]
    if (usd := params.get("usd")) is not None:
        wish = (dollars("usd", usd), "--usd")
    wanted = EntryWish(symbol=symbol, side=side, wish=wish)
    refused, plan = preview(wanted, desk.book, desk.situation(), desk.settings)
    return {
        "symbol": symbol,
        "side": side.value,
        "usd": f"{wish[0]:f}",
        "by": wish[1],
        "would": "be refused" if refused else "be sent",
        "refused": [to_builtins(each) for each in refused],
        "plan": None if plan is None else _plan_row(desk, plan),
    }


def _plan_row(desk: Desk, plan: OrderPlan) -> Json:
    leverage = desk.venue.leverage[plan.symbol]
    return {
        "qty": f"{plan.qty}",
        "price": f"{plan.price}",
        "notional_usd": f"{plan.notional_usd:.2f}",
        "leverage": leverage,
        "margin_usd": f"{plan.notional_usd / leverage:.2f}",
        "sizing": plan.sizing,
    }


def _symbol(parts: Parts, given: str) -> str:
    contracts = parts.venue.contracts
    symbol = given if given in contracts else parts.flow.detector.coins.symbol(given)
    symbol = symbol or f"{given}USDT"
    if symbol not in contracts:
        raise CommandError(
            f"the venue has no contract {given[:40]!r}", hint="BTCUSDT, or BTC", code="not-found"
        )
    return symbol


def dollars(name: str, given: object) -> Decimal:
    """A parameter as an amount of USD.

    Raises:
        CommandError: it is none above 0.
    """
    try:
        amount = Decimal(str(given).replace("_", "").replace(",", ""))
    except ArithmeticError:
        amount = Decimal(0)
    if not amount.is_finite() or not 0 < amount <= 10**12:
        raise CommandError(f"--{name} {str(given)[:40]}: expected dollars, more than 0")
    return amount
