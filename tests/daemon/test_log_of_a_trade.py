"""The log of a whole daemon: one trace from frame to fill, and a level that changes on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from loguru import logger

from lowcap.observe.ledgerlog import LedgerLog
from lowcap.observe.logs import LogRing, is_wanted, set_level
from lowcap.reload import take
from lowcap.settings import Log
from tests.daemon.stage import Stage, in_virtual_time, parts_of, records, until
from tests.daemon.stories import bwe_filing

HBAR = ("HBAR", "Hedera")
Json = dict[str, Any]


@pytest.fixture
def ring() -> Iterator[LogRing]:
    made = LogRing("dry")
    logger.remove()
    set_level("debug")
    logger.add(made.sink, level=0, format="{message}")
    yield made
    logger.remove()
    set_level("trace")


def test_every_record_of_a_trade_carries_its_trace(tmp_path: Path, ring: LogRing) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            stage.feeds.send("bwe", bwe_filing(stage.now_ms(), HBAR, 1))
            await until(lambda: len(parts_of(commands).desk.book.open_positions()) == 1)

    in_virtual_time(main, tmp_path)
    rows = [row for row in ring.rows() if row["trace"] is not None and row["feed"] == "bwe"]
    traces = {row["trace"] for row in rows}
    assert len(traces) == 1
    kinds = {row["kind"] for row in rows}
    assert kinds >= {
        "news.signal", "signal.raised", "order.entry", "order.sent", "order.filled", "order.stop",
        "order.take-profit",
    }  # fmt: skip
    assert {row["trigger"] for row in rows if row["kind"] != "news.signal"} == {"etf_filing"}
    assert {row["symbol"] for row in rows if row["kind"].startswith("order.")} == {"HBARUSDT"}
    sent = [row["fields"] for row in rows if row["kind"] == "order.sent"]
    assert int(sent[0]["LOWCAP_LAT_PARSE_NS"]) > 0
    # Another daemon that reads the same ledger tells the same.
    again = LedgerLog()
    for record in records(tmp_path):
        again.read(record)
    told = [r for r in ring.rows() if r["kind"] == "order.stop" and r["trace"] in traces]
    assert told[0]["fields"]["LOWCAP_SEQ"] == told[-1]["fields"]["LOWCAP_SEQ"]


def test_the_level_takes_effect_without_a_restart(tmp_path: Path, ring: LogRing) -> None:
    async def main(stage: Stage) -> None:
        async with stage.daemon() as commands:
            parts = parts_of(commands)
            quiet = attrs.evolve(parts.desk.settings, log=Log(level="error"))
            done = take(parts, quiet, "x", "test")
            assert (done.changed, done.needs_restart) == (("log",), ())
            assert not is_wanted("warning")

    in_virtual_time(main, tmp_path)
    assert ring.rows()[-1]["kind"] != "daemon.ended"
