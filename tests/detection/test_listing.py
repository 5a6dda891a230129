"""Upbit's notices: from whom, a listing and nothing like one, the won market, which coins."""

from __future__ import annotations

import unicodedata
from typing import Any

import attrs
import pytest
from detection_kit import (
    ENABLED,
    assert_linear,
    coins,
    detector,
    judge_frame,
    miss_of,
    notice,
    settings,
    signal_of,
)
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.messages import NewsItem, Verdict
from lowcap.core.money import Side
from lowcap.detection.matchers.listing import ListingMatch
from lowcap.detection.rules import FAULT, Detector

LISTING = "카이토(KAITO) KRW 마켓 디지털 자산 추가"


def _symbols(title: str, **changes: Any) -> list[str]:
    signal = signal_of("tokyo", notice(title, **changes))
    if signal is None:
        return []
    assert (signal.trigger, signal.side) == ("upbit_listing", Side.BUY)
    return [target.symbol for target in signal.targets]


def _why(title: str, **changes: Any) -> str:
    return miss_of("tokyo", notice(title, **changes), "upbit_listing").reason


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        (LISTING, ["KAITOUSDT"]),
        ("뉴메레르(NMR) KRW, USDT 마켓 디지털 자산 추가", ["NMRUSDT"]),
        ("카이토(KAITO), 펜들(PENDLE) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)",
         ["KAITOUSDT", "PENDLEUSDT"]),
        ("[마켓 추가] 오르카(ORCA) 원화 마켓 추가", ["ORCAUSDT"]),
        ("오르카(ORCA) 원화마켓추가", ["ORCAUSDT"]),
        ("오르카(ORCA) KRW마켓 디지털자산추가", ["ORCAUSDT"]),
        ("Market Support for Orca(ORCA) (KRW, BTC, USDT Market)", ["ORCAUSDT"]),
        ("MARKET SUPPORT FOR Orca(ORCA) krw", ["ORCAUSDT"]),
        ("Orca (ORCA) KRW Market Listing", ["ORCAUSDT"]),
        ("New Market Support: Orca (ORCA), KRW", ["ORCAUSDT"]),
        ("소닉(S) KRW 마켓 디지털 자산 추가", ["SUSDT"]),
        ("에이피아이(API3) KRW 마켓 디지털 자산 추가", ["API3USDT"]),
        ("페페(PEPE) KRW 마켓 디지털 자산 추가", ["1000PEPEUSDT"]),
        ("루나(LUNA) KRW 마켓 디지털 자산 추가", ["LUNA2USDT"]),
        ("둘(ORCA)(ORCA) KRW 마켓 디지털 자산 추가", ["ORCAUSDT"]),
        ("이상한（ＯＲＣＡ） ＫＲＷ 마켓 디지털 자산 추가", ["ORCAUSDT"]),
        # A name with "event" only where its words meet.
        ("Seven Token(ORCA) KRW 마켓 디지털 자산 추가", ["ORCAUSDT"]),
        ("카이토(KAITO), 없음(NOPE), 카이토(KAITO) KRW 마켓 디지털 자산 추가", ["KAITOUSDT"]),
        (unicodedata.normalize("NFD", LISTING), ["KAITOUSDT"]),
    ],
)  # fmt: skip
def test_listings(title: str, symbols: list[str]) -> None:
    assert _symbols(title) == symbols


