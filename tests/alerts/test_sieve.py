"""What passes to a sink: events, levels, quiet hours, drawing together, repeats."""

from __future__ import annotations

import pytest
from alert_kit import NOON_MS, alert
from hypothesis import given
from hypothesis import strategies as st

from lowcap.alerts.alert import CRITICAL, EVENTS, LEVELS, Alert, is_pattern, lines_of
from lowcap.alerts.quiet import parse_quiet
from lowcap.alerts.sieve import WIDEST, WINDOWS_MAX, Rule, Sieve

MINUTE = 60_000


def test_the_least_level_and_the_events_decide() -> None:
    sieve = Sieve(Rule(events=("feed.*", "alarm"), min_level="warning", coalesce_ms=0))
    assert sieve.offer(alert("feed.lost", "warning"), NOON_MS) is not None
    assert sieve.offer(alert("alarm", "critical"), NOON_MS) is not None
    assert sieve.offer(alert("feed.back", "info"), NOON_MS) is None
    assert sieve.offer(alert("order.filled", "critical"), NOON_MS) is None


def test_others_like_it_are_counted_and_told_in_one_line() -> None:
    sieve = Sieve(Rule())
    first = sieve.offer(alert("feed.lost", "warning", "tokyo"), NOON_MS)
    assert first is not None
    assert first.more == 0
    for n, feed in enumerate(("bwe", "phoenix", "synoptic")):
        assert sieve.offer(alert("feed.lost", "warning", feed), NOON_MS + n * 1_000) is None
    assert sieve.due(NOON_MS + MINUTE - 1) == []
    assert sieve.next_ms(NOON_MS) == NOON_MS + MINUTE
    (told,) = sieve.due(NOON_MS + MINUTE)
    assert lines_of(told)[0] == "3 more of these, the last: synoptic"
    assert sieve.drawn_together == 3


def test_what_goes_on_is_told_ever_more_rarely_and_then_anew() -> None:
    sieve, told = Sieve(Rule()), []
    for second in range(3_600):
        now_ms = NOON_MS + second * 1_000
        if (passed := sieve.offer(alert("breaker.open", "warning"), now_ms)) is not None:
            told.append(second)
        told += [second for _ in sieve.due(now_ms)]
    assert told == [0, 60, 180, 420, 900, 1860, 2820]
    assert told[-1] - told[-2] == 60 * WIDEST
    quiet_again = NOON_MS + 3_600_000 + 60 * WIDEST * 1_000
    sieve.due(quiet_again)
    sieve.due(quiet_again + 2 * WIDEST * MINUTE)
    assert sieve.next_ms(quiet_again) is None, "forgotten"
    passed = sieve.offer(alert("breaker.open", "warning"), quiet_again + 3 * WIDEST * MINUTE)
    assert passed is not None
    assert passed.more == 0


def test_a_window_that_is_over_and_was_not_looked_at_gives_its_count_to_the_next() -> None:
    sieve = Sieve(Rule())
    for at_ms in (0, 1_000, 2_000):
        sieve.offer(alert("feed.lost", "warning", "x"), NOON_MS + at_ms)
    late = sieve.offer(alert("feed.lost", "warning", "y"), NOON_MS + 5 * MINUTE)
    assert late is not None
    assert lines_of(late)[0] == "3 more of these, the last: y"


def test_trades_of_two_symbols_are_two_and_two_dangers_are_never_one() -> None:
    sieve = Sieve(Rule())
    for symbol in ("BTCUSDT", "ETHUSDT"):
        assert sieve.offer(alert("order.filled", "info", symbol, subject=symbol), NOON_MS)
    for text in ("BTC has no stop", "ETH has no stop"):
        danger = alert("stop.missing", "critical", text, subject="unprotected")
        assert sieve.offer(danger, NOON_MS) is not None
        assert sieve.offer(danger, NOON_MS + 1) is None, "the very same is said once"
    assert sieve.offer(alert("feed.lost", "warning"), NOON_MS) is not None
    assert sieve.offer(alert("feed.lost", "error"), NOON_MS) is not None, "worse is told"


