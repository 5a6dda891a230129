"""Stage times: exact to one per cent, against targets, the exchange apart, alarms without flood."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core import facts
from lowcap.core.facts import Fact, Record
from lowcap.core.messages import Purpose
from lowcap.core.money import Side
from lowcap.observe.latency import (
    PENDING_KEPT,
    RECENT_KEPT,
    SAMPLES_KEPT,
    TARGETS_MS,
    Latency,
    Spread,
)

EPOCH_NS = 1_770_384_590 * 10**9
STAGES = {"receive": 4.0, "parse": 20.0, "detect": 12.0, "admit": 9.0, "risk": 40.0,
          "prepare": 15.0, "submit": 30.0}  # fmt: skip
OWN_US = sum(STAGES.values())


class Feeder:
    """Numbers records, a millisecond apart, and feeds them."""

    def __init__(self, latency: Latency | None = None) -> None:
        self.latency = latency or Latency()
        self.told: list[str] = []
        self.latency.on_breach = self.told.append
        self.seq = 0
        self.at_ms = 0

    def __call__(self, body: Fact, cause: int = 0) -> int:
        self.seq += 1
        self.at_ms += 1
        ts = EPOCH_NS + self.at_ms * 1_000_000
        kind = type(body).__name__
        self.latency.read(Record(seq=self.seq, ts=ts, run=1, kind=kind, cause=cause, body=body))
        return self.seq

    def trade(
        self,
        *,
        tier: str = "regular",
        stages: dict[str, float] | None = None,
        reply_us: float = 900.0,
        road: str = "ws",
    ) -> int:
        """A signal, its entry and the venue's reply; returns the intent's record."""
        signal = self(
            facts.SignalRaised(
                trigger="t", feed="tokyo", side=Side.BUY, symbols=("BTCUSDT",), matched=("x",),
                tier=tier, age_ms=5,
            )
        )  # fmt: skip
        name = f"lcd-1-{self.seq + 1}-e"
        intent = self(_intent(name), signal)
        given = STAGES if stages is None else stages
        self(facts.OrderSent(client_id=name, road=road, stages_us=given), intent)
        if reply_us:
            self(
                facts.OrderUpdated(
                    client_id=name, status="working", source="reply", reply_us=reply_us
                ),
                intent,
            )
        return intent


def _intent(name: str) -> facts.OrderIntended:
    return facts.OrderIntended(
        client_id=name, symbol="BTCUSDT", side=Side.BUY, purpose=Purpose.ENTRY, type="LIMIT",
        leg="e", recv_window_ms=1000, timestamp_ms=0,
    )  # fmt: skip


@given(
    st.lists(st.floats(0.02, 1e9), min_size=1, max_size=300),
    st.sampled_from((0.01, 0.5, 0.9, 0.95, 0.99, 1.0)),
)
def test_a_percentile_is_one_per_cent_off_at_most(values: list[float], share: float) -> None:
    spread = Spread(1.0)
    for value in values:
        spread.add(value)
    exact = sorted(values)[max(math.ceil(len(values) * share), 1) - 1]
    assert spread.at_us(share) == pytest.approx(exact, rel=0.011)
    assert spread.over == sum(value > 1_000 for value in values)
    assert spread.max_us == max(values)
    counts = [count for _, count in spread.cumulative()]
    assert counts == sorted(counts)
    assert counts[-1] == len(values) == sum(count for _, count in spread.histogram())
    assert counts[3] == sum(value <= 100 for value in values)


@given(st.one_of(st.just(0.0), st.floats(0, 0.01), st.floats(1e10, 1e300)))
def test_a_duration_that_cannot_be_is_counted_all_the_same(value: float) -> None:
    spread = Spread()
    spread.add(value)
    assert spread.row()["count"] == 1
    assert spread.row()["violations_pct"] is None
    assert len(spread._buckets) == 1


def test_nothing_measured_is_nothing_told() -> None:
    table = Latency().table()
    assert [row["stage"] for row in table["stages"]] == list(TARGETS_MS)
    assert all(row["p50_ms"] is None and not row["count"] for row in table["stages"])
    assert (table["recent_ms"], table["round_trip"], table["tiers"]) == ([], {}, [])


def test_the_ten_targets_are_those_that_were_set() -> None:
    with_target = {name: ms for name, ms in TARGETS_MS.items() if ms is not None}
    assert with_target == {
        "receive": 0.1, "parse": 0.05, "detect": 0.2, "risk": 0.1, "leverage": 0.5, "price": 0.1,
        "prepare": 0.2, "submit": 2.0, "acknowledge": 5.0, "total": 10.0,
    }  # fmt: skip


def test_own_work_and_the_exchange_stand_apart() -> None:
    feed = Feeder()
    intent = feed.trade(tier="macro")
    feed.trade(tier="batch", stages=STAGES | {"wait": 600_000.0}, reply_us=8_000.0, road="rest")
    table = feed.latency.table()
    stages = {row["stage"]: row for row in table["stages"]}
    assert stages["total"]["count"] == stages["acknowledge"]["count"] == 2
    assert table["recent_ms"] == [round(OWN_US / 1000, 4), round(600 + OWN_US / 1000, 4)]
    assert stages["total"]["violations_pct"] == 50.0
    assert stages["wait"]["count"] == 1
    assert stages["acknowledge"]["violations_pct"] == 50.0
    for name in ("leverage", "price"):
        assert (stages[name]["within"], stages[name]["count"]) == ("risk", None)
    assert {road: trip["count"] for road, trip in table["round_trip"].items()} == {
        "ws": 1, "rest": 1,
    }  # fmt: skip
    tiers = {row["tier"]: row for row in table["tiers"]}
    assert (tiers["macro"]["target_ms"], tiers["macro"]["violations_pct"]) == (100.0, 0.0)
    assert (tiers["batch"]["target_ms"], tiers["batch"]["violations_pct"]) == (500.0, 100.0)
    row = feed.latency.rows()[0]
    assert (row["trace"], row["acknowledge_us"], row["wait_us"]) == (intent, 900.0, None)
    assert row["total_us"] == round(OWN_US, 1)
    assert [r["stage"] for r in feed.latency.table("risk")["stages"]] == ["risk"]


def test_orders_that_no_news_has_led_to_count_for_the_round_trip_alone() -> None:
    feed = Feeder()
    feed.trade(stages={})
    table = feed.latency.table()
    assert table["round_trip"]["ws"]["count"] == 1
    assert not any(row["count"] for row in table["stages"])


def test_a_reply_to_an_order_that_was_not_seen_leaving_tells_nothing() -> None:
    feed = Feeder()
    feed(facts.OrderUpdated(client_id="x", status="working", source="reply", reply_us=5.0))
    assert feed.latency.table()["round_trip"] == {}


def test_a_breach_is_told_once_a_minute_with_what_was_not_told() -> None:
    feed = Feeder()
    slow = STAGES | {"risk": 11_000.0}
    intent = feed.trade(stages=slow)
    assert len(feed.told) == 1
    assert "11.1 ms" in feed.told[0]
    assert "risk" in feed.told[0]
    assert f"trace {intent}" in feed.told[0]
    for _ in range(3):
        feed.trade(stages=slow)
    feed.trade()
    assert len(feed.told) == 1
    feed.at_ms += 60_000
    feed.trade(stages=slow)
    assert len(feed.told) == 2
    assert "3 more since the last alarm" in feed.told[1]


def test_a_target_of_ones_own_is_gone_by() -> None:
    feed = Feeder(Latency({"total": Decimal("0.1"), "submit": Decimal("0.02")}))
    feed.trade()
    assert len(feed.told) == 1
    [worst, *_] = feed.latency.bottlenecks()
    assert (worst["stage"], worst["severity"], worst["target_ms"]) == ("submit", "high", 0.02)


def test_a_bottleneck_is_over_its_target_more_than_one_time_in_ten() -> None:
    feed = Feeder()
    for number in range(100):
        stages = STAGES | ({"parse": 60.0} if number < 10 else {})
        feed.trade(stages=stages | ({"detect": 300.0} if number < 11 else {}))
    assert [(row["stage"], row["severity"]) for row in feed.latency.bottlenecks()] == [
        ("detect", "medium")
    ]


def test_memory_is_bounded_and_a_reset_forgets() -> None:
    feed = Feeder()
    for _ in range(SAMPLES_KEPT + 10):
        feed.trade(reply_us=0)
    latency = feed.latency
    assert len(latency.samples) == SAMPLES_KEPT
    assert len(latency.recent_us) == RECENT_KEPT
    assert len(latency._sent) == PENDING_KEPT
    assert latency.stages["total"].count == SAMPLES_KEPT + 10
    latency.reset()
    assert latency.stages["total"].count == 0
    assert latency.rows() == latency.table()["recent_ms"] == []
