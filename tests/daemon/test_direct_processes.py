"""panic --direct beside a daemon that is stuck, dead or alive: real processes on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from lowcap.control.client import CallFailed
from lowcap.core.clock import SystemClock
from lowcap.core.facts import OrderIntended, Refused
from lowcap.core.messages import Purpose
from lowcap.net.net import SocketNet
from lowcap.paper.feedserver import FeedServer
from tests.long.kill import Round, listing
from tests.long.rig import Process, call, ledger_records, running, wait_ready, write_config

HELD = ("KAITO", "PENDLE")
IN_FLIGHT, WHILE_STUCK, AFTERWARDS = "AAVE", "UNI", "ARB"


async def _panic(folder: Path, *more: str) -> subprocess.CompletedProcess[bytes]:
    """lowcapctl panic --direct, as an operator types it; the rest of us goes on meanwhile."""
    words = ["--socket", str(folder / "c.sock"), "panic", "--direct", "--yes", *more]
    with trio.fail_after(90):
        return await trio.run_process(
            [sys.executable, "-m", "lowcap.terminal.main", *words],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={**os.environ, "CREDENTIALS_DIRECTORY": ""},
        )


def _entries(folder: Path) -> set[str]:
    """Symbols for which an entry was ever intended and not denied."""
    return {
        r.body.symbol.removesuffix("USDT")
        for r in ledger_records(folder)
        if isinstance(r.body, OrderIntended) and r.body.purpose is Purpose.ENTRY
    }


async def _status(folder: Path, wanted: Any, within_s: float = 30) -> dict[str, Any]:
    """The daemon's status once it is as wanted."""
    give_up_s = time.monotonic() + within_s
    while True:
        status: dict[str, Any] = await trio.to_thread.run_sync(call, folder, "status")
        if wanted(status):
            return status
        assert time.monotonic() < give_up_s, status
        await trio.sleep(0.1)


async def _held(ground: Round, feeds: FeedServer) -> None:
    """Two positions, stops and ladders."""
    with trio.fail_after(30):
        while not feeds.clients("tokyo"):
            await trio.sleep(0.02)
        for number, coin in enumerate(HELD):
            feeds.send("tokyo", listing(coin, number))
        while True:
            seen = await ground.snapshot()
            stops = {o.symbol for o in seen.orders if o.algo}
            if len(seen.positions) == len(stops) == len(HELD):
                return
            await trio.sleep(0.05)


@pytest.mark.parametrize("how", ["stuck", "dead", "alive"])
def test_flat_without_the_daemons_help(tmp_path: Path, how: str) -> None:
    async def main() -> None:
        words = ("exchange", "--credentials", str(tmp_path / "keys"), "--step-bps", "0.2")
        # We look so often that the venue's limits would be used up.
        with running(tmp_path, "exchange", *words, "--limits-times", "100") as exchange:
            async with trio.open_nursery() as nursery:
                feeds = FeedServer(SocketNet(), SystemClock())
                port = await nursery.start(feeds.run)
                ground = Round(tmp_path, exchange.lines(4), port)
                daemon = Process(tmp_path, "daemon", "run", "--config", str(ground.config))
                try:
                    await trio.to_thread.run_sync(wait_ready, tmp_path)
                    await _held(ground, feeds)
                    await _stop_and_flatten(tmp_path, ground, feeds, daemon, how)
                    if how == "dead":
                        daemon = Process(tmp_path, "again", "run", "--config", str(ground.config))
                    await _look_afterwards(tmp_path, ground, feeds)
                finally:
                    os.kill(daemon.pid, signal.SIGCONT)
                    await trio.to_thread.run_sync(daemon.stop)
                await ground.http.aclose()
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert AFTERWARDS not in _entries(tmp_path)
    refused = [r.body for r in ledger_records(tmp_path) if isinstance(r.body, Refused)]
    assert {f"{AFTERWARDS}USDT"} <= {fact.symbol for fact in refused}
    assert {fact.check for fact in refused} == {"stopped-outside"}
    if how == "stuck":
        assert WHILE_STUCK not in _entries(tmp_path)


