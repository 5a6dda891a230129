"""Facts: the bodies of ledger records.

Every fact is appended before anyone acts on it, and memory is a fold of
them. A field once written keeps its name and meaning; new fields get
defaults, so that old ledgers stay readable.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from msgspec import Raw, Struct, field

from lowcap.core.fact import Fact as Fact
from lowcap.core.messages import Miss, Purpose, TradingState
from lowcap.core.money import Side
from lowcap.core.operator_facts import CommandDone as CommandDone
from lowcap.core.operator_facts import CommandReceived as CommandReceived
from lowcap.core.operator_facts import ConfigReloaded as ConfigReloaded
from lowcap.core.operator_facts import SessionOpened as SessionOpened
from lowcap.core.operator_facts import Switched as Switched


class RunStarted(Fact, frozen=True, kw_only=True):
    """The daemon opened this ledger and begins recovery."""

    version: str
    mode: str
    config_hash: str


class RunEnded(Fact, frozen=True, kw_only=True):
    """The daemon left in order. Its absence before the next RunStarted means a crash."""

    reason: str


class Recovered(Fact, frozen=True, kw_only=True):
    """Start-up reconciliation is complete; ``crashed`` when the run before had no end."""

    crashed: bool
    unknown_settled: int
    positions: int
    ms: int


class NewsSeen(Fact, frozen=True, kw_only=True):
    """One news item and what detection made of it."""

    feed: str
    source_id: str
    headline: str
    decision: str
    time_ms: int | None = None
    author: str = ""
    reason: str = ""
    detail: str = ""
    misses: tuple[Miss, ...] = ()


class FrameRefused(Fact, frozen=True, kw_only=True):
    """A frame that could not be read as news: what was wrong, its size and its first bytes."""

    feed: str
    reason: str
    size: int
    head: str


class SignalRaised(Fact, frozen=True, kw_only=True):
    """A trigger fired."""

    trigger: str
    feed: str
    side: Side
    symbols: tuple[str, ...]
    matched: tuple[str, ...]
    tier: str
    age_ms: int
    time_suspect: bool = False


class Refused(Fact, frozen=True, kw_only=True):
    """The gate said no to one symbol of a signal, or to a manual trade."""

    symbol: str
    side: Side
    check: str
    measured: str
    limit: str
    trigger: str = ""


class KeysTaken(Fact, frozen=True, kw_only=True):
    """Dedupe keys that are closed until a wall time in milliseconds."""

    keys: tuple[str, ...]
    until_ms: int


class OrderIntended(Fact, frozen=True, kw_only=True):
    """An order about to be sent. Its client id contains this record's own ``seq``.

    ``retry_of`` is the rejected entry that this one is a further try of.
    A close that the venue forced on us enters the same way, with the leg ``x``
    and the venue's own client id: nothing of ours was sent for it.
    """

    client_id: str
    symbol: str
    side: Side
    purpose: Purpose
    type: str
    leg: str
    recv_window_ms: int
    timestamp_ms: int
    qty: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    close_position: bool = False
    parent: str = ""
    notional_usd: Decimal = Decimal(0)
    decision_price: Decimal | None = None
    sizing: str = ""
    retry_of: str = ""


class OrderSent(Fact, frozen=True, kw_only=True):
    """The order was handed to a connection; ``stages_us`` is our own work since the frame."""

    client_id: str
    road: str
    stages_us: dict[str, float] = field(default_factory=dict)


class OrderUpdated(Fact, frozen=True, kw_only=True):
    """What is now known of an order, from a reply, the user stream or a query.

    ``status`` is one of the order machine's states; ``code`` and ``reason``
    carry the venue's words for a refusal. ``reply_us`` is the time from
    sending to the reply.
    """

    client_id: str
    status: str
    source: str
    order_id: int = 0
    executed_qty: Decimal = Decimal(0)
    code: int = 0
    reason: str = ""
    venue_ms: int = 0
    reply_us: float = 0


class Filled(Fact, frozen=True, kw_only=True):
    """One execution, keyed by symbol and trade id; amounts in the margin asset."""

    client_id: str
    symbol: str
    side: Side
    trade_id: int
    qty: Decimal
    price: Decimal
    fee: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    venue_ms: int = 0


class OutcomeUnknown(Fact, frozen=True, kw_only=True):
    """An order may or may not be at the venue. It counts as filled until settled."""

    client_id: str
    why: str


class OutcomeSettled(Fact, frozen=True, kw_only=True):
    """An unknown outcome became known, and how."""

    client_id: str
    outcome: str
    how: str


class PositionSeen(Fact, frozen=True, kw_only=True):
    """The venue's absolute word on one position; ``qty`` is signed."""

    symbol: str
    qty: Decimal
    entry_price: Decimal
    source: str
    venue_ms: int = 0


