"""What the rooms say to each other on the way from a frame to an order."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from lowcap.core.money import Side


class Reading(Struct, frozen=True, kw_only=True):
    """One figure of an economic release, as sent: nothing is converted here.

    ``country`` is None where the release names none.
    """

    name: str
    actual: object = None
    forecast: object = None
    previous: object = None
    unit: str = ""
    country: str | None = None


class NewsItem(Struct, frozen=True, kw_only=True):
    """One piece of news, whatever feed it came from.

    ``time_ms`` is the sender's clock (None where the frame has no usable
    time), which counts in steps of ``step_ms``; ``received_ns`` is ours.
    ``handles`` holds every account name that the frame shows, lower case.
    ``is_post`` tells an account's post from an article; ``markup`` names the
    feed family's way of writing quotes.
    ``coins`` is the sender's own guess at what the item is about, None where
    it sends none. ``readings`` is None where the item is no release.
    """

    feed: str
    received_ns: int
    source_id: str = ""
    time_ms: int | None = None
    step_ms: int = 1
    source: str = ""
    author_id: str = ""
    handles: tuple[str, ...] = ()
    title: str = ""
    body: str = ""
    url: str = ""
    is_retweet: bool = False
    is_reply: bool = False
    is_self_reply: bool = False
    is_quote: bool = False
    is_post: bool = False
    markup: str = ""
    coins: tuple[str, ...] | None = None
    readings: tuple[Reading, ...] | None = None

    @property
    def headline(self) -> str:
        """What a person would call this item."""
        return f"{self.title}: {self.body}" if self.is_post else self.title or self.body


class NotNews(Struct, frozen=True):
    """A frame that carries no news. ``fault`` marks one that should not have been sent at all."""

    reason: str
    fault: bool = False


class Target(Struct, frozen=True, kw_only=True):
    """One symbol of a signal; ``notional_usd`` is None where sizing decides."""

    symbol: str
    key: str
    notional_usd: Decimal | None = None


class Signal(Struct, frozen=True, kw_only=True):
    """A tradeable reading of a news item by one trigger.

    ``once`` is a dedupe key of the story itself, closed for ``once_s`` by the
    first trade on it; empty where the trigger has none. ``decides`` is a key
    that this item closes even where it comes too late to trade.
    ``time_suspect`` marks an age that had to be taken for zero; ``age_ms`` may
    be ``step_ms`` too much, where the sender's clock counts in such steps.
    ``executions_per_hour`` 0 leaves that limit to the settings.
    """

    trigger: str
    feed: str
    side: Side
    targets: tuple[Target, ...]
    matched: tuple[str, ...]
    tier: str
    age_ms: int
    age_ms_max: int
    step_ms: int = 1
    decides: str = ""
    once: str = ""
    once_s: int = 0
    time_suspect: bool = False
    cooldown_s: int
    executions_per_hour: int = 0


class Failure(Struct, frozen=True, omit_defaults=True):
    """One condition of a trigger that an item does not meet, and what was found instead."""

    reason: str
    detail: str = ""


class Miss(Struct, frozen=True, omit_defaults=True):
    """Why one trigger did not fire on an item.

    ``reason`` is the first condition that failed, ``failed`` all of them;
    ``matched`` and ``blocking`` are the words of the text that spoke for and
    against it. ``near`` when the item came close enough to be told about.
    ``decides`` is a dedupe key that this no closes all the same (a payroll
    print in the dead zone is the day's decision).
    """

    trigger: str
    reason: str
    detail: str = ""
    near: bool = False
    decides: str = ""
    failed: tuple[Failure, ...] = ()
    matched: tuple[str, ...] = ()
    blocking: tuple[str, ...] = ()


class Verdict(Struct, frozen=True, kw_only=True):
    """Detection's answer for one item: a signal, or the reasons against one."""

    signal: Signal | None = None
    reason: str = ""
    detail: str = ""
    misses: tuple[Miss, ...] = ()


class Quote(Struct, frozen=True, kw_only=True):
    """Newest prices of one symbol. Times are our receive times in wall milliseconds."""

    symbol: str
    mark: Decimal
    mark_ms: int
    last: Decimal | None = None
    last_ms: int = 0


# What stands for the trigger of a trade by hand.
MANUAL = "manual"


class Purpose(StrEnum):
    """What an order is for."""

    ENTRY = "entry"
    STOP = "stop"
    TAKE_PROFIT = "take-profit"
    CLOSE = "close"


class Changed(Struct, frozen=True):
    """A setting that took another value: its dotted key, and both values as text."""

    key: str
    old: str
    new: str


class OrderPlan(Struct, frozen=True, kw_only=True):
    """An order that passed the gate, rounded to the contract's grid, ready to be written.

    ``sizing`` says in words which limit decided the quantity.
    """

    symbol: str
    side: Side
    purpose: Purpose
    type: str
    qty: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: str = ""
    reduce_only: bool = False
    close_position: bool = False
    leg: str
    parent: str = ""
    recv_window_ms: int
    notional_usd: Decimal = Decimal(0)
    decision_price: Decimal | None = None
    sizing: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    """A reasoned no: the check that failed, what was measured and what would have passed."""

    symbol: str
    check: str
    measured: str
    limit: str


class TradingState(StrEnum):
    """What the gate lets through, from least to most restricted."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"
    STOPPING = "STOPPING"


STATE_RANK = {state: rank for rank, state in enumerate(TradingState)}
