"""Building the daemon's rooms from settings and a folded ledger. No task starts here."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import trio
from attrs import Factory, frozen
from msgspec import Raw

from lowcap import __version__
from lowcap.actions import LEDGER_CORRUPT, OPERATOR_PAUSE
from lowcap.alerts.office import Alerts
from lowcap.binance.streams import PriceStream, UserStream
from lowcap.binance.venue import Venue
from lowcap.config_runtime import RuntimeConfig
from lowcap.core import facts
from lowcap.core.caps import CapTable
from lowcap.core.clock import Clock, now_ms
from lowcap.core.facts import Record
from lowcap.core.messages import TradingState
from lowcap.core.stopword import StopWord
from lowcap.detection.admission import Admission
from lowcap.detection.coins import CoinTable
from lowcap.detection.names import curated
from lowcap.detection.rules import Detector
from lowcap.execution.desk import AUTO, Desk
from lowcap.execution.keeper import Keeper
from lowcap.feeds.caps import CapSession, CapStatus
from lowcap.feeds.session import FeedStatus, decoder_for, open_feed
from lowcap.flow import Flow
from lowcap.gauges import Gauges
from lowcap.handlers import Commands, Parts
from lowcap.health_rows import totals_of
from lowcap.intake import Intake
from lowcap.ledger.replay import Replayed, replay
from lowcap.ledger.writer import Ledger
from lowcap.metrics_text import exposition
from lowcap.net.http import HttpxPort
from lowcap.net.net import Net
from lowcap.observe.accounts import Accounts
from lowcap.observe.latency import Latency
from lowcap.observe.ledgerlog import LedgerLog
from lowcap.observe.logs import LogRing
from lowcap.observe.recorder import Recorder
from lowcap.observe.systemd import Systemd
from lowcap.observe.tally import Tally
from lowcap.observe.traces import TraceIndex
from lowcap.paper.embed import Market
from lowcap.risk.book import Book
from lowcap.risk.breaker import FEED, FLAP_MS, FLAP_WEIGHT
from lowcap.settings import Settings

Reload = Callable[[], tuple[Settings, str]]


@frozen(kw_only=True)
class Surroundings:
    """What the daemon is given from outside, so that tests can give it something else.

    ``reload`` reads the configuration again and gives it with its hash.
    """

    net: Net
    clock: Clock
    state_dir: Path
    environ: Mapping[str, str]
    ring: LogRing
    config_hash: str
    listener: trio.SocketListener | None = None
    reload: Reload | None = None
    stop_word: StopWord = Factory(StopWord)
    systemd: Systemd = Factory(lambda: Systemd({}))
    sync_in_thread: bool = True
    seed: int = 0


@frozen(kw_only=True)
class House:
    """All rooms, built and furnished."""

    settings: Settings
    around: Surroundings
    ledger: Ledger
    found: Replayed
    admission: Admission
    desk: Desk
    venue: Venue
    keeper: Keeper
    user_stream: UserStream
    price_stream: PriceStream
    intake: Intake
    caps: CapSession
    commands: Commands
    accounts: Accounts
    gauges: Gauges
    https: tuple[HttpxPort, ...]

    @property
    def parts(self) -> Parts:
        """The rooms as commands see them."""
        if self.commands.parts is None:
            raise AssertionError("a house is built whole")
        return self.commands.parts

    def checkpoint(self) -> facts.Checkpoint:
        """Everything folded so far, as one record."""
        self.ledger.publish_pending()  # the accounts read a moment behind the book
        return facts.Checkpoint(
            book=Raw(self.desk.book.snapshot()),
            keys=Raw(self.admission.snapshot()),
            accounts=Raw(self.accounts.snapshot()),
        )


def build(settings: Settings, around: Surroundings, market: Market) -> House:
    """Fold the ledger, then build every room around what it says.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    book, admission, traces, commands = Book(), Admission(), TraceIndex(), Commands()
    accounts, ledger_log = Accounts(), LedgerLog()
    remember = (traces.read, commands.read, accounts.read, ledger_log.learn)
    fold = _folder(book, admission, remember)
    found = replay(around.state_dir / "ledger", fold)
    gauges = Gauges(Latency(settings.latency.target_ms), Tally(), settings.metrics.textfile)
    readers = (accounts.read, traces.read, commands.read, *gauges.readers, ledger_log.read)
    ledger = _open_ledger(settings, around, found, readers)
    chance = random.Random(around.seed)
    rest, urgent, news = (HttpxPort(around.net) for _ in range(3))
    venue = Venue(around.net, rest, urgent, market.urls, market.signer, around.clock, chance)
    desk, keeper = _build_desk(settings, around, ledger, book, venue)
    keeper.income.books = accounts
    coins = CoinTable({}, settings.coin_overrides)
    desk.coin_of = coins.ticker
    caps = _build_caps(around, desk, keeper, coins, news)
    keeper.on_contracts = partial(_on_contracts, venue, coins, caps)
    intake = _build_intake(around, desk, coins, admission, news, chance)
    commands.parts = Parts(
        desk=desk,
        venue=venue,
        keeper=keeper,
        intake=intake,
        caps=caps,
        reload=around.reload,
        traces=traces,
        accounts=accounts,
        gauges=gauges,
        alerts=_build_alerts(around, desk),
        ring=around.ring,
        config=RuntimeConfig(settings),
        config_hash=around.config_hash,
        started_ms=now_ms(around.clock),
    )
    user_stream, price_stream = _build_streams(around.net, market, desk, keeper, chance)
    _connect_gauges(gauges, commands.parts, user_stream, price_stream)
    return House(
        settings=settings,
        around=around,
        ledger=ledger,
        found=found,
        admission=admission,
        desk=desk,
        venue=venue,
        keeper=keeper,
        user_stream=user_stream,
        price_stream=price_stream,
        intake=intake,
        caps=caps,
        commands=commands,
        accounts=accounts,
        gauges=gauges,
        https=(rest, urgent, news),
    )


