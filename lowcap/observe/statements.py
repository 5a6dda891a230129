"""What the accounts say, as plain values: profit and loss, equity, closed trades. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from lowcap.core.clock import NS_PER_MS, iso_ms, utc_day
from lowcap.core.money import HUNDRED, ZERO, Side
from lowcap.observe.accounts import Accounts
from lowcap.observe.curve import Span, joined, point
from lowcap.observe.sums import Sums, Trade

Json = dict[str, Any]
DAY_MS = 86_400_000
# How many days a period has, and how many days before today it ends.
PERIODS: dict[str, tuple[int, int]] = {
    "today": (1, 0),
    "yesterday": (1, 1),
    "7d": (7, 0),
    "30d": (30, 0),
    "all": (0, 0),
}
GROUPS = {"day": 0, "trigger": 1, "symbol": 2, "feed": 3}
PRICE_PLACES = 12


class Now(Struct, frozen=True, kw_only=True):
    """The account at this moment: wallet, and profit of open positions by symbol, in USDT."""

    at_ms: int
    wallet_usdt: Decimal
    unrealized: Mapping[str, Decimal]

    @property
    def unrealized_usd(self) -> Decimal:
        """Profit of all open positions."""
        return sum(self.unrealized.values(), ZERO)


def profit_and_loss(accounts: Accounts, period: str, by: str, now: Now) -> Json:
    """Sums of a period, grouped by a word of ``GROUPS`` or not at all, and what is open."""
    first, last = _days(period, now.at_ms)
    total, groups = Sums(), dict[str, Sums]()
    for key, sums in accounts.sums.items():
        if first and not first <= key[0] <= last:
            continue
        total.add(sums)
        if by:
            groups.setdefault(key[GROUPS[by]], Sums()).add(sums)
    rows = [{"name": name, **_sums_row(sums)} for name, sums in _sorted(groups, by)]
    state = accounts.state
    unexplained = now.wallet_usdt - state.start_wallet - state.explained
    return {
        "period": period,
        "first_day": first or None,
        "last_day": last,
        "by": by or None,
        "total": _sums_row(total),
        "rows": rows,
        "open": [_open_row(trade, now) for trade in state.open.values()],
        "unrealized_usd": _money(now.unrealized_usd),
        "other_assets": {asset: _money(held) for asset, held in state.other_assets.items()},
        "wallet": {
            "usdt": _money(now.wallet_usdt),
            "since": iso_ms(state.began_ms) if state.began_ms else None,
            "start_usdt": _money(state.start_wallet),
            "explained_usd": _money(state.explained),
            "unexplained_usd": _money(unexplained) if state.began_ms else None,
            "income_until": iso_ms(accounts.income_until_ms) if accounts.income_until_ms else None,
        },
    }


def _days(period: str, now_ms: int) -> tuple[str, str]:
    count, ago = PERIODS[period]
    last_ms = now_ms - ago * DAY_MS
    first_ms = last_ms - (count - 1) * DAY_MS
    return utc_day(first_ms * NS_PER_MS) if count else "", utc_day(last_ms * NS_PER_MS)


def _sorted(groups: dict[str, Sums], by: str) -> list[tuple[str, Sums]]:
    """Days in order, everything else by what it made; what made nothing is left out."""
    if by == "day":
        return sorted(groups.items(), key=lambda item: (item[0][:1].isdigit(), item[0]))
    found = [(name, s) for name, s in groups.items() if s.result or s.trades or s.volume]
    return sorted(found, key=lambda item: (-item[1].result, item[0]))


def _sums_row(sums: Sums) -> Json:
    decided = sums.wins + sums.losses
    return {
        "result_usd": _money(sums.result),
        "realized_usd": _money(sums.realized),
        "fees_usd": _money(sums.fees),
        "funding_usd": _money(sums.funding),
        "liquidation_usd": _money(sums.liquidation),
        "other_usd": _money(sums.other),
        "not_ours_usd": _money(sums.not_ours),
        "transfers_usd": _money(sums.transfers),
        "volume_usd": _money(sums.volume),
        "slippage_usd": _money(sums.slippage),
        "slippage_bps": _rounded(sums.slippage_bps),
        "trades": sums.trades,
        "wins": sums.wins,
        "losses": sums.losses,
        "won_pct": _rounded(HUNDRED * sums.wins / decided) if decided else None,
    }


def _open_row(trade: Trade, now: Now) -> Json:
    return {
        "symbol": trade.symbol,
        "side": _side(trade),
        "trigger": trade.trigger,
        "feed": trade.feed,
        "opened": iso_ms(trade.opened_ms),
        "qty": _money(trade.qty - trade.exit_qty),
        "entry_price": _price(trade.entry_price),
        "realized_usd": _money(trade.sums.realized),
        "fees_usd": _money(trade.sums.fees),
        "funding_usd": _money(trade.sums.funding),
        "result_usd": _money(trade.sums.result),
        "unrealized_usd": _money(now.unrealized.get(trade.symbol, ZERO)),
        "trace": trade.number,
    }


def closed_trades(accounts: Accounts, count: int) -> list[Json]:
    """The newest ``count`` closed trades, oldest first; 0 for all that are remembered."""
    return [trade_row(trade) for trade in accounts.state.closed[-count:]]


def trade_row(trade: Trade) -> Json:
    """One closed trade; figures exact, averages rounded."""
    sums = trade.sums
    return {
        "trace": trade.number,
        "symbol": trade.symbol,
        "side": _side(trade),
        "trigger": trade.trigger,
        "feed": trade.feed,
        "opened": iso_ms(trade.opened_ms),
        "closed": iso_ms(trade.closed_ms),
        "held_s": max(trade.closed_ms - trade.opened_ms, 0) // 1_000,
        "qty": _money(trade.qty),
        "entry_price": _price(trade.entry_price),
        "exit_qty": _money(trade.exit_qty),
        "exit_price": _price(trade.exit_price),
        "volume_usd": _money(sums.volume),
        "realized_usd": _money(sums.realized),
        "fees_usd": _money(sums.fees),
        "funding_usd": _money(sums.funding),
        "liquidation_usd": _money(sums.liquidation),
        "slippage_usd": _money(sums.slippage),
        "slippage_bps": _rounded(sums.slippage_bps),
        "result_usd": _money(sums.result),
    }


def equity(accounts: Accounts, days: int, now: Now) -> Json:
    """The curve of the last days with its largest fall.

    Money paid in or taken out is neither profit nor loss: past readings are
    shown as if it had always been, or never been, there.
    """
    from_ms, curve = now.at_ms - days * DAY_MS, accounts.state.curve
    paid_in = accounts.state.transferred
    spans = curve.since(from_ms)
    current = now.wallet_usdt + now.unrealized_usd
    spans = [*spans, point(now.at_ms, current - paid_in)]
    before = curve.before(from_ms)
    if before is not None:
        spans = [point(from_ms, before), *spans]
    whole = joined(spans) or spans[0]
    first = before if before is not None else spans[0].last
    return {
        "days": days,
        "from": iso_ms(spans[0].start_ms),
        "until": iso_ms(now.at_ms),
        "equity_usd": _money(current),
        "wallet_usdt": _money(now.wallet_usdt),
        "unrealized_usd": _money(now.unrealized_usd),
        "change_usd": _money(current - paid_in - first),
        "high_usd": _money(whole.high + paid_in),
        "low_usd": _money(whole.low + paid_in),
        "drawdown": _drawdown(whole, paid_in),
        "points": [
            {"at_ms": span.start_ms, "equity_usd": _money(span.last + paid_in)} for span in spans
        ],
    }


def _drawdown(whole: Span, paid_in: Decimal) -> Json:
    peak = whole.peak + paid_in
    if not whole.drop:
        return {"usd": "0", "pct": "0.00", "peak_at": None, "trough_at": None}
    return {
        "usd": _money(whole.drop),
        "pct": _rounded(whole.drop / peak * HUNDRED) if peak > ZERO else None,
        "peak_at": iso_ms(whole.peak_ms),
        "trough_at": iso_ms(whole.trough_ms),
    }


def _side(trade: Trade) -> str:
    return "LONG" if trade.side is Side.BUY else "SHORT"


def _money(value: Decimal) -> str:
    """Exact, without zeros that say nothing."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rounded(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _price(value: Decimal | None) -> str | None:
    return None if value is None else _money(round(value, PRICE_PLACES))
