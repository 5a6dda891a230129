"""Assets added to a roadmap: whose post, where the phrase stands, which tickers follow it."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from detection_kit import COINBASE_ID, fired, miss_of, reasons_of, signal_of, trigger, x_post

from lowcap.detection.matchers.roadmap import RoadmapMatch
from lowcap.detection.matchers.sender import Author

NAME = "coinbase_roadmap"
GOOD = "Asset added to the roadmap: Morpho (MORPHO)"


def _symbols(text: str, **changes: Any) -> list[str]:
    answer = fired("twitter", x_post(text, **changes))
    assert answer is not None
    assert (answer[0], answer[2]) == (NAME, "BUY")
    return answer[1]


def _why(text: str, **changes: Any) -> list[str]:
    return reasons_of("twitter", x_post(text, **changes), NAME)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        (GOOD, ["MORPHOUSDT"]),
        ("Assets added to the roadmap today: Sonic (S), Wormhole ($W) and $link",
         ["SUSDT", "WUSDT", "LINKUSDT"]),
        ("ASSETS ADDED TO THE ROADMAP\n\nMorpho (MORPHO)\nPendle (PENDLE)",
         ["MORPHOUSDT", "PENDLEUSDT"]),
        ("Assets  added\nto the\troadmap: (MORPHO)", ["MORPHOUSDT"]),
        ("New today: assets added to the roadmap (MORPHO)(MORPHO)", ["MORPHOUSDT"]),
        (f"{GOOD} https://t.co/x", ["MORPHOUSDT"]),
        (f"{GOOD} and Nosuchium (NOSUCH)", ["MORPHOUSDT"]),
        ("Asset added to the roadmap: Pepe (PEPE)", ["1000PEPEUSDT"]),
        ("x" * 38 + " asset added to the roadmap (MORPHO)", ["MORPHOUSDT"]),
    ],
)  # fmt: skip
def test_assets(text: str, symbols: list[str]) -> None:
    assert _symbols(text) == symbols


def test_keys_are_per_coin() -> None:
    signal = signal_of("twitter", x_post("Assets added to the roadmap: (PEPE), (S)"))
    assert signal is not None
    assert [t.key for t in signal.targets] == ["cb:PEPE", "cb:S"]
    assert (signal.cooldown_s, signal.age_ms_max, signal.once) == (604_800, 30_000, "")
    assert signal.matched == ("Assets added to the roadmap", "PEPE", "S")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Trading is live for Morpho (MORPHO)", ["no-phrase"]),
        ("Assets added to our roadmap: (MORPHO)", ["no-phrase"]),
        ("x" * 39 + " asset added to the roadmap (MORPHO)", ["phrase-too-late"]),
        ("(MORPHO) asset added to the roadmap", ["no-coin"]),
        ("Asset added to the roadmap: MORPHO, Morpho, (morpho)", ["no-coin"]),
        ("Asset added to the roadmap: https://x.io/(MORPHO)", ["no-coin"]),
        ("Asset added to the roadmap: (NOSUCH)", ["no-contract"]),
        ("Asset added to the roadmap: (USDC) (WBTC)", ["no-contract"]),
        (f"{GOOD}, not today", ["forbidden-phrase"]),
        (f"{GOOD}. Removed: x", ["forbidden-phrase"]),
        (f"{GOOD} delisting", ["forbidden-phrase"]),
        (f"{GOOD} suspended", ["forbidden-phrase"]),
        (f"{GOOD}; we end support", ["forbidden-phrase"]),
        (f"@someone {GOOD}", ["reply"]),
        (f"RT @someone {GOOD}", ["retweet"]),
        ("https://t.co/x", ["no-own-text", "no-phrase"]),
        ("x" * 39 + " asset added to the roadmap (NOSUCH) not",
         ["phrase-too-late", "forbidden-phrase", "no-contract"]),
    ],
)  # fmt: skip
def test_every_reason(text: str, why: list[str]) -> None:
    assert _why(text) == why


@pytest.mark.parametrize(
    ("kind", "why"), [("retweeted", "retweet"), ("quoted", "quote"), ("replied_to", "reply")]
)
def test_no_repeat_quote_or_reply(kind: str, why: str) -> None:
    assert _why(GOOD, referenced_tweets=[{"type": kind, "id": "1"}]) == [why]
    assert _symbols(GOOD, referenced_tweets=[]) == ["MORPHOUSDT"]


def test_the_account_by_name_and_number() -> None:
    assert fired("twitter", x_post(GOOD, "coinbasemarkets")) is not None
    assert reasons_of("twitter", x_post(GOOD, "CoinbaseAssets_"), NAME) == ["author"]
    other = x_post(GOOD, author_id="1100000000000000012")
    assert fired("twitter", other) is None
    wrong = x_post(GOOD, author_id="12")
    wrong["includes"]["users"][0]["id"] = "12"
    assert reasons_of("twitter", wrong, NAME) == ["author-id"]
    two = x_post(GOOD)
    two["includes"]["users"].append({"id": COINBASE_ID, "username": "other"})
    assert reasons_of("twitter", two, NAME) == ["author"]
    assert fired("twitter", {"data": x_post(GOOD)["data"]}) is None


def test_the_first_twenty_tickers_count() -> None:
    many = " ".join(f"(A{n})" for n in range(20))
    assert _why(f"Assets added to the roadmap: {many} (MORPHO)") == ["no-contract"]
    assert _symbols(f"Assets added to the roadmap: {many[5:]} (MORPHO)") == ["MORPHOUSDT"]


def test_near_misses_tell_their_words() -> None:
    miss = miss_of("twitter", x_post(f"{GOOD}, reportedly"), NAME)
    assert (miss.near, miss.matched) == (True, ("Asset added to the roadmap",))
    assert miss.blocking == ("reportedly",)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"authors": ()}, "authors: expected"),
        ({"authors": (Author(handle="@x"),)}, "authors[0].handle: expected"),
        ({"authors": (Author(handle="x", id="٣"),)}, "authors[0].id: expected digits"),
        ({"any_of": ()}, "any_of: expected"),
        ({"any_of": ("",)}, "any_of[0]: the phrase '' is empty"),
        ({"within": 0}, "within: expected 1 to"),
        ({"coins_max": 51}, "coins_max: expected 1 to"),
    ],
)
def test_faults(changes: dict[str, Any], fault: str) -> None:
    match = trigger(NAME).match
    assert isinstance(match, RoadmapMatch)
    assert list(match.faults()) == []
    (found,) = attrs.evolve(match, **changes).faults()
    assert found.startswith(fault)
