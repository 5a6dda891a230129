"""A position whose protection is asked for, and carried out, step by step."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from lowcap.core import facts
from lowcap.core.contract import Contract
from lowcap.core.messages import OrderPlan, Purpose
from lowcap.core.money import ZERO, Side
from lowcap.core.order import RESTING
from lowcap.execution.bracket import missing
from lowcap.execution.steps import Cancel, CloseNow, Look, Place, Step
from lowcap.execution.stops import EARLY_MS
from lowcap.settings import Protect
from tests.risk.risk_kit import CONTRACTS, XRP, D, Story, settings

SETTINGS = settings()
CONTRACT = CONTRACTS[XRP]
DEADLINE_MS = SETTINGS.protect.stop_deadline_ms - EARLY_MS


class Scene(Story):
    """A story with a contract, in which the steps asked for can be carried out."""

    def __init__(self, contract: Contract = CONTRACT, **protect: Any) -> None:
        super().__init__()
        self.contract = contract
        self.best: Decimal | None = None
        self.atr: Decimal | None = None
        self.settings = attrs.evolve(SETTINGS, protect=Protect(**protect))

    def enter(self, qty: str, side: Side = Side.BUY, price: str = "1.9") -> str:
        name = self.send(qty=D(qty), side=side)
        self.fill(name, qty, price)
        self.update(name, "filled", qty)
        return name

    def steps(self) -> list[Step]:
        return missing(self.look())

    def look(self) -> Look:
        return Look(
            book=self.book,
            symbol=XRP,
            contract=self.contract,
            protect=self.settings.protect,
            now_ms=self.now_ms,
            recv_window_ms=self.settings.order.exit_recv_window_ms,
            time_exit_s=self.settings.protect.time_exit_s,
            best=self.best,
            atr=self.atr,
        )

    def plans(self, purpose: Purpose) -> list[OrderPlan]:
        found = [s.plan for s in self.steps() if isinstance(s, Place)]
        return [plan for plan in found if plan.purpose is purpose]

    def carry_out(self, steps: list[Step], status: str = "working", **more: Any) -> list[str]:
        names = []
        for step in steps:
            if isinstance(step, Place):
                name = self.intend(step.plan)
                self.tell(facts.OrderSent(client_id=name, road="ws"))
                self.update(name, status, order_id=len(self.records), **more)
                names.append(name)
            elif isinstance(step, Cancel):
                self.tell(facts.CancelAsked(client_id=step.client_id))
                self.update(step.client_id, "cancelled", order_id=1)
        return names

    def settle(self) -> None:
        """Carry steps out until none is left; there must be an end."""
        for _ in range(8):
            steps = self.steps()
            assert not any(isinstance(s, CloseNow) for s in steps), steps
            if not steps:
                return
            self.carry_out(steps)
        raise AssertionError(f"no end: {self.steps()}")

    def resting(self, purpose: Purpose) -> list[Any]:
        return [o for o in self.book.orders_of(XRP) if o.purpose is purpose and o.status in RESTING]

    def claimed(self) -> Decimal:
        return sum((o.open_qty for o in self.resting(Purpose.TAKE_PROFIT)), ZERO)
