"""The pages of ``top`` without a terminal: what stands where, and that nothing leaves its place.

The screens are kept as text files; LOWCAP_WRITE_SCREENS=1 writes them anew, to be read in the
difference before they are committed.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from top_models import NAMES, event_value, log_value, position_value, sample, status_value
from wcwidth import wcswidth

from lowcap.terminal.top.ask import Ask, Editor
from lowcap.terminal.top.frame import screen
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.seat import Seat
from lowcap.terminal.top.text import clean, fit, line, sparkline, text_of
from lowcap.terminal.top.view import LOGS, PAGES, POSITIONS, View

SCREENS = Path(__file__).parent / "screens"
WIDTHS = (44, 80, 120)
HEIGHT = 32
HOSTILE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me", "Mc"}


def _pressed(model: Model, keys: str) -> Seat:
    seat = Seat(model)
    for key in keys:
        seat.press({"\n": "enter", "↓": "down"}.get(key, key))
    return seat


def _lost() -> Seat:
    model = sample()
    model.lost("nobody answers (Connection refused), tried again every 1 s")
    return Seat(model)


def _armed() -> Seat:
    return Seat(sample(mode="live", armed=True, state="ACTIVE", holds=[]))


SCENES: dict[str, Callable[[], Seat]] = {
    "overview": lambda: _pressed(sample(), "1"),
    "positions": lambda: _pressed(sample(), "2↓"),
    "logs": lambda: _pressed(sample(), "3"),
    "logs-filtered": lambda: _pressed(sample(), "3ll/sto\n"),
    "log-detail": lambda: _pressed(sample(), "3\n"),
    "settings": lambda: _pressed(sample(), "4"),
    "settings-edit": lambda: _pressed(sample(), "4↓e"),
    "settings-sure": lambda: _pressed(sample(), "4↓e5\n"),
    "close-sure": lambda: _pressed(sample(), "2x"),
    "help": lambda: _pressed(sample(), "?"),
    "help-reader": lambda: _pressed(sample(role="view"), "?"),
    "reader": lambda: _pressed(sample(role="view"), "2"),
    "lost": _lost,
    "armed": _armed,
    "nothing-yet": lambda: Seat(Model()),
    "flat": lambda: _pressed(Model(status=status_value(), connected=True), "2"),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scene", SCENES)
def test_a_screen_is_as_it_was(scene: str, width: int) -> None:
    seat = SCENES[scene]()
    seat.width = width
    lines = screen(seat.model, seat.view, width, HEIGHT)
    shown = "".join(text_of(each).rstrip() + "\n" for each in lines)
    kept = SCREENS / f"{scene}-{width}.txt"
    if os.environ.get("LOWCAP_WRITE_SCREENS"):
        kept.write_text(shown, encoding="utf-8")
    assert shown == kept.read_text(encoding="utf-8")


def test_no_screen_is_kept_that_nothing_shows() -> None:
    wanted = {f"{scene}-{width}.txt" for scene in SCENES for width in WIDTHS}
    assert {path.name for path in SCREENS.iterdir()} == wanted


def _is_tidy(seat: Seat, width: int, height: int) -> None:
    lines = screen(seat.model, seat.view, width, height)
    assert len(lines) == height
    for each in lines:
        text = text_of(each)
        assert wcswidth(text) == width, (text, width)
        assert not any(unicodedata.category(character) in HOSTILE for character in text), text


TEXTS = st.text(max_size=80) | st.text(
    st.sampled_from("\x1b[2J\x07\r\n\t\u202e\u2066\u200d\ufe0f\u0301\u1161👩🇩업A x"), max_size=60
)


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.integers(1, 130), st.integers(1, 50), st.sampled_from(sorted(SCENES)))
def test_no_text_leaves_its_line(text: str, width: int, height: int, scene: str) -> None:
    seat = SCENES[scene]()
    seat.model = sample(text, role="admin" if scene != "reader" else "view")
    seat.model.why = text
    seat.view.notice = ("bad", text)
    seat.view.filters.text = ""
    if seat.view.pager is not None:
        seat.view.pager.lines = [text, *seat.view.pager.lines]
    _is_tidy(seat, width, height)


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 100), st.integers(0, 100))
def test_what_is_typed_stays_on_the_screen(question: str, typed: str, width: int, at: int) -> None:
    seat = Seat(sample())
    editor = Editor()
    editor.insert(typed)
    editor.at = min(at, len(editor.text))
    seat.view.ask = Ask(question, lambda _: (), editor=editor, offers=[typed, question])
    _is_tidy(seat, width, 10)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.sampled_from(["status", "positions", "latency", "stats", "config"]),
    st.sampled_from(sorted(PAGES)),
)
def test_a_reply_of_another_shape_breaks_nothing(
    data: st.DataObject, method: str, page: int
) -> None:
    model = sample()
    rows = {
        "status": status_value(), "positions": position_value("BTCUSDT"),
        "latency": model.latency or {}, "stats": model.stats or {}, "config": model.config[0],
    }[method]  # fmt: skip
    odd = dict(rows)
    for name in data.draw(st.lists(st.sampled_from(sorted(odd)), min_size=1, unique=True)):
        odd[name] = data.draw(JSON)
    wanted = [odd, rows] if method in ("positions", "config") else odd
    model.answered(method, wanted)
    seat = Seat(model)
    seat.view.page = page
    _is_tidy(seat, 80, 30)


@given(TEXTS, st.integers(0, 60))
def test_a_fitted_line_is_as_wide_as_was_asked(text: str, width: int) -> None:
    assert wcswidth(text_of(fit(line(text, ("bad", text)), width))) == width


@given(st.characters())
def test_every_character_is_as_wide_as_counted(character: str) -> None:
    from lowcap.terminal.table import width_of

    shown = clean(character)
    assert wcswidth(shown) == width_of(shown)


def test_meaning_is_never_by_colour_alone() -> None:
    lines = [text_of(each) for each in screen(sample(), View(), 120, HEIGHT)]
    shown = "\n".join(lines)
    for name, glyph, state in zip(NAMES, "●●◐○◐○", ("up", "up", "stale", "down", "connecting",
                                                     "off"), strict=True):  # fmt: skip
        row = next(each for each in lines if f" {name} " in each)
        assert glyph in row
        assert state in row
    assert "REDUCING" in shown
    assert "-1,234.50" in shown
    assert "positions without a confirmed stop: 1" in shown


def test_live_and_armed_is_unmistakable() -> None:
    head = screen(_armed().model, View(), 44, HEIGHT)[0]
    assert head[0] == ("alarm", " LIVE ARMED ")
    calm = sample(mode="live", armed=False)
    assert screen(calm, View(), 44, HEIGHT)[0][0] == ("bold", " LIVE NOT ARMED ")


def test_a_lost_daemon_is_told_above_what_was_known() -> None:
    lines = [text_of(each) for each in screen(_lost().model, View(), 80, HEIGHT)]
    assert "DAEMON LOST, as of 13:30:05Z" in lines[0]
    assert "nobody answers" in lines[-2]
    assert any("REDUCING" in each for each in lines)


def test_the_chosen_row_is_seen_however_many_there_are() -> None:
    model = sample()
    model.answered("positions", [position_value(f"C{number}USDT") for number in range(200)])
    seat = Seat(model)
    seat.press("2")
    for _ in range(150):
        seat.press("down")
    shown = [text_of(each) for each in screen(model, seat.view, 80, 24)]
    assert any(each.startswith("▸  C150USDT") for each in shown)


def test_the_end_of_a_long_log_is_seen_and_a_held_row_stays() -> None:
    model = Model(connected=True)
    for number in range(300):
        model.took_log(log_value(number, f"record {number}."))
    seat = Seat(model)
    seat.press("3")
    assert "record 299." in text_of(screen(model, seat.view, 80, 24)[-2])
    seat.press("up")
    for number in range(300, 400):
        model.took_log(log_value(number, f"record {number}."))
    shown = [text_of(each) for each in screen(model, seat.view, 80, 24)]
    assert any(each.startswith("▸") and "record 298." in each for each in shown)
    seat.press(" ")
    assert "record 399." in text_of(screen(model, seat.view, 80, 24)[-2])


def test_events_that_came_twice_are_shown_once() -> None:
    model = Model()
    assert model.took_event(event_value(5, "a"))
    assert not model.took_event(event_value(5, "a"))
    assert not model.took_event(event_value(6, "", "info"))
    assert [event["seq"] for event in model.events] == [5]
    model.greeted({"run": 4, "role": "view"})
    assert not model.took_event(event_value(4, "older"))
    model.greeted({"run": 1, "role": "view"})  # another ledger
    assert model.took_event(event_value(1, "new"))


def test_bars_grow_with_the_values() -> None:
    assert sparkline([0, 1, 2, 4, 8], 10) == "▁▂▃▅█"
    assert sparkline([0, 0], 10) == "▁▁"
    assert sparkline([], 10) == ""
    assert sparkline([1, 2, 3], 2) == "▆█"


def test_a_low_screen_keeps_the_question() -> None:
    seat = _pressed(sample(), "2x")
    for height in range(1, 6):
        assert "[y/N]" in text_of(screen(seat.model, seat.view, 80, height)[-1])


def test_pages_have_numbers() -> None:
    assert PAGES[POSITIONS] == "positions"
    assert PAGES[LOGS] == "logs"
