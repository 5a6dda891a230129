"""The ledger told to the log: each record with its kind, its trace and the fields to find it by."""

from __future__ import annotations

from collections import OrderedDict

from loguru import logger
from msgspec import Struct

from lowcap.core import facts
from lowcap.core.facts import Record
from lowcap.core.logplaces import folder_of
from lowcap.core.messages import TradingState
from lowcap.observe.kinds import ALARM, KINDS, REMARK, Kind
from lowcap.observe.logs import is_wanted
from lowcap.observe.story import tell

ORIGINS_KEPT = 20_000
ORDERS_KEPT = 5_000
_RISK_CHECKS = frozenset(
    (
        *("stale-price", "no-price", "bad-price", "price-range", "mark-last", "size-cut"),
        *("unknown-symbol", "symbol-status", "filters-stale", "equity-unknown"),
    )
)
_LEVERAGE_CHECKS = frozenset({"leverage-not-set", "brackets-stale"})

Fields = dict[str, str]


class Origin(Struct):
    """Where a chain of records began: its frame, or an operator's command."""

    trace: int
    feed: str = ""
    trigger: str = ""


class LedgerLog:
    """A reader of the ledger that comments on every record that has a sentence."""

    def __init__(self) -> None:
        self._origins: OrderedDict[int, Origin] = OrderedDict()
        self._orders: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def learn(self, record: Record) -> Origin:
        """Take a record's place in its chain in, as at start-up, and return where that began."""
        body = record.body
        origin = self._origins.get(record.cause) if record.cause else None
        if origin is None:
            begins = isinstance(body, facts.NewsSeen | facts.CommandReceived)
            origin = Origin(record.seq if begins else record.cause)
        if isinstance(body, facts.NewsSeen):
            origin.feed = body.feed
            origin.trigger = body.misses[0].trigger if body.misses else ""
        elif isinstance(body, facts.SignalRaised):
            origin.feed, origin.trigger = body.feed, body.trigger
        elif isinstance(body, facts.OrderIntended):
            self._orders[body.client_id] = (body.symbol, body.side.value)
            if len(self._orders) > ORDERS_KEPT:
                self._orders.popitem(last=False)
        if origin.trace:
            self._origins[record.seq] = origin
            if len(self._origins) > ORIGINS_KEPT:
                self._origins.popitem(last=False)
        return origin

    def read(self, record: Record) -> None:
        """Comment on one ledger record. Text is never a format string."""
        origin = self.learn(record)
        told = tell(record)
        if told is None or not is_wanted(told[0]):
            return
        level, area, text = told
        kind = kind_of(record)
        fields = fields_of(record)
        order = self._orders.get(fields.get("CLIENT_ID", ""))
        if order is not None:
            fields = {"LOWCAP_SYMBOL": order[0], "SIDE": order[1], **fields}
        feed = fields.pop("LOWCAP_FEED", "") or origin.feed
        trigger = fields.pop("LOWCAP_TRIGGER", "") or origin.trigger
        logger.bind(
            area=area,
            kind=kind.name,
            trace=origin.trace or None,
            feed=feed,
            trigger=trigger,
            folder=folder_of(trigger, feed) if trigger or kind.area == "signals" else "",
            symbol=fields.pop("LOWCAP_SYMBOL", ""),
            fields=fields | {"LOWCAP_SEQ": str(record.seq)},
        ).log(level.upper(), "{}", text)


def kind_of(record: Record) -> Kind:
    """The kind of a ledger record; a remark where it has none of its own."""
    return KINDS.get(_name_of(record.body), REMARK)


_PLAIN: dict[type[facts.Fact], str] = {
    facts.FrameRefused: "feed.frame-refused",
    facts.SignalRaised: "signal.raised",
    facts.OrderSent: "order.sent",
    facts.Filled: "order.filled",
    facts.CancelAsked: "order.cancel-asked",
    facts.OutcomeUnknown: "order.unknown",
    facts.OutcomeSettled: "order.settled",
    facts.PositionClosed: "position.closed",
    facts.IncomeSeen: "income.seen",
    facts.IncomeRead: "income.read",
    facts.EquitySeen: "equity.seen",
    facts.EquityMarked: "equity.marked",
    facts.StopMoved: "stop.moved",
    facts.HoldLifted: "hold.lifted",
    facts.RunStarted: "daemon.started",
    facts.Recovered: "daemon.recovered",
    facts.RunEnded: "daemon.ended",
    facts.CommandReceived: "command.received",
    facts.SessionOpened: "session.opened",
    facts.SinkChanged: "sink.changed",
    facts.Switched: "switch.changed",
    facts.ConfigReloaded: "config.reloaded",
}


