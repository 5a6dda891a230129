"""Replies about money as the daemon gives them, with large figures and a text put in."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def sums(name: str = "") -> Json:
    """The figures of one line of profit and loss."""
    return {
        "name": name, "result_usd": "-1234567.89012345", "realized_usd": "1234567.8",
        "fees_usd": "98765.4321", "funding_usd": "-0.00000001", "liquidation_usd": "-3",
        "other_usd": "0.5", "not_ours_usd": "77", "transfers_usd": "-500000",
        "volume_usd": "123456789012.5", "slippage_usd": "-12.5", "slippage_bps": "-1.25",
        "trades": 1_234, "wins": 600, "losses": 633, "won_pct": "48.66",
    }  # fmt: skip


def pnl_value(text: str = "") -> Json:
    """A reply to ``pnl``; ``text`` stands wherever a name could."""
    opened = {
        "symbol": "1000PEPEUSDT", "side": "LONG", "trigger": text, "qty": "123456789.5",
        "entry_price": None, "unrealized_usd": "-12345.6", "result_usd": "-1.5",
    }  # fmt: skip
    return {
        "period": "7d", "first_day": "2026-01-31", "last_day": "2026-02-06", "by": "trigger",
        "total": sums(), "rows": [sums(text), sums("nfp_le_50k")], "open": [opened],
        "unrealized_usd": "-12345.6", "other_assets": {text[:9] or "BNB": "-0.0125"},
        "wallet": {
            "usdt": "1000000.12345678", "since": "2026-02-06T13:29:50.000Z",
            "explained_usd": "-4", "unexplained_usd": "-0.00000001",
        },
    }  # fmt: skip


def equity_value() -> Json:
    """A reply to ``equity``."""
    points = [{"at_ms": n * 60_000, "equity_usd": str(10**6 - n * n)} for n in range(300)]
    return {
        "days": 7, "from": "2026-02-06T13:30:00.000Z", "until": "2026-02-06T18:30:00.000Z",
        "equity_usd": "910599", "wallet_usdt": "910599", "unrealized_usd": "0",
        "change_usd": "-89401", "points": points,
        "drawdown": {
            "usd": "89401", "pct": "8.94", "peak_at": "2026-02-06T13:30:00.000Z",
            "trough_at": "2026-02-06T18:29:00.000Z",
        },
    }  # fmt: skip


def trade_value(text: str = "") -> Json:
    """A row of ``trades``."""
    return {
        "trace": 1_234_567, "symbol": "1000PEPEUSDT", "side": "SHORT", "trigger": text,
        "feed": "tokyo", "opened": "2026-02-06T13:30:00.000Z", "exit_price": None,
        "closed": "2026-02-06T14:30:00.000Z", "held_s": 3_600, "qty": "123456789.5",
        "entry_price": "0.000012345678", "exit_qty": "1", "volume_usd": "1", "realized_usd": "1",
        "fees_usd": "1", "funding_usd": "-1", "liquidation_usd": "0", "slippage_usd": "0",
        "slippage_bps": None, "result_usd": "-1234567.89",
    }  # fmt: skip
