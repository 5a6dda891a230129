"""The log: journal datagrams that cannot be forged, a ring, stderr for people."""

from __future__ import annotations

import io
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from lowcap.control.select import keep_for
from lowcap.core.facts import FrameRefused, KeysTaken, Record
from lowcap.observe import logs
from lowcap.observe.logs import JournalSink, LogRing, encode_fields, log_record, set_up_logging
from lowcap.observe.systemd import Systemd


@pytest.fixture(autouse=True)
def _loguru_as_before() -> Iterator[None]:
    yield
    logger.remove()
    logger.configure(patcher=lambda record: None)  # type: ignore[arg-type]


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        reader.bind(str(path))
        reader.settimeout(2)
        yield reader


def _decode(datagram: bytes) -> list[tuple[str, bytes]]:
    """The journal's native protocol, read as journald reads it."""
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


@given(st.dictionaries(st.sampled_from(["MESSAGE", "A", "LOWCAP_AREA"]), st.text()))
def test_no_value_can_forge_a_field(fields: dict[str, str]) -> None:
    assert _decode(encode_fields(fields)) == [(k, v.encode()) for k, v in fields.items()]


def test_records_reach_the_journal_with_their_fields(tmp_path: Path) -> None:
    with _listening(tmp_path / "journal") as reader:
        logger.remove()
        logger.add(JournalSink(str(tmp_path / "journal")), format="{message}")
        logger.bind(area="feeds").warning("{}", "one\nPRIORITY=0\nMESSAGE=forged")
        found = dict(_decode(reader.recv(65_536)))
        assert found["MESSAGE"] == b"one\nPRIORITY=0\nMESSAGE=forged"
        assert found["PRIORITY"] == b"4"
        assert found["LOWCAP_AREA"] == b"feeds"
        assert found["SYSLOG_IDENTIFIER"] == b"lowcapd"
        try:
            raise ZeroDivisionError("why")
        except ZeroDivisionError as error:
            logger.opt(exception=error).critical("{}", "the daemon ends")
        found = dict(_decode(reader.recv(65_536)))
        assert found["MESSAGE"].startswith(b"the daemon ends\nTraceback")
        assert found["PRIORITY"] == b"2"


def test_nobody_reading_never_blocks(tmp_path: Path) -> None:
    logger.remove()
    sink = JournalSink(str(tmp_path / "journal"))
    logger.add(sink, format="{message}")
    logger.info("{}", "nobody there")
    assert sink.dropped == 1
    with _listening(tmp_path / "journal"):
        started_s = time.monotonic()
        for _ in range(3_000):
            logger.info("{}", "x" * 300)
        assert time.monotonic() - started_s < 5
        assert sink.dropped > 1
        logger.info("{}", "y" * 3_000_000)  # larger than a datagram may be


@contextmanager
def _stderr(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> Iterator[io.StringIO]:
    text = io.StringIO()
    monkeypatch.setattr(sys, "stderr", text)
    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    yield text
    monkeypatch.undo()
    time.tzset()


def test_the_log_of_people_is_harmless_and_in_one_time_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _stderr(monkeypatch, {}) as text:
        ring = set_up_logging("info", {})
        logger.info("{}", "{not a format} \x1b]0;title\x07 \u202eevil\r\nsecond")
        logger.debug("{}", "not shown")
        try:
            raise ZeroDivisionError("why")
        except ZeroDivisionError as error:
            logger.opt(exception=error).error("{}", "it broke")
    first, second, *traceback = text.getvalue().splitlines()
    assert "{not a format} \\u001b]0;title\\u0007 \\u202eevil\\u000d second" in first
    assert "ERROR" in second
    assert any("ZeroDivisionError: why" in line for line in traceback)
    line = ring.select(5, keep_for("logs", {}))[0]
    assert line["at"][11:19] == first[:8]
    now = time.gmtime()
    assert line["at"].startswith(f"{now.tm_year}-{now.tm_mon:02}-{now.tm_mday:02}T")
    assert abs(int(line["at"][11:13]) - now.tm_hour) <= 1


def test_under_systemd_the_log_goes_to_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JournalSink.__init__, "__defaults__", (str(tmp_path / "journal"),))
    with _listening(tmp_path / "journal") as reader:
        set_up_logging("debug", {"JOURNAL_STREAM": "8:1"})
        logger.info("{}", "to the journal")
        assert dict(_decode(reader.recv(65_536)))["MESSAGE"] == b"to the journal"


def test_the_ring_is_bounded_and_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = LogRing()
    seen: list[str] = []
    ring.on_record = lambda line: seen.append(line["text"])
    logger.remove()
    logger.add(ring.sink, level="TRACE")
    for level in ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"):
        logger.log(level, "{}", f"{level} Stop(")

    def texts(count: int = 50, **params: str) -> list[str]:
        return [line["text"].split()[0] for line in ring.select(count, keep_for("logs", params))]

    assert len(texts()) == len(seen) == 7
    assert texts(priority="warning") == ["WARNING", "ERROR", "CRITICAL"]
    assert texts(priority="CRITICAL") == ["CRITICAL"]
    assert texts(grep="error stop(") == ["ERROR"]
    assert texts(2, grep="stop(") == ["ERROR", "CRITICAL"]
    for number in range(logs.RING_RECORDS + 10):
        logger.info("{}", number)
    assert len(ring.select(10**9, keep_for("logs", {}))) == logs.RING_RECORDS


def test_records_are_told_to_the_log() -> None:
    ring = LogRing()
    logger.remove()
    logger.add(ring.sink, level="DEBUG")
    body = FrameRefused(feed="tokyo", reason="{0} {x}", size=3, head="\x00")
    log_record(Record(seq=1, ts=0, run=1, kind="FrameRefused", cause=0, body=body))
    quiet = KeysTaken(keys=("a",), until_ms=1)
    log_record(Record(seq=2, ts=0, run=1, kind="KeysTaken", cause=0, body=quiet))
    lines = ring.select(5, keep_for("logs", {}))
    assert [(line["area"], line["level"], line["text"]) for line in lines] == [
        ("feeds", "warning", "tokyo: unusable frame ({0} {x})")
    ]


# -- systemd -------------------------------------------------------------------------


def test_notifications_are_one_datagram_each(tmp_path: Path) -> None:
    with _listening(tmp_path / "notify") as reader:
        systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        systemd.tell(READY="1", STATUS="live ACTIVE, 2 positions")
        assert reader.recv(4096) == b"READY=1\nSTATUS=live ACTIVE, 2 positions"
        systemd.tell(STATUS="bad news\nWATCHDOG=trigger\r\nSTOPPING=1")
        assert reader.recv(4096) == b"STATUS=bad news WATCHDOG=trigger STOPPING=1"
        systemd.close()


def test_abstract_sockets_work() -> None:
    name = f"lowcap-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        reader.bind("\0" + name)
        reader.settimeout(2)
        systemd = Systemd({"NOTIFY_SOCKET": "@" + name})
        systemd.tell(WATCHDOG="1")
        assert reader.recv(100) == b"WATCHDOG=1"
        systemd.close()


def test_a_missing_deaf_or_full_socket_is_not_our_fault(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "none")}):
        systemd = Systemd(environ)
        systemd.tell(READY="1")
        systemd.close()
    with _listening(tmp_path / "deaf"):
        systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "deaf")})
        for _ in range(2_000):
            systemd.tell(WATCHDOG="1")
        systemd.close()
