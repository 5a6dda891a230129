"""How prints turn into sides: the regime that a person sets, and the guard against surprises."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from detection_kit import (
    ENABLED,
    RELEASE_MS,
    coins,
    item_of,
    jobs,
    judge_item,
    rate,
    release,
    settings,
    trigger,
)
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.messages import NewsItem, Verdict
from lowcap.core.money import Side
from lowcap.detection.matchers.payroll import PayrollMatch, PayrollPolicy, read_release
from lowcap.detection.rules import Detector

DAY = "nfp:2026-02-06"
DETECTORS = {
    (regime, guard): Detector(
        settings().trigger,
        settings().hedge,
        coins(),
        PayrollPolicy(macro_regime=regime, surprise_guard=guard),
    )
    for regime in ("risk_on_strong", "inverted", "off")
    for guard in (False, True)
}


def _verdict(*rows: dict[str, Any], regime: str = "risk_on_strong", guard: bool = False) -> Verdict:
    item = item_of("synoptic", release(*rows))
    assert isinstance(item, NewsItem)
    return judge_item(item, DETECTORS[regime, guard], ENABLED)


def _side(*rows: dict[str, Any], regime: str = "risk_on_strong", guard: bool = False) -> str | None:
    signal = _verdict(*rows, regime=regime, guard=guard).signal
    return None if signal is None else f"{signal.trigger} {signal.side}"


PRINTS: list[tuple[list[dict[str, Any]], str, str]] = [
    ([jobs("48K")], "nfp_le_50k SELL", "nfp_le_50k BUY"),
    ([jobs("95K")], "nfp_51k_100k SELL", "nfp_51k_100k BUY"),
    ([jobs("142K")], "nfp_125k_149k BUY", "nfp_125k_149k SELL"),
    ([jobs("227K")], "nfp_ge_150k BUY", "nfp_ge_150k SELL"),
    ([jobs("90K"), rate(4.5, 4.3)], "nfp_unr_a SELL", "nfp_unr_a BUY"),
    ([jobs("199K"), rate(3.7, 3.9)], "nfp_unr_b BUY", "nfp_unr_b SELL"),
]


@pytest.mark.parametrize(("rows", "plain", "inverted"), PRINTS)
def test_a_regime_turns_the_side_and_nothing_else(
    rows: list[dict[str, Any]], plain: str, inverted: str
) -> None:
    assert _side(*rows) == plain
    assert _side(*rows, regime="inverted") == inverted
    straight, turned = _verdict(*rows).signal, _verdict(*rows, regime="inverted").signal
    assert straight is not None
    assert turned is not None
    assert straight.targets == turned.targets
    assert straight.decides == turned.decides == DAY


@pytest.mark.parametrize("rows", [row[0] for row in PRINTS])
def test_off_trades_nothing_and_still_decides_the_day(rows: list[dict[str, Any]]) -> None:
    verdict = _verdict(*rows, regime="off")
    assert verdict.signal is None
    fit = [m for m in verdict.misses if [f.reason for f in m.failed] == ["regime"]]
    assert len(fit) == 1
    assert {m.decides for m in verdict.misses if m.trigger.startswith("nfp")} == {DAY}


@pytest.mark.parametrize("regime", ["risk_on_strong", "inverted", "off"])
@pytest.mark.parametrize(
    "rows",
    [
        [jobs("115K")],
        [jobs("115K"), rate(4.9, 4.4)],
        [jobs("48K"), rate(4.2, 4.4)],
        [jobs("187K"), rate(3.8, 3.5)],
    ],
)
def test_dead_zone_and_mixed_prints_trade_in_no_regime(
    rows: list[dict[str, Any]], regime: str
) -> None:
    verdict = _verdict(*rows, regime=regime)
    assert verdict.signal is None
    assert {m.decides for m in verdict.misses if m.trigger.startswith("nfp")} == {DAY}


@pytest.mark.parametrize(
    ("actual", "forecast", "plain", "inverted"),
    [
        ("48K", "60K", "nfp_le_50k SELL", None),  # below what was expected: no reason to buy
        ("48K", "40K", None, "nfp_le_50k BUY"),
        ("48K", "48,000", "nfp_le_50k SELL", "nfp_le_50k BUY"),  # no surprise, no veto
        ("227K", "200K", "nfp_ge_150k BUY", None),
        ("150K", "178K", None, "nfp_ge_150k SELL"),
        ("150K", None, "nfp_ge_150k BUY", "nfp_ge_150k SELL"),
        ("150K", "n/a", "nfp_ge_150k BUY", "nfp_ge_150k SELL"),
        ("150K", "150,001", None, "nfp_ge_150k SELL"),
    ],
)
def test_the_guard_vetoes_what_the_forecast_contradicts(
    actual: str, forecast: str | None, plain: str | None, inverted: str | None
) -> None:
    row = jobs(actual, forecast=forecast)
    assert _side(row, guard=True) == plain
    assert _side(row, guard=True, regime="inverted") == inverted
    assert _side(row) is not None
    assert _side(row, regime="inverted") is not None


def test_a_veto_is_told_and_decides_the_day() -> None:
    verdict = _verdict(jobs("150K", forecast="178K"), guard=True)
    miss = next(m for m in verdict.misses if m.trigger == "nfp_ge_150k")
    assert [(f.reason, f.detail) for f in miss.failed] == [
        ("surprise", "-28000 jobs against the forecast")
    ]
    assert (miss.decides, miss.near) == (DAY, True)


def test_the_forecast_of_any_headline_figure_counts() -> None:
    assert _side(jobs("150K"), jobs(150_000, name="NFP", forecast="178K"), guard=True) is None
    assert _side(jobs("150K"), jobs(150_000, country="CA", forecast="178K"), guard=True) is not None


def test_a_release_as_understood() -> None:
    item = item_of("synoptic", release(jobs("150K", forecast="178K"), rate(4.1, 4.3)), RELEASE_MS)
    assert isinstance(item, NewsItem)
    shown = read_release(item)
    assert (shown.jobs, shown.rate_move, shown.day, shown.surprise) == (  # type: ignore[union-attr]
        150_000, "down", "2026-02-06", -28_000,
    )  # fmt: skip


@given(st.integers(-500, 900), st.none() | st.integers(-500, 900), st.sampled_from(list(DETECTORS)))
def test_no_side_ever_contradicts_regime_or_guard(
    actual: int, forecast: int | None, policy: tuple[str, bool]
) -> None:
    regime, guard = policy
    expected = None if forecast is None else f"{forecast}K"
    verdict = _verdict(jobs(f"{actual}K", forecast=expected), regime=regime, guard=guard)
    signal = verdict.signal
    if signal is None:
        vetoed = guard and forecast is not None and forecast != actual
        assert regime == "off" or 100 < actual < 125 or vetoed
        return
    strong = actual >= 125
    assert regime != "off"
    assert (signal.side is Side.BUY) is (strong is (regime == "risk_on_strong"))
    if guard and forecast is not None:
        assert (actual - forecast) * signal.side.sign >= 0


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"above": 1, "at_least": 1}, "above: expected either above or at_least"),
        ({"below": 9}, "at_most: expected either at_most or below"),
        ({"at_most": None}, "at_most: expected a band"),
        ({"above": 50_000}, "at_most: expected the upper end"),
        ({"rate": "flat"}, "rate: expected one of in-line"),
        ({"stream_id": " "}, "stream_id: expected"),
        ({"symbols": ()}, "symbols: expected at least one"),
    ],
)
def test_faults(changes: dict[str, Any], fault: str) -> None:
    match = trigger("nfp_le_50k").match
    assert isinstance(match, PayrollMatch)
    assert list(match.faults()) == []
    assert any(found.startswith(fault) for found in attrs.evolve(match, **changes).faults())