def _name_of(body: facts.Fact) -> str:
    match body:
        case facts.NewsSeen():
            return "news.signal" if body.decision == "signal" else "news.no-trade"
        case facts.Refused():
            if body.check in _LEVERAGE_CHECKS:
                return "leverage.refused"
            return "risk.refused" if body.check in _RISK_CHECKS else "guard.blocked"
        case facts.OrderIntended():
            return f"order.{body.purpose.value}"
        case facts.OrderUpdated():
            return "order.rejected" if body.status in ("rejected", "denied") else "order.updated"
        case facts.HoldPlaced():
            halted = body.state is TradingState.HALTED
            return "hold.halted" if halted else "hold.reducing"
        case facts.Reconciled():
            return "reconcile.clean" if body.clean else "reconcile.diff"
        case facts.FeedChanged():
            return f"feed.{body.state}" if body.state in ("up", "stale") else "feed.lost"
        case facts.BreakerChanged():
            return f"breaker.{body.state}"
        case facts.CommandDone():
            return "command.refused" if body.code else "command.done"
        case facts.AlarmRaised():
            specific = f"{ALARM.name}.{body.code}"
            return specific if specific in KINDS else ALARM.name
        case _:
            return _PLAIN.get(type(body), "")


def fields_of(record: Record) -> Fields:
    """What a record can be found by, as journal fields."""
    found = _fields(record.body)
    return {name: value for name, value in found.items() if value}


def _fields(body: facts.Fact) -> Fields:
    match body:
        case facts.NewsSeen():
            return {"LOWCAP_FEED": body.feed, "REASON": body.reason, "SOURCE_ID": body.source_id}
        case facts.FrameRefused() | facts.FeedChanged():
            why = body.reason if isinstance(body, facts.FrameRefused) else body.why
            return {"LOWCAP_FEED": body.feed, "REASON": why}
        case facts.SignalRaised():
            return {
                "LOWCAP_FEED": body.feed,
                "LOWCAP_TRIGGER": body.trigger,
                "LOWCAP_SYMBOL": ",".join(body.symbols),
                "SIDE": body.side.value,
            }
        case facts.Refused():
            return {
                "LOWCAP_TRIGGER": body.trigger,
                "LOWCAP_SYMBOL": body.symbol,
                "SIDE": body.side.value,
                "GUARD": body.check,
                "REASON": f"{body.measured} (limit {body.limit})",
            }
        case facts.OrderUpdated():
            code = str(body.code or "")
            return {
                "CLIENT_ID": body.client_id,
                "ORDER_ID": str(body.order_id or ""),
                "STATUS": body.status,
                "REASON": f"{code} {body.reason}".strip(),
                "LOWCAP_LAT_ACKNOWLEDGE_NS": str(round(body.reply_us * 1000) or ""),
            }
        case facts.OrderSent():
            return {"CLIENT_ID": body.client_id, "ROAD": body.road} | {
                f"LOWCAP_LAT_{stage.upper()}_NS": str(round(took_us * 1000))
                for stage, took_us in body.stages_us.items()
            }
        case facts.OutcomeUnknown() | facts.OutcomeSettled():
            why = body.why if isinstance(body, facts.OutcomeUnknown) else body.outcome
            return {"CLIENT_ID": body.client_id, "REASON": why}
        case _:
            return _more_fields(body)


def _more_fields(body: facts.Fact) -> Fields:
    match body:
        case facts.OrderIntended() | facts.Filled():
            return {
                "LOWCAP_SYMBOL": body.symbol,
                "SIDE": body.side.value,
                "CLIENT_ID": body.client_id,
            }
        case facts.CancelAsked():
            return {"CLIENT_ID": body.client_id}
        case facts.PositionClosed() | facts.StopMoved() | facts.IncomeSeen():
            return {"LOWCAP_SYMBOL": body.symbol}
        case facts.HoldPlaced() | facts.HoldLifted():
            return {"HOLD": body.name, "REASON": body.reason, "LOWCAP_WHO": body.who}
        case facts.Reconciled():
            return {"REASON": body.why}
        case facts.BreakerChanged():
            return {"BREAKER": body.name, "REASON": body.why}
        case facts.AlarmRaised():
            return {"REASON": body.code, "HINT": body.hint}
        case facts.Switched():
            name = {"trigger": "LOWCAP_TRIGGER", "feed": "LOWCAP_FEED", "symbol": "LOWCAP_SYMBOL"}
            return {name.get(body.kind, "SWITCH"): body.name, "LOWCAP_WHO": body.who}
        case facts.CommandReceived():
            return {"COMMAND": body.method, "PEER_UID": str(body.uid), "PEER_PID": str(body.pid)}
        case facts.CommandDone():
            return {
                "COMMAND": body.method,
                "PEER_UID": str(body.uid),
                "PEER_PID": str(body.pid),
                "PEER_CMDLINE": body.command_line,
                "EXIT": str(body.exit),
                "REASON": body.code,
                "TOOK_MS": str(body.ms),
            }
        case _:
            return {}
