"""The log: a ring, the journal, a file, stderr for people; one row of plain data for all."""

from __future__ import annotations

import io
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from loguru import logger

from lowcap.control.select import keep_for
from lowcap.observe import logs
from lowcap.observe.journal import JournalSink
from lowcap.observe.kinds import KINDS
from lowcap.observe.logfile import LOG_FILE, LogFile
from lowcap.observe.logs import LogRing, has_journal, set_level, set_up_logging
from lowcap.observe.systemd import Systemd


@pytest.fixture(autouse=True)
def _loguru_as_before() -> Iterator[None]:
    yield
    logger.remove()
    logger.configure(extra={}, patcher=lambda record: None)  # type: ignore[arg-type]
    set_level("trace")


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        reader.bind(str(path))
        reader.settimeout(2)
        yield reader


@contextmanager
def _stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
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
    with _stderr(monkeypatch) as text:
        ring = set_up_logging("info", {})
        logger.info("{}", "{not a format} \x1b]0;title\x07 \u202eevil\r\nsecond")
        logger.debug("{}", "not shown")
        try:
            raise ZeroDivisionError("why")
        except ZeroDivisionError as error:
            logger.opt(exception=error).bind(kind="command.bug").error("{}", "it broke")
    first, second, *traceback = text.getvalue().splitlines()
    assert "{not a format} \\u001b]0;title\\u0007 \\u202eevil\\u000d second" in first
    assert " system " in first
    assert "ERROR" in second
    assert " control " in second
    assert any("ZeroDivisionError: why" in line for line in traceback)
    line = ring.rows()[0]
    assert line["at"][11:19] == first[:8]
    now = time.gmtime()
    assert line["at"].startswith(f"{now.tm_year}-{now.tm_mon:02}-{now.tm_mday:02}T")
    assert abs(int(line["at"][11:13]) - now.tm_hour) <= 1


def test_a_record_is_one_row_of_plain_data() -> None:
    ring = LogRing("live")
    logger.remove()
    logger.add(ring.sink, format="{message}")
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError as error:
        told = logger.opt(exception=error).bind(
            kind="order.filled", trace=7, feed="tokyo", trigger="elon_btc",
            folder="twitter_elon", symbol="BTCUSDT", fields={"SIDE": "BUY"},
        )  # fmt: skip
        told.info("{}", "FILL")
    logger.bind(kind="no such kind").warning("{}", "a remark")
    first, second = ring.rows()
    kind = KINDS["order.filled"]
    assert first["fields"].pop("TRACEBACK").endswith("ZeroDivisionError: why")
    assert int(first["fields"].pop("CODE_LINE")) > 50
    begun, _, number = first["cursor"].partition("-")
    assert abs(int(begun, 16) - time.time()) < 60
    assert number == "1"
    del first["cursor"], first["at"]
    assert first == {
        "level": "info", "area": "orders", "log": "executions", "kind": "order.filled",
        "text": "FILL", "trace": 7, "feed": "tokyo", "trigger": "elon_btc",
        "folder": "twitter_elon", "symbol": "BTCUSDT", "mode": "live",
        "message_id": kind.message_id,
        "fields": {"SIDE": "BUY", "CODE_FILE": f"{__name__}.py",
                   "CODE_FUNC": "test_a_record_is_one_row_of_plain_data"},
    }  # fmt: skip
    assert (second["kind"], second["area"], second["cursor"]) == (
        "log.line",
        "system",
        f"{begun}-2",
    )
    msgspec.json.encode(second)


def test_the_log_goes_to_the_journal_where_that_reads_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JournalSink.__init__, "__defaults__", (str(tmp_path / "journal"),))
    found = os.fstat(2)
    told = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
    with _listening(tmp_path / "journal") as reader, _stderr(monkeypatch) as text:
        ring = set_up_logging("debug", told, folder=tmp_path, mode="dry")
        logger.info("{}", "to the journal")
        assert b"to the journal" in reader.recv(4096)
    assert text.getvalue() == ""
    assert not (tmp_path / LOG_FILE).exists()
    assert (ring.stats()["to"], ring.stats()["file"]) == ("journal", None)
    ring.close()
    assert not has_journal({"JOURNAL_STREAM": "8:1"})
    assert not has_journal({})


def test_without_a_journal_there_is_a_file_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _stderr(monkeypatch) as text:
        ring = set_up_logging("info", {}, folder=tmp_path, mode="dry")
        logger.info("{}", "seen by people")
    assert "seen by people" in text.getvalue()
    (line,) = (tmp_path / LOG_FILE).read_bytes().splitlines()
    assert [msgspec.json.decode(line)] == ring.rows()
    assert ring.stats()["file"] == str(tmp_path / LOG_FILE)
    ring.close()


