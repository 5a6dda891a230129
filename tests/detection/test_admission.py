"""Fresh and new: ages, keys that close and open again, what a restart remembers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from lowcap.core.messages import Failure, Signal, Target
from lowcap.core.money import Side
from lowcap.detection import admission
from lowcap.detection.admission import Admission

NOW_MS = 50_000


def _signal(age_ms: int, age_ms_max: int = 10_000) -> Signal:
    return Signal(
        trigger="t",
        feed="f",
        side=Side.BUY,
        targets=(Target(symbol="BTCUSDT", key="k"),),
        matched=(),
        tier="macro",
        age_ms=age_ms,
        age_ms_max=age_ms_max,
        cooldown_s=60,
    )


def test_a_key_is_closed_until_its_time() -> None:
    keys = Admission()
    assert keys.left_ms("k", 0) == 0
    keys.take(("k", "l"), 1_000)
    assert keys.left_ms("k", 999) == 1
    assert keys.left_ms("k", 1_000) == 0
    assert keys.left_ms("k", 500) == 0  # forgotten once it was open
    assert keys.left_ms("l", 500) == 500
    assert keys.left_ms("m", 500) == 0


def test_an_earlier_end_never_shortens_a_later_one() -> None:
    keys = Admission()
    keys.take(("k",), 5_000)
    keys.take(("k",), 2_000)
    assert keys.left_ms("k", 1_000) == 4_000
    keys.take(("k",), 9_000)
    assert keys.left_ms("k", 1_000) == 8_000


def _why(
    signal: Signal, *, started_ms: int = 0, connected_ms: int = 0, keys: Admission | None = None
) -> str:
    answer = (keys or Admission()).admit(signal, started_ms, NOW_MS, connected_ms)
    return f"{answer.reason}: {answer.detail}" if isinstance(answer, Failure) else ""


def test_age_limits_are_inclusive() -> None:
    assert _why(_signal(10_000)) == ""
    assert _why(_signal(10_001)) == "stale: age 10001 ms of at most 10000 ms"


def test_nothing_from_before_this_process() -> None:
    assert _why(_signal(1_000), started_ms=NOW_MS - 1_000) == ""
    assert _why(_signal(1_001), started_ms=NOW_MS - 1_000) == "stale: older than this process"


def test_nothing_that_waited_for_the_connection() -> None:
    assert _why(_signal(1_000), connected_ms=NOW_MS - 1_000) == ""
    assert _why(_signal(1_001), connected_ms=NOW_MS - 1_000).startswith("replay")
    # A clock that counts seconds may have meant a moment after it.
    coarse = structs.replace(_signal(1_900), step_ms=1_000)
    assert _why(coarse, connected_ms=NOW_MS - 1_000) == ""
    assert _why(structs.replace(coarse, age_ms=2_000), connected_ms=NOW_MS - 1_000) != ""


def test_without_a_time_of_its_own_nothing_so_soon_after_connecting() -> None:
    suspect = structs.replace(_signal(0), time_suspect=True)
    assert _why(suspect, connected_ms=NOW_MS - 4_999).startswith("replay: no usable time")
    assert _why(suspect, connected_ms=NOW_MS - 5_000) == ""


def test_a_story_trades_once_and_a_coin_in_its_time() -> None:
    keys = Admission()
    story = structs.replace(
        _signal(0),
        once="s",
        targets=(Target(symbol="BTCUSDT", key="k"), Target(symbol="ETHUSDT", key="l")),
    )
    keys.take(("k",), NOW_MS + 7_000)
    left = keys.admit(story, 0, NOW_MS)
    assert isinstance(left, tuple)
    assert [target.symbol for target in left] == ["ETHUSDT"]
    keys.take(("l",), NOW_MS + 9_000)
    assert _why(story, keys=keys) == "cool-down: k: 7 s left"
    keys.take(("s",), NOW_MS + 60_000)
    assert _why(story, keys=keys) == "same-story: s: 60 s left"


def test_a_checkpoint_brings_everything_back() -> None:
    keys = Admission()
    keys.take(("nfp:2026-02-06", "upbit:소닉", 'q"\n'), 5_000)
    again = Admission()
    again.take(("other",), 9_000)
    again.restore(keys.snapshot())
    assert again.left_ms("nfp:2026-02-06", 0) == 5_000
    assert again.left_ms("upbit:소닉", 0) == 5_000
    assert again.left_ms('q"\n', 0) == 5_000
    assert again.left_ms("other", 0) == 0


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    keys = Admission()
    for number in range(admission.KEYS_MAX + 10):
        keys.take((f"k{number}",), 10_000)
    assert keys.left_ms("k0", 0) == 0
    assert keys.left_ms("k9", 0) == 0
    assert keys.left_ms("k10", 0) == 10_000
    assert keys.left_ms(f"k{admission.KEYS_MAX + 9}", 0) == 10_000


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100)), max_size=30))
def test_a_key_ends_at_the_latest_time_given(taken: list[tuple[str, int]]) -> None:
    keys = Admission()
    for key, until_ms in taken:
        keys.take((key,), until_ms)
    for key in "abc":
        latest = max((until for name, until in taken if name == key), default=0)
        assert keys.left_ms(key, 0) == latest
