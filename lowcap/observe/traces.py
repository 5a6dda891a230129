"""From any record back to the frame that caused it: the memory behind ``explain``."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from msgspec import to_builtins

from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS, iso_ms
from lowcap.core.facts import Record

TRACES_KEPT = 1_000
RECORDS_PER_TRACE_MAX = 500
RECORDS_KEPT = 1_500

Json = dict[str, Any]
# What makes a trace one of a trade: a signal, or an operator's own.
_TRADED = (facts.SignalRaised, facts.CommandReceived)


class TraceIndex:
    """The chains of the newest traces, fed with every record, in order."""

    def __init__(self) -> None:
        self._chains: OrderedDict[int, list[Record]] = OrderedDict()
        self._root: dict[int, int] = {}
        self._held = 0
        self.own_work_us: dict[int, float] = {}

    def read(self, record: Record) -> None:
        """Take one record in."""
        if isinstance(record.body, facts.NewsSeen):
            if record.body.decision == "signal" or record.body.misses:
                self._start(record)
            return
        if isinstance(record.body, facts.CommandReceived) and record.body.method == "trade":
            self._start(record)
            return
        root = self._root.get(record.cause)
        if root is None or root not in self._chains:
            return
        chain = self._chains[root]
        if len(chain) < RECORDS_PER_TRACE_MAX:
            chain.append(record)
            self._held += 1
            self._root[record.seq] = root
        if isinstance(record.body, facts.OrderSent) and record.body.stages_us:
            self.own_work_us.setdefault(root, sum(record.body.stages_us.values()))

    def _start(self, record: Record) -> None:
        self._chains[record.seq] = [record]
        self._root[record.seq] = record.seq
        self._held += 1
        while len(self._chains) > TRACES_KEPT or self._held > RECORDS_KEPT:
            old, chain = self._chains.popitem(last=False)
            self._held -= len(chain)
            for dropped in chain:
                self._root.pop(dropped.seq, None)
            self.own_work_us.pop(old, None)

    def last(self) -> int | None:
        """The newest trace that traded or was refused, else the newest of all."""
        for root in reversed(self._chains):
            if any(isinstance(r.body, _TRADED) for r in self._chains[root]):
                return root
        return next(reversed(self._chains), None)

    def fastest(self) -> int | None:
        """The trace with the least own work from frame to send."""
        return min(self.own_work_us, key=self.own_work_us.__getitem__, default=None)

    def find(self, number: int) -> int | None:
        """The trace that a record belongs to."""
        root = self._root.get(number)
        return root if root in self._chains else None

    def explain(self, root: int) -> Json:
        """One trace as a tree of plain values: frame, signal, orders with all that befell them."""
        chain = self._chains[root]
        start_ns = chain[0].ts
        story: Json = {
            "trace": root,
            "at": iso_ms(start_ns // NS_PER_MS),
            **_beginning(chain[0]),
            "signal": None,
            "refusals": [],
            "orders": [],
            "closed": [],
        }
        orders: dict[str, Json] = {}
        for record in chain[1:]:
            self._add(story, orders, record, start_ns)
        story["orders"] = list(orders.values())
        return story

    def _add(self, story: Json, orders: dict[str, Json], record: Record, start_ns: int) -> None:
        after_ms = round((record.ts - start_ns) / NS_PER_MS, 3)
        body: Json = to_builtins(record.body)
        match record.body:
            case facts.SignalRaised():
                story["signal"] = body
            case facts.Refused():
                story["refusals"].append(body | {"after_ms": after_ms})
            case facts.OrderIntended() as fact:
                orders[fact.client_id] = body | {
                    "after_ms": after_ms,
                    "status": "intended",
                    "road": "",
                    "stages_us": {},
                    "reply_us": None,
                    "history": [],
                    "fills": [],
                }
            case facts.OrderSent() as fact if fact.client_id in orders:
                orders[fact.client_id] |= {"road": fact.road, "stages_us": fact.stages_us}
            case facts.OrderUpdated() as fact if fact.client_id in orders:
                order = orders[fact.client_id]
                order["status"] = fact.status
                order["reply_us"] = fact.reply_us or order["reply_us"]
                order["history"].append(body | {"after_ms": after_ms})
            case facts.Filled() as fact if fact.client_id in orders:
                orders[fact.client_id]["fills"].append(body | {"after_ms": after_ms})
            case facts.OutcomeUnknown() | facts.OutcomeSettled() as fact:
                if fact.client_id in orders:
                    orders[fact.client_id]["history"].append(body | {"after_ms": after_ms})
            case facts.PositionClosed():
                story["closed"].append(body | {"after_ms": after_ms})
            case _:
                return


def _beginning(record: Record) -> Json:
    """What a trace began with: a frame, or an operator's word."""
    match record.body:
        case facts.NewsSeen() as seen:
            return {
                "feed": seen.feed,
                "author": seen.author,
                "headline": seen.headline,
                "decision": seen.decision,
                "reason": seen.reason,
                "detail": seen.detail,
                "near_misses": [to_builtins(miss) for miss in seen.misses],
            }
        case facts.CommandReceived() as asked:
            return {
                "feed": "",
                "author": f"uid {asked.uid}",
                "headline": f"{asked.method} {asked.params}",
                "decision": "by-hand",
                "reason": "",
                "detail": "",
                "near_misses": [],
            }
        case _:
            raise AssertionError("a trace begins with a frame or a command")