def test_keys_are_per_coin() -> None:
    signal = signal_of("tokyo", notice("루나(LUNA), 오르카(ORCA) KRW 마켓 디지털 자산 추가"))
    assert signal is not None
    assert [t.key for t in signal.targets] == ["upbit:LUNA", "upbit:ORCA"]
    assert all(t.notional_usd is None for t in signal.targets)
    assert (signal.cooldown_s, signal.age_ms_max) == (604_800, 30_000)


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("오르카(ORCA) 거래지원 종료 안내 (6/30 15:00)", "no-phrase"),
        ("[투자유의] 오르카(ORCA) 유의 종목 지정 안내", "no-phrase"),
        ("[안내] 리플(XRP) 입출금 일시 중단 안내", "no-phrase"),
        ("API3(API3) KRW 마켓 거래 이벤트 안내", "no-phrase"),
        ("엑셀라(AXL) BTC, USDT 마켓 디지털 자산 추가", "market"),
        ("엑셀라(AXL) 신규 거래지원 안내 (BTC, USDT 마켓)", "market"),
        ("크루(KRWQ) BTC 마켓 디지털 자산 추가", "market"),
        ("Market Support for Axelar(AXL) (BTC Market)", "market"),
        (
            "오르카(ORCA) 신규 거래지원 안내 (KRW 마켓) (거래지원 개시 시점 연기 안내)",
            "forbidden-phrase",
        ),
        (
            "오르카(ORCA) 신규 거래지원 안내 (KRW 마켓) (거래지원 개시 시점 변경 안내)",
            "forbidden-phrase",
        ),
        ("오르카(ORCA) KRW 마켓 디지털 자산 추가 취소", "forbidden-phrase"),
        ("오르카(ORCA) KRW 마켓 디지털 자산 추가 기념 에어드랍", "forbidden-phrase"),
        ("Market Support for Orca(ORCA) (KRW) Postponed", "forbidden-phrase"),
        ("Market Support for Orca(ORCA) (KRW) - Change of time", "forbidden-phrase"),
        ("Termination of Market Support for Orca(ORCA) (KRW)", "forbidden-phrase"),
        ("Delisting: end of KRW market listing (ORCA)", "forbidden-phrase"),
        ("TRADING EVENT: Market Support for Orca(ORCA) KRW", "forbidden-phrase"),
        ("키타(KTA) KRW 마켓 디지털 자산 추가", "no-contract"),
        ("무엇 KRW 마켓 디지털 자산 추가", "no-coin"),
        ("비트코인(BTC) KRW 마켓 디지털 자산 추가", "no-coin"),
        ("테더(USDT), 유에스디코인(USDC) KRW 마켓 디지털 자산 추가", "no-coin"),
        ("오르카(orca) KRW 마켓 디지털 자산 추가", "no-coin"),
        ("오르카( ORCA ) KRW 마켓 디지털 자산 추가", "no-coin"),
        ("오르카(ABCDEFGHIJKLMNOP) KRW 마켓 디지털 자산 추가", "no-coin"),
        ("오르카(ОRCА) KRW 마켓 디지털 자산 추가", "no-coin"),  # Cyrillic О and А
        ("", "source"),
    ],
)
def test_everything_that_is_no_listing(title: str, why: str) -> None:
    if not title:
        assert signal_of("tokyo", notice(title)) is None
        return
    assert _why(title) == why


def test_the_first_five_coins_count() -> None:
    many = ", ".join(f"x({ticker})" for ticker in ("A1", "B2", "C3", "D4", "ORCA", "KAITO"))
    assert _symbols(f"{many} KRW 마켓 디지털 자산 추가") == ["ORCAUSDT"]


