"""The daemon's metrics in Prometheus' text format. Served by nobody: printed, or left in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from lowcap import __version__
from lowcap.actions import Parts
from lowcap.core.messages import TradingState
from lowcap.core.money import ZERO
from lowcap.flow import BATCH_MAX
from lowcap.health_rows import components
from lowcap.intake import CONNECTED
from lowcap.observe.latency import Spread
from lowcap.observe.process import read_process
from lowcap.rows import unrealized


def exposition(parts: Parts) -> bytes:
    """Every metric, as it stands now."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(_families(parts)))
    return generate_latest(registry)


class _Collected:
    """What a registry asks for metrics: they are made already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families

    def describe(self) -> Iterable[Metric]:
        return ()


def _families(parts: Parts) -> Iterator[Metric]:
    yield from _latency(parts)
    yield from _counters(parts)
    yield from _feeds(parts)
    yield from _money(parts)
    yield from _state(parts)
    yield from _process(parts)


def _latency(parts: Parts) -> Iterator[Metric]:
    latency = parts.gauges.latency
    yield _histogram("lowcap_stage_seconds", "From a frame to an order", "stage", latency.stages)
    yield _histogram("lowcap_reply_seconds", "Send to the venue's reply", "road", latency.trips)


def _histogram(name: str, text: str, label: str, spreads: Mapping[str, Spread]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=[label])
    for value, spread in spreads.items():
        family.add_metric([value], spread.cumulative(), spread.sum_us / 1e6)
    return family


def _counters(parts: Parts) -> Iterator[Metric]:
    tally = parts.gauges.tally
    yield _counter("lowcap_orders", "Orders that ended", "result", tally.orders)
    yield _counter("lowcap_refusals", "Entries that the gate refused", "check", tally.refused)
    yield _counter("lowcap_errors", "What went wrong", "kind", tally.errors)
    yield _counter("lowcap_log_records", "Log records", "level", parts.ring.by_level)
    for name, text, value in (
        ("lowcap_trades", "Positions closed", tally.trades),
        ("lowcap_trades_won", "Positions closed with a profit after fees", tally.wins),
        ("lowcap_volume_usd", "Dollars bought and sold", tally.volume_usd),
        ("lowcap_signals", "Signals that were admitted", tally.signals),
        ("lowcap_orders_sent", "Orders handed to a connection", tally.sent),
        ("lowcap_news_repeated", "Signals turned down as repeated news", tally.repeated),
        ("lowcap_log_dropped", "Log records that the journal has not taken", parts.ring.dropped),
    ):
        yield CounterMetricFamily(name, text, value=float(value))


def _counter(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family


def _feeds(parts: Parts) -> Iterator[Metric]:
    statuses = [feed.status for feed in parts.feeds]
    counted = {
        "frames": {s.name: s.frames for s in statuses},
        "news": {s.name: s.news for s in statuses},
        "faults": {s.name: s.faults for s in statuses},
        "reconnects": {s.name: max(s.connects - 1, 0) for s in statuses},
    }
    for what, values in counted.items():
        yield _counter(f"lowcap_feed_{what}", f"{what.capitalize()} of a feed", "feed", values)
    ups = {s.name: float(s.state in CONNECTED) for s in statuses}
    yield _gauge("lowcap_feed_up", "Whether a feed is connected", "feed", ups)
    trips = {s.name: s.round_trip_ms / 1000 for s in statuses if s.round_trip_ms is not None}
    yield _gauge("lowcap_feed_round_trip_seconds", "Newest ping of a feed", "feed", trips)


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


def _money(parts: Parts) -> Iterator[Metric]:
    desk, venue = parts.desk, parts.venue
    positions = desk.book.open_positions()
    profit = sum((unrealized(desk, p) for p in positions), ZERO)
    amounts: dict[str, tuple[str, Decimal | int]] = {
        "lowcap_positions": ("Open positions", len(positions)),
        "lowcap_open_orders": ("Orders that may still execute", len(desk.book.open_orders())),
        "lowcap_unknown_orders": ("Orders in doubt", len(desk.book.unknown_orders())),
        "lowcap_wallet_usd": ("Wallet", venue.wallet_usdt),
        "lowcap_unrealized_usd": ("Profit of open positions at mark", profit),
        "lowcap_day_result_usd": ("Result of the UTC day, after fees", desk.book.day_result()),
        "lowcap_margin_available_usd": ("Margin that is free", desk.margin_available()),
        "lowcap_batch_waiting": ("Signals that wait their turn", len(parts.flow.batch)),
        "lowcap_batch_waiting_max": ("How many may wait", BATCH_MAX),
    }
    for name, (text, value) in amounts.items():
        yield GaugeMetricFamily(name, text, value=float(value))


def _state(parts: Parts) -> Iterator[Metric]:
    desk = parts.desk
    now = desk.state()
    info = GaugeMetricFamily("lowcap_info", "Version and mode", labels=["version", "mode"])
    info.add_metric([__version__, desk.mode], 1)
    yield info
    states = {state.value: float(state is now) for state in TradingState}
    yield _gauge("lowcap_state", "The trading state in force", "state", states)
    yield GaugeMetricFamily("lowcap_armed", "Whether entries may be sent", value=float(desk.armed))
    well = {row["name"]: float(row["ok"]) for row in components(parts)}
    yield _gauge("lowcap_healthy", "Whether a part is well", "component", well)
    held = float(len(desk.book.state.holds))
    yield GaugeMetricFamily("lowcap_holds", "Holds that restrict trading", value=held)


def _process(parts: Parts) -> Iterator[Metric]:
    now = read_process()
    yield CounterMetricFamily("lowcap_process_cpu_seconds", "Processor time", value=now.cpu_s)
    started_s = parts.started_ms / 1000
    for name, text, value in (
        ("lowcap_process_resident_bytes", "Resident memory", now.rss_bytes),
        ("lowcap_process_open_files", "Open file descriptors", now.open_files),
        ("lowcap_process_threads", "Threads", now.threads),
        ("lowcap_process_start_seconds", "When it started, wall time", started_s),
        ("lowcap_loop_lag_seconds", "Longest lag in a minute", parts.gauges.lag_ms / 1000),
        ("lowcap_connections", "Operators connected", parts.gauges.clients()),
    ):
        if value is not None:
            yield GaugeMetricFamily(name, text, value=float(value))
