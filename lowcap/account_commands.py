"""What the daemon answers about the account and the market: margin in use, prices, contracts."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fnmatch import translate
from typing import Any

import trio
import trio.lowlevel

from lowcap.actions import Parts
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core.contract import Contract
from lowcap.core.errors import CommandError
from lowcap.core.money import HUNDRED, ZERO
from lowcap.core.plain import plain
from lowcap.execution.desk import Desk
from lowcap.observe.statements import Now, profit_and_loss
from lowcap.position_commands import contract_of
from lowcap.risk.gate import notionals
from lowcap.risk.sizing import tier_of
from lowcap.rows import unrealized

Json = dict[str, Any]
BPS = 10_000
ROWS_AT_ONCE = 50
GLOB_MAX = 40
_GLOB = re.compile(r"[*?\[]")


class AccountCommands:
    """The handlers; they tell what is believed, and ask the venue nothing."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self.handlers: dict[str, Handler] = {"account": self._account, "prices": self._prices}

    async def _account(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        parts.desk.ledger.publish_pending()
        return account_page(parts)

    async def _prices(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        rows: list[Json] = []
        for symbol in _wanted(parts.desk, params.get("symbol")):
            if symbol in parts.venue.contracts:
                rows.append(price_row(parts, symbol))
            if len(rows) % ROWS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()  # a frame may come in between
        return rows


# -- the account --------------------------------------------------------------------


def account_page(parts: Parts) -> Json:
    """Wallet and margin, what each position takes of it, and the most that the next may take."""
    desk = parts.desk
    wallet, available = parts.venue.wallet_usdt, desk.margin_available()
    positions = desk.book.open_positions()
    profits = {p.symbol: unrealized(desk, p) for p in positions}
    rows = [_margin_row(desk, symbol, worth) for symbol, worth in _exposed(desk)]
    used = sum((Decimal(row["margin_usd"]) for row in rows), ZERO)
    most_pct = desk.settings.limits.margin_pct_max
    now = Now(at_ms=desk.now_ms(), wallet_usdt=wallet, unrealized=profits)
    equity = desk.equity_usd()
    return {
        "mode": desk.mode,
        "wallet_usdt": f"{wallet:.2f}",
        "equity_usd": None if equity is None else f"{equity:.2f}",
        "unrealized_usd": f"{sum(profits.values(), ZERO):.2f}",
        "day_result_usd": f"{desk.book.day_result():.2f}",
        "result_usd": profit_and_loss(parts.accounts, "all", "", now)["total"]["result_usd"],
        "margin_used_usd": f"{used:.2f}",
        "margin_available_usd": f"{available:.2f}",
        "used_pct": f"{used / wallet * HUNDRED:.2f}" if wallet > ZERO else None,
        "position_margin_pct_max": str(most_pct),
        "position_margin_usd_max": f"{available * most_pct / HUNDRED:.2f}",
        "positions": rows,
    }


def _exposed(desk: Desk) -> list[tuple[str, Decimal]]:
    """Symbols with a position or an entry on its way, the largest first."""
    worth = notionals(desk.book, desk.quotes)
    return sorted(worth.items(), key=lambda row: (-row[1], row[0]))


def _margin_row(desk: Desk, symbol: str, worth: Decimal) -> Json:
    """What one symbol takes of the margin, as the gate counts it."""
    leverage = desk.venue.leverage.get(symbol, 1)
    contract = desk.venue.contracts.get(symbol)
    margin, wallet = worth / leverage, desk.venue.wallet_usdt
    position = desk.book.position(symbol)
    upkeep = contract.maintenance_margin(worth) if contract is not None else None
    return {
        "symbol": symbol,
        "side": "LONG" if position.qty > ZERO else "SHORT" if position.qty < ZERO else None,
        "notional_usd": f"{worth:.2f}",
        "leverage": leverage,
        "margin_usd": f"{margin:.2f}",
        "margin_pct": f"{margin / wallet * HUNDRED:.2f}" if wallet > ZERO else None,
        "maintenance_usd": None if upkeep is None else f"{upkeep:.2f}",
        "unrealized_usd": f"{unrealized(desk, position):.2f}",
    }


# -- prices and contracts -------------------------------------------------------------


def _wanted(desk: Desk, given: object) -> list[str]:
    """The symbols that an operator means: one, those that a pattern fits, or all.

    Raises:
        CommandError: there is none of that name.
    """
    word = plain(str(given or "")).strip().upper()
    if not word:
        return sorted(desk.venue.contracts)
    if _GLOB.search(word) is None:
        return [contract_of(desk, word)]
    if len(word) > GLOB_MAX:
        raise CommandError(f"a pattern of more than {GLOB_MAX} characters", hint="prices 'BTC*'")
    fits = re.compile(translate(word)).match
    found = [symbol for symbol in sorted(desk.venue.contracts) if fits(symbol)]
    if not found:
        raise CommandError(f"no contract fits {word}", hint="prices '*USDT'", code="not-found")
    return found


def price_row(parts: Parts, symbol: str) -> Json:
    """The newest prices of one contract with how old they are, and what the venue says of it."""
    desk, now_ms = parts.desk, parts.desk.now_ms()
    quote, book = desk.quotes.get(symbol), desk.venue.markets.book(symbol)
    contract = desk.venue.contracts[symbol]
    row: Json = {"symbol": symbol, "mark": None, "last": None, "age_ms": None, "last_age_ms": None}
    if quote is not None:
        row |= {"mark": str(quote.mark), "age_ms": now_ms - quote.mark_ms}
        if quote.last is not None:
            row |= {"last": str(quote.last), "last_age_ms": now_ms - quote.last_ms}
    row |= {"bid": None, "ask": None, "spread_bps": None}
    if book is not None:
        bps = (book.ask - book.bid) / ((book.ask + book.bid) / 2) * BPS
        row |= {"bid": str(book.bid), "ask": str(book.ask), "spread_bps": f"{bps:.2f}"}
    return row | _facts(parts, contract)


def _facts(parts: Parts, contract: Contract) -> Json:
    desk = parts.desk
    coin = desk.coin_of(contract.symbol)
    cap = desk.caps.usd.get(coin)
    return {
        "base": contract.base,
        "coin": coin or None,
        "multiplier": _multiplier(contract.base, coin),
        "status": contract.status,
        "tick": str(contract.tick),
        "step": str(contract.step),
        "qty_min": str(contract.qty_min),
        "notional_min_usd": str(contract.notional_min),
        "cap_usd": None if cap is None else str(cap),
        "tier": None if cap is None else tier_of(desk.settings.sizing, cap)[1],
        "leverage_set": parts.venue.leverage.get(contract.symbol),
    }


def _multiplier(base: str, coin: str) -> int:
    """How many coins one unit of the contract is: 1000 for 1000PEPE."""
    scale = base.removesuffix(coin) if coin and coin != base else ""
    return int(scale) if scale.isascii() and scale.isdecimal() else 1
