"""Ledger records as sentences for people: the log, the live events and the demo all tell them."""

from __future__ import annotations

from lowcap.core import facts
from lowcap.core.facts import Record
from lowcap.core.ids import parse_client_id
from lowcap.core.money import wire
from lowcap.core.plain import plain

Line = tuple[str, str, str]  # level, area, text


def tell(record: Record) -> Line | None:
    """Level, area and sentence of a record; None for those that only the ledger needs.

    The sentence is one line without control characters, whatever a headline
    or a venue's message holds.
    """
    told = _flow(record)
    return (told[0], told[1], plain(told[2])) if told is not None else None


def _flow(record: Record) -> Line | None:
    match record.body:
        case facts.NewsSeen() as fact:
            return _news(fact)
        case facts.FrameRefused() as fact:
            return "warning", "feeds", f"{fact.feed}: unusable frame ({fact.reason})"
        case facts.SignalRaised() as fact:
            symbols = ", ".join(fact.symbols)
            words = " + ".join(fact.matched)
            return (
                "info",
                "signals",
                f"SIGNAL {fact.trigger}: {fact.side} {symbols} (matched {words}; "
                f"{fact.age_ms} ms old)",
            )
        case facts.Refused() as fact:
            return (
                "warning",
                "orders",
                f"REFUSED {fact.side} {fact.symbol}: {fact.check}, {fact.measured} "
                f"(limit {fact.limit})",
            )
        case facts.OrderIntended() as fact:
            return "info", "orders", _order(fact)
        case facts.OrderSent() as fact:
            work_us = sum(fact.stages_us.values())
            own = f", {work_us:.0f} µs of own work" if fact.stages_us else ""
            return "debug", "trading", f"SENT {leg_name(fact.client_id)} by {fact.road}{own}"
        case facts.OrderUpdated() as fact:
            return _update(fact)
        case facts.Filled() as fact:
            profit = f", realised {fact.realized:+.2f}" if fact.realized else ""
            return (
                "info",
                "orders",
                f"FILL {leg_name(fact.client_id)} {fact.side} {wire(fact.qty)} {fact.symbol} "
                f"at {wire(fact.price)}{profit}",
            )
        case _:
            return _money(record)


def _money(record: Record) -> Line | None:
    """Orders and positions after the fill, and what the account is worth."""
    match record.body:
        case facts.OutcomeUnknown() as fact:
            return "warning", "orders", f"UNKNOWN outcome of {fact.client_id}: {fact.why}"
        case facts.OutcomeSettled() as fact:
            return "info", "orders", f"SETTLED {fact.client_id}: {fact.outcome} ({fact.how})"
        case facts.PositionClosed() as fact:
            net = fact.realized - fact.fees
            return "info", "trading", f"CLOSED {fact.symbol}: {net:+.2f} USDT after fees"
        case facts.IncomeSeen() as fact:
            text = f"INCOME {fact.kind} {fact.symbol}".rstrip()
            return "info", "trading", f"{text}: {fact.usdt:+f} {fact.asset}"
        case facts.IncomeRead() as fact:
            return "debug", "trading", f"INCOME read until {fact.until_ms}"
        case facts.EquitySeen() as fact:
            return (
                "debug",
                "trading",
                f"EQUITY {fact.wallet_usdt + fact.unrealized_usd:.2f} USDT "
                f"({fact.unrealized_usd:+.2f} unrealised)",
            )
        case facts.CancelAsked() as fact:
            return "debug", "orders", f"CANCEL {leg_name(fact.client_id)}"
        case facts.StopMoved() as fact:
            follows = "" if fact.trails else ", it follows no more"
            text = f"STOP of {fact.symbol} to {wire(fact.price)} by {fact.who}{follows}"
            return "warning", "trading", text
        case facts.EquityMarked() as fact:
            what = "from here the day's highest is counted" if fact.anew else "the day's highest"
            return "debug", "trading", f"EQUITY {fact.equity_usd:.2f} USD, {what}"
        case _:
            return _state(record)


