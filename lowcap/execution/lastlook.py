"""The last look before an entry leaves: nothing may have changed since the gate decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcap.core.facts import OrderIntended
from lowcap.core.messages import Purpose, TradingState
from lowcap.execution import reports

if TYPE_CHECKING:
    from lowcap.execution.desk import Desk


def may_leave(desk: Desk, intent: OrderIntended) -> bool:
    """Whether an order may be handed to its road now: an exit always, an entry while ACTIVE.

    One that may not is denied here. A signal handler may have run since the
    gate looked, and an order that takes the second road has waited for it.
    """
    if intent.purpose is not Purpose.ENTRY:
        return True
    stopped, state = desk.stop_word.raised(), desk.state()
    if not stopped and state is TradingState.ACTIVE:
        return True
    name = intent.client_id
    why = f"stopped by {stopped}" if stopped else f"{state} before it left"
    desk.note(desk.book.orders[name], reports.of_denial(name, why))
    return False
