"""Lines of a capture in, decisions out: each alone, or as one stream that remembers what traded."""

from __future__ import annotations

import json
from typing import Any

import attrs
import msgspec
import pytest
from detection_kit import (
    RELEASE,
    RELEASE_MS,
    bwe,
    coins,
    jobs,
    notice,
    phoenix,
    post,
    rate,
    release,
    settings,
    wire_bytes,
)
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.clock import iso_to_ms
from lowcap.core.errors import ConfigError
from lowcap.programs.detect import Decision, Judge, table_from
from lowcap.settings import Settings

GOOD = "Quillbank partners with Chainlink"
MINUTE_MS = 60_000


def _judge(*, stateless: bool = False, given: Settings | None = None) -> Judge:
    return Judge(given or settings(), coins(), stateless=stateless)


def _line(feed: str, frame: object, t_ms: int | None = None) -> bytes:
    row = {"feed": feed, "frame": frame}
    return json.dumps(row if t_ms is None else row | {"t_ms": t_ms}).encode()


def _shown(decision: Decision) -> str:
    """The trade, or the first reason against one."""
    if decision.trigger is None:
        return str(decision.failed[0]["reason"])
    return " ".join([decision.trigger, *decision.symbols, str(decision.side)])


def _run(judge: Judge, *lines: tuple[str, object, int]) -> list[str]:
    """Lines with their times after the release, in seconds."""
    return [_shown(judge.line(_line(f, frame, RELEASE_MS + s * 1_000))) for f, frame, s in lines]


def _upbit(ticker: str, after_s: int = 0) -> dict[str, Any]:
    return notice(f"이름({ticker}) KRW 마켓 디지털 자산 추가", time=RELEASE_MS + after_s * 1_000)


def _bwe(title: str, *tags: str, after_s: int = 0) -> dict[str, Any]:
    return bwe(title, *tags, timestamp=RELEASE_MS // 1_000 + after_s)


# -- each alone -------------------------------------------------------------------------


def test_alone_nothing_is_remembered_and_nothing_is_late() -> None:
    judge = _judge(stateless=True)
    late = RELEASE_MS + 3_600_000
    for t_ms in (None, RELEASE_MS, late, 0, -1):
        assert _shown(judge.line(_line("tokyo", post("Bitcoin"), t_ms))) == "elon_btc BTCUSDT BUY"


def test_without_a_time_of_its_own_a_frame_takes_that_of_its_line() -> None:
    frame = post("Bitcoin", time=None)
    for t_ms in (None, RELEASE_MS):
        assert _judge(stateless=True).line(_line("tokyo", frame, t_ms)).trigger == "elon_btc"


def test_symbols_come_in_order_of_the_alphabet() -> None:
    decision = _judge(stateless=True).line(
        _line("bwe", _bwe("Trump signs crypto reserve of XRP, ADA"))
    )
    assert decision.symbols == ("ADAUSDT", "XRPUSDT")
    assert decision.failed == ()
    weak = _judge(stateless=True).line(_line("synoptic", release(jobs("48K"), rate(4.6, 4.4))))
    assert (weak.symbols, weak.side) == (("BTCUSDT", "ETHUSDT"), "SELL")


def test_every_trigger_that_listens_says_why() -> None:
    decision = _judge(stateless=True).line(_line("bwe", _bwe("Chainlink, not", "UNI")))
    assert decision.trigger is None
    assert {row["trigger"] for row in decision.failed} == {
        "trump_reserve", "etf_filing", "news_coin_mention",
    }  # fmt: skip
    assert {"trigger": "news_coin_mention", "reason": "unconfirmed-coin", "detail": "UNI"} in (
        decision.failed
    )


def test_what_is_off_does_not_trade() -> None:
    off = tuple(attrs.evolve(t, enabled=t.id != "elon_btc") for t in settings().trigger)
    judge = _judge(stateless=True, given=attrs.evolve(settings(), trigger=off))
    decision = judge.line(_line("tokyo", post("Bitcoin")))
    assert decision.trigger is None
    assert {"trigger": "elon_btc", "reason": "disabled"} in decision.failed


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"5", b"null", b'"x"', b"{}", b'{"feed":"tokyo"}', b'{"frame":{}}',
     b'{"feed":5,"frame":{}}', b'{"feed":"nosuch","frame":{}}', b'{"feed":"tokyo","frame":',
     b'{"feed":"tokyo","frame":{},"t_ms":"x"}', b"\xff", b"[" * 60_000,
     b'{"feed":"tokyo","frame":' + b"[" * 60_000],
)  # fmt: skip
def test_lines_that_are_no_frames(line: bytes) -> None:
    decision = _judge(stateless=True).line(line)
    assert (decision.trigger, decision.failed[0]["reason"]) == (None, "line")


