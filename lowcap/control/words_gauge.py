"""Commands about the daemon's speed and health, the account and the market."""

from __future__ import annotations

from lowcap.control.entry import COUNT, TRADE, Argument, Command, Option

GAUGES: tuple[Command, ...] = (
    Command(
        "latency",
        "how long each stage from a frame to an order takes, against its target",
        arguments=(
            Argument(
                "action",
                required=False,
                choices=("table", "hist", "bottlenecks", "export", "reset"),
            ),
        ),
        options=(
            Option("stage", "only this stage; with hist: of this one, not of the total"),
            COUNT,
        ),
        examples=(
            "latency",
            "latency hist --stage submit",
            "latency bottlenecks",
            "latency export --csv > latency.csv",
        ),
        roles=(("reset", TRADE),),
    ),
    Command(
        "stats",
        "rates, queues, connections with their round trips, and what the process uses",
        examples=("stats", "stats --json"),
    ),
    Command(
        "health",
        "each part of the daemon: well or not; exit 1 where one is not",
        options=(Option("component", "only this part, or this kind of part"),),
        examples=("health", "health --component feed", "health --component ledger --json"),
    ),
    Command(
        "metrics",
        "counters since the start; --prom prints them as Prometheus text",
        options=(Option("prom", "in Prometheus' text format", flag=True),),
        examples=("metrics", "metrics --prom > /var/lib/node_exporter/lowcap.prom"),
    ),
    Command(
        "account",
        "wallet, margin in use and free, and what each position takes of it",
        examples=("account", "account --json"),
        aliases=("balance",),
    ),
    Command(
        "prices",
        "mark, last and spread with their age, and what the venue says of a contract",
        arguments=(Argument("symbol", "symbol", required=False),),
        examples=("prices BTC", "prices '1000*'", "prices"),
    ),
)
