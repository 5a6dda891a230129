"""Client order ids: ours can be told apart and read back, whatever else is in the book."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.ids import ID_LENGTH_MAX, client_id, parse_client_id, prefix

MODES = ("dry", "testnet", "live")


@given(
    st.sampled_from(MODES),
    st.integers(1, 999_999_999),
    st.integers(1, 10**15 - 1),
    st.sampled_from(["e", "s", "c", "t1", "t2", "t3"]),
)
def test_an_id_is_legal_and_comes_apart_again(mode: str, run: int, seq: int, leg: str) -> None:
    name = client_id(mode, run, seq, leg)
    assert len(name) <= ID_LENGTH_MAX
    assert re.fullmatch(r"[\.A-Z\:/a-z0-9_-]{1,36}", name)
    assert name.startswith(prefix(mode))
    parts = parse_client_id(name)
    assert parts == (mode[0], run, seq, leg)


def test_modes_never_share_a_prefix() -> None:
    assert len({prefix(mode) for mode in MODES}) == 3
    with pytest.raises(KeyError):
        prefix("paper")


@pytest.mark.parametrize(
    "text",
    [
        *("", "web_12", "autoclose-123", "lcx-1-2-e", "lcd-1-2", "lcd-1-2-e\n", " lcd-1-2-e"),
        *("lcd--2-e", "lcd-1-2-E", "lcd-١-2-e", "lcd-1-2-toolong", "LCD-1-2-e", "lcd-1-2-1"),
    ],
)
def test_what_is_not_ours_is_none(text: str) -> None:
    assert parse_client_id(text) is None