@pytest.mark.parametrize("frame", ["ping", "", "not json", "[", '{"title":', 5, None, [], {}, True])
def test_frames_that_are_no_news_have_a_reason(frame: object) -> None:
    for feed in ("bwe", "tokyo", "toa_news", "phoenix", "synoptic", "twitter", "upbit"):
        decision = _judge(stateless=True).line(_line(feed, frame))
        assert (decision.trigger, decision.symbols, decision.side) == (None, (), None)
        assert decision.failed[0]["reason"]


def test_a_frame_as_text_is_the_frame_itself() -> None:
    text = wire_bytes(post("Bitcoin")).decode()
    assert _judge(stateless=True).line(_line("tokyo", text)).trigger == "elon_btc"


# -- one stream ---------------------------------------------------------------------------


def test_a_second_feed_tells_the_same_listing() -> None:
    api = {"id": 1, "title": "이름(ORCA) KRW 마켓 디지털 자산 추가", "first_listed_at": RELEASE}
    lines = [("tokyo", _upbit("ORCA"), 0), ("upbit", api, 2), ("tokyo", _upbit("KAITO", 3), 3)]
    assert _run(_judge(), *lines) == [
        "upbit_listing ORCAUSDT BUY", "cool-down", "upbit_listing KAITOUSDT BUY",
    ]  # fmt: skip


def test_a_filing_told_by_two_feeds_trades_once() -> None:
    filing = {"title": "Solana Trust files S-1", "source": "SEC", "time": RELEASE_MS + 5_000}
    lines = [("bwe", _bwe("BlackRock files Solana trust"), 1), ("toa_news", filing, 5)]
    assert _run(_judge(), *lines) == ["etf_filing SOLUSDT BUY", "cool-down"]
    assert _run(_judge(), *reversed(lines)) == ["s1_trust SOLUSDT BUY", "cool-down"]


def test_of_several_coins_only_those_still_open_trade() -> None:
    lines = [
        ("tokyo", _upbit("ORCA"), 0),
        ("tokyo", _upbit("KAITO), 둘(ORCA), 셋(PENDLE", 4), 4),
        ("tokyo", _upbit("PENDLE), 둘(KAITO", 8), 8),
    ]
    assert _run(_judge(), *lines) == [
        "upbit_listing ORCAUSDT BUY", "upbit_listing KAITOUSDT PENDLEUSDT BUY", "cool-down",
    ]  # fmt: skip


def test_a_cool_down_ends_by_the_times_of_the_lines() -> None:
    def told(after_s: int, title: str) -> tuple[str, object, int]:
        return "bwe", _bwe(title, "LINK", after_s=after_s), after_s

    lines = [
        told(1, GOOD),
        told(1_799, "Otherbank partners with Chainlink"),
        told(1_800, "Thirdbank partners with Chainlink, a hack"),
        told(1_801, "Fourthbank partners with Chainlink"),
    ]
    assert _run(_judge(), *lines) == [
        "news_coin_mention LINKUSDT BUY", "cool-down", "no-phrase",
        "news_coin_mention LINKUSDT BUY",
    ]  # fmt: skip


def test_each_side_of_a_coin_has_its_own_key() -> None:
    lines = [("bwe", _bwe(GOOD, "LINK"), 1), ("bwe", _bwe("Chainlink hacked", "LINK"), 1)]
    assert _run(_judge(), *lines) == [
        "news_coin_mention LINKUSDT BUY", "news_coin_mention LINKUSDT SELL",
    ]  # fmt: skip


def test_the_same_story_stays_closed_for_a_day() -> None:
    def told(after_s: int) -> tuple[str, object, int]:
        return "bwe", _bwe(f"{GOOD}!  https://x.io/{after_s}", "LINK", after_s=after_s), after_s

    day = 86_400
    assert _run(_judge(), told(1), told(3_600), told(day), told(day + 1)) == [
        "news_coin_mention LINKUSDT BUY", "same-story", "same-story",
        "news_coin_mention LINKUSDT BUY",
    ]  # fmt: skip


