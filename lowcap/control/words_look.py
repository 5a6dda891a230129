"""Commands that look: state, books, accounts, what happened and why."""

from __future__ import annotations

from lowcap.control.entry import COUNT, FOLLOW, Argument, Command, Option

LOOK: tuple[Command, ...] = (
    Command(
        "status",
        "mode, state, feeds, positions and result in one look",
        examples=("status", "status --json"),
    ),
    Command("positions", "open positions with stop and ladder", examples=("positions",)),
    Command(
        "orders",
        "orders of ours, newest last",
        options=(
            Option("open", "only those that may still execute", flag=True),
            Option("closed", "only those that have ended", flag=True),
            Option("rejected", "only what the gate or the venue turned down, and why", flag=True),
            Option("id", "only this one, by our id or the venue's"),
            COUNT,
        ),
        examples=("orders --open", "orders --rejected -n 50", "orders --id lcd-1-42-e --json"),
    ),
    Command(
        "position",
        "one position in full: stop and its rule, ladder, orders",
        arguments=(Argument("symbol", "position"),),
        examples=("position BTC",),
    ),
    Command(
        "pnl",
        "profit and loss: realised, fees, funding, slippage; by trigger, symbol, feed or day",
        arguments=(
            Argument("period", required=False, choices=("today", "yesterday", "7d", "30d", "all")),
        ),
        options=(Option("by", "a line for each trigger, symbol, feed or day"),),
        examples=("pnl", "pnl 7d --by trigger", "pnl all --by day --json"),
    ),
    Command(
        "equity",
        "the equity curve with its largest fall",
        options=(Option("days", "how many days back, 7 where nothing is said", number=True),),
        examples=("equity", "equity --days 1", "equity --days 30 --json"),
    ),
    Command(
        "trades",
        "closed trades, newest last; export writes all of them as CSV",
        arguments=(Argument("action", required=False, choices=("list", "export")),),
        options=(COUNT,),
        examples=("trades", "trades list -n 50", "trades export --csv > trades.csv"),
    ),
    Command(
        "risk",
        "limits and what is used of them, holds, locks, breakers; what the gate would say",
        arguments=(
            Argument("action", required=False, choices=("check",)),
            Argument("symbol", "symbol", required=False),
            Argument("side", required=False, choices=("long", "short")),
        ),
        options=(Option("usd", "with check: this many dollars instead of the usual size"),),
        examples=("risk", "risk check BTCUSDT long --usd 50000"),
    ),
    Command(
        "leverage",
        "leverage of one symbol: set, best for a size, largest position, margin needed",
        arguments=(Argument("symbol", "symbol"),),
        options=(Option("usd", "a position of so many dollars; else the usual size"),),
        examples=("leverage BTCUSDT", "leverage HBAR --usd 250000"),
    ),
    Command(
        "explain",
        "one trade from frame to protection, or why there was none",
        arguments=(Argument("trace", "trace", required=False),),
        options=(
            Option("last", "the newest trade or refusal", flag=True),
            Option("fastest", "the trade with the quickest own work", flag=True),
        ),
        examples=("explain --last", "explain 1042"),
    ),
    Command(
        "events",
        "ledger records",
        options=(
            FOLLOW,
            COUNT,
            Option("since", "all after a record number, a time, or so long ago (10m)"),
            Option("type", "only records of this kind"),
            Option("commands", "only what operators ran: who, when and what", flag=True),
        ),
        examples=(
            "events -n 20",
            "events -f --type Filled",
            "events --since 10m --json",
            "events --commands --csv",
        ),
        stream=True,
    ),
    Command(
        "top",
        "the full screen: overview, positions, logs, settings; ? in it tells the keys",
        examples=("top",),
        local="top.screen:run_top",
    ),
    Command("version", "daemon and client versions", examples=("version",)),
)
