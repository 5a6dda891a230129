"""Every labelled frame, and every real one, judged alone: trigger, symbols, side, reasons."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from typing import Any

from detection_kit import corpus_file, settings

from lowcap.detection.coins import CoinTable, universe_of
from lowcap.programs.detect import Decision, Judge

MARK = re.compile(r"\[\d+ (?:minute|hour|day)s? ago\]")


@cache
def _universe() -> CoinTable:
    return universe_of(json.loads(corpus_file("universe.json").read_text(encoding="utf-8")))


def _lines(name: str) -> list[bytes]:
    return [line for line in corpus_file(name).read_bytes().splitlines() if line.strip()]


def _shown(decision: Decision) -> tuple[str | None, list[str], str | None]:
    return decision.trigger, list(decision.symbols), decision.side


def test_labelled_frames() -> None:
    judge, wrong = Judge(settings(), _universe(), stateless=True), []
    lines = _lines("labelled-frames.jsonl")
    for line in lines:
        row = json.loads(line)
        expected = row["expect"]
        decision = judge.line(line)
        if _shown(decision) != (expected["trigger"], expected["symbols"], expected["side"]):
            wrong.append(f"{row['why']}: expected {expected}, got {decision}")
        assert decision.trigger is not None or decision.failed, row["why"]
    assert not wrong, "\n".join(wrong)
    assert len(lines) == 223


def test_the_command_says_the_same_line_by_line() -> None:
    path, universe = corpus_file("labelled-frames.jsonl"), corpus_file("universe.json")
    words = ["detect", "--stateless", "--universe", str(universe), str(path)]
    done = subprocess.run(
        [sys.executable, "-m", "lowcap", *words], capture_output=True, text=True, check=True
    )
    judge = Judge(settings(), _universe(), stateless=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [judge.line(line) for line in _lines("labelled-frames.jsonl")]
    assert len(rows) == len(expected)
    for row, decision in zip(rows, expected, strict=True):
        assert set(row) == {"trigger", "symbols", "side", "failed"}
        assert (row["trigger"], row["symbols"], row["side"]) == _shown(decision)


def test_real_frames_never_trade_and_say_why() -> None:
    judge = Judge(settings(), _universe(), stateless=True)
    lines = _lines("real-tree-2023-03.jsonl")
    for line in lines:
        decision = judge.line(line)
        assert decision.trigger is None, line
        assert decision.failed
        assert all(row["reason"] for row in decision.failed)
        marked = MARK.search(json.loads(line)["frame"].get("title", "")) is not None
        assert any(row["reason"] == "stale" for row in decision.failed) is marked
    assert len(lines) == 61


def test_universe_is_reached_by_ticker() -> None:
    universe: dict[str, Any] = json.loads(corpus_file("universe.json").read_text(encoding="utf-8"))
    bases = {
        row["symbol"].removesuffix("USDT"): row["symbol"] for row in universe["coins"].values()
    }
    table = CoinTable(bases)
    wrong = {
        ticker: table.symbol(ticker)
        for ticker, row in universe["coins"].items()
        if table.symbol(ticker) != row["symbol"]
    }
    assert not wrong


def test_the_curated_names_are_those_of_the_universe() -> None:
    universe: dict[str, Any] = json.loads(corpus_file("universe.json").read_text(encoding="utf-8"))
    given = _universe()
    ours = CoinTable(
        {row["symbol"].removesuffix("USDT"): row["symbol"] for row in universe["coins"].values()}
    )
    for ticker, row in universe["coins"].items():
        for text in (
            f"We like {ticker} a lot", f"So ({ticker}) it is",
            *(f"We like {name} a lot" for name in row["aliases"]),
        ):  # fmt: skip
            assert ours.named(text) == given.named(text), text
