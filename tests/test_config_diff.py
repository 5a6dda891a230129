"""What a reload says it changed: every key, with both values, and no more than can be read."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import attrs
from config_kit import Room

from lowcap.config_diff import CHANGES_MAX, changes_between
from lowcap.core.messages import Changed
from lowcap.settings import Settings

SECTIONS = ("limits", "sizing", "trigger", "hedge")


def changes(old: Settings, new: Settings) -> list[tuple[str, str, str]]:
    return [(c.key, c.old, c.new) for c in changes_between(old, new, SECTIONS)]


def test_each_key_is_named_with_both_values(tmp_path: Path) -> None:
    room = Room(tmp_path)
    old = room.load()
    assert changes(old, room.load()) == []
    room.change("open_positions_max = 20", "open_positions_max = 3")
    room.change("symbol_usd = {", "symbol_usd = { SUIUSDT = 5, ")
    room.change("[[50, 2]", "[[50, 3]")
    room.change('symbols = ["BTCUSDT"]', 'symbols = ["ETHUSDT"]')
    new = room.load()
    found = changes(old, new)
    assert ("limits.open_positions_max", "20", "3") in found
    assert ("sizing.symbol_usd.SUIUSDT", "nothing", "5") in found
    (match,) = [row for row in found if row[0].startswith("trigger.")]
    assert match[0].endswith(".match.symbols")
    assert match[1:] == ("[BTCUSDT]", "[ETHUSDT]")
    assert len(found) == 3, "protect is no section that was asked for"


def test_triggers_that_come_and_go(tmp_path: Path) -> None:
    old = Room(tmp_path).load()
    gone = attrs.evolve(old, trigger=old.trigger[1:])
    name = old.trigger[0].id
    ((key, was, now),) = changes(old, gone)
    assert (key, now) == (f"trigger.{name}", "nothing")
    assert was.startswith("payroll on ")
    assert changes(gone, old)[0][:2] == (f"trigger.{name}", "nothing")


def test_values_are_one_short_harmless_line_and_the_list_has_an_end(tmp_path: Path) -> None:
    old = Room(tmp_path).load()
    amounts = {f"C{number}USDT": Decimal(5) for number in range(CHANGES_MAX * 2)}
    wild = attrs.evolve(
        old,
        hedge=("a\x1b[2Jb\nc" * 100,),
        sizing=attrs.evolve(old.sizing, symbol_usd=amounts),
    )
    found = changes_between(old, wild, ("hedge", "sizing"))
    assert found[0].key == "hedge"
    assert found[0].new.isprintable()
    assert len(found[0].new) <= 200
    assert len(found) == CHANGES_MAX
    gone = len(old.sizing.symbol_usd)
    more = CHANGES_MAX * 2 + gone + 1 - (CHANGES_MAX - 1)
    assert found[-1] == Changed("and more", "", f"{more} keys")
