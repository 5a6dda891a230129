"""What the simulated exchange remembers. Plain structs, so that it can be saved and restored."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct, field

from lowcap.core.money import ZERO


class VenueError(Exception):
    """A refusal with the venue's numeric code (docs/venue.md §9)."""

    def __init__(self, code: int, msg: str, status: int = 400) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.status = status


class PaperPosition(Struct, kw_only=True):
    """One-way position. ``qty`` is signed."""

    symbol: str
    qty: Decimal = ZERO
    entry_price: Decimal = ZERO
    realized: Decimal = ZERO
    updated_ms: int = 0
    added_margin: Decimal = ZERO


class PaperOrder(Struct, kw_only=True):
    """An order in the regular book."""

    order_id: int
    client_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: Decimal
    price: Decimal
    reduce_only: bool
    status: str
    created_ms: int
    updated_ms: int
    executed: Decimal = ZERO
    cum_quote: Decimal = ZERO
    close_position: bool = False
    orig_type: str = ""
    stop_price: Decimal = ZERO
    working_type: str = "CONTRACT_PRICE"
    expiry_reason: str = "0"
    amendments: int = 0
    good_till_ms: int = 0

    @property
    def remaining(self) -> Decimal:
        """Quantity still to be executed."""
        return self.qty - self.executed

    @property
    def is_open(self) -> bool:
        """Whether it rests in the book."""
        return self.status in {"NEW", "PARTIALLY_FILLED"}


class PaperAlgo(Struct, kw_only=True):
    """An order in the conditional (algo) book."""

    algo_id: int
    client_id: str
    symbol: str
    side: str
    type: str
    trigger_price: Decimal
    qty: Decimal
    price: Decimal
    working_type: str
    close_position: bool
    reduce_only: bool
    price_protect: bool
    status: str
    created_ms: int
    updated_ms: int
    triggered_ms: int = 0
    child_id: int = 0
    child_price: Decimal = ZERO
    child_qty: Decimal = ZERO
    reason: str = ""
    time_in_force: str = "GTC"
    activate_price: Decimal = ZERO
    callback_rate: Decimal = ZERO
    activated: bool = False
    extreme: Decimal = ZERO


class PaperTrade(Struct, kw_only=True):
    """One execution."""

    trade_id: int
    order_id: int
    client_id: str
    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    realized: Decimal
    maker: bool
    time_ms: int


class PaperAmendment(Struct, frozen=True, kw_only=True):
    """One change of a resting order."""

    amendment_id: int
    order_id: int
    client_id: str
    symbol: str
    time_ms: int
    price_before: Decimal
    price_after: Decimal
    qty_before: Decimal
    qty_after: Decimal
    count: int


class PaperIncome(Struct, frozen=True, kw_only=True):
    """One booking on the wallet, in the venue's words for its kind."""

    number: int
    symbol: str
    kind: str
    amount: Decimal
    time_ms: int
    trade_id: int = 0


class PaperState(Struct, kw_only=True):
    """The whole account and its books."""

    wallet: Decimal
    positions: dict[str, PaperPosition] = field(default_factory=dict)
    orders: dict[int, PaperOrder] = field(default_factory=dict)
    algos: dict[int, PaperAlgo] = field(default_factory=dict)
    trades: list[PaperTrade] = field(default_factory=list)
    leverage: dict[str, int] = field(default_factory=dict)
    isolated: list[str] = field(default_factory=list)
    amendments: list[PaperAmendment] = field(default_factory=list)
    income: list[PaperIncome] = field(default_factory=list)
    countdowns: dict[str, int] = field(default_factory=dict)
    hedge_mode: bool = False
    multi_assets: bool = False
    funded_until_ms: int = 0
    listen_key: str = ""
    listen_key_until_ms: int = 0
    next_order_id: int = 8_389_766_010_000_000_001
    next_algo_id: int = 2_000_000_100_000_001
    next_trade_id: int = 1
    next_amendment_id: int = 1
    next_income_id: int = 1


class PaperQuote(Struct, kw_only=True):
    """Prices of one symbol at the simulated venue."""

    mark: Decimal
    last: Decimal
    bid: Decimal
    ask: Decimal
