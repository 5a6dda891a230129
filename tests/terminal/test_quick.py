"""The quick way and the long way come to the same, whatever is typed."""

from __future__ import annotations

import shlex
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.control.commands import BY_NAME, COMMANDS, Command
from lowcap.core.errors import LowcapError
from lowcap.terminal.app import build
from lowcap.terminal.options import Options
from lowcap.terminal.quick import FLAGS, QUICK, VALUED, quickly

Parsed = tuple[str, dict[str, Any], Options]


def _long_way(words: list[str]) -> Parsed | str:
    """What click makes of it: the parsed command, or the kind of its refusal."""
    found: list[Parsed] = []

    def carry_out(command: Command, params: dict[str, Any], options: Options) -> int:
        found.append((command.name, params, options))
        return 0

    try:
        build(carry_out).main(words, prog_name="lowcapctl", standalone_mode=False)
    except (click.ClickException, click.exceptions.Exit, LowcapError) as refusal:
        return type(refusal).__name__
    return found[0]


def _quick_way(words: list[str]) -> Parsed | str | None:
    try:
        parsed = quickly(words, Options(), {})
    except LowcapError as refusal:
        return type(refusal).__name__
    return None if parsed is None else (parsed[0].name, parsed[1], parsed[2])


OPTIONS = sorted(
    {f"--{option.name}" for name in QUICK for option in BY_NAME[name].options}
    | {option.short for name in QUICK for option in BY_NAME[name].options if option.short}
)
WORDS = st.one_of(
    st.sampled_from(sorted(QUICK)),
    st.sampled_from([*FLAGS, *VALUED, *OPTIONS, "--watch", "--help", "-x", "--", "-", "-n5"]),
    st.sampled_from(["BTC", "5", "0", "1.5", "1e3", "-1", "", "nan", "always", "30m", "٣", "5."]),
    st.text(max_size=4).filter(lambda text: "\0" not in text),
)


@given(st.sampled_from(sorted(QUICK)), st.lists(WORDS, max_size=3), st.lists(WORDS, max_size=5))
def test_both_ways_come_to_the_same(name: str, before: list[str], after: list[str]) -> None:
    words = [*before, name, *after]
    quick = _quick_way(words)
    if quick is not None:
        assert quick == _long_way(words)


@pytest.mark.parametrize(
    "line",
    [example for c in COMMANDS for example in c.examples if c.name in QUICK],
)
def test_examples_of_quick_commands_take_the_quick_way(line: str) -> None:
    words = shlex.split(line.partition(" ||")[0].partition(" &&")[0])
    quick = _quick_way(words)
    assert quick is not None
    assert quick == _long_way(words)


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "status"],
        ["-y", "panic", "--reason", "why not", "--all", "--json"],
        ["--socket", "/x", "close", "BTC", "--pct", "12.5", "--timeout", "3", "-y"],
        ["pause", "--for", "30m", "--reason", "x"],
        ["orders", "-n", "007", "--open", "--format", "{id}"],
        ["status", "--color", "never", "-i", "b"],
        ["status", "--json", "--csv"],
    ],
)
def test_lines_that_must_be_quick_are(words: list[str]) -> None:
    quick = _quick_way(words)
    assert quick is not None
    assert quick == _long_way(words)


@pytest.mark.parametrize(
    "words",
    [
        *([], ["statsu"], ["emergency-stop"], ["close-all"], ["status", "--help"]),
        *(["close", "--pct", "nan"], ["close", "--pct", "-5"], ["position"], ["status", "x"]),
        *(["orders", "-n"], ["orders", "-n", "1.5"], ["orders", "-n5"], ["--version", "status"]),
        *(["status", "--watch", "1"], ["-c", "status"], ["status", "--timeout", "x"]),
        ["panic", "--reason", "a", "--reason", "b"],
    ],
)  # fmt: skip
def test_other_lines_are_left_to_click(words: list[str]) -> None:
    assert _quick_way(words) is None


def test_a_tab_is_left_to_click() -> None:
    assert quickly(["status"], Options(), {"_LOWCAPCTL_COMPLETE": "bash_complete"}) is None
