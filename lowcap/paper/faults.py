"""The fault script: what the simulator is told to do wrong, to put clients to the test.

A script is a list of faults, each with a kind, when, how long, how often and
for whom. Section numbers are those of docs/venue.md.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

# A fixed delay, or a low and a high end.
DelayMs = Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1, max_length=2)]

AnswerKind = Literal[
    "unknown-error", "unavailable", "disconnected", "overload", "timeout", "not-found", "limited"
]
RequestKind = Literal["lose-request", "lose-reply", "delay-request", "delay-reply"]
EventKind = Literal["drop-event", "duplicate-event", "delay-event"]
MomentKind = Literal["cut", "half-open", "expire-key", "filter-change", "delist"]
Kind = RequestKind | AnswerKind | EventKind | MomentKind


class Answer(Struct, frozen=True):
    """An error in place of the reply; ``may_execute`` where its wording leaves that open."""

    status: int
    code: int
    msg: str
    may_execute: bool = False


# Wordings and codes of §8 and §9.
ANSWERS: dict[str, Answer] = {
    "unknown-error": Answer(
        503,
        -1000,
        "Unknown error, please check your request or try again later.",
        may_execute=True,
    ),
    "unavailable": Answer(503, -1000, "Service Unavailable."),
    "disconnected": Answer(
        503, -1001, "Internal error; unable to process your request. Please try again."
    ),
    "overload": Answer(
        503, -1008, "Request throttled by system-level protection. Please try again later."
    ),
    "timeout": Answer(
        408,
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; "
        "execution status unknown.",
        may_execute=True,
    ),
    "not-found": Answer(400, -2013, "Order does not exist."),
    "limited": Answer(429, -1003, "Too many requests; please slow down."),
}
ON_REQUESTS: Collection[str] = {"lose-request", "lose-reply", "delay-request", "delay-reply"}
ON_EVENTS: Collection[str] = {"drop-event", "duplicate-event", "delay-event"}
MOMENTS: Collection[str] = {"cut", "half-open", "expire-key", "filter-change", "delist"}
# Reads that lag behind: a query of one order, and nothing that changes one.
LAGGING: Collection[str] = {"order.status", "algoOrder.status"}
CHANGEABLE: Collection[str] = {
    "tick", "step", "price_min", "price_max", "qty_min", "qty_max", "market_qty_max",
    "notional_min", "price_up", "price_down",
}  # fmt: skip


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a script.

    It begins ``after_s`` seconds after the script was put in force, lets
    ``skip`` cases pass, and is over after ``for_s`` seconds or ``count``
    cases; where neither is given, after one case. ``method`` is a method of
    the WebSocket API, also for its REST twin (none: every method);
    ``client_id`` is a shell pattern for the order's own id, so that ``*-e``
    means entries. ``event`` names a user data event, ``route`` a connection
    (``api``, ``private``, ``market`` or ``public``); none means all.

    ``delay_ms`` is fixed or a [low, high] range. ``executed`` false lets the
    kinds that leave it open happen without effect. ``change`` holds the new
    filter values of a ``filter-change``, under the contract's field names.
    A ``half-open`` connection stays open and carries nothing any more; a new
    one works. ``delist`` settles the symbol's positions at its price. What
    happens to connections, keys and listings waits for a request where the
    line has a ``method``, and comes before the request takes effect.
    """

    kind: Kind
    after_s: Annotated[float, Meta(ge=0)] = 0
    for_s: Annotated[float, Meta(gt=0)] | None = None
    count: Annotated[int, Meta(ge=1)] | None = None
    skip: Annotated[int, Meta(ge=0)] = 0
    method: str = ""
    client_id: str = "*"
    symbol: str = ""
    event: str = ""
    route: Literal["", "api", "private", "market", "public"] = ""
    delay_ms: DelayMs = field(default_factory=lambda: [1_000])
    executed: bool = True
    change: dict[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a line that could never do anything."""
        found = []
        if self.kind in ("filter-change", "delist") and not self.symbol:
            found.append(f"{self.kind} needs a symbol")
        unknown = set(self.change) - set(CHANGEABLE)
        if unknown:
            found.append(f"no such filter: {', '.join(sorted(unknown))}")
        if (self.kind == "filter-change") != bool(self.change):
            found.append("change belongs to filter-change, which needs it")
        if found:
            raise ValueError("; ".join(found))

    def lasts_ms(self, chance: random.Random) -> float:
        """One delay of this line."""
        return chance.uniform(self.delay_ms[0], self.delay_ms[-1])


class Treatment(Struct, kw_only=True):
    """What is done to one request; delays in milliseconds.

    ``instead`` replaces the reply, and ``moments`` happen first.
    """

    request_ms: float = 0
    reply_ms: float = 0
    lose_request: bool = False
    lose_reply: bool = False
    instead: Answer | None = None
    executed: bool = True
    moments: list[Fault] = field(default_factory=list)

    @property
    def is_prompt(self) -> bool:
        """Whether it is dealt with in the turn in which it came."""
        return self.request_ms == self.reply_ms == 0


class Play:
    """A script on its way: which lines are in force, and how often each has struck.

    ``struck`` counts by kind and ``newest_ms`` is the server time of the last one.
    """

    def __init__(self, lines: list[Fault]) -> None:
        self._lines = lines
        self._passed: Counter[int] = Counter()
        self._used: Counter[int] = Counter()
        self._started_ms: int | None = None
        self.struck: Counter[str] = Counter()
        self.newest_ms = 0

    def strike(
        self, kinds: Collection[str], fits: Callable[[Fault], bool], now_ms: int
    ) -> list[Fault]:
        """The lines of ``kinds`` that strike this case; each counts it."""
        if self._started_ms is None:
            self._started_ms = now_ms
        return [
            line
            for number, line in enumerate(self._lines)
            if line.kind in kinds
            and fits(line)
            and self._in_force(number, line, (now_ms - self._started_ms) / 1000)
            and self._count(number, line, now_ms)
        ]

    def _in_force(self, number: int, line: Fault, at_s: float) -> bool:
        if at_s < line.after_s or (line.for_s is not None and at_s >= line.after_s + line.for_s):
            return False
        most = line.count if line.count is not None else (1 if line.for_s is None else None)
        return most is None or self._used[number] < most

    def _count(self, number: int, line: Fault, now_ms: int) -> bool:
        self._passed[number] += 1
        if self._passed[number] <= line.skip:
            return False
        self._used[number] += 1
        self.struck[line.kind] += 1
        self.newest_ms = now_ms
        return True


class Faults(Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Replaced as a whole by ``POST /sim/faults``. Keys are WebSocket API method names.

    ``fault`` is the script. The other fields are standing orders:
    ``reply_delay_ms`` holds a fixed delay or a [low, high] range. Replies are
    delayed *after* the request took effect; ``request_delay_ms`` holds the
    request back before it does. ``lose_replies`` and ``lose_requests`` count
    down. ``fill_share`` lets entries of a symbol execute only in part.
    ``mute_user_stream`` keeps events from every private connection.
    """

    reply_delay_ms: dict[str, DelayMs] = field(default_factory=dict)
    request_delay_ms: dict[str, DelayMs] = field(default_factory=dict)
    lose_replies: dict[str, int] = field(default_factory=dict)
    lose_requests: dict[str, int] = field(default_factory=dict)
    refuse: dict[str, int] = field(default_factory=dict)
    fill_share: dict[str, Decimal] = field(default_factory=dict)
    mute_user_stream: bool = False
    fault: list[Fault] = field(default_factory=list)

    @cached_property
    def play(self) -> Play:
        """The script on its way; it begins at the first look."""
        return Play(self.fault)

    def treat(
        self, method: str, params: Mapping[str, Any], now_ms: int, chance: random.Random
    ) -> Treatment:
        """What happens to one request."""
        done = self._standing(method, chance)
        if not self.fault:
            return done

        def fits(line: Fault) -> bool:
            wanted = line.method in ("", method)
            if line.kind == "not-found":
                wanted = wanted and method in LAGGING
            elif line.kind in MOMENTS:
                wanted = wanted and bool(line.method)
            mine = line.symbol in ("", str(params.get("symbol", "")))
            return wanted and mine and fnmatchcase(_id_of(params), line.client_id)

        for line in self.play.strike({*ON_REQUESTS, *ANSWERS, *MOMENTS}, fits, now_ms):
            if line.kind in MOMENTS:
                done.moments.append(line)
            elif line.kind == "delay-request":
                done.request_ms += line.lasts_ms(chance)
            elif line.kind == "delay-reply":
                done.reply_ms += line.lasts_ms(chance)
            elif line.kind in ANSWERS:
                done.instead = ANSWERS[line.kind]
                done.executed = done.instead.may_execute and line.executed
            done.lose_request |= line.kind == "lose-request"
            done.lose_reply |= line.kind == "lose-reply"
        return done

    def _standing(self, method: str, chance: random.Random) -> Treatment:
        done = Treatment(
            lose_request=_count_down(self.lose_requests, method),
            request_ms=_drawn(self.request_delay_ms.get(method), chance),
            reply_ms=_drawn(self.reply_delay_ms.get(method), chance),
        )
        done.lose_reply = not done.lose_request and _count_down(self.lose_replies, method)
        return done

    def copies(self, event: str, now_ms: int, chance: random.Random) -> list[float]:
        """When each copy of a user data event is sent, in milliseconds from now; none: lost."""
        if self.mute_user_stream:
            return []
        sent = [0.0]
        if not self.fault:
            return sent
        for line in self.play.strike(ON_EVENTS, lambda x: x.event in ("", event), now_ms):
            if line.kind == "drop-event":
                return []
            if line.kind == "duplicate-event":
                sent.append(0.0)
            else:
                sent = [at_ms + line.lasts_ms(chance) for at_ms in sent]
        return sent

    def moments(self, now_ms: int) -> list[Fault]:
        """What is to happen to connections, keys and listings now."""
        if not self.fault:
            return []
        return self.play.strike(MOMENTS, lambda line: not line.method, now_ms)


def _id_of(params: Mapping[str, Any]) -> str:
    names = ("newClientOrderId", "origClientOrderId", "clientAlgoId")
    return next((str(params[name]) for name in names if params.get(name)), "")


def _count_down(counts: dict[str, int], method: str) -> bool:
    left = counts.get(method, 0)
    if left > 0:
        counts[method] = left - 1
    return left > 0


def _drawn(delay: list[int] | None, chance: random.Random) -> float:
    return chance.uniform(delay[0], delay[-1]) if delay else 0.0
