"""Public calls of the simulated venue: contracts, brackets, prices (docs/venue.md §4)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from lowcap.core.contract import Contract
from lowcap.core.money import wire
from lowcap.paper import rules
from lowcap.paper.matching import OrderBook
from lowcap.paper.rules import Params
from lowcap.paper.usage import Limits
from lowcap.paper.views import Json

FUNDING_EVERY_MS = 8 * 3_600_000
FUNDING_RATE = Decimal("0.0001")


def next_funding_ms(now_ms: int) -> int:
    """When funding is due next: every eight hours."""
    return (now_ms // FUNDING_EVERY_MS + 1) * FUNDING_EVERY_MS


class MarketDesk:
    """What anybody may ask."""

    def __init__(self, book: OrderBook, limits: Limits) -> None:
        self._book = book
        self._limits = limits
        self._quotes = book.board.quotes
        self.calls: dict[str, Callable[[Params], object]] = {
            "market.exchangeInfo": self._exchange_info,
            "market.time": lambda params: {"serverTime": book.now_ms},
            "market.ping": lambda params: {},
            "market.brackets": self._brackets,
            "market.premiumIndex": self._premium_index,
            "ticker.book": self._book_ticker,
            "ticker.price": self._price_ticker,
        }

    def _exchange_info(self, params: Params) -> Json:
        return {
            "timezone": "UTC",
            "serverTime": self._book.now_ms,
            "futuresType": "U_MARGINED",
            "rateLimits": [
                _limit("REQUEST_WEIGHT", "MINUTE", 1, self._limits.weight_per_min),
                _limit("ORDERS", "MINUTE", 1, self._limits.orders_per_min),
                _limit("ORDERS", "SECOND", 10, self._limits.orders_per_10s),
            ],
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}],
            "symbols": [contract_view(c) for c in self._book.contracts.values()],
        }

    def _brackets(self, params: Params) -> list[Json]:
        wanted = self._book.optional_symbol(params)
        return [
            bracket_view(contract)
            for symbol, contract in self._book.contracts.items()
            if wanted in (None, symbol)
        ]

    def _premium_index(self, params: Params) -> object:
        funding_ms = next_funding_ms(self._book.now_ms)
        return self._one_or_all(
            params,
            lambda symbol: {
                "symbol": symbol,
                "markPrice": f"{self._quotes[symbol].mark:.8f}",
                "indexPrice": f"{self._quotes[symbol].mark:.8f}",
                "estimatedSettlePrice": f"{self._quotes[symbol].mark:.8f}",
                "lastFundingRate": f"{FUNDING_RATE:.8f}",
                "interestRate": "0.00010000",
                "nextFundingTime": funding_ms,
                "time": self._book.now_ms,
            },
        )

    def _book_ticker(self, params: Params) -> object:
        return self._one_or_all(
            params,
            lambda symbol: {
                "lastUpdateId": self._book.now_ms,
                "symbol": symbol,
                "bidPrice": wire(self._quotes[symbol].bid),
                "bidQty": "1000",
                "askPrice": wire(self._quotes[symbol].ask),
                "askQty": "1000",
                "time": self._book.now_ms,
            },
        )

    def _price_ticker(self, params: Params) -> object:
        return self._one_or_all(
            params,
            lambda symbol: {
                "symbol": symbol,
                "price": wire(self._quotes[symbol].last),
                "time": self._book.now_ms,
            },
        )

    def _one_or_all(self, params: Params, row: Callable[[str], Json]) -> object:
        """An object for a named symbol, an array of all without one."""
        wanted = self._book.optional_symbol(params)
        return row(wanted) if wanted else [row(symbol) for symbol in self._quotes]


def _limit(kind: str, interval: str, number: int, limit: int) -> Json:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit,
    }


def contract_view(contract: Contract) -> Json:
    """An exchangeInfo row (§4)."""
    return {
        "symbol": contract.symbol,
        "pair": contract.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": contract.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": contract.base,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": rules.price_decimals_max(contract),
        "quantityPrecision": rules.qty_decimals_max(contract),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": _filters(contract),
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY"],
    }


def _filters(contract: Contract) -> list[Json]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": wire(contract.price_min),
            "maxPrice": wire(contract.price_max),
            "tickSize": wire(contract.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": wire(contract.qty_min),
            "maxQty": wire(contract.qty_max),
            "stepSize": wire(contract.step),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": wire(contract.qty_min),
            "maxQty": wire(contract.market_qty_max),
            "stepSize": wire(contract.step),
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": rules.OPEN_ORDERS_MAX},
        {"filterType": "MIN_NOTIONAL", "notional": wire(contract.notional_min)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": wire(contract.price_up),
            "multiplierDown": wire(contract.price_down),
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]


def bracket_view(contract: Contract) -> Json:
    """A leverageBracket row (§4); all numbers, which the encoder writes without quotes."""
    return {
        "symbol": contract.symbol,
        "brackets": [
            {
                "bracket": index,
                "initialLeverage": b.leverage,
                "notionalCap": b.notional_cap,
                "notionalFloor": b.notional_floor,
                "maintMarginRatio": b.maint_margin_ratio,
                "cum": b.cum,
            }
            for index, b in enumerate(contract.brackets, start=1)
        ],
    }
