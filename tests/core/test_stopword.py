"""The stop from outside: a signal's flag and a file, whatever lies in its place."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lowcap.core.stopword import BY_FILE, BY_SIGNAL, TEXT_BYTES_MAX, StopWord


def test_nobody_says_stop(tmp_path: Path) -> None:
    assert StopWord().raised() == ""
    assert StopWord(tmp_path / "stop").raised() == ""
    assert StopWord(tmp_path / "no folder" / "stop").raised() == ""


def test_a_file_says_stop_while_it_lies_there(tmp_path: Path) -> None:
    word = StopWord(tmp_path / "stop")
    (tmp_path / "stop").write_text("exchange\nin trouble \x1b[31m")
    assert word.raised() == BY_FILE
    assert word.text() == "exchange in trouble \\u001b[31m"
    (tmp_path / "stop").unlink()
    assert word.raised() == word.text() == ""


def test_an_empty_or_an_endless_file_stops_as_well(tmp_path: Path) -> None:
    word = StopWord(tmp_path / "stop")
    (tmp_path / "stop").touch()
    assert (word.raised(), word.text()) == (BY_FILE, "")
    (tmp_path / "stop").write_bytes(b"\xff" * 10_000)
    assert len(word.text()) <= TEXT_BYTES_MAX


@pytest.mark.parametrize("kind", ["folder", "fifo", "dangling link", "behind a file"])
def test_anything_in_the_place_of_the_file_stops(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "stop"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.touch()
        path = path / "stop"
    word = StopWord(path)
    assert word.raised() == BY_FILE
    assert word.text() == ""
    assert not word.asks_to_flatten()


def test_only_a_file_that_begins_with_panic_asks_for_more(tmp_path: Path) -> None:
    word = StopWord(tmp_path / "stop")
    assert not word.asks_to_flatten()
    (tmp_path / "stop").write_text("no need to panic")
    assert not word.asks_to_flatten()
    (tmp_path / "stop").write_text("panic: by hand")
    assert word.asks_to_flatten()


def test_a_signal_is_heard_at_once_and_stands_until_it_is_answered() -> None:
    word = StopWord()
    before = signal.signal(signal.SIGUSR1, word.on_signal)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert word.raised() == BY_SIGNAL
        seen = word.signals
        os.kill(os.getpid(), signal.SIGUSR1)
        word.answer(seen)
        assert word.raised() == BY_SIGNAL, "the second came after what was answered"
        word.answer(word.signals)
        assert word.raised() == ""
    finally:
        signal.signal(signal.SIGUSR1, before)
