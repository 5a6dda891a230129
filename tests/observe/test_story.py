"""Every fact can be told, in one harmless line."""

from __future__ import annotations

import typing
import unicodedata
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowcap.core import facts
from lowcap.core.facts import FACT_KINDS, Fact, Record
from lowcap.core.messages import Changed, Miss, Purpose, TradingState
from lowcap.core.money import Side
from lowcap.core.plain import TEXT_LENGTH_MAX
from lowcap.observe.story import leg_name, tell
from lowcap.rows import event_of

HOSTILE = "\x1b[31mred\x07\r\n\x9b2Jgone \u202egnp.exe\u2066 \u200b\ue000 한국 \x7f"
HOSTILE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.one_of(st.just(HOSTILE), st.text(max_size=600), st.just("lcd-1-7-t2")),
    int: st.integers(-(10**12), 10**15),
    float: st.floats(0, 1e9),
    bool: st.booleans(),
    Decimal: st.decimals(-(10**9), 10**9, allow_nan=False, places=6),
    Side: st.sampled_from(Side),
    Purpose: st.sampled_from(Purpose),
    TradingState: st.sampled_from(TradingState),
    Miss: st.builds(Miss, trigger=st.text(), reason=st.text(), detail=st.text()),
    Changed: st.builds(Changed, key=st.text(), old=st.text(), new=st.text()),
    msgspec.Raw: st.just(msgspec.Raw(b"{}")),
}


def _strategy(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _OF_TYPE:
        return _OF_TYPE[kind]
    arguments = getattr(kind, "__args__", ())
    origin = getattr(kind, "__origin__", None)
    if origin is tuple:
        return st.lists(_strategy(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(_strategy(arguments[0]), _strategy(arguments[1]), max_size=3)
    return st.one_of(*(_strategy(a) if a is not type(None) else st.none() for a in arguments))


def _any_fact(kind: type[Fact]) -> st.SearchStrategy[Fact]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: _strategy(hint) for name, hint in hints.items()})


@pytest.mark.parametrize("kind", FACT_KINDS.values(), ids=FACT_KINDS.keys())
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_fact_is_told_in_one_harmless_line(kind: type[Fact], data: st.DataObject) -> None:
    body = data.draw(_any_fact(kind))
    record = Record(seq=7, ts=1_770_384_590 * 10**9, run=1, kind=kind.__name__, cause=3, body=body)
    told = tell(record)
    if told is not None:
        level, area, text = told
        assert level in ("debug", "info", "warning", "error")
        assert area
        assert text
        assert not {unicodedata.category(c) for c in text} & HOSTILE_CATEGORIES
        assert len(text) <= TEXT_LENGTH_MAX
    event = event_of(record)
    assert event["seq"] == 7
    assert event["text"] == (told[2] if told else "")
    msgspec.json.encode(event)


def test_the_sentences_an_operator_lives_by() -> None:
    def text_of(body: Fact) -> str:
        told = tell(Record(seq=1, ts=0, run=1, kind=type(body).__name__, cause=0, body=body))
        assert told is not None
        return told[2]

    fill = facts.Filled(
        client_id="lcd-1-7-t2",
        symbol="BTCUSDT",
        side=Side.SELL,
        trade_id=1,
        qty=Decimal("0.5"),
        price=Decimal(68_000),
        realized=Decimal("12.345"),
    )
    assert text_of(fill) == (
        "FILL take-profit 2 lcd-1-7-t2 SELL 0.5 BTCUSDT at 68000, realised +12.35"
    ) or text_of(fill).endswith("realised +12.34")
    assert text_of(facts.AlarmRaised(code="x", text="look")) == "ALARM x: look"
    closed = facts.PositionClosed(symbol="B", realized=Decimal(10), fees=Decimal("0.5"))
    assert text_of(closed) == "CLOSED B: +9.50 USDT after fees"
    unknown = facts.OutcomeUnknown(client_id="c", why="no reply")
    assert text_of(unknown) == "UNKNOWN outcome of c: no reply"


def test_small_words() -> None:
    assert leg_name("lcd-1-7-e") == "entry lcd-1-7-e"
    assert leg_name("somebody's") == "somebody's"
