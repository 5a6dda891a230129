"""What systemd hears of a real lowcapd: ready, alive, reloading, waiting, leaving."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from lowcap.observe.systemd import Systemd
from tests.daemon.service_kit import NotifySocket, Service, lowcapd
from tests.long.rig import Process, call, write_config

AWAY = {
    "rest_url": "http://127.0.0.1:9",
    "ws_api_url": "ws://127.0.0.1:9/ws-fapi/v1",
    "stream_url": "ws://127.0.0.1:9",
}


@pytest.fixture
def notify(tmp_path: Path) -> Iterator[NotifySocket]:
    made = NotifySocket(str(tmp_path / "n.sock"))
    yield made
    made.close()


def _environ(notify: NotifySocket, watchdog_s: float = 1.5) -> dict[str, str]:
    return {"NOTIFY_SOCKET": notify.address, "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}


def _keys(folder: Path) -> str:
    (folder / "keys").mkdir(exist_ok=True)
    for name in ("api-key", "api-secret"):
        (folder / "keys" / name).write_text("x")
        (folder / "keys" / name).chmod(0o600)
    return str(folder / "keys")


def _is_ready(told: dict[str, str]) -> bool:
    return told.get("READY") == "1"


def _beats(told: list[dict[str, str]]) -> int:
    return sum(one.get("WATCHDOG") == "1" for one in told)


def _end(service: Service, notify: NotifySocket) -> list[dict[str, str]]:
    assert service.stop() == 0, service.log.read_text()
    return notify.during(0.2)


def test_a_life_from_start_to_end(tmp_path: Path) -> None:
    notify = NotifySocket(f"@lowcap-life-{os.getpid()}")  # an abstract address
    config = write_config(tmp_path, {})
    overlay = tmp_path / "config.d" / "zz.toml"
    service = Service(tmp_path, lowcapd("run", "--config", str(config)), _environ(notify))
    try:
        notify.until(_is_ready)
        before = [told for _, told in notify.heard[:-1]]
        assert before[0]["STATUS"] == "comparing with the venue"
        assert int(before[0]["EXTEND_TIMEOUT_USEC"]) > 2_000_000
        assert not any("READY" in told or "WATCHDOG" in told for told in before)
        assert call(tmp_path, "status")["recovered"]
        told = notify.until(lambda told: told["STATUS"].startswith("dry ACTIVE"), 10)
        assert told["WATCHDOG"] == "1"
        assert "0 positions" in told["STATUS"]

        _reload(service, notify, overlay, {"sizing": {"scale": 0.5}})
        assert notify.heard[-1][1]["STATUS"] == "reloaded"
        refused = _reload(service, notify, overlay, {"sizing": {"scale": -1}})
        assert "the old configuration stays; not reloaded: sizing.scale" in refused["STATUS"]
        later = notify.until(lambda told: "WATCHDOG" in told, 5)
        assert "not reloaded: sizing.scale" in later["STATUS"]  # for whoever looks a bit later
        mended = _reload(service, notify, overlay, {"sizing": {"scale": 1}})
        assert "not reloaded" not in mended["STATUS"]

        ending = _end(service, notify)
        assert ending[-1] == {"STOPPING": "1", "STATUS": "settling orders"}
    finally:
        service.stop()
        notify.close()


def _reload(service: Service, notify: NotifySocket, overlay: Path, tree: Any) -> dict[str, str]:
    """SIGHUP with other settings: begin with its time in one datagram, end in the next."""
    overlay.write_text(tomli_w.dumps(tree))
    asked_us = time.monotonic_ns() // 1000
    service.send(signal.SIGHUP)
    began = notify.until(lambda told: "RELOADING" in told, 10)
    assert set(began) == {"RELOADING", "MONOTONIC_USEC"}
    assert asked_us <= int(began["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    return notify.until(_is_ready, 10)


def test_a_venue_that_is_away_extends_the_start_and_is_named(
    tmp_path: Path, notify: NotifySocket
) -> None:
    exchange = AWAY | {"credentials_dir": _keys(tmp_path)}
    config = write_config(tmp_path, {"exchange": exchange})
    service = Service(tmp_path, lowcapd("run", "--config", str(config)), _environ(notify))
    try:
        waiting = notify.until(
            lambda told: told.get("STATUS", "").startswith("waiting for the venue: ")
        )
        assert "EXTEND_TIMEOUT_USEC" in waiting
        # A SIGHUP now must not be answered with the READY that would end the start.
        service.send(signal.SIGHUP)
        told = notify.during(5)
        extended = [one for one in told if "EXTEND_TIMEOUT_USEC" in one]
        assert len(extended) >= 2
        assert not any({"READY", "RELOADING", "WATCHDOG"} & set(one) for one in told)
        assert _end(service, notify)[-1]["STOPPING"] == "1"
    finally:
        service.stop()


def test_an_outage_of_feeds_and_venue_starves_nothing(tmp_path: Path, notify: NotifySocket) -> None:
    keys = str(tmp_path / "keys")
    exchange = Process(tmp_path, "exchange", "exchange", "--credentials", keys)
    try:
        urls = exchange.lines(4)
        feed = {"bwe": {"url": "ws://127.0.0.1:9/x"}}  # down from the beginning
        config = write_config(tmp_path, {"feed": feed, "exchange": urls})
        service = Service(tmp_path, lowcapd("run", "--config", str(config)), _environ(notify))
        try:
            notify.until(_is_ready)
            exchange.kill()
            told = notify.until(lambda told: "REDUCING" in told.get("STATUS", ""), 20)
            assert "feeds 0/1" in told["STATUS"]
            assert _beats(notify.during(5)) >= 5  # every half second, a third of the watchdog's
        finally:
            service.stop()
    finally:
        exchange.stop()


HANGING = """
import sys
from pathlib import Path
import trio
from lowcap.__main__ import cli
from lowcap.execution.watch import Watch

async def run(self):
    while True:
        await trio.sleep(0.05)
        if Path(sys.argv[-1]).exists():
            await trio.sleep_forever()   # the desk's task hangs, the loop goes on
        self.tick()

Watch.run = run
cli.main(sys.argv[1:-1], prog_name="lowcapd", standalone_mode=False)
"""


def test_a_desk_that_hangs_starves_the_watchdog(tmp_path: Path, notify: NotifySocket) -> None:
    config, flag = write_config(tmp_path, {}), tmp_path / "hang"
    words = [sys.executable, "-c", HANGING, "run", "--config", str(config), str(flag)]
    service = Service(tmp_path, words, _environ(notify))
    try:
        notify.until(_is_ready)
        assert _beats(notify.during(2)) >= 2
        flag.touch()
        notify.during(1)
        assert _beats(notify.during(3)) == 0  # twice the watchdog's time: systemd would end it
        assert call(tmp_path, "version")  # and yet the loop itself is alive
    finally:
        service.stop()


@pytest.mark.parametrize(
    ("environ", "expected_s"),
    [
        ({"WATCHDOG_USEC": "15000000"}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "9" * 30}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_only_where_it_watches_us(
    environ: dict[str, str], expected_s: float | None
) -> None:
    assert Systemd(environ).watchdog_s == expected_s
