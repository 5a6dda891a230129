"""Getting flat: entries and legs off, then the close, stops last; and it always gets there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lowcap.core.account import SeenOrder, SeenPosition, Snapshot
from lowcap.core.money import ZERO, Side, wire
from lowcap.execution.flatten import (
    READ_EVERY_S,
    READ_IDLE_S,
    READ_WAITING_S,
    CancelSeen,
    CloseQty,
    FlatProof,
    FlattenStep,
    closable,
    next_steps,
)
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.faults import Faults
from lowcap.paper.state import VenueError

T0 = 1_795_300_000_000
XRP, DOGE = "XRPUSDT", "DOGEUSDT"
D = Decimal
CONTRACTS = {s: c for s, (c, _) in listed_contracts().items() if s in {XRP, DOGE}}
PREFIX = "lcd-"


def position(qty: str, symbol: str = XRP) -> SeenPosition:
    return SeenPosition(symbol=symbol, qty=D(qty), entry_price=D("1.9"), venue_ms=T0)


def order(name: str, symbol: str = XRP, *, algo: bool = False) -> SeenOrder:
    return SeenOrder(symbol=symbol, client_id=name, side="SELL", qty=D(1), reduces=True, algo=algo)


def seen(*parts: SeenPosition | SeenOrder, at_ms: int = T0) -> Snapshot:
    return Snapshot(
        at_ms=at_ms,
        positions=tuple(p for p in parts if isinstance(p, SeenPosition)),
        orders=tuple(p for p in parts if isinstance(p, SeenOrder)),
    )


def steps_of(
    snapshot: Snapshot,
    symbols: set[str] | None = None,
    ours: dict[str, Decimal] | None = None,
) -> list[FlattenStep]:
    return next_steps(snapshot, CONTRACTS, symbols=symbols, ours=ours, prefix=PREFIX)


LEG, STOP = order("lcd-1-2-t1"), order("lcd-1-3-s", algo=True)
CANCEL_LEG = CancelSeen(XRP, "lcd-1-2-t1", algo=False)
CANCEL_STOP = CancelSeen(XRP, "lcd-1-3-s", algo=True)


def test_legs_then_the_close_then_the_stop() -> None:
    assert steps_of(seen(position("10"), LEG, STOP)) == [CANCEL_LEG]
    assert steps_of(seen(position("10"), STOP)) == [CloseQty(XRP, Side.SELL, D(10))]
    assert steps_of(seen(position("-10"), STOP)) == [CloseQty(XRP, Side.BUY, D(10))]
    assert steps_of(seen(STOP)) == [CANCEL_STOP]
    assert steps_of(seen()) == []


def test_each_symbol_goes_its_own_way() -> None:
    steps = steps_of(seen(position("10"), position("5", DOGE), order("lcd-1-9-t1", DOGE), STOP))
    assert steps == [
        CancelSeen(DOGE, "lcd-1-9-t1", algo=False),
        CloseQty(XRP, Side.SELL, D(10)),
    ]
    assert steps_of(seen(position("10"), position("5", DOGE)), symbols={DOGE}) == [
        CloseQty(DOGE, Side.SELL, D(5))
    ]


def test_what_is_not_ours_is_left_alone() -> None:
    strangers = (order("web_1"), order("web_2", algo=True))
    assert steps_of(seen(position("10"), *strangers), ours={}) == []
    assert steps_of(seen(position("10"), *strangers), ours={XRP: D(4)}) == [
        CloseQty(XRP, Side.SELL, D(4))
    ]
    everything = steps_of(seen(position("10"), *strangers), ours=None)
    assert everything == [CancelSeen(XRP, "web_1", algo=False)]


def test_a_foreign_leg_that_claims_what_is_ours_goes_first() -> None:
    leg = order("web_1")
    assert steps_of(seen(position("10"), leg), ours={XRP: D(10)}) == [
        CancelSeen(XRP, "web_1", algo=False)
    ]
    assert steps_of(seen(position("10"), leg), ours={XRP: D(9)}) == [CloseQty(XRP, Side.SELL, D(9))]
    entry = msgspec.structs.replace(leg, reduces=False)
    assert steps_of(seen(position("10"), entry), ours={XRP: D(10)}) == [
        CloseQty(XRP, Side.SELL, D(10))
    ]


@pytest.mark.parametrize(
    ("held", "own", "closes"),
    [("10", None, "10"), ("-10", None, "-10"), ("10", "4", "4"), ("10", "10", "10"),
     ("4", "10", "4"), ("-4", "-10", "-4"), ("-10", "-4", "-4"), ("10", "-4", "0"),
     ("-10", "4", "0"), ("10", "0", "0"), ("0", "4", "0")],
)  # fmt: skip
def test_never_more_than_ours_and_never_more_than_there_is(
    held: str, own: str | None, closes: str
) -> None:
    assert closable(D(held), None if own is None else D(own)) == D(closes)


@pytest.mark.parametrize(("most", "parts"), [("4", ["4", "4", "2"]), ("4.05", ["4", "4", "2"])])
def test_a_position_above_the_venues_largest_market_order_goes_in_parts(
    most: str, parts: list[str]
) -> None:
    contract = msgspec.structs.replace(CONTRACTS[XRP], market_qty_max=D(most))
    steps = next_steps(seen(position("10")), {XRP: contract}, symbols=None, ours=None, prefix="")
    assert steps == [CloseQty(XRP, Side.SELL, D(part)) for part in parts]


@pytest.mark.parametrize("most", ["0", "0.05", "-5"])
def test_a_senseless_largest_market_order_is_ignored(most: str) -> None:
    contract = msgspec.structs.replace(CONTRACTS[XRP], market_qty_max=D(most))
    steps = next_steps(seen(position("10")), {XRP: contract}, symbols=None, ours=None, prefix="")
    assert steps == [CloseQty(XRP, Side.SELL, D(10))]


@pytest.mark.parametrize(
    ("own", "closes"), [(None, ["20"]), ("12", ["20"]), ("11", ["10"]), ("9", [])]
)
def test_a_position_between_two_steps_is_rounded_up_where_all_of_it_goes(
    own: str | None, closes: list[str]
) -> None:
    contract = msgspec.structs.replace(CONTRACTS[XRP], step=D(10))
    ours = None if own is None else {XRP: D(own)}
    steps = next_steps(seen(position("12")), {XRP: contract}, symbols=None, ours=ours, prefix="")
    assert steps == [CloseQty(XRP, Side.SELL, D(qty)) for qty in closes]


def test_a_position_of_an_unknown_contract_is_closed_whole() -> None:
    steps = next_steps(seen(position("7", "NEWUSDT")), {}, symbols=None, ours=None, prefix="")
    assert steps == [CloseQty("NEWUSDT", Side.SELL, D(7))]


def test_flat_needs_two_quiet_reads_after_the_last_entry_has_died() -> None:
    proof = FlatProof(T0)
    assert proof.dies_ms == T0 + 1_000
    busy = [CANCEL_LEG]
    assert not proof.read(seen(at_ms=T0 + 900), [])
    assert not proof.read(seen(at_ms=T0 + 1_000), [])
    assert not proof.read(seen(at_ms=T0 + 1_100), busy)
    assert not proof.read(seen(at_ms=T0 + 1_200), [])
    assert proof.read(seen(at_ms=T0 + 1_300), [])


def test_only_where_nothing_ever_was_the_second_read_comes_at_once() -> None:
    def pause_s(proof: FlatProof, at_ms: int, *, busy: bool = False) -> float:
        proof.read(seen(at_ms=at_ms), [CANCEL_LEG] if busy else [])
        return proof.pause_s(seen(at_ms=at_ms), busy=busy, reads=1, one_symbol=False)

    late = T0 + 1_001
    assert pause_s(FlatProof(T0, believed_flat=True), late) == READ_IDLE_S < READ_EVERY_S
    assert pause_s(FlatProof(T0), late) == READ_EVERY_S
    assert pause_s(FlatProof(T0, believed_flat=True), T0 + 1_000) == READ_WAITING_S
    proof = FlatProof(T0, believed_flat=True)
    assert pause_s(proof, late, busy=True) == READ_EVERY_S
    assert pause_s(proof, late) == READ_EVERY_S, "something was there"


# -- over a simulated venue --------------------------------------------------


class Stage:
    """A venue with a position, legs, stops and strangers; the steps are carried out on it."""

    def __init__(self) -> None:
        self.exchange = Exchange(ExchangeSetup(step_bps=0.0))
        self.now_ms = T0
        self.own: dict[str, Decimal] = {XRP: ZERO, DOGE: ZERO}
        self.number = 0

    def call(self, method: str, **params: Any) -> Any:
        return self.exchange.call(method, params, self.now_ms)

    def market(self, symbol: str, qty: Decimal, *, ours: bool, reduce_only: bool = False) -> None:
        side, before = ("BUY" if qty > 0 else "SELL"), self.exchange.book.position(symbol).qty
        self.call(
            "order.place", symbol=symbol, side=side, type="MARKET", quantity=wire(abs(qty)),
            newClientOrderId=self.name("c", ours), reduceOnly="true" if reduce_only else "false",
        )  # fmt: skip
        if ours:
            self.own[symbol] += self.exchange.book.position(symbol).qty - before

    def leg(self, symbol: str, qty: Decimal, *, ours: bool) -> None:
        held = self.exchange.book.position(symbol).qty
        mark = self.exchange.board.quotes[symbol].mark
        price = mark * (D("1.04") if held > 0 else D("0.96"))
        self.call(
            "order.place", symbol=symbol, side="SELL" if held > 0 else "BUY", type="LIMIT",
            timeInForce="GTC", quantity=wire(qty), price=wire(price.quantize(D("0.0001"))),
            reduceOnly="true", newClientOrderId=self.name("t1", ours),
        )  # fmt: skip

    def stop(self, symbol: str) -> None:
        held = self.exchange.book.position(symbol).qty
        price = self.exchange.board.quotes[symbol].mark * (D("0.9") if held > 0 else D("1.1"))
        self.call(
            "algoOrder.place", algoType="CONDITIONAL", symbol=symbol, type="STOP_MARKET",
            side="SELL" if held > 0 else "BUY", closePosition="true",
            triggerPrice=wire(price.quantize(D("0.0001"))), clientAlgoId=self.name("s", True),
        )  # fmt: skip

    def name(self, leg: str, ours: bool) -> str:
        self.number += 1
        return f"lcd-1-{self.number}-{leg}" if ours else f"web_{self.number}"

    def look(self) -> Snapshot:
        positions = [
            SeenPosition(
                symbol=row["symbol"], qty=D(row["positionAmt"]), entry_price=ZERO, venue_ms=0
            )
            for row in self.call("account.position")
            if D(row["positionAmt"]) != ZERO
        ]
        orders = [
            SeenOrder(symbol=row["symbol"], client_id=row["clientOrderId"], side=row["side"],
                      qty=D(row["origQty"]), reduces=row["reduceOnly"], algo=False)
            for row in self.call("order.open")
        ] + [
            SeenOrder(symbol=row["symbol"], client_id=row["clientAlgoId"], side=row["side"],
                      qty=ZERO, reduces=True, algo=True)
            for row in self.call("algoOrder.open")
        ]  # fmt: skip
        return Snapshot(at_ms=self.now_ms, positions=tuple(positions), orders=tuple(orders))

    def carry_out(self, step: FlattenStep) -> None:
        try:
            if isinstance(step, CloseQty):
                sign = 1 if step.side is Side.BUY else -1
                self.market(step.symbol, sign * step.qty, ours=True, reduce_only=True)
            elif step.algo:
                self.call("algoOrder.cancel", clientAlgoId=step.client_id)
            else:
                self.call("order.cancel", symbol=step.symbol, origClientOrderId=step.client_id)
        except VenueError:
            return  # looked at again in the next round

    def stops(self, symbol: str) -> int:
        return len(self.exchange.algos.open_algos(symbol))


HOLDINGS = st.fixed_dictionaries(
    {
        "ours": st.integers(-200, 200),
        "foreign": st.integers(-150, 150),
        "legs": st.lists(st.tuples(st.integers(10, 40), st.booleans()), max_size=3),
        "stop": st.booleans(),
    }
)
BROKEN = st.lists(
    st.sampled_from([None, "order.place", "order.cancel", "algoOrder.cancel"]), max_size=6
)


@hypothesis_settings(max_examples=80, deadline=None)
@given(HOLDINGS, HOLDINGS, st.booleans(), BROKEN)
def test_it_always_gets_flat_and_is_never_bare_before(
    xrp: dict[str, Any], doge: dict[str, Any], everything: bool, broken: list[str | None]
) -> None:
    stage = Stage()
    guarded: dict[str, bool] = {}
    for symbol, holding in ((XRP, xrp), (DOGE, doge)):
        for part, ours in ((holding["foreign"], False), (holding["ours"], True)):
            if abs(part) >= 50:
                stage.market(symbol, D(part), ours=ours)
        held = stage.exchange.book.position(symbol).qty
        if held != ZERO and holding["stop"]:
            stage.stop(symbol)
        for qty, ours in holding["legs"]:
            if abs(stage.exchange.book.position(symbol).qty) > 130:
                stage.leg(symbol, D(qty), ours=ours)
        guarded[symbol] = bool(stage.stops(symbol))
    strangers = [o for o in stage.look().orders if not o.client_id.startswith(PREFIX)]
    target = {s: _target(stage, s, everything) for s in (XRP, DOGE)}
    for round_ in range(30):
        fault = broken[round_] if round_ < len(broken) else None
        stage.exchange.replace_faults(Faults(refuse={fault: -1001} if fault else {}))
        ours = None if everything else dict(stage.own)
        steps = next_steps(stage.look(), CONTRACTS, symbols=None, ours=ours, prefix=PREFIX)
        if not steps:
            break
        for step in steps:
            stage.carry_out(step)
            for symbol in (XRP, DOGE):
                held = stage.exchange.book.position(symbol).qty
                if guarded[symbol] and held != target[symbol]:
                    assert stage.stops(symbol), f"{symbol} was bare before it was flat"
    else:
        pytest.fail("never flat")
    final = stage.look()
    assert {p.symbol: p.qty for p in final.positions} == {s: q for s, q in target.items() if q}
    left = {o.client_id for o in final.orders}
    for kept in (o for o in final.orders if o.client_id.startswith(PREFIX)):
        assert kept.reduces, "no entry of ours survives"
        assert target[kept.symbol] != ZERO, "it guards what is not ours to close"
    if everything:
        assert not left
    for symbol in () if everything else (XRP, DOGE):
        # Where a foreign position is left, so are the orders that belong to it.
        legs = [o for o in strangers if o.symbol == symbol]
        if sum((o.qty for o in legs), ZERO) <= abs(target[symbol]):
            assert {o.client_id for o in legs} <= left


def _target(stage: Stage, symbol: str, everything: bool) -> Decimal:
    """What may be left at the end: nothing, or what is not ours."""
    held = stage.exchange.book.position(symbol).qty
    return ZERO if everything else held - closable(held, stage.own[symbol])
