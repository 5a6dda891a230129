"""Payroll prints: which figure, what value, which band, when, and one decision a day."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from detection_kit import (
    ENABLED,
    RELEASE_MS,
    STREAM,
    detector,
    jobs,
    judge_frame,
    miss_of,
    rate,
    release,
    signal_of,
    steps_of,
)
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.messages import NewsItem, Reading, Verdict
from lowcap.core.money import Side
from lowcap.detection.matchers.payroll import jobs_value, rate_value
from lowcap.detection.rules import FAULT


def _trigger(*numbers: dict[str, object], **changes: object) -> str | None:
    signal = signal_of("synoptic", release(*numbers, **changes))
    return signal.trigger if signal else None


# -- bands -------------------------------------------------------------------

BANDS = [
    (-25_000_000, "nfp_le_50k"), (-18_000, "nfp_le_50k"), (2_000, "nfp_le_50k"),
    (49_999, "nfp_le_50k"), (50_000, "nfp_le_50k"),
    (50_001, "nfp_51k_100k"), (50_999, "nfp_51k_100k"), (99_999, "nfp_51k_100k"),
    (100_000, "nfp_51k_100k"),
    (100_001, None), (100_999, None), (115_000, None), (124_001, None), (124_999, None),
    (125_000, "nfp_125k_149k"), (149_001, "nfp_125k_149k"), (149_999, "nfp_125k_149k"),
    (150_000, "nfp_ge_150k"), (6_000_000, "nfp_ge_150k"),
    (6_000_001, None), (-25_000_001, None), (4_000_000_000, None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "trigger"), BANDS)
def test_bands_at_every_edge(value: int, trigger: str | None) -> None:
    assert _trigger(jobs(value)) == trigger
    assert _trigger(jobs(f"{value:,}")) == trigger
    assert _trigger(jobs(float(value), unit="jobs")) == trigger


@given(st.integers(-25_000_000, 6_000_000))
def test_every_print_has_exactly_one_reading(value: int) -> None:
    answer = judge_frame("synoptic", release(jobs(value, unit="jobs")))
    assert isinstance(answer, Verdict)
    assert not [miss for miss in answer.misses if miss.reason in (FAULT, "shadowed")]
    dead = 100_000 < value < 125_000
    assert (answer.signal is None) is dead
    if answer.signal is not None:
        assert answer.signal.side is (Side.SELL if value <= 100_000 else Side.BUY)
    else:
        assert {miss.decides for miss in answer.misses[:6]} == {"nfp:2026-02-06"}


def test_symbols_sizes_and_keys() -> None:
    signal = signal_of("synoptic", release(jobs("48K")))
    assert signal is not None
    assert [(t.symbol, t.key, t.notional_usd) for t in signal.targets] == [
        ("ETHUSDT", "nfp:2026-02-06", Decimal(300_000))
    ]
    signal = signal_of("synoptic", release(jobs("48K"), rate(4.6, 4.4)))
    assert signal is not None
    assert signal.side is Side.SELL
    assert [(t.symbol, t.key, t.notional_usd) for t in signal.targets] == [
        ("ETHUSDT", "nfp:2026-02-06", Decimal(350_000)),
        ("BTCUSDT", "nfp:2026-02-06", Decimal(250_000)),
    ]
    assert (signal.age_ms_max, signal.cooldown_s, signal.tier) == (10_000, 86_400, "macro")


# -- the rate ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "actual", "forecast", "trigger"),
    [
        ("48K", 4.4, 4.4, "nfp_le_50k"),
        ("95K", 4.3, 4.3, "nfp_51k_100k"),
        ("115K", 4.9, 4.4, None),
        ("142K", 4.2, 4.2, "nfp_125k_149k"),
        ("227K", 4.2, 4.2, "nfp_ge_150k"),
        ("90K", 4.5, 4.3, "nfp_unr_a"),
        ("199K", 3.7, 3.9, "nfp_unr_b"),
        ("187K", 3.8, 3.5, None),
        ("48K", 4.3, 4.4, None),  # weak jobs, falling rate: mixed
        ("48K", 4.5, 4.4, "nfp_unr_a"),  # exactly 0.1
        ("48K", 4.499, 4.4, "nfp_le_50k"),
        ("48K", 4.4996, 4.4, "nfp_unr_a"),  # rounds to 0.100
        ("48K", 4.301, 4.4, "nfp_le_50k"),
        ("150K", "4.1 %", "4.2%", "nfp_unr_b"),
        ("150K", 0.041, 0.042, "nfp_unr_b"),
        ("150K", "n/a", 4.2, "nfp_ge_150k"),
        ("150K", None, 4.2, "nfp_ge_150k"),
        ("150K", True, 4.2, "nfp_ge_150k"),
        ("150K", 4.1, None, "nfp_ge_150k"),
        ("150K", 41, 4.2, "nfp_ge_150k"),  # no sane rate
        ("150K", 0.5, 4.2, "nfp_ge_150k"),
    ],
)
def test_the_rate_decides_beside_the_print(
    value: object, actual: object, forecast: object, trigger: str | None
) -> None:
    assert _trigger(jobs(value), rate(actual, forecast)) == trigger
    assert _trigger(rate(actual, forecast), jobs(value)) == trigger


def test_the_previous_rate_stands_in_for_a_missing_forecast_only() -> None:
    assert _trigger(jobs("90K"), rate(4.5, None, previous=4.3)) == "nfp_unr_a"
    assert _trigger(jobs("90K"), rate(4.5, "n/a", previous=4.3)) == "nfp_unr_a"
    assert _trigger(jobs("90K"), rate(4.5, 4.5, previous=4.3)) == "nfp_51k_100k"


def test_rates_that_contradict_each_other_decide_nothing() -> None:
    frame = release(jobs("90K"), rate(4.5, 4.3), rate(4.3, 4.3))
    assert miss_of("synoptic", frame, "nfp_unr_a").reason == "ambiguous"
    assert _trigger(jobs("90K"), rate(4.5, 4.3), rate(4.5, 4.5)) is None
    assert _trigger(jobs("90K"), rate(4.5, 4.3), rate(4.5, 4.3)) == "nfp_unr_a"
    assert _trigger(jobs("90K"), rate(4.5), rate(4.5, 4.3)) == "nfp_unr_a"


@pytest.mark.parametrize(
    "name",
    ["Unemployment Rate", "US Unemployment Rate", "U.S. unemployment rate (SA)", "UNR", "U-3",
     "U3", "U-3 Unemployment Rate", "Unemployment  Rate", "U‑3"],
)  # fmt: skip
def test_names_of_the_headline_rate(name: str) -> None:
    assert _trigger(jobs("90K"), rate(4.5, 4.3, name=name)) == "nfp_unr_a"


@pytest.mark.parametrize(
    "name", ["U-6 Unemployment Rate", "U6", "UK Unemployment Rate", "Youth Unemployment Rate",
             "Unemployment Rate Revised", "Unemployment", ""],
)  # fmt: skip
def test_other_rates_are_ignored(name: str) -> None:
    assert _trigger(jobs("90K"), rate(9.5, 4.3, name=name)) == "nfp_51k_100k"


# -- which figure ----------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["Nonfarm Payrolls", "Nonfarm Payroll", "Non-Farm Payrolls", "Non Farm Payrolls", "NFP", "nfp",
     "US Nonfarm Payrolls", "U.S. Nonfarm Payrolls", "USA NFP", "United States Nonfarm Payrolls",
     "Total Nonfarm Payrolls", "US Total Non-Farm Payrolls", "Nonfarm Payrolls Change",
     "Nonfarm Payrolls (MoM)", "Nonfarm Payrolls (m/m)", "Nonfarm Payrolls (SA)",
     "Nonfarm Payrolls (total)", "Nonfarm Payrolls (change)", "NON‑FARM PAYROLLS",
     "Ｎｏｎｆａｒｍ Payrolls", " Nonfarm  Payrolls "],
)  # fmt: skip
def test_names_of_the_headline_print(name: str) -> None:
    assert _trigger(jobs("48K", name=name)) == "nfp_le_50k"


@pytest.mark.parametrize(
    "name",
    ["ADP Nonfarm Employment Change", "ADP Nonfarm Payrolls", "Private Nonfarm Payrolls",
     "Nonfarm Payrolls Private", "Government Payrolls", "Manufacturing Payrolls",
     "Nonfarm Payrolls Revision", "Nonfarm Payrolls 2-Month Net Revision",
     "Nonfarm Payrolls Benchmark Revision", "Nonfarm Payrolls Previous", "Nonfarm Payrolls (YoY)",
     "Canada Nonfarm Payrolls", "UK Payrolled Employees Change", "Employment Change",
     "Initial Jobless Claims", "Nonfarm Productivity", "Payrolls", "", "Nonfarm Payrolls" * 9,
     "Nonfarm Payrolls\nRevision"],
)  # fmt: skip
def test_other_figures_are_never_the_headline(name: str) -> None:
    frame = release(jobs("48K", name=name))
    assert miss_of("synoptic", frame, "nfp_le_50k").reason == "no-print"


@pytest.mark.parametrize("country", ["US", "us", "USA", "United States", " US ", None])
def test_our_country(country: str | None) -> None:
    assert _trigger(jobs("48K", country=country)) == "nfp_le_50k"


@pytest.mark.parametrize(
    "country", ["CA", "UK", "JP", "AU", "Canada", "EU", "", 840, ["CA"], {}, True]
)
def test_other_countries(country: object) -> None:
    assert _trigger(jobs("48K", country=country)) is None


def test_two_headlines() -> None:
    frame = release(jobs(62_000), jobs(96_000))
    assert miss_of("synoptic", frame, "nfp_le_50k").reason == "ambiguous"
    assert _trigger(jobs("48K"), jobs(48_000, name="NFP")) == "nfp_le_50k"
    assert _trigger(jobs("48K"), jobs(None, name="NFP")) == "nfp_le_50k"
    assert _trigger(jobs("48K"), jobs("180K", country="CA")) == "nfp_le_50k"


# -- values ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "unit", "value"),
    [
        (142_000, "", 142_000), (142, "", 142_000), (0, "", 0), (-18, "", -18_000),
        (1_999, "", 1_999_000), (2_000, "", 2_000), (142_000.0, "", 142_000),
        (142.5, "", 142_500), (142, "K", 142_000), (142, "k", 142_000), (142, " K ", 142_000),
        (142, "thousand", 142_000), (142, "Thousands", 142_000), (0, "jobs", 0),
        (12, "jobs", 12), (142_000, "persons", 142_000), (142_000, "whatever", 142_000),
        ("142K", "", 142_000), ("142k", "jobs", 142_000), ("0.142M", "", 142_000),
        ("0.142 m", "", 142_000), ("+142 K", "", 142_000), ("-18K", "", -18_000),
        ("−18K", "", -18_000), ("- 18K", "", -18_000), ("142,000", "", 142_000),
        ("142 000", "", 142_000), ("1,234,567", "", 1_234_567), ("１４２Ｋ", "", 142_000),
        (" 142K ", "", 142_000), (".5M", "", 500_000), ("142", "K", 142_000),
        ("-0", "", 0),
    ],
)  # fmt: skip
def test_values_with_a_meaning(raw: object, unit: str, value: int) -> None:
    assert jobs_value(raw, unit) == value


@pytest.mark.parametrize(
    ("raw", "unit"),
    [
        (None, ""), (True, ""), (False, "K"), ([], ""), ([142_000], ""), ({}, ""),
        ("", ""), (" ", ""), ("n/a", ""), ("-", ""), ("K", ""), ("12.5%", ""), ("1e5", ""),
        ("1E5", "jobs"), ("142KK", ""), ("142 thousand", ""), ("14,20", ""), ("1,42,000", ""),
        ("142,000,", ""), ("142.000.000", ""), ("1.", ""), ("--5", ""), ("+-5", ""), ("$142K", ""),
        ("١٤٢٠٠٠", ""), ("一", ""), ("NaN", ""), ("Infinity", ""), ("0x10", ""), ("142_000", ""),
        ("142K (prev 100K)", ""), ("9" * 29, ""), ("9" * 60_000, ""), ("1 " * 30_000, ""),
        # A small number in a unit that we do not know may be anything.
        (0.1, "%"), (0.1, "percent"), (142, "thousands of persons"), (1, "M"), (1, "millions"),
        (142, "'000"),
        # No fractions of a job.
        (0.1, "jobs"), (50_000.5, ""), ("50,000.5", "jobs"), ("0.0001K", ""),
        (142_000, "K"), (10**30, ""), (float("inf"), ""), (float("nan"), ""),
    ],
)  # fmt: skip
def test_values_without_one(raw: object, unit: str) -> None:
    assert jobs_value(raw, unit) is None


@given(st.text(max_size=40) | st.integers() | st.floats() | st.booleans() | st.none(), st.text())
def test_no_value_raises(raw: object, unit: str) -> None:
    for value in (jobs_value(raw, unit), rate_value(raw)):
        assert value is None or value.is_finite()


@pytest.mark.parametrize("unit", [1000, ["K"], {}, True, 1.5])
def test_a_unit_that_is_no_text_may_hide_a_scale(unit: object) -> None:
    assert _trigger(jobs(142_000, unit=unit)) is None


@pytest.mark.parametrize("actual", [None, "", "n/a", "TBD"])
def test_forecast_never_stands_in_for_an_empty_actual(actual: object) -> None:
    frame = release(jobs(actual, forecast="180K", previous="170K"), rate(4.0, 4.4))
    assert miss_of("synoptic", frame, "nfp_unr_b").reason == "no-print"


# -- when ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("created", "inside"),
    [
        ("2026-02-06T13:29:54.999Z", False),
        ("2026-02-06T13:29:55.000Z", True),
        ("2026-02-06T13:35:00.000Z", True),
        ("2026-02-06T13:35:00.001Z", False),
        ("2026-02-06T12:30:00Z", False),  # 07:30 in winter
        ("2026-02-06T14:30:00Z", False),
        ("2026-07-02T12:30:00Z", True),  # summer time; a Thursday
        ("2026-07-02T13:30:00Z", False),
        ("2026-03-06T13:30:00Z", True),  # the last Friday before the clocks change
        ("2026-03-13T12:30:00Z", True),  # and the first after it
        ("2026-03-13T13:30:00Z", False),
        ("2026-10-30T12:30:00Z", True),
        ("2026-11-06T13:30:00Z", True),
        ("2026-11-06T12:30:00Z", False),
        ("2025-11-20T13:30:00Z", True),  # delayed releases
        ("2025-12-16T13:30:00Z", True),
        ("2026-03-07T13:30:00Z", False),  # Saturday
        ("2026-03-08T12:30:00Z", False),
        ("2026-02-06T08:30:00-05:00", True),
        ("2026-02-06T22:30:00+09:00", True),
        ("2026-02-06T08:30:00", False),  # no zone
        ("2026-02-06", False),
        ("yesterday", False),
        ("", False),
        ("0001-01-01T00:00:00Z", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("1969-12-31T13:30:00Z", False),
        ("9999-12-31T23:59:59-23:59", False),
    ],
)
def test_the_time_gate(created: str, inside: bool) -> None:
    answer = judge_frame("synoptic", release(jobs("48K"), createdAt=created))
    assert isinstance(answer, Verdict)
    assert (answer.signal is not None) is inside
    assert not [miss for miss in answer.misses if miss.reason == FAULT]


def test_a_release_of_the_future_is_none() -> None:
    frame = release(jobs("48K"))
    assert signal_of("synoptic", frame, RELEASE_MS - 5_000) is not None
    answer = judge_frame("synoptic", frame, received_ms=RELEASE_MS - 5_001)
    assert isinstance(answer, Verdict)
    assert answer.signal is None
    assert "ahead" in answer.misses[0].detail
    assert not any(miss.decides for miss in answer.misses)


def test_the_far_future_does_not_overflow() -> None:
    for created in ("9999-12-31T23:59:59-23:59", "9999-12-31T13:30:00Z", "0001-01-01T00:00:00Z"):
        frame = release(jobs("48K"), createdAt=created)
        answer = judge_frame("synoptic", frame, received_ms=RELEASE_MS)
        assert isinstance(answer, Verdict)
        assert [miss.reason for miss in answer.misses] == ["time"] * 6 + ["source"]


def test_age_is_measured_for_admission() -> None:
    signal = signal_of("synoptic", release(jobs("48K")), RELEASE_MS + 12_000)
    assert signal is not None
    assert (signal.age_ms, signal.age_ms_max) == (12_000, 10_000)


# -- where from -----------------------------------------------------------------


def test_only_the_configured_stream() -> None:
    assert _trigger(jobs("48K"), streamId="01HV7K3M9QZ4X8N2B6C5D1E0FH") is None
    assert _trigger(jobs("48K"), streamId=None) is None
    assert _trigger(jobs("48K"), streamId="") is None


def test_only_created_posts() -> None:
    for event in ("stream.post.updated", "stream.post.deleted", "STREAM.POST.CREATED", "", None):
        assert signal_of("synoptic", release(jobs("48K")) | {"event": event}) is None


def test_prose_is_never_read_for_figures() -> None:
    assert _trigger(numbers=None, text="Nonfarm Payrolls: 48K") is None


def test_figures_in_json_as_object_and_as_text() -> None:
    table = {"numbers": [jobs("48K")]}
    for holder in (table, json.dumps(table)):
        assert _trigger(numbers=None, json=holder) == "nfp_le_50k"
    for holder in ("{", "[]", [], 5, None, {"numbers": {}}, "[" * 50_000, '{"numbers":"x"}'):
        assert _trigger(numbers=None, json=holder) is None


def test_a_table_longer_than_any_release_is_none() -> None:
    filler = [jobs("1K", name=f"Series {n}") for n in range(250)]
    assert _trigger(jobs("48K"), *filler) is None
    assert _trigger(jobs("48K"), *filler[:50]) == "nfp_le_50k"


def test_a_stale_mark_blocks_a_release_too() -> None:
    assert _trigger(jobs("48K"), text="US jobs [3 minutes ago]") is None


@pytest.mark.parametrize(
    "row",
    [
        Reading(name="\u0301\u0316" * 40, actual="1 " * 5_000, unit="K"),
        Reading(name="Nonfarm Payrolls", actual="1 " * 5_000, country=""),
        Reading(name="Nonfarm Payrolls (SA)" + " (SA)" * 10, actual="9" * 28),
        Reading(name="x" * 100_000, actual="1" * 100_000),
    ],
)
def test_a_hostile_table_costs_no_more_than_it_has_rows(row: Reading) -> None:
    def judged(count: int) -> Verdict:
        item = NewsItem(
            feed="synoptic",
            received_ns=RELEASE_MS * 1_000_000,
            time_ms=RELEASE_MS,
            source=STREAM,
            readings=(row,) * count,
        )
        return detector().judge(item, ENABLED)

    assert judged(200).signal is None
    few, many = steps_of(lambda: judged(50)), steps_of(lambda: judged(200))
    assert many <= 4.6 * few
