"""The simulated venue as a function: one call in, one answer out, events on the side.

Pure: no sockets, no clock of its own. ``server`` gives it both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from lowcap.core.contract import Contract
from lowcap.core.money import ZERO, wire
from lowcap.paper import rules, views
from lowcap.paper.algos import AlgoBook
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.faults import Faults
from lowcap.paper.matching import OrderBook
from lowcap.paper.prices import MarketLine, PriceBoard
from lowcap.paper.rules import Params
from lowcap.paper.state import PaperState, VenueError

LISTEN_KEY_MS = 3_600_000
FUNDING_EVERY_MS = 8 * 3_600_000
Json = Any


class ExchangeSetup(Struct, frozen=True, kw_only=True):
    """How a simulated venue begins."""

    seed: int = 1
    wallet: Decimal = Decimal(1_000_000)
    step_bps: float = 2.0
    script: tuple[MarketLine, ...] = ()


class Exchange:
    """All methods of the venue by name; REST paths and WebSocket API methods both end here."""

    def __init__(self, setup: ExchangeSetup, state: PaperState | None = None) -> None:
        listed = listed_contracts()
        self.contracts: dict[str, Contract] = {s: contract for s, (contract, _) in listed.items()}
        self.board = PriceBoard(
            listed, seed=setup.seed, step_bps=setup.step_bps, script=setup.script
        )
        self.faults = Faults()
        self.state = state or PaperState(wallet=setup.wallet)
        self.book = OrderBook(self.state, self.contracts, self.board, self.faults)
        self.algos = AlgoBook(self.book)
        self._seed = setup.seed
        self._calls: dict[str, Callable[[Params], Json]] = {
            "order.place": lambda p: views.order_view(self.book.place(p)),
            "order.cancel": lambda p: views.order_view(self.book.cancel(p)),
            "order.status": self._order_status,
            "order.open": lambda p: [
                views.order_view(o, query=True) for o in self.book.open_orders(self._maybe(p))
            ],
            "order.cancelAll": self._cancel_all,
            "algoOrder.place": lambda p: views.algo_view(self.algos.place(p)),
            "algoOrder.cancel": self._cancel_algo,
            "algoOrder.status": self._algo_status,
            "algoOrder.open": lambda p: [
                views.algo_view(a, query=True) for a in self.algos.open_algos(self._maybe(p))
            ],
            "algoOrder.cancelAll": self._cancel_all_algos,
            "account.position": self._positions,
            "account.balance": self._balance,
            "account.status": self._account,
            "account.config": self._account_config,
            "account.symbolConfig": self._symbol_config,
            "account.leverage": self._set_leverage,
            "account.marginType": self._set_margin_type,
            "account.positionMode": lambda p: {"dualSidePosition": False},
            "account.assetMode": lambda p: {"multiAssetsMargin": False},
            "account.trades": self._trades,
            "market.exchangeInfo": self._exchange_info,
            "market.time": lambda p: {"serverTime": self.book.now_ms},
            "market.ping": lambda p: {},
            "market.brackets": self._brackets,
            "market.premiumIndex": self._premium_index,
            "ticker.book": self._book_ticker,
            "ticker.price": self._price_ticker,
            "userDataStream.start": lambda p: {"listenKey": self.renew_listen_key(create=True)},
            "userDataStream.ping": lambda p: {"listenKey": self.renew_listen_key(create=False)},
            "userDataStream.stop": self._stop_stream,
        }

    def replace_faults(self, faults: Faults) -> None:
        """Put another fault script in force."""
        self.faults = faults
        self.book.faults = faults

    def call(self, name: str, params: Params, now_ms: int) -> Json:
        """Carry out one request at server time ``now_ms``.

        Raises:
            VenueError: the venue refuses, with its code.
        """
        self.book.now_ms = now_ms
        self.board.play_script(now_ms)
        refused = self.faults.refuse.get(name)
        if refused is not None:
            raise VenueError(refused, "Refused by the fault script.")
        result = self._calls[name](params)
        self.algos.expire_orphans()
        return result

    def knows(self, name: str) -> bool:
        """Whether ``call`` has a method of that name."""
        return name in self._calls

    def tick(self, now_ms: int) -> None:
        """Let time pass: move prices, fill what they reach, trigger what waited for them."""
        self.book.now_ms = now_ms
        self.board.advance(now_ms)
        held = {s for s, position in self.state.positions.items() if position.qty != ZERO}
        busy = held | {order.symbol for order in self.book.open_orders()}
        busy |= {algo.symbol for algo in self.algos.open_algos()}
        for symbol in sorted(busy):
            self.algos.trigger_due(symbol)
            self.book.match_resting(symbol)
        self.algos.expire_orphans()

    def take_events(self) -> list[views.Json]:
        """User stream events since the last call."""
        events, self.book.events = self.book.events, []
        return events

    # -- orders -----------------------------------------------------------

    def _maybe(self, params: Params) -> str | None:
        return self.book.contract(params).symbol if params.get("symbol") else None

    def _order_status(self, params: Params) -> Json:
        order = self.book.find(params)
        if order is None:
            raise VenueError(-2013, "Order does not exist.")
        return views.order_view(order, query=True)

    def _algo_status(self, params: Params) -> Json:
        algo = self.algos.find(params)
        if algo is None:
            raise VenueError(-2013, "Order does not exist.")
        return views.algo_view(algo, query=True)

    def _cancel_algo(self, params: Params) -> Json:
        algo = self.algos.cancel(params)
        return {
            "algoId": algo.algo_id,
            "clientAlgoId": algo.client_id,
            "code": "200",
            "msg": "success",
        }

    def _cancel_all(self, params: Params) -> Json:
        self.book.cancel_all(params)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _cancel_all_algos(self, params: Params) -> Json:
        self.algos.cancel_all(params)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    # -- account ----------------------------------------------------------

    def _positions(self, params: Params) -> Json:
        wanted = self._maybe(params)
        busy = {order.symbol for order in self.book.open_orders()}
        return [
            views.position_view(
                position,
                self.board.quotes[symbol],
                self.contracts[symbol],
                self.book.leverage(symbol),
            )
            for symbol, position in sorted(self.state.positions.items())
            if (position.qty != ZERO or symbol in busy) and wanted in (None, symbol)
        ]

    def _unrealized(self) -> Decimal:
        return sum(
            (
                p.qty * (self.board.quotes[p.symbol].mark - p.entry_price)
                for p in self.state.positions.values()
            ),
            ZERO,
        )

    def _balance(self, params: Params) -> Json:
        free = f"{self.book.available_balance():.8f}"
        return [
            {
                "accountAlias": "SgsR",
                "asset": "USDT",
                "balance": f"{self.state.wallet:.8f}",
                "crossWalletBalance": f"{self.state.wallet:.8f}",
                "crossUnPnl": f"{self._unrealized():.8f}",
                "availableBalance": free,
                "maxWithdrawAmount": free,
                "marginAvailable": True,
                "updateTime": self.book.now_ms,
            }
        ]

    def _account(self, params: Params) -> Json:
        unrealized = self._unrealized()
        free = f"{self.book.available_balance():.8f}"
        margin = sum((Decimal(p["initialMargin"]) for p in self._positions({})), ZERO)
        maint = sum((Decimal(p["maintMargin"]) for p in self._positions({})), ZERO)
        totals = {
            "totalInitialMargin": f"{margin:.8f}",
            "totalMaintMargin": f"{maint:.8f}",
            "totalWalletBalance": f"{self.state.wallet:.8f}",
            "totalUnrealizedProfit": f"{unrealized:.8f}",
            "totalMarginBalance": f"{self.state.wallet + unrealized:.8f}",
            "totalPositionInitialMargin": f"{margin:.8f}",
            "totalOpenOrderInitialMargin": "0.00000000",
            "totalCrossWalletBalance": f"{self.state.wallet:.8f}",
            "totalCrossUnPnl": f"{unrealized:.8f}",
            "availableBalance": free,
            "maxWithdrawAmount": free,
        }
        asset = {
            "asset": "USDT",
            "walletBalance": totals["totalWalletBalance"],
            "unrealizedProfit": totals["totalUnrealizedProfit"],
            "marginBalance": totals["totalMarginBalance"],
            "maintMargin": totals["totalMaintMargin"],
            "initialMargin": totals["totalInitialMargin"],
            "positionInitialMargin": totals["totalPositionInitialMargin"],
            "openOrderInitialMargin": "0.00000000",
            "crossWalletBalance": totals["totalCrossWalletBalance"],
            "crossUnPnl": totals["totalCrossUnPnl"],
            "availableBalance": free,
            "maxWithdrawAmount": free,
            "updateTime": self.book.now_ms,
        }
        kept = (
            "symbol", "positionSide", "positionAmt", "isolatedMargin", "notional",
            "isolatedWallet", "initialMargin", "maintMargin", "updateTime",
        )  # fmt: skip
        rows = [
            {k: row[k] for k in kept} | {"unrealizedProfit": row["unRealizedProfit"]}
            for row in self._positions({})
        ]
        return totals | {"assets": [asset], "positions": rows}

    def _account_config(self, params: Params) -> Json:
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": False,
            "canWithdraw": False,
            "dualSidePosition": False,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
            "updateTime": 0,
        }

    def _symbol_config(self, params: Params) -> Json:
        wanted = self._maybe(params)
        isolated = set(self.state.isolated)
        return [
            {
                "symbol": symbol,
                "marginType": "ISOLATED" if symbol in isolated else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": self.book.leverage(symbol),
                "maxNotionalValue": wire(contract.notional_cap_at(self.book.leverage(symbol))),
            }
            for symbol, contract in self.contracts.items()
            if wanted in (None, symbol)
        ]

    def _set_leverage(self, params: Params) -> Json:
        contract = self.book.contract(params)
        leverage = rules.int_param(params, "leverage")
        if not 1 <= leverage <= contract.brackets[0].leverage:
            raise VenueError(-4028, f"Leverage {leverage} is not valid")
        self.state.leverage[contract.symbol] = leverage
        self.book.events.append(
            {
                "e": "ACCOUNT_CONFIG_UPDATE",
                "E": self.book.now_ms,
                "T": self.book.now_ms,
                "ac": {"s": contract.symbol, "l": leverage},
            }
        )
        return {
            "leverage": leverage,
            "maxNotionalValue": wire(contract.notional_cap_at(leverage)),
            "symbol": contract.symbol,
        }

    def _set_margin_type(self, params: Params) -> Json:
        symbol = self.book.contract(params).symbol
        wanted = rules.text_param(params, "marginType")
        if wanted not in {"ISOLATED", "CROSSED"}:
            raise VenueError(-1102, "Mandatory parameter 'marginType' was malformed.")
        if (wanted == "ISOLATED") == (symbol in self.state.isolated):
            raise VenueError(-4046, "No need to change margin type.")
        if self.book.position(symbol).qty != ZERO or self.book.open_orders(symbol):
            raise VenueError(-4047, "Margin type cannot be changed if there exists open orders.")
        if wanted == "ISOLATED":
            self.state.isolated.append(symbol)
        else:
            self.state.isolated.remove(symbol)
        return {"code": 200, "msg": "success"}

    def _trades(self, params: Params) -> Json:
        symbol = self.book.contract(params).symbol
        since = int(params.get("fromId", 0))
        limit = min(int(params.get("limit", 500)), 1000)
        order_id = int(params.get("orderId", 0))
        rows = [
            views.trade_view(trade)
            for trade in self.state.trades
            if trade.symbol == symbol
            and trade.trade_id >= since
            and order_id in (0, trade.order_id)
        ]
        return rows[-limit:]

    # -- market -----------------------------------------------------------

    def _exchange_info(self, params: Params) -> Json:
        return {
            "timezone": "UTC",
            "serverTime": self.book.now_ms,
            "futuresType": "U_MARGINED",
            "rateLimits": [
                _limit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
                _limit("ORDERS", "MINUTE", 1, 1200),
                _limit("ORDERS", "SECOND", 10, 300),
            ],
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}],
            "symbols": [views.contract_view(c) for c in self.contracts.values()],
        }

    def _brackets(self, params: Params) -> Json:
        wanted = self._maybe(params)
        return [
            views.bracket_view(contract)
            for symbol, contract in self.contracts.items()
            if wanted in (None, symbol)
        ]

    def _premium_index(self, params: Params) -> Json:
        wanted = self._maybe(params)
        rows = [
            {
                "symbol": symbol,
                "markPrice": f"{quote.mark:.8f}",
                "indexPrice": f"{quote.mark:.8f}",
                "estimatedSettlePrice": f"{quote.mark:.8f}",
                "lastFundingRate": "0.00010000",
                "interestRate": "0.00010000",
                "nextFundingTime": self.next_funding_ms(),
                "time": self.book.now_ms,
            }
            for symbol, quote in self.board.quotes.items()
            if wanted in (None, symbol)
        ]
        return rows[0] if wanted else rows

    def next_funding_ms(self) -> int:
        """When funding is due next: every eight hours."""
        return (self.book.now_ms // FUNDING_EVERY_MS + 1) * FUNDING_EVERY_MS

    def _book_ticker(self, params: Params) -> Json:
        wanted = self._maybe(params)
        rows = [
            {
                "lastUpdateId": self.book.now_ms,
                "symbol": symbol,
                "bidPrice": wire(quote.bid),
                "bidQty": "1000",
                "askPrice": wire(quote.ask),
                "askQty": "1000",
                "time": self.book.now_ms,
            }
            for symbol, quote in self.board.quotes.items()
            if wanted in (None, symbol)
        ]
        return rows[0] if wanted else rows

    def _price_ticker(self, params: Params) -> Json:
        wanted = self._maybe(params)
        rows = [
            {"symbol": symbol, "price": wire(quote.last), "time": self.book.now_ms}
            for symbol, quote in self.board.quotes.items()
            if wanted in (None, symbol)
        ]
        return rows[0] if wanted else rows

    # -- user data stream --------------------------------------------------

    def renew_listen_key(self, *, create: bool) -> str:
        """Create or renew for 60 minutes; renewing none is -1125 (§6)."""
        now_ms = self.book.now_ms
        if now_ms >= self.state.listen_key_until_ms:
            if not create:
                raise VenueError(-1125, "This listenKey does not exist.")
            seed = f"{self._seed}:{now_ms}:{self.state.next_order_id}"
            self.state.listen_key = hashlib.sha256(seed.encode()).hexdigest()
        self.state.listen_key_until_ms = now_ms + LISTEN_KEY_MS
        return self.state.listen_key

    def _stop_stream(self, params: Params) -> Json:
        self.state.listen_key_until_ms = 0
        return {}


def _limit(kind: str, interval: str, number: int, limit: int) -> views.Json:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit,
    }
