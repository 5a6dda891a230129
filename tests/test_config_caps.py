"""Settings of capitalisations and size tiers that make no sense, or no good."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lowcap.config_check import faults_of
from lowcap.settings import Caps, Limits, Settings, Sizing

D = Decimal
LIMITS = Limits(
    order_notional_usd_max=D(1),
    position_notional_usd_max=D(1),
    gross_notional_usd_max=D(1),
    open_positions_max=1,
    day_loss_usd_max=D(1),
)


def faults(*, caps: dict[str, Any] | None = None, sizing: dict[str, Any] | None = None) -> str:
    settings = Settings(limits=LIMITS, caps=Caps(**caps or {}), sizing=Sizing(**sizing or {}))
    return "; ".join(faults_of(settings))


def tiers(*rows: tuple[float, float]) -> dict[str, Any]:
    return {"tiers": tuple((D(str(floor)), D(str(usd))) for floor, usd in rows)}


def test_the_defaults_have_no_fault() -> None:
    assert faults() == ""


@pytest.mark.parametrize(
    ("section", "least", "most"),
    [
        ("interval_s", 60, 86_400),
        ("pages", 1, 40),
        ("rest_h", 1, 168),
        ("calls_per_min_max", 1, 500),
    ],
)
def test_bounds(section: str, least: int, most: int) -> None:
    for fine in (least, most):
        assert faults(caps={section: fine}) == ""
    for odd in (least - 1, most + 1):
        assert faults(caps={section: odd}) == f"caps.{section}: expected {least} to {most}"


@pytest.mark.parametrize(
    ("caps", "fault"),
    [
        ({"url": "http://api.coingecko.com/api/v3"}, "caps.url: expected https:// away from"),
        ({"url": "wss://api.coingecko.com"}, "caps.url: expected an address like https://"),
        ({"url": ""}, "caps.url: expected an address like https://"),
        ({"url": "https://["}, "caps.url: Invalid IPv6"),
        ({"url": "https://me:secret@h/"}, "caps.url: an address carries no user name"),
        ({"url": "https://h/?key=secret"}, "caps.url: expected an address without ? and #"),
        ({"url": "https://h/#x"}, "caps.url: expected an address without ? and #"),
        ({"key_file": "a\0b"}, "caps.key_file: expected a path"),
        ({"key_env": "A B"}, "caps.key_env: expected the name of"),
        ({"key_env": "A=B"}, "caps.key_env: expected the name of"),
        ({"key_env": "A", "key_file": "b"}, "caps: expected key_file or key_env, not both"),
    ],
)
def test_addresses_and_keys(caps: dict[str, Any], fault: str) -> None:
    found = faults(caps=caps)
    assert found.startswith(fault)
    assert "secret" not in found


@pytest.mark.parametrize(
    "caps",
    [
        {"url": "http://127.0.0.1:8080/coingecko"},
        {"url": "https://pro-api.coingecko.com/api/v3", "key_env": "COINGECKO_KEY"},
        {"url": "", "enabled": False},
    ],
)
def test_addresses_that_are_fine(caps: dict[str, Any]) -> None:
    assert faults(caps=caps) == ""


@pytest.mark.parametrize("name", ["scale", "default_usd", "unknown_usd", "signal_usd_max"])
@pytest.mark.parametrize("amount", [0, -1])
def test_amounts_above_zero(name: str, amount: int) -> None:
    assert faults(sizing={name: D(amount)}) == f"sizing.{name}: expected more than 0"


@pytest.mark.parametrize(
    ("sizing", "fault"),
    [
        (tiers(), "sizing.tiers: expected 1 to 6 tiers, not 0"),
        (tiers(*((n, 1) for n in range(6, -1, -1))), "sizing.tiers: expected 1 to 6 tiers, not 7"),
        (tiers((10, 1)), "sizing.tiers: expected the last tier to start at 0, not 10"),
        (tiers((10, 1), (-1, 1)), "sizing.tiers: expected the last tier to start at 0, not -1"),
        (tiers((10, 1), (10, 1), (0, 1)), "sizing.tiers: expected each tier to start below"),
        (tiers((5, 1), (10, 1), (0, 1)), "sizing.tiers: expected each tier to start below"),
        (tiers((10, 0), (0, 1)), "sizing.tiers: expected sizes above 0"),
        (tiers((10, 1), (0, -1)), "sizing.tiers: expected sizes above 0"),
    ],
)
def test_tiers(sizing: dict[str, Any], fault: str) -> None:
    assert faults(sizing=sizing).startswith(fault)


def test_tiers_that_are_fine() -> None:
    assert faults(sizing=tiers((0, 1))) == ""
    assert faults(sizing=tiers((0.5, 1), (0, 2))) == ""
