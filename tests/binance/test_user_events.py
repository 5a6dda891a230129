"""Every event of docs/venue.md §6, whole, with more, with less, and broken."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.binance.userevents import (
    AccountEvent,
    AlgoEvent,
    ConfigEvent,
    KeyExpired,
    LiteEvent,
    MarginCall,
    OrderEvent,
    TriggerRejected,
    read_user_event,
)
from lowcap.core.money import decimal_from_wire

T = 1_795_300_000_000
TRADE: dict[str, Any] = {
    "s": "XRPUSDT", "c": "lcd-1-7-e", "S": "BUY", "o": "LIMIT", "f": "IOC", "q": "10",
    "p": "1.93", "ap": "1.9", "sp": "0", "x": "TRADE", "X": "FILLED", "i": 8389766010000000001,
    "l": "10", "z": "10", "L": "1.9", "n": "0.0095", "N": "USDT", "T": T, "t": 77, "b": "0",
    "a": "0", "m": False, "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH",
    "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE",
    "gtd": 0, "er": "0",
}  # fmt: skip
ALGO: dict[str, Any] = {
    "caid": "lcd-1-8-s", "aid": 2000000100000001, "at": "CONDITIONAL", "o": "STOP_MARKET",
    "s": "XRPUSDT", "S": "SELL", "ps": "BOTH", "f": "GTE_GTC", "q": "0", "X": "NEW", "ai": "",
    "tp": "1.862", "p": "0", "V": "EXPIRE_MAKER", "wt": "MARK_PRICE", "pm": "NONE", "cp": True,
    "pP": False, "R": True, "tt": 0, "gtd": 0,
}  # fmt: skip
ACCOUNT: dict[str, Any] = {
    "m": "ORDER",
    "B": [{"a": "USDT", "wb": "999.5", "cw": "999.5", "bc": "0"}, {"a": "BNB", "wb": "1"}],
    "P": [
        {"s": "XRPUSDT", "pa": "10", "ep": "1.9", "bep": "1.9", "cr": "0", "up": "0",
         "mt": "isolated", "iw": "1", "ps": "BOTH", "ma": "USDT"},
        {"s": "ETHUSDT", "pa": "-2.5", "ep": "2400.1", "ps": "BOTH"},
        {"s": "BTCUSDT", "pa": "9", "ep": "1", "ps": "LONG"},
    ],
}  # fmt: skip


def read(event: object) -> Any:
    return read_user_event(msgspec.json.encode(event))


def order(**changes: Any) -> Any:
    return read({"e": "ORDER_TRADE_UPDATE", "E": T, "T": T, "o": without(TRADE, changes)})


def algo(**changes: Any) -> Any:
    return read({"e": "ALGO_UPDATE", "E": T, "T": T, "o": without(ALGO, changes)})


def account(**changes: Any) -> Any:
    return read({"e": "ACCOUNT_UPDATE", "E": T, "T": T, "a": without(ACCOUNT, changes)})


GONE = object()


def without(body: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``body`` with changes; what is GONE is left out."""
    return {key: value for key, value in (body | changes).items() if value is not GONE}


def test_order_events() -> None:
    event = order()
    assert isinstance(event, OrderEvent)
    assert (event.body.c, event.body.t, event.body.l, event.at_ms) == ("lcd-1-7-e", 77, "10", T)
    assert order(extra={"deep": [1, None]}, M=5).body == event.body


@pytest.mark.parametrize("execution", ["NEW", "CANCELED", "CALCULATED", "EXPIRED", "AMENDMENT"])
def test_order_events_that_are_no_trade_need_no_figures(execution: str) -> None:
    event = order(
        **dict.fromkeys(["n", "N", "l", "L", "rp", "t", "er", "z", "i", "T"], GONE), x=execution
    )
    assert isinstance(event, OrderEvent)
    assert (event.body.n, event.body.z, event.body.er) == (None, "0", "0")


@pytest.mark.parametrize("status", ["NEW_INSURANCE", "NEW_ADL", "SOMETHING_ELSE", ""])
def test_an_unknown_order_status_is_passed_on_as_it_is(status: str) -> None:
    told = order(X=status).body.X
    assert told == status


@pytest.mark.parametrize(
    "changes",
    [
        *({name: odd} for name in ("l", "L", "z", "n", "rp")
          for odd in ("NaN", "1e5", " ", "0E-8", "x", "²", 5)),
        {"l": "0"}, {"l": "-10"}, {"L": "0"}, {"L": "-1.9"}, {"z": "-1"},
        {"l": GONE}, {"L": GONE},
        {"S": "LONG"}, {"S": ""}, {"S": "buy"}, {"S": None}, {"S": GONE},
        {"c": GONE}, {"s": GONE}, {"X": GONE}, {"X": None}, {"t": "77"}, {"i": "x"}, {"T": []},
    ],
)  # fmt: skip
def test_a_trade_that_cannot_be_read_is_named_and_harmless(changes: dict[str, Any]) -> None:
    event = order(**changes)
    assert isinstance(event, str)
    assert event.startswith("unreadable")


def test_a_trade_without_fee_or_result_counts_as_none() -> None:
    event = order(n=GONE, N=GONE, rp=GONE)
    assert isinstance(event, OrderEvent)
    assert order(n=None).body.n is None


