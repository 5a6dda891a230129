"""Every labelled frame of the feeds that we hear, judged alone: trigger, symbols, side."""

from __future__ import annotations

import json
from typing import Any

from detection_kit import BASES, corpus_file, judge_frame, settings

from lowcap.config import shipped
from lowcap.core.messages import NotNews, Verdict
from lowcap.detection.coins import CoinTable
from lowcap.detection.rules import FAULT, Detector

FEEDS = ("tokyo", "synoptic")


def _detector() -> Detector:
    universe = json.loads(corpus_file("universe.json").read_text(encoding="utf-8"))
    bases = {
        row["symbol"].removesuffix("USDT"): row["symbol"] for row in universe["coins"].values()
    }
    return Detector(settings().trigger, settings().hedge, CoinTable(bases))


def _rows(name: str) -> list[dict[str, Any]]:
    lines = corpus_file(name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def test_labelled_frames() -> None:
    detector, wrong, judged = _detector(), [], 0
    known = {trigger.id for trigger in settings().trigger}
    for row in _rows("labelled-frames.jsonl"):
        expected = row["expect"]
        if row["feed"] not in FEEDS or expected["trigger"] not in known | {None}:
            continue
        judged += 1
        answer = judge_frame(row["feed"], row["frame"], by=detector)
        signal = answer.signal if isinstance(answer, Verdict) else None
        got = (None, [], None)
        if signal is not None:
            symbols = sorted(target.symbol for target in signal.targets)
            got = (signal.trigger, symbols, str(signal.side))  # type: ignore[assignment]
        if got != (expected["trigger"], expected["symbols"], expected["side"]):
            wrong.append(f"{row['why']}: expected {expected}, got {got} of {answer}")
    assert not wrong, "\n".join(wrong)
    assert judged > 80


def test_universe_is_reached_by_ticker() -> None:
    universe = json.loads(corpus_file("universe.json").read_text(encoding="utf-8"))
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
    assert all(
        table.symbol(ticker) is None for ticker in universe["stablecoins"] + universe["wrapped"]
    )


def test_real_frames_never_trade_and_never_fault() -> None:
    for row in _rows("real-tree-2023-03.jsonl"):
        for feed in ("tokyo", "toa_news"):
            answer = judge_frame(feed, row["frame"], by=_detector())
            if isinstance(answer, NotNews):
                assert not answer.fault, (answer, row)
                continue
            assert answer.signal is None, (answer, row)
            assert not any(miss.reason == FAULT for miss in answer.misses)


def test_shipped_captures_judge_as_they_say() -> None:
    lines = (shipped("captures") / "payroll-morning.jsonl").read_text(encoding="utf-8").splitlines()
    detector = Detector(
        settings().trigger,
        settings().hedge,
        CoinTable({base: f"{base}USDT" for base in BASES}),
    )
    fired: list[str] = []
    for line in lines:
        row = json.loads(line)
        if "feed" not in row:
            continue
        answer = judge_frame(row["feed"], row["frame"], by=detector)
        if isinstance(answer, Verdict) and answer.signal is not None:
            fired.append(answer.signal.trigger)
    assert "upbit_listing" in fired
    assert "elon_btc" in fired
    assert any(name.startswith("nfp_") for name in fired)
