"""From ledger records to alerts. Pure: the times are those of the records, or given.

What mends itself at once is not told: a lost feed or road to the venue is told
after a grace, and only then that it is back. Executions of one order are told
together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct

from lowcap.alerts.alert import Alert
from lowcap.alerts.words import alarm_alert, hold_alert, other_alert, who_words
from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS
from lowcap.core.facts import Record
from lowcap.core.ids import parse_client_id
from lowcap.core.money import ZERO, wire
from lowcap.core.plain import plain

AUTO = "auto"  # who places holds that lift themselves
FILLS_SETTLE_MS = 1_000
FEED_GRACE_MS, VENUE_GRACE_MS = 15_000, 3_000
START_GRACE_MS = 60_000  # before recovery is over nothing has been lost yet
REMEMBERED_MAX = 500
# Automatic holds that tell of the venue, each with what it is about.
VENUE_HOLDS = {
    "order-socket": "the order connection",
    "user-stream": "the user data stream",
    "prices": "prices",
    "clock": "the clock",
    "banned": "the venue",
    "venue": "the venue",
}
_LEGS = {"e": "ENTRY", "s": "STOP", "c": "CLOSE", "x": "FORCED CLOSE"}
V = TypeVar("V")


class _Fills(Struct):
    """The executions of one order that are not told yet."""

    symbol: str
    side: str
    leg: str
    seq: int
    first_ms: int
    qty: Decimal = ZERO
    cost_usd: Decimal = ZERO
    fee: Decimal = ZERO
    realized: Decimal = ZERO


class _Waiting(Struct):
    """Bad news that is told unless it mends itself before."""

    due_ms: int
    alert: Alert


class Reader:
    """Fed with every new record in order; ``due`` gives what only time makes an alert."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._recovered = False
        self._fills: dict[str, _Fills] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._told_lost: set[str] = set()
        self._told_holds: set[str] = set()
        self._headlines: OrderedDict[int, str] = OrderedDict()
        self._triggers: OrderedDict[int, str] = OrderedDict()
        self._orders: OrderedDict[str, facts.OrderIntended] = OrderedDict()
        self._order_triggers: OrderedDict[str, str] = OrderedDict()
        self._unknown: OrderedDict[str, bool] = OrderedDict()

    def read(self, record: Record) -> list[Alert]:
        """The alerts that a record raises at once."""
        at_ms = record.ts // NS_PER_MS
        match record.body:
            case facts.NewsSeen() as news:
                if news.decision == "signal":
                    _remember(self._headlines, record.seq, news.headline)
                return []
            case facts.SignalRaised() as signal:
                return [self._signal(signal, record, at_ms)]
            case facts.OrderIntended() as order:
                self._intended(order, record)
                return []
            case facts.Filled() as fill:
                self._filled(fill, record, at_ms)
                return []
            case facts.OrderUpdated(status="rejected" | "denied") as update:
                return [self._rejected(update, record, at_ms)]
            case facts.FeedChanged() as feed:
                return list(self._feed(feed, record, at_ms))
            case facts.HoldPlaced() as hold:
                return list(self._hold(hold, record, at_ms))
            case facts.HoldLifted() as lifted:
                return list(self._lifted(lifted, record, at_ms))
            case _:
                return self._rest(record, at_ms)

    def _rest(self, record: Record, at_ms: int) -> list[Alert]:
        match record.body:
            case facts.AlarmRaised() as alarm:
                return [alarm_alert(alarm, record.seq, at_ms)]
            case facts.OutcomeUnknown() as doubt:
                _remember(self._unknown, doubt.client_id, True)
                what = self._name(doubt.client_id)
                text = f"{what}: may or may not be at the venue: {doubt.why}"
                return [_alert("order.unknown", "error", "order in doubt", text, record, at_ms)]
            case facts.OutcomeSettled() as settled:
                if self._unknown.pop(settled.client_id, None) is None:
                    return []
                what = self._name(settled.client_id)
                text = f"{what}: {settled.outcome} ({settled.how})"
                return [_alert("order.unknown", "info", "doubt settled", text, record, at_ms)]
            case facts.Recovered():
                self._recovered = True
        found = other_alert(record.body, record.seq, at_ms, self._mode)
        return [] if found is None else [found]

    def due(self, now_ms: int, *, at_once: bool = False) -> list[Alert]:
        """What is to be told because time has passed; ``at_once``: executions need not settle."""
        told = []
        for name, fills in list(self._fills.items()):
            if at_once or now_ms >= fills.first_ms + FILLS_SETTLE_MS:
                del self._fills[name]
                told.append(self._fill_alert(name, fills))
        for key, waiting in list(self._waiting.items()):
            if now_ms >= waiting.due_ms:
                del self._waiting[key]
                self._told_lost.add(key)
                told.append(waiting.alert)
        return told

    def next_ms(self) -> int | None:
        """When ``due`` is to be asked next; None: not before the next record."""
        times = [fills.first_ms + FILLS_SETTLE_MS for fills in self._fills.values()]
        times += [waiting.due_ms for waiting in self._waiting.values()]
        return min(times, default=None)

    # -- news and orders --------------------------------------------------------

    def _signal(self, fact: facts.SignalRaised, record: Record, at_ms: int) -> Alert:
        _remember(self._triggers, record.seq, fact.trigger)
        symbols = ", ".join(fact.symbols)
        return Alert(
            event="signal",
            level="info",
            title=f"SIGNAL {fact.trigger}",
            text=f"{fact.side} {symbols}, {fact.age_ms} ms old, by {fact.feed}",
            at_ms=at_ms,
            seq=record.seq,
            subject=fact.trigger,
            quote=self._headlines.pop(record.cause, ""),
            fields={"trigger": fact.trigger, "side": fact.side.value, "symbols": symbols},
        )

    def _intended(self, order: facts.OrderIntended, record: Record) -> None:
        _remember(self._orders, order.client_id, order)
        if (trigger := self._triggers.get(record.cause)) is not None:
            _remember(self._order_triggers, order.client_id, trigger)

    def _filled(self, fact: facts.Filled, record: Record, at_ms: int) -> None:
        fills = self._fills.get(fact.client_id)
        if fills is None:
            leg = _leg(fact.client_id)
            fills = _Fills(fact.symbol, fact.side.value, leg, record.seq, at_ms)
            self._fills[fact.client_id] = fills
        fills.qty += fact.qty
        fills.cost_usd += fact.qty * fact.price
        fills.fee += fact.fee
        fills.realized += fact.realized

    def _fill_alert(self, name: str, fills: _Fills) -> Alert:
        price = fills.cost_usd / fills.qty if fills.qty else ZERO
        digits = max(2, 5 - price.adjusted()) if price else 2
        fields = {
            "symbol": fills.symbol,
            "side": fills.side,
            "leg": fills.leg.lower(),
            "qty": wire(fills.qty),
            "price": f"{price:.{digits}f}",
            "notional_usd": f"{fills.cost_usd:.2f}",
            "fee_usd": f"{fills.fee:.4f}",
            "client_id": name,
        }
        text = (
            f"{fills.side} {fields['qty']} {fills.symbol} at {fields['price']}, "
            f"{fills.cost_usd:,.2f} USD"
        )
        if trigger := self._order_triggers.get(name, ""):
            fields["trigger"] = trigger
            text += f", by {trigger}"
        if fills.leg != "ENTRY":
            result = fills.realized - fills.fee
            fields["pnl_usd"] = f"{result:.2f}"
            text += f", result {result:+,.2f} USD"
        return Alert(
            event="order.filled",
            level="warning" if fills.leg in ("STOP", "FORCED CLOSE") else "info",
            title=f"{fills.leg} {fills.side} {fills.symbol}",
            text=text,
            at_ms=fills.first_ms,
            seq=fills.seq,
            subject=fills.symbol,
            fields=fields,
        )

    def _rejected(self, fact: facts.OrderUpdated, record: Record, at_ms: int) -> Alert:
        order = self._orders.get(fact.client_id)
        code = f"{fact.code} " if fact.code else ""
        return Alert(
            event="order.refused",
            level="warning",
            title="REFUSED by the venue",
            text=f"{self._name(fact.client_id)}: {code}{plain(fact.reason)}",
            at_ms=at_ms,
            seq=record.seq,
            subject=order.symbol if order is not None else "",
            fields={"client_id": fact.client_id, "code": str(fact.code)},
        )

    def _name(self, client_id: str) -> str:
        order = self._orders.get(client_id)
        leg = _leg(client_id).lower()
        return f"{leg} {order.side} {order.symbol}" if order is not None else f"{leg} {client_id}"

    # -- feeds and holds --------------------------------------------------------

    def _feed(self, fact: facts.FeedChanged, record: Record, at_ms: int) -> Iterator[Alert]:
        key = f"feed {fact.feed}"
        if fact.state == "up":
            yield from self._mended(key, "feed.back", fact.feed, record, at_ms)
        elif fact.state == "off":
            self._waiting.pop(key, None)
            self._told_lost.discard(key)
        elif fact.state in ("stale", "down", "backoff", "fatal") and key not in self._told_lost:
            event = "feed.stale" if fact.state == "stale" else "feed.lost"
            text = f"feed {fact.feed} is {fact.state}: {fact.why or 'no reason given'}"
            lost = _alert(event, "warning", f"FEED {fact.feed}", text, record, at_ms, fact.feed)
            grace_ms = 0 if fact.state in ("stale", "fatal") else FEED_GRACE_MS
            if not self._recovered:
                grace_ms = START_GRACE_MS
            if grace_ms:
                self._waiting.setdefault(key, _Waiting(at_ms + grace_ms, lost))
            else:
                self._waiting.pop(key, None)
                self._told_lost.add(key)
                yield lost

    def _hold(self, fact: facts.HoldPlaced, record: Record, at_ms: int) -> Iterator[Alert]:
        if fact.who != AUTO or fact.state == "HALTED":
            self._told_holds.add(fact.name)
            yield hold_alert(fact, record.seq, at_ms)
        elif (what := VENUE_HOLDS.get(fact.name)) is not None:
            key = f"hold {fact.name}"
            if key in self._told_lost or key in self._waiting:
                return
            text = f"{what}: {fact.reason}; no new entries until it is back"
            lost = _alert("venue.lost", "error", f"LOST {what}", text, record, at_ms, fact.name)
            grace_ms = VENUE_GRACE_MS if self._recovered else START_GRACE_MS
            self._waiting[key] = _Waiting(at_ms + grace_ms, lost)
        elif fact.name != "recovery":
            yield _alert("alarm", "error", fact.name, fact.reason, record, at_ms, fact.name)

    def _lifted(self, fact: facts.HoldLifted, record: Record, at_ms: int) -> Iterator[Alert]:
        if (what := VENUE_HOLDS.get(fact.name)) is not None:
            yield from self._mended(f"hold {fact.name}", "venue.back", what, record, at_ms)
        elif fact.who != AUTO or fact.name in self._told_holds:
            self._told_holds.discard(fact.name)
            text = f"{fact.name} lifted by {who_words(fact.who)}: {fact.reason}"
            title = "RESUMED"
            yield _alert("trading.resumed", "warning", title, text, record, at_ms, fact.name)

    def _mended(
        self, key: str, event: str, what: str, record: Record, at_ms: int
    ) -> Iterator[Alert]:
        self._waiting.pop(key, None)
        if key in self._told_lost:
            self._told_lost.discard(key)
            yield _alert(event, "info", f"BACK {what}", f"{what}: back", record, at_ms, what)


def _alert(
    event: str, level: str, title: str, text: str, record: Record, at_ms: int, subject: str = ""
) -> Alert:
    return Alert(
        event=event,
        level=level,
        title=title,
        text=text,
        at_ms=at_ms,
        seq=record.seq,
        subject=subject,
    )


def _leg(client_id: str) -> str:
    """``ENTRY``, ``STOP``, ``TAKE-PROFIT 2`` or ``CLOSE``."""
    parts = parse_client_id(client_id)
    if parts is None:
        return "FORCED CLOSE"
    return _LEGS.get(parts.leg) or f"TAKE-PROFIT {parts.leg[1:]}"


K = TypeVar("K")


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    while len(memory) > REMEMBERED_MAX:
        memory.popitem(last=False)
