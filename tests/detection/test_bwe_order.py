"""Three triggers hear the same headlines: whose topic it is, and who may not have it then."""

from __future__ import annotations

import pytest
from detection_kit import (
    ENABLED,
    bwe,
    coins,
    detector,
    fired,
    item_of,
    judge_item,
    settings,
)

from lowcap.core.messages import NewsItem, Verdict
from lowcap.detection.rules import Detector

RESERVE, FILING, MENTION = "trump_reserve", "etf_filing", "news_coin_mention"


def _verdict(
    title: str, *tags: str, off: tuple[str, ...] = (), by: Detector | None = None
) -> Verdict:
    item = item_of("bwe", bwe(title, *tags))
    assert isinstance(item, NewsItem)
    return judge_item(item, by, ENABLED - set(off))


def _why(verdict: Verdict, name: str) -> list[str]:
    miss = next(miss for miss in verdict.misses if miss.trigger == name)
    return [failure.reason for failure in miss.failed]


# A buy word that would make each of these a mention, were it nobody's topic.
TOPICS = [
    (RESERVE, "Trump on a strategic reserve, Quill buys Chainlink"),
    (RESERVE, "White House names poll on bitcoin stockpile, Quill buys Chainlink"),
    (RESERVE, "POTUS on the crypto reserve, Quill buys Chainlink"),
    (FILING, "BlackRock buys Chainlink"),
    (FILING, "iShares partners with Chainlink"),
    (FILING, "Delaware court: Quill registers an ETF, then lists Chainlink"),
]


@pytest.mark.parametrize(("owner", "title"), TOPICS)
def test_a_title_in_the_topic_of_one_rule_does_not_fall_through(owner: str, title: str) -> None:
    verdict = _verdict(title, "LINK")
    assert verdict.signal is None
    assert "claimed" in _why(verdict, MENTION)
    miss = next(m for m in verdict.misses if m.trigger == MENTION)
    assert owner in miss.detail
    assert (miss.near, miss.matched[-1]) == (True, "LINK")


@pytest.mark.parametrize(("owner", "title"), TOPICS)
def test_a_trigger_that_is_off_claims_its_topic_all_the_same(owner: str, title: str) -> None:
    verdict = _verdict(title, "LINK", off=(owner,))
    assert verdict.signal is None
    assert _why(verdict, owner)[0] == "disabled"
    assert "claimed" in _why(verdict, MENTION)


@pytest.mark.parametrize(
    "title",
    ["Trump names an oil reserve, Quill buys Chainlink", "Fed reserve: Quill buys Chainlink",
     "Strategic reserve fund Quill buys Chainlink", "Delaware firm Quill buys Chainlink",
     "Blackrocks buys Chainlink", "Quill registers a trust and buys Chainlink"],
)  # fmt: skip
def test_nearby_words_are_no_topic(title: str) -> None:
    assert fired("bwe", bwe(title, "LINK")) == (MENTION, ["LINKUSDT"], "BUY")


def test_the_first_in_the_table_wins_and_the_others_are_told_why() -> None:
    title = "Trump orders crypto reserve of Solana; BlackRock files Solana trust"
    verdict = _verdict(title, "SOL")
    assert verdict.signal is not None
    assert verdict.signal.trigger == RESERVE
    assert _why(verdict, FILING) == ["shadowed"]
    assert _why(verdict, MENTION) == ["no-phrase"]
    # The topic of the one that is off is not for the next.
    verdict = _verdict(title, "SOL", off=(RESERVE,))
    assert verdict.signal is None
    assert (_why(verdict, RESERVE), _why(verdict, FILING)) == (["disabled"], ["claimed"])


def test_a_filing_that_fires_leaves_nothing_to_the_mention() -> None:
    verdict = _verdict("BlackRock files Chainlink trust, approved", "LINK")
    assert verdict.signal is not None
    assert (verdict.signal.trigger, verdict.signal.targets[0].key) == (FILING, "etf:LINK")
    assert _why(verdict, MENTION) == ["shadowed"]


