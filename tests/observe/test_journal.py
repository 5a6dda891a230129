"""The journal's native protocol: no forged fields, large records, a journal that is away."""

from __future__ import annotations

import array
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lowcap.observe.journal import JournalSink, encode_fields, journal_fields
from lowcap.observe.kinds import KINDS

Json = dict[str, Any]


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        reader.bind(str(path))
        reader.settimeout(2)
        yield reader
    path.unlink()


def _row(text: str = "text", **more: Any) -> Json:
    row = {
        "cursor": "a-1", "at": "2026-02-06T13:30:00.123Z", "level": "warning", "area": "feeds",
        "log": "data", "kind": "feed.frame-refused", "text": text, "trace": None, "feed": "",
        "trigger": "", "folder": "", "symbol": "", "mode": "dry", "message_id": "0" * 32,
        "fields": {},
    }  # fmt: skip
    return row | more


def _decode(datagram: bytes) -> list[tuple[str, bytes]]:
    """The native protocol, read as journald reads it."""
    fields, at = [], 0
    while at < len(datagram):
        end = datagram.index(b"\n", at)
        name = datagram[at:end]
        assert b"=" not in name
        size = int.from_bytes(datagram[end + 1 : end + 9], "little")
        value = datagram[end + 9 : end + 9 + size]
        assert datagram[end + 9 + size : end + 10 + size] == b"\n"
        fields.append((name.decode(), value))
        at = end + 10 + size
    return fields


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True), st.text()))
def test_a_decoder_gets_the_same_fields_back(fields: dict[str, str]) -> None:
    wanted = [(k, v.encode(errors="replace")) for k, v in fields.items()]
    assert _decode(encode_fields(fields)) == wanted


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_no_field_of_a_record_can_forge_another(fields: dict[str, str], text: str) -> None:
    sent = journal_fields(_row(text, fields={**fields, "A\nPRIORITY": "0", "_UID": "0"}))
    found = _decode(encode_fields(sent))
    names = [name for name, _ in found]
    assert len(names) == len(set(names))
    assert all(name.isascii() and not name.startswith("_") and "\n" not in name for name in names)
    assert dict(found).get("PRIORITY") == fields.get("PRIORITY", "4").encode(errors="replace") or (
        "PRIORITY" in fields
    )


def test_a_row_arrives_with_its_fields(tmp_path: Path) -> None:
    sink = JournalSink(str(tmp_path / "journal"))
    row = _row(
        "FILL", level="critical", trace=7, feed="tokyo", trigger="elon_btc", symbol="BTCUSDT",
        folder="twitter_elon",
        fields={"SIDE": "BUY", "TRACEBACK": "Traceback\nPRIORITY=0", "lower": "x"},
    )  # fmt: skip
    with _listening(tmp_path / "journal") as reader:
        sink.write(row)
        found = dict(_decode(reader.recv(65_536)))
    sink.close()
    assert found == {
        "MESSAGE": b"FILL\nTraceback\nPRIORITY=0", "MESSAGE_ID": b"0" * 32, "PRIORITY": b"2",
        "SYSLOG_IDENTIFIER": b"lowcapd", "LOWCAP_AREA": b"feeds", "LOWCAP_LOG": b"data",
        "LOWCAP_KIND": b"feed.frame-refused", "LOWCAP_MODE": b"dry", "LOWCAP_TRACE": b"7",
        "LOWCAP_FEED": b"tokyo", "LOWCAP_TRIGGER": b"elon_btc", "LOWCAP_SYMBOL": b"BTCUSDT",
        "LOWCAP_FOLDER": b"twitter_elon", "LOWCAP_CURSOR": b"a-1", "SIDE": b"BUY",
    }  # fmt: skip


def test_a_record_larger_than_a_datagram_travels_in_sealed_memory(tmp_path: Path) -> None:
    sink = JournalSink(str(tmp_path / "journal"))
    large = "y" * 3_000_000
    with _listening(tmp_path / "journal") as reader:
        sink.write(_row(large))
        data, ancillary, _, _ = reader.recvmsg(16, socket.CMSG_SPACE(4))
        assert data == b""
        (_, _, raw) = ancillary[0]
        fd = array.array("i", raw)[0]
        try:
            assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) == 0xF
            size = os.fstat(fd).st_size
            found = dict(_decode(os.pread(fd, size, 0)))
        finally:
            os.close(fd)
    sink.close()
    assert found["MESSAGE"] == large.encode()
    assert sink.dropped == 0


def test_nobody_reading_never_blocks_and_is_told_afterwards(tmp_path: Path) -> None:
    sink = JournalSink(str(tmp_path / "journal"))
    sink.write(_row("nobody there"))
    sink.write(_row("x" * 3_000_000))
    assert sink.dropped == 2
    for round_number in (1, 2):  # the second time the journal was restarted
        with _listening(tmp_path / "journal") as reader:
            sink.write(_row("here again"))
            assert dict(_decode(reader.recv(65_536)))["MESSAGE"] == b"here again"
            if round_number == 1:
                told = dict(_decode(reader.recv(65_536)))
                assert told["MESSAGE"].startswith(b"2 log records could not")
                assert told["MESSAGE_ID"].decode() == KINDS["journal.dropped"].message_id
            started_s = time.monotonic()
            for _ in range(3_000):
                sink.write(_row("x" * 300))
            assert time.monotonic() - started_s < 5
        assert sink.dropped > 2
        sink._untold = 0
    sink.close()
