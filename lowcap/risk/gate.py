"""The gate: the one function that every entry passes. Each check fails closed.

Comparisons are written so that anything out of range fails them, and what
might not be a number is asked first: comparing a NaN is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct, field, structs

from lowcap.core.contract import Contract
from lowcap.core.messages import OrderPlan, Purpose, Quote, Refusal, Signal, TradingState
from lowcap.core.money import (
    HUNDRED,
    ZERO,
    Side,
    floor_to_step,
    limit_inside_collar,
    percent_of,
)
from lowcap.risk.book import Book
from lowcap.risk.guards import (
    FEED_NOTIONAL,
    breaker_checks,
    equity_checks,
    feed_notionals,
    rate_checks,
    trigger_checks,
)
from lowcap.risk.leverage import LeverageTables, StopOf
from lowcap.risk.sizing import Size, VenueBounds, is_bound, size_entry
from lowcap.settings import Settings

CLOCK_OFFSET_MS_MAX = 250
FILTERS_AGE_MS_MAX = 15 * 60_000
BRACKETS_AGE_MS_MAX = 12 * 3_600_000


class Situation(Struct, kw_only=True):
    """What the desk knows at this instant, beside the book.

    ``budget_lack`` says which of the venue's limits leaves no room for an
    entry and its exits; empty where there is room. ``stop_of`` gives the
    distance to the stop where it is not the same for all symbols; the ages are
    those of what the venue said about its contracts. ``stop_word`` says who
    outside has said stop; empty where nobody has. ``equity_usd`` is what the
    account is worth at mark, None where that is not known.
    """

    now_ms: int
    armed: bool
    stopping: bool
    ledger_fault: str
    clock_offset_ms: int
    margin_available_usd: Decimal
    quotes: dict[str, Quote]
    contracts: dict[str, Contract]
    leverage: dict[str, int]
    closing: Mapping[str, int]
    budget_lack: str = ""
    tables: LeverageTables = field(default_factory=LeverageTables)
    stop_of: StopOf | None = None
    filters_age_ms: int = 0
    brackets_age_ms: int = 0
    stop_word: str = ""
    equity_usd: Decimal | None = None


class EntryWish(Struct, frozen=True, kw_only=True):
    """What detection, or an operator, wants. ``wish`` is dollars and where they come from.

    ``collar_pct`` takes the place of the configured one in a second try.
    ``price`` is the worst that an operator takes, where that is better than
    the collar. ``signal_seq`` is the record of the signal, 0 where there is none, as with
    an operator's own trade; ``executions_per_hour`` 0 leaves that to the limits.
    """

    symbol: str
    side: Side
    wish: tuple[Decimal, str]
    collar_pct: Decimal | None = None
    trigger: str = ""
    feed: str = ""
    signal_seq: int = 0
    executions_per_hour: int = 0
    price: Decimal | None = None


Found = tuple[str, str, str]


def wish_of(
    signal: Signal,
    symbol: str,
    wish: tuple[Decimal, str],
    signal_seq: int,
    collar_pct: Decimal | None = None,
) -> EntryWish:
    """What a signal wants of one of its symbols."""
    return EntryWish(
        symbol=symbol,
        side=signal.side,
        wish=wish,
        trigger=signal.trigger,
        feed=signal.feed,
        signal_seq=signal_seq,
        executions_per_hour=signal.executions_per_hour,
        collar_pct=collar_pct,
    )


def decide(
    wish: EntryWish, book: Book, situation: Situation, settings: Settings
) -> OrderPlan | Refusal:
    """An order plan within every limit, or the first check that says no."""
    worth = notionals(book, situation.quotes)
    room = _feed_room(wish, book, worth, settings)
    for check, measured, limit in _checks(wish, book, situation, settings, room):
        return Refusal(symbol=wish.symbol, check=check, measured=measured, limit=limit)
    return _plan(_within(room, wish), worth, situation, settings)


def preview(
    wish: EntryWish, book: Book, situation: Situation, settings: Settings
) -> tuple[list[Refusal], OrderPlan | None]:
    """Every check that says no, and what would be sent but for them, where that can be said."""
    worth = notionals(book, situation.quotes)
    room = _feed_room(wish, book, worth, settings)
    refused = [
        Refusal(symbol=wish.symbol, check=check, measured=measured, limit=limit)
        for check, measured, limit in _checks(wish, book, situation, settings, room)
    ]
    if any(refusal.check in _PLANLESS for refusal in refused):
        return refused, None
    plan = _plan(_within(room, wish), worth, situation, settings)
    return ([*refused, plan], None) if isinstance(plan, Refusal) else (refused, plan)


def _checks(
    wish: EntryWish, book: Book, now: Situation, settings: Settings, feed_room: Decimal | None
) -> Iterator[Found]:
    """The failing checks, in the order of the pre-trade list."""
    if now.stop_word:
        yield "stopped-outside", now.stop_word, "no stop from outside"
    state = TradingState.STOPPING if now.stopping else book.trading_state(now.now_ms)
    if state is not TradingState.ACTIVE:
        holds = ", ".join(sorted(book.state.holds)) or "shutdown"
        yield _STATE_CODES[state], f"{state} ({holds})", "ACTIVE"
    if not now.armed:
        yield "disarmed", "not armed", "lowcapctl arm"
    if now.ledger_fault:
        yield "ledger", now.ledger_fault, "a writable ledger"
    if not abs(now.clock_offset_ms) <= CLOCK_OFFSET_MS_MAX:
        yield "clock-offset", f"{now.clock_offset_ms} ms", f"{CLOCK_OFFSET_MS_MAX} ms"
    if now.budget_lack:
        yield "venue-budget", now.budget_lack, "80 % of each limit of the venue"
    yield from breaker_checks(book, wish.feed)
    limits = settings.limits
    most = wish.executions_per_hour or limits.executions_per_hour_max
    yield from trigger_checks(book, wish.trigger, most, now.now_ms, wish.signal_seq)
    if feed_room is not None and not feed_room > ZERO:
        used = f"{limits.feed_notional_usd_max - feed_room:.2f} USD from {wish.feed}"
        yield FEED_NOTIONAL, used, f"{limits.feed_notional_usd_max} USD"
    yield from _symbol_checks(wish, book, now)
    yield from _venue_word_checks(now)
    yield from _price_checks(wish, now, settings)
    yield from rate_checks(book, now.now_ms, limits)
    yield from equity_checks(book, limits, now.equity_usd)


# Without these there is nothing to size an order by.
_PLANLESS = ("unknown-symbol", "leverage-not-set", "no-price", "bad-price")
_STATE_CODES = {
    TradingState.REDUCING: "paused",
    TradingState.HALTED: "halted",
    TradingState.STOPPING: "stopping",
}


def _symbol_checks(wish: EntryWish, book: Book, now: Situation) -> Iterator[Found]:
    contract = now.contracts.get(wish.symbol)
    if contract is None:
        yield "unknown-symbol", wish.symbol, "a contract of the venue"
        return
    if f"symbol:{wish.symbol}" in book.state.switched_off:
        yield "symbol-paused", "the venue closed a position of it by force", "switched on again"
    if not contract.is_trading:
        yield "symbol-status", contract.status, "TRADING"
    if wish.symbol not in now.leverage:
        yield "leverage-not-set", "leverage not confirmed by the venue yet", "set ahead of time"
    if wish.symbol in book.state.foreign:
        yield "foreign-position", f"{book.state.foreign[wish.symbol]} not ours", "0"
    if wish.symbol in now.closing:
        yield "closing", "the position is being closed", "flat"
    if book.is_in_doubt(wish.symbol):
        yield "order-in-doubt", "an order of this symbol has an unknown outcome", "settled"
    position = book.position(wish.symbol)
    for held in (position.qty, position.own_qty, book.pending_qty(wish.symbol)):
        if held * wish.side.sign < ZERO:
            yield "opposite-position", f"{held}", f"none against {wish.side}"


def _venue_word_checks(now: Situation) -> Iterator[Found]:
    """What the venue said about grids, limits and brackets must not be too old."""
    for check, age_ms, most_ms in (
        ("filters-stale", now.filters_age_ms, FILTERS_AGE_MS_MAX),
        ("brackets-stale", now.brackets_age_ms, BRACKETS_AGE_MS_MAX),
    ):
        if not age_ms <= most_ms:
            yield check, f"{age_ms // 60_000} min", f"{most_ms // 60_000} min"


def _price_checks(wish: EntryWish, now: Situation, settings: Settings) -> Iterator[Found]:
    quote = now.quotes.get(wish.symbol)
    limits = settings.limits
    if quote is None:
        yield "no-price", "no mark price seen", "a mark price"
        return
    if not (quote.mark.is_finite() and quote.mark > ZERO):
        yield "bad-price", f"{quote.mark}", "more than 0"
        return
    age_ms = now.now_ms - quote.mark_ms
    if not 0 <= age_ms <= limits.price_age_ms_max:
        yield "stale-price", f"{age_ms} ms", f"{limits.price_age_ms_max} ms"
    if quote.last is not None:
        apart = abs(quote.last - quote.mark) / quote.mark * HUNDRED
        if not (apart.is_finite() and apart <= limits.mark_last_pct_max):
            yield "mark-last", f"{apart:.2f} %", f"{limits.mark_last_pct_max} %"


def _feed_room(
    wish: EntryWish, book: Book, worth: Mapping[str, Decimal], settings: Settings
) -> Decimal | None:
    """What is left for the feed of a wish, in USD; None where nothing limits it."""
    most = settings.limits.feed_notional_usd_max
    if not (wish.feed and most):
        return None
    return most - feed_notionals(book, worth).get(wish.feed, ZERO)


def _within(room: Decimal | None, wish: EntryWish) -> EntryWish:
    """The wish, cut to what its feed has left."""
    if room is None or not wish.wish[0].is_finite() or wish.wish[0] <= room:
        return wish
    return structs.replace(wish, wish=(room, "limits.feed_notional_usd_max"))


def _plan(
    wish: EntryWish, exposed: Mapping[str, Decimal], now: Situation, settings: Settings
) -> OrderPlan | Refusal:
    contract, quote = now.contracts[wish.symbol], now.quotes[wish.symbol]
    mark, leverage = quote.mark, now.leverage[wish.symbol]

    def no(check: str, measured: str, limit: str) -> Refusal:
        return Refusal(symbol=wish.symbol, check=check, measured=measured, limit=limit)

    if not (wish.wish[0].is_finite() and wish.wish[0] > ZERO):
        return no("size", f"{wish.wish[0]} USD ({wish.wish[1]})", "more than 0 USD")
    if wish.symbol not in exposed and not len(exposed) < settings.limits.open_positions_max:
        return no("open-positions", f"{len(exposed)}", f"{settings.limits.open_positions_max}")
    price = _collar_price(contract, mark, wish.side, wish.collar_pct or settings.order.collar_pct)
    if wish.price is not None:
        own = limit_inside_collar(wish.price, contract.tick, wish.side)
        price = min(price, own) if wish.side is Side.BUY else max(price, own)
    if not contract.price_min <= price <= contract.price_max:
        return no("price-range", f"{price}", f"{contract.price_min} to {contract.price_max}")
    size = size_entry(
        wish.wish,
        settings.limits,
        _venue_bounds(contract, now, settings, price),
        leverage=leverage,
        held_usd=exposed.get(wish.symbol, ZERO),
        gross_usd=sum(exposed.values(), ZERO),
        margin_available_usd=now.margin_available_usd,
    )
    is_cut = is_bound(wish.wish[1]) or size.notional_usd < size.wished_usd
    if is_cut and not settings.sizing.partial:
        return no(
            "size-cut",
            f"{size.wished_usd:,.2f} USD wished, sizing.partial is off",
            f"{size.notional_usd:,.2f} USD by {size.decided_by}",
        )
    qty = min(floor_to_step(size.notional_usd / mark, contract.step), contract.qty_max)
    # The venue values an order at its own limit price, which is below mark in a sale.
    least = min(price, mark)
    if not qty >= contract.qty_min or not qty * least >= contract.notional_min:
        return no(
            "size",
            f"{qty * least:.2f} USD ({size.decided_by})",
            f"at least {max(contract.notional_min, contract.qty_min * least):.2f} USD",
        )
    return OrderPlan(
        symbol=wish.symbol,
        side=wish.side,
        purpose=Purpose.ENTRY,
        type="LIMIT",
        time_in_force="IOC",
        qty=qty,
        price=price,
        leg="e",
        recv_window_ms=settings.order.entry_recv_window_ms,
        notional_usd=qty * mark,
        decision_price=mark,
        sizing=_words(size, leverage),
    )


def _venue_bounds(
    contract: Contract, now: Situation, settings: Settings, price: Decimal
) -> VenueBounds:
    """Bracket, liquidation distance and largest order, in USD at mark.

    The venue counts a position at the limit price of the order that builds it:
    where that is above mark, less fits.
    """
    mark = now.quotes[contract.symbol].mark
    stop_pct = now.stop_of(contract.symbol) if now.stop_of else settings.protect.stop_pct
    table = now.tables.of(contract, settings.leverage.max, stop_pct)
    bracket, liquidation = table.bounds(now.leverage[contract.symbol])
    worst = max(mark, price)
    return VenueBounds(bracket * mark / worst, liquidation * mark / worst, contract.qty_max * mark)


def _collar_price(contract: Contract, mark: Decimal, side: Side, collar_pct: Decimal) -> Decimal:
    """Mark plus or minus the collar, inside the venue's own price band."""
    price = mark + side.sign * percent_of(mark, collar_pct)
    price = min(price, mark * contract.price_up) if side is Side.BUY else price
    price = max(price, mark * contract.price_down) if side is Side.SELL else price
    return limit_inside_collar(price, contract.tick, side)


def gross_exposure(book: Book, quotes: dict[str, Quote]) -> Decimal:
    """Sum of all positions and entries on their way, in USD at mark, else at a known price."""
    return sum(notionals(book, quotes).values(), ZERO)


def notionals(book: Book, quotes: dict[str, Quote]) -> dict[str, Decimal]:
    """Exposure of each symbol in USD at mark, else at a known price."""
    found: dict[str, Decimal] = {}
    for symbol, qty in book.exposures().items():
        quote = quotes.get(symbol)
        usable = quote is not None and quote.mark.is_finite() and quote.mark > ZERO
        found[symbol] = qty * (quote.mark if quote and usable else book.price_known(symbol))
    return found


def _words(size: Size, leverage: int) -> str:
    wished = f"{size.wished_usd:,.0f} USD"
    if size.notional_usd == size.wished_usd:
        return f"{wished} by {size.decided_by}, {leverage}x"
    return f"{size.notional_usd:,.0f} of {wished}, cut by {size.decided_by}, {leverage}x"
