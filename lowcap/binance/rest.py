"""The REST road: reads for reconciliation, settings, and orders while the socket is down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from lowcap.binance.budget import Budget, Urgency, rest_cost
from lowcap.binance.candles import Candle, candle_from
from lowcap.binance.errors import ALREADY_SO, Remedy, meaning_of
from lowcap.binance.outcome import Outcome, Verdict, refused
from lowcap.binance.sign import Signer
from lowcap.binance.socket import Params, algo_outcome, order_outcome, query_string
from lowcap.binance.urls import KEY_RIGHTS
from lowcap.binance.wire import (
    UNREADABLE,
    AccountConfig,
    AlgoView,
    ApiError,
    BalanceRow,
    ExchangeInfo,
    IncomeRow,
    KeyRights,
    KlineRow,
    Ms,
    OrderView,
    PositionRow,
    SymbolConfig,
    TradeRow,
)
from lowcap.core.errors import LowcapError, NoAnswer, NotSent
from lowcap.net.http import HttpPort, HttpReply

T = TypeVar("T")
EXCHANGE_INFO = "/fapi/v1/exchangeInfo"
TIMEOUT_S = 5.0
CANDLES = 60  # below a hundred they weigh 1
INCOME_ROWS = 1_000


class VenueRefused(LowcapError):
    """The venue answered with an error; ``venue_code`` is its number, 0 where it gave none."""

    code = "venue"

    def __init__(self, venue_code: int, msg: str, status: int) -> None:
        super().__init__(f"{venue_code}: {msg}" if venue_code else msg)
        self.venue_code = venue_code
        self.status = status
        self.hint = meaning_of(venue_code).advice if venue_code else ""

    @property
    def remedy(self) -> Remedy:
        """What to do about it; without a code the outcome is open."""
        return meaning_of(self.venue_code).remedy


class _ServerTime(msgspec.Struct):
    serverTime: Ms


class _ListenKey(msgspec.Struct):
    listenKey: str


class RestClient:
    """Signed requests to one base URL, within a budget.

    What the budget does not allow now is NotSent; placing, cancelling and
    everything through an ``urgent`` client is always allowed.
    """

    def __init__(
        self,
        http: HttpPort,
        base_url: str,
        signer: Signer,
        venue_ms: Callable[[], int],
        *,
        budget: Budget | None = None,
        urgent: bool = False,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._signer = signer
        self._venue_ms = venue_ms
        self._budget = budget or Budget()
        self._urgency = Urgency.EXIT if urgent else Urgency.ROUTINE

    # -- market -----------------------------------------------------------

    async def server_time_ms(self) -> int:
        """The venue's clock."""
        reply = await self._open("GET", "/fapi/v1/time")
        return _decode(reply, _ServerTime).serverTime

    async def exchange_info(self) -> ExchangeInfo:
        """All contracts and their filters."""
        return _decode(await self._open("GET", EXCHANGE_INFO), ExchangeInfo)

    async def brackets(self) -> list[msgspec.Raw]:
        """Leverage ladders of all symbols; each is a BracketRow, to be read by itself."""
        return await self._signed("GET", "/fapi/v1/leverageBracket", {}, list[msgspec.Raw])

    async def candles(self, symbol: str) -> list[Candle]:
        """The one-minute candles of the last hour, oldest first; the last is still forming."""
        params: Params = {"symbol": symbol, "interval": "1m", "limit": CANDLES}
        reply = _good(
            await self._exchange("GET", "/fapi/v1/klines", f"?{query_string(params)}", {}, one=True)
        )
        try:
            return [
                candle_from(
                    row.openTime,
                    (row.o, row.h, row.l, row.c),
                    row.v,
                    closed=row.closeTime < self._venue_ms(),
                )
                for row in _decode(reply, list[KlineRow])
            ]
        except ValueError as error:
            raise NoAnswer(f"unreadable candles: {error}") from error

    # -- account ----------------------------------------------------------

    async def account_config(self) -> AccountConfig:
        """Position mode, asset mode, permission to trade."""
        return await self._signed("GET", "/fapi/v1/accountConfig", {}, AccountConfig)

    async def key_rights(self) -> KeyRights:
        """What the key may do; asked of the account's own host, not of the futures one."""
        return await self._signed("GET", KEY_RIGHTS, {}, KeyRights)

    async def symbol_configs(self) -> list[SymbolConfig]:
        """Margin type and leverage of every symbol."""
        return await self._signed("GET", "/fapi/v1/symbolConfig", {}, list[SymbolConfig])

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set a symbol's leverage."""
        params: Params = {"symbol": symbol, "leverage": leverage}
        await self._signed("POST", "/fapi/v1/leverage", params, dict[str, Any])

    async def set_isolated(self, symbol: str) -> None:
        """Set a symbol to isolated margin; -4046 means that it already is."""
        params: Params = {"symbol": symbol, "marginType": "ISOLATED"}
        try:
            await self._signed("POST", "/fapi/v1/marginType", params, dict[str, Any])
        except VenueRefused as error:
            if error.venue_code not in ALREADY_SO:
                raise

    async def positions(self, symbol: str = "") -> list[PositionRow]:
        """Symbols with a position or open orders; one of them, or all."""
        return await self._signed("GET", "/fapi/v3/positionRisk", _only(symbol), list[PositionRow])

    async def usdt_balance(self) -> BalanceRow | None:
        """The USDT row of the futures wallet."""
        rows = await self._signed("GET", "/fapi/v3/balance", {}, list[BalanceRow])
        return next((row for row in rows if row.asset == "USDT"), None)

    async def trades(self, symbol: str, order_id: int) -> list[TradeRow]:
        """The executions of one order."""
        params: Params = {"symbol": symbol, "orderId": order_id}
        return await self._signed("GET", "/fapi/v1/userTrades", params, list[TradeRow])

    async def income(self, start_ms: int) -> list[IncomeRow]:
        """Up to ``INCOME_ROWS`` of the oldest bookings on the wallet since a venue time."""
        params: Params = {"startTime": start_ms, "limit": INCOME_ROWS}
        return await self._signed("GET", "/fapi/v1/income", params, list[IncomeRow])

    # -- orders -----------------------------------------------------------

    async def open_orders(self, symbol: str = "") -> list[OrderView]:
        """The regular book; conditional orders are not in it (docs/venue.md §4).

        One symbol weighs 1, all of them 40.
        """
        return await self._signed("GET", "/fapi/v1/openOrders", _only(symbol), list[OrderView])

    async def open_algos(self, symbol: str = "") -> list[AlgoView]:
        """The algo book; it weighs like the regular one."""
        return await self._signed("GET", "/fapi/v1/openAlgoOrders", _only(symbol), list[AlgoView])

    async def place(self, params: Params, *, algo: bool) -> Outcome:
        """Place an order by REST. Never raises for an answer, or for none: that is unknown.

        Raises:
            NotSent: it certainly never left.
        """
        path = "/fapi/v1/algoOrder" if algo else "/fapi/v1/order"
        try:
            reply = await self._send("POST", path, params)
        except NoAnswer as error:
            return Outcome(verdict=Verdict.UNKNOWN, reason=error.message)
        if reply.status != 200:
            fault = _fault(reply)
            return refused(reply.status, fault.venue_code, fault.message)
        try:
            if algo:
                return algo_outcome(msgspec.json.decode(reply.body, type=AlgoView))
            return order_outcome(msgspec.json.decode(reply.body, type=OrderView))
        except UNREADABLE as error:
            return Outcome(verdict=Verdict.UNKNOWN, reason=f"unreadable reply: {error}")

    async def query(self, symbol: str, client_id: str, *, algo: bool) -> Outcome:
        """What became of an order.

        Raises:
            VenueRefused: the venue does not know it, or refuses to say.
            NotSent, NoAnswer: no answer.
        """
        if algo:
            params: Params = {"clientAlgoId": client_id}
            return algo_outcome(await self._signed("GET", "/fapi/v1/algoOrder", params, AlgoView))
        params = {"symbol": symbol, "origClientOrderId": client_id}
        view = await self._signed("GET", "/fapi/v1/order", params, OrderView)
        try:
            return order_outcome(view)
        except ValueError as error:
            raise NoAnswer(f"unreadable reply: {error}") from error

    async def cancel(self, symbol: str, client_id: str, *, algo: bool) -> None:
        """Cancel one order by its client id; VenueRefused -2011 where nothing rests."""
        if algo:
            params: Params = {"clientAlgoId": client_id, "recvWindow": 2000}
            await self._signed("DELETE", "/fapi/v1/algoOrder", params, dict[str, Any])
        else:
            params = {"symbol": symbol, "origClientOrderId": client_id, "recvWindow": 2000}
            await self._signed("DELETE", "/fapi/v1/order", params, dict[str, Any])

    # -- user data stream ---------------------------------------------------

    async def listen_key(self) -> str:
        """Create or renew the listen key for 60 minutes."""
        reply = await self._keyed("POST", "/fapi/v1/listenKey")
        return _decode(reply, _ListenKey).listenKey

    async def renew_listen_key(self) -> None:
        """Renew it; VenueRefused -1125 where there is none any more."""
        await self._keyed("PUT", "/fapi/v1/listenKey")

    # -- sending ------------------------------------------------------------

    async def _open(self, method: str, path: str) -> HttpReply:
        return _good(await self._exchange(method, path, "", {}))

    async def _keyed(self, method: str, path: str) -> HttpReply:
        headers = {"X-MBX-APIKEY": self._signer.api_key}
        return _good(await self._exchange(method, path, "", headers))

    async def _signed(self, method: str, path: str, params: Params, kind: type[T]) -> T:
        return _decode(_good(await self._send(method, path, params)), kind)

    async def _send(self, method: str, path: str, params: Params) -> HttpReply:
        query = query_string(params | {"timestamp": self._venue_ms()})
        signature = query_string({"signature": self._signer.sign(query.encode())})
        headers = {"X-MBX-APIKEY": self._signer.api_key}
        return await self._exchange(
            method, path, f"?{query}&{signature}", headers, one="symbol" in params
        )

    async def _exchange(
        self, method: str, path: str, query: str, headers: dict[str, str], *, one: bool = False
    ) -> HttpReply:
        """One request within the budget; its reply tells what is left of it.

        Raises:
            NotSent: it never left, or the budget holds it back.
            NoAnswer: it may have arrived.
        """
        weight, orders = rest_cost(method, path, one=one)
        urgency = Urgency.EXIT if orders or method == "DELETE" else self._urgency
        lack = self._budget.lack(urgency, self._venue_ms(), weight=weight)
        # What tells the limits is asked whatever we take them for, but not into a silence.
        if lack and not (path == EXCHANGE_INFO and self._budget.may_ask(self._venue_ms())):
            raise NotSent(f"{method} {path} is held back: {lack}")
        self._budget.spend(self._venue_ms(), weight=weight, orders=orders)
        url = f"{self._base_url}{path}{query}"
        reply = await self._http.request(method, url, headers=headers, timeout_s=TIMEOUT_S)
        at_ms = self._venue_ms()
        self._budget.hear_headers(reply.headers, at_ms)
        if reply.status != 200:
            fault = _fault(reply)
            self._budget.hear_refusal(
                reply.status, fault.venue_code, fault.message, reply.headers, at_ms
            )
        return reply


def _only(symbol: str) -> Params:
    return {"symbol": symbol} if symbol else {}


def _good(reply: HttpReply) -> HttpReply:
    if reply.status != 200:
        raise _fault(reply)
    return reply


def _decode(reply: HttpReply, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except UNREADABLE as error:
        raise NoAnswer(f"unreadable reply: {error}") from error


def _fault(reply: HttpReply) -> VenueRefused:
    try:
        error = msgspec.json.decode(reply.body, type=ApiError)
    except UNREADABLE:
        return VenueRefused(0, f"HTTP {reply.status}", reply.status)
    return VenueRefused(error.code, error.msg, reply.status)