def test_the_servers_guess_is_never_used() -> None:
    guess = [{"coin": "ORCA", "symbols": [{"exchange": "binance-futures", "symbol": "ORCAUSDT"}]}]
    frame = notice("무엇 KRW 마켓 디지털 자산 추가", suggestions=guess, coin="ORCA")
    assert signal_of("tokyo", frame) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "UPBIT"},
        {"source": "upbit", "url": None},
        {"source": "Blogs", "url": "https://upbit.com/service_center/notice?id=1"},
        {"source": None, "url": "https://www.upbit.com/service_center/notice?id=1"},
        {"source": None, "url": "https://UPBIT.com/service_center/notice"},
        {"source": None, "url": None, "link": "https://upbit.com/service_center/notice?id=1"},
    ],
)
def test_from_upbit(changes: dict[str, Any]) -> None:
    assert _symbols(LISTING, **changes) == ["KAITOUSDT"]


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "Bithumb", "url": "https://feed.bithumb.com/notice/1"},
        {"source": "Blogs", "url": None},
        {"source": None, "url": None},
        {"source": "", "url": ""},
        {"source": "Upbit Fan", "url": None},
        {"source": "Uрbit", "url": None},  # Cyrillic р
        {"source": "x", "url": "https://upbit.com.evil.io/service_center/notice"},
        {"source": "x", "url": "https://evil-upbit.com/service_center/notice"},
        {"source": "x", "url": "https://upbit.com@evil.io/service_center/notice"},
        {"source": "x", "url": "https://evil.io\\@upbit.com/service_center/notice"},
        {"source": "x", "url": "https://evil.io@upbit.com/service_center/notice"},
        {"source": "x", "url": "https://evil.io/?u=https://upbit.com/service_center/notice"},
        {"source": "x", "url": "https://evil.io/#upbit.com/service_center/notice"},
        {"source": "x", "url": "https://upbit.com/other?x=/service_center/notice"},
        {"source": "x", "url": "javascript://upbit.com/service_center/notice"},
        {"source": "x", "url": "https://up\nbit.com/service_center/notice"},
        {"source": "x", "url": "https://sub.upbit.com/service_center/notice"},
        {"source": "x", "url": "https://[/service_center/notice"},
        {"source": "x", "url": "//upbit.com/service_center/notice"},
        {"source": "x", "link": "https://evil.io/"},
    ],
)
def test_not_from_upbit(changes: dict[str, Any]) -> None:
    assert _why(LISTING, **changes) == "source"


def test_stale_marks_block() -> None:
    answer = judge_frame("tokyo", notice(f"{LISTING} [272 minutes ago]"))
    assert isinstance(answer, Verdict)
    assert answer.reason == "stale"


def test_only_tokyo_listens() -> None:
    assert signal_of("toa_news", notice(LISTING)) is None


def test_settings_may_be_written_in_any_case_and_form() -> None:
    trigger = next(t for t in settings().trigger if t.id == "upbit_listing")
    match = trigger.match
    assert isinstance(match, ListingMatch)
    match = attrs.evolve(
        match,
        source="UPBIT",
        hosts=("Upbit.COM",),
        any_of=tuple(unicodedata.normalize("NFD", phrase) for phrase in match.any_of),
        markets=("krw",),
    )
    by = Detector([attrs.evolve(trigger, match=match)], (), coins())
    for changes in ({"url": None}, {"source": None}):
        answer = judge_frame("tokyo", notice(LISTING, **changes), by=by)
        assert isinstance(answer, Verdict)
        assert answer.signal is not None


def test_a_sender_left_empty_is_not_everybody() -> None:
    trigger = next(t for t in settings().trigger if t.id == "upbit_listing")
    match = trigger.match
    assert isinstance(match, ListingMatch)
    open_door = attrs.evolve(trigger, match=attrs.evolve(match, source=""))
    by = Detector([open_door], (), coins())
    answer = judge_frame("tokyo", notice(LISTING, source=None, url=None), by=by)
    assert isinstance(answer, Verdict)
    assert answer.signal is None


@given(
    st.text(alphabet=st.characters(exclude_categories=()), max_size=200),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=80)
    | st.text(max_size=20).map(lambda t: f"https://{t}/service_center/notice"),
    st.sampled_from(["Upbit", "", "Blogs"]),
)
def test_no_notice_raises(title: str, url: str, source: str) -> None:
    item = NewsItem(
        feed="tokyo", received_ns=0, source=source, title=LISTING + title, url=url, markup="tree"
    )
    verdict = detector().judge(item, ENABLED)
    assert not any(miss.reason == FAULT for miss in verdict.misses)


@pytest.mark.parametrize("piece", ["(", "(A", "(A)", "KRW", " ", "추가", "\u0301\u0316", "마켓 "])
def test_a_title_costs_no_more_than_it_is_long(piece: str) -> None:
    def work(text: str) -> None:
        title = LISTING + text
        item = NewsItem(feed="tokyo", received_ns=0, source="Upbit", title=title, url=title)
        detector().judge(item, ENABLED)

    assert_linear(work, piece)
