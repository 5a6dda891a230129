"""The index behind ``explain``: bounded, and complete for what it keeps."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from lowcap.core import facts
from lowcap.core.facts import Fact, Record
from lowcap.core.messages import Miss, Purpose
from lowcap.core.money import Side
from lowcap.observe import traces as traces_module
from lowcap.observe.traces import RECORDS_PER_TRACE_MAX, TRACES_KEPT, TraceIndex
from lowcap.terminal.explain import explain_lines
from lowcap.terminal.table import Style, width_of

EPOCH_NS = 1_770_384_590 * 10**9
STAGES = {"parse": 20.0, "detect": 12.0, "risk": 8.0, "prepare": 15.0, "submit": 30.0}


class Writer:
    """Numbers records and feeds an index with them."""

    def __init__(self) -> None:
        self.index = TraceIndex()
        self.seq = 0

    def __call__(self, body: Fact, cause: int = 0) -> int:
        self.seq += 1
        ts = EPOCH_NS + self.seq * 1_000_000
        kind = type(body).__name__
        self.index.read(Record(seq=self.seq, ts=ts, run=1, kind=kind, cause=cause, body=body))
        return self.seq

    def news(self, decision: str = "signal", **more: object) -> int:
        return self(
            msgspec.convert(
                {"feed": "tokyo", "source_id": "1", "headline": "NFP 45K", "decision": decision}
                | more,
                facts.NewsSeen,
            )
        )


def _intent(name: str, purpose: Purpose, **more: object) -> facts.OrderIntended:
    return facts.OrderIntended(
        client_id=name, symbol="BTCUSDT", side=Side.BUY, purpose=purpose, type="LIMIT", leg="e",
        recv_window_ms=1000, timestamp_ms=0, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _full_trade(write: Writer) -> int:
    root = write.news(author="@x\x1b[2J", misses=[{"trigger": "b", "reason": "low", "near": True}])
    signal = write(
        facts.SignalRaised(
            trigger="nfp", feed="tokyo", side=Side.BUY, symbols=("BTCUSDT", "ETHUSDT"),
            matched=("45K",), tier="macro", age_ms=12,
        ),
        root,
    )  # fmt: skip
    write(
        facts.Refused(symbol="ETHUSDT", side=Side.BUY, check="notional", measured="9", limit="5"),
        signal,
    )
    entry = write(
        _intent("lcd-1-4-e", Purpose.ENTRY, qty=Decimal(1), price=Decimal(101),
                decision_price=Decimal(100), sizing="margin"),
        signal,
    )  # fmt: skip
    write(facts.OrderSent(client_id="lcd-1-4-e", road="ws", stages_us=STAGES), entry)
    write(
        facts.OrderUpdated(client_id="lcd-1-4-e", status="filled", source="reply", reply_us=900.0),
        entry,
    )
    fill = write(
        facts.Filled(client_id="lcd-1-4-e", symbol="BTCUSDT", side=Side.BUY, trade_id=1,
                     qty=Decimal(1), price=Decimal("100.5")),
        entry,
    )  # fmt: skip
    stop = write(
        _intent("lcd-1-8-s", Purpose.STOP, trigger_price=Decimal(98), close_position=True), fill
    )
    write(facts.OutcomeUnknown(client_id="lcd-1-8-s", why="no reply in time"), stop)
    write(facts.OutcomeSettled(client_id="lcd-1-8-s", outcome="working", how="query"), stop)
    write(facts.OrderUpdated(client_id="x", status="rejected", source="reply", code=-2022), stop)
    write(facts.PositionClosed(symbol="BTCUSDT", realized=Decimal(5), fees=Decimal(1)), fill)
    return root


def test_a_full_trade_is_explained_from_any_of_its_records() -> None:
    write = Writer()
    root = _full_trade(write)
    for number in range(root, write.seq + 1):
        assert write.index.find(number) == root
    story = write.index.explain(root)
    assert story["signal"]["trigger"] == "nfp"
    assert [refusal["check"] for refusal in story["refusals"]] == ["notional"]
    assert [order["client_id"] for order in story["orders"]] == ["lcd-1-4-e", "lcd-1-8-s"]
    entry, stop = story["orders"]
    assert (entry["status"], entry["reply_us"], entry["stages_us"]) == ("filled", 900.0, STAGES)
    assert len(entry["fills"]) == 1
    assert [step.get("why") or step.get("how") for step in stop["history"]] == [
        "no reply in time",
        "query",
    ]
    assert story["closed"][0]["realized"] == "5"
    msgspec.json.encode(story)


@pytest.mark.parametrize("columns", [44, 80, 120])
def test_the_explanation_fits_and_harms_nobody(columns: int) -> None:
    write = Writer()
    story = write.index.explain(_full_trade(write))
    for line in explain_lines(story, Style(False), 10_000):
        assert line.isprintable()
    text = "\n".join(explain_lines(story, Style(False), columns))
    assert "slippage" in text
    assert "own work" in text
    assert width_of("█") == 1


def test_only_the_newest_traces_are_kept() -> None:
    write = Writer()
    roots = [_full_trade(write) for _ in range(5)]
    for _ in range(TRACES_KEPT - 2):
        write.news("none", misses=[{"trigger": "a", "reason": "b"}])
    index = write.index
    assert [index.find(root) for root in roots] == [None, None, None, *roots[3:]]
    assert len(index._chains) == TRACES_KEPT
    assert len(index._root) <= sum(len(chain) for chain in index._chains.values())
    assert set(index.own_work_us) == set(roots[3:])
    assert index.last() == roots[4]


def test_one_trace_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces_module, "TRACES_KEPT", 3)
    write = Writer()
    root = write.news()
    for _ in range(RECORDS_PER_TRACE_MAX * 2):
        write(facts.OutcomeUnknown(client_id="c", why="again"), root)
    assert len(write.index._chains[root]) == RECORDS_PER_TRACE_MAX
    late = facts.OrderSent(client_id="c", road="ws", stages_us=STAGES)
    for _ in range(5):
        write(late, write.news())
    assert len(write.index.own_work_us) <= 3


def test_what_has_no_frame_is_no_trace() -> None:
    write = Writer()
    assert write.index.last() is None
    assert write.index.fastest() is None
    write.news("none")
    orphan = write(facts.OutcomeUnknown(client_id="c", why="w"), 999)
    assert write.index.find(orphan) is None
    assert write.index.last() is None
    near = write.news("none", misses=[msgspec.to_builtins(Miss("a", "b"))])
    assert write.index.last() == near
    trade = _full_trade(write)
    assert write.index.fastest() == trade
    assert write.index.last() == trade
