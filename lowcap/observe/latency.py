"""How long each stage from a frame to an order takes, folded from ledger records. Pure.

Readers get a record only after its order has left, so nothing here is in the
way of one. What is measured where, and what is not: docs/latency.md.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from lowcap.core import facts
from lowcap.core.clock import NS_PER_MS, iso_ms
from lowcap.core.facts import Record

RECENT_KEPT = 60
SAMPLES_KEPT = 1_000
PENDING_KEPT = 1_000
BREACH_APART_MS = 60_000
# A stage that misses its target more often than this is a bottleneck, far more often a grave one.
OFTEN_PCT, VERY_OFTEN_PCT = 10.0, 50.0

ACKNOWLEDGE, TOTAL = "acknowledge", "total"
# Our own stages as they stand in the ledger, in order.
OWN_STAGES = ("receive", "parse", "detect", "wait", "admit", "risk", "prepare", "submit")
# Look-ups in tables that are ready: they are done inside another stage and measured with it.
WITHIN: dict[str, str] = {"leverage": "risk", "price": "risk"}
# Ten have a target; waiting for a turn and admission are measured and have none.
TARGETS_MS: dict[str, float | None] = {
    "receive": 0.1,
    "parse": 0.05,
    "detect": 0.2,
    "wait": None,
    "admit": None,
    "risk": 0.1,
    "leverage": 0.5,
    "price": 0.1,
    "prepare": 0.2,
    "submit": 2.0,
    ACKNOWLEDGE: 5.0,
    TOTAL: 10.0,
}
# From frame to order, by the tier of the signal; every other tier has the second one.
TIER_TARGETS_MS = {"macro": 100.0}
TIER_TARGET_MS = 500.0
# Upper bounds of the exported histogram, in seconds.
BOUNDS_S = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
_BOUNDS_US = tuple(bound * 1e6 for bound in BOUNDS_S)
# Each bucket is two per cent wide: a percentile is off by one per cent at most.
_GROWTH = math.log(1.02)
_LEAST_US, _MOST_US = 0.01, 1e10

Json = dict[str, Any]


class Spread:
    """A distribution of durations in log buckets; its size does not grow with their number."""

    def __init__(self, target_ms: float | None = None) -> None:
        self.target_ms = target_ms
        self.count = self.over = 0
        self.sum_us = self.max_us = 0.0
        self._buckets: Counter[int] = Counter()
        self._bounds = [0] * (len(_BOUNDS_US) + 1)

    def add(self, took_us: float) -> None:
        """Count one duration in microseconds."""
        self.count += 1
        self.sum_us += took_us
        self.max_us = max(self.max_us, took_us)
        if self.target_ms is not None and took_us > self.target_ms * 1000:
            self.over += 1
        kept_us = min(max(took_us, _LEAST_US), _MOST_US)
        self._buckets[math.floor(math.log(kept_us) / _GROWTH)] += 1
        self._bounds[bisect_left(_BOUNDS_US, took_us)] += 1

    def at_us(self, share: float) -> float | None:
        """The duration that ``share`` (0 to 1) of all do not exceed; None where there are none."""
        wanted = max(1, math.ceil(self.count * share))
        for bucket in sorted(self._buckets):
            wanted -= self._buckets[bucket]
            if wanted <= 0:
                return min(math.exp((bucket + 0.5) * _GROWTH), self.max_us)
        return None

    def cumulative(self) -> list[tuple[str, int]]:
        """How many were at or below each bound of ``BOUNDS_S``, and all of them."""
        found, total = [], 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self._bounds, strict=True):
            total += count
            found.append((bound, total))
        return found

    def histogram(self) -> list[tuple[float, int]]:
        """Each bound in ms and how many lie between the one before and it; the last is the rest."""
        bounds = (*(bound * 1000 for bound in BOUNDS_S), math.inf)
        return list(zip(bounds, self._bounds, strict=True))

    def row(self) -> Json:
        """The usual points, in milliseconds; None where nothing was measured."""
        points = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
        over = None if self.target_ms is None or not self.count else self.over / self.count * 100
        return {
            "count": self.count,
            **{name: _ms(self.at_us(share)) for name, share in points.items()},
            "max_ms": _ms(self.max_us) if self.count else None,
            "violations_pct": None if over is None else round(over, 2),
        }


class Sample(NamedTuple):
    """One order on news as it was measured; ``trace`` is the record that ``explain`` knows."""

    trace: int
    at_ns: int
    client_id: str
    symbol: str
    tier: str
    road: str
    stages_us: Mapping[str, float]


class _Sent(NamedTuple):
    road: str
    on_news: bool


class Latency:
    """Fed with every record, in order. ``on_breach`` hears of own work that took too long."""

    def __init__(self, targets_ms: Mapping[str, Decimal] | None = None) -> None:
        self.on_breach: Callable[[str], None] = lambda text: None
        self.targets_ms = TARGETS_MS | {n: float(ms) for n, ms in (targets_ms or {}).items()}
        self.reset()

    def reset(self) -> None:
        """Forget everything measured so far."""
        measured = [name for name in self.targets_ms if name not in WITHIN]
        self.stages = {name: Spread(self.targets_ms[name]) for name in measured}
        self.tiers: dict[str, Spread] = {}
        self.trips: dict[str, Spread] = {}
        self.recent_us: deque[float] = deque(maxlen=RECENT_KEPT)
        self.samples: deque[Sample] = deque(maxlen=SAMPLES_KEPT)
        self.replies_us: OrderedDict[str, float] = OrderedDict()
        self._intents: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._tiers_of: OrderedDict[int, str] = OrderedDict()
        self._sent: OrderedDict[str, _Sent] = OrderedDict()
        self._breach_at_ms = 0
        self._breaches_untold = 0

    # -- folding --------------------------------------------------------------

    def read(self, record: Record) -> None:
        """Take one record in."""
        match record.body:
            case facts.SignalRaised() as fact:
                _keep(self._tiers_of, record.seq, fact.tier)
            case facts.OrderIntended() as fact:
                tier = self._tiers_of.get(record.cause, "")
                _keep(self._intents, fact.client_id, (fact.symbol, tier))
            case facts.OrderSent() as fact:
                self._read_sent(record, fact)
            case facts.OrderUpdated() as fact if fact.reply_us > 0:
                self._read_reply(fact)
            case _:
                return

    def _read_sent(self, record: Record, fact: facts.OrderSent) -> None:
        symbol, tier = self._intents.pop(fact.client_id, ("", ""))
        _keep(self._sent, fact.client_id, _Sent(fact.road, bool(fact.stages_us)))
        if not fact.stages_us:
            return  # an order that no frame has led to
        for name, took_us in fact.stages_us.items():
            spread = self.stages.get(name)
            if spread is not None:
                spread.add(took_us)
        total_us = sum(fact.stages_us.values())
        self.stages[TOTAL].add(total_us)
        self.recent_us.append(total_us)
        if tier not in self.tiers:
            self.tiers[tier] = Spread(TIER_TARGETS_MS.get(tier, TIER_TARGET_MS))
        self.tiers[tier].add(total_us)
        self.samples.append(
            Sample(
                trace=record.cause,
                at_ns=record.ts,
                client_id=fact.client_id,
                symbol=symbol,
                tier=tier,
                road=fact.road,
                stages_us=fact.stages_us,
            )
        )
        most_ms = self.targets_ms[TOTAL]
        if most_ms is not None and total_us > most_ms * 1000:
            self._breach(record, fact.stages_us, total_us, most_ms)

    def _read_reply(self, fact: facts.OrderUpdated) -> None:
        sent = self._sent.pop(fact.client_id, None)
        if sent is None:
            return  # sent before we looked
        if sent.road not in self.trips:
            self.trips[sent.road] = Spread(self.targets_ms[ACKNOWLEDGE])
        self.trips[sent.road].add(fact.reply_us)
        if sent.on_news:
            self.stages[ACKNOWLEDGE].add(fact.reply_us)
            _keep(self.replies_us, fact.client_id, fact.reply_us)

    def _breach(
        self, record: Record, stages_us: Mapping[str, float], total_us: float, most_ms: float
    ) -> None:
        """One alarm a minute at most; it says how many it stands for."""
        at_ms = record.ts // NS_PER_MS
        if self._breach_at_ms and 0 <= at_ms - self._breach_at_ms < BREACH_APART_MS:
            self._breaches_untold += 1
            return
        longest = max(stages_us, key=lambda name: stages_us[name])
        text = (
            f"own work took {total_us / 1000:.1f} ms from frame to order, target {most_ms:g} ms; "
            f"longest was {longest} with {stages_us[longest] / 1000:.1f} ms (trace {record.cause})"
        )
        if self._breaches_untold:
            text += f"; {self._breaches_untold} more since the last alarm"
        self._breach_at_ms, self._breaches_untold = at_ms, 0
        self.on_breach(text)

    # -- telling --------------------------------------------------------------

    def table(self, stage: str = "") -> Json:
        """The stages (one of them where it is named), the newest totals, round trips and tiers."""
        wanted = [stage] if stage else list(self.targets_ms)
        return {
            "stages": [self._stage_row(name) for name in wanted],
            "recent_ms": [round(took_us / 1000, 4) for took_us in self.recent_us],
            "round_trip": {road: trip.row() for road, trip in sorted(self.trips.items())},
            "tiers": [
                {"tier": tier, "target_ms": spread.target_ms} | spread.row()
                for tier, spread in sorted(self.tiers.items())
            ],
        }

    def _stage_row(self, name: str) -> Json:
        head = {"stage": name, "target_ms": self.targets_ms[name]}
        if name in WITHIN:
            return head | Spread().row() | {"count": None, "within": WITHIN[name]}
        return head | self.stages[name].row() | {"within": None}

    def bottlenecks(self) -> list[Json]:
        """The stages over their target more often than ``OFTEN_PCT``, the worst first."""
        found = []
        for name, spread in self.stages.items():
            row = spread.row()
            often = row["violations_pct"]
            if often is not None and often > OFTEN_PCT:
                severity = "high" if often > VERY_OFTEN_PCT else "medium"
                head = {"stage": name, "severity": severity, "target_ms": spread.target_ms}
                found.append(head | row)
        return sorted(found, key=lambda row: (-row["violations_pct"], row["stage"]))

    def rows(self) -> list[Json]:
        """The newest orders on news as they were measured, oldest first, in microseconds."""
        return [
            {
                "trace": sample.trace,
                "at": iso_ms(sample.at_ns // NS_PER_MS),
                "client_id": sample.client_id,
                "symbol": sample.symbol,
                "tier": sample.tier,
                "road": sample.road,
                **{f"{name}_us": _us(sample.stages_us.get(name)) for name in OWN_STAGES},
                "total_us": _us(sum(sample.stages_us.values())),
                "acknowledge_us": _us(self.replies_us.get(sample.client_id)),
            }
            for sample in self.samples
        ]


def _ms(took_us: float | None) -> float | None:
    return None if took_us is None else round(took_us / 1000, 4)


def _us(took_us: float | None) -> float | None:
    return None if took_us is None else round(took_us, 1)


def _keep(kept: OrderedDict[Any, Any], key: object, value: object) -> None:
    """Remember a value, and forget the oldest where there are too many."""
    kept[key] = value
    if len(kept) > PENDING_KEPT:
        kept.popitem(last=False)