def test_a_signal_halts_a_running_daemon(tmp_path: Path) -> None:
    config = write_config(tmp_path, {})
    with running(tmp_path, "daemon", "run", "--config", str(config)) as daemon:
        wait_ready(tmp_path)
        os.kill(daemon.pid, signal.SIGUSR1)
        give_up_s = time.monotonic() + 10
        while (status := call(tmp_path, "status"))["state"] != "HALTED":
            assert time.monotonic() < give_up_s
            time.sleep(0.02)
        hold = next(h for h in status["holds"] if h["name"] == "operator-halt")
        assert (hold["who"], hold["reason"]) == ("SIGUSR1", "stopped by SIGUSR1")
        assert status["stop_file"] == str(tmp_path / "stop")
        assert (tmp_path / "state" / "lock").read_text() == f"{daemon.pid}\n"
        assert (tmp_path / "venue.json").stat().st_mode & 0o777 == 0o600
        call(tmp_path, "resume", reason="heard")
        assert call(tmp_path, "status")["state"] == "ACTIVE"


async def _stop_and_flatten(
    folder: Path, ground: Round, feeds: FeedServer, daemon: Process, how: str
) -> None:
    if how != "alive":
        # An entry that is on its way to the venue when its daemon ends or hangs.
        await ground.set_faults({"request_delay_ms": {"order.place": [400, 400]}})
        feeds.send("tokyo", listing(IN_FLIGHT, 10))
        give_up_s = time.monotonic() + 5
        while IN_FLIGHT not in _entries(folder) and time.monotonic() < give_up_s:
            await trio.sleep(0.002)
    if how == "stuck":
        os.kill(daemon.pid, signal.SIGSTOP)
        feeds.send("tokyo", listing(WHILE_STUCK, 11))
    elif how == "dead":
        daemon.kill()
    done = await _panic(folder)
    said = done.stdout.decode()
    assert done.returncode == 0, said + done.stderr.decode()
    assert "flat: proved" in said
    assert "key: the daemon's own key" in said
    assert ("SIGUSR1 sent" in said) == (how != "dead")
    seen = await ground.snapshot()
    assert not seen.positions, said
    assert not seen.orders, said
    await ground.set_faults({})
    if how == "stuck":
        os.kill(daemon.pid, signal.SIGCONT)


async def _look_afterwards(folder: Path, ground: Round, feeds: FeedServer) -> None:
    """HALTED with who and why, nothing believed to be held, nothing sent any more."""
    if not (folder / "c.sock").exists():
        with trio.fail_after(20):
            while not (folder / "c.sock").exists():
                await trio.sleep(0.05)
    await trio.to_thread.run_sync(lambda: wait_ready(folder, active=False))
    status = await _status(folder, lambda s: s["state"] == "HALTED" and not s["positions"])
    hold = next(h for h in status["holds"] if h["name"] == "operator-halt")
    assert hold["who"] in ("SIGUSR1", "stop file")
    assert hold["reason"].startswith("panic --direct: ")
    with trio.fail_after(20):
        while not feeds.clients("tokyo"):
            await trio.sleep(0.02)
    feeds.send("tokyo", listing(AFTERWARDS, 12))
    await trio.sleep(1)
    seen = await ground.snapshot()
    assert not seen.positions
    assert not seen.orders
    with pytest.raises(CallFailed, match="stop file"):
        await trio.to_thread.run_sync(lambda: call(folder, "resume", reason="too early"))
    (folder / "stop").unlink()
    await _status(folder, lambda s: not s["open_orders"])
    await trio.to_thread.run_sync(lambda: _resume(folder))
    await _status(folder, lambda s: s["state"] == "ACTIVE")


def _resume(folder: Path) -> None:
    """What differs is being put right: a few tries."""
    give_up_s, fault = time.monotonic() + 30, "not tried"
    while time.monotonic() < give_up_s:
        try:
            call(folder, "resume", reason="looked at it")
        except CallFailed as error:
            fault = error.message
            time.sleep(0.5)
        else:
            return
    raise AssertionError(fault)
