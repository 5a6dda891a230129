"""panic --direct against an exchange process: flat and proved, whatever the road does."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from lowcap.binance.sign import HmacSigner
from lowcap.binance.wire import PositionRow
from lowcap.control.client import private_folder
from lowcap.core.clock import SystemClock
from lowcap.core.errors import CommandError, LowcapError, NoAnswer
from lowcap.core.stopword import STOP_FILE, StopWord
from lowcap.core.venuefile import VenueFile, leave_venue_file, read_venue_file
from lowcap.direct.panic import panic_direct
from lowcap.direct.road import Road
from lowcap.direct.target import _keys, daemon_pid, find_target
from lowcap.ledger.writer import StateLock
from lowcap.net.net import SocketNet
from lowcap.paper.auth import Account
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.server import PaperServer
from tests.direct.direct_kit import Ground, an_exchange


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with an_exchange(tmp_path_factory.mktemp("direct")) as ground:
        yield ground
        ground.road.close()


@pytest.fixture
def ground(exchange: Ground) -> Iterator[Ground]:
    """The exchange without faults, and without what another test has left."""
    for name in ("panic-api-key", "panic-api-secret"):
        (exchange.keys / name).unlink(missing_ok=True)
    (exchange.folder / STOP_FILE).unlink(missing_ok=True)
    exchange.leave_word()
    yield exchange
    exchange.set_faults()


def _panic(ground: Ground, said: list[str] | None = None, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"everything": False, "reason": "test", "give_up_s": 40} | options
    return panic_direct(ground.places, {}, (said if said is not None else []).append, **given)


def _two_positions(ground: Ground) -> None:
    ground.hold("KAITOUSDT", "100", "9", "0.1")
    ground.hold("ETHUSDT", "2", "9000", "100")
    assert len(ground.seen().positions) == 2


def test_flat_without_a_daemon_and_without_a_ledger(ground: Ground) -> None:
    _two_positions(ground)
    said: list[str] = []
    done = _panic(ground, said)
    assert ground.is_empty()
    assert done["flat"]
    assert done["foreign"] == []
    word = StopWord(ground.folder / STOP_FILE)
    assert word.asks_to_flatten()
    assert "test (uid" in word.text()
    assert (ground.folder / STOP_FILE).stat().st_mode & 0o777 == 0o600
    assert any("the daemon's own key" in line for line in said)


def test_a_flat_account_is_proved_flat_only_when_no_earlier_entry_can_arrive(
    ground: Ground,
) -> None:
    ground.leave_word(entry_recv_window_ms=1_000)
    before_ms = ground.road.latest_ms()
    _panic(ground)
    # An entry stamped a second ahead, with its window, is refused from here on.
    assert ground.road.earliest_ms() > before_ms + 1_000 + 1_000


@pytest.mark.parametrize(
    "faults",
    [
        {"lose_replies": {"order.place": 2, "order.cancel": 2, "algoOrder.cancel": 1}},
        {"lose_requests": {"order.place": 1, "order.cancel": 1}},
        {"fault": [{"kind": "unknown-error", "method": "order.place", "count": 2}]},
        {"fault": [{"kind": "timeout", "method": "order.place", "executed": False}]},
        {"fault": [{"kind": "limited", "method": "order.cancel"}]},
        {"fault": [{"kind": "unavailable", "count": 4}]},
    ],
    ids=["lost replies", "lost requests", "503 done", "408 not done", "429", "503 reads"],
)
def test_flat_whatever_becomes_of_the_answers(ground: Ground, faults: dict[str, Any]) -> None:
    _two_positions(ground)
    ground.set_faults(**faults)
    assert _panic(ground)["flat"]
    ground.set_faults()
    assert ground.is_empty()


def test_what_is_not_ours_stays_and_is_named_and_all_takes_it(ground: Ground) -> None:
    _two_positions(ground)
    ground.buy("SOLUSDT", "10", "by-hand")
    with pytest.raises(CommandError, match="left alone: SOLUSDT") as failure:
        _panic(ground)
    assert failure.value.code == "partial"
    assert [p.symbol for p in ground.seen().positions] == ["SOLUSDT"]
    _panic(ground, everything=True)
    assert ground.is_empty()


def test_the_panic_key_comes_first_and_a_refused_one_gives_way(ground: Ground) -> None:
    (ground.keys / "panic-api-key").write_text("unknown-to-the-venue")
    (ground.keys / "panic-api-secret").write_text("x")
    for name in ("panic-api-key", "panic-api-secret"):
        (ground.keys / name).chmod(0o600)
    ground.hold("KAITOUSDT", "100", "9", "0.1")
    said: list[str] = []
    done = _panic(ground, said)
    keys = [line for line in said if line.startswith("key: ")]
    assert [k.split(" in ")[0] for k in keys] == ["key: the panic key", "key: the daemon's own key"]
    assert done["key"].startswith("the daemon's own key")
    assert ground.is_empty()


def test_a_panic_key_that_works_is_enough(ground: Ground) -> None:
    for name in ("api-key", "api-secret"):
        (ground.keys / name).rename(ground.keys / f"panic-{name}")
    try:
        assert _panic(ground)["key"].startswith("the panic key")
    finally:
        for name in ("api-key", "api-secret"):
            (ground.keys / f"panic-{name}").rename(ground.keys / name)


def test_no_key_that_works_is_said(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "api-key").write_text("nobody")
    (tmp_path / "api-secret").write_text("x")
    for name in ("api-key", "api-secret"):
        (tmp_path / name).chmod(0o600)
    ground.leave_word(credentials_dir=str(tmp_path))
    with pytest.raises(LowcapError, match="refuses the daemon's own key") as failure:
        _panic(ground)
    assert failure.value.code == "permission"
    ground.leave_word(credentials_dir=str(tmp_path / "nowhere"))
    with pytest.raises(LowcapError, match="no key in"):
        _panic(ground)


def test_a_wrong_clock_is_measured_again(ground: Ground) -> None:
    ground.road._middle_ms -= 60_000
    try:
        assert ground.seen() is not None
    finally:
        ground.road.measure_clock()


def test_not_flat_in_time_says_so(ground: Ground) -> None:
    ground.hold("KAITOUSDT", "100", "9", "0.1")
    ground.set_faults(fault=[{"kind": "lose-request", "method": "order.place", "for_s": 60}])
    with pytest.raises(CommandError) as failure:
        _panic(ground, give_up_s=1.0)
    assert failure.value.code == "timeout"
    ground.set_faults()
    _panic(ground)


def test_the_configuration_is_enough_where_no_daemon_has_left_word(
    ground: Ground, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'mode = "dry"\nnonsense = 1\n[exchange]\nrest_url = "{ground.url}"\n'
        f'credentials_dir = "{ground.keys}"\n[state]\ndir = "{tmp_path}"\n'
    )
    said: list[str] = []
    done = panic_direct(
        [tmp_path / "run" / "c.sock"],
        {"LOWCAP_CONFIG": str(config)},
        said.append,
        everything=False,
        reason="",
        give_up_s=40,
    )
    assert done["flat"]
    assert (tmp_path / "run" / STOP_FILE).exists()
    config.write_text('mode = "dry"\n')
    with pytest.raises(LowcapError, match="built-in exchange"):
        panic_direct(
            [tmp_path / "elsewhere" / "c.sock"],
            {"LOWCAP_CONFIG": str(config)},
            said.append,
            everything=False,
            reason="",
            give_up_s=5,
        )


def test_a_built_in_exchange_that_is_gone_ends_it(tmp_path: Path, ground: Ground) -> None:
    ground.leave_word(rest_url="http://127.0.0.1:9", api_key="k", api_secret="s")
    with pytest.raises(LowcapError) as failure:
        _panic(ground)
    assert failure.value.code == "unreachable"


@pytest.mark.parametrize("url", ["http://fapi.example.com", "ftp://127.0.0.1", "nonsense"])
def test_keys_go_by_https_or_stay_on_this_machine(ground: Ground, url: str) -> None:
    with pytest.raises(LowcapError):
        Road(url, ground.road.signer, print)


def test_only_who_holds_the_lock_is_signalled(tmp_path: Path) -> None:
    told = VenueFile(
        mode="dry", rest_url="", state_dir=str(tmp_path), credentials_dir="", entry_recv_window_ms=1
    )
    assert daemon_pid(told) is None
    lock = StateLock(tmp_path)
    import os

    assert daemon_pid(told) == os.getpid()
    lock.close()
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    assert daemon_pid(told) is None, "the number in a file that nobody locks is anybody's"


def test_a_venue_file_shows_no_key(tmp_path: Path) -> None:
    told = VenueFile(
        mode="dry", rest_url="http://x", state_dir="", credentials_dir="",
        entry_recv_window_ms=1, api_key="KEY", api_secret="SECRET",
    )  # fmt: skip
    assert "KEY" not in repr(told)
    (tmp_path / "venue.json").write_text("{")
    (tmp_path / "venue.json").chmod(0o600)
    with pytest.raises(LowcapError, match="cannot be used"):
        read_venue_file(tmp_path)


def test_only_the_daemons_own_word_is_believed(tmp_path: Path) -> None:
    """It says where what our keys have signed is sent."""
    told = VenueFile(
        mode="dry", rest_url="http://x", state_dir="", credentials_dir="", entry_recv_window_ms=1
    )
    leave_venue_file(tmp_path, told)
    assert read_venue_file(tmp_path) == told
    (tmp_path / "venue.json").chmod(0o640)
    with pytest.raises(LowcapError, match="alone"):
        read_venue_file(tmp_path)
    private = private_folder({"TMPDIR": str(tmp_path)})
    private.mkdir(mode=0o777)
    private.chmod(0o777)
    leave_venue_file(private, told)
    config = tmp_path / "config.toml"
    config.write_text('mode = "dry"\n')
    with pytest.raises(LowcapError, match="no daemon has left word"):
        find_target(
            [private / "control.sock"],
            {"TMPDIR": str(tmp_path), "LOWCAP_CONFIG": str(config)},
            [].append,
        )


def test_a_socket_that_the_configuration_names_is_looked_beside(
    ground: Ground, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'mode = "dry"\n[control]\nsocket = "{ground.places[0]}"\n')
    places = [tmp_path / "a" / "c.sock", tmp_path / "b" / "c.sock"]
    target = find_target(places, {"LOWCAP_CONFIG": str(config)}, [].append)
    assert (target.folder, target.venue.rest_url) == (ground.folder, ground.url)


async def test_the_road_speaks_tls_and_checks_whom_it_speaks_to(
    tls_contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, server = tls_contexts
    signer = HmacSigner("k", "s")
    paper = PaperServer(
        Exchange(ExchangeSetup(seed=1)),
        Account(api_key="k", secret="s"),
        SocketNet(server_tls=server),
        SystemClock(),
    )
    authorities = tmp_path / "ca.pem"
    authorities.write_text(
        "".join(ssl.DER_cert_to_PEM_cert(each) for each in client.get_ca_certs(binary_form=True))
    )
    async with trio.open_nursery() as nursery:
        port = await nursery.start(paper.run)
        road = Road(f"https://127.0.0.1:{port}", signer, print)
        with pytest.raises(NoAnswer, match="certificate"):
            await trio.to_thread.run_sync(road.measure_clock)
        monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
        road = Road(f"https://127.0.0.1:{port}", signer, print)
        await trio.to_thread.run_sync(road.measure_clock)
        rows = await trio.to_thread.run_sync(
            lambda: road.get("/fapi/v3/positionRisk", {}, list[PositionRow])
        )
        assert rows == []
        road.close()
        nursery.cancel_scope.cancel()


def test_it_loads_no_loop_and_no_library_for_http() -> None:
    code = (
        "import sys\nimport lowcap.terminal.direct, lowcap.direct.panic\n"
        "heavy = {'trio', 'httpx', 'prompt_toolkit', 'loguru', 'asyncio', 'cattrs', 'attrs', "
        "'cryptography'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "rooms = ('lowcap.execution.', 'lowcap.binance.')\n"
        "ours = [m for m in sys.modules if m.startswith(rooms)]\n"
        "print(sorted(ours))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    heavy, ours = done.stdout.splitlines()
    assert heavy == "[]"
    assert ours == str(
        [
            *(f"lowcap.binance.{name}" for name in ("errors", "filters", "seen", "sign", "wire")),
            "lowcap.execution.flatten",
        ]
    )


@pytest.mark.parametrize(
    ("state_dir", "folder"),
    [
        ("/var/lib/lowcap", "/etc/lowcap/credentials"),
        ("/var/lib/lowcap-paper", "/etc/lowcap-paper/credentials"),
        ("/home/ana/lowcap-x", "/etc/lowcap/credentials"),
    ],
)
def test_an_instance_is_never_given_the_key_of_another_account(state_dir: str, folder: str) -> None:
    told = VenueFile(
        mode="live",
        rest_url="https://fapi.binance.com",
        state_dir=state_dir,
        credentials_dir="/run/credentials/gone",
        entry_recv_window_ms=1_000,
    )
    with pytest.raises(LowcapError, match=f"no key in /run/credentials/gone, {folder}$"):
        _keys(told, {})
