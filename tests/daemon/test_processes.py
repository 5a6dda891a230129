"""lowcapd as an operator starts it: real processes, exit codes, crashes, orderly ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from lowcap.core.clock import SystemClock
from lowcap.net.net import SocketNet
from lowcap.paper.feedserver import FeedServer
from tests.long.kill import Round, listing, play
from tests.long.real_frames import clusters, corpus_file, judge, read_capture
from tests.long.real_frames import play as play_real
from tests.long.rig import (
    FEEDS,
    Process,
    call,
    ledger_records,
    running,
    wait_ready,
    write_config,
)
from tests.long.soak import soak

NO_FEEDS = {name: {"enabled": False} for name in FEEDS}


def _lowcapd(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lowcap", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environ},
        check=False,
    )


def test_prices_come_from_a_capture_or_an_upstream_not_both(tmp_path: Path) -> None:
    prices = tmp_path / "prices.jsonl"
    prices.touch()
    config = write_config(tmp_path, {"paper": {"upstream_url": "ws://127.0.0.1:9"}})
    done = _lowcapd("run", "--config", str(config), "--market", str(prices))
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("error: --market: paper.upstream_url gives the prices already")


def test_an_exchange_that_is_told_nonsense_names_it_all_and_starts_nothing(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text("[[fault]]\nkind = 'cut'\nrout = 'api'\n[[fault]]\nkind = 'hang'\n")
    done = _lowcapd(
        "exchange", "--credentials", str(tmp_path / "keys"), "--faults", str(script),
        "--upstream", "ws://fstream.binance.com",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines() == [
        "error: --upstream: expected wss:// away from loopback, not ws://",
        f"error: --faults: {script}: fault[0].rout: unknown key",
        f"error: --faults: {script}: fault[1].kind: Invalid enum value 'hang'",
        "hint: docs/exchange.md shows the kinds of faults and their fields",
    ]
    assert not (tmp_path / "keys").exists()


def test_a_bad_configuration_lists_every_fault_and_starts_nothing(tmp_path: Path) -> None:
    config = write_config(
        tmp_path,
        {
            "mode": "demo",
            "order": {"collar_pct": 9, "colar": 1},
            "leverage": {"max": "5"},
            "limits": {"open_positions_max": 0},
        },
    )
    ended = _lowcapd("run", "--config", str(config))
    assert ended.returncode == 78
    for path in ("order", "leverage.max"):
        assert path in ended.stderr
    assert "colar" in ended.stderr
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "c.sock").exists()


def test_check_says_fine_or_what_is_wrong(tmp_path: Path) -> None:
    good = _lowcapd("check", str(write_config(tmp_path / "good", {})))
    assert good.returncode == 0
    assert ": fine (dry mode" in good.stdout
    bad = _lowcapd("check", str(write_config(tmp_path / "bad", {"mode": "real"})))
    assert bad.returncode == 78
    assert "mode: expected one of dry, testnet, live" in bad.stderr


def test_wrong_usage_is_one_line_and_exit_2() -> None:
    ended = _lowcapd("runn")
    assert ended.returncode == 2
    assert "runn" in ended.stderr


def test_as_of_belongs_to_dry_mode(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"mode": "testnet"})
    ended = _lowcapd("run", "--config", str(config), "--as-of", "2026-02-06T13:29:50Z")
    assert ended.returncode == 78
    assert "dry mode only" in ended.stderr


def test_a_second_daemon_on_the_same_state_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"feed": NO_FEEDS})
    with running(tmp_path, "first", "run", "--config", str(config)):
        wait_ready(tmp_path)
        second = _lowcapd("run", "--config", str(config))
        assert second.returncode == 75
        assert "another daemon" in second.stderr
        assert call(tmp_path, "status")["state"] == "ACTIVE"


def test_an_exchange_that_is_away_is_said_and_retried_and_once_gives_up(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    for name in ("api-key", "api-secret"):
        (tmp_path / "keys" / name).write_text("x")
        (tmp_path / "keys" / name).chmod(0o600)
    urls = {
        "rest_url": "http://127.0.0.1:9",
        "ws_api_url": "ws://127.0.0.1:9/ws-fapi/v1",
        "stream_url": "ws://127.0.0.1:9",
        "credentials_dir": str(tmp_path / "keys"),
    }
    config = write_config(tmp_path, {"feed": NO_FEEDS, "exchange": urls})
    ended = _lowcapd("run", "--config", str(config), "--once", "--wait", "2")
    assert ended.returncode == 75
    assert "not ready after 2 s" in ended.stderr
    with running(tmp_path, "patient", "run", "--config", str(config)) as daemon:
        holds: set[str] = set()
        give_up_s = time.monotonic() + 20
        while time.monotonic() < give_up_s and "venue" not in holds:
            time.sleep(0.1)
            if (tmp_path / "c.sock").exists():
                holds = {hold["name"] for hold in call(tmp_path, "status")["holds"]}
        assert {"recovery", "venue"} <= holds
        assert daemon.is_running


def test_missing_credentials_are_named_with_the_remedy(tmp_path: Path) -> None:
    urls = {
        "rest_url": "http://127.0.0.1:9",
        "ws_api_url": "ws://127.0.0.1:9/ws-fapi/v1",
        "stream_url": "ws://127.0.0.1:9",
        "credentials_dir": str(tmp_path / "nowhere"),
    }
    config = write_config(tmp_path, {"feed": NO_FEEDS, "exchange": urls})
    ended = _lowcapd("run", "--config", str(config))
    assert ended.returncode == 78
    assert "cannot read the credential" in ended.stderr
    assert "hint: set exchange.credentials_dir" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_once_in_dry_mode_is_a_check_that_ends(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"feed": NO_FEEDS})
    assert _lowcapd("run", "--config", str(config), "--once").returncode == 0


def test_sigterm_with_open_positions_leaves_them_protected(tmp_path: Path) -> None:
    async def main() -> None:
        words = ("exchange", "--credentials", str(tmp_path / "keys"), "--step-bps", "0.2")
        with running(tmp_path, "exchange", *words) as exchange:
            urls = exchange.lines(4)
            async with trio.open_nursery() as nursery:
                feeds = FeedServer(SocketNet(), SystemClock())
                port = await nursery.start(feeds.run)
                ground = Round(tmp_path, urls, port)
                daemon = Process(tmp_path, "daemon", "run", "--config", str(ground.config))
                try:
                    await trio.to_thread.run_sync(wait_ready, tmp_path)
                    while not feeds.clients("tokyo"):
                        await trio.sleep(0.02)
                    for number, coin in enumerate(("KAITO", "PENDLE", "UNI")):
                        feeds.send("tokyo", listing(coin, number))
                    await trio.sleep(0.5)
                    feeds.send("tokyo", listing("AAVE", 9))  # the newest may still be on its way
                    began_s = time.monotonic()
                finally:
                    code = await trio.to_thread.run_sync(daemon.stop, 20)
                assert code == 0
                assert time.monotonic() - began_s < 15
                seen = await ground.snapshot()
                assert {"KAITOUSDT", "PENDLEUSDT", "UNIUSDT"} <= {p.symbol for p in seen.positions}
                for position in seen.positions:
                    stops = [o for o in seen.orders if o.symbol == position.symbol and o.algo]
                    assert len(stops) == 1, position.symbol
                await ground.http.aclose()
                nursery.cancel_scope.cancel()
        assert not (tmp_path / "c.sock").exists()
        assert not daemon.is_running
        assert ledger_records(tmp_path)[-1].kind == "RunEnded"

    trio.run(main)


def test_a_few_kills_around_orders() -> None:
    assert trio.run(play, 3, 2) >= 0


def test_a_short_soak() -> None:
    soak(30)


def test_some_real_frames_each_at_its_own_time() -> None:
    path = corpus_file()
    if path is None:
        pytest.skip("no corpus: set LOWCAP_CORPUS")
    lines = [line for group in clusters(read_capture([path]))[:4] for line in group]
    judge(lines, trio.run(play_real, lines))


def test_the_demo_tells_its_story(tmp_path: Path) -> None:
    ended = _lowcapd("demo", "--keep", str(tmp_path / "demo"), COLUMNS="80", NO_COLOR="1")
    assert ended.returncode == 0, ended.stderr
    for word in ("SIGNAL nfp_le_50k", "SIGNAL upbit_listing", "SIGNAL elon_btc", "own work"):
        assert word in ended.stdout
    assert ended.stdout.count("stop confirmed, ladder 3 legs confirmed") == 4
    assert max(len(line) for line in ended.stdout.splitlines()) <= 88
