"""Order calls of the simulated venue beyond placing one: lists, batches, changes, the countdown.

Section numbers are those of docs/venue.md.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from lowcap.paper import rules, views
from lowcap.paper.algos import AlgoBook
from lowcap.paper.amend import Amendments
from lowcap.paper.matching import OrderBook
from lowcap.paper.rules import Params
from lowcap.paper.state import VenueError
from lowcap.paper.views import Json

BATCH_PLACE_MAX = 5
BATCH_CANCEL_MAX = 10
WEEK_MS = 7 * 86_400_000
FORCED_PREFIXES = {"LIQUIDATION": "autoclose-", "ADL": "adl_autoclose"}
Rows = TypeVar("Rows")
_items = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Decimal)
_ids = msgspec.json.Decoder(list[int | str])


class OrderDesk:
    """Calls on top of the two order books; ``place`` is the call that places one order."""

    def __init__(self, book: OrderBook, algos: AlgoBook, place: Callable[[Params], Json]) -> None:
        self._book = book
        self._algos = algos
        self._place = place
        self._amendments = Amendments(book)
        self.calls: dict[str, Callable[[Params], object]] = {
            "order.modify": self._amendments.modify,
            "order.amendments": self._amendments.history,
            "order.openOne": self._open_one,
            "order.all": self._all,
            "order.test": self._test,
            "order.placeMany": self._place_many,
            "order.modifyMany": self._modify_many,
            "order.cancelMany": self._cancel_many,
            "order.countdown": self._countdown,
            "order.forced": self._forced,
            "order.limits": _limits,
            "algoOrder.all": self._all_algos,
        }

    # -- lists --------------------------------------------------------------

    def _open_one(self, params: Params) -> Json:
        order = self._book.find(params)
        if order is None or not order.is_open:
            raise VenueError(-2013, "Order does not exist.")
        return views.order_view(order, query=True)

    def _all(self, params: Params) -> list[Json]:
        """GET allOrders: from an id or a time onwards, else the newest."""
        symbol = self._book.optional_symbol(params)
        window = _Window(params, self._book.now_ms, "orderId")
        return window.cut(
            [
                views.order_view(order, query=True)
                for order in sorted(self._book.state.orders.values(), key=lambda o: o.order_id)
                if symbol in (None, order.symbol) and window.holds(order.order_id, order.created_ms)
            ]
        )

    def _all_algos(self, params: Params) -> list[Json]:
        """GET allAlgoOrders, likewise."""
        symbol = self._book.contract(params).symbol
        window = _Window(params, self._book.now_ms, "algoId")
        return window.cut(
            [
                views.algo_view(algo, query=True)
                for algo in self._book.state.algos.values()
                if algo.symbol == symbol and window.holds(algo.algo_id, algo.created_ms)
            ]
        )

    def _forced(self, params: Params) -> list[Json]:
        """GET forceOrders: liquidations and deleveragings of the account."""
        kinds = [params["autoCloseType"]] if params.get("autoCloseType") else FORCED_PREFIXES
        prefixes = tuple(FORCED_PREFIXES.get(str(kind), "-") for kind in kinds)
        symbol = self._book.optional_symbol(params)
        return [
            views.order_view(order, query=True)
            for order in self._book.state.orders.values()
            if order.client_id.startswith(prefixes) and symbol in (None, order.symbol)
        ]

    # -- batches ------------------------------------------------------------

    def _test(self, params: Params) -> Json:
        """POST order/test: every check of a placement, and nothing kept of it."""
        book = self._book
        kept, events, book.events = copy.deepcopy(book.state), book.events, []
        try:
            return self._place(params)
        finally:
            book.events = events
            for name in book.state.__struct_fields__:
                setattr(book.state, name, getattr(kept, name))

    def _place_many(self, params: Params) -> list[Json]:
        """POST batchOrders: an order or an error for each item, in their order (§4)."""
        return [self._tried(self._place, item) for item in _batch(params)]

    def _modify_many(self, params: Params) -> list[Json]:
        """PUT batchOrders, likewise."""
        return [self._tried(self._amendments.modify, item) for item in _batch(params)]

    def _cancel_many(self, params: Params) -> list[Json]:
        """DELETE batchOrders by lists of ids (§4)."""
        symbol = self._book.contract(params).symbol
        lists = {name.lower(): value for name, value in params.items()}  # clients differ in case
        name = "orderId" if lists.get("orderidlist") else "origClientOrderId"
        text = rules.text_param(lists, f"{name}List".lower())
        ids = _decoded(_ids, text, f"{name}List")
        if not 1 <= len(ids) <= BATCH_CANCEL_MAX:
            raise VenueError(-4032, "Exceed maximum cancel order size.")
        return [
            self._tried(
                lambda item: views.order_view(self._book.cancel(item)),
                {"symbol": symbol, name: each},
            )
            for each in ids
        ]

    @staticmethod
    def _tried(call: Callable[[Params], Json], item: Params) -> Json:
        try:
            return call(item)
        except VenueError as error:
            return {"code": error.code, "msg": error.msg}

    # -- the countdown ------------------------------------------------------

    def _countdown(self, params: Params) -> Json:
        """POST countdownCancelAll: re-armed by each call, disarmed by 0 (§4)."""
        symbol = self._book.contract(params).symbol
        wait_ms = rules.int_param(params, "countdownTime")
        if wait_ms < 0:
            raise VenueError(-1102, "Mandatory parameter 'countdownTime' was malformed.")
        self._book.state.countdowns.pop(symbol, None)
        if wait_ms:
            self._book.state.countdowns[symbol] = self._book.now_ms + wait_ms
        return {"symbol": symbol, "countdownTime": str(wait_ms)}

    def end_due(self) -> None:
        """End what time ends: GTD orders, and the orders of symbols whose countdown ran out."""
        for order in self._book.open_orders():
            if 0 < order.good_till_ms <= self._book.now_ms:
                self._book.expire(order, "0")
        due = [s for s, at_ms in self._book.state.countdowns.items() if at_ms <= self._book.now_ms]
        for symbol in due:
            del self._book.state.countdowns[symbol]
            for order in self._book.open_orders(symbol):
                self._book.cancel_order(order)


class _Window:
    """What part of a list a call asks for: from an id, or between times of a week at most."""

    def __init__(self, params: Params, now_ms: int, id_name: str) -> None:
        self._from_id = rules.int_param(params, id_name, 0)
        self._end_ms = rules.int_param(params, "endTime", now_ms)
        self._start_ms = rules.int_param(params, "startTime", 0)
        self._limit = max(min(rules.int_param(params, "limit", 500), 1_000), 1)
        if self._start_ms and self._end_ms - self._start_ms > WEEK_MS:
            raise VenueError(-4166, "Search window is restricted to recent 7 days only.")

    def holds(self, number: int, time_ms: int) -> bool:
        return number >= self._from_id and self._start_ms <= time_ms <= self._end_ms

    def cut(self, rows: list[Json]) -> list[Json]:
        onwards = self._from_id or self._start_ms
        return rows[: self._limit] if onwards else rows[-self._limit :]


def _batch(params: Params) -> list[dict[str, Any]]:
    items = _decoded(_items, rules.text_param(params, "batchOrders"), "batchOrders")
    if not 1 <= len(items) <= BATCH_PLACE_MAX:
        raise VenueError(-4082, "Invalid number of batch place orders.")
    return items


def _decoded(decoder: msgspec.json.Decoder[Rows], text: str, name: str) -> Rows:
    try:
        return decoder.decode(text)
    except msgspec.MsgspecError:
        raise VenueError(-1102, f"Mandatory parameter '{name}' was malformed.") from None


def _limits(params: Params) -> list[Json]:
    """GET rateLimit/order: the limits on orders, without their use (§8)."""
    return [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    ]
