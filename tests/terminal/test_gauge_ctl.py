"""latency, stats, health, metrics, account and prices as processes against a real daemon."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from terminal_kit import Daemon

from lowcap.control.commands import BY_NAME, TRADE, VIEW
from lowcap.terminal.render import ROW_KEYS


def told(daemon: Daemon, *words: str, code: int = 0) -> Any:
    done = daemon.ctl(*words, "--json")
    assert (done.returncode, done.stderr) == (code, ""), (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("latency",), 0),
        (("latency", "table", "--stage", "risk"), 0),
        (("latency", "--stage", "nothing"), 2),
        (("latency", "hist"), 0),
        (("latency", "hist", "--stage", "leverage"), 2),
        (("latency", "bottlenecks"), 0),
        (("latency", "export", "-n", "5"), 0),
        (("latency", "export", "-n", "0"), 2),
        (("latency", "reset"), 0),
        (("latency", "advise"), 2),
        (("stats",), 0),
        (("health",), 1),  # its feeds point at a closed port
        (("health", "--component", "ledger"), 0),
        (("health", "--component", "feed"), 1),
        (("health", "--component", "nothing"), 1),
        (("metrics",), 0),
        (("metrics", "--prom"), 0),
        (("account",), 0),
        (("balance",), 0),
        (("prices",), 0),
        (("prices", "1000*"), 0),
        (("prices", "btc"), 0),
        (("prices", "NOSUCH"), 1),
    ],
)
def test_it_runs_and_says_how_it_went(daemon: Daemon, words: tuple[str, ...], code: int) -> None:
    done = daemon.ctl(*words)
    assert done.returncode == code, (done.stdout, done.stderr)
    if code == 0:
        assert done.stderr == ""
    else:  # a fault is told on one of both, never on both
        assert bool(done.stdout) != bool(done.stderr)


def test_health_says_the_same_to_people_programs_and_scripts(daemon: Daemon) -> None:
    value = told(daemon, "health", code=1)
    assert value["ok"] is False
    rows = [line.split("\t") for line in daemon.ctl("health").stdout.splitlines()]
    assert [row[:3] for row in rows] == [
        [each["name"], each["kind"], str(each["ok"])] for each in value["components"]
    ]
    assert all(row[2] == "False" for row in rows if row[0].startswith("feed:"))
    assert told(daemon, "health", "--component", "venue")["ok"] is True


def test_metrics_as_text_survive_the_pipe(daemon: Daemon) -> None:
    text = daemon.ctl("metrics", "--prom").stdout
    names = {family.name for family in text_string_to_metric_families(text)}
    assert names >= {
        "lowcap_stage_seconds", "lowcap_orders", "lowcap_trades", "lowcap_volume_usd",
        "lowcap_errors", "lowcap_feed_reconnects", "lowcap_log_records", "lowcap_connections",
        "lowcap_process_resident_bytes", "lowcap_positions", "lowcap_unrealized_usd",
        "lowcap_state",
    }  # fmt: skip
    for name in names:
        assert f"# HELP {name}" in text
    [value] = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "lowcap_connections"
    ]
    assert value == 1  # ours
    assert told(daemon, "metrics", "--prom")["text"].startswith("# HELP")


def test_rows_for_programs(daemon: Daemon) -> None:
    done = daemon.ctl("--header", "latency")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert tuple(lines[0]) == ROW_KEYS["latency"]
    assert len(lines) == 13
    rows = list(csv.reader(io.StringIO(daemon.ctl("latency", "export", "--csv").stdout)))
    assert rows == [list(ROW_KEYS["latency export"])]
    rows = list(csv.reader(io.StringIO(daemon.ctl("latency", "--csv").stdout)))
    assert [row[0] for row in rows[1:]] == [line[0] for line in lines[1:]]
    [price] = [line.split("\t") for line in daemon.ctl("prices", "BTC").stdout.splitlines()]
    assert dict(zip(ROW_KEYS["prices"], price, strict=True))["symbol"] == "BTCUSDT"


def test_forgetting_what_was_measured_needs_more_than_looking() -> None:
    latency = BY_NAME["latency"]
    assert latency.role_for({"action": "reset"}) == TRADE
    assert latency.role_for({"action": "export"}) == latency.role_for({}) == VIEW
