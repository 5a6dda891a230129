"""What operators see of money: plots that fit, CSV that any program reads, figures to the cent."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from money_kit import equity_value, pnl_value, sums, trade_value
from terminal_kit import CTL, FakeDaemon, environment

from lowcap.terminal.money import PLOT_ROWS, TRADE_KEYS, csv_text, plot
from lowcap.terminal.render import render
from lowcap.terminal.table import Style

COLOURLESS, COLOURED = Style(False), Style(True)
D = Decimal
EVIL = '=1+1,"x"\r\nFORGED\x1b[2J\u202e'


def bars(lines: list[str]) -> list[int]:
    """The height of each column of a plot, in eighths of a row."""
    label = re.match(r" *[-0-9,.]+ ", lines[0])
    margin = label.end() if label else 1
    wide = max(map(len, lines))
    rows = [line.ljust(wide)[margin:] for line in lines]
    eighths = " ▁▂▃▄▅▆▇█"
    return [sum(eighths.index(row[n]) for row in rows) for n in range(wide - margin)]


def test_a_plot_rises_and_falls_with_its_values() -> None:
    rising = bars(plot([(n, D(n)) for n in range(100)], 60))
    assert rising == sorted(rising)
    # The highest value fills its column; the time before the second reading shows the least.
    assert (rising[0], rising[-1]) == (1, PLOT_ROWS * 8)
    stepped = bars(plot([(0, D(1)), (50, D(9)), (100, D(1))], 40))
    assert stepped.count(1) + stepped.count(PLOT_ROWS * 8) == len(stepped)
    assert stepped[len(stepped) * 3 // 4] == PLOT_ROWS * 8


@given(
    st.lists(
        st.tuples(st.integers(0, 10**12), st.decimals(-(10**9), 10**9, places=8)), max_size=50
    ),
    st.integers(8, 200),
)
def test_a_plot_of_anything_fits(points: list[tuple[int, Decimal]], columns: int) -> None:
    lines = plot(sorted(points), columns)
    assert len(lines) == (PLOT_ROWS if points else 0)
    assert all(len(line) <= columns for line in lines)


def test_the_plot_is_never_wider_than_eighty_columns() -> None:
    assert max(map(len, render("equity", equity_value(), COLOURLESS, 200)[2:])) <= 80


def test_csv_has_one_header_and_holds_any_text() -> None:
    text = csv_text([trade_value(EVIL), trade_value("plain")], TRADE_KEYS)
    header, first, second = csv.reader(io.StringIO(text, newline=""))
    assert header == list(TRADE_KEYS)
    row = dict(zip(header, first, strict=True))
    assert (row["symbol"], row["exit_price"], row["result_usd"]) == (
        *("1000PEPEUSDT", ""),
        "-1234567.89",
    )
    assert not any(character in row["trigger"] for character in "\r\n\x1b\u202e")
    assert second[header.index("trigger")] == "plain"
    assert text.endswith("\r\n")
    assert text.count("\r\n") == text.count("\n") == 3


@pytest.mark.parametrize("words", [("export",), ("export", "--csv"), ("list", "--csv"), ("--csv",)])
def test_trades_reach_a_pipe_as_csv(tmp_path: Path, words: tuple[str, ...]) -> None:
    fake = FakeDaemon(tmp_path / "c.sock")
    try:
        fake.answers["trades"] = {"value": [trade_value(EVIL)] * 3}
        done = subprocess.run(
            [*CTL, "--socket", str(tmp_path / "c.sock"), "trades", *words],
            capture_output=True, timeout=30, check=True, env=environment(tmp_path),
        )  # fmt: skip
    finally:
        fake.close()
    assert done.stdout.decode() == csv_text([trade_value(EVIL)] * 3, TRADE_KEYS)


def test_an_unexplained_wallet_is_named_without_colour() -> None:
    value = pnl_value()
    assert "-0.00000001 USDT not explained" in "\n".join(render("pnl", value, COLOURLESS, 120))
    value["wallet"]["unexplained_usd"] = "0"
    assert "all of it explained" in "\n".join(render("pnl", value, COLOURLESS, 80))
    assert "\x1b" not in "".join(render("pnl", value, COLOURLESS, 80))
    assert "\x1b[31m" in "".join(render("pnl", value, COLOURED, 80))


def test_a_quiet_day_is_told_too() -> None:
    quiet: dict[str, Any] = {
        key: (None if key in ("slippage_bps", "won_pct") else 0 if isinstance(value, int) else "0")
        for key, value in sums().items()
    }
    value = pnl_value() | {
        "first_day": "2026-02-06", "total": quiet, "rows": [], "open": [], "other_assets": {},
    }  # fmt: skip
    value["wallet"] |= {"since": None, "unexplained_usd": None}
    text = "\n".join(render("pnl", value, COLOURLESS, 80))
    assert "result +0.00 USDT" in text
    assert "nothing was traded" in text
    assert "the wallet has not been read yet" in text
