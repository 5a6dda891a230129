"""A book that is fed facts by hand, and a gate's situation in which all is well."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import msgspec

from lowcap.core import facts
from lowcap.core.contract import Contract
from lowcap.core.facts import Fact, Record
from lowcap.core.messages import OrderPlan, Purpose, Quote
from lowcap.core.money import Side
from lowcap.paper.contracts import listed_contracts
from lowcap.risk.book import Book
from lowcap.risk.gate import EntryWish, Situation
from lowcap.settings import Limits, Settings

T0 = 1_795_300_000_000
BTC, ETH, XRP = "BTCUSDT", "ETHUSDT", "XRPUSDT"
D = Decimal
CONTRACTS: dict[str, Contract] = {
    symbol: contract
    for symbol, (contract, _) in listed_contracts().items()
    if symbol in {BTC, ETH, XRP}
}
MARKS = {BTC: D(68_000), ETH: D(2_400), XRP: D("1.9")}


def limits(**changes: Any) -> Limits:
    given: dict[str, Any] = {
        "order_notional_usd_max": D(50_000),
        "position_notional_usd_max": D(80_000),
        "gross_notional_usd_max": D(100_000),
        "open_positions_max": 2,
        "day_loss_usd_max": D(1_000),
    }
    return Limits(**given | changes)


def settings(**limit_changes: Any) -> Settings:
    return Settings(limits=limits(**limit_changes))


def situation(**changes: Any) -> Situation:
    given: dict[str, Any] = {
        "now_ms": T0,
        "armed": True,
        "stopping": False,
        "ledger_fault": "",
        "clock_offset_ms": 0,
        "margin_available_usd": D(1_000_000),
        "quotes": {s: quote(s, p) for s, p in MARKS.items()},
        "contracts": dict(CONTRACTS),
        "leverage": dict.fromkeys(CONTRACTS, 20),
        "closing": {},
        "equity_usd": D(1_000_000),
    }
    return Situation(**given | changes)


def quote(symbol: str, mark: Decimal, at_ms: int = T0, **more: Any) -> Quote:
    return Quote(symbol=symbol, mark=mark, mark_ms=at_ms, **more)


def wish(symbol: str = XRP, side: Side = Side.BUY, usd: str = "10000") -> EntryWish:
    return EntryWish(symbol=symbol, side=side, wish=(D(usd), "trigger"))


class Story:
    """A book and the records it was told, so that they can be told again."""

    def __init__(self) -> None:
        self.book = Book()
        self.records: list[Record] = []
        self.now_ms = T0
        self._trade_id = 0

    def tell(self, fact: Fact, cause: int = 0) -> Record:
        record = Record(
            seq=len(self.records) + 1,
            ts=self.now_ms * 1_000_000,
            run=1,
            kind=type(fact).__name__,
            cause=cause,
            body=fact,
        )
        self.records.append(record)
        self.book.apply(record)
        return record

    def intend(self, plan: OrderPlan | None = None, cause: int = 0, **changes: Any) -> str:
        """Record the intent of ``plan``, or of an XRP entry of 10; its client id."""
        name = f"lcd-1-{len(self.records) + 1}-{plan.leg if plan else changes.get('leg', 'e')}"
        given: dict[str, Any] = {
            "symbol": XRP,
            "side": Side.BUY,
            "purpose": Purpose.ENTRY,
            "type": "LIMIT",
            "leg": "e",
            "qty": D(10),
            "price": D("1.92"),
            "recv_window_ms": 1_000,
            "decision_price": D("1.9"),
        }
        if plan is not None:
            names = {f.name for f in msgspec.structs.fields(facts.OrderIntended)}
            given = {k: v for k, v in msgspec.structs.asdict(plan).items() if k in names}
        given |= {"client_id": name, "timestamp_ms": self.now_ms}
        self.tell(facts.OrderIntended(**given | changes), cause)
        return name

    def send(self, **changes: Any) -> str:
        name = self.intend(**changes)
        self.tell(facts.OrderSent(client_id=name, road="ws"))
        return name

    def update(self, name: str, status: str, executed: str = "0", **more: Any) -> None:
        self.tell(
            facts.OrderUpdated(
                client_id=name, status=status, source="test", executed_qty=D(executed), **more
            )
        )

    def fill(self, name: str, qty: str, price: str = "1.9", **changes: Any) -> facts.Filled:
        self._trade_id += 1
        order = self.book.orders[name]
        given: dict[str, Any] = {
            "client_id": name,
            "symbol": order.symbol,
            "side": order.side,
            "trade_id": self._trade_id,
            "qty": D(qty),
            "price": D(price),
            "venue_ms": self.now_ms,
        }
        fact = facts.Filled(**given | changes)
        self.tell(fact)
        return fact

    def see(self, qty: str, price: str = "1.9", symbol: str = XRP, at_ms: int = 0) -> None:
        self.tell(
            facts.PositionSeen(
                symbol=symbol,
                qty=D(qty),
                entry_price=D(price),
                source="stream",
                venue_ms=at_ms or self.now_ms,
            )
        )

    def replayed(self) -> Book:
        book = Book()
        for record in self.records:
            book.apply(record)
        return book


def with_limits(base: Settings, **changes: Any) -> Settings:
    return attrs.evolve(base, limits=attrs.evolve(base.limits, **changes))
