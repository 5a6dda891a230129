"""The protections: what each measures, its limit, and whether it lets an entry through. Pure.

Each check gives its name, the measured value and the limit where it says no,
and nothing where all is well. ``measures`` shows the same to people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from lowcap.core.messages import Purpose, Quote
from lowcap.core.money import HUNDRED, ZERO
from lowcap.core.order import Status
from lowcap.risk.book import Book
from lowcap.risk.breaker import FEED, REJECTIONS, REST, WS, Breaker, BreakerState
from lowcap.risk.guard_state import DAY_LOSS, DRAWDOWN, EQUITY_FLOOR, HOUR_MS, LOSS_STREAK
from lowcap.settings import Limits

TRIGGER_EXECUTIONS = "trigger-executions"
FEED_NOTIONAL = "feed-notional"
# Why a breach of each halts, in words.
HALT_WORDS = {
    DAY_LOSS: "lost {} since 00:00 UTC, limit {}",
    LOSS_STREAK: "{} positions in a row closed at a loss, limit {}",
    EQUITY_FLOOR: "the account is worth {}, floor {}",
    DRAWDOWN: "the account is worth {} less than at the day's highest, limit {}",
}
Found = tuple[str, str, str]


def equity_of(book: Book, quotes: Mapping[str, Quote], wallet_usdt: Decimal) -> Decimal | None:
    """Wallet and unrealised result at mark, in USD; None where a position of ours has no price."""
    equity = wallet_usdt
    for position in book.open_positions():
        quote = quotes.get(position.symbol)
        if quote is not None and quote.mark.is_finite() and quote.mark > ZERO:
            equity += position.qty * (quote.mark - position.entry_price)
        elif position.own_qty != ZERO:
            return None
    return equity if equity.is_finite() else None


def breaches(book: Book, limits: Limits, equity_usd: Decimal | None) -> Iterator[Found]:
    """The protections that halt, where they are breached. Unknown equity breaches none."""
    loss = -book.day_result()
    if not loss < limits.day_loss_usd_max:
        yield DAY_LOSS, f"{loss:.2f} USD", f"{limits.day_loss_usd_max} USD"
    streak, most = book.state.guards.losing_streak, limits.losing_streak_max
    if most and not streak < most:
        yield LOSS_STREAK, f"{streak}", f"{most}"
    if equity_usd is None:
        return
    floor = limits.equity_floor_usd
    if floor and not equity_usd > floor:
        yield EQUITY_FLOOR, f"{equity_usd:.2f} USD", f"{floor} USD"
    fallen, most_pct = drawdown_pct(book, equity_usd), limits.drawdown_pct_max
    if most_pct and not fallen < most_pct:
        yield DRAWDOWN, f"{fallen:.2f} %", f"{most_pct} %"


def drawdown_pct(book: Book, equity_usd: Decimal) -> Decimal:
    """How far the account is below its highest worth of the day, in per cent of that."""
    peak = book.state.guards.peak_usd
    if peak is None or not peak > ZERO:
        return ZERO
    return max((peak - equity_usd) / peak * HUNDRED, ZERO)


def equity_checks(book: Book, limits: Limits, equity_usd: Decimal | None) -> Iterator[Found]:
    """``breaches`` as an entry meets them: what cannot be known is no yes."""
    if equity_usd is None and (limits.equity_floor_usd or limits.drawdown_pct_max):
        yield "equity-unknown", "no price of a position of ours", "a price of each"
    yield from breaches(book, limits, equity_usd)


def rate_checks(book: Book, now_ms: int, limits: Limits) -> Iterator[Found]:
    """Entries by the second, minute, hour and day."""
    for name, count, most in _rates(book, now_ms, limits):
        if most and not count < most:
            yield name, f"{count}", f"{most}"


def _rates(book: Book, now_ms: int, limits: Limits) -> Iterator[tuple[str, int, int]]:
    guards = book.state.guards
    for name, window_ms, most in (
        ("entries-per-second", 1_000, limits.entries_per_s_max),
        ("entries-per-minute", 60_000, limits.entries_per_min_max),
        ("entries-per-hour", HOUR_MS, limits.entries_per_hour_max),
    ):
        yield name, guards.entries_since(now_ms - window_ms), most
    yield "entries-per-day", guards.day_entries, limits.entries_per_day_max


def trigger_checks(
    book: Book, trigger: str, most: int, now_ms: int, signal_seq: int
) -> Iterator[Found]:
    """Whether a trigger has led to entries too often within the hour; this signal aside."""
    if not (trigger and most):
        return
    done = book.state.guards.executions_since(trigger, now_ms - HOUR_MS, but=signal_seq)
    if not done < most:
        yield TRIGGER_EXECUTIONS, f"{done} by {trigger} in an hour", f"{most}"


def breaker_checks(book: Book, feed: str) -> Iterator[Found]:
    """Open circuit breakers that an entry of this feed meets."""
    breakers = book.state.guards.breakers
    if not breakers:
        return
    source = breakers.get(FEED + feed)
    if source is not None and source.state is BreakerState.OPEN:
        yield "feed-breaker", _broken(FEED + feed, source), "closed"
    roads = [breakers.get(WS), breakers.get(REST)]
    if all(road is not None and road.state is BreakerState.OPEN for road in roads):
        yield "venue-breaker", "no road to the venue works", "one that does"
    refused = breakers.get(REJECTIONS)
    if refused is None:
        return
    if refused.state is BreakerState.OPEN:
        yield "rejections-breaker", _broken(REJECTIONS, refused), "closed"
    elif any(
        o.purpose is Purpose.ENTRY and o.status in (Status.INTENDED, Status.SENT, Status.UNKNOWN)
        for o in book.open_orders()
    ):
        yield "rejections-breaker", "half-open and one entry is under way", "its answer"


def _broken(name: str, breaker: Breaker) -> str:
    return f"{name} open: {breaker.why}"


def feed_notionals(book: Book, worth: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What is open or on its way by feed, in USD.

    ``worth`` is the exposure of each symbol. One that entries of several feeds
    share is divided by their quantities.
    """
    found: dict[str, Decimal] = {}
    brought = book.figures().feed_qty
    for symbol, usd in worth.items():
        parts = brought.get(symbol, {})
        total = sum(parts.values(), ZERO)
        for feed, qty in parts.items():
            found[feed] = found.get(feed, ZERO) + usd * qty / total
    return found


