"""The line cutter: however the bytes arrive, the same lines come out."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from lowcap.control.protocol import Lines, encode, error, notice, request, result

LIMIT = 20
LINES = st.lists(st.binary(max_size=45).map(lambda b: b.replace(b"\n", b" ")), max_size=12)


def _cut(data: bytes, sizes: list[int]) -> list[bytes | None]:
    lines, found, at = Lines(LIMIT), [], 0
    for size in [*sizes, len(data)]:
        found += lines.feed(data[at : at + size])
        at += size
    return found


@given(LINES, st.lists(st.integers(1, 30), max_size=60))
def test_any_chunking_gives_the_same_lines(lines: list[bytes], sizes: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    expected = [line if len(line) <= LIMIT else None for line in lines]
    assert _cut(data, sizes) == expected
    assert _cut(data, [1] * len(data)) == expected
    assert _cut(data, []) == expected


@given(st.integers(LIMIT + 1, 5_000), st.integers(1, 700))
def test_an_overlong_line_is_reported_once_and_not_kept(length: int, size: int) -> None:
    lines = Lines(LIMIT)
    found: list[bytes | None] = []
    for _ in range(0, length, size):
        found += lines.feed(b"x" * size)
        assert len(lines._rest) <= LIMIT + size
    assert found in ([None], [])
    assert lines.feed(b"\nshort\n")[-1] == b"short"


def test_a_line_of_exactly_the_limit_passes() -> None:
    assert Lines(LIMIT).feed(b"x" * LIMIT + b"\n") == [b"x" * LIMIT]
    assert Lines(LIMIT).feed(b"x" * (LIMIT + 1) + b"\n") == [None]


@given(st.text())
def test_a_message_is_one_line_whatever_it_says(text: str) -> None:
    for message in (
        request(1, "halt", {"reason": text}),
        result(1, text),
        error(1, "usage", text, text),
        notice("event", {"text": text}),
    ):
        line = encode(message)
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
        assert json.loads(line) == message


def test_bytes_of_the_command_line_that_are_no_text_do_not_stop_a_panic() -> None:
    line = encode(request(1, "panic", {"reason": b"caf\xe9".decode(errors="surrogateescape")}))
    assert json.loads(line)["params"] == {"reason": "caf?"}
