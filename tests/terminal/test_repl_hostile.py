"""Texts that want to move the cursor, forge a line, ring or recolour."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from repl_kit import STATUS, Open
from terminal_kit import EVENT, FakeDaemon

from lowcap.terminal.bar import prompt_words, toolbar
from lowcap.terminal.render import event_lines
from lowcap.terminal.table import Style, width_of

HOSTILE = [
    "\x1b[2J\x1b[H", "\x1b]0;stolen\x07", "\x9b31m", "\r", "\n", "\x0b", "\x85", "\u2028", "\u2029",
    "\x08\x08", "\x7f", "\x00", "\x1b[6n", "\x1b[?1049h", "\x1bc", "\x0e", "\u202e", "\u2066",
    "\u200b", "\u200d", "\ufeff", "\U000e0041", "\ud800", "\x1bP+q\x1b\\", "lowcap LIVE> ",
]  # fmt: skip
TEXTS = st.lists(
    st.sampled_from(HOSTILE) | st.text(max_size=12) | st.characters(categories=("Cc", "Cf")),
    max_size=12,
).map("".join)
COLUMNS = st.sampled_from((20, 44, 80, 120))


def harmless(text: str) -> bool:
    """Nothing in it but what shows where it stands."""
    bad = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return not any(unicodedata.category(character) in bad for character in text)


@given(TEXTS, TEXTS, COLUMNS)
def test_an_event_is_what_it_is(text: str, kind: str, columns: int) -> None:
    lines = event_lines(EVENT | {"text": text, "kind": kind}, Style(colour=False), columns)
    assert all(harmless(line) and width_of(line) <= columns for line in lines)
    assert all(line.startswith(" ") for line in lines[1:])  # a further line is none of its own


@given(TEXTS, TEXTS, TEXTS, COLUMNS)
def test_prompt_and_toolbar_are_one_line(mode: str, state: str, why: str, columns: int) -> None:
    status = STATUS | {"mode": mode, "state": state, "now": f"2026-02-06T{why[:8]:<8}.000Z"}
    for shown in (
        prompt_words(status),
        toolbar(status, "", False, columns).text,
        toolbar(None, why, False, columns).text,
    ):
        assert harmless(shown)
    assert width_of(toolbar(status, "", False, columns).text) <= columns
    assert width_of(toolbar(None, why, False, columns).text) <= columns


def test_hostile_texts_on_a_real_screen(fake: FakeDaemon, tmp_path: Path, open_repl: Open) -> None:
    nasty = "".join(text for text in HOSTILE if text != "\ud800")
    feeds = [{"name": f"f{nasty}", "state": "down", "why": nasty}]
    fake.answers["status"] = {
        "value": STATUS | {"feeds": feeds, "symbols": [f"EVIL{nasty}"], "trigger_ids": [nasty]}
    }
    fake.answers["logs"] = {"value": [{"at": STATUS["now"], "text": nasty, "level": "error"}]}
    repl = open_repl(tmp_path / "f.sock")
    repl.expect("last error 13:30:05Z: ")
    repl.at_prompt("LIVE ARMED")
    repl.type("feed show")
    repl.expect(lambda: repl.prompt_line().endswith("> feed show"))
    repl.type(" ")
    repl.expect("f\\u001b[2J")  # in the menu
    for number, text in enumerate([*HOSTILE[:-3], nasty], 100):
        fake.push(EVENT | {"seq": number, "text": f"BEGIN{number}{text}forged END{number}"})
    fake.push(EVENT | {"seq": 999, "text": "FILL the last"})
    repl.expect("FILL the last")
    repl.expect(lambda: repl.prompt_line() == "lowcap LIVE ARMED> feed show")
    for line in repl.lines():
        assert "forged" not in line or "BEGIN" in line or line.startswith(" " * 20), line
    for bad in (b"\x07", b"\x9b31m", b"\x1bc", b"\x0e", b"\x1b[?1049h", b"\x1b]", b"\xe2\x80\xae"):
        assert bad not in repl.raw
    assert repl.screen.title == ""
    row = next(y for y, line in enumerate(repl.screen.display) if "FILL the last" in line)
    assert {repl.screen.buffer[row][x].fg for x in range(40)} == {"default"}
    repl.type("\x03")
    repl.leave()
