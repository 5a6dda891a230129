"""What the daemon could answer about itself, with text of any kind in it."""

from __future__ import annotations

from typing import Any

from lowcap.observe.latency import BOUNDS_S, TARGETS_MS

Json = dict[str, Any]
POINTS: Json = {
    "count": 1_234_567, "p50_ms": 0.1234, "p95_ms": 12.3, "p99_ms": 123.4, "max_ms": 98_765.4,
    "violations_pct": 12.34,
}  # fmt: skip
NOTHING: Json = {
    "count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None,
    "violations_pct": None,
}  # fmt: skip


def stage_rows() -> list[Json]:
    """A table with a stage that is often late, and one that never was measured."""
    rows = [
        {"stage": name, "target_ms": target, "within": None} | POINTS
        for name, target in TARGETS_MS.items()
    ]
    rows[3] |= NOTHING
    for row in rows[6:8]:
        row |= NOTHING | {"count": None, "within": "risk"}
    return rows


def price_value(text: str) -> Json:
    """A contract whose base and coin are called ``text``."""
    return {
        "symbol": "1000000MOGUSDT", "mark": "0.0001234567", "last": "0.0001234568",
        "age_ms": 94_000, "last_age_ms": 900, "bid": "0.0001", "ask": "0.0002",
        "spread_bps": "6666.67", "base": text, "coin": text, "multiplier": 1_000_000,
        "status": "TRADING", "tick": "0.0000001", "step": "1", "qty_min": "1",
        "notional_min_usd": "5", "cap_usd": "123456789012", "tier": "mega", "leverage_set": None,
    }  # fmt: skip


def gauge_values(text: str) -> dict[str, Any]:
    """A reply of each page, by its name."""
    link = {"name": text, "way": "ws", "state": text, "round_trip_ms": 12.345}
    return {
        "latency": {
            "stages": stage_rows(),
            "recent_ms": [0.1 * number for number in range(60)],
            "round_trip": {"ws": POINTS, text: NOTHING},
            "tiers": [{"tier": text, "target_ms": 100.0} | POINTS],
        },
        "latency hist": {"stage": "submit", "target_ms": 2.0} | POINTS | {
            "bins": [
                {"up_to_ms": bound_s * 1000, "count": 10**number % 999_999}
                for number, bound_s in enumerate(BOUNDS_S)
            ] + [{"up_to_ms": None, "count": 10**9}],
        },
        "latency bottlenecks": [
            {"stage": "acknowledge", "severity": severity, "target_ms": 5.0} | POINTS
            for severity in ("high", "medium")
        ],
        "latency export": [
            {"trace": 10**9, "at": "2026-02-06T13:30:00.123Z", "symbol": text, "tier": text,
             "road": "ws", "total_us": 123_456.7, "acknowledge_us": None}
        ] * 2,
        "health": {
            "ok": False, "mode": "dry", "state": "REDUCING", "works": text,
            "components": [
                {"name": name, "kind": "feed", "ok": ok, "text": text}
                for name, ok in (("feed:toa_news", False), (text, True))
            ],
        },
        "stats": {
            "process": {"cpu_pct": 12.3, "cpu_s": 1.0, "rss_mb": None, "open_files": 31,
                        "open_files_max": 1024, "threads": 3, "uptime_s": 93_784},
            "connections": 2,
            "per_min": {"frames": 1234.56, "news": 12, "signals": 0.5, "orders": 0.0},
            "totals": {"frames": 10**9, "news": 5, "signals": 1, "orders": 5},
            "success_pct": None, "orders": {"filled": 3}, "refused": {text: 3},
            "errors": {text: 4}, "trades": 3, "wins": 2, "volume_usd": "1234567.89",
            "dedup": {"repeated": 4, "stale": 2, "keys_closed": 9},
            "queues": {"batch": {"waiting": 1, "most": 64, "peak": 12, "dropped": 0,
                                 "oldest_ms": 1234},
                       "capture": {"waiting": 4}, "replies": {"waiting": 1}},
            "loop_lag_ms": 1.25, "links": [link, link | {"round_trip_ms": None}],
        },
        "metrics": {
            "totals": {"frames": 10**9}, "orders": {}, "success_pct": 99.9, "trades": 1,
            "wins": 1, "volume_usd": "1.00", "day_result_usd": "-5.00", "positions": 2,
            "own_work_ms": POINTS, "acknowledge_ms": NOTHING, "errors": {text: 1},
            "log_records": {"info": 5}, "textfile": text, "textfile_fault": text,
        },
        "account": {
            "mode": "dry", "wallet_usdt": "1000000.00", "equity_usd": None,
            "unrealized_usd": "-12345.67", "day_result_usd": "5.00", "result_usd": "-999999.99",
            "margin_used_usd": "300000.00", "margin_available_usd": "700000.00",
            "used_pct": "30.00", "position_margin_pct_max": "30",
            "position_margin_usd_max": "210000.00",
            "positions": [
                {"symbol": "1000000MOGUSDT", "side": side, "notional_usd": "500000.00",
                 "leverage": 20, "margin_usd": "25000.00", "margin_pct": "2.50",
                 "maintenance_usd": None, "unrealized_usd": "-12345.67"}
                for side in ("LONG", None)
            ],
        },
        "prices": [price_value(text)] * 2,
        "metrics prom": {"text": f"# HELP x {text}\nx 1.0\n"},
    }  # fmt: skip
