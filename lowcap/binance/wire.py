"""The venue's frames as tolerant structs: unknown fields pass, missing optional ones default.

Field names are the wire's own (docs/venue.md §3, §4, §6, §7) and never leave
this room.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct


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
    updateTime: int = 0


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
    updateTime: int = 0
    actualOrderId: str = ""


class PositionRow(Struct):
    """A positionRisk row."""

    symbol: str
    positionAmt: str
    entryPrice: str
    updateTime: int = 0
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
    time: int = 0


class SymbolRow(Struct):
    """An exchangeInfo symbol; filters are read by type since their order varies."""

    symbol: str
    status: str = ""
    contractType: str = ""
    baseAsset: str = ""
    quoteAsset: str = ""
    filters: list[dict[str, Any]] = []


class ExchangeInfo(Struct):
    """exchangeInfo, as far as it is used."""

    symbols: list[SymbolRow]
    serverTime: int = 0


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
    """accountConfig, as far as it is used."""

    canTrade: bool = True
    dualSidePosition: bool = False
    multiAssetsMargin: bool = False


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
    T: int = 0
    n: str | None = None
    rp: str = "0"
    er: str = "0"


class AlgoEventBody(Struct):
    """``o`` of ALGO_UPDATE."""

    caid: str
    aid: int
    s: str
    X: str
    ai: str = ""
    aq: str = "0"
    rm: str = ""


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


class AccountEventBody(Struct):
    """``a`` of ACCOUNT_UPDATE."""

    m: str = ""
    B: list[BalanceChange] = []
    P: list[PositionChange] = []


class UserEvent(Struct):
    """Any user data event: which one, when, and its body by kind."""

    e: str = ""
    E: int | str = 0
    T: int = 0
    o: Raw = Raw(b"")
    a: AccountEventBody | None = None


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
