"""Recording what the feeds send: raw frames with their times, in files that can be played again."""

from __future__ import annotations

import os
import re
import zlib
from collections import deque
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import trio
from msgspec import Raw, Struct

from lowcap.core.clock import NS_PER_MS, NS_PER_S, Clock, utc_day

WAITING_FRAMES_MAX = 20_000
WAITING_BYTES_MAX = 32 * 1024 * 1024
# One step of the background task: short enough that no frame waits for it.
SLICE_BYTES = 64 * 1024
FRAME_BYTES_MAX = 256 * 1024
WRITE_EVERY_S = 0.5
FILE_BYTES_MAX = 16 * 1024 * 1024
FOLDER_BYTES_MAX = 512 * 1024 * 1024
FILES_KEPT = 200
# Answers to a login may echo the key.
SECRET_MARK = b'"apiKey"'
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}\.jsonl\.gz\Z")
_NAME_FORMAT = "%Y%m%dT%H%M%S.jsonl.gz"
# Embedded frames must parse below this many levels more, so that every reader can.
_LEVELS = 100
_GZIP = 31


class RecorderStatus(Struct, frozen=True, kw_only=True):
    """What an operator asks about a recording; the counters are of the newest ``start``.

    ``feeds`` empty means all of them, ``until_ms`` 0 until stopped. ``bytes``
    is what was written, compressed. ``dropped`` frames found no room,
    ``withheld`` ones could hold a key, and ``why`` says what ended the recording.
    """

    recording: bool
    feeds: tuple[str, ...]
    file: str
    frames: int
    bytes: int
    waiting: int
    dropped: int
    withheld: int
    until_ms: int
    why: str


class CaptureFile(Struct, frozen=True, kw_only=True):
    """A recorded file: when its first (to the second) and newest frame arrived, and its size."""

    name: str
    first_ms: int
    last_ms: int
    bytes: int


class _Frame(Struct, frozen=True):
    feed: str
    received_ns: int
    data: bytes