def test_a_post_told_again_is_the_same_story_after_its_cool_down() -> None:
    def told(after_s: int, id_: str) -> tuple[str, object, int]:
        return "tokyo", post("Bitcoin", _id=id_, time=RELEASE_MS + after_s * 1_000), after_s

    after = 21_600
    assert _run(_judge(), told(0, "1"), told(9, "2"), told(after, "1"), told(after + 1, "3")) == [
        "elon_btc BTCUSDT BUY", "cool-down", "same-story", "elon_btc BTCUSDT BUY",
    ]  # fmt: skip


def test_what_comes_too_late_neither_trades_nor_closes_anything() -> None:
    lines = [("phoenix", phoenix("$TRUMP"), 16), ("phoenix", phoenix("$TRUMP"), 15)]
    assert _run(_judge(), *lines) == ["stale", "eric_trump_token TRUMPUSDT BUY"]


def test_a_refusal_names_its_trigger() -> None:
    decision = _judge().line(_line("phoenix", phoenix("$TRUMP"), RELEASE_MS + 15_001))
    (row,) = decision.failed
    assert (row["trigger"], row["reason"]) == ("eric_trump_token", "stale")
    assert row["detail"] == "age 15001 ms of at most 15000 ms"


# -- one payroll decision a day ----------------------------------------------------------


def _print(value: str, **changes: Any) -> dict[str, Any]:
    return release(jobs(value), **changes)


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        (_print("48K"), "nfp_le_50k ETHUSDT SELL"),
        (_print("227K"), "nfp_ge_150k ETHUSDT BUY"),
        (_print("115K"), "band"),  # the dead zone
        (release(jobs("187K"), rate(3.8, 3.5)), "band"),  # mixed
    ],
)
def test_the_first_print_with_a_value_decides_the_day(first: dict[str, Any], shown: str) -> None:
    later = _run(_judge(), ("synoptic", first, 1), ("synoptic", _print("48K"), 2),
                 ("synoptic", _print("227K"), 3))  # fmt: skip
    assert later == [shown, "cool-down", "cool-down"]


def test_a_print_that_comes_too_late_decides_all_the_same() -> None:
    lines = [("synoptic", _print("48K"), 11), ("synoptic", _print("227K"), 12)]
    assert _run(_judge(), *lines)[0] == "stale"
    again = _print("227K", createdAt="2026-02-06T13:30:12Z")
    assert _run(_judge(), lines[0], ("synoptic", again, 12)) == ["stale", "cool-down"]


@pytest.mark.parametrize(
    "first",
    [
        _print("n/a"),
        release(jobs("48K"), jobs("49K")),
        release(rate(4.1, 4.2)),
        _print("48K", streamId="other"),
        _print("48K", createdAt="2026-02-06T13:29:54Z"),
    ],
)
def test_a_frame_without_a_print_decides_nothing(first: dict[str, Any]) -> None:
    lines = [("synoptic", first, 1), ("synoptic", _print("48K"), 2)]
    assert _run(_judge(), *lines)[1] == "nfp_le_50k ETHUSDT SELL"


def test_the_next_release_is_another_day() -> None:
    march = "2026-03-06T13:30:00.100Z"
    after_s = ((iso_to_ms(march) or 0) - RELEASE_MS) // 1_000
    lines = [("synoptic", _print("48K"), 1), ("synoptic", _print("227K", createdAt=march), after_s)]
    assert _run(_judge(), *lines) == ["nfp_le_50k ETHUSDT SELL", "nfp_ge_150k ETHUSDT BUY"]


# -- files and output ----------------------------------------------------------------------


def test_a_decision_has_these_four_keys() -> None:
    for line in (_line("tokyo", post("Bitcoin")), b"x", _line("bwe", _bwe("x"))):
        row = json.loads(msgspec.json.encode(_judge(stateless=True).line(line)))
        assert list(row) == ["trigger", "symbols", "side", "failed"]


def test_tables_from_files(tmp_path: Any) -> None:
    path = tmp_path / "universe.json"
    path.write_text('{"coins":{"FOX":{"symbol":"FOXUSDT"}}}')
    assert table_from(path, settings()).symbol("FOX") == "FOXUSDT"
    assert table_from(None, settings()).symbol("BTC") == "BTCUSDT"
    for content in ("", "[]", "5", "{", '{"coins":[]}', '{"coins":{"A":1}}'):
        path.write_text(content)
        with pytest.raises(ConfigError, match=r"universe\.json"):
            table_from(path, settings())
    with pytest.raises(ConfigError, match="No such file"):
        table_from(tmp_path / "none.json", settings())


@given(st.binary(max_size=100) | st.text(max_size=60).map(str.encode))
def test_no_line_raises(line: bytes) -> None:
    assert _judge(stateless=True).line(line).failed