def _build_desk(
    settings: Settings, around: Surroundings, ledger: Ledger, book: Book, venue: Venue
) -> tuple[Desk, Keeper]:
    """The one writer of trading state, and the tasks that keep it in step with the venue."""
    desk = Desk(ledger, book, settings, around.clock, venue)
    desk.stop_word = around.stop_word
    venue.on_socket = lambda up, why: desk.set_health("order-socket", up, why)
    return desk, Keeper(desk, venue)


def _open_ledger(
    settings: Settings,
    around: Surroundings,
    found: Replayed,
    readers: tuple[Callable[[Record], None], ...],
) -> Ledger:
    """The writer, and who hears of every record after what it is about has left."""
    folder, keep_days = around.state_dir / "ledger", settings.state.keep_days
    ledger = Ledger(folder, around.clock, found, keep_days=keep_days)
    for reader in readers:
        ledger.read_with(reader)
    return ledger


def _connect_gauges(
    gauges: Gauges, parts: Parts, user_stream: UserStream, price_stream: PriceStream
) -> None:
    """What the gauges look at, and whom they tell."""
    desk = parts.desk
    gauges.wires = lambda: {"user-stream": user_stream.wire, "price-stream": price_stream.wire}
    gauges.latency.on_breach = lambda text: desk.alarm(
        "latency-breach", text, "lowcapctl latency bottlenecks"
    )
    gauges.on_fault = lambda why: desk.alarm("metrics", why, "see metrics.textfile in config.toml")
    gauges.totals = lambda: totals_of(parts)
    gauges.text = lambda: exposition(parts)


def _build_streams(
    net: Net, market: Market, desk: Desk, keeper: Keeper, chance: random.Random
) -> tuple[UserStream, PriceStream]:
    """The events of our account, and everybody's prices."""
    streams = market.urls.streams
    user_stream = UserStream(
        net, streams, desk.venue.rest, desk.on_user_event, keeper.on_user_stream, chance
    )
    keeper.renew_user_stream = user_stream.renew
    price_stream = PriceStream(
        net, streams, desk.prices.on_marks, desk.prices.on_lasts, _on_prices(desk), chance
    )
    return user_stream, price_stream


def _build_intake(
    around: Surroundings,
    desk: Desk,
    coins: CoinTable,
    admission: Admission,
    http: HttpxPort,
    chance: random.Random,
) -> Intake:
    """Detection compiled from the trigger tables, and a session for every enabled feed."""
    settings = desk.settings
    feeds = {name: feed for name, feed in settings.feed.items() if feed.enabled}
    flow = Flow(
        desk,
        Detector(settings.trigger, settings.hedge, coins, settings.payroll),
        admission,
        {name: decoder_for(name, feed) for name, feed in feeds.items()},
        around.clock,
        now_ms(around.clock),
    )
    flow.refresh_enabled()
    recorder = Recorder(around.state_dir / "captures", around.clock)
    recorder.on_fault = lambda why: desk.alarm("captures", why, "lowcapctl captures status")
    intake = Intake(desk, flow, recorder)
    for name, feed in feeds.items():
        intake.add(
            open_feed(
                name,
                feed,
                net=around.net,
                http=http,
                clock=around.clock,
                environ=around.environ,
                on_frame=flow.on_frame,
                on_change=_on_feed(desk),
                chance=chance,
            )
        )
    return intake


