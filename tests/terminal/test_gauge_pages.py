"""Speed, health, account and prices as people see them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from gauge_kit import NOTHING, gauge_values, price_value, stage_rows
from hypothesis import given
from hypothesis import strategies as st

from lowcap.terminal.explain import explain_lines
from lowcap.terminal.gauges import bar, ms, sparkline
from lowcap.terminal.render import ROW_KEYS, render, rows_of
from lowcap.terminal.table import Style, width_of

PLAIN = Style(False)
Json = dict[str, Any]


def shown(page: str, value: Any, columns: int = 80) -> str:
    return "\n".join(render(page, value, PLAIN, columns))


@given(st.floats(-1, 2), st.integers(1, 60))
def test_a_bar_fits_and_what_is_not_nothing_is_seen(share: float, columns: int) -> None:
    drawn = bar(share, columns)
    assert len(drawn) <= columns
    assert bool(drawn) == (share > 0)
    assert share < 1 or drawn == "█" * columns


@given(st.lists(st.floats(0, 1e6), max_size=80), st.integers(-3, 60))
def test_a_sparkline_shows_the_newest(values: list[float], columns: int) -> None:
    line = sparkline(values, columns)
    assert len(line) == min(len(values), max(columns, 1))
    if values and max(values[-max(columns, 1) :]) > 0:
        assert "█" in line


def test_milliseconds_have_the_digits_they_are_worth() -> None:
    assert [ms(v) for v in (None, 0.0123, 1.234, 12.345, 123.4)] == [
        "-", "0.012", "1.23", "12.35", "123",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [44, 80])
def test_the_table_keeps_target_middle_and_tail_when_it_is_narrow(columns: int) -> None:
    value = gauge_values("x")["latency"]
    lines = render("latency", value, PLAIN, columns)
    for word in ("STAGE ms", "TARGET", "P50", "P99"):
        assert word in lines[0]
    text = "\n".join(lines)
    assert "leverage and price: measured within risk" in text
    assert "exchange round trip by ws" in text
    late = Style(True)
    assert any("\x1b[33m" in line for line in render("latency", value, late, columns))


def test_before_the_first_trade_it_says_so() -> None:
    rows = [row | NOTHING for row in stage_rows()]
    value = {"stages": rows, "recent_ms": [], "round_trip": {}, "tiers": []}
    assert "no order on news yet" in shown("latency", value)
    assert "no stage is over" in shown("latency bottlenecks", [])
    assert shown("latency export", []) == "no order on news yet"


def test_a_histogram_begins_and_ends_where_something_was_measured() -> None:
    value = gauge_values("x")["latency hist"]
    for row in value["bins"]:
        row["count"] = {0.25: 10, 1.0: 40}.get(row["up_to_ms"], 0)
    lines = render("latency hist", value, PLAIN, 80)
    bars = [line for line in lines if re.match(r" +<= ", line)]
    assert [line.split()[1] for line in bars] == ["0.25", "0.5", "1"]
    assert bars[2].count("█") == 4 * bars[0].count("█") > 0


def test_health_marks_say_the_same_without_colour() -> None:
    text = shown("health", gauge_values("fine")["health"])
    assert "degraded" in text
    assert "○ feed:toa_news" in text
    assert "● fine" in text


def test_rows_within_a_reply_are_found_for_programs() -> None:
    values = gauge_values("x")
    assert rows_of("latency", values["latency"]) == values["latency"]["stages"]
    assert rows_of("health", values["health"]) == values["health"]["components"]
    assert rows_of("prices", values["prices"]) == values["prices"]
    assert rows_of("stats", values["stats"]) is None
    for page in ("latency", "latency hist", "latency bottlenecks", "health", "prices"):
        for row in rows_of(page, values[page]) or []:
            assert set(ROW_KEYS[page]) <= set(row), page


def test_one_contract_is_told_in_full_and_many_are_a_table() -> None:
    one = shown("prices", [price_value("MOG")])
    for word in ("1000000MOGUSDT", "1000000 of it a contract", "tier mega", "leverage not set"):
        assert word in " ".join(one.split())
    quiet = price_value("MOG") | {"mark": None, "age_ms": None, "last": None, "spread_bps": None,
                                  "cap_usd": None, "tier": None, "coin": None}  # fmt: skip
    told = " ".join(shown("prices", [quiet]).split())
    assert "no coin that news could name; capit" in told
    assert "no mark price yet" in told
    assert "capitalisation unknown" in told
    assert shown("prices", [quiet, quiet]).startswith("SYMBOL")
    assert "no contract" in shown("prices", [])


# -- the waterfall of explain ---------------------------------------------------------


def _order(stages: Json, reply_us: float) -> Json:
    return {
        "purpose": "entry", "side": "BUY", "symbol": "BTCUSDT", "qty": "1", "price": "2",
        "trigger_price": None, "status": "filled", "after_ms": 0.5, "reply_us": reply_us,
        "sizing": "", "stages_us": stages, "history": [], "fills": [],
    }  # fmt: skip


def _waterfall(stages: Json, reply_us: float, columns: int) -> list[str]:
    story = {
        "trace": 7, "at": "2026-02-06T13:30:00.123Z", "feed": "tokyo", "author": "", "detail": "",
        "headline": "x", "reason": "", "near_misses": [], "refusals": [], "closed": [],
        "signal": {"trigger": "t", "matched": [], "age_ms": 1, "tier": "macro"},
        "orders": [_order(stages, reply_us)],
    }  # fmt: skip
    return [line for line in explain_lines(story, PLAIN, columns) if "µs" in line]


@pytest.mark.parametrize("columns", [44, 80])
def test_each_stage_begins_where_the_one_before_ends(columns: int) -> None:
    stages = {"parse": 25.0, "detect": 25.0, "risk": 0.0, "submit": 50.0}
    parse, detect, risk, submit, own, exchange = _waterfall(stages, 900.0, columns)
    assert all(width_of(line) <= columns for line in (parse, detect, risk, submit))
    ends = [line.rindex("█") for line in (parse, detect, submit)]
    assert [detect.index("█"), submit.index("█")] == [ends[0] + 1, ends[1] + 1]
    assert "▏" in risk  # nothing to speak of, and still there
    assert "100.0 µs" in own
    assert "9.0 times our own work" in exchange


@given(
    st.dictionaries(st.sampled_from(("receive", "parse", "wait", "submit")), st.floats(0, 1e6)),
    st.floats(0, 1e6),
    st.integers(40, 140),
)
def test_no_waterfall_is_wider_than_the_terminal(
    stages: dict[str, float], reply_us: float, columns: int
) -> None:
    for line in _waterfall(stages, reply_us, columns)[:-2]:
        assert width_of(line) <= columns
