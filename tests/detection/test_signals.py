"""What a hit becomes: age and doubt about it, story keys, and titles that are the same story."""

from __future__ import annotations

from typing import Any

import pytest
from detection_kit import (
    RELEASE_MS,
    article,
    bwe,
    jobs,
    notice,
    order,
    phoenix,
    post,
    release,
    signal_of,
    x_post,
)
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.messages import Signal
from lowcap.detection.signals import fingerprint

GOOD = "Quillbank partners with Chainlink"


def _signal(feed: str, frame: object, received_ms: int | None = None) -> Signal:
    signal = signal_of(feed, frame, received_ms)
    assert signal is not None
    return signal


# -- how old ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late_ms", "age_ms", "suspect"),
    [
        (0, 0, False),
        (7_000, 7_000, False),
        (90_000, 90_000, False),
        (-1, 0, False),
        (-5_000, 0, False),
        (-5_001, 0, True),  # a clock so far ahead is none
        (-90_000, 0, True),
    ],
)
def test_age_and_doubt(late_ms: int, age_ms: int, suspect: bool) -> None:
    signal = _signal("tokyo", post("Bitcoin"), RELEASE_MS + late_ms)
    assert (signal.age_ms, signal.time_suspect) == (age_ms, suspect)


@pytest.mark.parametrize("time", [None, 0, -5, 10**18])
def test_without_a_usable_time(time: int | None) -> None:
    signal = _signal("tokyo", post("Bitcoin", time=time), RELEASE_MS)
    assert (signal.age_ms, signal.time_suspect) == (0, True)
    signal = _signal("phoenix", phoenix("$TRUMP", time=time, createdAt="never"), RELEASE_MS)
    assert (signal.age_ms, signal.time_suspect) == (0, True)


def test_steps_and_limits_come_along() -> None:
    seconds = _signal("bwe", bwe(GOOD, "LINK"), RELEASE_MS)
    assert (seconds.step_ms, seconds.age_ms_max) == (1_000, 60_000)
    assert seconds.age_ms == RELEASE_MS % 1_000
    ours = _signal("tokyo", post("Bitcoin"))
    assert (ours.step_ms, ours.age_ms_max, ours.tier) == (1, 15_000, "regular")


# The tiers and limits of every kind: what is hurried, and how old is too old.
KINDS: list[tuple[str, Any, str, int]] = [
    ("synoptic", release(jobs("48K")), "macro", 10_000),
    ("synoptic", order("Order granting approval of the Solana Trust"), "macro", 60_000),
    ("tokyo", notice("오르카(ORCA) KRW 마켓 디지털 자산 추가"), "macro", 30_000),
    ("tokyo", post("Bitcoin"), "regular", 15_000),
    ("phoenix", phoenix("$TRUMP"), "regular", 15_000),
    ("twitter", x_post("Asset added to the roadmap (S)"), "regular", 30_000),
    ("toa_news", article("Solana Trust S-1"), "regular", 15_000),
    ("bwe", bwe("BlackRock files Solana trust"), "regular", 60_000),
    ("bwe", bwe("Trump signs crypto reserve"), "regular", 60_000),
    ("bwe", bwe(GOOD, "LINK"), "batch", 60_000),
]


@pytest.mark.parametrize(("feed", "frame", "tier", "age_ms_max"), KINDS)
def test_hurry_of_each_kind(feed: str, frame: Any, tier: str, age_ms_max: int) -> None:
    signal = _signal(feed, frame)
    assert (signal.tier, signal.age_ms_max) == (tier, age_ms_max)


def test_a_release_decides_its_day_and_nothing_else_decides() -> None:
    assert _signal("synoptic", release(jobs("48K"))).decides == "nfp:2026-02-06"
    assert [_signal(feed, frame).decides for feed, frame, _, _ in KINDS[1:]] == [""] * 9


# -- which story --------------------------------------------------------------------------


def test_a_post_is_known_by_its_id() -> None:
    first = _signal("tokyo", post("Bitcoin"))
    assert first.once == "elon:id:1990000000000000001"
    assert _signal("tokyo", post("Bitcoin, again")).once == first.once
    assert _signal("tokyo", post("Bitcoin", _id="7")).once == "elon:id:7"
    assert _signal("tokyo", post("Bitcoin", _id={"$oid": "7"})).once == ""
    assert len(_signal("tokyo", post("Bitcoin", _id="7" * 500)).once) == len("elon:id:") + 80


def test_a_headline_is_known_by_its_words() -> None:
    first = _signal("bwe", bwe(GOOD, "LINK"))
    assert first.once == f"news:story:{fingerprint(GOOD)}"
    again = _signal("bwe", bwe(f"  {GOOD.upper()}!! https://x.io/1", "LINK"))
    assert again.once == first.once
    assert _signal("bwe", bwe(f"{GOOD} 2", "LINK")).once != first.once


def test_other_triggers_know_no_story() -> None:
    assert [_signal(f, frame).once for f, frame, _, _ in KINDS if f not in ("bwe", "tokyo")] == (
        [""] * 5
    )


@pytest.mark.parametrize(
    "again",
    [
        "visa partners with hedera on 3 things",
        "VISA PARTNERS WITH HEDERA ON 3 THINGS",
        "Visa, partners: with “Hedera” on 3 things…",
        "Visa partners with Hedera on 3 things https://bwe.io/1?x=2",
        "https://bwe.io/1 Visa partners with Hedera on 3 things",
        "Visa partners with Hedera on 3 things bwe.io/17001",
        "Visa partners with Hedera on 3 things\nand a second line",
        "\n Visa partners with Hedera on 3 things",
        "Visa partners with Hedera on 3 things<br>more",
        "Visa  partners\u200b with Hedera on 3 things",
        "Ｖｉｓａ partners with Hedera on ３ things",
        "Visa-partners_with Hedera (on 3 things)",
        "Visa &amp; partners with Hedera on 3 things",
    ],
)
def test_one_story_however_it_is_written(again: str) -> None:
    assert fingerprint(again) == fingerprint("Visa partners with Hedera on 3 things")


@pytest.mark.parametrize(
    "other",
    [
        "Visa partners with Hedera on 4 things",
        "Visa partners with Hedera on things",
        "Visa partners with Hedera on 3",
        "Hedera partners with Visa on 3 things",
        "Visa partners with Нedera on 3 things",  # a Cyrillic letter
        "",
    ],
)
def test_other_stories(other: str) -> None:
    assert fingerprint(other) != fingerprint("Visa partners with Hedera on 3 things")


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=80))
def test_a_fingerprint_is_sixteen_digits_and_forgets_case_and_marks(title: str) -> None:
    shown = fingerprint(title)
    assert len(shown) == 16
    assert set(shown) <= set("0123456789abcdef")
    assert fingerprint(f"  {title}") == shown
    plain = "".join(c for c in title if c.isascii() and c.isalnum())
    assert fingerprint(plain) == fingerprint(plain.upper() + "!") == fingerprint(f"«{plain}»")