def test_in_quiet_hours_only_the_critical_passes_and_the_rest_is_a_digest_after() -> None:
    quiet = parse_quiet("22:00-07:00 Europe/Berlin")
    sieve = Sieve(Rule(quiet=quiet))
    night_ms = NOON_MS + 10 * 60 * MINUTE  # 23:00 in Berlin
    assert sieve.offer(alert("stop.missing", "critical"), night_ms) is not None
    for n in range(5):
        filled = alert("order.filled", "info", f"fill {n}", subject=str(n))
        assert sieve.offer(filled, night_ms + n) is None
    assert sieve.offer(alert("feed.lost", "warning", "tokyo is down"), night_ms + 9) is None
    assert sieve.due(night_ms + 60 * MINUTE) == []
    now_ms = night_ms
    while not (told := [each for each in sieve.due(now_ms) if each.event == "digest"]):
        following = sieve.next_ms(now_ms)
        assert following is not None
        now_ms = following
    assert now_ms == NOON_MS + 18 * 60 * MINUTE, "07:00 in Berlin"
    (digest,) = told
    assert digest.level == "warning"
    assert digest.text == "5 x order.filled, 1 x feed.lost; the last: tokyo is down"
    assert sieve.due(now_ms + 1) == []


def test_all_at_once_leaves_nothing_behind() -> None:
    sieve = Sieve(Rule(quiet=parse_quiet("00:00-23:59"), coalesce_ms=MINUTE))
    for _ in range(3):
        sieve.offer(alert("stop.missing", "critical"), NOON_MS)
    sieve.offer(alert("feed.lost", "warning"), NOON_MS)
    told = sieve.due(NOON_MS, at_once=True)
    assert [(each.event, each.more) for each in told] == [("stop.missing", 2), ("digest", 0)]


_ALERTS = st.builds(
    alert,
    event=st.sampled_from(sorted(EVENTS)),
    level=st.sampled_from(LEVELS),
    text=st.sampled_from("abc"),
    subject=st.sampled_from("xyz"),
)
_STEPS = st.lists(st.tuples(_ALERTS, st.integers(0, 90_000)), max_size=60)


@given(_STEPS, st.sampled_from(["", "22:00-07:00", "11:00-13:00"]), st.sampled_from([0, 60_000]))
def test_everything_is_told_or_counted_and_no_new_danger_waits(
    steps: list[tuple[Alert, int]], hours: str, coalesce_ms: int
) -> None:
    sieve = Sieve(Rule(quiet=parse_quiet(hours), coalesce_ms=coalesce_ms, min_level="debug"))
    now_ms, told, seen = NOON_MS, 0, set()
    digested = 0
    for each, pause_ms in steps:
        now_ms += pause_ms
        passed = sieve.offer(each, now_ms)
        if each.rank == CRITICAL and (each.event, each.text, each.subject) not in seen:
            assert passed is not None
            seen.add((each.event, each.text, each.subject))
        told += 0 if passed is None else max(1, passed.more)
        for late in sieve.due(now_ms):
            digested += late.event == "digest" and late.text != each.text
            told += late.more
    for late in sieve.due(now_ms, at_once=True):
        digested += late.event == "digest"
        told += late.more
    assert told + sieve.held == len(steps)
    assert not sieve.held or digested


def test_hostile_numbers_of_subjects_do_not_fill_the_memory() -> None:
    sieve = Sieve(Rule())
    for n in range(WINDOWS_MAX * 2):
        sieve.offer(alert("order.filled", "info", subject=f"S{n}"), NOON_MS)
    assert len(sieve._windows) <= WINDOWS_MAX + 1


@pytest.mark.parametrize("pattern", ["order.*", "stop.missing", "alarm", "feed.*"])
def test_patterns_that_name_events(pattern: str) -> None:
    assert is_pattern(pattern)


@pytest.mark.parametrize("pattern", ["*", "order", "order.", "alarm.x", "stop.*x", ""])
def test_patterns_that_name_none(pattern: str) -> None:
    assert not is_pattern(pattern)
