"""``lowcapd replay``: a recorded session through the whole daemon, in a world of its own."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import attrs
import click
import msgspec
import trio
import trio.testing
from attrs import frozen
from trio._core import _run

from lowcap.config import load
from lowcap.config_measure import TARGET_MS_MAX
from lowcap.core.clock import NS_PER_MS, LoopClock, SystemClock, iso_ms, now_ms
from lowcap.core.errors import ConfigError, LowcapError
from lowcap.daemon import run_daemon
from lowcap.handlers import Commands
from lowcap.house import Surroundings
from lowcap.net.net import MemoryNet
from lowcap.observe.logs import LogRing, set_up_logging
from lowcap.paper.feedserver import CaptureLine, FeedServer, market_lines, read_capture
from lowcap.paper.prices import MarketLine
from lowcap.programs.replay_report import Json, Tally, lines_of
from lowcap.settings import (
    Control,
    ExchangeSettings,
    Feed,
    LatencySettings,
    Metrics,
    Settings,
    Shutdown,
)
from lowcap.terminal.output import json_text

LEAD_MS = 10_000
TAIL_MS = 10_000
PROGRESS_EVERY_NS = 100_000_000
OVER_HTTP = frozenset({"twitter", "upbit"})
POLL_S = 1
KEY_ENV = "REPLAY_KEY"  # X's stream is never asked for without a key; the simulator takes any

Show = Callable[[int, int], None]


@frozen(kw_only=True)
class Session:
    """What was recorded, in order of time: lines of feeds, and prices."""

    names: tuple[str, ...]
    lines: list[CaptureLine]
    prices: tuple[MarketLine, ...]

    @property
    def feeds(self) -> frozenset[str]:
        """The feeds that have lines."""
        return frozenset(line.feed for line in self.lines)

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols that have prices."""
        return frozenset(price.symbol for price in self.prices)

    @property
    def last_ms(self) -> int:
        """The time of the newest line of either kind."""
        return max(self.lines[-1].t_ms, *(price.t_ms for price in self.prices[-1:]), 0)


class ReplayClock:
    """The recording's wall time, but the machine's counter for the work that is measured."""

    def __init__(self, epoch_ms: int) -> None:
        self._wall = LoopClock(epoch_ms * NS_PER_MS)
        self._machine = SystemClock()

    def now_ns(self) -> int:
        """Wall time of the recording, in nanoseconds."""
        return self._wall.now_ns()

    def stage_ns(self) -> int:
        """The performance counter of the machine."""
        return self._machine.stage_ns()


def replay_program(
    captures: tuple[Path, ...], config_path: Path | None, *, as_json: bool, seed: int | None
) -> int:
    """Play ``captures`` through a dry daemon and print what it did; 0 when it got through.

    Raises:
        ConfigError: the configuration, or a line of a capture, cannot be used.
        LowcapError: the daemon cannot start.
    """
    settings, digest = load(config_path, os.environ)
    session = read_session(captures)
    ring = set_up_logging("error", {})
    progress = _Progress(len(session.lines)) if sys.stderr.isatty() else None
    try:
        report = replay_session(
            session,
            settings,
            ring=ring,
            config_hash=digest,
            seed=settings.paper.seed if seed is None else seed,
            show=progress.show if progress else lambda done, at_ms: None,
        )
    finally:
        if progress:
            progress.clear()
    if as_json:
        click.echo(json_text(report, indent=2))
    else:
        click.echo("\n".join(lines_of(report)))
    return 0


def read_session(captures: tuple[Path, ...]) -> Session:
    """All lines of the captures.

    Raises:
        ConfigError: a line that cannot be played, or no line of any feed.
    """
    lines: list[CaptureLine] = []
    prices: list[MarketLine] = []
    for path in captures:
        for line in read_capture([path]):
            if line.feed:
                lines.append(line)
                continue
            try:
                prices += market_lines([line])
            except (ValueError, msgspec.MsgspecError) as error:
                what = f"{line.stream} at {iso_ms(line.t_ms)}"
                raise ConfigError([f"{path}: {what} is no price: {error}"]) from error
    if not lines:
        raise ConfigError([f"{', '.join(map(str, captures))}: no frame of any feed"])
    return Session(
        names=tuple(path.name for path in captures),
        lines=sorted(lines, key=lambda line: line.t_ms),
        prices=tuple(sorted(prices, key=lambda price: price.t_ms)),
    )


def replay_session(
    session: Session,
    settings: Settings,
    *,
    ring: LogRing,
    config_hash: str,
    seed: int,
    show: Show,
) -> Json:
    """Play a session under virtual time; what came of it, as ``replay_report`` describes.

    ``show`` hears now and then how many lines have been played, and the
    session's own time in wall milliseconds.

    Raises:
        LowcapError: the daemon cannot start.
    """
    # The order in which ready tasks run must hang on nothing but the seed: Trio's own switch
    # for reproducible tests, and the one choice that it makes by chance.
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    _run._r.seed(seed)
    failed: LowcapError | None = None
    try:
        with tempfile.TemporaryDirectory(prefix="lowcap-replay-") as folder:
            around = Surroundings(
                net=MemoryNet(),
                clock=ReplayClock(session.lines[0].t_ms - LEAD_MS),
                state_dir=Path(folder),
                environ={KEY_ENV: "replay"},
                ring=ring,
                config_hash=config_hash,
                sync_in_thread=False,
                seed=seed,
            )
            virtual = trio.testing.MockClock(autojump_threshold=0)
            tally = trio.run(_play, session, settings, around, show, clock=virtual)
            return _head(session, settings, around) | tally.report(session.symbols)
    except* KeyboardInterrupt:
        failed = None
    except* LowcapError as group:
        failed = _first(group)
    raise failed or click.Abort