def test_algo_events() -> None:
    event = algo(X="FINISHED", ai="8389766010000000002", aq="10", ap="1.86", act="MARKET")
    assert isinstance(event, AlgoEvent)
    assert (event.body.caid, event.body.X, event.at_ms) == ("lcd-1-8-s", "FINISHED", T)
    bare = read({"e": "ALGO_UPDATE", "o": {k: ALGO[k] for k in ("caid", "aid", "s", "X")}})
    assert isinstance(bare, AlgoEvent)
    assert (bare.body.ai, bare.body.rm, bare.at_ms) == (None, None, 0)
    assert event.child_id == 8389766010000000002
    assert algo(aq="x").startswith("unreadable")
    assert isinstance(algo(ia=True, X="WHATEVER"), AlgoEvent)
    assert algo(caid=GONE).startswith("unreadable")
    assert isinstance(algo(rm=None), AlgoEvent)
    assert isinstance(algo(ai=None), AlgoEvent)


def test_account_events() -> None:
    event = account()
    assert isinstance(event, AccountEvent)
    assert event.wallet_usdt == decimal_from_wire("999.5")
    assert [(s, str(q), str(p)) for s, q, p in event.positions] == [
        ("XRPUSDT", "10", "1.9"),
        ("ETHUSDT", "-2.5", "2400.1"),
    ]
    assert account(P=[{"s": "X", "pa": "1", "mt": "cross"}]).crossed == ("X",)
    assert account(B=GONE, P=GONE, m=GONE) == AccountEvent((), None, T)
    assert account(P=[{"s": "X", "pa": "1"}]).positions == (("X", 1, 0),)
    assert account(B=[{"a": "USDT", "wb": "x"}]).startswith("unreadable")
    assert account(P=[{"s": "X", "pa": "NaN"}]).startswith("unreadable")
    assert account(P=[{"s": "X"}]).startswith("unreadable")


LITE = {"e": "TRADE_LITE", "E": T, "T": T, "s": "XRPUSDT", "q": "10", "p": "0", "m": False,
        "c": "lcd-1-7-e", "S": "BUY", "L": "1.90", "l": "10", "t": 77, "i": 5}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "read_as"),
    [
        (LITE, LiteEvent("XRPUSDT", "lcd-1-7-e", 77)),
        (
            {"e": "MARGIN_CALL", "E": T, "cw": "1", "p": [{"s": "X", "mt": "CROSSED"}, {"s": "Y"}]},
            MarginCall(("X", "Y")),
        ),
        ({"e": "MARGIN_CALL", "E": T}, MarginCall(())),
        (
            {"e": "ACCOUNT_CONFIG_UPDATE", "E": T, "T": T, "ac": {"s": "X", "l": 5}},
            ConfigEvent("X", 5),
        ),
        ({"e": "ACCOUNT_CONFIG_UPDATE", "ai": {"j": True}}, ConfigEvent(multi_assets=True)),
        ({"e": "listenKeyExpired", "E": str(T), "listenKey": "k"}, KeyExpired("k")),
        (
            {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "E": T, "or": {"s": "X", "i": 9, "r": "no"}},
            TriggerRejected("X", 9, "no"),
        ),
    ],
)
def test_the_rarer_events(event: object, read_as: object) -> None:
    assert read(event) == read_as


@pytest.mark.parametrize(
    "event",
    [
        {"e": "TRADE_LITE", "s": "X", "t": 1},
        {"e": "TRADE_LITE", "s": "X", "c": "a", "t": "1"},
        {"e": "MARGIN_CALL", "p": {"s": "X"}},
        {"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": "X", "l": "5"}},
        {"e": "ACCOUNT_CONFIG_UPDATE", "ai": {}},
        {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "or": {"s": "X"}},
        {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT"},
    ],
)
def test_rarer_events_that_cannot_be_read(event: object) -> None:
    assert read(event).startswith("unreadable")


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ({"e": "STRATEGY_UPDATE", "su": {}}, "STRATEGY_UPDATE"),
        ({"e": "BRAND_NEW", "o": 5, "T": T}, "BRAND_NEW"),
        ({"e": "ACCOUNT_UPDATE", "T": T}, "ACCOUNT_UPDATE"),
        ({"result": None, "id": 1}, "unnamed"),
        ({}, "unnamed"),
    ],
)  # fmt: skip
def test_other_events_are_noted_by_name(event: object, name: str) -> None:
    assert read(event) == name


@pytest.mark.parametrize(
    "frame",
    [b"", b"x", b"[]", b"5", b"null", b'{"e":5}', b'{"e":"ORDER_TRADE_UPDATE"}',
     b'{"e":"ALGO_UPDATE","o":null}', b'{"e":"ORDER_TRADE_UPDATE","o":"x"}', b'{"e":"\xff"}',
     b'{"e":"ORDER_TRADE_UPDATE","o":{"c":"\xff"}}', b'{"z":' + b"[" * 100_000,
     b'{"e":"ACCOUNT_UPDATE","a":{"P":' + b"[" * 100_000, b'{"e":"x","E":1.5}'],
)  # fmt: skip
def test_frames_that_are_no_events_are_named_and_harmless(frame: bytes) -> None:
    event = read_user_event(frame)
    assert isinstance(event, str)
    assert event.startswith("unreadable")
    assert len(event) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(
    st.sampled_from(
        [
            *("ORDER_TRADE_UPDATE", "ALGO_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE", "MARGIN_CALL"),
            *("ACCOUNT_CONFIG_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT", "listenKeyExpired"),
        ]
    ),
    st.sampled_from([TRADE, ALGO, ACCOUNT]),
    st.dictionaries(st.sampled_from(sorted(TRADE | ALGO | ACCOUNT)), JSON, max_size=4),
)
def test_no_body_raises(kind: str, body: dict[str, Any], odd: dict[str, Any]) -> None:
    inner: Any = body | odd
    parts = dict.fromkeys(("o", "a", "p", "ac", "ai", "or"), inner)
    assert read({"e": kind, "E": T, "T": T} | parts) is not None
    assert read(inner | {"e": kind}) is not None