def test_the_level_changes_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with _stderr(monkeypatch) as text:
        ring = set_up_logging("warning", {})
        logger.info("{}", "one")
        set_level("debug")
        assert logs.is_wanted("debug")
        logger.debug("{}", "two")
        set_level("error")
        assert not logs.is_wanted("warning")
        logger.warning("{}", "three")
    assert [row["text"] for row in ring.rows()] == ["two"]
    assert [line.split()[-1] for line in text.getvalue().splitlines()] == ["two"]


def test_the_ring_is_bounded_and_filtered() -> None:
    ring = LogRing()
    seen: list[str] = []
    ring.on_record = lambda line: seen.append(line["text"])
    logger.remove()
    logger.add(ring.sink, level="TRACE")
    for level in ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"):
        logger.log(level, "{}", f"{level} Stop(")

    def texts(**params: object) -> list[str]:
        return [line["text"].split()[0] for line in ring.rows() if keep_for("logs", params)(line)]

    assert len(texts()) == len(seen) == 7
    assert texts(priority="warning") == ["WARNING", "ERROR", "CRITICAL"]
    assert texts(priority="CRITICAL") == ["CRITICAL"]
    assert texts(errors=True) == texts(errors=True, priority="info") == ["ERROR", "CRITICAL"]
    assert texts(grep="error stop(") == ["ERROR"]
    for number in range(logs.RING_RECORDS + 10):
        logger.info("{}", number)
    assert len(ring.rows()) == logs.RING_RECORDS
    stats = ring.stats()
    assert (stats["records"], stats["kept"]) == (logs.RING_RECORDS + 17, logs.RING_RECORDS)
    assert stats["by_level"] == {
        "trace": 1, "debug": 1, "success": 1, "warning": 1, "error": 1, "critical": 1,
        "info": logs.RING_RECORDS + 11,
    }  # fmt: skip
    assert stats["by_area"] == {"system": stats["records"]}


def test_cursors_page_through_the_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "RING_RECORDS", 10)
    ring = LogRing()
    logger.remove()
    logger.add(ring.sink)
    for number in range(25):
        logger.info("{}", number)
    rows = ring.rows()
    assert [row["text"] for row in rows] == [str(n) for n in range(15, 25)]
    for at, row in enumerate(rows):
        assert ring.behind(row["cursor"]) == rows[at + 1 :]
        assert ring.find(row["cursor"]) == row
    begun = rows[0]["cursor"].partition("-")[0]
    for elsewhere in ("0-0", "", "x", f"{begun}-3", f"{begun}-", f"{begun}-²", "f-20"):
        assert ring.behind(elsewhere) == rows
        assert ring.find(elsewhere) is None
    assert ring.behind(f"{begun}-{'9' * 400}") == []
    assert ring.find(f"{begun}-26") is None


def test_the_ring_keeps_the_head_of_a_very_long_traceback() -> None:
    ring = LogRing()
    logger.remove()
    logger.add(ring.sink, format="{message}")
    try:
        raise ValueError("y" * 100_000)
    except ValueError as error:
        logger.opt(exception=error).error("{}", "it broke")
    assert len(ring.rows()[0]["fields"]["TRACEBACK"]) == logs.TRACEBACK_KEPT_MAX + 1


# -- the file ------------------------------------------------------------------------


def _texts(path: Path) -> list[str]:
    return [msgspec.json.decode(line)["text"] for line in path.read_bytes().splitlines()]


def test_the_file_turns_over(tmp_path: Path) -> None:
    path = tmp_path / LOG_FILE
    for start in (0, 50):  # a second run goes on where the first has left
        file = LogFile(path, bytes_max=200, files=3)
        for number in range(start, start + 50):
            file.write({"text": f"{number:04}"})
        file.close()
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == [LOG_FILE, f"{LOG_FILE}.1", f"{LOG_FILE}.2"]
    assert all(each.stat().st_size <= 200 for each in tmp_path.iterdir())
    kept = [t for name in reversed(names) for t in _texts(tmp_path / name)]
    assert kept == [f"{n:04}" for n in range(100 - len(kept), 100)]
    assert len(kept) > 20


def test_a_line_that_a_crash_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / LOG_FILE
    path.write_bytes(b'{"text": "whole"}\n{"text": "ha')
    file = LogFile(path)
    file.write({"text": "next"})
    file.close()
    assert path.read_bytes().splitlines()[1:] == [b'{"text": "ha', b'{"text":"next"}']


def test_a_disk_that_refuses_is_counted(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "none" / LOG_FILE)
    file.write({"text": "lost"})
    assert file.dropped == 1
    (tmp_path / "none").mkdir()
    file.write({"text": "written"})
    assert file.dropped == 1
    file.close()
    full = LogFile(Path("/dev/full"))
    full.write({"text": "lost"})
    full.close()
    assert full.dropped == 1


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
