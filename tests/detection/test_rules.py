"""The judge: first match wins, what is shadowed or off, and a fault that costs nothing else."""

from __future__ import annotations

import attrs
import pytest
from detection_kit import ENABLED, RELEASE_MS, coins, post, settings, wire_bytes
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.clock import NS_PER_MS
from lowcap.core.messages import NewsItem, Reading, Verdict
from lowcap.core.money import Side
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.base import Hit, No, Texts
from lowcap.detection.matchers.sender import Author
from lowcap.detection.matchers.text import TextMatch, TextReading
from lowcap.detection.rules import FAULT, Detector
from lowcap.detection.trigger import Trigger
from lowcap.feeds.tree import TreeDecoder


def _trigger(name: str, *words: str, feeds: tuple[str, ...] = ("tokyo",)) -> Trigger:
    match = TextMatch(
        authors=(Author(handle="elonmusk", id="44196397"),), any_of=words, symbols=("BTCUSDT",)
    )
    return Trigger(id=name, feeds=feeds, side=Side.BUY, matcher="text", match=match, key=name)


def _judge(detector: Detector, body: str, on: str = "", received_ms: int = RELEASE_MS) -> Verdict:
    item = TreeDecoder("tokyo").decode(wire_bytes(post(body)), received_ms * NS_PER_MS)
    assert isinstance(item, NewsItem)
    return detector.judge(item, frozenset(on.split()) if on else frozenset("ab"))


def test_the_first_in_table_order_wins_and_later_ones_are_shadowed() -> None:
    a, b = _trigger("a", "bitcoin"), _trigger("b", "bitcoin")
    for order in ((a, b), (b, a)):
        verdict = _judge(Detector(order, (), coins()), "Bitcoin")
        assert verdict.signal is not None
        assert verdict.signal.trigger == order[0].id
        (miss,) = verdict.misses
        assert (miss.trigger, miss.reason, miss.near) == (order[1].id, "shadowed", True)
        assert order[0].id in miss.detail


def test_a_disabled_trigger_does_not_shadow() -> None:
    detector = Detector([_trigger("a", "bitcoin"), _trigger("b", "bitcoin")], (), coins())
    verdict = _judge(detector, "Bitcoin", on="b")
    assert verdict.signal is not None
    assert verdict.signal.trigger == "b"
    assert [(miss.trigger, miss.reason) for miss in verdict.misses] == [("a", "disabled")]
    nothing = _judge(detector, "Bitcoin", on="zzz")
    assert nothing.signal is None
    assert nothing.reason == "a: disabled"


def test_the_reason_shown_is_the_nearest() -> None:
    far = attrs.evolve(
        _trigger("a", "x"),
        match=TextMatch(authors=(Author(handle="other"),), any_of=("y",), symbols=("BTCUSDT",)),
    )
    detector = Detector([far, _trigger("b", "bitcoin")], ("bitcoin x",), coins())
    verdict = _judge(detector, "Bitcoin x")
    assert verdict.reason == "b: forbidden-phrase"
    assert [(miss.trigger, miss.near) for miss in verdict.misses] == [("b", True)]
    nothing = _judge(detector, "Doge")
    assert (nothing.reason, nothing.misses) == ("b: no-phrase", ())


def test_the_hedge_list_blocks_every_rule_on_posts() -> None:
    detector = Detector([_trigger("a", "bitcoin")], ("not", "impersonat*"), coins())
    assert _judge(detector, "Bitcoin").signal is not None
    assert _judge(detector, "not Bitcoin").signal is None
    assert _judge(detector, "Bitcoin impersonator").misses[0].detail == "impersonat"


def test_a_rule_that_raises_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = TextReading.judge

    def broken(self: TextReading, item: NewsItem, texts: Texts, table: CoinTable) -> Hit | No:
        if self._key == "a":
            raise RuntimeError("bug \x1b[2J")
        return sound(self, item, texts, table)

    monkeypatch.setattr(TextReading, "judge", broken)
    detector = Detector([_trigger("a", "bitcoin"), _trigger("b", "bitcoin")], (), coins())
    verdict = _judge(detector, "Bitcoin")
    assert verdict.signal is not None
    assert verdict.signal.trigger == "b"
    (miss,) = verdict.misses
    assert (miss.trigger, miss.reason) == ("a", FAULT)
    assert miss.detail.startswith("RuntimeError: bug")
    assert _judge(detector, "Bitcoin", on="a").signal is None


