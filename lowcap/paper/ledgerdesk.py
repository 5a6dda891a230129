"""Fees, income, isolated margin and account modes of the simulated venue (docs/venue.md §4)."""

from __future__ import annotations

from collections.abc import Callable

from lowcap.core.money import ZERO
from lowcap.paper import rules, views
from lowcap.paper.matching import MAKER_FEE, TAKER_FEE, OrderBook
from lowcap.paper.rules import Params
from lowcap.paper.state import VenueError
from lowcap.paper.views import Json


class LedgerDesk:
    """What the account was charged, and what it may change about its margin."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._state = book.state
        self.calls: dict[str, Callable[[Params], object]] = {
            "account.income": self._income,
            "account.commission": self._commission,
            "account.tradingStatus": lambda params: {
                "indicators": {},
                "updateTime": book.now_ms,
            },
            "account.adlQuantile": self._adl_quantile,
            "account.feeBurn": lambda params: {"feeBurn": False},
            "account.positionMargin": self._position_margin,
            "account.positionMode": lambda params: {"dualSidePosition": self._state.hedge_mode},
            "account.setPositionMode": self._set_position_mode,
            "account.assetMode": lambda params: {"multiAssetsMargin": self._state.multi_assets},
            "account.setAssetMode": self._set_asset_mode,
        }

    def _income(self, params: Params) -> list[Json]:
        """GET income: the newest, or from a time onwards."""
        symbol = self._book.optional_symbol(params)
        kind = params.get("incomeType")
        start_ms = rules.int_param(params, "startTime", 0)
        end_ms = rules.int_param(params, "endTime", self._book.now_ms)
        limit = max(min(rules.int_param(params, "limit", 100), 1_000), 1)
        rows = [
            views.income_view(row)
            for row in self._state.income
            if symbol in (None, row.symbol)
            and kind in (None, row.kind)
            and start_ms <= row.time_ms <= end_ms
        ]
        return rows[:limit] if start_ms else rows[-limit:]

    def _commission(self, params: Params) -> Json:
        return {
            "symbol": self._book.contract(params).symbol,
            "makerCommissionRate": str(MAKER_FEE),
            "takerCommissionRate": str(TAKER_FEE),
            "rpiCommissionRate": str(MAKER_FEE),
        }

    def _adl_quantile(self, params: Params) -> list[Json]:
        """Positions in profit stand first in the queue for deleveraging."""
        wanted = self._book.optional_symbol(params)
        rows = []
        for symbol, position in sorted(self._state.positions.items()):
            if position.qty and wanted in (None, symbol):
                profit = position.qty * (
                    self._book.board.quotes[symbol].mark - position.entry_price
                )
                rank = 3 if profit > ZERO else 1
                rows.append({"symbol": symbol, "adlQuantile": {"BOTH": rank}})
        return rows

    def _position_margin(self, params: Params) -> Json:
        """POST positionMargin: type 1 adds to an isolated position, 2 takes away."""
        symbol = self._book.contract(params).symbol
        amount = rules.decimal_param(params, "amount")
        kind = rules.int_param(params, "type")
        if kind not in (1, 2):
            raise VenueError(-1102, "Mandatory parameter 'type' was malformed.")
        if amount <= ZERO:
            raise VenueError(-4055, "Amount must be positive.")
        if symbol not in self._state.isolated:
            raise VenueError(-4049, "Add margin only support for isolated position.")
        position = self._book.position(symbol)
        if position.qty == ZERO:
            raise VenueError(-4054, "Cannot add position margin: position is 0.")
        if kind == 1 and amount > self._book.available_balance():
            raise VenueError(-4050, "Cross balance insufficient.")
        if kind == 2 and amount > position.added_margin:
            raise VenueError(-4051, "Isolated balance insufficient.")
        position.added_margin += amount if kind == 1 else -amount
        self._book.tell_account(symbol, "MARGIN_TRANSFER")
        return {
            "amount": float(amount),
            "code": 200,
            "msg": "Successfully modify position margin.",
            "type": kind,
        }

    def _set_position_mode(self, params: Params) -> Json:
        """POST positionSide/dual: -4059, -4067, -4068 (§9)."""
        wanted = rules.flag_param(params, "dualSidePosition")
        if wanted == self._state.hedge_mode:
            raise VenueError(-4059, "No need to change position side.")
        if self._book.open_orders():
            raise VenueError(-4067, "Position side cannot be changed if there exists open orders.")
        if self._is_holding():
            raise VenueError(-4068, "Position side cannot be changed if there exists position.")
        self._state.hedge_mode = wanted
        return {"code": 200, "msg": "success"}

    def _set_asset_mode(self, params: Params) -> Json:
        """POST multiAssetsMargin: -4171, -4168 (§9); told by ACCOUNT_CONFIG_UPDATE."""
        wanted = rules.flag_param(params, "multiAssetsMargin")
        if wanted == self._state.multi_assets:
            raise VenueError(-4171, "No need to change Multi-Assets Mode.")
        if wanted and self._state.isolated:
            raise VenueError(
                -4168, "Unable to adjust to Multi-Assets mode with symbols of isolated-margin mode."
            )
        self._state.multi_assets = wanted
        at_ms = self._book.now_ms
        event = {"e": "ACCOUNT_CONFIG_UPDATE", "E": at_ms, "T": at_ms, "ai": {"j": wanted}}
        self._book.events.append(event)
        return {"code": 200, "msg": "success"}

    def _is_holding(self) -> bool:
        return any(position.qty for position in self._state.positions.values())