class Recorder:
    """Tees frames into gzip files of JSON lines; never in the way of whoever receives them.

    ``on_fault`` hears why when the disk ends a recording.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.on_fault: Callable[[str], None] = lambda why: None
        self._folder = folder
        self._clock = clock
        self._recording = False
        self._feeds: frozenset[str] = frozenset()
        self._until_ms = 0
        self._waiting: deque[_Frame] = deque()
        self._waiting_bytes = 0
        self._frames = self._bytes = self._dropped = self._withheld = 0
        self._why = ""
        self._file: _OpenFile | None = None
        self._newest = ""

    # -- asked for by operators -----------------------------------------------

    def start(self, feeds: Collection[str] = (), until_ms: int | None = None) -> None:
        """Record these feeds (all where none is named), until a wall time or ``stop``."""
        self._feeds = frozenset(feeds)
        self._until_ms = until_ms or 0
        self._frames = self._bytes = self._dropped = self._withheld = 0
        self._why = ""
        self._recording = True

    def stop(self, why: str = "stopped") -> None:
        """Record no more; what waits is still written."""
        if self._recording:
            self._recording, self._why = False, why

    def status(self) -> RecorderStatus:
        """How the recording goes, or how the last one ended."""
        return RecorderStatus(
            recording=self._recording,
            feeds=tuple(sorted(self._feeds)),
            file=self._newest,
            frames=self._frames,
            bytes=self._bytes,
            waiting=len(self._waiting),
            dropped=self._dropped,
            withheld=self._withheld,
            until_ms=self._until_ms,
            why=self._why,
        )

    def captures(self) -> list[CaptureFile]:
        """The recorded files, oldest first, as far as names, times and sizes tell."""
        return captures_in(self._folder)

    # -- the receiving task ---------------------------------------------------

    def tee(self, feed: str, received_ns: int, frame: bytes) -> None:
        """Take a frame along, if this feed is being recorded. Never waits, never fails."""
        if not self._recording or (self._feeds and feed not in self._feeds):
            return
        if self._until_ms and received_ns >= self._until_ms * NS_PER_MS:
            return
        full = (
            len(self._waiting) >= WAITING_FRAMES_MAX
            or self._waiting_bytes + len(frame) > WAITING_BYTES_MAX
        )
        if full or len(frame) > FRAME_BYTES_MAX:
            self._dropped += 1
            return
        self._waiting.append(_Frame(feed, received_ns, frame))
        self._waiting_bytes += len(frame)

    # -- the background task --------------------------------------------------

    async def run(self) -> None:
        """Write what waits, twice a second, until cancelled; the rest is written on the way out."""
        try:
            while True:
                await trio.sleep(WRITE_EVERY_S)
                while self._waiting:
                    self._write_slice()
                    await trio.lowlevel.checkpoint()
                if self._until_ms and self._clock.now_ns() >= self._until_ms * NS_PER_MS:
                    self.stop("its time is over")
                if not self._recording:
                    self._close()
        finally:
            while self._waiting:
                self._write_slice()
            self.stop("the daemon has stopped")
            self._close()

    def _write_slice(self) -> None:
        """Append the next frames as one gzip member; a disk that refuses ends the recording."""
        lines, newest_ns, first_ns = self._take_slice()
        if not lines:
            return
        packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        member = packer.compress(b"".join(lines)) + packer.flush()
        try:
            file = self._file_for(first_ns)
            file.append(member, newest_ns)
        except OSError as error:
            self._dropped += len(lines)
            self._fail(error)
            return
        self._frames += len(lines)
        self._bytes += len(member)
        if file.bytes >= FILE_BYTES_MAX:
            self._close()

    def _take_slice(self) -> tuple[list[bytes], int, int]:
        """Lines of the frames that waited longest, with the newest and the first time of them."""
        lines: list[bytes] = []
        taken_bytes = newest_ns = first_ns = 0
        while self._waiting and taken_bytes < SLICE_BYTES:
            frame = self._waiting.popleft()
            self._waiting_bytes -= len(frame.data)
            taken_bytes += len(frame.data)
            if SECRET_MARK in frame.data:
                self._withheld += 1
                continue
            lines.append(line_of(frame.feed, frame.received_ns // NS_PER_MS, frame.data))
            first_ns, newest_ns = first_ns or frame.received_ns, frame.received_ns
        return lines, newest_ns, first_ns

    def _file_for(self, first_ns: int) -> _OpenFile:
        """The file of that time: the open one, or a new one when a UTC day begins."""
        if self._file is not None and self._file.day != utc_day(first_ns):
            self._close()
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make_room(self._folder)
            self._file = _OpenFile(self._folder, first_ns)
            self._newest = self._file.name
        return self._file

    def _fail(self, error: OSError) -> None:
        place = self._folder / (self._file.name if self._file is not None else "")
        why = f"cannot write {place}: {error.strerror}"
        self._dropped += len(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._recording, self._why = False, why
        self._close()
        self.on_fault(why)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _OpenFile:
    """The capture that is being written; whole members only, whatever the disk does."""

    def __init__(self, folder: Path, first_ns: int) -> None:
        self.day = utc_day(first_ns)
        self.bytes = 0
        at = datetime.fromtimestamp(first_ns // NS_PER_S, UTC)
        while True:
            self.name = at.strftime(_NAME_FORMAT)
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
                self._fd = os.open(folder / self.name, flags, 0o600)
            except FileExistsError:
                at += timedelta(seconds=1)  # two files within a second
            else:
                return

    def append(self, member: bytes, newest_ns: int) -> None:
        """Write one member; the file's time becomes that of its newest frame.

        Raises:
            OSError: the disk refuses; the file ends with the member before.
        """
        written = os.write(self._fd, member)
        if written < len(member):
            os.ftruncate(self._fd, self.bytes)
            raise OSError(0, "the disk is full")
        self.bytes += written
        os.utime(self._fd, ns=(newest_ns, newest_ns))

    def close(self) -> None:
        """No more of it."""
        os.close(self._fd)


def line_of(feed: str, t_ms: int, frame: bytes) -> bytes:
    """A frame as a line of a capture: as it stands where it is JSON, else as a JSON string."""
    head = b'{"feed":%b,"t_ms":%d,"frame":' % (msgspec.json.encode(feed), t_ms)
    if not _stands_alone(frame):
        frame = msgspec.json.encode(frame.decode("utf-8", "replace"))
    return head + frame + b"}\n"


def _stands_alone(frame: bytes) -> bool:
    """Whether a line may hold the very bytes, so that a reader gets them back unchanged."""
    if frame[:1] + frame[-1:] not in (b"{}", b"[]") or b"\n" in frame or b"\r" in frame:
        return False
    try:
        frame.decode()
        msgspec.json.decode(b"[" * _LEVELS + frame + b"]" * _LEVELS, type=Raw)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return False
    return True


def captures_in(folder: Path) -> list[CaptureFile]:
    """The files that a recorder has written there, oldest first."""
    found = []
    for path in sorted(folder.glob("*.jsonl.gz")):
        if not _NAME.match(path.name):
            continue
        try:
            stat = path.stat()
            began = datetime.strptime(path.name, _NAME_FORMAT).replace(tzinfo=UTC)
        except (FileNotFoundError, ValueError):
            continue  # removed meanwhile, or no time at all
        found.append(
            CaptureFile(
                name=path.name,
                first_ms=round(began.timestamp()) * 1000,
                last_ms=stat.st_mtime_ns // NS_PER_MS,
                bytes=stat.st_size,
            )
        )
    return found


def _make_room(folder: Path) -> None:
    """Remove the oldest files until one more fits; files of other names are not ours."""
    files = captures_in(folder)
    total = sum(file.bytes for file in files)
    for file in files:
        if len(files) < FILES_KEPT and total <= FOLDER_BYTES_MAX - FILE_BYTES_MAX:
            return
        (folder / file.name).unlink(missing_ok=True)
        total -= file.bytes
        files = files[1:]
