"""Belief as plain values: the rows that commands return, the same for people and for --json."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import to_builtins

from lowcap.core.clock import NS_PER_MS, iso_ms
from lowcap.core.facts import Record
from lowcap.core.messages import Purpose
from lowcap.core.money import ZERO
from lowcap.core.order import RESTING, Order
from lowcap.detection.trigger import Trigger
from lowcap.execution.desk import Desk
from lowcap.feeds.session import NewsSession
from lowcap.observe.story import tell
from lowcap.risk.book import Hold, Position

Json = dict[str, Any]
FRAME_SHOWN_BYTES = 8_192


def event_of(record: Record) -> Json:
    """A record as it travels to operators, with its sentence where it has one."""
    told = tell(record)
    return {
        "seq": record.seq,
        "at": iso_ms(record.ts // NS_PER_MS),
        "kind": record.kind,
        "cause": record.cause,
        "level": told[0] if told else "debug",
        "text": told[2] if told else "",
        "body": to_builtins(record.body, builtin_types=(msgspec.Raw,)) if told else {},
    }


def hold_row(hold: Hold) -> Json:
    """One named hold."""
    return {
        "name": hold.name,
        "state": hold.state.value,
        "reason": hold.reason,
        "who": hold.who,
        "since": iso_ms(hold.since_ms),
        "until": iso_ms(hold.until_ms) if hold.until_ms else None,
    }


def feed_row(feed: NewsSession, now_ms: int) -> Json:
    """One feed as an operator sees it. Ages and times on the way in milliseconds."""
    status = feed.status
    median_ms = status.latency_median_ms
    return {
        "name": status.name,
        "state": status.state,
        "since": iso_ms(status.since_ms),
        "last_frame_age_ms": now_ms - status.last_frame_ms if status.last_frame_ms else None,
        "last_news_age_ms": now_ms - status.last_news_ms if status.last_news_ms else None,
        "frames": status.frames,
        "news": status.news,
        "faults": status.faults,
        "connects": status.connects,
        "round_trip_ms": None if status.round_trip_ms is None else round(status.round_trip_ms, 2),
        "latency_ms": None if median_ms is None else round(median_ms),
        "why": status.why,
    }


def frame_row(feed: str, received_ns: int, frame: bytes) -> Json:
    """A frame as it travels to an operator who follows its feed."""
    return {
        "feed": feed,
        "at": iso_ms(received_ns // NS_PER_MS),
        "bytes": len(frame),
        "frame": frame[:FRAME_SHOWN_BYTES].decode("utf-8", "replace"),
    }


def trigger_row(trigger: Trigger, *, on: bool, why_off: str, signals: int) -> Json:
    """One trigger as an operator sees it."""
    return {
        "id": trigger.id,
        "on": on,
        "why_off": why_off,
        "feeds": list(trigger.feeds),
        "side": trigger.side.value if trigger.side else "EITHER",
        "matcher": trigger.matcher,
        "tier": trigger.tier,
        "max_age_s": trigger.max_age_s,
        "cooldown_s": trigger.cooldown_s,
        "signals": signals,
    }


def stop_of(desk: Desk, position: Position) -> Order | None:
    """The stop of a position that rests at the venue, as far as is known."""
    stops = [
        o
        for o in desk.book.orders_of(position.symbol)
        if o.purpose is Purpose.STOP and o.status in RESTING and o.seq >= position.opened_seq
    ]
    return stops[-1] if stops else None


def unrealized(desk: Desk, position: Position) -> Decimal:
    """Profit of a position at the mark price, in USDT."""
    quote = desk.quotes.get(position.symbol)
    return position.qty * (quote.mark - position.entry_price) if quote else ZERO


def position_row(desk: Desk, position: Position) -> Json:
    """One position with its protection."""
    quote, stop = desk.quotes.get(position.symbol), stop_of(desk, position)
    legs = [
        o
        for o in desk.book.orders_of(position.symbol)
        if o.purpose is Purpose.TAKE_PROFIT and o.seq >= position.opened_seq
    ]
    profit = unrealized(desk, position)
    cost = abs(position.qty) * position.entry_price
    return {
        "symbol": position.symbol,
        "side": "LONG" if position.qty > 0 else "SHORT",
        "qty": str(abs(position.qty)),
        "entry_price": str(position.entry_price),
        "mark_price": str(quote.mark) if quote else None,
        "notional_usd": f"{abs(position.qty) * quote.mark:.2f}" if quote else None,
        "unrealized_usd": f"{profit:.2f}",
        "unrealized_pct": f"{profit / cost * 100:.2f}" if cost else "0.00",
        "realized_usd": f"{position.realized - position.fees:.2f}",
        "stop_price": str(stop.trigger_price) if stop else None,
        "legs_open": [
            {"leg": o.leg, "qty": str(o.open_qty), "price": str(o.price)}
            for o in legs
            if o.status in RESTING
        ],
        "legs_done": sum(1 for o in legs if o.status == "filled"),
        "trigger": position.trigger,
        "trace": position.opened_seq,
        "foreign_qty": str(desk.book.state.foreign.get(position.symbol, ZERO)),
        "closing": position.symbol in desk.closing or bool(desk.flattening),
    }


def foreign_rows(desk: Desk) -> list[Json]:
    """What the venue holds of each symbol beside what is ours; signed quantities."""
    ignored = desk.book.state.switched_off
    return [
        {"symbol": symbol, "qty": str(qty), "ignored": f"foreign:{symbol}" in ignored}
        for symbol, qty in sorted(desk.book.state.foreign.items())
    ]


def order_row(order: Order) -> Json:
    """One order."""
    return {
        "client_id": order.client_id,
        "symbol": order.symbol,
        "purpose": order.purpose.value,
        "side": order.side.value,
        "type": order.type,
        "qty": str(order.qty) if order.qty is not None else None,
        "price": str(order.price) if order.price is not None else None,
        "trigger_price": str(order.trigger_price) if order.trigger_price is not None else None,
        "status": order.status.value,
        "executed_qty": str(order.executed_qty),
        "average_price": str(order.average_price) if order.average_price is not None else None,
        "order_id": order.order_id,
        "updated": iso_ms(order.updated_ms),
        "reason": order.reason,
        "trace": order.seq,
    }
