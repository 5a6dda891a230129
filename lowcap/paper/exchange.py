"""The simulated venue as a function: one call in, one answer out, events on the side.

Pure: no sockets, no clock of its own. ``server`` gives it both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from lowcap.core.contract import Contract
from lowcap.core.money import HUNDRED, ZERO
from lowcap.paper import market, views
from lowcap.paper.account import AccountDesk
from lowcap.paper.algos import AlgoBook
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.faults import Faults
from lowcap.paper.history import HistoryDesk
from lowcap.paper.ledgerdesk import LedgerDesk
from lowcap.paper.matching import OrderBook
from lowcap.paper.orderdesk import OrderDesk
from lowcap.paper.prices import MarketLine, PriceBoard, Upsets
from lowcap.paper.rules import Params
from lowcap.paper.settlement import Settlement
from lowcap.paper.state import PaperState, VenueError
from lowcap.paper.tape import Tape
from lowcap.paper.usage import Limits

LISTEN_KEY_MS = 3_600_000
Json = Any


class ExchangeSetup(Struct, frozen=True, kw_only=True):
    """How a simulated venue begins."""

    seed: int = 1
    wallet: Decimal = Decimal(1_000_000)
    step_bps: float = 2.0
    script: tuple[MarketLine, ...] = ()
    upsets: Upsets | None = None
    limits: Limits = Limits()


class SimEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that is made to happen at once; ``percent`` is how far a jump goes."""

    kind: Literal["jump", "liquidation", "adl", "funding"]
    symbol: str = ""
    percent: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse a jump to nothing."""
        if self.percent <= -HUNDRED:
            raise ValueError("percent: must be above -100")


class Exchange:
    """All methods of the venue by name; REST paths and WebSocket API methods both end here."""

    def __init__(self, setup: ExchangeSetup, state: PaperState | None = None) -> None:
        listed = listed_contracts()
        self.contracts: dict[str, Contract] = {s: contract for s, (contract, _) in listed.items()}
        self.board = PriceBoard(
            listed,
            seed=setup.seed,
            step_bps=setup.step_bps,
            script=setup.script,
            upsets=setup.upsets,
        )
        self.faults = Faults()
        self.state = state or PaperState(wallet=setup.wallet)
        self.book = OrderBook(self.state, self.contracts, self.board, self.faults)
        self.algos = AlgoBook(self.book)
        self.tape = Tape(self.contracts, self.board, seed=setup.seed, step_bps=setup.step_bps)
        self.orders = OrderDesk(self.book, self.algos, self._place)
        self.settlement = Settlement(self.book, self.algos)
        self._seed = setup.seed
        self.limits = setup.limits
        self._calls: dict[str, Callable[[Params], Json]] = {
            "order.place": self._place,
            "order.cancel": lambda p: views.order_view(self.book.cancel(p)),
            "order.status": self._order_status,
            "order.open": self._open_orders,
            "order.cancelAll": self._cancel_all,
            "algoOrder.place": lambda p: views.algo_view(self.algos.place(p)),
            "algoOrder.cancel": self._cancel_algo,
            "algoOrder.status": self._algo_status,
            "algoOrder.open": self._open_algos,
            "algoOrder.cancelAll": self._cancel_all_algos,
            "userDataStream.start": lambda p: {"listenKey": self.renew_listen_key(create=True)},
            "userDataStream.ping": lambda p: {"listenKey": self.renew_listen_key(create=False)},
            "userDataStream.stop": self._stop_stream,
            **self.orders.calls,
            **AccountDesk(self.book).calls,
            **LedgerDesk(self.book).calls,
            **market.MarketDesk(self.book, self.limits).calls,
            **HistoryDesk(self.book, self.tape).calls,
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
        self._play_script()
        refused = self.faults.refuse.get(name)
        if refused is not None:
            raise VenueError(refused, "Refused by the fault script.")
        result = self._calls[name](params)
        self.algos.expire_orphans()
        self.algos.finish_children()
        return result

    def tick(self, now_ms: int) -> None:
        """Let time pass: move prices, fill what they reach, trigger what waited for them."""
        self.book.now_ms = now_ms
        self.board.walk()
        self._play_script()
        self.tape.advance(now_ms)
        self.orders.end_due()
        held = {s for s, position in self.state.positions.items() if position.qty != ZERO}
        busy = held | {order.symbol for order in self.book.open_orders()}
        busy |= {algo.symbol for algo in self.algos.open_algos()}
        for symbol in sorted(busy):
            self._settle(symbol)
        self.settlement.tick()

    def happen(self, event: SimEvent, now_ms: int) -> None:
        """Carry out a scripted event (``POST /sim/events``).

        Raises:
            VenueError: -1121, the symbol is not listed.
        """
        self.book.now_ms = now_ms
        if event.kind == "funding":
            self.settlement.fund()
            return
        symbol = self.book.contract({"symbol": event.symbol}).symbol
        if event.kind == "jump":
            price = self.board.quotes[symbol].mark * (1 + event.percent / HUNDRED)
            self.board.set_price(symbol, price)
            self._settle(symbol)
        elif event.kind == "liquidation":
            self.settlement.liquidate(symbol)
        else:
            self.settlement.deleverage(symbol)
        self.algos.finish_children()

    def _play_script(self) -> None:
        for symbol in self.board.play_script(self.book.now_ms):
            self._settle(symbol)

    def _settle(self, symbol: str) -> None:
        """Carry out what the price of ``symbol`` has reached."""
        if not self.board.is_quoted(symbol, self.book.now_ms):
            return
        self.algos.trigger_due(symbol)
        self.book.match_resting(symbol)
        self.algos.expire_orphans()
        self.algos.finish_children()

    def take_events(self) -> list[views.Json]:
        """User stream events since the last call."""
        events, self.book.events = self.book.events, []
        return events

    def next_funding_ms(self) -> int:
        """When funding is due next."""
        return market.next_funding_ms(self.book.now_ms)

    # -- orders -----------------------------------------------------------

    def _place(self, params: Params) -> Json:
        """ACK by default; RESULT tells the end of orders that never rest (§5)."""
        order = self.book.place(params)
        ends_at_once = order.type == "MARKET" or order.time_in_force in {"IOC", "FOK"}
        if params.get("newOrderRespType") == "RESULT" and ends_at_once:
            return views.order_view(order)
        return views.ack_view(order)

    def _order_status(self, params: Params) -> Json:
        order = self.book.find(params)
        if order is None:
            raise VenueError(-2013, "Order does not exist.")
        return views.order_view(order, query=True)

    def _open_orders(self, params: Params) -> Json:
        orders = self.book.open_orders(self.book.optional_symbol(params))
        return [views.order_view(order, query=True) for order in orders]

    def _cancel_all(self, params: Params) -> Json:
        self.book.cancel_all(params)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _algo_status(self, params: Params) -> Json:
        algo = self.algos.find(params)
        if algo is None:
            raise VenueError(-2013, "Order does not exist.")
        return views.algo_view(algo, query=True)

    def _open_algos(self, params: Params) -> Json:
        algos = self.algos.open_algos(self.book.optional_symbol(params))
        return [views.algo_view(algo, query=True) for algo in algos]

    def _cancel_algo(self, params: Params) -> Json:
        algo = self.algos.cancel(params)
        return {
            "algoId": algo.algo_id,
            "clientAlgoId": algo.client_id,
            "code": "200",
            "msg": "success",
        }

    def _cancel_all_algos(self, params: Params) -> Json:
        self.algos.cancel_all(params)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    # -- user data stream --------------------------------------------------

    def renew_listen_key(self, *, create: bool) -> str:
        """Create or renew for 60 minutes; renewing none is -1125 (§6)."""
        now_ms = self.book.now_ms
        if now_ms >= self.state.listen_key_until_ms:
            if not create:
                raise VenueError(-1125, "This listenKey does not exist.")
            seed = f"{self._seed}:{now_ms}:{self.state.next_order_id}:{self.state.listen_key}"
            self.state.listen_key = hashlib.sha256(seed.encode()).hexdigest()
        self.state.listen_key_until_ms = now_ms + LISTEN_KEY_MS
        return self.state.listen_key

    def take_expired_key(self) -> str | None:
        """The listen key whose hour ran out without a renewal, told once (§6)."""
        key, until_ms = self.state.listen_key, self.state.listen_key_until_ms
        if not until_ms or self.book.now_ms < until_ms:
            return None
        self.state.listen_key_until_ms = 0
        return key

    def _stop_stream(self, params: Params) -> Json:
        self.state.listen_key_until_ms = 0
        return {}
