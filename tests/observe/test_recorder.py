"""The recorder: what it takes, what it leaves out, and files that survive whatever happens."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from lowcap.core.clock import LoopClock
from lowcap.observe import recorder as module
from lowcap.observe.recorder import Recorder, line_of
from lowcap.paper.feedserver import CaptureLine, read_capture

EPOCH_NS = 1_770_384_590 * 10**9  # 2026-02-06 13:29:50 UTC
FRAME = b'{"_id":"1","title":"GAZETTE: rain", "time":1770384590000}'


class Room:
    """A recorder with a folder, a clock and its background task."""

    def __init__(self, folder: Path, epoch_ns: int = EPOCH_NS) -> None:
        self.folder = folder
        self.clock = LoopClock(epoch_ns)
        self.clock.now_ns()
        self.recorder = Recorder(folder, self.clock)
        self.faults: list[str] = []
        self.recorder.on_fault = self.faults.append

    def tee(self, frame: bytes = FRAME, feed: str = "tokyo") -> None:
        self.recorder.tee(feed, self.clock.now_ns(), frame)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.recorder.run)
            yield
            nursery.cancel_scope.cancel()

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl.gz"))

    def lines(self) -> list[dict[str, Any]]:
        return [line for path in self.files() for line in read_lines(path)]


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


@pytest.fixture
async def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "captures")


async def test_frames_are_written_with_feed_and_time(room: Room, autojump_clock: MockClock) -> None:
    async with room.running():
        room.tee(b'{"before":1}')
        room.recorder.start()
        await trio.sleep(0.1)
        room.tee()
        room.tee(b"Invalid login syntax", "toa_news")
        assert room.recorder.status().waiting == 2
        await trio.sleep(1)
    assert [path.name for path in room.files()] == ["20260206T132950.jsonl.gz"]
    assert room.lines() == [
        {"feed": "tokyo", "t_ms": EPOCH_NS // 10**6 + 100, "frame": json.loads(FRAME)},
        {"feed": "toa_news", "t_ms": EPOCH_NS // 10**6 + 100, "frame": "Invalid login syntax"},
    ]
    raw = gzip.decompress(room.files()[0].read_bytes())
    assert FRAME in raw  # the very bytes, spaces and all
    assert room.files()[0].stat().st_mode & 0o777 == 0o600


async def test_what_was_recorded_can_be_played(room: Room, autojump_clock: MockClock) -> None:
    async with room.running():
        room.recorder.start()
        room.tee()
        await trio.sleep(1)
        room.tee(b"bare text")
        await trio.sleep(1)
    read = read_capture(room.files())
    assert [line.wire_frame() for line in read] == [FRAME, b"bare text"]
    assert [line.feed for line in read] == ["tokyo", "tokyo"]


async def test_only_the_feeds_that_were_named(room: Room, autojump_clock: MockClock) -> None:
    async with room.running():
        room.recorder.start({"phoenix", "bwe"})
        for feed in ("tokyo", "bwe", "phoenix"):
            room.tee(feed=feed)
        await trio.sleep(1)
        assert room.recorder.status().feeds == ("bwe", "phoenix")
    assert [line["feed"] for line in room.lines()] == ["bwe", "phoenix"]


async def test_it_ends_at_its_time(room: Room, autojump_clock: MockClock) -> None:
    until_ms = EPOCH_NS // 10**6 + 3_000
    async with room.running():
        room.recorder.start(until_ms=until_ms)
        for _ in range(10):
            room.tee()
            await trio.sleep(1)
        status = room.recorder.status()
    assert (status.recording, status.why, status.until_ms) == (False, "its time is over", until_ms)
    assert status.frames == len(room.lines()) == 3


async def test_stop_writes_what_waits_and_start_counts_anew(
    room: Room, autojump_clock: MockClock
) -> None:
    async with room.running():
        room.recorder.start()
        room.tee()
        room.recorder.stop()
        room.tee()
        await trio.sleep(1)
        assert room.recorder.status().frames == 1
        assert room.recorder.status().why == "stopped"
        await trio.sleep(1)
        room.recorder.start()
        assert room.recorder.status().frames == 0
        room.tee()
        await trio.sleep(1)
    assert len(room.files()) == 2
    assert len(room.lines()) == 2


async def test_the_end_of_the_daemon_loses_nothing(room: Room, autojump_clock: MockClock) -> None:
    async with room.running():
        room.recorder.start()
        for _ in range(500):
            room.tee()
    assert len(room.lines()) == 500
    assert not room.recorder.status().recording


async def test_answers_that_could_hold_a_key_are_withheld(
    room: Room, autojump_clock: MockClock
) -> None:
    async with room.running():
        room.recorder.start()
        room.tee(b'{"apiKey":"hush","address":"0x0"}', "phoenix")
        room.tee(b'{"title":"He said \\"apiKey\\" twice"}', "phoenix")
        await trio.sleep(1)
        assert room.recorder.status().withheld == 1
    assert [line["frame"]["title"] for line in room.lines()] == ['He said "apiKey" twice']


async def test_what_waits_is_bounded_and_the_rest_counted(
    room: Room, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_FRAMES_MAX", 100)
    room.recorder.start()
    for _ in range(130):
        room.tee()
    status = room.recorder.status()
    assert (status.waiting, status.dropped) == (100, 30)
    async with room.running():
        await trio.sleep(1)
        room.tee()
        await trio.sleep(1)
        assert room.recorder.status().frames == 101  # there is room again


async def test_bytes_that_wait_are_bounded_too(
    room: Room, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES_MAX", 10 * len(FRAME))
    room.recorder.start()
    for _ in range(12):
        room.tee()
    assert (room.recorder.status().waiting, room.recorder.status().dropped) == (10, 2)
    room.tee(b'"' + b"x" * module.FRAME_BYTES_MAX + b'"')
    assert room.recorder.status().dropped == 3
    async with room.running():
        await trio.sleep(1)
        for _ in range(10):
            room.tee()
        assert room.recorder.status().waiting == 10


class Watch(trio.abc.Instrument):
    """Sees what waits after every step of any task."""

    def __init__(self, recorder: Recorder) -> None:
        self.seen: set[int] = set()
        self._recorder = recorder

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.seen.add(self._recorder.status().waiting)


async def test_much_is_written_in_slices_with_others_in_between(
    room: Room, autojump_clock: MockClock
) -> None:
    watch = Watch(room.recorder)
    async with room.running():
        room.recorder.start()
        for _ in range(200):
            room.tee(b'{"title":"' + b"x" * 8_000 + b'"}')
        trio.lowlevel.add_instrument(watch)
        await trio.sleep(1)
        trio.lowlevel.remove_instrument(watch)
    assert len(room.lines()) == 200
    steps = sorted(watch.seen)
    assert (steps[0], steps[-1]) == (0, 200)
    most = module.SLICE_BYTES // 8_000 + 1
    assert max(b - a for a, b in itertools.pairwise(steps)) <= most


async def test_a_full_file_is_followed_by_another(
    room: Room, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES_MAX", 3_000)
    async with room.running():
        room.recorder.start()
        for _ in range(20):
            room.tee(b'{"noise":"%s"}' % os.urandom(500).hex().encode())
            room.tee()
            await trio.sleep(1)
    files = room.files()
    assert len(files) > 2
    assert all(3_000 <= path.stat().st_size < 4_000 for path in files[:-1])
    assert len(room.lines()) == 40
    assert room.recorder.status().file == files[-1].name


async def test_two_files_within_a_second_get_names_of_their_own(
    room: Room, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES_MAX", 1)
    monkeypatch.setattr(module, "SLICE_BYTES", 1)
    async with room.running():
        room.recorder.start()
        for _ in range(3):
            room.tee()
        await trio.sleep(1)
    assert [path.name for path in room.files()] == [
        f"20260206T1329{second}.jsonl.gz" for second in (50, 51, 52)
    ]


async def test_a_new_day_begins_a_new_file(tmp_path: Path, autojump_clock: MockClock) -> None:
    room = Room(tmp_path, (1_770_422_400 - 5) * 10**9)  # 5 s before midnight UTC
    async with room.running():
        room.recorder.start()
        for _ in range(10):
            room.tee()
            await trio.sleep(1)
    assert [path.name[:8] for path in room.files()] == ["20260206", "20260207"]
    assert [len(read_lines(path)) for path in room.files()] == [5, 5]


async def test_the_oldest_files_make_room(
    room: Room, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILES_KEPT", 3)
    room.folder.mkdir()
    for day in range(1, 6):
        (room.folder / f"2026010{day}T000000.jsonl.gz").write_bytes(b"")
    (room.folder / "kept-by-hand.jsonl.gz").write_bytes(b"")
    (room.folder / "20269999T999999.jsonl.gz").write_bytes(b"")
    async with room.running():
        room.recorder.start()
        room.tee()
        await trio.sleep(1)
    assert [path.name for path in room.files()] == [
        "20260104T000000.jsonl.gz",
        "20260105T000000.jsonl.gz",
        "20260206T132950.jsonl.gz",
        "20269999T999999.jsonl.gz",
        "kept-by-hand.jsonl.gz",
    ]


async def test_the_folder_stays_within_its_size(
    room: Room, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES_MAX", 2_000)
    monkeypatch.setattr(module, "FOLDER_BYTES_MAX", 10_000)
    async with room.running():
        room.recorder.start()
        for number in range(60):
            room.tee(b'{"n":%d,"noise":"%s"}' % (number, os.urandom(500).hex().encode()))
            await trio.sleep(1)
            assert sum(path.stat().st_size for path in room.files()) <= 10_000 + 700
    numbers = [line["frame"]["n"] for line in room.lines()]
    assert numbers == list(range(numbers[0], 60))
    assert numbers[0] > 0


async def test_captures_tell_times_and_sizes(room: Room, autojump_clock: MockClock) -> None:
    async with room.running():
        room.recorder.start()
        for _ in range(5):
            room.tee()
            await trio.sleep(1)
    (found,) = room.recorder.captures()
    assert found.name == "20260206T132950.jsonl.gz"
    assert found.first_ms == EPOCH_NS // 10**6
    assert found.last_ms == room.lines()[-1]["t_ms"] > found.first_ms
    assert found.bytes == room.files()[0].stat().st_size == room.recorder.status().bytes


async def test_a_crash_leaves_a_readable_file(room: Room, autojump_clock: MockClock) -> None:
    """Whole members after every write, while the file is still open."""
    async with room.running():
        room.recorder.start()
        for number in range(1, 6):
            room.tee()
            await trio.sleep(0.6)
            assert len(room.lines()) == number


async def test_a_disk_that_refuses_ends_the_recording_and_nothing_else(
    room: Room, autojump_clock: MockClock
) -> None:
    room.folder.write_text("a file where the folder should be")
    async with room.running():
        room.recorder.start()
        room.tee()
        await trio.sleep(1)
        room.tee()
        status = room.recorder.status()
        assert not status.recording
        assert status.why == f"cannot write {room.folder}/: File exists".replace("/:", ":")
        assert room.faults == [status.why]
        assert (status.frames, status.dropped, status.waiting) == (0, 1, 0)
        room.folder.unlink()
        room.recorder.start()
        room.tee()
        await trio.sleep(1)
        assert room.recorder.status().frames == 1


async def test_a_member_that_is_cut_short_is_taken_back(
    room: Room, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.write
    async with room.running():
        room.recorder.start()
        room.tee()
        await trio.sleep(1)
        monkeypatch.setattr(os, "write", lambda fd, data: whole(fd, data[: len(data) // 2]))
        room.tee()
        room.recorder._write_slice()  # at once: other writers must not meet the short write
        monkeypatch.undo()
        assert room.recorder.status().why.endswith("20260206T132950.jsonl.gz: the disk is full")
    assert len(room.lines()) == 1


@settings(deadline=None)
@given(st.text(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
).map(lambda value: json.dumps(value, ensure_ascii=False)))  # fmt: skip
@example('"a JSON string on the wire"')
@example('{"a":1} {"b":2}')
@example('{"pretty":\n1}')
@example(' {"led by": "space"}')
@example("[" * 960 + "]" * 960)
@example('["half a pair \\ud800"]')
@example("{}\r\n")
@example("\r\n")
def test_every_text_frame_comes_back_unchanged(text: str) -> None:
    frame = text.encode()
    line = line_of("tokyo", 1, frame)
    assert line.endswith(b"\n")
    assert len(line.splitlines()) == 1
    read = module.msgspec.json.decode(line, type=CaptureLine)
    assert (read.feed, read.t_ms) == ("tokyo", 1)
    assert read.wire_frame() == frame


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_text_still_make_a_line(frame: bytes) -> None:
    line = line_of("tokyo", 1, frame)
    assert len(line.splitlines()) == 1
    module.msgspec.json.decode(line, type=CaptureLine).wire_frame().decode()
