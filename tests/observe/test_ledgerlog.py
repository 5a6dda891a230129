"""The ledger told to the log: kinds, traces, and the fields to find a record by."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger
from test_story import _any_fact

from lowcap.core import facts
from lowcap.core.facts import FACT_KINDS, Fact, Record
from lowcap.core.messages import Miss, Purpose, TradingState
from lowcap.core.money import Side
from lowcap.observe.journal import journal_fields
from lowcap.observe.kinds import KINDS, REMARK
from lowcap.observe.ledgerlog import LedgerLog, fields_of, kind_of
from lowcap.observe.logs import LogRing, set_level
from lowcap.observe.story import tell

Json = dict[str, Any]
# What only the ledger needs: nobody is told.
SILENT = {"KeysTaken", "PositionSeen", "OwnershipSettled", "Checkpoint"}


@pytest.fixture
def ring() -> Iterator[LogRing]:
    made = LogRing("dry")
    logger.remove()
    set_level("trace")
    logger.add(made.sink, level="TRACE", format="{message}")
    yield made
    logger.remove()
    set_level("trace")


def _record(body: Fact, seq: int = 1, cause: int = 0) -> Record:
    return Record(seq=seq, ts=0, run=1, kind=type(body).__name__, cause=cause, body=body)


def _rows(ring: LogRing) -> list[Json]:
    return ring.rows()


@pytest.mark.parametrize("name", FACT_KINDS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_is_told_has_a_kind_in_its_own_area(name: str, data: st.DataObject) -> None:
    record = _record(data.draw(_any_fact(FACT_KINDS[name])))
    told = tell(record)
    assert (told is None) == (name in SILENT)
    if told is None:
        return
    kind = kind_of(record)
    if name == "BreakerChanged" and kind is REMARK:
        return  # a state that no breaker has
    assert kind is not REMARK
    assert kind.area == told[1]
    assert all(isinstance(value, str) for value in fields_of(record).values())


ENTRY = facts.OrderIntended(
    client_id="lcd-1-3-e", symbol="BTCUSDT", side=Side.BUY, purpose=Purpose.ENTRY, type="LIMIT",
    leg="e", recv_window_ms=1_000, timestamp_ms=0, qty=Decimal(1), price=Decimal(68_000),
)  # fmt: skip


def _chain() -> list[Record]:
    seen = facts.NewsSeen(
        feed="tokyo", source_id="1", headline="Bitcoin", decision="signal", author="Elon Musk"
    )
    raised = facts.SignalRaised(
        trigger="elon_btc", feed="tokyo", side=Side.BUY, symbols=("BTCUSDT", "ETHUSDT"),
        matched=("bitcoin",), tier="regular", age_ms=12,
    )  # fmt: skip
    refused = facts.Refused(
        symbol="ETHUSDT", side=Side.BUY, check="stale-price", measured="9 s", limit="3 s",
        trigger="elon_btc",
    )  # fmt: skip
    updated = facts.OrderUpdated(
        client_id="lcd-1-3-e", status="rejected", source="reply", order_id=5, code=-2019,
        reason="Margin is insufficient", reply_us=1234.5,
    )  # fmt: skip
    filled = facts.Filled(
        client_id="lcd-1-3-e", symbol="BTCUSDT", side=Side.BUY, trade_id=1, qty=Decimal(1),
        price=Decimal(68_000),
    )  # fmt: skip
    sent = facts.OrderSent(client_id="lcd-1-3-e", road="socket", stages_us={"parse": 20.5})
    bodies: list[tuple[Fact, int]] = [
        (seen, 0), (raised, 10), (refused, 11), (ENTRY, 11), (sent, 13), (updated, 13),
        (filled, 13), (facts.OutcomeUnknown(client_id="lcd-1-3-e", why="no reply"), 13),
    ]  # fmt: skip
    return [_record(body, 10 + at, cause) for at, (body, cause) in enumerate(bodies)]


def test_a_trace_goes_from_the_frame_to_the_fill(ring: LogRing) -> None:
    log = LedgerLog()
    for record in _chain():
        log.read(record)
    rows = _rows(ring)
    assert [row["kind"] for row in rows] == [
        "news.signal", "signal.raised", "risk.refused", "order.entry", "order.sent",
        "order.rejected", "order.filled", "order.unknown",
    ]  # fmt: skip
    assert {row["trace"] for row in rows} == {10}
    assert {row["feed"] for row in rows} == {"tokyo"}
    assert {(row["trigger"], row["folder"]) for row in rows[1:]} == {("elon_btc", "twitter_elon")}
    assert rows[1]["symbol"] == "BTCUSDT,ETHUSDT"
    assert rows[2]["symbol"] == "ETHUSDT"
    assert {row["symbol"] for row in rows[3:]} == {"BTCUSDT"}
    rejected = journal_fields(rows[5])
    wanted = {
        "LOWCAP_AREA": "orders", "LOWCAP_LOG": "rejections", "LOWCAP_TRACE": "10", "SIDE": "BUY",
        "CLIENT_ID": "lcd-1-3-e", "ORDER_ID": "5", "REASON": "-2019 Margin is insufficient",
        "LOWCAP_LAT_ACKNOWLEDGE_NS": "1234500", "PRIORITY": "4", "LOWCAP_SEQ": "15",
    }  # fmt: skip
    assert wanted.items() <= rejected.items()
    assert journal_fields(rows[4])["LOWCAP_LAT_PARSE_NS"] == "20500"
    assert journal_fields(rows[2])["GUARD"] == "stale-price"


def test_what_was_learnt_before_a_restart_still_counts(ring: LogRing) -> None:
    log = LedgerLog()
    *before, filled, _ = _chain()
    for record in before:
        log.learn(record)
    log.read(filled)
    (row,) = _rows(ring)
    assert (row["trace"], row["trigger"], row["symbol"]) == (10, "elon_btc", "BTCUSDT")


def test_a_command_begins_a_trace_too(ring: LogRing) -> None:
    log = LedgerLog()
    log.read(_record(facts.CommandReceived(method="trade", params="x", uid=5, pid=6), 3))
    log.read(_record(ENTRY, 4, cause=3))
    done = facts.CommandDone(
        method="trade", uid=5, pid=6, exit=4, ms=1.5, code="halted", command_line="lowcapctl x"
    )
    log.read(_record(done, 5))
    first, second, third = _rows(ring)
    assert first["trace"] == second["trace"] == 3
    assert (third["kind"], third["trace"], third["level"]) == ("command.refused", None, "warning")
    assert third["fields"] | {"PEER_CMDLINE": "lowcapctl x", "EXIT": "4"} == third["fields"]


def test_news_without_a_trade_are_filed_by_what_they_came_near(ring: LogRing) -> None:
    miss = Miss(trigger="nfp_le_50k", reason="band", detail="")
    for feed, misses in (("synoptic", (miss,)), ("phoenix", ()), ("bwe", ())):
        body = facts.NewsSeen(
            feed=feed, source_id="1", headline="x", decision="none", reason="r", misses=misses
        )
        LedgerLog().read(_record(body))
    assert [row["folder"] for row in _rows(ring)] == ["nfp_macro", "phoenix_signals", ""]


def test_a_level_that_is_not_wanted_costs_nothing(ring: LogRing) -> None:
    set_level("warning")
    for record in _chain():
        LedgerLog().read(record)
    assert {row["level"] for row in _rows(ring)} == {"warning"}


def test_text_is_no_format_string(ring: LogRing) -> None:
    body = facts.FrameRefused(feed="tokyo", reason="{0} {x}", size=3, head="\x00")
    LedgerLog().read(_record(body))
    LedgerLog().read(_record(facts.KeysTaken(keys=("a",), until_ms=1)))
    (row,) = _rows(ring)
    assert (row["area"], row["level"], row["text"]) == (
        "feeds", "warning", "tokyo: unusable frame ({0} {x})",
    )  # fmt: skip


def test_kinds_depend_on_what_happened() -> None:
    def name(body: Fact) -> str:
        return kind_of(_record(body)).name

    alarm = {code: name(facts.AlarmRaised(code=code, text="x")) for code in ("margin-call", "new")}
    assert alarm == {"margin-call": "alarm.margin-call", "new": "alarm"}
    for state, kind in (
        (TradingState.HALTED, "hold.halted"),
        (TradingState.REDUCING, "hold.reducing"),
    ):
        body = facts.HoldPlaced(name="x", state=state, reason="y", who="z")
        assert name(body) == kind
    for state in ("open", "half-open", "closed"):
        assert name(facts.BreakerChanged(name="x", state=state, why="y")) == f"breaker.{state}"
    for state, kind in (("up", "feed.up"), ("stale", "feed.stale"), ("backoff", "feed.lost")):
        assert name(facts.FeedChanged(feed="x", state=state)) == kind
    for purpose in Purpose:
        assert f"order.{purpose.value}" in KINDS
