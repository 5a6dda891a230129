"""Some of the seeds of ``make panic-race``, and what would make it worthless."""

from __future__ import annotations

from collections import Counter

import pytest

from lowcap.execution.flatten import FlatProof
from tests.long.panic_race import play

# In most of these an entry is on its way when the panic comes.
SEEDS = range(30)
# An entry that arrives after two quiet reads: without the time rule it would stay.
LATE_ARRIVAL = 53


def test_flat_at_the_end_and_no_entry_after_the_hold() -> None:
    total: Counter[str] = Counter()
    for seed in SEEDS:
        total += play(seed)
    assert total["in flight"] >= 10
    assert total["refused after it"] >= 10


def test_the_race_would_see_a_flat_that_is_believed_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = FlatProof.__init__
    monkeypatch.setattr(FlatProof, "__init__", lambda self, dies_ms, **more: usual(self, 0, **more))
    with pytest.raises(AssertionError, match="later: holds"):
        play(LATE_ARRIVAL)
