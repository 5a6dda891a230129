"""What is measured, as configured: a target for a stage that exists, a file by its whole path."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from config_kit import Room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("latency.target_ms = { sending = 1 }",
         "latency.target_ms.sending: expected one of receive, parse, detect"),
        ("latency.target_ms = { price = 1 }",
         "latency.target_ms.price: is measured within risk; set that one"),
        ("latency.target_ms = { total = 0 }", "latency.target_ms.total: expected more than 0"),
        ("latency.target_ms = { total = -3 }", "latency.target_ms.total: expected more than 0"),
        ("latency.target_ms = { total = 60_001 }", "latency.target_ms.total: expected more than 0"),
        ('latency.target_ms = { total = "1" }', "latency.target_ms.total: expected a number"),
        ('metrics.textfile = "lowcap.prom"', "metrics.textfile: expected a file by its whole path"),
        ('metrics.textfile = "/run/"', "metrics.textfile: expected a file by its whole path"),
        ('metrics.textfile = "/run/a\\u0000b"', "metrics.textfile: expected a path, not text with"),
        ("metrics.textfile = 5", "metrics.textfile: expected text, not 5"),
        ("metrics.file = 5", "metrics: unknown key file"),
    ],
)  # fmt: skip
def test_faults_carry_their_path(room: Room, given: str, fault: str) -> None:
    room.add("measure.toml", given)
    faults = room.faults()
    assert any(found.startswith(fault) for found in faults), faults


def test_what_is_well_formed_is_taken(room: Room) -> None:
    assert (room.load().latency.target_ms, room.load().metrics.textfile) == ({}, "")
    room.add(
        "measure.toml",
        'latency.target_ms = { submit = 1.5, wait = 3 }\nmetrics.textfile = "/run/lowcap.prom"',
    )
    settings = room.load()
    assert settings.latency.target_ms == {"submit": Decimal("1.5"), "wait": 3}
    assert settings.metrics.textfile == "/run/lowcap.prom"
