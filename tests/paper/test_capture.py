"""Captures are read in order of time, packed or not; a bad line is named, a torn end is cut."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcap.core.errors import ConfigError
from lowcap.paper.capture import CaptureLine, market_lines, read_capture


def line(number: int, feed: str = "tokyo") -> bytes:
    return f'{{"feed":"{feed}","t_ms":{number},"frame":{{"n":{number}}}}}\n'.encode()


def written(folder: Path, name: str, *parts: bytes) -> Path:
    path = folder / name
    path.write_bytes(b"".join(parts))
    return path


def times(*paths: Path) -> list[int]:
    return [each.t_ms for each in read_capture(paths)]


def fault_of(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_capture([path])
    [fault] = caught.value.faults
    return fault


def test_lines_of_several_files_come_in_order_of_time(tmp_path: Path) -> None:
    one = written(tmp_path, "one.jsonl", line(3), b"\n", line(1))
    two = written(tmp_path, "two.jsonl.gz", gzip.compress(line(4) + line(2)))
    assert times(one, two) == [1, 2, 3, 4]


def test_a_frame_is_text_as_on_the_wire(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "c.jsonl",
        b'{"feed":"bwe","t_ms":1,"frame":{"a": [1,  2]}}\n',
        b'{"feed":"bwe","t_ms":2,"frame":"a \\"bare\\" sentence"}\n',
    )
    frames = [each.wire_frame() for each in read_capture([path])]
    assert frames == [b'{"a": [1,  2]}', b'a "bare" sentence']


def test_a_fault_line_needs_no_frame_and_other_keys_are_ignored(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "c.jsonl",
        b'{"feed":"bwe","t_ms":1,"fault":"half-open","seconds":2.5,"note":"x"}\n',
        b'{"feed":"bwe","t_ms":2,"fault":"junk","count":7}\n',
        b'{"feed":"bwe","t_ms":3,"frame":{},"received_by":"x","fault":""}\n',
    )
    held, junk, frame = read_capture([path])
    assert (held.fault, held.seconds, held.wire_frame()) == ("half-open", 2.5, b"")
    assert (junk.fault, junk.count) == ("junk", 7)
    assert (frame.fault, frame.count, frame.wire_frame()) == ("", 1, b"{}")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"{broken", "malformed"),
        (b'{"feed":"bwe","frame":{}}', "t_ms"),
        (b'{"feed":"bwe","t_ms":"noon","frame":{}}', "Expected `int`"),
        (b'{"feed":"bwe","t_ms":1}', "neither a frame nor a fault"),
        (b'{"t_ms":1,"fault":"drop"}', "a fault needs a feed"),
        (b'{"feed":"bwe","t_ms":1,"fault":"fire"}', "unknown fault 'fire'; there are close, drop"),
        (b'{"feed":"bwe","t_ms":1,"fault":"mute"}', "mute needs seconds"),
        (b'{"feed":"bwe","t_ms":1,"frame":"\xff"}', "utf-8"),
        (b'{"feed":"bwe","t_ms":1,"frame":"\\ud800"}', ""),
        (b'{"feed":"bwe","t_ms":1,"frame":""}', "neither a frame nor a fault"),
    ],
)
def test_a_bad_line_is_named_with_file_and_number(tmp_path: Path, bad: bytes, words: str) -> None:
    plain = written(tmp_path, "c.jsonl", line(1), b"\n", bad, b"\n", line(2))
    assert fault_of(plain).startswith(f"{plain}:3: ")
    assert words in fault_of(plain)
    packed = written(tmp_path, "c.jsonl.gz", gzip.compress(plain.read_bytes()))
    assert fault_of(packed).startswith(f"{packed}:3: ")


def test_a_missing_file_and_one_that_is_not_packed_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.jsonl"
    assert fault_of(missing) == f"{missing}: No such file or directory"
    plain = written(tmp_path, "plain.gz", line(1))
    assert fault_of(plain).startswith(f"{plain}: not a gzip file")


def test_members_may_be_padded_and_split_a_line(tmp_path: Path) -> None:
    both = line(1) + line(2)
    path = written(
        tmp_path, "c.gz", gzip.compress(both[:50]), b"\0\0", gzip.compress(both[50:]), b"\0"
    )
    assert times(path) == [1, 2]


@given(st.integers(0, 10_000))
def test_a_torn_last_member_keeps_whole_lines_from_the_front(cut: int) -> None:
    from tempfile import TemporaryDirectory

    first = gzip.compress(line(1) + line(2))
    last = gzip.compress(b"".join(line(n, f"feed{n * 7919 % 1009}") for n in range(3, 100)))
    kept = last[: min(cut, len(last))]
    with TemporaryDirectory() as name:
        found = times(written(Path(name), "c.gz", first, kept))
    assert found[:2] == [1, 2]
    assert found == list(range(1, len(found) + 1))
    if len(kept) == len(last):
        assert len(found) == 99


def test_much_of_a_torn_member_is_still_read(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(line(n, f"feed{n * 7919 % 10007}") for n in range(20_000)))
    found = times(written(tmp_path, "c.gz", packed[: len(packed) // 2]))
    assert len(found) > 5_000
    assert found == list(range(len(found)))


def test_market_lines_are_the_prices(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "c.jsonl",
        line(1),
        b'{"stream":"ethusdt@markPrice@1s","t_ms":5,"frame":{"s":"ETHUSDT","p":"2412.40"}}\n',
    )
    [price] = market_lines(read_capture([path]))
    assert (price.t_ms, price.symbol, str(price.price)) == (5, "ETHUSDT", "2412.40")


def test_a_line_can_be_made_by_hand() -> None:
    made = CaptureLine(t_ms=1, feed="bwe", fault="drop")
    assert made.wire_frame() == b""
