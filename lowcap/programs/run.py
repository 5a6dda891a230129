"""``lowcapd run``: settings, lock, socket and signals around the daemon."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Mapping
from pathlib import Path

import trio
from loguru import logger

from lowcap.config import state_dir
from lowcap.config_files import ConfigFiles
from lowcap.control.listen import is_handed_over, open_listener, socket_path
from lowcap.core.clock import SystemClock, parse_as_of
from lowcap.core.errors import ConfigError, LowcapError
from lowcap.core.stopword import STOP_FILE, StopWord
from lowcap.daemon import run_daemon
from lowcap.handlers import Commands
from lowcap.house import Surroundings
from lowcap.ledger.writer import StateLock
from lowcap.net.net import SocketNet
from lowcap.observe.logs import set_up_logging
from lowcap.observe.systemd import Systemd
from lowcap.paper.feedserver import market_lines, read_capture
from lowcap.paper.prices import MarketLine
from lowcap.reload import reload
from lowcap.settings import Settings

EXIT_INTERNAL, EXIT_UNAVAILABLE, EXIT_INTERRUPTED = 70, 75, 130


def run_program(
    config_path: Path | None,
    as_of: str | None,
    market: tuple[Path, ...],
    once_wait_s: float | None,
) -> int:
    """Run the daemon; returns its exit code.

    Raises:
        ConfigError: the configuration, or an option, cannot be used.
        LowcapError: another daemon is there already, or the ledger is unreadable.
    """
    environ = os.environ
    files = ConfigFiles(config_path, environ)
    settings, digest = files()
    clock = SystemClock(_shift(as_of, settings))
    if market and settings.paper.upstream_url:
        raise ConfigError(["--market: paper.upstream_url gives the prices already; take one away"])
    script = market_lines(read_capture(market))
    folder = state_dir(settings, environ)
    path = socket_path(settings.control.socket, environ)
    stop_word = StopWord(path.parent / STOP_FILE)
    # Not through the loop: while that is busy the flag must still be raised.
    signal.signal(signal.SIGUSR1, stop_word.on_signal)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold keys
    lock = StateLock(folder)
    listener = _listen(path, environ, lock)
    around = Surroundings(
        net=SocketNet(),
        clock=clock,
        state_dir=folder,
        environ=environ,
        ring=set_up_logging(settings.log.level, environ, folder=folder, mode=settings.mode),
        config_hash=digest,
        listener=listener,
        reload=files,
        stop_word=stop_word,
        systemd=Systemd(environ),
    )
    refused: LowcapError | None = None
    try:
        return trio.run(_main, settings, around, script, once_wait_s)
    except* LowcapError as group:
        refused = _first(group)
    except* Exception as group:
        # A broken invariant: said in full, then systemd restarts us into recovery.
        told = logger.opt(exception=group).bind(kind="daemon.failed")
        told.critical("{}", "the daemon ends: internal error")
    finally:
        if not is_handed_over(environ):
            # systemd's own socket stays: clients queue on it until the next daemon comes.
            path.unlink(missing_ok=True)
        around.ring.close()
        around.systemd.close()
        lock.close()
    if refused is not None:
        raise refused
    return EXIT_INTERNAL


def _listen(path: Path, environ: Mapping[str, str], lock: StateLock) -> trio.SocketListener:
    try:
        return open_listener(path, environ)
    except ConfigError:
        lock.close()
        raise


async def _main(
    settings: Settings,
    around: Surroundings,
    script: tuple[MarketLine, ...],
    once_wait_s: float | None,
) -> int:
    stop = trio.Event()
    async with trio.open_nursery() as nursery:

        async def daemon(task_status: trio.TaskStatus[Commands]) -> None:
            await run_daemon(settings, around, stop, script=script, task_status=task_status)
            nursery.cancel_scope.cancel(reason="the daemon has left")

        commands: Commands = await nursery.start(daemon)
        nursery.start_soon(_obey_signals, stop, commands, around.systemd)
        if once_wait_s is not None:
            return await _once(commands, stop, once_wait_s)
    return 0


async def _once(commands: Commands, stop: trio.Event, wait_s: float) -> int:
    """Wait for recovery, then stop; exit 75 where the venue does not answer in time."""
    parts = commands.parts
    if parts is None:
        raise AssertionError("the rooms are open")
    with trio.move_on_after(wait_s):
        await parts.keeper.recovered.wait()
    recovered = parts.keeper.recovered.is_set()
    if not recovered:
        why = "; ".join(f"{h.name}: {h.reason}" for h in parts.desk.book.state.holds.values())
        told = logger.bind(kind="daemon.not-ready")
        told.error("{}", f"not ready after {wait_s:g} s ({why})")
    stop.set()
    return 0 if recovered else EXIT_UNAVAILABLE


async def _obey_signals(stop: trio.Event, commands: Commands, systemd: Systemd) -> None:
    """First SIGTERM or SIGINT: leave in order. Second: leave at once. SIGHUP: reload."""
    wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    with trio.open_signal_receiver(*wanted) as arriving:
        async for number in arriving:
            if number == signal.SIGHUP:
                if not stop.is_set():
                    _reload_for(systemd, commands)
            elif stop.is_set():
                os._exit(EXIT_INTERRUPTED)
            else:
                told = logger.bind(kind="daemon.signal")
                told.info("{}", f"{signal.Signals(number).name}: leaving in order")
                stop.set()


def _reload_for(systemd: Systemd, commands: Commands) -> None:
    """Reload with systemd's knowledge: it hears of begin and end, whatever comes of it."""
    parts = commands.parts
    if parts is None or not parts.keeper.recovered.is_set():
        # Nobody is told: the READY that ends a reload would be taken for that of the start.
        _reload(commands)
        return
    systemd.reloading()
    fault = "an internal error"
    try:
        fault = _reload(commands)
    finally:
        systemd.reloaded(fault)


def _reload(commands: Commands) -> str:
    """Take a changed configuration in; one with faults changes nothing, and they are returned."""
    if commands.parts is None:
        logger.warning("{}", "SIGHUP came too early: the daemon is still starting")
        return "still starting"
    try:
        done = reload(commands.parts, "SIGHUP")
    except ConfigError as error:
        for fault in error.faults:
            logger.bind(kind="config.refused").error("{}", f"not reloaded: {fault}")
        told = "; ".join(error.faults)[:400]
        commands.parts.desk.alarm("reload", told, "lowcapd check")
        return told
    if done.needs_restart:
        restart = logger.bind(kind="config.needs-restart")
        restart.warning("{}", f"changed, but needs a restart: {', '.join(done.needs_restart)}")
    if not done.changed:
        unchanged = logger.bind(kind="config.unchanged")
        unchanged.info("{}", "reloaded: nothing that takes effect has changed")
    return ""


def _shift(as_of: str | None, settings: Settings) -> int:
    if as_of is None:
        return 0
    if settings.mode != "dry":
        raise ConfigError([f"--as-of: dry mode only, this is {settings.mode} mode"])
    return shift_of(as_of)


def shift_of(as_of: str | None) -> int:
    """The clock shift of an ``--as-of`` value; 0 without one.

    Raises:
        ConfigError: it is no time.
    """
    if as_of is None:
        return 0
    try:
        return parse_as_of(as_of)
    except ValueError as error:
        raise ConfigError([f"--as-of {as_of}: {error}"]) from error


def _first(group: BaseExceptionGroup[LowcapError]) -> LowcapError:
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    if not isinstance(leaf, LowcapError):
        raise AssertionError("except* lets through its own kind only")
    return leaf
