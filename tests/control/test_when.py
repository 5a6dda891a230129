"""Moments as operators type them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.control.when import moment_ms
from lowcap.core.clock import iso_ms, iso_to_ms
from lowcap.core.errors import CommandError

NOW = iso_to_ms("2026-02-06T13:30:00Z") or 0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", "2026-02-06T13:20:00.000Z"),
        ("90s", "2026-02-06T13:28:30.000Z"),
        ("13:29", "2026-02-06T13:29:00.000Z"),
        ("13:29:30", "2026-02-06T13:29:30.000Z"),
        ("13:31", "2026-02-05T13:31:00.000Z"),  # today's is still to come
        ("2026-02-06T08:00:00Z", "2026-02-06T08:00:00.000Z"),
        ("2026-02-06T08:00:00+01:00", "2026-02-06T07:00:00.000Z"),
        ("2026-02-06T08:00", "2026-02-06T08:00:00.000Z"),
        ("2026-02-05", "2026-02-05T00:00:00.000Z"),
    ],
)
def test_moments(text: str, moment: str) -> None:
    assert iso_ms(moment_ms("since", text, NOW)) == moment


@pytest.mark.parametrize("text", ["", "soon", "10x", "25:00", "1:30", "2026-13-01", "-5", "0m"])
def test_what_is_no_moment_is_named(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        moment_ms("since", text, NOW)
    assert caught.value.message.startswith("since: ")
    assert "10m" in caught.value.hint


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_a_mistake(text: str) -> None:
    with suppress(CommandError):
        assert isinstance(moment_ms("since", text, NOW), int)
