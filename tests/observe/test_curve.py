"""Spans of the equity curve join in any grouping to what the readings say one by one."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from lowcap.observe.curve import FINE_KEPT, HOUR_MS, Curve, Span, join, joined, point

VALUES = st.lists(st.integers(-50, 50).map(Decimal), min_size=1, max_size=30)


def largest_fall(values: list[Decimal]) -> Decimal:
    """From every reading to every later one."""
    return max(
        (high - low for n, high in enumerate(values) for low in values[n:]), default=Decimal(0)
    )


@given(VALUES, st.data())
def test_any_grouping_finds_the_largest_fall(values: list[Decimal], data: st.DataObject) -> None:
    spans: list[Span] = [point(n, value) for n, value in enumerate(values)]
    while len(spans) > 1:
        at = data.draw(st.integers(0, len(spans) - 2))
        spans[at : at + 2] = [join(spans[at], spans[at + 1])]
    whole = spans[0]
    assert whole.drop == largest_fall(values)
    assert (whole.low, whole.high, whole.last) == (min(values), max(values), values[-1])
    assert (values[whole.high_ms], values[whole.low_ms]) == (whole.high, whole.low)
    if whole.drop:
        assert values[whole.peak_ms] == whole.peak
        assert values[whole.peak_ms] - values[whole.trough_ms] == whole.drop
        assert whole.peak_ms < whole.trough_ms


def test_far_back_the_curve_is_told_in_hours_and_no_fall_is_lost() -> None:
    curve, minutes = Curve(), FINE_KEPT + 600
    for n in range(minutes):
        curve.add(n * 60_000, Decimal(100 - (n == 30) * 70 + n % 7))
    assert len(curve.fine) == FINE_KEPT
    far, near = curve.since(0), curve.since((minutes - 60) * 60_000)
    assert len(far) == minutes // 60
    assert len(near) == 60
    whole = joined(far)
    assert whole is not None
    assert (whole.drop, whole.trough_ms) == (Decimal(74), 30 * 60_000)
    assert curve.before(HOUR_MS) == Decimal(100 + 59 % 7)
    assert curve.before(0) is None
