"""Counters since the start, rates over a minute, and what the kernel says of the process."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lowcap.core import facts
from lowcap.core.facts import Fact, Record
from lowcap.core.messages import Purpose
from lowcap.core.money import Side
from lowcap.observe.process import read_process
from lowcap.observe.tally import KINDS_KEPT, MINUTE_S, ORDERS_KEPT, Rates, Tally

D = Decimal


def fed(*bodies: Fact) -> Tally:
    tally = Tally()
    for seq, body in enumerate(bodies, 1):
        kind = type(body).__name__
        tally.read(Record(seq=seq, ts=seq, run=1, kind=kind, cause=0, body=body))
    return tally


def order(name: str, purpose: Purpose = Purpose.ENTRY) -> facts.OrderIntended:
    return facts.OrderIntended(
        client_id=name, symbol="BTCUSDT", side=Side.BUY, purpose=purpose, type="LIMIT",
        leg="e", recv_window_ms=1000, timestamp_ms=0,
    )  # fmt: skip


def update(name: str, status: str, executed: str = "0") -> facts.OrderUpdated:
    return facts.OrderUpdated(
        client_id=name, status=status, source="reply", executed_qty=D(executed)
    )


def news(reason: str) -> facts.NewsSeen:
    return facts.NewsSeen(
        feed="tokyo", source_id="1", headline="x", decision="no-trade", reason=reason
    )


def test_an_order_ends_once_however_often_it_is_told() -> None:
    tally = fed(
        order("a"), update("a", "working"), update("a", "filled", "1"), update("a", "filled", "1"),
        order("b"), update("b", "expired"),
        order("c"), update("c", "expired", "0.5"),
        order("d"), update("d", "rejected"),
        order("s", Purpose.STOP), update("s", "cancelled"),
        update("stranger", "filled", "1"),
    )  # fmt: skip
    assert tally.orders == {
        "filled": 1, "expired": 1, "partly-filled": 1, "rejected": 1, "cancelled": 1,
    }  # fmt: skip
    assert sum(tally.entries.values()) == 4
    assert tally.success_pct == 50.0
    assert tally.errors == {"order-rejected": 1}
    assert Tally().success_pct is None


def test_trades_volume_and_repeated_news() -> None:
    fill = facts.Filled(
        client_id="a", symbol="BTCUSDT", side=Side.BUY, trade_id=1, qty=D("0.5"), price=D(60_000)
    )
    tally = fed(
        fill, fill,
        facts.PositionClosed(symbol="BTCUSDT", realized=D(5), fees=D(1)),
        facts.PositionClosed(symbol="BTCUSDT", realized=D(1), fees=D(1)),
        news("upbit_listing: cool-down"), news("elon_btc: same-story"), news("no-coin"),
        news("elon_btc: stale"),
    )  # fmt: skip
    assert (tally.volume_usd, tally.trades, tally.wins) == (D(60_000), 2, 1)
    assert (tally.news, tally.repeated) == (4, 2)


def test_errors_by_kind_are_bounded() -> None:
    alarms = [facts.AlarmRaised(code=f"code-{n}", text="x") for n in range(KINDS_KEPT + 50)]
    opened = facts.BreakerChanged(name="ws", state="open", why="x")
    lost = facts.FeedChanged(feed="tokyo", state="down")
    up = facts.FeedChanged(feed="tokyo", state="up")
    tally = fed(opened, lost, up, *alarms)
    assert (tally.errors["breaker"], tally.errors["feed-lost"]) == (1, 1)
    assert len(tally.errors) == KINDS_KEPT + 1
    assert tally.errors["other"] == 52


def test_orders_without_an_end_are_forgotten_in_time() -> None:
    tally = fed(*(order(str(number)) for number in range(ORDERS_KEPT + 5)))
    assert len(tally._open) == ORDERS_KEPT


@given(
    st.lists(st.tuples(st.floats(0.5, 40), st.integers(0, 500)), min_size=1, max_size=40),
)
def test_a_rate_is_the_growth_since_a_minute_ago(steps: list[tuple[float, int]]) -> None:
    rates, seen = Rates(), [(0.0, 0)]
    rates.sample(0.0, {"n": 0})
    at_s, total = 0.0, 0
    for wait_s, more in steps:
        at_s, total = at_s + wait_s, total + more
        seen.append((at_s, total))
        rates.sample(at_s, {"n": total})
    then_s, then = next((row for row in reversed(seen) if row[0] <= at_s - MINUTE_S), seen[0])
    expected = (total - then) / (at_s - then_s) * 60
    assert abs(rates.per_min(at_s, {"n": total})["n"] - expected) < 0.01


def test_a_rate_before_any_time_has_passed_is_none_at_all() -> None:
    rates = Rates()
    assert rates.per_min(5.0, {"n": 3}) == {"n": 0.0}
    rates.sample(5.0, {"n": 3})
    assert rates.per_min(5.0, {"n": 9}) == {"n": 0.0}


def test_the_process_as_the_kernel_sees_it(tmp_path: Path) -> None:
    before = read_process()
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]
    try:
        now = read_process()
    finally:
        for fd in fds:
            os.close(fd)
    assert now.open_files is not None
    assert before.open_files is not None
    assert now.open_files == before.open_files + 5
    assert now.rss_bytes is not None
    assert now.rss_bytes > 10_000_000
    assert now.threads is not None
    assert now.threads >= 1
    assert now.cpu_s >= before.cpu_s > 0
    hidden = read_process(tmp_path)
    assert (hidden.rss_bytes, hidden.open_files, hidden.threads) == (None, None, None)