def _build_caps(
    around: Surroundings, desk: Desk, keeper: Keeper, coins: CoinTable, http: HttpxPort
) -> CapSession:
    """The table of capitalisations: sizes, leverage and the order of coins go by it."""

    def on_table(table: CapTable) -> None:
        desk.caps = table
        coins.rank(table.by_size())
        keeper.replan()

    def on_status(status: CapStatus) -> None:
        if status.state in ("failing", "stale"):
            desk.alarm(f"caps-{status.state}", status.why or "no capitalisations", "lowcapctl caps")

    return CapSession(
        desk.settings.caps,
        http,
        around.clock,
        around.environ,
        around.state_dir / "caps.json",
        tickers=coins.tickers,
        curated={ticker: coin.id for ticker, coin in curated().coin.items() if coin.id},
        on_table=on_table,
        on_status=on_status,
    )


def _build_alerts(around: Surroundings, desk: Desk) -> Alerts:
    """What the ledger says from now on, for the operators' phones."""
    alerts = Alerts(
        desk.settings.notify,
        desk.mode,
        around.net,
        around.clock,
        around.environ,
        record=desk.record,
        is_off=lambda name: f"sink:{name}" in desk.book.state.switched_off,
    )
    desk.ledger.read_with(alerts.read)
    return alerts


def _on_contracts(venue: Venue, coins: CoinTable, caps: CapSession) -> None:
    coins.load({c.base: c.symbol for c in venue.contracts.values() if c.is_trading})
    caps.rebuild()


def _folder(
    book: Book, admission: Admission, readers: tuple[Callable[[Record], object], ...]
) -> Callable[[Record], None]:
    """What replay does with each record."""

    def fold(record: Record) -> None:
        book.apply(record)
        for read in readers:
            read(record)
        if isinstance(record.body, facts.KeysTaken):
            admission.take(record.body.keys, record.body.until_ms)
        elif isinstance(record.body, facts.Checkpoint):
            admission.restore(bytes(record.body.keys))

    return fold


def _on_feed(desk: Desk) -> Callable[[FeedStatus], None]:
    def changed(status: FeedStatus) -> None:
        lasted_ms = desk.now_ms() - status.connected_ms
        if status.state == "down" and not status.ended_by_us and lasted_ms < FLAP_MS:
            desk.breakers.on_failure(FEED + status.name, f"lost: {status.why}", FLAP_WEIGHT)
        desk.record(facts.FeedChanged(feed=status.name, state=status.state, why=status.why))

    return changed


def _on_prices(desk: Desk) -> Callable[[bool, str], None]:
    def changed(up: bool, why: str) -> None:
        if not up:
            desk.prices.clear()  # nothing known of prices is better than something old

    return changed


def begin_run(house: House) -> None:
    """The first records of a run: it started; yesterday's automatic holds are void."""
    desk, found = house.desk, house.found
    desk.record(
        facts.RunStarted(version=__version__, mode=desk.mode, config_hash=house.around.config_hash)
    )
    for hold in list(desk.book.state.holds.values()):
        if hold.who == AUTO:
            desk.lift_hold(hold.name, "a new run looks for itself")
    if found.torn_bytes:
        desk.alarm("ledger-torn", f"{found.torn_bytes} bytes of a torn last record were cut off")
    if found.corrupt:
        desk.alarm(
            "ledger-corrupt",
            f"the ledger is damaged: {found.corrupt}; the rest is kept in .bad files",
            "compare orders and positions with the venue, then resume with a reason",
        )
        desk.place_hold(LEDGER_CORRUPT, TradingState.HALTED, found.corrupt, "ledger")
    changed = found.last_config_hash not in ("", house.around.config_hash)
    if changed and desk.mode == "live":
        reason = "the configuration has changed since the last run"
        desk.place_hold(OPERATOR_PAUSE, TradingState.REDUCING, reason, "config")
    house.ledger.flush()