async def _play(session: Session, settings: Settings, around: Surroundings, show: Show) -> Tally:
    """Feeds, exchange and daemon in one network in memory, from before the first line on."""
    clock, tally, played, stop = around.clock, Tally(), 0, trio.Event()
    now_ms(clock)  # the recording's time begins here
    feeds = FeedServer(around.net, clock)

    def on_sent(line: CaptureLine, concerned: int) -> None:
        nonlocal played
        played += 1

    async def keep_showing() -> None:
        while True:
            show(played, now_ms(clock))
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        await nursery.start(feeds.run)
        dry = dry_settings(settings, session.feeds, feeds.port, around)

        async def daemon(task_status: trio.TaskStatus[Commands]) -> None:
            await run_daemon(dry, around, stop, script=session.prices, task_status=task_status)
            nursery.cancel_scope.cancel(reason="the daemon has left")

        commands: Commands = await nursery.start(daemon)
        if commands.parts is None:
            raise AssertionError("the rooms are open")
        commands.parts.desk.ledger.read_with(tally.read)
        nursery.start_soon(keep_showing)
        await feeds.play(session.lines, speed=None, on_sent=on_sent)
        await trio.sleep((session.last_ms + TAIL_MS - now_ms(clock)) / 1000)
        tally.see_end(commands.parts)
        stop.set()
    return tally


def _head(session: Session, settings: Settings, around: Surroundings) -> Json:
    """What was played, and how."""
    counts = Counter(line.feed for line in session.lines)
    heard = {name for name, feed in settings.feed.items() if feed.enabled}
    return {
        "captures": list(session.names),
        "began": iso_ms(session.lines[0].t_ms - LEAD_MS),
        "ended": iso_ms(session.last_ms + TAIL_MS),
        "config_hash": around.config_hash,
        "seed": around.seed,
        "lines": dict(sorted(counts.items())),
        "unheard": sorted(session.feeds - heard),
    }


def dry_settings(
    settings: Settings, feeds: frozenset[str], port: int, around: Surroundings
) -> Settings:
    """``settings`` as they are, but on paper, without keys, and with the feed server's addresses.

    Feeds without lines are off, and so are capitalisations: today's would not
    be those of the recording.
    """
    return attrs.evolve(
        settings,
        mode="dry",
        state=attrs.evolve(settings.state, dir=str(around.state_dir)),
        control=Control(),
        exchange=ExchangeSettings(),
        caps=attrs.evolve(settings.caps, enabled=False),
        paper=attrs.evolve(settings.paper, seed=around.seed, port=0, upstream_url=""),
        shutdown=Shutdown(positions="keep"),
        # A slow machine is no event of the session, and the daemon's own file is not for us.
        latency=LatencySettings(target_ms={"total": Decimal(TARGET_MS_MAX)}),
        metrics=Metrics(),
        feed={
            name: _redirected(name, feed, port, enabled=feed.enabled and name in feeds)
            for name, feed in settings.feed.items()
        },
    )


def _redirected(name: str, feed: Feed, port: int, *, enabled: bool) -> Feed:
    """A feed that gets what was recorded of it, over one connection that lasts."""
    scheme = "http" if feed.format in OVER_HTTP else "ws"
    return attrs.evolve(
        feed,
        enabled=enabled,
        url=f"{scheme}://127.0.0.1:{port}/{name}",
        auth="bearer" if feed.format == "twitter" else "none",
        key_file="",
        key_env=KEY_ENV if feed.format == "twitter" else "",
        renew_h=0,
        poll_s=POLL_S,
    )


class _Progress:
    """One line on a terminal's stderr, written over and over."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._machine = SystemClock()
        self._next_ns = 0
        self._width = 0

    def show(self, done: int, at_ms: int) -> None:
        """Lines played, and the session's time; a few times a second at most."""
        if self._machine.stage_ns() < self._next_ns:
            return
        self._next_ns = self._machine.stage_ns() + PROGRESS_EVERY_NS
        text = f"{done}/{self._total} lines  {iso_ms(at_ms)[:19].replace('T', ' ')} UTC"
        self._width = max(self._width, len(text))
        click.echo(f"\r{text:<{self._width}}", err=True, nl=False)

    def clear(self) -> None:
        """Leave the terminal as it was."""
        click.echo(f"\r{'':<{self._width}}\r", err=True, nl=False)


def _first(group: BaseExceptionGroup[LowcapError]) -> LowcapError:
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    if not isinstance(leaf, LowcapError):
        raise AssertionError("except* lets through its own kind only")
    return leaf
