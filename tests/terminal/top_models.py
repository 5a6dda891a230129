"""Models of ``top`` as a daemon would have filled them, with a text put in where news may stand."""

from __future__ import annotations

from typing import Any

from lowcap.terminal.top.model import Model

Json = dict[str, Any]
NAMES = ("bwe", "tokyo", "toa_news", "phoenix", "synoptic", "twitter")
STATES = ("up", "up", "stale", "down", "connecting", "off")


def status_value(text: str = "a lunch", **changes: Any) -> Json:
    """A reply to ``status``."""
    feeds = [
        {"name": name, "state": state, "last_frame_age_ms": 400 * 9**number, "news": 12 * number,
         "round_trip_ms": None if state == "off" else 1.25 * number, "connects": 1 + number,
         "frames": 200, "faults": 0, "why": text if state in ("stale", "down") else ""}
        for number, (name, state) in enumerate(zip(NAMES, STATES, strict=True))
    ]  # fmt: skip
    return {
        "mode": "dry", "state": "REDUCING", "armed": False, "recovered": True,
        "holds": [
            {"name": "operator-pause", "state": "REDUCING", "reason": text, "who": "uid 1000",
             "since": "2026-02-06T13:30:00.000Z", "until": "2026-02-06T14:00:00.000Z"},
        ],
        "feeds_up": 3, "feeds": feeds, "positions": 3, "paused_symbols": [],
        "symbols": ["1000PEPEUSDT", "BTCUSDT", "ETHUSDT"], "trigger_ids": ["elon_btc"],
        "unprotected": 1, "unknown_orders": 0, "breakers": [],
        "unrealized_usd": "412.80", "gross_usd": "61200.00", "stopped_by": "",
        "day": {"result_usd": "-1234.50", "closed": 12, "wins": 7},
        "wallet_usdt": "998765.50", "margin_available_usd": "940000.00",
        "venue": {"order_socket": "up", "round_trip_ms": 3.4},
        "own_work_us": {"trades": 12, "p50": 85.2, "p99": 121.0},
        "ledger": {"run": 3, "seq": 900, "fault": ""}, "uptime_s": 93_784,
        "triggers_on": 15, "triggers": 16, "now": "2026-02-06T13:30:05.000Z",
    } | changes  # fmt: skip


def position_value(symbol: str, **changes: Any) -> Json:
    """A row of ``positions``."""
    return {
        "symbol": symbol, "side": "LONG", "qty": "0.073", "entry_price": "68017.6",
        "mark_price": "68500.12000000", "notional_usd": "5000.51", "unrealized_usd": "35.22",
        "unrealized_pct": "0.71", "realized_usd": "-2.48", "stop_price": "66657.3",
        "legs_open": [{"leg": "a", "qty": "0.036", "price": "69378.0"},
                      {"leg": "b", "qty": "0.021", "price": "70738.4"}],
        "legs_done": 1, "trigger": "elon_btc", "trace": 16, "foreign_qty": "0", "closing": False,
    } | changes  # fmt: skip


def setting_value(key: str, value: object, **changes: Any) -> Json:
    """A row of ``config show``."""
    return {
        "key": key, "value": value, "default": value, "origin": "default", "hot": True,
        "range": "more than 0", "help": "what it does, in a line",
    } | changes  # fmt: skip


def event_value(seq: int, text: str, level: str = "info") -> Json:
    """A ledger record with a sentence."""
    return {"seq": seq, "at": f"2026-02-06T13:29:{seq % 60:02}.123Z", "kind": "Filled",
            "level": level, "text": text}  # fmt: skip


def log_value(number: int, text: str, **changes: Any) -> Json:
    """A log record."""
    return {"at": f"2026-02-06T13:{number // 60:02}:{number % 60:02}.500Z", "level": "info",
            "area": "feeds", "text": text, "feed": "tokyo", "trigger": "",
            "cursor": str(number)} | changes  # fmt: skip


def sample(text: str = "a lunch", role: str = "admin", **changes: Any) -> Model:
    """A model with something on every page."""
    model = Model()
    model.greeted({"protocol": 1, "version": "0.1.0", "run": 3, "role": role})
    model.answered("status", status_value(text, **changes))
    model.answered(
        "positions",
        [
            position_value("1000PEPEUSDT", side="SHORT", entry_price="0.0123456789",
                           mark_price="0.0124000000", unrealized_usd="-123456.78",
                           unrealized_pct="-12.34", stop_price=None, trigger=text),
            position_value("BTCUSDT"),
            position_value("ETHUSDT", unrealized_usd="0.00", closing=True, foreign_qty="1.5"),
        ],
    )  # fmt: skip
    model.answered(
        "latency",
        {
            "stages": [{"stage": "total", "target_ms": 10, "p50_ms": 3.1, "p99_ms": 7.9,
                        "violations_pct": 12.5}],
            "recent_ms": [1, 2, 3, 4, 5, 6, 7, 8, 4, 2, 1, 0.5],
        },
    )  # fmt: skip
    process = {"cpu_pct": 3.25, "rss_mb": 81.4, "open_files": 23, "threads": 3, "uptime_s": 93_784}
    model.answered("stats", {"process": process, "connections": 4})
    model.answered(
        "config",
        [
            setting_value("sizing.scale", "0.5", default="1.0", origin="config.d/test.toml"),
            setting_value("order.slippage_pct", "1.5", help=text),
            setting_value("log.level", "info", range="debug, info, warning, error"),
            setting_value("limits.paused", False, range="true or false"),
            setting_value("exchange.rest_url", "http://127.0.0.1:1", hot=False),
        ],
    )
    for seq in range(1, 8):
        model.took_event(event_value(seq, f"FILL entry BUY {seq} BTCUSDT at 68017.6: {text}"))
    model.took_event(event_value(8, f"ALARM {text}", "error"))
    rows = [log_value(number, f"record {number}: {text}") for number in range(1, 40)]
    rows += [
        log_value(50, f"STOP late {text}", level="warning", area="orders", feed="",
                  trigger="elon_btc"),
        log_value(51, f"boom {text}", level="error", area="system", feed=""),
    ]  # fmt: skip
    model.took_logs(rows)
    return model
