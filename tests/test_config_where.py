"""Faults with the file, the line and the range: for whoever must put them right."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_kit import SHIPPED, Room
from hypothesis import given
from hypothesis import strategies as st

from lowcap.config_where import check_files, check_text, key_of, lines_of


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_every_line_of_the_shipped_file_is_found() -> None:
    text = SHIPPED.splitlines()
    found = lines_of(SHIPPED)
    assert len(found) > 350
    for path, number in found.items():
        line = text[number - 1]
        assert path[-1] in line or (path[0], len(path)) == ("trigger", 2), (path, line)
    assert text[found["trigger", "elon_btc", "cooldown_s"] - 1] == "cooldown_s = 21_600"
    assert found["trigger", "elon_btc", "match", "symbols"] > found["trigger", "elon_btc", "match"]


def test_keys_in_long_values_are_no_keys() -> None:
    text = (
        'a = """\nb = 1\n[c]\n"""\nd = [\n  "e = 1",  # [f]\n  { g = 1 },\n]\n'
        "h = '''x''' # \"\"\"\n[i.\"j.k\"]\nl.m = 1\n"
    )
    assert lines_of(text) == {
        ("a",): 1,
        ("d",): 5,
        ("h",): 9,
        ("i", "j.k"): 10,
        ("i", "j.k", "l", "m"): 11,
    }


@given(st.text(alphabet="ab.=[]{}\"'#\n\\ ", max_size=200))
def test_no_text_upsets_the_search(text: str) -> None:
    count = len(text.splitlines())
    assert all(1 <= number <= count for number in lines_of(text).values())


def test_each_fault_names_file_line_and_range(room: Room) -> None:
    room.change("retries_max = 2", "retries_max = 9")
    room.add("10.toml", "[order]\n\ncolar_pct = 1\n")
    text = room.path.read_text(encoding="utf-8")
    line = text[: text.index("retries_max = 9")].count("\n") + 1
    faults = check_files(room.path, {"LOWCAP_LEVERAGE__MAX": "x"})
    assert [(f.key, f.where, f.line, f.range) for f in faults] == [
        ("order.colar_pct", "config.d/10.toml", 3, ""),
        ("leverage.max", "environment LOWCAP_LEVERAGE__MAX", None, "1 to 20"),
        ("order.retries_max", "config.toml", line, "0 to 2"),
    ]
    assert faults[0].told == (
        "order: unknown key colar_pct (did you mean collar_pct?) (config.d/10.toml, line 3)"
    )
    assert faults[1].told.endswith("(environment LOWCAP_LEVERAGE__MAX)")


def test_files_that_cannot_be_read_name_themselves(room: Room) -> None:
    room.add("10.toml", "a = 1\nb = \n")
    (fault,) = check_files(room.path, {})
    assert (fault.line, fault.told) == (2, fault.text)
    assert "config.d/10.toml" in fault.where
    (fault,) = check_files(room.folder / "none.toml", {})
    assert "no such file" in fault.told


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        ("order.collar_pct: expected a number", ("order", "collar_pct")),
        ("config: unknown key oder", ("oder",)),
        ("order: unknown key a (did you mean b?)", ("order", "a")),
        ("trigger elon_btc.match.any_of: x", ("trigger", "elon_btc", "match", "any_of")),
        ("hedge[3]: expected text", ("hedge",)),
        ("config: required key is missing", ()),
        (": odd", ()),
    ],
)
def test_the_key_of_a_fault(fault: str, key: tuple[str, ...]) -> None:
    assert key_of(fault) == key


@pytest.mark.parametrize(
    "text",
    [
        "a." * 20_000 + "b = 1",
        "x = {" + "a.b.c = 1, " * 1_000 + "d = 1 }",
        "a = " + "[" * 20_000,
        "limits = " + "{ a = " * 200 + "1" + " }" * 200,
        "[[trigger]]\n" * 1_000,
        "a = " + "w" * 50_000,
        "trigger = 5\nfeed = 5\nmode = 5\nlimits = 5",
        "\0",
        "a = '\ud800'",
    ],
    ids=lambda text: text[:12],
)
def test_odd_files_have_faults_and_do_no_harm(text: str) -> None:
    assert check_text(text, {})