class Measure(Struct, frozen=True, kw_only=True):
    """One limit beside what is used of it. ``now`` None: nothing to measure at the moment.

    ``of`` names the one that is measured where there are several: the worst.
    A floor is used up from above.
    """

    name: str
    limit: Decimal
    unit: str
    now: Decimal | None = None
    of: str = ""
    floor: bool = False

    @property
    def used_pct(self) -> Decimal | None:
        """How much of the limit is used, in per cent; None where it is off or unmeasured."""
        if self.now is None or not self.limit:
            return None
        if self.floor:
            return self.limit / self.now * HUNDRED if self.now > ZERO else HUNDRED
        return max(self.now / self.limit * HUNDRED, ZERO)


def measures(
    book: Book,
    now_ms: int,
    limits: Limits,
    worth: Mapping[str, Decimal],
    equity_usd: Decimal | None,
) -> list[Measure]:
    """Every limit of the account with what is used of it; ``worth`` as in ``feed_notionals``."""
    largest, feed = _most(worth), _most(feed_notionals(book, worth))
    guards, d = book.state.guards, Decimal
    done = {t: d(guards.executions_since(t, now_ms - HOUR_MS)) for t in guards.executions}
    fallen = None if equity_usd is None else drawdown_pct(book, equity_usd)
    rows = [
        ("position-notional", largest[1], limits.position_notional_usd_max, "USD", largest[0]),
        ("gross-notional", sum(worth.values(), ZERO), limits.gross_notional_usd_max, "USD", ""),
        (FEED_NOTIONAL, feed[1], limits.feed_notional_usd_max, "USD", feed[0]),
        ("open-positions", d(len(worth)), d(limits.open_positions_max), "", ""),
        (DAY_LOSS, -book.day_result(), limits.day_loss_usd_max, "USD", ""),
        (LOSS_STREAK, d(guards.losing_streak), d(limits.losing_streak_max), "", ""),
        (DRAWDOWN, fallen, limits.drawdown_pct_max, "%", ""),
    ]
    rows += [
        (name, d(count), d(most), "", "") for name, count, most in _rates(book, now_ms, limits)
    ]
    worst = _most(done)
    rows.append((TRIGGER_EXECUTIONS, worst[1], d(limits.executions_per_hour_max), "", worst[0]))
    found = [
        Measure(name=name, now=now, limit=limit, unit=unit, of=of)
        for name, now, limit, unit, of in rows
    ]
    floor = limits.equity_floor_usd
    found.insert(6, Measure(name=EQUITY_FLOOR, now=equity_usd, limit=floor, unit="USD", floor=True))
    return found


def _most(amounts: Mapping[str, Decimal]) -> tuple[str, Decimal]:
    """The largest, with its name."""
    return max(amounts.items(), key=lambda item: item[1], default=("", ZERO))
