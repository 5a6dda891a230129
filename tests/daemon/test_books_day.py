"""Some hours of trading whose ledger explains the wallet; the long form is ``make accounts``."""

from __future__ import annotations

from pathlib import Path

from tests.long.books_day import judge, play


def test_the_ledger_alone_explains_the_wallet_to_the_last_decimal(tmp_path: Path) -> None:
    booked = play(tmp_path / "day", 3, seed=11)
    judge(booked)
    kinds = {row.kind for row in booked.income}
    assert kinds == {"COMMISSION", "REALIZED_PNL", "FUNDING_FEE", "INSURANCE_CLEAR"}
    assert booked.counts["adl"]
    assert booked.counts["stranger"]
