"""What people see: it fits the terminal, and no headline can do anything to it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from config_values_kit import CONFIG_ACTIONS, config_values
from gauge_kit import gauge_values
from hypothesis import given
from hypothesis import strategies as st
from money_kit import equity_value, pnl_value, trade_value
from service_rows import doctor_value
from wcwidth import wcswidth

from lowcap.control.commands import COMMANDS
from lowcap.core.plain import plain
from lowcap.terminal.complete import Snapshot, complete
from lowcap.terminal.history import is_dangerous
from lowcap.terminal.output import cell, json_text
from lowcap.terminal.render import ROW_KEYS, render
from lowcap.terminal.table import (
    NARROWEST,
    Style,
    cut,
    fold,
    table,
    wants_colour,
    width_of,
    wrap,
)

COLOURLESS, COLOURED = Style(False), Style(True)
KOREAN = "업비트 신규 거래 지원 안내: 페페(PEPE) 원화 마켓 추가 " * 3
CHINESE = "币安将上线新的永续合约交易对敬请期待更多消息" * 4
EVIL = "\x1b[2J\x1b]0;t\x07 \r\nFORGED \u202egnp\u2066\u200f \x9b31m \ud800 \ue000 end"
TEXTS = (KOREAN, CHINESE, EVIL, "x" * 300, "", "short")

Json = dict[str, Any]


def _status(text: str) -> Json:
    return {
        "mode": "dry", "state": "REDUCING", "armed": True, "recovered": False,
        "uptime_s": 93_784, "feeds_up": 1, "positions": 3, "unprotected": 1,
        "paused_symbols": ["XRPUSDT"],
        "alerts": {"on": 2, "waiting": 0, "dead": {"telegram": text}},
        "breakers": [{"name": "feed:tokyo", "state": "open", "why": text, "rest_s": 60,
                      "since": "2026-02-06T13:30:00Z", "until": "2026-02-06T13:31:00Z"}],
        "unknown_orders": 2, "unrealized_usd": "-1234567.891",
        "holds": [
            {"name": "operator-pause", "state": "REDUCING", "reason": text, "who": "uid 0",
             "since": "2026-02-06T13:30:00.000Z", "until": "2026-02-06T14:30:00.000Z"}
        ],
        "feeds": [{"name": "tokyo", "state": "down", "why": text}],
        "day": {"result_usd": "-99999.99", "closed": 12, "wins": 3},
        "wallet_usdt": "1000000.00", "own_work_us": {"trades": 3, "p50": 85.2, "p99": 120.9},
        "ledger": {"fault": text, "run": 1, "seq": 3}, "symbols": [], "now": "",
        "config": {"unsaved": 3, "confirm_by": text, "confirm_until": "2026-02-06T13:31:00.123Z"},
    }  # fmt: skip


def _risk(text: str) -> Json:
    status = _status(text)
    guard = {"unit": "USD", "of": "1000PEPEUSDT", "hits": 3, "used_pct": 99.9, "limit": "600000.00"}
    bare = {"now": None, "limit": None, "unit": "", "used_pct": None, "of": "", "hits": 123456}
    return {
        **{key: status[key] for key in ("mode", "state", "armed", "holds", "breakers")},
        "equity_usd": "1000000.00",
        "guards": [
            guard | {"name": "position-notional", "now": "599999.99"},
            guard | {"name": "loss-streak", "now": "2", "limit": "off", "unit": ""},
            bare | {"name": "opposite-position"},
        ],
        "locks": [
            {"kind": "trigger", "name": "elon_btc", "why": text, "ends": "trigger enable elon_btc"},
            {"kind": "cool-down", "name": text, "why": "", "ends": "at 2026-02-06T13:30:00Z"},
        ],
    }


def _explained(text: str) -> Json:
    order = {
        "client_id": "lcd-1-4-e", "purpose": "entry", "side": "BUY", "symbol": "1000PEPEUSDT",
        "qty": "12345678", "price": "0.0123456", "trigger_price": None, "status": "rejected",
        "after_ms": 12.3, "reply_us": 1234.5, "sizing": text[:80], "decision_price": "0.0123",
        "stages_us": {"parse": 20.0, "detect": 12.0, "risk": 3.0, "prepare": 9.0, "submit": 40.0},
        "history": [{"after_ms": 3.0, "code": -2019, "reason": text}],
        "fills": [{"qty": "1", "price": "2", "after_ms": 3.0}],
    }  # fmt: skip
    return {
        "trace": 7, "at": "2026-02-06T13:30:00.123Z", "feed": "tokyo", "author": text,
        "headline": text, "decision": "signal", "reason": text, "detail": text,
        "near_misses": [{"trigger": "nfp", "reason": "band", "detail": text}],
        "signal": {"trigger": "nfp", "matched": [text], "age_ms": 12, "tier": "macro"},
        "refusals": [{"side": "BUY", "symbol": "X", "check": "c", "measured": "9", "limit": "5"}],
        "orders": [order], "closed": [{"realized": "5", "fees": "1", "after_ms": 20_000.0}],
    }  # fmt: skip


def _by_hand(text: str, position: Json, order: Json) -> Json:
    page = position | {
        "opened": "2026-02-06T13:30:00.123Z", "closes": "2026-02-06T13:31:00.123Z",
        "follows": True, "best_price": "0.0123", "trail_pct": "1.5", "closing": True,
        "foreign_qty": "5", "orders": [order], "stop_confirmed": False, "stop_wanted": None,
        "stop_rule": "2 % fixed", "stop_distance_pct": "1.23", "leverage": 20,
        "realized_usd": "-1.5",
    }  # fmt: skip
    done = order | {
        "executed_qty": "123456", "average_price": None, "sizing": text, "stop_price": None,
        "trace": 7,
    }  # fmt: skip
    moved = {"symbol": "1000PEPEUSDT", "from": None, "to": "0.0123"}
    return {
        "position": page,
        "stop show": page | {"stop_confirmed": True, "stop_price": "0.0123"},
        "stop move": moved | {"confirmed": True, "follows": False},
        "trade": {
            "allowed": True,
            "text": text,
            "margin_usd": "1234.5",
            "leverage": 20,
            "stop_price": "0.0123",
            "stop_rule": "2 % fixed",
            "ladder": [{"share_pct": "50", "at_pct": "2"}, {"share_pct": "50", "at_pct": "4"}],
        },
        "who": [
            {
                "session": 12,
                "uid": 1000,
                "user": text,
                "role": "trade",
                "pid": 1234567,
                "connected_s": 123456,
                "idle_s": 12,
                "follows": "events",
                "you": True,
            },
            {
                "session": None,
                "uid": 1001,
                "user": text,
                "role": "denied",
                "pid": None,
                "connected_s": None,
                "idle_s": None,
                "follows": "",
                "you": False,
            },
        ],
        "kick": {"session": 3, "uid": 1001, "denied": 1001, "sessions": 2},
        "reconcile": {
            "clean": False,
            "differences": [text],
            "state": "ACTIVE",
            "adopted": "SOLUSDT",
            "qty": "10",
            "stop_price": None,
            "foreign": [
                {"symbol": "1000PEPEUSDT", "qty": "-123456789.5", "ignored": ignored}
                for ignored in (True, False)
            ],
        },
        "long": done,
        "short": {"allowed": False, "text": text},
    }


def _logged(text: str) -> Json:
    line = {
        "at": "2026-02-06T13:30:00.123Z", "level": "critical", "area": "feeds", "text": text,
        "cursor": "698b0e3a-12345", "kind": "feed.frame-refused", "log": "data", "trace": 123456,
        "feed": text, "trigger": "nfp_125k_149k", "folder": "nfp_macro", "symbol": "1000PEPEUSDT",
        "mode": "dry", "message_id": "0" * 32,
        "fields": {"REASON": text, "TRACEBACK": f"Traceback\n  {text}\nValueError: {text}"},
    }  # fmt: skip
    return {
        "logs": [line, line | {"level": "odd"}],
        "logs json": [line],
        "logs full": [line, line | {"trace": None, "fields": {}}],
        "logs show": line | {"subject": text, "meaning": f"{text}\n\nWhat to do: {text}"},
        "logs stats": {
            "records": 10**9,
            "kept": 10_000,
            "oldest": None,
            "last_minute": 5,
            "last_hour": 10**6,
            "errors_last_minute": 1,
            "errors_last_hour": 12,
            "dropped": 3,
            "to": "stderr",
            "by_level": {"info": 10**9, "error": 1},
            "by_area": {text: 5},
            "file": "/x" * 60,
        },
    }


def _sink(text: str) -> Json:
    return {
        "name": "telegram", "kind": "telegram", "to": "api.telegram.org", "state": "dead",
        "why": text, "events": [], "min_level": "info", "quiet_now": True, "coalesce_s": 60,
        "queued": 100, "sent": 10**6, "failed": 12, "refused": 3, "dropped": 10**6,
        "drawn_together": 5, "held_back": 7, "left": 9_876, "last_error": text,
        "last_error_at": "2026-02-06T13:30:00.123Z", "last_success_at": "2026-02-06T13:30:00.123Z",
    }  # fmt: skip


def _rows(command: str, text: str) -> Any:
    position = {
        "symbol": "1000PEPEUSDT", "side": "LONG", "qty": "123456789.5", "entry_price": "0.01234567",
        "mark_price": None, "unrealized_usd": "-12345.6", "unrealized_pct": "-99.99",
        "stop_price": None, "legs_open": [], "legs_done": 3, "trigger": "nfp_125k_149k",
    }  # fmt: skip
    order = {
        "updated": "2026-02-06T13:30:00.123Z", "symbol": "BTCUSDT", "purpose": "take-profit",
        "side": "SELL", "qty": None, "price": None, "trigger_price": "68000.1",
        "status": "rejected", "client_id": "lcd-1-123456-t3", "reason": text,
    }  # fmt: skip
    feed = {
        "name": "toa_news", "state": "down", "last_frame_age_ms": 94_000_000, "frames": 10**9,
        "news": 5, "faults": 0, "connects": 3, "why": text, "last_news_age_ms": None,
        "round_trip_ms": 12.34, "latency_ms": 10**9, "since": "2026-02-06T13:30:00.123Z",
    }  # fmt: skip
    shown = feed | {
        "format": "tree", "auth": "login", "host": "wss://news.example/" + "x" * 90,
        "hold_open": "08:25-08:36", "latencies_ms": [5], "triggers": ["elon_btc"] * 9,
    }  # fmt: skip
    trigger = {
        "id": "nfp_le_50k", "on": False, "side": "SELL", "signals": 0,
        "feeds": ["tokyo", "synoptic"], "matcher": "payroll", "tier": "macro",
        "why_off": "switched off", "max_age_s": 10, "cooldown_s": 604_800,
        "table": {"match": {"any_of": [text, "two"], "named": {"least": 1}, "empty": []}},
    }  # fmt: skip
    miss = {
        "trigger": "elon_btc", "reason": "forbidden-phrase", "detail": text, "near": True,
        "failed": [{"reason": "forbidden-phrase", "detail": text}, {"reason": "no-coin"}],
        "matched": [text, "short"], "blocking": [text, "FORGED"],
    }  # fmt: skip
    tried = {
        "feed": "tokyo", "author": text, "headline": text, "reason": text, "detail": text,
        "misses": [miss], "admitted": {"reason": "cool-down", "detail": text},
        "signal": {"trigger": "elon_btc", "matched": [text], "tier": "regular"},
        "targets": [
            {"symbol": "BTCUSDT", "side": "BUY", "usd": "250000", "by": "trigger",
             "refused": "stale-price", "measured": text, "limit": "3000 ms"},
            {"symbol": "BTCUSDT", "side": "BUY", "usd": "250000", "by": "trigger", "qty": "3.7",
             "price": "68000.1", "notional_usd": "250000.00", "sizing": text},
        ],
    }  # fmt: skip
    recording = {
        "recording": True, "feeds": [], "why": text, "frames": 10**9, "bytes": 10**12,
        "file": "20260206T133000.jsonl.gz", "dropped": 1, "withheld": 2,
    }  # fmt: skip
    checked = {
        "symbol": "1000PEPEUSDT", "side": "SELL", "usd": "250000", "by": "default",
        "would": "be refused", "refused": [{"check": "x", "measured": text, "limit": text}],
        "plan": {"qty": "12345678", "price": "0.0123456", "notional_usd": "249999.99",
                 "leverage": 20, "margin_usd": "12499.99", "sizing": text},
    }  # fmt: skip
    stats = {
        "id": "nfp_le_50k", "signals": 3, "trades": 2, "refused": 1, "near_misses": {"band": 7},
    }  # fmt: skip
    line = {"at": "2026-02-06T13:30:00.123Z", "level": "critical", "area": "feeds", "text": text}
    values: dict[str, Any] = {
        "status": _status(text),
        "positions": [position] * 2,
        "orders": [order] * 2,
        "feeds": [feed] * 2,
        "triggers": [trigger] * 2,
        "events": [line | {"seq": 123456, "level": "error"}] * 2,
        **_logged(text),
        "explain": _explained(text),
        "panic": {"reads": 2, "took_ms": 165, "cancelled": 3, "closes": 2, "state": "HALTED"},
        "close": {"symbol": "BTCUSDT", "closed_qty": "1", "left_qty": "2"},
        "feed show": shown,
        "feed disable": feed,
        "trigger show": trigger,
        "trigger stats": [stats] * 2,
        "trigger test": tried,
        "try": tried,
        "captures list": [{"name": recording["file"], "first_ms": 0, "last_ms": 9_000, "bytes": 5}],
        "captures status": recording,
        "caps": {
            "state": "failing", "usable": False, "coins": 1_900, "age_s": None, "why": text,
            "coin": "HBAR", "symbol": None, "cap_usd": "9000000000",
        },
        "leverage": {
            "symbol": "1000000MOGUSDT", "usd": "600000.00", "set": None, "best": 20, "at": 20,
            "largest_usd": "214000.00", "bracket_usd": "3000000.00", "fits": False,
            "liquidation_usd": "214000.00", "bound_by": "liquidation distance",
            "bracket": {"floor_usd": "300000", "cap_usd": "1500000", "leverage_max": 25,
                        "maintenance_pct": "2.00"},
            "stop_pct": "2", "margin_usd": "30000.00", "margin_allowed_usd": "300000.00",
            "brackets_age_s": 43_200, "filters_age_s": 600, "brackets_fault": text,
        },
        "pnl": pnl_value(text),
        "equity": equity_value(),
        "trades": [trade_value(text)] * 2,
        "trades list": [trade_value(text)],
        "risk": _risk(text),
        "risk check": checked,
        **gauge_values(text),
        "doctor": doctor_value(text),
        "unit check": doctor_value(text),
        **dict.fromkeys(("notify", "notify disable"), [_sink(text)] * 2),
        "notify test": [{"name": "telegram", "result": text}] * 2,
        "unlock": {"unlocked": text, "state": "HALTED", "holds": ["panic", "drawdown"]},
    } | _by_hand(text, position, order) | config_values(text)  # fmt: skip
    return values.get(command, {"state": text, "list": [text, text], "none": None, "flag": True})


ACTIONS = (
    *("feed show", "feed disable", "trigger show", "trigger stats", "trigger test"),
    *CONFIG_ACTIONS,
    *("captures list", "captures status", "stop show", "stop move", "risk check", "trades list"),
    *("latency hist", "latency bottlenecks", "latency export", "metrics prom", "logs json"),
    *("logs full", "logs show", "logs stats", "unit check", "notify disable", "notify test"),
)
SGR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("columns", [44, 80, 120])
@pytest.mark.parametrize("command", [*(c.name for c in COMMANDS), *ACTIONS])
def test_no_line_is_wider_than_the_terminal(command: str, columns: int) -> None:
    for text in TEXTS:
        value = _rows(command, text)
        for style in (COLOURLESS, COLOURED):
            lines = render(command, value, style, columns)
            assert lines or not text
            for line in lines:
                bare = SGR.sub("", line)
                assert "\n" not in bare
                assert not any(c in bare for c in "\x1b\x07\r\x9b\u202e\u2066\u200f\ud800\ue000"), (
                    line
                )
                assert wcswidth(bare) <= columns, line
                assert width_of(bare) <= columns, line


@pytest.mark.parametrize("command", ["positions", "orders", "trades"])
def test_nothing_is_said_in_words(command: str) -> None:
    assert len(render(command, [], COLOURLESS, 80)) == 1


def test_no_word_of_an_event_is_lost_when_it_is_wrapped() -> None:
    for text in (KOREAN, CHINESE, "a " * 100 + "x" * 150):
        row = {"at": "2026-02-06T13:30:00.123Z", "seq": 1, "level": "info", "text": text.strip()}
        lines = render("events", [row], COLOURLESS, 44)
        joined = "".join("".join(line.split()) for line in lines)
        assert joined.endswith("".join(plain(text.strip()).split()))


@given(st.text(max_size=200), st.integers(1, 60), st.integers(0, 30))
def test_wrapping_and_cutting(text: str, columns: int, indent: int) -> None:
    shown = plain(text)
    room = max(columns, NARROWEST)
    lines = wrap(shown, columns, indent=indent)
    assert all(width_of(line) <= room for line in lines)
    assert "".join("".join(lines).split()) == "".join(shown.split())
    assert all(width_of(line) <= room for line in fold(shown, columns))
    assert width_of(cut(shown, columns)) <= columns
    if width_of(shown) <= columns:
        assert cut(shown, columns) == shown


def test_folding_keeps_colours_of_lines_that_fit() -> None:
    red = COLOURED("alarm", "bad")
    assert fold(red, 10) == [red]
    assert fold(COLOURED("two  words", "bad"), 9) == ["two ", "    words"]


def test_tables_drop_columns_from_the_right_before_they_cut() -> None:
    rows = [{"a": "비트코인", "b": "1", "c": "x" * 30}]
    columns = (("a", "A"), ("b", ">BB"), ("c", "C"))
    assert table(rows, columns, 80)[1] == "비트코인   1  " + "x" * 30
    assert table(rows, columns, 30) == ["A         BB", "비트코인   1"]
    assert all(width_of(line) <= 6 for line in table(rows, columns, 6))


def test_colour_is_wanted_on_request() -> None:
    assert wants_colour("always", {"NO_COLOR": "1"})
    assert not wants_colour("never", {"FORCE_COLOR": "1"})
    assert not wants_colour("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"})
    assert wants_colour("auto", {"FORCE_COLOR": "1"})


@given(st.text())
def test_json_says_the_same_and_cannot_hurt(text: str) -> None:
    for indent in (None, 2):
        shown = json_text({"text": text, text: [text]}, indent)
        assert json.loads(shown) == {"text": text, text: [text]}
        assert plain(shown.replace("\n", " "), 10**6) == shown.replace("\n", " ")


def test_a_cell_is_one_field() -> None:
    assert cell(None) == ""
    assert cell(True) == "True"
    assert cell("a\tb\nc\x1b") == "a b c\\u001b"


# -- completion ----------------------------------------------------------------------


SNAPSHOT = Snapshot(positions=("BTCUSDT", "PEPEUSDT"), traces=("1042",))


def _words(line: str) -> list[str]:
    return [candidate.word for candidate in complete(line, SNAPSHOT)]


def test_completion_of_commands_and_arguments() -> None:
    assert _words("sta") == ["status", "stats"]
    assert _words("pnc") == ["panic"]
    assert _words("")[:2] == ["status", "positions"]
    assert "quit" in _words("q")
    assert _words("close ") == ["BTCUSDT", "PEPEUSDT", "--all", "--pct"]
    assert _words("close pe")[0] == "PEPEUSDT"
    assert _words("close BTCUSDT --p") == ["--pct"]
    assert "--all" not in _words("close --all --")
    assert _words("explain 1") == ["1042"]
    assert _words("help pan")[0] == "panic"
    assert _words("nonsense ") == []
    assert _words("emergency-stop --a")[0] == "--all"


@given(st.text(max_size=60))
def test_completion_never_fails(line: str) -> None:
    for candidate in complete(line, SNAPSHOT):
        assert candidate.word


@pytest.mark.parametrize(
    "line",
    ["panic", " panic --yes", "'panic'", "PANIC", "emergency-stop", "FLATTEN 2", "CLOSE 1", "ARM",
     "close-all", "closeall --yes", "  close BTC"],
)  # fmt: skip
def test_dangerous_lines_are_not_remembered(line: str) -> None:
    assert is_dangerous(line)


@pytest.mark.parametrize("line", ["status", "armour", "help panic", "", "events -n 5", "disarm"])
def test_other_lines_are(line: str) -> None:
    assert not is_dangerous(line)


def test_every_row_key_is_a_key() -> None:
    for command, keys in ROW_KEYS.items():
        assert len(set(keys)) == len(keys), command
