"""The keys of ``top`` without a terminal: what each asks of the daemon, and who has it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from top_models import log_value, position_value, sample, setting_value

from lowcap.control.client import CallFailed
from lowcap.terminal.top.ask import Call, CancelCalls, Child, Editor, Leave, Redraw, Refresh
from lowcap.terminal.top.frame import screen
from lowcap.terminal.top.keys import KEYS, footer, keys_of
from lowcap.terminal.top.model import Model
from lowcap.terminal.top.seat import Seat
from lowcap.terminal.top.text import text_of
from lowcap.terminal.top.view import LOGS, OVERVIEW, PAGES, POSITIONS, SETTINGS

NAMES = {"\n": "enter", "\x1b": "escape", "\t": "tab", "↑": "up", "↓": "down", "⌫": "backspace"}


def _seat(role: str = "admin", **changes: object) -> Seat:
    return Seat(sample(role=role, **changes))


def _type(seat: Seat, keys: str) -> list[object]:
    """Press keys; returns what was asked for outside, refreshes left out."""
    done: list[object] = []
    for key in keys:
        done += seat.press(NAMES.get(key, key))
    return [effect for effect in done if not isinstance(effect, Refresh)]


def _question(seat: Seat) -> str:
    return seat.view.ask.question if seat.view.ask is not None else ""


def test_numbers_change_the_page() -> None:
    seat = _seat()
    for key, page in (("2", POSITIONS), ("3", LOGS), ("1", OVERVIEW)):
        assert seat.press(key) == [Refresh("status")]
        assert seat.view.page == page
    assert seat.press("4") == [Refresh("config")]
    assert seat.view.page == SETTINGS


def test_closing_asks_first_and_names_what_it_closes() -> None:
    seat = _seat()
    assert _type(seat, "2↓x") == []
    assert _question(seat) == "close BTCUSDT LONG 0.073 (+35.22 USDT)?"
    assert _type(seat, "y") == [Call("close", {"symbol": "BTCUSDT", "confirm": True})]


@pytest.mark.parametrize("key", ["n", "\n", "\x1b", "x", " ", "1"])
def test_anything_but_yes_is_no(key: str) -> None:
    seat = _seat()
    assert _type(seat, "2x" + key) == []
    assert seat.view.ask is None
    assert seat.view.page == POSITIONS
    assert seat.view.notice == ("", "nothing done")


def test_pasted_text_answers_no_question_and_presses_no_key() -> None:
    seat = _seat()
    _type(seat, "2")
    assert seat.press("paste", "x\ny\n!panic") == ()
    assert seat.view.ask is None
    _type(seat, "x")
    assert seat.press("paste", "y") == ()
    assert seat.view.ask is None


def test_the_chosen_symbol_stays_chosen_when_rows_come_and_go() -> None:
    seat = _seat()
    _type(seat, "2↓")
    assert seat.view.symbol == "BTCUSDT"
    seat.model.answered("positions", [position_value(n) for n in ("AUSDT", "BTCUSDT", "CUSDT")])
    _type(seat, "x")
    assert "close BTCUSDT" in _question(seat)
    _type(seat, "n")
    seat.model.answered("positions", [position_value("AUSDT")])
    _type(seat, "x")
    assert "close AUSDT" in _question(seat)
    _type(seat, "n")
    seat.model.answered("positions", [])
    assert _type(seat, "x") == []
    assert seat.view.ask is None


def test_a_stop_is_moved_by_two_steps_and_loosened_by_a_third() -> None:
    seat = _seat()
    assert _type(seat, "2↓m66000") == []
    assert _question(seat) == "stop of BTCUSDT, now 66657.3, mark 68500.1; to:"
    assert _type(seat, "\n") == []
    assert _question(seat) == "move the stop of BTCUSDT: 66657.3 -> 66000?"
    call = Call("stop", {"action": "move", "symbol": "BTCUSDT", "price": "66000"})
    assert _type(seat, "y") == [call]
    seat.asked(call)
    seat.refused(call, CallFailed("66000 is further", hint="--loosen moves it", code="refused"))
    assert "loosen it" in _question(seat)
    assert _type(seat, "y") == [call._replace(params=call.params | {"loosen": True})]
    assert _type(seat, "m\n") == []
    assert seat.view.ask is None


def test_a_setting_is_changed_after_old_and_new_were_shown() -> None:
    seat = _seat()
    seat.model.answered("config", [setting_value("order.slippage_pct", "1.5")])
    assert _type(seat, "4e⌫⌫2\n") == []
    assert _question(seat) == "set order.slippage_pct: 1.5 -> 12?"
    params = {"action": "set", "what": "order.slippage_pct", "value": "12", "confirm": True}
    call = Call("config", params)
    assert _type(seat, "y") == [call]
    assert seat.replied(call, {"key": "x"}) == [Refresh("config")]
    assert _type(seat, "e\n") == []  # the same value
    assert seat.view.ask is None


def test_panic_wants_the_word_that_the_daemon_names() -> None:
    seat = _seat()
    call = Call("panic", {})
    assert _type(seat, "!") == [call]
    failure = CallFailed("panic would act on 2", hint="type FLATTEN 2 to go on, or", code="confirm")
    seat.refused(call, failure)
    assert _question(seat) == "panic would act on 2. Type FLATTEN 2 to go on:"
    assert _type(seat, "FLATTEN\n") == []
    assert seat.view.notice[1] == "not confirmed, nothing done"
    seat.refused(call, failure)
    assert _type(seat, "FLATTEN 2\n") == [Call("panic", {"confirm": True})]
    # A daemon that asks again although it was told gets no endless loop.
    seat.refused(Call("panic", {"confirm": True}), failure)
    assert seat.view.ask is None


def test_pause_goes_at_once_and_going_on_is_asked() -> None:
    seat = _seat()
    assert _type(seat, "p") == [Call("pause", {"reason": "top"})]
    assert _type(seat, "r") == []
    assert _question(seat) == "take entries again (operator-pause)?"
    assert _type(seat, "y") == [Call("resume", {})]
    assert _type(seat, "h") == []
    assert _type(seat, "y") == [Call("halt", {"reason": "top"})]


def test_going_on_after_a_halt_needs_a_reason() -> None:
    seat = _seat(state="HALTED")
    assert _type(seat, "r\n") == []
    assert "a reason is needed" in seat.view.notice[1]
    assert _type(seat, "rall is well\n") == [Call("resume", {"reason": "all is well"})]


@pytest.mark.parametrize(("role", "lacks"), [
    ("view", {"x", "m", "e", "p", "r", "h", "!"}),
    ("trade", {"e"}),
    ("admin", set()),
])  # fmt: skip
def test_a_session_lacks_the_keys_above_its_role(role: str, lacks: set[str]) -> None:
    seat = _seat(role)
    for page in PAGES:
        seat.view.page = page
        known = keys_of(seat.model, page)
        assert not lacks & set(known)
        shown = text_of(footer(seat.model, page, 200))
        words = {key.word for key in KEYS if key.key in lacks}
        assert not any(f" {word}  " in shown for word in words)
        for key in lacks:
            assert list(seat.press(key)) == []
            assert seat.view.ask is None
    seat.press("?")
    assert seat.view.pager is not None
    for key in lacks:
        assert not any(each.startswith(f"  {key} ") for each in seat.view.pager.lines)


def test_a_reading_session_never_asks_for_a_change() -> None:
    seat = _seat("view")
    for page in "1234":
        for key in [*map(chr, range(33, 127)), "enter", "tab", "delete", "c-x"]:
            if key in "q:/?1234":
                continue
            for effect in seat.press(key):
                assert not isinstance(effect, Call) or effect.method == "position", key
            seat.press("escape")
        seat.press(page)


def test_the_command_line_runs_any_command_of_the_table() -> None:
    seat = _seat()
    assert _type(seat, ":orders -n 5\n") == [Call("orders", {"count": 5}, "orders")]
    assert _type(seat, ":close --all --yes\n") == [
        Call("close", {"all": True, "confirm": True}, "close")
    ]
    assert _type(seat, ":feed show tokyo --json\n") == [
        Call("feed", {"action": "show", "name": "tokyo"}, "feed show", as_json=True)
    ]
    assert _type(seat, ":logs stats\n") == [Child("logs", ("logs", "stats"))]
    assert _type(seat, ":closeall\n") == [Call("close", {"all": True}, "close")]
    assert _type(seat, ":q\n") == [Leave(0)]
    assert _type(seat, ":\n") == []


@pytest.mark.parametrize(("text", "said"), [
    ("clsoe", "no such command 'clsoe' (hint: did you mean 'close'?)"),
    ("orders -n x", "hint: help orders"),
    ("pause 'x", "No closing quotation"),
    ("panic --direct", "hint: in a shell: lowcapctl panic --direct"),
    ("top", "hint: in a shell: lowcapctl top"),
    ("logs -f", "hint: in a shell: lowcapctl logs -f"),
    ("feed tail bwe", "hint: in a shell: lowcapctl feed tail bwe"),
])  # fmt: skip
def test_what_cannot_be_run_is_said(text: str, said: str) -> None:
    seat = _seat()
    assert _type(seat, f":{text}\n") == []
    assert said in seat.view.notice[1]


def test_help_is_shown_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    seat = _seat()
    for text in ("help", "help close", "close --help", "help nonsense"):
        seat.view.pager = None
        assert _type(seat, f":{text}\n") == []
        assert (seat.view.pager is not None) is ("nonsense" not in text)
    assert capfd.readouterr() == ("", "")


def test_tab_completes_and_arrows_bring_lines_back() -> None:
    seat = _seat()
    _type(seat, ":positi\t")
    assert seat.view.ask is not None
    assert seat.view.ask.editor.text == "position"
    assert {"position", "positions"} <= set(seat.view.ask.offers)
    _type(seat, " 1000\t")
    assert seat.view.ask.editor.text == "position 1000PEPEUSDT "
    _type(seat, "\x1b:orders -n 7\n:panic\n:close BTC\n:↑")
    assert seat.view.ask.editor.text == "orders -n 7"  # neither panic nor close
    _type(seat, "↓")
    assert seat.view.ask.editor.text == ""


def test_answers_of_commands_lie_over_the_page() -> None:
    seat = _seat()
    call = Call("version", {}, "version")
    seat.asked(call)
    seat.replied(call, {"daemon": "0.1.0"})
    assert seat.view.pager is not None
    assert seat.view.pager.lines == ["daemon: 0.1.0"]
    assert seat.waiting == []
    _type(seat, "\x1b")
    assert seat.view.pager is None
    seat.replied(Call("positions", {}, "positions"), [{"another": "version"}])
    assert seat.view.pager is not None
    assert '"another": "version"' in "".join(seat.view.pager.lines)


def test_what_a_program_prints_lies_over_the_page() -> None:
    seat = _seat()
    child = Child("doctor", ("doctor",))
    seat.asked(child)
    assert "doctor runs" in seat.view.notice[1]
    seat.printed(child, "all is well\n", 0)
    assert seat.waiting == []
    assert seat.view.pager is not None
    assert seat.view.pager.lines == ["all is well"]
    seat.printed(child, "", 3)
    assert seat.view.pager.lines == ["it said nothing", "exit code 3"]


def test_ctrl_c_gives_up_one_thing_at_a_time() -> None:
    seat = _seat()
    _type(seat, "2x")
    assert list(seat.press("c-c")) == []
    assert seat.view.ask is None
    call = Call("halt", {})
    seat.asked(call)
    assert list(seat.press("c-c")) == [CancelCalls()]
    seat.cancelled(call)
    assert "may have been done" in seat.view.notice[1]
    assert list(seat.press("c-c")) == [Leave(130)]


def test_log_filters() -> None:
    seat = _seat()
    _type(seat, "3")
    everything = len(seat.view.logs(seat.model))
    _type(seat, "ll")
    assert seat.view.filters.level == "warning"
    assert {log.row["level"] for log in seat.view.logs(seat.model)} == {"warning", "error"}
    _type(seat, "ll")
    assert len(seat.view.logs(seat.model)) == everything
    _type(seat, "aa")
    assert seat.view.filters.area == "orders"
    _type(seat, "\x1bf")
    assert seat.view.filters.told() == "feed tokyo"
    _type(seat, "ft")
    assert [log.row["trigger"] for log in seat.view.logs(seat.model)] == ["elon_btc"]
    _type(seat, "\x1b/RECORD 3")
    assert len(seat.view.logs(seat.model)) == 11  # while typing
    _type(seat, "9\n")
    assert [log.row["cursor"] for log in seat.view.logs(seat.model)] == ["39"]
    _type(seat, "\n")
    assert seat.view.pager is not None
    assert seat.view.pager.lines[0].startswith("text: record 39")
    _type(seat, "\x1b/\x1b")
    assert len(seat.view.logs(seat.model)) == everything
    _type(seat, "c")
    assert seat.view.logs(seat.model) == []


def test_following_is_held_by_choosing_a_row_and_by_space() -> None:
    seat = _seat()
    _type(seat, "3 ")
    assert seat.view.place is not None
    _type(seat, " ")
    assert seat.view.place is None
    _type(seat, "↑↑")
    assert seat.view.place is not None
    seat.press("end")
    assert seat.view.place is None


def test_log_records_that_are_there_already_are_not_taken_twice() -> None:
    model = Model()
    model.took_logs([log_value(1, "a"), log_value(2, "b")])
    model.took_logs([log_value(1, "a"), log_value(2, "b"), log_value(3, "c")])
    assert [log.row["text"] for log in model.logs] == ["a", "b", "c"]


def test_redraw_and_leave() -> None:
    seat = _seat()
    assert list(seat.press("c-l")) == [Redraw(), Refresh("all")]
    assert list(seat.press("q")) == [Leave(0)]


KEYS_PRESSED = st.lists(
    st.sampled_from([*map(chr, range(32, 127)), *NAMES.values(), "pageup", "home", "end", "c-u",
                     "c-w", "left", "right", "delete", "c-c", "c-l", "f1", "업"]),
    max_size=60,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(KEYS_PRESSED, st.sampled_from(["view", "admin"]), st.integers(1, 120), st.integers(1, 40))
def test_no_keys_break_it(keys: list[str], role: str, width: int, height: int) -> None:
    seat = _seat(role)
    for key in keys:
        for effect in seat.press(key):
            if isinstance(effect, Call):
                seat.asked(effect)
                seat.refused(effect, CallFailed("no", hint="type GO to go on", code="confirm"))
        assert len(screen(seat.model, seat.view, width, height)) == height


@given(st.lists(st.sampled_from(["a", "업", " ", "left", "right", "home", "end", "backspace",
                                 "delete", "c-u", "c-k", "c-w"])))  # fmt: skip
def test_the_cursor_stays_in_its_line(keys: list[str]) -> None:
    editor = Editor()
    for key in keys:
        assert editor.press(key, "")
        assert 0 <= editor.at <= len(editor.text)


def test_editing() -> None:
    editor = Editor()
    for key in ("a", "b", " ", "c", "d"):
        editor.press(key, "")
    editor.press("c-w", "")
    assert editor.text == "ab "
    editor.press("home", "")
    editor.press("paste", "x\ny\x1b")
    assert (editor.text, editor.at) == ("x y ab ", 4)
    editor.press("c-k", "")
    assert editor.text == "x y "
    assert not editor.press("f5", "")
