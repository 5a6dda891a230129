"""What an answer of the venue means for an order: accepted, rejected, not executed, or unknown.

Unknown is never guessed at: it is settled by query (docs/venue.md §8, §9).
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from lowcap.binance.errors import OVERLOADED, Remedy, meaning_of


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

    @property
    def remedy(self) -> Remedy | None:
        """What to do about a refusal; None where there is none, or nobody has given a code."""
        return meaning_of(self.code).remedy if self.code else None


def refused(http_status: int, code: int, msg: str) -> Outcome:
    """The outcome of an error answer.

    Only a 4xx with a definite code means rejected, and the wordings of 503
    that say that nothing was executed. 408, 5xx, the codes of an unanswered
    backend and any other status mean unknown. A duplicate client id means
    that the first one lives: unknown, to be queried.
    """
    if http_status == 503 and (msg.startswith("Service Unavailable") or code == OVERLOADED):
        return Outcome(verdict=Verdict.REJECTED, code=code, reason=msg)
    definite = 400 <= http_status < 500 and http_status != 408
    if not definite or meaning_of(code).remedy is Remedy.UNKNOWN:
        return Outcome(verdict=Verdict.UNKNOWN, code=code, reason=msg)
    return Outcome(verdict=Verdict.REJECTED, code=code, reason=msg)


def order_number(text: str) -> int:
    """The number of the order that a conditional one became; at most 19 digits (int64)."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else 0
