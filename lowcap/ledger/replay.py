"""Reading a ledger back: the same path at every start, after a clean end or a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from lowcap.core.errors import LedgerError
from lowcap.core.facts import Checkpoint, Record, RunEnded, RunStarted
from lowcap.ledger.record import decode_line

SKIPPED_SEQ, SKIPPED_RUNS = 1_000_000, 1_000
_DAY_FILE = "????-??-??.log"


class Replayed(Struct, kw_only=True):
    """What a replay found. ``corrupt`` names a bad record that stands before good ones."""

    last_seq: int = 0
    last_run: int = 0
    last_config_hash: str = ""
    torn_bytes: int = 0
    corrupt: str = ""
    ended_in_order: bool = True


def day_files(folder: Path) -> list[Path]:
    """The day files of a ledger, oldest first."""
    return sorted(folder.glob(_DAY_FILE))


def replay(folder: Path, apply: Callable[[Record], None], *, repair: bool = True) -> Replayed:
    """Give every record since the newest checkpoint to ``apply``, in order.

    A torn last line of the last file is cut off and counted. A bad record
    elsewhere ends the replay there and is named in ``corrupt``: what follows
    cannot be trusted and is set aside in ``.bad`` files, and the caller must
    not trade before a person has looked. Without ``repair`` no file is
    touched: for a look at the ledger of a daemon that may still live.
    """
    files = day_files(folder)
    found = Replayed()
    first = _first_needed(files)
    for index, path in enumerate(files[first:], start=first):
        good_bytes = _replay_file(path, found, apply, is_last=index == len(files) - 1)
        if found.torn_bytes and repair:
            with path.open("rb+") as file:
                file.truncate(good_bytes)
        if found.corrupt:
            if repair:
                _set_aside(path, good_bytes, files[index + 1 :])
            # Numbers used in what was set aside must not be used again: ids depend on them.
            found.last_seq += SKIPPED_SEQ
            found.last_run += SKIPPED_RUNS
            break
    return found


def _set_aside(path: Path, good_bytes: int, later: list[Path]) -> None:
    """Keep what follows the last good record, out of the way of the next replay."""
    with path.open("rb+") as file:
        file.seek(good_bytes)
        path.with_suffix(".bad").write_bytes(file.read())
        file.truncate(good_bytes)
    for each in later:
        each.rename(each.with_suffix(".bad"))


def _first_needed(files: list[Path]) -> int:
    """The index of the newest file that opens with a checkpoint, else 0."""
    for index in range(len(files) - 1, -1, -1):
        with files[index].open("rb") as file:
            line = file.readline()
        try:
            if isinstance(decode_line(line.rstrip(b"\n")).body, Checkpoint):
                return index
        except LedgerError:
            continue
    return 0


def _replay_file(
    path: Path, found: Replayed, apply: Callable[[Record], None], *, is_last: bool
) -> int:
    """Replay one file; returns how many of its bytes are good."""
    good_until = 0
    with path.open("rb") as file:
        for line in file:
            try:
                if not line.endswith(b"\n"):
                    raise LedgerError("line has no end")
                record = decode_line(line[:-1])
            except LedgerError as error:
                rest = file.read()
                if is_last and b"\n" not in rest.rstrip(b"\n") and not _has_record(rest):
                    found.torn_bytes = len(line) + len(rest)
                else:
                    found.corrupt = f"{path.name} at byte {good_until}: {error.message}"
                break
            good_until += len(line)
            _note(record, found)
            apply(record)
    return good_until


def _has_record(rest: bytes) -> bool:
    try:
        decode_line(rest.rstrip(b"\n"))
    except LedgerError:
        return False
    return True


def _note(record: Record, found: Replayed) -> None:
    if record.seq <= found.last_seq:
        raise LedgerError(f"record {record.seq} stands after record {found.last_seq}")
    found.last_seq = record.seq
    found.last_run = record.run
    if isinstance(record.body, RunStarted):
        found.ended_in_order = False
        found.last_config_hash = record.body.config_hash
    elif isinstance(record.body, RunEnded):
        found.ended_in_order = True
