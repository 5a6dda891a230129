"""Posts of the family accounts, orders of the regulator, registrations: the shipped text rules."""

from __future__ import annotations

from typing import Any

import pytest
from detection_kit import (
    RELEASE_MS,
    SEC_STREAM,
    article,
    fired,
    order,
    phoenix,
    post,
    reasons_of,
    signal_of,
)

TRUMP = {"handle": "realDonaldTrump", "id_": "25073877"}
MEME, WLFI = {"handle": "GetTrumpMemes", "id_": "9"}, {"handle": "worldlibertyfi", "id_": "8"}


@pytest.mark.parametrize(
    ("body", "who", "symbols"),
    [
        ("We will be buying back $trump", TRUMP, ["TRUMPUSDT"]),
        ("The TRUMP Token burn is done", MEME, ["TRUMPUSDT"]),
        ("WLFI burned, $TRUMP too", WLFI, ["TRUMPUSDT", "WLFIUSDT"]),
        ("Repurchased $WLFI today", WLFI, ["WLFIUSDT"]),
        ("Buyback of $TRUMP >>QUOTE Fan (@fan) down, not sold", MEME, ["TRUMPUSDT"]),
    ],
)
def test_buybacks_and_burns(body: str, who: dict[str, str], symbols: list[str]) -> None:
    assert fired("phoenix", phoenix(body, **who)) == ("trump_buyback_burn", symbols, "BUY")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("Trump token burn", ["no-coin"]),
        ("$TRUMPS burn", ["no-coin"]),
        ("wlfi burn", ["no-coin"]),
        ("$TRUMP is great", ["no-phrase"]),
        ("$TRUMP burn vote", ["forbidden-phrase"]),
        ("$TRUMP buyback of shares", ["forbidden-phrase"]),
        ("Burn the house down, $TRUMP", ["forbidden-phrase"]),
        ("We propose a $TRUMP burn", ["forbidden-phrase"]),
        ("Great! >>QUOTE Fan (@fan) $TRUMP burn", ["no-phrase", "no-coin"]),
        (">>RT Fan (@fan) $TRUMP burn", ["no-own-text", "no-phrase", "no-coin"]),
        ("@fan $TRUMP burn", ["reply"]),
        (">>REPLY Fan (@fan) $TRUMP burn", ["reply"]),
        ("RT @fan $TRUMP burn", ["retweet"]),
    ],
)
def test_no_buybacks(body: str, why: list[str]) -> None:
    assert reasons_of("phoenix", phoenix(body, **MEME), "trump_buyback_burn") == why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"isRetweet": True}, ["retweet"]),
        ({"isReply": True}, ["reply"]),
        ({"username": "realDonaIdTrump"}, ["author"]),
        ({"url": "https://x.com/other/status/1"}, ["author"]),
        ({"twitterId": None}, ["author-id"]),
        ({"source": "TruthSocial", "title": "$TRUMP buyback"}, ["not-a-post"]),
    ],
)
def test_whose_post(changes: dict[str, Any], why: list[str]) -> None:
    frame = phoenix("$TRUMP buyback", **TRUMP)
    assert fired("phoenix", frame) is not None
    assert reasons_of("phoenix", frame | changes, "trump_buyback_burn") == why
    own = {"isReply": True, "isSelfReply": True}
    assert fired("phoenix", frame | own) is not None
    header = {"body": ">>REPLY Somebody (@realDonaldTrump) $TRUMP buyback"}
    assert fired("phoenix", frame | own | header) is not None


@pytest.mark.parametrize("kind", ["summary-ai", "important-auto", "direct"])
def test_updates_are_no_posts(kind: str) -> None:
    assert fired("phoenix", phoenix("$TRUMP buyback", **TRUMP, type=kind)) is None


@pytest.mark.parametrize(
    "body",
    ["Proud of $TRUMP", "$trump!", "the TRUMP meme coin", "TRUMP MEMECOIN", "Trump coin it is"],
)
def test_the_token_in_a_post(body: str) -> None:
    assert fired("phoenix", phoenix(body)) == ("eric_trump_token", ["TRUMPUSDT"], "BUY")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("Trump Tower", "no-phrase"),
        ("$TRUMPS", "no-phrase"),
        ("$WLFI", "no-phrase"),
        ("TRUMP tokens", "no-phrase"),
        ("Nice >>QUOTE Fan (@fan) $TRUMP", "no-phrase"),
        ("Beware of $TRUMP", "forbidden-phrase"),
        ("$TRUMP has no affiliation", "forbidden-phrase"),
        ("distancing myself from $TRUMP", "forbidden-phrase"),
        ("$TRUMP is fake", "forbidden-phrase"),
    ],
)
def test_no_token(body: str, why: str) -> None:
    assert reasons_of("phoenix", phoenix(body), "eric_trump_token") == [why]


def test_keys_of_the_family_triggers() -> None:
    both = signal_of("phoenix", phoenix("WLFI burned, $TRUMP too", **WLFI))
    token = signal_of("phoenix", phoenix("$TRUMP"))
    assert both is not None
    assert token is not None
    assert [t.key for t in both.targets] == ["tbb:TRUMP", "tbb:WLFI"]
    assert [t.key for t in token.targets] == ["eric:TRUMP"]


