"""The configuration reference and the examples say what the code says."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from config_kit import Room

from lowcap import config_check, config_protect
from lowcap.config import load
from lowcap.config_help import HELP
from lowcap.config_keys import all_keys, help_of, pattern_of, range_of
from lowcap.config_reference import reference
from lowcap.config_values import Leaf, leaves
from lowcap.detection import trigger

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "contrib" / "config").glob("*.toml"))


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: make config-reference"


def test_every_key_has_its_line_of_help_and_every_line_its_key() -> None:
    without = [key.pattern for key in all_keys() if not help_of(key.pattern)]
    assert not without, "lowcap/config_help.py wants a line for each of these"
    assert not set(HELP) - {key.pattern for key in all_keys()}


def test_every_key_that_a_configuration_has_is_known(tmp_path: Path) -> None:
    known = {key.pattern for key in all_keys()}
    found: list[Leaf] = list(leaves(Room(tmp_path).load()))
    assert {pattern_of(leaf.parts) for leaf in found} <= known
    assert len(found) > 500


def test_every_bound_of_the_check_is_shown() -> None:
    bounds = dict(config_check.WITHIN)
    bounds |= {f"feed.*.{name}": bound for name, bound in config_check.FEED_WITHIN.items()}
    bounds |= {f"protect.{name}": bound for name, bound in config_protect.WITHIN.items()}
    bounds |= {f"trigger.*.{name}": bound for name, bound in trigger.WITHIN.items()}
    for pattern, (least, most) in bounds.items():
        shown = range_of(pattern).replace("_", "")
        assert shown.startswith(f"{least} to {most}"), pattern
    for pattern in config_check.ABOVE_ZERO:
        assert "more than 0" in range_of(pattern)
    for table in (config_check.AT_MOST, config_check.CEILINGS):
        for pattern, most in table.items():
            assert f"at most {most}" in range_of(pattern).replace("_", "")


def test_a_shown_range_is_what_the_check_holds(tmp_path: Path) -> None:
    """Just outside of every shown range the check says so, in the same words."""
    room = Room(tmp_path)
    room.load()
    for pattern, (least, most) in config_check.WITHIN.items():
        section, name = pattern.split(".")
        for outside in (least - 1, most + 1):
            room.add("90.toml", f"[{section}]\n{name} = {outside}\n")
            assert f"{pattern}: expected {least} to {most}" in room.faults()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_pass_the_check(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lowcap", "check", str(example)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert f"fine ({example.stem} mode" in done.stdout
    room = Room(tmp_path)
    room.add(example.name, example.read_text(encoding="utf-8"))
    settings, _ = load(room.path, {})
    assert settings.mode == example.stem
    assert len(settings.trigger) == 16
    assert settings.limits.order_notional_usd_max <= 10_000
    assert settings.mode != "live" or settings.limits.equity_floor_usd > Decimal(0)


def test_there_is_an_example_for_every_mode() -> None:
    assert {path.stem for path in EXAMPLES} == set(config_check.MODES)
