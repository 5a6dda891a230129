"""What the daemon does for operators about positions: one in full, its stop, trades by hand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import trio
import trio.lowlevel

from lowcap.actions import Parts
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core import facts
from lowcap.core.clock import iso_ms
from lowcap.core.errors import CommandError
from lowcap.core.messages import MANUAL, OrderPlan, Refusal
from lowcap.core.money import HUNDRED, ZERO, Side, stop_to_tick
from lowcap.core.plain import plain
from lowcap.execution.care import look_of, move_stop
from lowcap.execution.desk import Desk
from lowcap.execution.stops import follows
from lowcap.risk.gate import EntryWish
from lowcap.risk.sizing import Wish, wished_notional
from lowcap.rows import order_row, position_row, stop_of

Json = dict[str, Any]
TRADE_WITHIN_S = 3.0
# How venues scale contracts of cheap coins: 1000PEPEUSDT.
_SCALES = ("", "1000", "1000000")
SIDES = {"long": Side.BUY, "buy": Side.BUY, "short": Side.SELL, "sell": Side.SELL}


class PositionCommands:
    """The handlers."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self.handlers: dict[str, Handler] = {
            "position": self._position,
            "stop": self._stop,
            "trade": self._trade,
            "long": self._long,
            "short": self._short,
        }

    async def _position(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        symbol = contract_of(desk, params.get("symbol"))
        return position_page(desk, symbol)

    async def _stop(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        symbol = contract_of(desk, params.get("symbol"))
        if params.get("action") == "show":
            return position_page(desk, symbol)
        price = stop_price_of(desk, symbol, params.get("price"))
        text = f"move {symbol} {price}" + (" --loosen" if params.get("loosen") else "")
        desk.record(facts.CommandReceived(method="stop", params=text, uid=peer.uid, pid=peer.pid))
        before = desk.book.position(symbol).stop_price
        at = move_stop(
            desk, symbol, price, loosen=bool(params.get("loosen")), who=f"uid {peer.uid}"
        )
        with trio.move_on_after(TRADE_WITHIN_S):
            while not _rests_at(desk, symbol, at):
                await trio.sleep(0.02)
        return {
            "symbol": symbol,
            "from": str(before) if before else None,
            "to": str(at),
            "confirmed": _rests_at(desk, symbol, at),
            "follows": desk.book.position(symbol).trails,
        }

    async def _long(self, params: Json, peer: Peer) -> Json:
        return await self._trade(params | {"side": "long"}, peer)

    async def _short(self, params: Json, peer: Peer) -> Json:
        return await self._trade(params | {"side": "short"}, peer)

    async def _trade(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        desk = self._ready().desk
        symbol = contract_of(desk, params.get("symbol"))
        side = SIDES.get(str(params.get("side")).lower())
        if side is None:
            raise CommandError(f"{str(params.get('side'))[:20]!r} is no side", hint="long or short")
        price = _price(params.get("price"))
        entry = EntryWish(symbol=symbol, side=side, wish=_wish(desk, symbol, params), price=price)
        plan = desk.plan(entry)
        if params.get("preview"):
            return _preview(desk, plan, entry.wish)
        if params.get("confirm") is not True:
            raise CommandError(
                _sentence(plan),
                hint="type YES to go on, or use --yes",
                code="confirm" if isinstance(plan, OrderPlan) else "refused",
            )
        at = f" at {price} or better" if price is not None else ""
        text = f"{side} {symbol} {entry.wish[0]} USD ({entry.wish[1]}){at}"
        cause = desk.record(
            facts.CommandReceived(method="trade", params=text, uid=peer.uid, pid=peer.pid)
        ).seq
        return await _carry_out(desk, entry, cause)


def contract_of(desk: Desk, given: object) -> str:
    """The contract that an operator means by ``BTC``, ``btcusdt`` or ``PEPE``.

    Raises:
        CommandError: the venue has none of that name.
    """
    word = plain(str(given or "")).strip().upper()
    known = desk.venue.contracts
    names = [word, *(f"{scale}{word}USDT" for scale in _SCALES)]
    found = next((name for name in names if name in known), None)
    if found is None:
        raise CommandError(
            f"no contract {word[:40]!r} at the venue", hint="caps SYMBOL", code="not-found"
        )
    return found


def position_page(desk: Desk, symbol: str) -> Json:
    """One position in full: how it is protected, by which rule, and what its orders are."""
    position, contract = desk.book.position(symbol), desk.venue.contracts[symbol]
    protect, quote = desk.protections.of(symbol), desk.quotes.get(symbol)
    if position.qty == ZERO and position.own_qty == ZERO:
        raise CommandError(f"there is no position in {symbol}", hint="positions", code="not-found")
    look, stop = look_of(desk, symbol, contract), stop_of(desk, position)
    distance = None
    if quote is not None and position.stop_price:
        distance = abs(quote.mark - position.stop_price) / quote.mark * HUNDRED
    exit_s = look.time_exit_s
    return position_row(desk, position) | {
        "own_qty": str(position.own_qty),
        "opened": iso_ms(position.opened_ms) if position.opened_ms else None,
        "closes": iso_ms(position.opened_ms + exit_s * 1000) if exit_s else None,
        "stop_wanted": str(position.stop_price) if position.stop_price else None,
        "stop_confirmed": stop is not None,
        "stop_distance_pct": f"{distance:.2f}" if distance is not None else None,
        "stop_rule": _rule(protect.atr_multiple, protect.stop_pct),
        "follows": follows(look),
        "trail_pct": str(protect.trail_pct),
        "best_price": str(look.best) if look.best is not None else None,
        "atr": str(desk.venue.markets.atr(symbol) or "") or None,
        "leverage": desk.venue.leverage.get(symbol),
        "orders": [
            order_row(o) for o in desk.book.orders_of(symbol)
            if o.seq >= position.opened_seq and not o.is_final
        ],
    }  # fmt: skip


def _rule(atr_multiple: Decimal, stop_pct: Decimal) -> str:
    return f"{atr_multiple} average true ranges" if atr_multiple else f"{stop_pct} % fixed"


def _rests_at(desk: Desk, symbol: str, price: Decimal) -> bool:
    stop = stop_of(desk, desk.book.position(symbol))
    return stop is not None and stop.trigger_price == price


def stop_price_of(desk: Desk, symbol: str, given: object) -> Decimal:
    """A price, or with a trailing ``%`` a distance from the mark price.

    Raises:
        CommandError: it is neither, or there is no mark price to go by.
    """
    text = str(given or "")
    try:
        number = Decimal(text.removesuffix("%"))
    except ArithmeticError:
        number = ZERO
    if not number.is_finite() or not ZERO < number < Decimal(10) ** 12:
        raise CommandError(f"{text[:40]!r} is no price", hint="stop move BTC 64000, or 1.5%")
    if not text.endswith("%"):
        return number
    quote, position = desk.quotes.get(symbol), desk.book.position(symbol)
    if quote is None:
        raise CommandError(f"no mark price of {symbol}", hint="give a price", code="refused")
    sign = 1 if (position.own_qty or position.qty) > ZERO else -1
    return quote.mark * (1 - sign * number / HUNDRED)


def _wish(desk: Desk, symbol: str, params: Json) -> Wish:
    """The dollars or coins asked for; where none are, as a signal on this symbol would have."""
    usd, qty = params.get("usd"), params.get("qty")
    if usd is not None and qty is not None:
        raise CommandError("dollars or coins, not both", hint="one of --usd and --qty")
    if qty is not None:
        quote = desk.quotes.get(symbol)
        if quote is None:
            raise CommandError(f"no mark price of {symbol}", hint="give --usd", code="refused")
        return _positive(qty, "quantity", "trade BTC long --qty 0.5") * quote.mark, "operator"
    if usd is not None:
        return _positive(usd, "amount of dollars", "long BTC 1000"), "operator"
    cap = desk.caps.of(desk.coin_of(symbol), desk.now_ms())
    return wished_notional(desk.settings.sizing, symbol, None, cap)


def _price(given: object) -> Decimal | None:
    return None if given is None else _positive(given, "price", "trade BTC long --price 64000")


def _positive(given: object, what: str, hint: str) -> Decimal:
    try:
        number = Decimal(str(given))
    except ArithmeticError:
        number = ZERO
    if not number.is_finite() or not ZERO < number < Decimal(10) ** 12:
        raise CommandError(f"{str(given)[:40]!r} is no {what}", hint=hint)
    return number


def _preview(desk: Desk, plan: OrderPlan | Refusal, wish: Wish) -> Json:
    """What would be sent, what it would cost, and how it would be protected."""
    row: Json = {"wished_usd": f"{wish[0]:.2f}", "wished_by": wish[1], "text": _sentence(plan)}
    if isinstance(plan, Refusal):
        return row | {
            "allowed": False,
            "check": plan.check,
            "measured": plan.measured,
            "limit": plan.limit,
        }
    protect, leverage = desk.protections.of(plan.symbol), desk.venue.leverage[plan.symbol]
    sign, tick = plan.side.sign, desk.venue.contracts[plan.symbol].tick
    mark = plan.decision_price or ZERO
    stop = stop_to_tick(mark * (1 - sign * protect.stop_pct / HUNDRED), tick, sign)
    return row | {
        "allowed": True,
        "symbol": plan.symbol,
        "side": plan.side.value,
        "qty": str(plan.qty),
        "price": str(plan.price),
        "notional_usd": f"{plan.notional_usd:.2f}",
        "leverage": leverage,
        "margin_usd": f"{plan.notional_usd / leverage:.2f}",
        "stop_price": None if protect.atr_multiple else str(stop),
        "stop_rule": _rule(protect.atr_multiple, protect.stop_pct),
        "ladder": [{"share_pct": str(share), "at_pct": str(at)} for share, at in protect.ladder],
        "sizing": plan.sizing,
    }


def _sentence(plan: OrderPlan | Refusal) -> str:
    if isinstance(plan, Refusal):
        return f"{plan.symbol} refused: {plan.check}, {plan.measured}, needed {plan.limit}"
    return (
        f"{plan.side} {plan.qty} {plan.symbol} at {plan.price} or better, "
        f"{plan.notional_usd:,.0f} USD: {plan.sizing}"
    )


async def _carry_out(desk: Desk, entry: EntryWish, cause: int) -> Json:
    """Through the gate once more, sent, and waited for."""
    plan, symbol, wish = desk.plan(entry), entry.symbol, entry.wish
    if isinstance(plan, Refusal):
        desk.refuse(plan, entry.side, MANUAL, cause)
        raise CommandError(_sentence(plan), hint="risk", code=plan.check)
    name = desk.submit(plan, cause, {})
    order = desk.book.orders[name]
    with trio.move_on_after(TRADE_WITHIN_S):
        while not order.is_final or order.lacks_fills:
            await trio.sleep(0.02)
        while order.filled_qty and stop_of(desk, desk.book.position(symbol)) is None:
            await trio.sleep(0.02)
    if not order.is_final:
        raise CommandError("no answer yet", hint="orders, then positions", code="unknown-outcome")
    stop = stop_of(desk, desk.book.position(symbol))
    return order_row(order) | {
        "wished_usd": f"{wish[0]:.2f}",
        "sizing": plan.sizing,
        "stop_price": str(stop.trigger_price) if stop is not None else None,
    }
