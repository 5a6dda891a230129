"""The ledger: what was appended comes back, torn ends are cut, corruption is named."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lowcap.core.clock import LoopClock
from lowcap.core.errors import LedgerError
from lowcap.core.facts import Checkpoint, Filled, HoldPlaced, NewsSeen, Record, RunEnded, RunStarted
from lowcap.core.messages import TradingState
from lowcap.core.money import Side
from lowcap.ledger.record import decode_line, encode_line
from lowcap.ledger.replay import replay
from lowcap.ledger.writer import Ledger, StateLock

EPOCH_NS = 1_770_384_590 * 10**9
EVENING_NS = 1_770_422_340 * 10**9  # 2026-02-06 23:59:00 UTC
STARTED = RunStarted(version="1", mode="dry", config_hash="abc")
FILL = Filled(
    client_id="lcd-1-4-e",
    symbol="ETHUSDT",
    side=Side.SELL,
    trade_id=7,
    qty=Decimal("1.250"),
    price=Decimal("2000.10"),
)


def _read(folder: Path) -> tuple[list[Record], object]:
    records: list[Record] = []
    return records, replay(folder, records.append)


def _write(folder: Path, *facts: object) -> Ledger:
    _, found = _read(folder)
    ledger = Ledger(folder, LoopClock(EPOCH_NS), found)  # type: ignore[arg-type]
    for fact in facts:
        ledger.append(fact)  # type: ignore[arg-type]
    ledger.flush()
    return ledger


async def test_round_trip_over_two_runs(tmp_path: Path) -> None:
    first = _write(tmp_path, STARTED, FILL, RunEnded(reason="stop"))
    first.close()
    second = _write(tmp_path, STARTED)
    assert second.run == 2
    second.close()
    records, found = _read(tmp_path)
    assert [r.seq for r in records] == [1, 2, 3, 4]
    assert records[1].body == FILL
    assert found.ended_in_order is False
    assert found.last_run == 2


async def test_nothing_reaches_the_file_before_flush_and_all_after(tmp_path: Path) -> None:
    ledger = _write(tmp_path)
    ledger.append(STARTED)
    assert next(tmp_path.glob("*.log")).stat().st_size == 0
    ledger.flush()
    assert len(_read(tmp_path)[0]) == 1


@pytest.mark.parametrize("keep", [1, 9, 20, -1])
async def test_torn_last_line_is_cut_and_reported(tmp_path: Path, keep: int) -> None:
    _write(tmp_path, STARTED, FILL).close()
    path = next(tmp_path.glob("*.log"))
    whole = path.read_bytes()
    torn = encode_line(
        Record(seq=3, ts=1, run=1, kind="RunEnded", cause=0, body=RunEnded(reason="x"))
    )
    path.write_bytes(whole + torn[:keep])
    records, found = _read(tmp_path)
    assert [r.seq for r in records] == [1, 2]
    assert found.torn_bytes == len(torn[:keep])
    assert not found.corrupt
    assert path.read_bytes() == whole


async def test_corruption_before_good_records_is_named(tmp_path: Path) -> None:
    _write(tmp_path, STARTED, FILL, FILL).close()
    path = next(tmp_path.glob("*.log"))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"2000.10", b"2000.11")
    path.write_bytes(b"".join(lines))
    records, found = _read(tmp_path)
    assert [r.seq for r in records] == [1]
    assert "checksum" in found.corrupt


async def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    kept = StateLock(tmp_path)
    with pytest.raises(LedgerError, match="another daemon"):
        StateLock(tmp_path)
    kept.close()
    StateLock(tmp_path).close()


async def test_full_disk_is_an_error_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = _write(tmp_path, STARTED)
    real = os.write

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    ledger.append(FILL)
    with pytest.raises(LedgerError, match="No space left"):
        ledger.flush()
    assert ledger.broken
    monkeypatch.setattr(os, "write", real)
    ledger.flush()
    assert not ledger.broken
    assert [r.kind for r in _read(tmp_path)[0]] == ["RunStarted", "Filled"]


def test_a_new_day_starts_with_a_checkpoint_and_replay_starts_there(tmp_path: Path) -> None:
    async def main() -> None:
        clock = LoopClock(EVENING_NS)
        ledger = Ledger(tmp_path, clock, replay(tmp_path, lambda r: None))
        ledger.append(STARTED)

        def state() -> Checkpoint:
            return Checkpoint(book=Raw(b'{"a":1}'), keys=Raw(b"{}"))

        async with trio.open_nursery() as nursery:

            async def sync() -> None:
                await ledger.keep_synced(state, lambda why: None, in_thread=False)

            nursery.start_soon(sync)
            await trio.sleep(120)
            ledger.append(FILL)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        ledger.close()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    records, found = _read(tmp_path)
    assert [r.kind for r in records] == ["Checkpoint", "Filled"]
    assert records[0].seq == 2
    assert found.last_seq == 3
    assert len(list(tmp_path.glob("*.log"))) == 2


@given(
    st.text(max_size=300),
    st.decimals(allow_nan=False, allow_infinity=False, places=8),
    st.sampled_from(TradingState),
)
def test_any_text_and_amount_survive_a_line(
    text: str, amount: Decimal, state: TradingState
) -> None:
    bodies = (
        NewsSeen(feed="f", source_id=text, headline=text, decision="no-trade"),
        HoldPlaced(name=text, state=state, reason=text, who=text),
        Filled(client_id=text, symbol="S", side=Side.BUY, trade_id=1, qty=amount, price=amount),
    )
    for body in bodies:
        record = Record(seq=1, ts=2, run=3, kind=type(body).__name__, cause=4, body=body)
        line = encode_line(record)
        assert line.count(b"\n") == 1
        assert decode_line(line[:-1]) == record


async def test_what_follows_corruption_is_kept_aside_and_its_numbers_are_not_used_again(
    tmp_path: Path,
) -> None:
    _write(tmp_path, STARTED, FILL, FILL).close()
    path = next(tmp_path.glob("*.log"))
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = lines[1].replace(b"2000.10", b"2000.11")
    path.write_bytes(lines[0] + damaged + lines[2])
    _, found = _read(tmp_path)
    assert found.corrupt  # type: ignore[attr-defined]
    assert path.with_suffix(".bad").read_bytes() == damaged + lines[2]
    ledger = Ledger(tmp_path, LoopClock(EPOCH_NS), found)  # type: ignore[arg-type]
    ledger.append(STARTED)
    ledger.close()
    assert ledger.run > 1_000
    records, again = _read(tmp_path)
    assert not again.corrupt  # type: ignore[attr-defined]
    assert [r.seq for r in records] == [1, 1_000_002]


def test_a_disk_that_recovers_is_reported_well_again_and_a_failed_sync_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    real_write, real_sync = os.write, os.fdatasync

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    async def main() -> None:
        ledger = Ledger(tmp_path, LoopClock(EPOCH_NS), replay(tmp_path, lambda r: None))

        def state() -> Checkpoint:
            return Checkpoint(book=Raw(b"{}"), keys=Raw(b"{}"))

        async def sync() -> None:
            await ledger.keep_synced(state, heard.append, in_thread=False)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(sync)
            monkeypatch.setattr(os, "write", refuse)
            ledger.append(STARTED)
            await trio.sleep(0.2)
            assert "No space" in heard[-1]
            monkeypatch.setattr(os, "write", real_write)
            await trio.sleep(0.2)
            assert heard[-1] == ""
            monkeypatch.setattr(os, "fdatasync", refuse)
            ledger.append(FILL)
            await trio.sleep(0.2)
            monkeypatch.setattr(os, "fdatasync", real_sync)
            ledger.append(FILL)
            await trio.sleep(0.2)
            assert "sync failed" in heard[-1]
            assert ledger.broken
            nursery.cancel_scope.cancel()
        ledger.close()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(_read(tmp_path)[0]) == 3
