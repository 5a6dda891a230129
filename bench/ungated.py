"""The daemon with its gate taken out, to measure what the gate costs. For the bench alone.

    python -m bench.ungated run --config FILE

Everything else is as it is: decoding, detection, ledger, signing. Sizes are
the wish, prices the mark plus the collar. It trades on loopback only, like any
daemon in dry mode.
"""

from __future__ import annotations

from lowcap.__main__ import main
from lowcap.core.messages import OrderPlan, Purpose, Refusal
from lowcap.core.money import floor_to_step, limit_inside_collar, percent_of
from lowcap.execution.desk import Desk
from lowcap.risk.gate import EntryWish


def plan(desk: Desk, wanted: EntryWish) -> OrderPlan | Refusal:
    """The wish as an order: no state, no limits, no look at the book."""
    symbol, side, wish = wanted.symbol, wanted.side, wanted.wish
    contract, mark, orders = desk.venue.contracts[symbol], desk.quotes[symbol].mark, desk.settings
    price = mark + side.sign * percent_of(mark, orders.order.collar_pct)
    return OrderPlan(
        symbol=symbol,
        side=side,
        purpose=Purpose.ENTRY,
        type="LIMIT",
        time_in_force="IOC",
        qty=floor_to_step(wish[0] / mark, contract.step),
        price=limit_inside_collar(price, contract.tick, side),
        leg="e",
        recv_window_ms=orders.order.entry_recv_window_ms,
        notional_usd=wish[0],
        decision_price=mark,
    )


if __name__ == "__main__":
    setattr(Desk, "plan", plan)  # noqa: B010  # the one place where the gate is taken away
    main()
