"""What an answer of the venue means for an order: accepted, rejected, not executed, or unknown.

Unknown is never guessed at: it is settled by query (docs/venue.md §8, §9).
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

UNKNOWN_CODES = frozenset({-1000, -1001, -1006, -1007})
NO_SUCH_ORDER = frozenset({-2011, -2013})
DUPLICATE_ID = -4116


class Verdict(StrEnum):
    """What is certain after an answer, or after none."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Outcome(Struct, frozen=True, kw_only=True):
    """The venue's answer about an order, as far as it goes.

    ``child_id`` is the regular order that a triggered algo order became.
    """

    verdict: Verdict
    status: str = ""
    order_id: int = 0
    child_id: int = 0
    executed_qty: str = "0"
    code: int = 0
    reason: str = ""
    venue_ms: int = 0


def refused(http_status: int, code: int, msg: str) -> Outcome:
    """The outcome of an error answer.

    Only a 4xx with a definite code means rejected, and the wordings of 503
    that say that nothing was executed. 408, 5xx, the codes of an unanswered
    backend and any other status mean unknown. A duplicate client id means
    that the first one lives: unknown, to be queried.
    """
    if http_status == 503 and (msg.startswith("Service Unavailable") or code == -1008):
        return Outcome(verdict=Verdict.REJECTED, code=code, reason=msg)
    definite = 400 <= http_status < 500 and http_status != 408
    if not definite or code in UNKNOWN_CODES or code == DUPLICATE_ID or code == 0:
        return Outcome(verdict=Verdict.UNKNOWN, code=code, reason=msg)
    return Outcome(verdict=Verdict.REJECTED, code=code, reason=msg)