def _state(record: Record) -> Line | None:
    match record.body:
        case facts.HoldPlaced() as fact:
            level = "info" if fact.who == "auto" else "warning"
            return level, "system", f"HOLD {fact.name}: {fact.state}, {fact.reason} ({fact.who})"
        case facts.HoldLifted() as fact:
            return "info", "system", f"LIFTED {fact.name}: {fact.reason} ({fact.who})"
        case facts.Reconciled() as fact:
            found = "; ".join(fact.differences) or "no differences"
            return "info" if fact.clean else "warning", "system", f"RECONCILED {fact.why}: {found}"
        case facts.Recovered() as fact:
            after = "after a crash" if fact.crashed else "after an orderly end"
            return (
                "info",
                "system",
                f"RECOVERED {after} in {fact.ms} ms: {fact.positions} positions, "
                f"{fact.unknown_settled} unknown outcomes settled",
            )
        case facts.FeedChanged() as fact:
            level = "info" if fact.state == "up" else "warning"
            return level, "feeds", f"FEED {fact.feed} {fact.state} {fact.why}".rstrip()
        case facts.BreakerChanged() as fact:
            level = "info" if fact.state == "closed" else "warning"
            rest = f", tried again after {fact.rest_ms // 1000} s" if fact.state == "open" else ""
            return level, "system", f"BREAKER {fact.name} {fact.state}: {fact.why}{rest}"
        case facts.AlarmRaised() as fact:
            return "error", "system", f"ALARM {fact.code}: {fact.text}"
        case facts.CommandReceived() as fact:
            return "info", "control", f"COMMAND {fact.method} {fact.params} by uid {fact.uid}"
        case facts.CommandDone() as fact:
            return _command(fact)
        case facts.SessionOpened() as fact:
            who = f"{fact.user} ({fact.uid}, process {fact.pid})"
            return "info", "control", f"SESSION of {who}, role {fact.role}"
        case facts.Switched(kind="user") as fact:
            may = "may connect again" if fact.enabled else "may not connect any more"
            return "warning", "control", f"user {fact.name} {may}, by {fact.who}"
        case facts.Switched(kind="foreign") as fact:
            return "info", "orders", f"{fact.name} is not ours: ignored by {fact.who}"
        case facts.Switched() as fact:
            on = "on" if fact.enabled else "off"
            return "warning", "system", f"{fact.kind} {fact.name} turned {on} by {fact.who}"
        case facts.ConfigReloaded() as fact:
            told = [
                f"{each.key} {each.old} -> {each.new}" if each.old else f"{each.key} {each.new}"
                for each in fact.changes
            ]
            keys = ", ".join(told or fact.changed)
            done = _CHANGED.get(fact.how, fact.how.upper())
            return "warning", "system", f"{done} by {fact.who} ({fact.config_hash}): {keys}"
        case facts.SinkChanged() as fact:
            level = "info" if fact.state == "up" else "error"
            return level, "system", f"ALERT SINK {fact.sink} {fact.state} {fact.why}".rstrip()
        case facts.RunStarted() as fact:
            return "info", "system", f"STARTED lowcap {fact.version}, {fact.mode} mode"
        case facts.RunEnded() as fact:
            return "info", "system", f"ENDED: {fact.reason}"
        case _:
            return None


# What a change of settings is called, by how it came about.
_CHANGED = {
    "reload": "RELOADED",
    "apply": "APPLIED until confirmed",
    "confirm": "CONFIRMED",
    "revert": "REVERTED",
    "persist": "WRITTEN",
}


def _news(fact: facts.NewsSeen) -> Line:
    who = f"{fact.author}: " if fact.author else ""
    text = f"NEWS [{fact.feed}] {who}{fact.headline[:120]}"
    if fact.decision == "signal":
        return "info", "signals", text
    detail = f" ({fact.detail})" if fact.detail else ""
    level = "info" if fact.misses else "debug"
    return level, "signals", f"{text} -> no trade: {fact.reason}{detail}"


def _command(fact: facts.CommandDone) -> Line:
    what = f"refused ({fact.code})" if fact.code else "done"
    line = f": {fact.command_line}" if fact.command_line else ""
    return (
        "warning" if fact.code else "info",
        "control",
        f"COMMAND {fact.method} {what} in {fact.ms:.1f} ms, exit {fact.exit}, "
        f"by uid {fact.uid} pid {fact.pid}{line}",
    )


def _order(fact: facts.OrderIntended) -> str:
    what = f"{fact.purpose.value.upper()} {fact.side} {fact.symbol}"
    qty = f" {wire(fact.qty)}" if fact.qty is not None else " whole position"
    price = f" at {wire(fact.price)}" if fact.price is not None else ""
    trigger = f" when mark reaches {wire(fact.trigger_price)}" if fact.trigger_price else ""
    sizing = f" ({fact.sizing})" if fact.sizing else ""
    again = f", another try of {fact.retry_of}" if fact.retry_of else ""
    return f"{what}{qty}{price}{trigger}{sizing}{again}"


def _update(fact: facts.OrderUpdated) -> Line:
    parts = parse_client_id(fact.client_id)
    confirmed_stop = parts is not None and parts.leg == "s" and fact.reply_us > 0
    level = "info" if confirmed_stop else "debug"
    if fact.status in ("rejected", "denied"):
        level = "warning"
    why = f": {fact.code} {fact.reason}" if fact.reason or fact.code else ""
    took = f" in {fact.reply_us / 1000:.2f} ms" if fact.reply_us else ""
    return level, "orders", f"ORDER {leg_name(fact.client_id)} {fact.status}{took}{why}"


_LEGS = {"e": "entry", "s": "stop", "c": "close"}


def leg_name(client_id: str) -> str:
    """``entry``, ``stop``, ``take-profit 2`` or ``close``, with the id."""
    parts = parse_client_id(client_id)
    if parts is None:
        return client_id
    name = _LEGS.get(parts.leg) or f"take-profit {parts.leg[1:]}"
    return f"{name} {client_id}"
