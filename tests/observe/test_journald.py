"""A real journal: systemd-journald with a namespace of its own, asked by journalctl."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from lowcap.control.logquery import IDENTIFIER, journalctl_words
from lowcap.core import facts
from lowcap.core.facts import Record
from lowcap.core.messages import Purpose
from lowcap.core.money import Side
from lowcap.observe.journal import JournalSink
from lowcap.observe.kinds import KINDS
from lowcap.observe.ledgerlog import LedgerLog
from lowcap.observe.logs import LogRing, set_level, set_up_logging
from lowcap.terminal.logstore import journal_rows

JOURNALD = Path("/lib/systemd/systemd-journald")
NAMESPACE = f"lowcaptest{os.getpid()}"
Json = dict[str, Any]

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a journal of its own needs root"),
    pytest.mark.skipif(not JOURNALD.exists(), reason="no systemd-journald here"),
    pytest.mark.skipif(shutil.which("journalctl") is None, reason="no journalctl here"),
]


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def journal_socket() -> Iterator[Path]:
    if not _machine_id():
        pytest.skip("this machine has no id, which a journal needs")
    runtime = Path(f"/run/systemd/journal.{NAMESPACE}")
    made = [
        runtime,
        *(Path(base) / f"{_machine_id()}.{NAMESPACE}" for base in
          ("/run/log/journal", "/var/log/journal")),
    ]  # fmt: skip
    child = subprocess.Popen(
        [JOURNALD, NAMESPACE], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        for _ in range(200):
            if (runtime / "socket").exists():
                break
            if child.poll() is not None:
                assert child.stderr is not None
                pytest.skip(f"systemd-journald does not start: {child.stderr.read()[-200:]!r}")
            time.sleep(0.05)
        yield runtime / "socket"
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
        for path in made:
            shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def ring(journal_socket: Path) -> Iterator[LogRing]:
    made = set_up_logging("debug", {}, mode="dry")
    made.outlets.append(JournalSink(str(journal_socket)))
    yield made
    made.close()
    logger.remove()
    logger.configure(extra={}, patcher=lambda record: None)  # type: ignore[arg-type]
    set_level("trace")


def _found(*matches: str, least: int = 1) -> list[Json]:
    """The entries that match, once there are as many as there should be."""
    words = ["journalctl", f"--namespace={NAMESPACE}", "-o", "json", "--all", "--quiet", *matches]
    lines: list[str] = []
    for _ in range(100):
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        lines = done.stdout.splitlines()
        if len(lines) >= least:
            break
        time.sleep(0.05)
    return [json.loads(line) for line in lines]


def _tell(*bodies: tuple[facts.Fact, int]) -> None:
    log = LedgerLog()
    for at, (body, cause) in enumerate(bodies):
        log.read(Record(seq=40 + at, ts=0, run=1, kind=type(body).__name__, cause=cause, body=body))


def test_records_are_found_by_their_fields(ring: LogRing) -> None:
    seen = facts.NewsSeen(feed="tokyo", source_id="9", headline="Bitcoin", decision="signal")
    raised = facts.SignalRaised(
        trigger="elon_btc", feed="tokyo", side=Side.BUY, symbols=("BTCUSDT",), matched=("b",),
        tier="regular", age_ms=5,
    )  # fmt: skip
    entry = facts.OrderIntended(
        client_id="lcd-1-42-e", symbol="BTCUSDT", side=Side.BUY, purpose=Purpose.ENTRY,
        type="LIMIT", leg="e", recv_window_ms=1_000, timestamp_ms=0,
    )  # fmt: skip
    sent = facts.OrderSent(client_id="lcd-1-42-e", road="socket", stages_us={"detect": 12.5})
    updated = facts.OrderUpdated(
        client_id="lcd-1-42-e", status="rejected", source="reply", order_id=77, code=-2019,
        reason="Margin is insufficient.",
    )  # fmt: skip
    refused = facts.Refused(
        symbol="ETHUSDT", side=Side.BUY, check="day-loss", measured="1", limit="0"
    )
    _tell((seen, 0), (raised, 40), (entry, 41), (sent, 42), (updated, 42), (refused, 41))
    assert len(_found("LOWCAP_TRACE=40", least=6)) == 6
    for match, kind in (
        ("CLIENT_ID=lcd-1-42-e", {"order.entry", "order.sent", "order.rejected"}),
        ("ORDER_ID=77", {"order.rejected"}),
        ("GUARD=day-loss", {"guard.blocked"}),
        ("REASON=-2019 Margin is insufficient.", {"order.rejected"}),
        ("LOWCAP_LAT_DETECT_NS=12500", {"order.sent"}),
        ("LOWCAP_LOG=detections", {"signal.raised"}),
        ("LOWCAP_FOLDER=twitter_elon", {k["LOWCAP_KIND"] for k in _found("LOWCAP_TRACE=40")[1:]}),
        (f"MESSAGE_ID={KINDS['order.entry'].message_id}", {"order.entry"}),
        ("PRIORITY=4", {"order.rejected", "guard.blocked"}),
    ):
        assert {entry["LOWCAP_KIND"] for entry in _found(match)} == kind, match
    (one,) = _found("LOWCAP_KIND=order.entry")
    wanted = {
        "SYSLOG_IDENTIFIER": IDENTIFIER, "LOWCAP_AREA": "orders", "LOWCAP_LOG": "placements",
        "LOWCAP_MODE": "dry", "LOWCAP_FEED": "tokyo", "LOWCAP_TRIGGER": "elon_btc",
        "LOWCAP_SYMBOL": "BTCUSDT", "SIDE": "BUY", "CODE_FUNC": "read", "PRIORITY": "6",
        "_TRANSPORT": "journal", "_PID": str(os.getpid()),
    }  # fmt: skip
    assert wanted.items() <= one.items()
    asked = journalctl_words({"output": "json", "trace": 40}, datetime.now(UTC), NAMESPACE)
    assert list(journal_rows([*asked, "_UID=12345"])) == []
    rows = list(journal_rows([*asked, f"_UID={os.geteuid()}"]))
    kept = {row["cursor"]: row for row in ring.rows()}
    assert len(rows) == 6
    for row in rows:
        del row["at"]
        assert row.items() <= kept[row["cursor"]].items()


def test_a_large_record_arrives_whole(ring: LogRing) -> None:
    large = "y" * 800_000
    try:
        raise ValueError(large)
    except ValueError as error:
        logger.opt(exception=error).bind(kind="daemon.failed").critical("{}", "the daemon ends")
    (entry,) = _found(f"MESSAGE_ID={KINDS['daemon.failed'].message_id}")
    assert entry["MESSAGE"].startswith("the daemon ends\nTraceback")
    assert entry["MESSAGE"].endswith(f"ValueError: {large}")
    assert ring.stats()["dropped"] == 0


def test_a_headline_cannot_forge_a_record(ring: LogRing) -> None:
    forged = "x\nMESSAGE=forged\nPRIORITY=0\nLOWCAP_KIND=forged\n\nMESSAGE=second"
    seen = facts.NewsSeen(
        feed=f"bwe\n{forged}", source_id=forged, headline=forged, decision="none", reason=forged
    )
    _tell((seen, 0))
    try:
        raise ValueError(forged)
    except ValueError as error:
        logger.opt(exception=error).error("{}", forged)
    logger.bind(kind="log.line").warning("{}", "the last one")
    last = _found("LOWCAP_KIND=log.line", least=2)[-1]
    assert last["MESSAGE"] == "the last one"
    assert _found("LOWCAP_KIND=forged", least=0) == []
    for match in ("MESSAGE=forged", "MESSAGE=second", "PRIORITY=0"):
        done = subprocess.run(
            ["journalctl", f"--namespace={NAMESPACE}", "-o", "json", "--quiet", match],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.stdout == "", match
