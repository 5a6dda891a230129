"""Comparing on demand, and what becomes of positions that are not ours: adopted or ignored."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import trio

from lowcap.actions import Parts, carried_through
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core import facts
from lowcap.core.errors import CommandError
from lowcap.core.ids import prefix
from lowcap.core.money import ZERO, percent_of, stop_to_tick
from lowcap.execution.desk import Desk
from lowcap.execution.reconcile import Findings
from lowcap.position_commands import contract_of, stop_price_of
from lowcap.rows import foreign_rows, stop_of

Json = dict[str, Any]
PROTECTED_WITHIN_S = 3.0
# Ownership is believed when two comparisons agree; their reads must not be the same ones.
SECOND_LOOK_S = 1.0
COMPARED_APART_S = 5.0


class ReconcileCommands:
    """The handler of ``reconcile``."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self._compared_s = -COMPARED_APART_S
        self.handlers: dict[str, Handler] = {"reconcile": self._reconcile}

    async def _reconcile(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        adopt, ignore = params.get("adopt"), params.get("ignore")
        if adopt is not None and ignore is not None:
            raise CommandError("adopt it or ignore it", hint="one of --adopt and --ignore")
        if adopt is not None:
            return await self._adopt(parts, adopt, params, peer)
        if params.get("stop") is not None:
            raise CommandError("--stop is of --adopt", hint="reconcile --adopt SOL --stop 95")
        if ignore is not None:
            return self._ignore(parts, ignore, peer)
        # A comparison costs a twentieth of what the venue allows in a minute.
        now_s = trio.current_time()
        if now_s - self._compared_s < COMPARED_APART_S:
            raise CommandError(
                "compared a moment ago", hint=f"again in {COMPARED_APART_S:.0f} s", code="busy"
            )
        self._compared_s = now_s
        _note(parts.desk, "", peer)
        return await carried_through(parts.keeper, lambda: _compare(parts))

    def _ignore(self, parts: Parts, given: object, peer: Peer) -> Json:
        """Known and left alone: ``status`` does not speak of it until it changes hands."""
        desk = parts.desk
        symbol = _foreign(desk, given)
        _note(desk, f"ignore {symbol}", peer)
        desk.record(
            facts.Switched(
                kind="foreign", name=symbol, enabled=False, who=f"uid {peer.uid}", reason="ignored"
            )
        )
        return _reply(desk, [])

    async def _adopt(self, parts: Parts, given: object, params: Json, peer: Peer) -> Json:
        """From now on ours: it gets a stop and a ladder, counts, and panic closes it."""
        desk = parts.desk
        symbol = _foreign(desk, given)
        qty, sign = _whole(desk, symbol)
        stop = params.get("stop")
        price = stop_price_of(desk, symbol, stop) if stop is not None else None
        at = _checked_stop(desk, symbol, sign, price)
        if params.get("confirm") is not True:
            raise CommandError(
                f"{symbol}: all {qty} would be ours, with a stop at {at} and a ladder",
                hint="type YES to go on, or use --yes",
                code="confirm",
            )
        _note(desk, f"adopt {symbol}", peer)
        await carried_through(parts.keeper, lambda: _must_be_clear(parts, symbol))
        _foreign(desk, symbol)  # somebody else may have adopted it meanwhile
        if _whole(desk, symbol)[0] != qty:
            raise CommandError(f"{symbol} has changed meanwhile", hint="try again", code="refused")
        who = f"uid {peer.uid}"
        desk.record(
            facts.OwnershipSettled(
                symbol=symbol, own_qty=qty, foreign_qty=ZERO, why=f"adopted by {who}"
            )
        )
        if price is not None:
            desk.record(facts.StopMoved(symbol=symbol, price=at, who=who, trails=True))
        desk.look_after(symbol)
        with trio.move_on_after(PROTECTED_WITHIN_S):
            while stop_of(desk, desk.book.position(symbol)) is None:
                await trio.sleep(0.02)
        laid = stop_of(desk, desk.book.position(symbol))
        return _reply(desk, []) | {
            "adopted": symbol,
            "qty": str(qty),
            "stop_price": str(laid.trigger_price) if laid is not None else None,
        }


async def _compare(parts: Parts) -> Json:
    """Two comparisons, where the first leaves a question of ownership."""
    found: Findings = await parts.keeper.reconcile("operator", record_always=True)
    differences = list(found.differences)
    if found.ownership:
        await trio.sleep(SECOND_LOOK_S)
        await parts.keeper.reconcile("operator", record_always=True)
    return _reply(parts.desk, differences)


async def _must_be_clear(parts: Parts, symbol: str) -> None:
    """Compare anew; somebody else's orders on the symbol would stand in the way of ours.

    Raises:
        CommandError: there are some.
    """
    desk = parts.desk
    await parts.keeper.reconcile("adopt", record_always=True)
    seen = await parts.venue.snapshot(parts.venue.rest)
    strangers = [
        o
        for o in seen.orders
        if o.symbol == symbol and not o.client_id.startswith(prefix(desk.mode))
    ]
    if strangers:
        raise CommandError(
            f"{len(strangers)} orders on {symbol} are not ours",
            hint="cancel them at the exchange first; ours would be refused beside them",
            code="refused",
        )


def _foreign(desk: Desk, given: object) -> str:
    symbol = contract_of(desk, given)
    if symbol not in desk.book.state.foreign:
        raise CommandError(
            f"nothing of {symbol} is foreign", hint="reconcile looks anew", code="not-found"
        )
    return symbol


def _whole(desk: Desk, symbol: str) -> tuple[Decimal, int]:
    """What the venue holds of a symbol, and its sign."""
    qty = desk.book.position(symbol).qty
    if qty == ZERO:
        raise CommandError(f"{symbol} is flat at the venue", hint="reconcile", code="refused")
    return qty, 1 if qty > ZERO else -1


def _checked_stop(desk: Desk, symbol: str, sign: int, price: Decimal | None) -> Decimal:
    """Where the stop would be.

    Raises:
        CommandError: it would trigger at once, so that adopting would mean closing.
    """
    contract, quote = desk.venue.contracts[symbol], desk.quotes.get(symbol)
    if quote is None:
        raise CommandError(f"no mark price of {symbol}", hint="try again", code="refused")
    entry = desk.book.position(symbol).entry_price
    if price is None:
        price = entry - sign * percent_of(entry, desk.protections.of(symbol).stop_pct)
    at = stop_to_tick(price, contract.tick, sign)
    if not at > ZERO or not (quote.mark - at) * sign > ZERO:
        raise CommandError(
            f"a stop at {at} would trigger at once; the mark price is {quote.mark}",
            hint=f"name another: reconcile --adopt {symbol} --stop 2%",
            code="refused",
        )
    return at


def _reply(desk: Desk, differences: list[str]) -> Json:
    return {
        "clean": not differences,
        "differences": differences[:50],
        "foreign": foreign_rows(desk),
        "state": desk.state().value,
    }


def _note(desk: Desk, text: str, peer: Peer) -> None:
    desk.record(facts.CommandReceived(method="reconcile", params=text, uid=peer.uid, pid=peer.pid))
