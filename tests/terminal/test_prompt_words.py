"""The pure parts of the prompt: toolbar, questions, watching, history, completion by state."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.history import InMemoryHistory
from repl_kit import STATUS

from lowcap.control.client import CallFailed
from lowcap.control.commands import BY_NAME, COMMANDS
from lowcap.control.entry import VIEW
from lowcap.terminal.bar import prompt_words, toolbar
from lowcap.terminal.complete import Snapshot, complete, forbidden
from lowcap.terminal.history import expand, open_history, wants_vi
from lowcap.terminal.missing import questions, with_answer
from lowcap.terminal.prompt_topics import TOPICS
from lowcap.terminal.table import width_of
from lowcap.terminal.typed import help_on, is_ours, parse_words, shapes_output, take_watch

HELD = Snapshot(
    positions=("PEPEUSDT", "BTCUSDT"),
    symbols=("BTCUSDT", "ETHUSDT", "PEPEUSDT"),
    locks=("loss-streak",),
    feeds=("bwe", "tokyo"),
    traces=(("1042", "a listing"), "7"),
    state="ACTIVE",
    mode="live",
    armed=True,
)


def words(line: str, snapshot: Snapshot = HELD) -> list[str]:
    return [candidate.word for candidate in complete(line, snapshot, tuple(TOPICS))]


# -- toolbar -------------------------------------------------------------------------


@given(st.integers(10, 200), st.booleans(), st.booleans(), st.sampled_from(["dry", "live"]))
def test_the_toolbar_fits_and_says_what_matters(
    columns: int, armed: bool, is_silent: bool, mode: str
) -> None:
    status = STATUS | {"mode": mode, "armed": armed}
    bar = toolbar(status, "", is_silent, columns)
    assert width_of(bar.text) <= columns
    hot = armed and mode == "live"
    assert bar.alarm == (hot or is_silent)
    if columns >= 44:
        assert ("!! LIVE ARMED !!" in bar.text) == hot
        assert ("not armed" in bar.text) == (mode == "live" and not armed)
        assert ("NO ANSWER" in bar.text) == is_silent


def test_the_toolbar_tells_what_is_wrong() -> None:
    bar = toolbar(STATUS | {"unprotected": 2, "mode": "dry"}, "", False, 44)
    assert "2 WITHOUT STOP" in bar.text
    assert bar.alarm
    lost = toolbar(None, "daemon lost, retrying in 2s (gone)", False, 44)
    assert lost == (" daemon lost, retrying in 2s (gone) ", True)
    own = {"trades": 1, "p99": 812.4}
    assert "│ p99 812 µs │" in toolbar(STATUS | {"own_work_us": own}, "", False, 120).text


def test_the_prompt_says_what_a_word_would_cost() -> None:
    assert prompt_words(None) == "lowcap ?> "
    assert prompt_words(STATUS) == "lowcap LIVE ARMED> "
    assert prompt_words(STATUS | {"armed": False}) == "lowcap LIVE> "
    assert prompt_words(STATUS | {"mode": "dry"}) == "lowcap DRY> "


# -- completion ----------------------------------------------------------------------


def test_symbols_with_positions_come_first() -> None:
    assert words("leverage ")[:3] == ["PEPEUSDT", "BTCUSDT", "ETHUSDT"]
    assert words("leverage usdt")[:3] == ["PEPEUSDT", "BTCUSDT", "ETHUSDT"]
    assert words("leverage e")[0] == "ETHUSDT"  # what begins so, before what contains it
    assert words("position ")[:2] == ["PEPEUSDT", "BTCUSDT"]


def test_each_kind_of_word_is_offered() -> None:
    assert words("unlock ")[0] == "loss-streak"
    assert words("config set coll", HELD._replace(keys=("limits.x", "order.collar_pct"))) == [
        "order.collar_pct"
    ]
    assert words("explain ")[:2] == ["1042", "7"]
    assert complete("explain 10", HELD)[0].meta == "a listing"
    assert words("feed ")[:2] == ["show", "tail"]
    assert words("feed show ")[:2] == ["bwe", "tokyo"]
    assert words("try --feed ") == ["bwe", "tokyo"]
    assert words("pnl --by ") == ["trigger", "symbol", "feed", "day"]
    assert words("logs -p w") == ["warning"]
    assert words("trade --usd 5 pe")[0] == "PEPEUSDT"  # the value of an option is no argument
    assert words("help st")[0] == "status"
    assert {"states", "stop"} <= set(words("help st"))
    assert words("help keys ") == []


def test_the_state_hides_what_it_forbids() -> None:
    assert forbidden(Snapshot()) == set()
    active = forbidden(HELD)
    assert {"resume", "arm"} <= active
    assert not active & {"panic", "halt", "pause", "trade", "close", "disarm", "unlock"}
    assert "resume" not in words("res")
    assert "resume" in words("res", HELD._replace(held=True))
    halted = forbidden(HELD._replace(state="HALTED", positions=(), armed=False))
    assert {"trade", "long", "short", "close", "pause", "disarm"} <= halted
    assert not halted & {"resume", "panic", "halt", "arm"}
    assert "arm" in forbidden(HELD._replace(mode="dry", armed=False))
    assert "record" not in words("captures ", HELD._replace(recording=True))
    assert "stop" not in words("captures ")
    assert forbidden(HELD._replace(role="view")) >= forbidden(HELD)
    assert forbidden(HELD) <= {c.name for c in COMMANDS} | {"captures record", "captures stop"}


def test_a_session_is_offered_what_it_may_do() -> None:
    viewer = forbidden(HELD._replace(role="view"))
    assert {"trade", "panic", "halt", "disarm", "config set", "feed enable"} <= viewer
    assert not viewer & {"status", "feeds", "feed", "risk"}
    assert words("feed ", HELD._replace(role="view"))[:2] == ["show", "tail"]
    assert "enable" not in words("feed ", HELD._replace(role="view"))
    trader = forbidden(HELD._replace(role="trade", state=""))
    assert "config reload" in trader
    assert not trader & {"trade", "panic", "feed enable"}
    assert forbidden(HELD._replace(role="admin")) == forbidden(HELD)


# -- questions -----------------------------------------------------------------------


def asked(line: str) -> list[str]:
    name, *rest = line.split()
    return [question.text for question in questions(BY_NAME[name], rest)]


def test_what_is_missing_is_asked_for() -> None:
    side, usd = "side (long/short/buy/sell)", "usd, nothing for as large as a signal's"
    assert asked("trade") == ["symbol", side, usd]
    assert asked("trade BTC --usd 5") == [side]
    assert asked("trade --usd=5 BTC") == [side]
    assert asked("trade BTC --qty 1") == [side]
    assert asked("trade BTC long") == []
    assert asked("long") == ["symbol"]
    assert asked("close") == ["symbol, or all"]
    assert asked("close --pct 50") == ["symbol, or all"]
    for line in ("close BTC", "close --all", "position", "trade --help", "trade --nonsense",
                 "panic", "stop show", "risk"):  # fmt: skip
        assert asked(line) == [], line


@given(st.sampled_from(COMMANDS), st.lists(st.sampled_from(["BTC", "--usd", "-x", "", "5"])))
def test_answers_make_a_line_that_lacks_nothing(command: object, given_words: list[str]) -> None:
    assert isinstance(command, type(COMMANDS[0]))
    line = list(given_words)
    for question in questions(command, line):
        line = with_answer(line, question, "1")
    assert [q for q in questions(command, line) if not q.may_be_empty] == []


def test_answers_go_where_they_belong() -> None:
    (where,) = questions(BY_NAME["close"], [])
    assert with_answer([], where, "all") == ["--all"]
    assert with_answer(["--pct", "5"], where, "BTC") == ["--pct", "5", "BTC"]
    usd = questions(BY_NAME["trade"], [])[-1]
    assert with_answer(["BTC", "long"], usd, "") == ["BTC", "long"]
    assert with_answer(["BTC", "long"], usd, "9") == ["BTC", "long", "--usd", "9"]


# -- what was typed ------------------------------------------------------------------


def test_watching_is_taken_out_of_the_line() -> None:
    assert take_watch(["BTC", "-n", "5"]) == (["BTC", "-n", "5"], None)
    assert take_watch(["--watch", "BTC"]) == (["BTC"], 2.0)
    assert take_watch(["--watch", "5", "BTC"]) == (["BTC"], 5.0)
    assert take_watch(["BTC", "--watch=3s"]) == (["BTC"], 3.0)
    for bad in ("0", "nan", "inf", "x", "1e9", ""):
        with pytest.raises(CallFailed, match="expected seconds"):
            take_watch([f"--watch={bad}"])


def test_a_line_becomes_parameters_of_the_table_only() -> None:
    line = ["BTC", "long", "--usd", "5", "--yes", "--json"]
    assert parse_words(BY_NAME["trade"], line) == {
        "symbol": "BTC", "side": "long", "usd": 5.0, "confirm": True, "as_json": True,
    }  # fmt: skip
    with pytest.raises(CallFailed) as caught:
        parse_words(BY_NAME["trade"], ["BTC", "up"])
    assert caught.value.hint == "help trade"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_on_each_command(command: object) -> None:
    assert isinstance(command, type(COMMANDS[0]))
    text = help_on(f"{command.name} more words")
    assert command.help[1:20].split()[0] in text
    assert "\n  lowcapctl " not in text
    assert command.name in help_on("")


def test_forms_of_output_are_the_one_liners() -> None:
    assert shapes_output(BY_NAME["positions"], ["--format", "{symbol}"])
    assert shapes_output(BY_NAME["orders"], ["-n", "5", "--csv"])
    assert shapes_output(BY_NAME["trades"], ["export"])
    assert not shapes_output(BY_NAME["panic"], ["--format={x}"])
    assert not shapes_output(BY_NAME["feed"], ["enable", "bwe", "--csv"])
    assert not shapes_output(BY_NAME["positions"], [])


def test_help_on_topics() -> None:
    assert help_on("help keys") == TOPICS["keys"]
    assert all(name in help_on("nonsense") for name in TOPICS)
    assert [is_ours(words) for words in ([], ["keys"], ["panic"], ["exit-codes"])] == [
        True, True, True, False,
    ]  # fmt: skip
    for text in TOPICS.values():
        assert max(len(line) for line in text.splitlines()) <= 72
    assert not set(TOPICS) & set(BY_NAME)


def test_the_last_line_again() -> None:
    history = InMemoryHistory()
    with pytest.raises(LookupError):
        expand("!!", history)
    for line in ("status", "pnl 7d"):
        history.append_string(line)
    assert expand("!!", history) == "pnl 7d"
    assert expand(" !! --json", history) == "pnl 7d --json"
    assert expand("status !!", history) == "status !!"


def test_history_without_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file"):  # one that can be written, one that cannot
        history = open_history({"XDG_STATE_HOME": str(place)})
        for line in ("panic --yes", "!!", "status"):
            history.append_string(line)
        assert history.get_strings() == ["status"]
    assert (tmp_path / "lowcap" / "history").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("set editing-mode vi\n", True), ("#set editing-mode vi", False), ("", False),
     ("set editing-mode vi\nset editing-mode emacs", False), (None, False)],
)  # fmt: skip
def test_the_keys_are_those_of_readline(tmp_path: Path, text: str | None, wanted: bool) -> None:
    if text is not None:
        (tmp_path / "rc").write_text(text)
    assert wants_vi({"INPUTRC": str(tmp_path / "rc")}) is wanted


def test_what_looks_is_never_asked_about() -> None:
    for command in COMMANDS:
        if command.role == VIEW and not command.roles:
            assert questions(command, []) == []