def test_only_earlier_rules_of_the_table_claim() -> None:
    mention_first = sorted(settings().trigger, key=lambda each: each.id != MENTION)
    by = Detector(mention_first, settings().hedge, coins())
    verdict = _verdict("BlackRock buys Chainlink", "LINK", by=by)
    assert verdict.signal is not None
    assert verdict.signal.trigger == MENTION
    assert _verdict("BlackRock buys Chainlink", "LINK", by=detector()).signal is None


# -- the two rules themselves ----------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("Trump announces strategic reserve of XRP and Solana", ["XRPUSDT", "SOLUSDT"]),
        ("Trump signs bitcoin reserve into being", ["BTCUSDT"]),
        ("White House unveils digital asset stockpile", ["BTCUSDT"]),
        ("POTUS establishes national crypto stockpile with Cardano", ["ADAUSDT"]),
        ("Trump creates strategic reserve of tokens", ["BTCUSDT"]),
        ("Trump adds Cardano to strategic reserve", ["ADAUSDT"]),
        ("Trump crypto reserve includes Bitcoin, Ethereum, Solana, Cardano, XRP and Uniswap",
         ["BTCUSDT", "ETHUSDT", "SOLUSDT", "ADAUSDT", "XRPUSDT"]),
        ("Trump announces strategic reserve", None),
        ("Trump announces strategic reserve of oil", None),
        ("Biden announces strategic crypto reserve", None),
        ("Trump in favour of a strategic crypto reserve", None),
        ("Trump order on strategic crypto reserve", None),
        ("Trump announces strategic crypto reserve, not now", None),
        ("Trump announces strategic crypto reserve bill", None),
        ("Trump announces strategic crypto reserve without XRP", None),
    ],
)  # fmt: skip
def test_reserves(title: str, symbols: list[str] | None) -> None:
    expected = None if symbols is None else (RESERVE, symbols, "BUY")
    assert fired("bwe", bwe(title)) == expected


def test_of_many_coins_the_largest_five() -> None:
    table = coins()
    table.rank(["BTC", "ETH", "XRP", "SOL", "ADA", "UNI", "LTC"])
    by = Detector(settings().trigger, settings().hedge, table)
    names = "Litecoin, Uniswap, Cardano, Solana, XRP, Ethereum"
    verdict = _verdict(f"Trump announces crypto reserve of {names}", by=by)
    assert verdict.signal is not None
    shown = [target.key.removeprefix("reserve:") for target in verdict.signal.targets]
    assert shown == ["ETH", "XRP", "SOL", "ADA", "UNI"]


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("BlackRock files for a Solana ETF", ["SOLUSDT"]),
        ("iShares Hedera Trust registered in Delaware", ["HBARUSDT"]),
        ("BlackRock submits 19b-4 for its Solana and XRP fund", ["SOLUSDT", "XRPUSDT"]),
        ("Delaware entity Quill Cardano Trust appears", ["ADAUSDT"]),
        ("Quill Litecoin ETF formed in Delaware", ["LTCUSDT"]),
        ("Quill Litecoin fund formed in Delaware", None),
        ("Quill files for a Solana ETF", None),
        ("BlackRock Solana ETF sees inflows after filing", None),
        ("BlackRock files amended S-1 for Solana ETF", None),
        ("BlackRock files S-1/A for Solana ETF", None),
        ("BlackRock files for an ETF", None),
        ("BlackRock files for an ETF of Solana, XRP and Cardano", None),
        ("BlackRock reportedly files for a Solana ETF", None),
    ],
)
def test_filings(title: str, symbols: list[str] | None) -> None:
    expected = None if symbols is None else (FILING, symbols, "BUY")
    # What the sender tags says nothing here.
    assert fired("bwe", bwe(title, "DOGE")) == expected
    assert fired("bwe", bwe(title, source_name="other")) is None
