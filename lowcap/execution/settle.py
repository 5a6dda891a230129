"""Finding out what became of an order whose outcome is unknown. Never by sending it again."""

from __future__ import annotations

import trio

from lowcap.binance.errors import NO_SUCH_ORDER
from lowcap.binance.outcome import Outcome
from lowcap.binance.rest import VenueRefused
from lowcap.core import facts
from lowcap.core.errors import NoAnswer, NotSent
from lowcap.core.order import Order, Status
from lowcap.execution.desk import Desk

# "No such order" is believed after this many answers, this far apart, and not
# before the venue would refuse a late arrival by its timestamp.
ABSENT_ANSWERS_MIN = 3
ABSENT_APART_S = 1.0
SETTLE_MARGIN_MS = 2_000
FIRST_QUERIES_S = (0.2, 0.3, 0.5)


async def settle_order(desk: Desk, client_id: str) -> None:
    """Query until the outcome of one order is certain, then record it."""
    order = desk.book.orders.get(client_id)
    if order is None:
        return
    absent_answers = 0
    tries = 0
    while _in_doubt(order):
        wait_s = FIRST_QUERIES_S[tries] if tries < len(FIRST_QUERIES_S) else ABSENT_APART_S
        await trio.sleep(wait_s)
        tries += 1
        if not _in_doubt(order):
            break  # the user stream told us first
        answer = await ask(desk, order)
        if isinstance(answer, Outcome):
            continue  # settled, unless the venue used a word that we do not know
        absent_answers += answer and tries > len(FIRST_QUERIES_S)
        if absent_answers >= ABSENT_ANSWERS_MIN and _too_late_to_arrive(desk, order):
            desk.record(
                facts.OutcomeSettled(
                    client_id=client_id, outcome=Status.ABSENT.value, how="query: no such order"
                ),
                order.seq,
            )
            desk.look_after(order.symbol)
            return
    desk.record(
        facts.OutcomeSettled(client_id=client_id, outcome=order.status.value, how="found"),
        order.seq,
    )
    desk.look_after(order.symbol)


async def ask(desk: Desk, order: Order) -> Outcome | bool:
    """Query one order and record what is learned.

    Returns its outcome; True where the venue knows no such order; False where
    there was no usable answer.
    """
    try:
        outcome = await desk.venue.query(order)
        fills = await desk.venue.fills(order, outcome)
    except VenueRefused as error:
        return error.venue_code in NO_SUCH_ORDER
    except (NotSent, NoAnswer):
        return False
    desk.learn(order, outcome, fills)
    return outcome


def _in_doubt(order: Order) -> bool:
    return order.status in (Status.UNKNOWN, Status.INTENDED, Status.SENT)


def _too_late_to_arrive(desk: Desk, order: Order) -> bool:
    dies_ms = order.timestamp_ms + order.recv_window_ms + SETTLE_MARGIN_MS
    return desk.venue.venue_ms() > dies_ms