@pytest.mark.parametrize("field", ["title", "body", "url", "source"])
def test_a_field_longer_than_64_kib_never_trades(field: str) -> None:
    detector = Detector([_trigger("a", "bitcoin")], (), coins())
    item = TreeDecoder("tokyo").decode(wire_bytes(post("Bitcoin")), RELEASE_MS * NS_PER_MS)
    assert isinstance(item, NewsItem)
    on = frozenset("a")
    fields = {f: getattr(item, f) for f in item.__struct_fields__}
    assert detector.judge(NewsItem(**fields), on).signal is not None
    for filler in ("x" * 65_537, "가" * 21_846):
        verdict = detector.judge(NewsItem(**(fields | {field: filler})), on)
        assert (verdict.signal, verdict.reason) == (None, "too-long")


def test_no_trigger_listens() -> None:
    detector = Detector([_trigger("a", "bitcoin", feeds=("other",))], (), coins())
    assert _judge(detector, "Bitcoin").reason == "no-trigger-listens"
    assert _judge(Detector([], (), coins()), "Bitcoin").reason == "no-trigger-listens"


def test_one_trigger_on_two_feeds() -> None:
    detector = Detector([_trigger("a", "bitcoin", feeds=("other", "tokyo"))], (), coins())
    assert _judge(detector, "Bitcoin").signal is not None


@pytest.mark.parametrize(
    ("received_ms", "age_ms"),
    [
        (RELEASE_MS, 0),
        (RELEASE_MS + 7_000, 7_000),
        (RELEASE_MS - 4_000, 0),
        (RELEASE_MS - 60_000, 0),  # their clock is ahead: ours stands in
    ],
)
def test_age(received_ms: int, age_ms: int) -> None:
    verdict = _judge(
        Detector([_trigger("a", "bitcoin")], (), coins()), "Bitcoin", received_ms=received_ms
    )
    assert verdict.signal is not None
    assert (verdict.signal.age_ms, verdict.signal.age_ms_max) == (age_ms, 15_000)


def test_a_frame_without_time_counts_as_fresh() -> None:
    frame = wire_bytes(post("Bitcoin", time=None))
    item = TreeDecoder("tokyo").decode(frame, RELEASE_MS * NS_PER_MS)
    assert isinstance(item, NewsItem)
    verdict = Detector([_trigger("a", "bitcoin")], (), coins()).judge(item, frozenset("a"))
    assert verdict.signal is not None
    assert verdict.signal.age_ms == 0


TEXTS = st.text(alphabet=st.characters(exclude_categories=()), max_size=60)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.lists(st.integers())
READINGS = st.builds(
    Reading,
    name=st.sampled_from(["Nonfarm Payrolls", "NFP", "Unemployment Rate"]) | TEXTS,
    actual=VALUES,
    forecast=VALUES,
    previous=VALUES,
    unit=st.sampled_from(["", "K", "jobs"]) | TEXTS,
    country=st.none() | st.sampled_from(["", "US"]) | TEXTS,
)
ITEMS = st.builds(
    NewsItem,
    feed=st.sampled_from(["tokyo", "toa_news", "synoptic", "x"]),
    received_ns=st.integers(0, 2**62),
    time_ms=st.none() | st.integers() | st.just(RELEASE_MS),
    source=st.sampled_from(["Upbit", "Twitter", "01HV7K3M9QZ4X8N2B6C5D1E0FG"]) | TEXTS,
    author_id=st.just("44196397") | TEXTS,
    handles=st.lists(st.just("elonmusk") | TEXTS, max_size=2).map(tuple),
    title=TEXTS | TEXTS.map(lambda text: f"{text} (ORCA) KRW 마켓 디지털 자산 추가"),
    body=TEXTS | TEXTS.map(lambda text: f"Bitcoin {text}"),
    url=TEXTS,
    is_retweet=st.booleans(),
    is_reply=st.booleans(),
    is_post=st.booleans(),
    markup=st.sampled_from(["tree", "synoptic", "phoenix", ""]),
    readings=st.none() | st.lists(READINGS, max_size=4).map(tuple),
)
SHIPPED = Detector(settings().trigger, settings().hedge, coins())


@given(ITEMS)
def test_no_item_raises_or_finds_a_fault(item: NewsItem) -> None:
    verdict = SHIPPED.judge(item, ENABLED)
    assert not [miss for miss in verdict.misses if miss.reason == FAULT]
    if verdict.signal is None:
        assert verdict.reason
    else:
        assert verdict.signal.targets
        assert verdict.signal.age_ms >= 0
