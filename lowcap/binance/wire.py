"""The venue's frames as tolerant structs: unknown fields pass, missing optional ones default.

Field names are the wire's own (docs/venue.md §3, §4, §6, §7) and never leave
this room.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Raw, Struct

# What decoding an odd frame may raise: malformed JSON, bytes that are no UTF-8
# or a number that is none (all ValueErrors), and nesting without end.
UNREADABLE = (ValueError, RecursionError)

# Milliseconds since 1970. What is newer wins, so a time that cannot be, or in
# another unit, would shut out everything after it.
Ms: TypeAlias = Annotated[int, Meta(ge=0, le=9_999_999_999_999)]


class ApiError(Struct):
    """The error part of a reply."""

    code: int
    msg: str = ""


class ApiReply(Struct):
    """A WebSocket API reply."""

    id: int | str | None = None
    status: int = 0
    result: Raw = Raw(b"")
    error: ApiError | None = None
    rateLimits: Raw = Raw(b"")


class RateLimitRow(Struct):
    """An entry of ``rateLimits``; exchangeInfo gives no count."""

    rateLimitType: str
    interval: str
    intervalNum: int
    limit: int
    count: int = 0


class OrderView(Struct):
    """An order object of the regular book."""

    orderId: int
    symbol: str
    status: str
    clientOrderId: str
    executedQty: str = "0"
    side: str = ""
    type: str = ""
    origQty: str = "0"
    price: str = "0"
    reduceOnly: bool = False
    closePosition: bool = False
    updateTime: Ms = 0


class AlgoView(Struct):
    """An order object of the algo book."""

    algoId: int
    clientAlgoId: str
    symbol: str
    algoStatus: str
    side: str = ""
    orderType: str = ""
    triggerPrice: str = "0"
    quantity: str | None = None
    closePosition: bool = False
    reduceOnly: bool = False
    updateTime: Ms = 0
    actualOrderId: str | None = None


class PositionRow(Struct):
    """A positionRisk row."""

    symbol: str
    positionAmt: str
    entryPrice: str
    updateTime: Ms = 0
    positionSide: str = "BOTH"


class BalanceRow(Struct):
    """A balance row."""

    asset: str
    balance: str
    availableBalance: str


class TradeRow(Struct):
    """A userTrades row."""

    id: int
    orderId: int
    symbol: str
    side: str
    price: str
    qty: str
    realizedPnl: str = "0"
    commission: str = "0"
    time: Ms = 0


class IncomeRow(Struct):
    """A row of the income history."""

    incomeType: str
    income: str
    symbol: str = ""
    asset: str = "USDT"
    time: Ms = 0
    tranId: int | str = 0
    tradeId: str | int = ""


class SymbolRow(Struct):
    """An exchangeInfo symbol; filters are read by type since their order varies."""

    symbol: str
    status: str = ""
    contractType: str = ""
    baseAsset: str = ""
    quoteAsset: str = ""
    filters: list[dict[str, Any]] = []


class ExchangeInfo(Struct):
    """exchangeInfo, as far as it is used; each symbol is a SymbolRow, to be read by itself."""

    symbols: list[Raw]
    serverTime: Ms = 0
    rateLimits: Raw = Raw(b"")


class BracketStep(Struct):
    """One step of a leverage ladder."""

    initialLeverage: int
    notionalCap: int | float
    notionalFloor: int | float
    maintMarginRatio: float
    cum: float


class BracketRow(Struct):
    """A leverageBracket row."""

    symbol: str
    brackets: list[BracketStep]


class SymbolConfig(Struct):
    """A symbolConfig row."""

    symbol: str
    marginType: str
    leverage: int


class AccountConfig(Struct):
    """accountConfig, as far as it is used; modes that are not told are not assumed."""

    canTrade: bool
    dualSidePosition: bool
    multiAssetsMargin: bool


class KeyRights(Struct):
    """What a key may do, apiRestrictions; a right that is not told is not assumed away."""

    enableFutures: bool
    enableWithdrawals: bool
    enableInternalTransfer: bool
    permitsUniversalTransfer: bool
    ipRestrict: bool = False


class OrderEventBody(Struct):
    """``o`` of ORDER_TRADE_UPDATE."""

    s: str
    c: str
    S: str
    X: str
    x: str = ""
    i: int = 0
    z: str = "0"
    l: str = "0"  # noqa: E741  # the wire's own name
    L: str = "0"
    t: int = 0
    T: Ms = 0
    n: str | None = None
    rp: str = "0"
    er: str = "0"


class AlgoEventBody(Struct):
    """``o`` of ALGO_UPDATE."""

    caid: str
    aid: int
    s: str
    X: str
    ai: str | None = None
    aq: str | None = None
    rm: str | None = None


class LiteEventBody(Struct):
    """TRADE_LITE, whose fields are not nested."""

    s: str
    c: str
    t: int


class MarginCallRow(Struct):
    """An entry of ``p`` of MARGIN_CALL."""

    s: str


class ConfigEventBody(Struct):
    """``ac`` of ACCOUNT_CONFIG_UPDATE."""

    s: str
    l: int  # noqa: E741  # the wire's own name


class AssetModeBody(Struct):
    """``ai`` of ACCOUNT_CONFIG_UPDATE."""

    j: bool


class TriggerRejectBody(Struct):
    """``or`` of CONDITIONAL_ORDER_TRIGGER_REJECT."""

    s: str
    i: int
    r: str = ""


class BalanceChange(Struct):
    """An entry of ``a.B``."""

    a: str
    wb: str


class PositionChange(Struct):
    """An entry of ``a.P``."""

    s: str
    pa: str
    ep: str = "0"
    ps: str = "BOTH"
    mt: str = ""


class AccountEventBody(Struct):
    """``a`` of ACCOUNT_UPDATE."""

    m: str = ""
    B: list[BalanceChange] = []
    P: list[PositionChange] = []


class UserEvent(Struct, rename={"or_": "or"}):
    """Any user data event: which one, when, and its body by kind."""

    e: str = ""
    E: int | str = 0
    T: Ms = 0
    o: Raw = Raw(b"")
    a: AccountEventBody | None = None
    p: Raw = Raw(b"")
    ac: Raw = Raw(b"")
    ai: Raw = Raw(b"")
    or_: Raw = Raw(b"")
    listenKey: str = ""


class MarkUpdate(Struct):
    """An entry of ``!markPrice@arr``; ``st`` 2 marks the COIN-M family."""

    s: str
    p: str
    E: int = 0
    st: int = 1


class MiniTicker(Struct):
    """An entry of ``!miniTicker@arr``."""

    s: str
    c: str
    st: int = 1


class StreamFrame(Struct):
    """A frame of a combined stream; what the stream sent is read when it is wanted."""

    stream: str
    data: Raw


class BookTickerEvent(Struct):
    """``<symbol>@bookTicker``: best bid and ask."""

    b: str
    a: str


class AggTradeEvent(Struct):
    """``<symbol>@aggTrade``: price and quantity."""

    p: str
    q: str


class KlineBody(Struct):
    """``k`` of a kline event; ``x`` tells whether it has closed."""

    t: Ms
    o: str
    h: str
    l: str  # noqa: E741  # the wire's own name
    c: str
    v: str
    x: bool


class KlineEvent(Struct):
    """``<symbol>@kline_1m``."""

    k: KlineBody


class KlineRow(Struct, array_like=True):
    """A row of GET klines, as far as it is used; it has twelve elements."""

    openTime: Ms
    o: str
    h: str
    l: str  # noqa: E741  # the wire's own name
    c: str
    v: str
    closeTime: Ms
