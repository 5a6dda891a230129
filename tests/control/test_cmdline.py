"""Command lines for the record: as they were typed, without secrets, harmless."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.control.cmdline import LENGTH_MAX, command_line_of, readable_line
from lowcap.core.plain import plain

KEY = "aB3" * 20


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["lowcapctl", "close", "BTCUSDT", "--pct", "50"], "lowcapctl close BTCUSDT --pct 50"),
        (["x", "--api-key", "short", "on"], "x --api-key [withheld] on"),
        (["x", "--token=abc", "on"], "x --token=[withheld] on"),
        (["x", "--password", "--yes"], "x --password --yes"),
        (["x", f"a={KEY}", KEY], "x a=[withheld] [withheld]"),
        (["x", "set", "notify.telegram.token", "12:ab"], "x set notify.telegram.token [withheld]"),
        (["/opt/lowcap/bin/python3", "/opt/lowcap/bin/lowcapctl", "panic", "--yes"],
         "/opt/lowcap/bin/python3 /opt/lowcap/bin/lowcapctl panic --yes"),
        (["pause", "--reason", "the key meeting"], "pause --reason the key meeting"),
        (["a", "x\x1b[2J\nFORGED\u202e"], "a x\\u001b[2J FORGED\\u202e"),
    ],
)  # fmt: skip
def test_a_line_says_what_was_typed(words: list[str], shown: str) -> None:
    assert readable_line(words) == shown


@given(st.lists(st.text(max_size=200), max_size=8))
def test_any_words_are_one_harmless_line(words: list[str]) -> None:
    shown = readable_line([*words, KEY])
    assert plain(shown) == shown
    assert len(shown) <= LENGTH_MAX
    assert KEY not in shown


def test_a_very_long_word_costs_no_more_than_a_long_one() -> None:
    assert len(readable_line(["a1" * 10_000_000])) <= LENGTH_MAX


def test_the_kernel_says_what_a_process_was_started_with() -> None:
    program = "print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "close", "--all"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        try:
            assert child.stdout is not None
            child.stdout.readline()
            assert command_line_of(child.pid).endswith(f"-c {program} close --all")
        finally:
            child.communicate(b"\n")
    assert command_line_of(child.pid) == ""
    assert command_line_of(os.getpid())
