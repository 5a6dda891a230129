"""What the daemon answers about money: profit and loss, the equity curve, closed trades."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import trio
import trio.lowlevel

from lowcap.actions import Parts, whole_number
from lowcap.control.peer import Peer
from lowcap.control.server import Handler
from lowcap.core.errors import CommandError
from lowcap.core.plain import plain
from lowcap.observe.curve import HOURS_KEPT
from lowcap.observe.statements import GROUPS, PERIODS, Now, closed_trades, equity, profit_and_loss
from lowcap.rows import unrealized

Json = dict[str, Any]
DAYS_SHOWN, DAYS_MAX = 7, HOURS_KEPT // 24
TRADES_SHOWN, TRADES_MAX = 20, 100_000


class MoneyCommands:
    """The handlers; all they tell comes from the accounts, the wallet and the newest prices."""

    def __init__(self, ready: Callable[[], Parts]) -> None:
        self._ready = ready
        self.handlers: dict[str, Handler] = {
            "pnl": self._pnl,
            "equity": self._equity,
            "trades": self._trades,
        }

    async def _pnl(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        period = _one_of("period", params.get("period"), PERIODS) or "today"
        by = _one_of("by", params.get("by"), GROUPS)
        return profit_and_loss(parts.accounts, period, by, account_now(parts))

    async def _equity(self, params: Json, peer: Peer) -> Json:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        days = _number("days", params.get("days"), DAYS_SHOWN, DAYS_MAX)
        return equity(parts.accounts, days, account_now(parts))

    async def _trades(self, params: Json, peer: Peer) -> list[Json]:
        await trio.lowlevel.checkpoint()
        parts = self._ready()
        action = _one_of("action", params.get("action"), ("list", "export")) or "list"
        shown = TRADES_SHOWN if action == "list" else 0
        count = _number("count", params.get("count"), shown, TRADES_MAX)
        parts.desk.ledger.publish_pending()
        return closed_trades(parts.accounts, count)


def account_now(parts: Parts) -> Now:
    """The account as it is believed to be, with every record so far in the accounts."""
    desk = parts.desk
    desk.ledger.publish_pending()
    return Now(
        at_ms=desk.now_ms(),
        wallet_usdt=parts.venue.wallet_usdt,
        unrealized={p.symbol: unrealized(desk, p) for p in desk.book.open_positions()},
    )


def _one_of(name: str, given: object, choices: Iterable[str]) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or given not in choices:
        shown = plain(repr(given), 60)
        raise CommandError(f"{name}: {shown} is no choice", hint="one of " + ", ".join(choices))
    return given


def _number(name: str, given: object, default: int, most: int) -> int:
    if given is None:
        return default
    number = whole_number(name, given)
    if not 0 < number <= most:
        raise CommandError(f"{name}: {number} is not between 1 and {most}")
    return number
