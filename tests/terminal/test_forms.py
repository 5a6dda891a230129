"""--format and CSV: what a program or a shell takes from a row, and what it can never reach."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.errors import CommandError
from lowcap.core.plain import plain
from lowcap.terminal.forms import Template, columns_of, csv_lines, flat

ROW = flat(
    {
        "symbol": "BTCUSDT", "pnl": "-12.346", "legs": [1, 2], "count": 3, "armed": True,
        "day": {"result_usd": "5", "deep": {"er": None}},
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("{symbol} {pnl}", "BTCUSDT -12.346"),
        ("{pnl:>10.2f}|{count:03d}|{symbol:>9}", "    -12.35|003|  BTCUSDT"),
        ("{day.result_usd}{day.deep.er}", "5"),
        ("{armed} {legs}", "yes [1, 2]"),
        ("{day.deep.er:>3}|{day.deep.er:.2f}|", "   ||"),
        ("{{}} {symbol!r}", "{} 'BTCUSDT'"),
        ("a\\tb {symbol}", "a\tb BTCUSDT"),
        ("no field", "no field"),
        ("{symbol:{count}}", "BTCUSDT"),
    ],
)
def test_a_template_fills_in_keys(template: str, line: str) -> None:
    assert Template(template).lines(ROW) == [line]


def test_a_template_may_hold_several_lines() -> None:
    assert Template("{symbol}\\n{count}").lines(ROW) == ["BTCUSDT", "3"]


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{price}", "no key 'price'"),
        ("{symbol.__class__}", "no key 'symbol.__class__'"),
        ("{legs[0]}", "no key 'legs[0]'"),
        ("{day}", "no key 'day'"),
        ("{0}", "no key '0'"),
        ("{}", "no name"),
        ("{symbol", "expected '}'"),
        ("{symbol:.2f}", "'BTCUSDT' is no number for '.2f'"),
        ("{pnl:1000000000}", "width"),
        ("{symbol!x}", "conversion"),
    ],
)
def test_a_mistake_is_named(template: str, told: str) -> None:
    with pytest.raises(CommandError) as caught:
        Template(template).lines(ROW)
    assert told in caught.value.message
    assert caught.value.code == "usage"
    assert caught.value.hint


def test_a_missing_key_gets_those_that_are_there() -> None:
    with pytest.raises(CommandError) as caught:
        Template("{x}").lines(ROW)
    for key in ROW:
        assert key in caught.value.hint


Plain = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
Rows = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda key: not set(key) & set("{}!:.[]")),
    Plain | st.lists(Plain, max_size=3) | st.dictionaries(st.sampled_from("ab"), Plain),
    min_size=1,
    max_size=5,
)


@given(Rows)
def test_no_row_can_break_a_line(row: dict[str, Any]) -> None:
    values = flat(row)
    for line in Template(" ".join(f"{{{key}}}" for key in values)).lines(values):
        assert plain(line, 10**6) == line


@given(st.text(max_size=40))
def test_any_template_is_filled_in_or_refused(text: str) -> None:
    with suppress(CommandError):
        for line in Template(text).lines(ROW):
            assert plain(line.replace("\t", " "), 10**6) == line.replace("\t", " ")


@given(st.lists(Rows, min_size=1, max_size=4))
def test_every_row_of_csv_has_every_column(rows: list[dict[str, Any]]) -> None:
    values = [flat(row) for row in rows]
    columns = columns_of(values)
    lines = csv_lines(values, columns, header=True)
    assert len(lines) == len(rows) + 1
    read = list(csv.reader(line + "\n" for line in lines))
    assert {len(row) for row in read} == {len(columns)}
    assert csv_lines(values, columns, header=False) == lines[1:]


def test_flat_rows_lose_nothing() -> None:
    assert ROW["day.deep.er"] is None
    assert json.loads(ROW["legs"]) == [1, 2]
    assert flat("word") == {"value": "word"}
