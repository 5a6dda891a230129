"""The ledger's writer: facts become lines before anyone acts on them.

``append`` only queues; ``flush`` hands the lines to the kernel in one
``write``, which survives a crash of this process. The disk is synced in the
background within 50 ms, at once for what must survive a power loss.
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn

import trio

from lowcap.core.clock import Clock, utc_day
from lowcap.core.errors import LedgerError
from lowcap.core.facts import Fact, Record
from lowcap.ledger.record import encode_line
from lowcap.ledger.replay import Replayed, day_files

SYNC_EVERY_S = 0.05
PUBLISH_AFTER_S = 0.002
UNWRITTEN_BYTES_MAX = 64 * 1024 * 1024


class StateLock:
    """Makes sure that one daemon only uses a state directory; the file says which process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file: IO[str] = (folder / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise LedgerError(
                f"another daemon uses {folder}",
                hint="lowcapctl status, or give each daemon its own state.dir",
                code="locked",
            ) from error
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def close(self) -> None:
        """Let the next daemon in."""
        self._file.close()


class Ledger:
    """Appends facts. ``run`` counts the daemon's starts; ``seq`` counts records over all runs."""

    def __init__(self, folder: Path, clock: Clock, found: Replayed, *, keep_days: int = 90) -> None:
        self.run = found.last_run + 1
        self.last_seq = found.last_seq
        self.broken = ""
        self._sync_fault = ""
        self._folder = folder
        self._clock = clock
        self._keep_days = keep_days
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._dirty = False
        self._unpublished: deque[Record] = deque()
        self._bell = trio.Event()
        self._readers: list[Callable[[Record], None]] = []
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._day = utc_day(clock.now_ns())
        files = day_files(folder)
        if files and files[-1].stem > self._day:
            # The clock stands before the newest file (another --as-of): go on there.
            self._day = files[-1].stem
        self._fd = self._open(self._day)

    def _open(self, day: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self._folder / f"{day}.log", flags, 0o640)

    def append(self, fact: Fact, cause: int = 0) -> Record:
        """Queue a record and return it. Nothing may be sent before ``flush``."""
        self.last_seq += 1
        record = Record(
            seq=self.last_seq,
            ts=self._clock.now_ns(),
            run=self.run,
            kind=type(fact).__name__,
            cause=cause,
            body=fact,
        )
        line = encode_line(record)
        self._buffer.append(line)
        self._buffered_bytes += len(line)
        self._unpublished.append(record)
        self._bell.set()
        return record

    @property
    def next_seq(self) -> int:
        """The ``seq`` that the next record will get."""
        return self.last_seq + 1

    def flush(self) -> None:
        """Hand all queued lines to the kernel.

        Raises:
            LedgerError: the disk refuses. Nothing is lost while memory lasts;
                ``broken`` says why until a later flush succeeds.
        """
        if not self._buffer:
            return
        data = b"".join(self._buffer)
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            self._fail(str(error))
        if written < len(data):
            self._buffer = [data[written:]]
            self._buffered_bytes = len(data) - written
            self._fail("short write: the disk is full")
        self._buffer.clear()
        self._buffered_bytes = 0
        self._dirty = True
        self.broken = self._sync_fault

    def _fail(self, why: str) -> NoReturn:
        self.broken = why
        if self._buffered_bytes > UNWRITTEN_BYTES_MAX:
            why = f"{why}; more than {UNWRITTEN_BYTES_MAX} bytes wait unwritten"
        raise LedgerError(f"cannot write the ledger: {why}", hint="free the disk, then resume")

    def sync_now(self) -> None:
        """Flush and wait for the disk. For what must survive a power loss."""
        self.flush()
        self._sync(self._fd)
        self._dirty = False

    async def keep_synced(
        self,
        checkpoint: Callable[[], Fact],
        on_health: Callable[[str], None],
        *,
        in_thread: bool,
    ) -> None:
        """Sync in the background, retry a failed write, start a new file each UTC day.

        ``on_health`` hears each time what is wrong, or nothing when all is well.
        """
        while True:
            await trio.sleep(SYNC_EVERY_S)
            try:
                self.flush()
                if utc_day(self._clock.now_ns()) > self._day:
                    self._roll(checkpoint)
                if self._dirty:
                    self._dirty = False
                    if in_thread:
                        await trio.to_thread.run_sync(self._sync, self._fd)
                    else:
                        self._sync(self._fd)
            except LedgerError as error:
                on_health(error.message)
            else:
                on_health(self.broken)

    def _sync(self, fd: int) -> None:
        """Wait for the disk. A failed sync is not retried: what it lost is not known.

        Raises:
            LedgerError: the disk refuses; ``broken`` stays set until a restart.
        """
        try:
            os.fdatasync(fd)
        except OSError as error:
            self._sync_fault = f"sync failed: {error.strerror}"
            self.broken = self._sync_fault
            raise LedgerError(
                f"cannot sync the ledger: {error.strerror}", hint="check the disk, then restart"
            ) from error

    def _roll(self, checkpoint: Callable[[], Fact]) -> None:
        """Start the new day's file; the old one goes on where that fails."""
        day = utc_day(self._clock.now_ns())
        try:
            fd = self._open(day)
        except OSError as error:
            self._fail(f"cannot start {day}: {error.strerror}")
        old, self._fd, self._day = self._fd, fd, day
        try:
            self._sync(old)
        finally:
            os.close(old)
        self.append(checkpoint())
        self.flush()
        for each in day_files(self._folder)[: -self._keep_days]:
            each.unlink(missing_ok=True)

    def read_with(self, reader: Callable[[Record], None]) -> None:
        """Have ``reader`` called with every record from now on, outside the flow."""
        self._readers.append(reader)

    async def publish(self) -> None:
        """Give records to the readers, in order, in a task of its own.

        A little later, so that a frame's order is written to its socket
        before anybody formats a sentence about it.
        """
        while True:
            await self._bell.wait()
            await trio.sleep(PUBLISH_AFTER_S)
            self._bell = trio.Event()
            self.publish_pending()

    def publish_pending(self) -> None:
        """Give the readers what has been appended but not yet read."""
        while self._unpublished:
            record = self._unpublished.popleft()
            for reader in self._readers:
                reader(record)

    def close(self) -> None:
        """Write and sync what is left; a disk that refuses was reported before."""
        try:
            self.sync_now()
        except LedgerError as error:
            self.broken = str(error)
        self.publish_pending()
        os.close(self._fd)