# -- orders of the regulator ---------------------------------------------------------

ORDER = "Order Granting Accelerated Approval of a Proposed Rule Change to List Quill Solana Trust"


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        (ORDER, ["SOLUSDT"]),
        (f"Release 34-1\n{ORDER}\nLink: https://sec.gov/x", ["SOLUSDT"]),
        ("Order\nGranting\nApproval of the Bitcoin and Ether ETF", ["BTCUSDT", "ETHUSDT"]),
        ("The Commission has approved the Cardano fund", ["ADAUSDT"]),
        ("Securities and Exchange Commission approves ETP of XRP", ["XRPUSDT"]),
        (f"{ORDER}, Cardano, XRP", ["SOLUSDT", "ADAUSDT", "XRPUSDT"]),
    ],
)
def test_approvals(text: str, symbols: list[str]) -> None:
    assert fired("synoptic", order(text)) == ("sec_approval", symbols, "BUY")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Order Instituting Proceedings on the Solana Trust", ["no-phrase", "forbidden-phrase"]),
        ("Order. Granting approval of the Solana Trust", ["no-phrase"]),
        ("Order " + "x" * 80 + " granting approval of the Solana Trust", ["no-phrase"]),
        ("Order granting " + "x" * 40 + " approval of the Solana Trust", ["no-phrase"]),
        ("Quill approves the Solana Trust", ["no-phrase"]),
        ("Order granting approval of Solana", ["no-phrase"]),
        (f"{ORDER}, options", ["forbidden-phrase"]),
        (f"{ORDER}, in-kind", ["forbidden-phrase"]),
        (f"{ORDER}, as proposed", ["forbidden-phrase"]),
        (f"{ORDER}, proposed rule", ["forbidden-phrase"]),
        ("Order granting approval of the Quill Trust", ["no-coin"]),
        (f"{ORDER}, Cardano, XRP, Uniswap", ["too-many-coins"]),
    ],
)
def test_no_approvals(text: str, why: list[str]) -> None:
    assert reasons_of("synoptic", order(text), "sec_approval") == why


@pytest.mark.parametrize(
    "stream", ["", None, SEC_STREAM[:-1], SEC_STREAM + "0", SEC_STREAM.lower()]
)
def test_other_streams_are_not_the_regulator(stream: str | None) -> None:
    assert fired("synoptic", order(ORDER)) is not None
    answer = fired("synoptic", order(ORDER, streamId=stream))
    assert answer is None, "an id that differs in case only names another stream"


# -- registrations -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "source"),
    [
        ("Quill Solana Trust files S-1", "SEC"),
        ("Quill Solana Trust files Form S-1.", "sec edgar"),
        ("S-1: Quill Solana Trust", "PR NEWSWIRE"),
        ("S-1 of Quill Solana Trust, unlike the S-11", "Blogs"),
    ],
)
def test_registrations(title: str, source: str) -> None:
    answer = ("s1_trust", ["SOLUSDT"], "BUY")
    assert fired("toa_news", article(title, source)) == answer
    assert fired("toa_news", article("Filed today", source, body=title)) == answer


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("Quill Solana Trust files S-1/A", ["no-phrase", "forbidden-phrase"]),
        ("Quill Solana Trust files S-1 / A", ["no-phrase", "forbidden-phrase"]),
        ("Quill Solana Trust files S-11", ["no-phrase"]),
        ("Quill Solana Trust files S-1x-2", ["no-phrase"]),
        ("Quill Solana Trust files S-1-2", ["no-phrase"]),
        ("Quill Solana Fund files S-1", ["no-phrase"]),
        ("Quill Solana Trust files amended S-1", ["forbidden-phrase"]),
        ("Quill Solana Trust S-1 effective", ["forbidden-phrase"]),
        ("Trust Wallet files S-1 with Solana", ["forbidden-phrase"]),
        ("Quill Trust files S-1", ["no-coin"]),
        ("Quill Trust of Solana, XRP and Cardano files S-1", ["too-many-coins"]),
    ],
)
def test_no_registrations(title: str, why: list[str]) -> None:
    assert reasons_of("toa_news", article(title), "s1_trust") == why


def test_who_may_tell_of_a_registration() -> None:
    title = "Quill Solana Trust files S-1"
    assert reasons_of("toa_news", article(title, "Quillnews"), "s1_trust") == ["source"]
    named = {"title": "Analyst (@EricBalchunas)", "link": "https://x.com/ericbalchunas/status/1"}
    assert fired("toa_news", post(title, **named)) is not None
    assert fired("toa_news", post(title, **named, info_isReply=True)) is None
    assert fired("toa_news", post(title, **named, info_isRetweet=True)) is None
    stranger = post(title, title="Analyst (@EricBalchunas_)", link=None)
    assert reasons_of("toa_news", stranger, "s1_trust") == ["author"]
    old = {"source": "Twitter", "title": f"Analyst (@SECGov): {title}", "time": RELEASE_MS}
    assert fired("toa_news", old | {"url": "https://x.com/secgov/status/1"}) is not None
    assert fired("toa_news", old | {"url": "https://x.com/secg0v/status/1"}) is None