class PositionClosed(Fact, frozen=True, kw_only=True):
    """A position of ours is flat again; sums over its life, in dollars."""

    symbol: str
    realized: Decimal
    fees: Decimal


class OwnershipSettled(Fact, frozen=True, kw_only=True):
    """Reconciliation's word on whose a position is: ours, and what no order of ours explains."""

    symbol: str
    own_qty: Decimal
    foreign_qty: Decimal
    why: str


class IncomeSeen(Fact, frozen=True, kw_only=True):
    """A booking on the wallet that no fill of ours explains; signed, in units of ``asset``.

    ``kind`` is the venue's own word, as FUNDING_FEE or TRANSFER; ``trade_id``
    names the execution where it is a commission or a profit.
    """

    kind: str
    symbol: str
    usdt: Decimal
    tran_id: int
    venue_ms: int
    trade_id: int = 0
    asset: str = "USDT"


class IncomeRead(Fact, frozen=True, kw_only=True):
    """The venue's income history is known up to a venue time."""

    until_ms: int


class EquitySeen(Fact, frozen=True, kw_only=True):
    """Wallet and the profit of open positions at the mark price, once a minute if they moved."""

    wallet_usdt: Decimal
    unrealized_usd: Decimal = Decimal(0)


class HoldPlaced(Fact, frozen=True, kw_only=True):
    """A named hold restricts trading to ``state``; ``until_ms`` 0 means until lifted."""

    name: str
    state: TradingState
    reason: str
    who: str
    until_ms: int = 0


class HoldLifted(Fact, frozen=True, kw_only=True):
    """A named hold is gone."""

    name: str
    reason: str
    who: str


class CancelAsked(Fact, frozen=True, kw_only=True):
    """We are about to cancel an order of ours; one that goes without was cancelled elsewhere."""

    client_id: str


class StopMoved(Fact, frozen=True, kw_only=True):
    """An operator moved the stop of a position; ``trails`` is false where it no longer follows."""

    symbol: str
    price: Decimal
    who: str
    trails: bool = True


class Reconciled(Fact, frozen=True, kw_only=True):
    """Belief was compared with the venue; ``differences`` says what was put right."""

    why: str
    clean: bool
    differences: tuple[str, ...] = ()


class FeedChanged(Fact, frozen=True, kw_only=True):
    """A feed connected, went stale or was lost."""

    feed: str
    state: str
    why: str = ""


class EquityMarked(Fact, frozen=True, kw_only=True):
    """What the account is worth now: the day's highest so far, or where it starts ``anew``."""

    equity_usd: Decimal
    anew: bool = False


class BreakerChanged(Fact, frozen=True, kw_only=True):
    """A circuit breaker went to another state, and rests until a wall time in milliseconds."""

    name: str
    state: str
    why: str
    until_ms: int = 0
    rest_ms: int = 0


class AlarmRaised(Fact, frozen=True, kw_only=True):
    """Something that a person should look at."""

    code: str
    text: str
    hint: str = ""


class SinkChanged(Fact, frozen=True, kw_only=True):
    """An alert sink was given up (``dead``) or is ``up`` again; alerts of it are lost meanwhile."""

    sink: str
    state: str
    why: str = ""


class Checkpoint(Fact, frozen=True, kw_only=True):
    """The folded state at this point, so that start-up need not read older days."""

    book: Raw
    keys: Raw
    accounts: Raw = Raw(b"null")


AnyFact: TypeAlias = (
    RunStarted
    | RunEnded
    | Recovered
    | NewsSeen
    | FrameRefused
    | SignalRaised
    | Refused
    | KeysTaken
    | OrderIntended
    | OrderSent
    | OrderUpdated
    | Filled
    | OutcomeUnknown
    | OutcomeSettled
    | PositionSeen
    | PositionClosed
    | OwnershipSettled
    | IncomeSeen
    | IncomeRead
    | EquitySeen
    | HoldPlaced
    | HoldLifted
    | CancelAsked
    | StopMoved
    | Reconciled
    | CommandReceived
    | SessionOpened
    | CommandDone
    | Switched
    | ConfigReloaded
    | FeedChanged
    | EquityMarked
    | BreakerChanged
    | AlarmRaised
    | SinkChanged
    | Checkpoint
)

FACT_KINDS: dict[str, type[Fact]] = {kind.__name__: kind for kind in Fact.__subclasses__()}


class Record(Struct, frozen=True, kw_only=True):
    """One line of the ledger. ``seq`` is replay order, ``ts`` (wall ns) only explains."""

    seq: int
    ts: int
    run: int
    kind: str
    cause: int
    body: Fact
