"""Account calls of the simulated venue: positions, balance, configuration (docs/venue.md §4)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from lowcap.core.contract import Contract, LeverageBracket
from lowcap.core.money import ZERO, wire
from lowcap.paper import rules, views
from lowcap.paper.matching import OrderBook
from lowcap.paper.rules import Params
from lowcap.paper.state import PaperPosition, VenueError
from lowcap.paper.views import Json

TRADES_PER_CALL = 1_000
_V3_POSITION_KEYS = (
    "symbol", "positionSide", "positionAmt", "isolatedMargin", "notional",
    "isolatedWallet", "initialMargin", "maintMargin", "updateTime",
)  # fmt: skip


class AccountDesk:
    """What the account owner may ask and change, on top of the order book's state."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._state = book.state
        self.calls: dict[str, Callable[[Params], object]] = {
            "account.position": self._positions,
            "account.positionV2": self._positions_v2,
            "account.balance": self._balance,
            "account.status": self._account,
            "account.config": self._config,
            "account.symbolConfig": self._symbol_config,
            "account.leverage": self._set_leverage,
            "account.marginType": self._set_margin_type,
            "account.trades": self._trades,
        }

    # -- positions and balance ---------------------------------------------

    def _positions(self, params: Params) -> list[Json]:
        """PositionRisk v3: only symbols with a position or open orders."""
        wanted = self._book.optional_symbol(params)
        busy = {order.symbol for order in self._book.open_orders()}
        return [
            self._position_row(position)
            for symbol, position in sorted(self._state.positions.items())
            if (position.qty != ZERO or symbol in busy) and wanted in (None, symbol)
        ]

    def _positions_v2(self, params: Params) -> list[Json]:
        """PositionRisk v2: every symbol, with leverage and margin type."""
        wanted = self._book.optional_symbol(params)
        return [
            self._position_row(self._state.positions.get(symbol, PaperPosition(symbol=symbol)))
            | {
                "leverage": str(self._book.leverage(symbol)),
                "marginType": "isolated" if symbol in self._state.isolated else "cross",
                "isAutoAddMargin": "false",
                "maxNotionalValue": wire(contract.notional_cap_at(self._book.leverage(symbol))),
            }
            for symbol, contract in self._book.contracts.items()
            if wanted in (None, symbol)
        ]

    def _position_row(self, position: PaperPosition) -> Json:
        """One row, with the liquidation price of §4."""
        symbol = position.symbol
        contract = self._book.contracts[symbol]
        mark = self._book.board.quotes[symbol].mark
        isolated = self._book.isolated_wallet(position)
        backing = isolated if symbol in self._state.isolated else self._cross_backing(symbol)
        return views.position_view(
            position,
            mark=mark,
            initial=abs(position.qty) * mark / self._book.leverage(symbol),
            maintenance=contract.maintenance_margin(abs(position.qty) * mark),
            isolated=isolated,
            liquidation=_liquidation_price(position, contract, mark, backing),
        )

    def _cross_backing(self, symbol: str) -> Decimal:
        """Wallet plus profit less maintenance margin of all other positions (§4)."""
        backing = self._state.wallet
        for other in self._state.positions.values():
            if other.qty and other.symbol != symbol:
                mark = self._book.board.quotes[other.symbol].mark
                contract = self._book.contracts[other.symbol]
                backing += other.qty * (mark - other.entry_price)
                backing -= contract.maintenance_margin(abs(other.qty) * mark)
        return backing

    def _unrealized(self) -> Decimal:
        quotes = self._book.board.quotes
        return sum(
            (
                p.qty * (quotes[p.symbol].mark - p.entry_price)
                for p in self._state.positions.values()
            ),
            ZERO,
        )

    def _balance(self, params: Params) -> list[Json]:
        free = f"{self._book.available_balance():.8f}"
        return [
            {
                "accountAlias": "SgsR",
                "asset": "USDT",
                "balance": f"{self._state.wallet:.8f}",
                "crossWalletBalance": f"{self._state.wallet:.8f}",
                "crossUnPnl": f"{self._unrealized():.8f}",
                "availableBalance": free,
                "maxWithdrawAmount": free,
                "marginAvailable": True,
                "updateTime": self._book.now_ms,
            }
        ]

    def _account(self, params: Params) -> Json:
        rows = self._positions({})
        wallet, unrealized = self._state.wallet, self._unrealized()
        initial = sum((Decimal(row["initialMargin"]) for row in rows), ZERO)
        maintenance = sum((Decimal(row["maintMargin"]) for row in rows), ZERO)
        figures = {
            "InitialMargin": f"{initial:.8f}",
            "MaintMargin": f"{maintenance:.8f}",
            "WalletBalance": f"{wallet:.8f}",
            "UnrealizedProfit": f"{unrealized:.8f}",
            "MarginBalance": f"{wallet + unrealized:.8f}",
            "PositionInitialMargin": f"{initial:.8f}",
            "OpenOrderInitialMargin": "0.00000000",
            "CrossWalletBalance": f"{wallet:.8f}",
            "CrossUnPnl": f"{unrealized:.8f}",
        }
        free = f"{self._book.available_balance():.8f}"
        shared = {"availableBalance": free, "maxWithdrawAmount": free}
        asset = {name[0].lower() + name[1:]: figure for name, figure in figures.items()}
        return {
            **{f"total{name}": figure for name, figure in figures.items()},
            **shared,
            "assets": [{"asset": "USDT", **asset, **shared, "updateTime": self._book.now_ms}],
            "positions": [
                {key: row[key] for key in _V3_POSITION_KEYS}
                | {"unrealizedProfit": row["unRealizedProfit"]}
                for row in rows
            ],
        }

    def _trades(self, params: Params) -> list[Json]:
        """userTrades: the newest, or from an id or a time onwards."""
        symbol = self._book.contract(params).symbol
        from_id = rules.int_param(params, "fromId", 0)
        start_ms = rules.int_param(params, "startTime", 0)
        end_ms = rules.int_param(params, "endTime", self._book.now_ms)
        limit = min(rules.int_param(params, "limit", 500), TRADES_PER_CALL)
        if from_id and ("startTime" in params or "endTime" in params):
            raise VenueError(-1128, "Combination of optional parameters invalid.")
        order_id = rules.int_param(params, "orderId", 0)
        rows = [
            views.trade_view(trade)
            for trade in self._state.trades
            if trade.symbol == symbol
            and trade.trade_id >= from_id
            and start_ms <= trade.time_ms <= end_ms
            and order_id in (0, trade.order_id)
        ]
        return rows[:limit] if from_id or start_ms else rows[-limit:]

    # -- configuration -----------------------------------------------------

    def _config(self, params: Params) -> Json:
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": False,
            "canWithdraw": False,
            "dualSidePosition": self._state.hedge_mode,
            "multiAssetsMargin": self._state.multi_assets,
            "tradeGroupId": -1,
            "updateTime": 0,
        }

    def _symbol_config(self, params: Params) -> list[Json]:
        wanted = self._book.optional_symbol(params)
        isolated = set(self._state.isolated)
        return [
            {
                "symbol": symbol,
                "marginType": "ISOLATED" if symbol in isolated else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": self._book.leverage(symbol),
                "maxNotionalValue": wire(contract.notional_cap_at(self._book.leverage(symbol))),
            }
            for symbol, contract in self._book.contracts.items()
            if wanted in (None, symbol)
        ]

    def _set_leverage(self, params: Params) -> Json:
        """POST /fapi/v1/leverage: -4028, -4161 and -2027 (§9)."""
        contract = self._book.contract(params)
        symbol, leverage = contract.symbol, rules.int_param(params, "leverage")
        if not 1 <= leverage <= contract.brackets[0].leverage:
            raise VenueError(-4028, f"Leverage {leverage} is not valid")
        held = abs(self._book.position(symbol).qty)
        if held and symbol in self._state.isolated and leverage < self._book.leverage(symbol):
            raise VenueError(
                -4161, "Leverage reduction is not supported in Isolated Margin Mode with open "
                "positions."
            )  # fmt: skip
        cap = contract.notional_cap_at(leverage)
        if held * self._book.board.quotes[symbol].mark > cap:
            raise VenueError(-2027, "Exceeded the maximum allowable position at current leverage.")
        self._state.leverage[symbol] = leverage
        at_ms = self._book.now_ms
        self._book.events.append(
            {
                "e": "ACCOUNT_CONFIG_UPDATE",
                "E": at_ms,
                "T": at_ms,
                "ac": {"s": symbol, "l": leverage},
            }
        )
        return {"leverage": leverage, "maxNotionalValue": wire(cap), "symbol": symbol}

    def _set_margin_type(self, params: Params) -> Json:
        """POST /fapi/v1/marginType: -4046, -4047, -4048 (§9)."""
        symbol = self._book.contract(params).symbol
        wanted = rules.text_param(params, "marginType")
        if wanted not in {"ISOLATED", "CROSSED"}:
            raise VenueError(-1102, "Mandatory parameter 'marginType' was malformed.")
        if (wanted == "ISOLATED") == (symbol in self._state.isolated):
            raise VenueError(-4046, "No need to change margin type.")
        if self._book.open_orders(symbol):
            raise VenueError(-4047, "Margin type cannot be changed if there exists open orders.")
        if self._book.position(symbol).qty != ZERO:
            raise VenueError(-4048, "Margin type cannot be changed if there exists position.")
        if wanted == "ISOLATED":
            self._state.isolated.append(symbol)
        else:
            self._state.isolated.remove(symbol)
        self._book.tell_account(symbol, "MARGIN_TYPE_CHANGE")
        return {"code": 200, "msg": "success"}


def _liquidation_price(
    position: PaperPosition, contract: Contract, mark: Decimal, backing: Decimal
) -> Decimal:
    """(WB + cum - d*Q*EP) / (Q*MMR - d*Q), as §4 has it; zero for none."""
    size = abs(position.qty)
    if size == ZERO:
        return ZERO
    direction = 1 if position.qty > 0 else -1
    bracket = _bracket(contract, size * mark)
    room = backing + bracket.cum - direction * size * position.entry_price
    return max(room / (size * bracket.maint_margin_ratio - direction * size), ZERO)


def _bracket(contract: Contract, notional: Decimal) -> LeverageBracket:
    return next((b for b in contract.brackets if notional <= b.notional_cap), contract.brackets[-1])
