"""The venue as the desk sees it: one object for both roads, the streams and what it allows."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import trio
from msgspec import Raw

from lowcap.binance.budget import Budget
from lowcap.binance.filters import contracts_from, without_ladder
from lowcap.binance.orders import PLACE_ALGO, place_params
from lowcap.binance.outcome import Outcome
from lowcap.binance.rest import RestClient, VenueRefused
from lowcap.binance.seen import snapshot_from
from lowcap.binance.sign import Signer
from lowcap.binance.socket import ApiSocket, outcome_of
from lowcap.binance.symbolstreams import SymbolStreams
from lowcap.binance.urls import KNOWN_URLS, VenueUrls, remark_on
from lowcap.binance.wire import ApiReply, ExchangeInfo, TradeRow
from lowcap.core.account import Snapshot
from lowcap.core.clock import Clock, now_ms
from lowcap.core.contract import Contract
from lowcap.core.errors import LowcapError, NoAnswer, NotSent
from lowcap.core.facts import Filled, OrderIntended
from lowcap.core.money import Side, decimal_from_wire
from lowcap.core.order import Order
from lowcap.net.http import HttpPort
from lowcap.net.net import Net

__all__ = ["KNOWN_URLS", "Venue", "VenueUrls", "read_snapshot"]

PREPARERS = 6
# Leverage brackets are good for twelve hours; the last of them is for trying to renew them.
BRACKETS_RENEW_MS = 11 * 3_600_000


class Venue:
    """Binance USDⓈ-M Futures through one key."""

    def __init__(
        self,
        net: Net,
        http: HttpPort,
        urgent_http: HttpPort,
        urls: VenueUrls,
        signer: Signer,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self.on_socket: Callable[[bool, str], None] = lambda up, why: None
        self._clock = clock
        self.offset_ms = 0
        self.round_trip_ms = 0.0
        self.contracts: dict[str, Contract] = {}
        self.leverage: dict[str, int] = {}
        # When filters and brackets were read last (our wall time), and why brackets were not.
        self.filters_ms = 0
        self.brackets_ms = 0
        self.brackets_fault = ""
        self._brackets_doubted = False
        self._ladders: list[Raw] = []
        self.wallet_usdt = Decimal(0)
        self.budget = Budget()
        self.rest = RestClient(http, urls.rest, signer, self.venue_ms, budget=self.budget)
        # Closing and cancelling never wait behind other requests, nor for the budget.
        self.urgent = RestClient(
            urgent_http, urls.rest, signer, self.venue_ms, budget=self.budget, urgent=True
        )
        # Another host with another budget.
        self._account = (
            RestClient(http, urls.account, signer, self.venue_ms) if urls.account else None
        )
        self.socket = ApiSocket(
            *(net, urls.ws_api, signer, self.venue_ms),
            lambda up, why: self.on_socket(up, why),
            chance,
            budget=self.budget,
        )

        self.streams = SymbolStreams(net, urls.streams, self.rest, clock, chance)
        self.markets = self.streams.markets

    def venue_ms(self) -> int:
        """The venue's wall time as we estimate it."""
        return now_ms(self._clock) + self.offset_ms

    # -- getting ready ------------------------------------------------------

    async def measure_clock(self) -> None:
        """Measure offset and round trip against the venue's clock."""
        started_s, sent_ms = trio.current_time(), now_ms(self._clock)
        server_ms = await self.rest.server_time_ms()
        took_ms = (trio.current_time() - started_s) * 1000
        self.round_trip_ms = took_ms
        self.offset_ms = round(server_ms - sent_ms - took_ms / 2)

    async def load_contracts(self) -> None:
        """Read what can be traded, and refuse an account whose modes we do not trade in.

        Raises:
            LowcapError: hedge mode, multi-assets mode, or no permission to trade.
        """
        info = await self.rest.exchange_info()
        self.budget.learn_limits(info.rateLimits)
        config = await self.rest.account_config()
        if config.dualSidePosition:
            raise LowcapError(
                "the account is in hedge mode; lowcap trades in one-way mode only",
                hint="close all positions, then switch the position mode to one-way",
                code="account-mode",
            )
        if config.multiAssetsMargin:
            raise LowcapError(
                "the account is in multi-assets mode, which forbids isolated margin",
                hint="switch the asset mode to single-asset",
                code="account-mode",
            )
        if not config.canTrade:
            raise LowcapError("the account may not trade", hint="check the key's permissions")
        await self._renew_brackets(info)
        self.contracts = contracts_from(info, self._ladders)
        self.filters_ms = now_ms(self._clock)
        self.socket.templates.prepare(self.contracts)

    def doubt_brackets(self) -> None:
        """The venue's word shows that they have changed: read them with the contracts next time."""
        self._brackets_doubted = True

    async def _renew_brackets(self, info: ExchangeInfo) -> None:
        """Read the brackets when it is time, or a contract has none.

        Where that fails the old ones stay; ``brackets_ms`` says how old they are.

        Raises:
            VenueRefused, NotSent, NoAnswer: there are no old ones.
        """
        age_ms = now_ms(self._clock) - self.brackets_ms
        fresh = 0 <= age_ms < BRACKETS_RENEW_MS and not self._brackets_doubted
        if fresh and not without_ladder(info, self._ladders):
            return
        try:
            self._ladders = await self.rest.brackets()
        except (VenueRefused, NotSent, NoAnswer) as error:
            if not self._ladders:
                raise
            self.brackets_fault = error.message
            return
        self.brackets_ms, self.brackets_fault = now_ms(self._clock), ""
        self._brackets_doubted = False

    async def check_key(self) -> str:
        """Refuse a key that could take money away; what remains to be said about it, in words.

        Raises:
            LowcapError: it may withdraw or transfer, or not trade futures.
            VenueRefused, NotSent, NoAnswer: the venue does not say.
        """
        if self._account is None:
            return "this venue does not tell what the key may do; it was not checked"
        return remark_on(await self._account.key_rights())

    async def prepare_symbols(
        self, leverage: dict[str, int], on_fault: Callable[[str], None]
    ) -> None:
        """Set isolated margin and leverage of every symbol ahead of time, where they differ."""
        configs = {row.symbol: row for row in await self.rest.symbol_configs()}
        work = iter(list(leverage.items()))

        async def prepare() -> None:
            for symbol, wanted in work:
                config = configs.get(symbol)
                # While it changes nobody may count on the old one: the gate refuses.
                old = self.leverage.pop(symbol, None)
                try:
                    if config is None or config.marginType != "ISOLATED":
                        await self.rest.set_isolated(symbol)
                    if config is None or config.leverage != wanted:
                        await self.rest.set_leverage(symbol, wanted)
                except (VenueRefused, NotSent, NoAnswer) as error:
                    on_fault(f"{symbol}: {error.message}")
                    if old is not None:
                        self.leverage[symbol] = old
                    continue
                self.leverage[symbol] = wanted

        async with trio.open_nursery() as nursery:
            for _ in range(PREPARERS):
                nursery.start_soon(prepare)

    # -- orders ---------------------------------------------------------------

    def submit(self, intent: OrderIntended, on_outcome: Callable[[Outcome], None]) -> None:
        """Hand an order to the WebSocket API without waiting.

        Raises:
            NotSent: the connection is down; nothing has left.
        """
        algo = intent.trigger_price is not None

        def on_reply(reply: ApiReply) -> None:
            on_outcome(outcome_of(reply, algo=algo))

        self.socket.place(intent, on_reply)

    async def submit_by_rest(self, intent: OrderIntended) -> Outcome:
        """Send an order by REST, for when the socket is down."""
        method, params = place_params(intent)
        return await self.rest.place(params, algo=method == PLACE_ALGO)

    async def query(self, order: Order) -> Outcome:
        """What became of an order of ours; VenueRefused -2013 where the venue knows none."""
        return await self.rest.query(order.symbol, order.client_id, algo=order.is_algo)

    async def fills(self, order: Order, outcome: Outcome) -> list[Filled]:
        """The executions of an order, or of the child it triggered, oldest first."""
        order_id = outcome.child_id if order.is_algo else outcome.order_id
        if not order_id:
            return []
        rows = await self.rest.trades(order.symbol, order_id)
        try:
            return _fills_of(order, rows)
        except ValueError as error:
            raise NoAnswer(f"unreadable trades: {error}") from error

    # -- reading --------------------------------------------------------------

    async def snapshot(self, rest: RestClient, symbol: str = "") -> Snapshot:
        """Positions and both books, of one symbol or of all; never half an answer.

        Raises:
            VenueRefused, NotSent, NoAnswer: a read failed.
        """
        seen = await read_snapshot(rest, self.venue_ms(), symbol)
        balance = await rest.usdt_balance()
        try:
            if balance is not None:
                self.wallet_usdt = decimal_from_wire(balance.balance)
        except ValueError as error:
            raise NoAnswer(f"unreadable balance: {error}") from error
        return seen


async def read_snapshot(rest: RestClient, at_ms: int, symbol: str = "") -> Snapshot:
    """Both books and the positions, read now; ``at_ms`` is the venue's time before the first read.

    Raises:
        VenueRefused, NotSent, NoAnswer: a read failed.
    """
    books = await rest.open_orders(symbol), await rest.open_algos(symbol)
    rows = await rest.positions(symbol)
    try:
        return snapshot_from(at_ms, *books, rows)
    except ValueError as error:
        raise NoAnswer(f"unreadable account: {error}") from error


def _fills_of(order: Order, rows: list[TradeRow]) -> list[Filled]:
    return [
        Filled(
            client_id=order.client_id,
            symbol=row.symbol,
            side=Side(row.side),
            trade_id=row.id,
            qty=decimal_from_wire(row.qty),
            price=decimal_from_wire(row.price),
            fee=decimal_from_wire(row.commission),
            realized=decimal_from_wire(row.realizedPnl),
            venue_ms=row.time,
        )
        for row in sorted(rows, key=lambda row: row.id)
    ]
