"""Each check of the doctor by itself: what is fine, what is not, and the remedy."""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from doctor_kit import Canned, canned_venue

from lowcap.binance.sign import HmacSigner
from lowcap.binance.urls import KNOWN_URLS, VenueUrls
from lowcap.config import load, shipped
from lowcap.direct.road import Road
from lowcap.direct.target import Key
from lowcap.doctor import host, network
from lowcap.doctor.findings import Finding, report
from lowcap.execution.keeper import CLOCK_OFFSET_MS_MAX

KEY = Key("the key", HmacSigner("k", "s"))


@pytest.fixture
def venue() -> Iterator[tuple[str, Canned]]:
    with canned_venue() as made:
        yield made


def _road(url: str) -> Road:
    return Road(url, KEY.signer, lambda line: None)


def _texts(findings: Any) -> list[str]:
    return [f"{finding.level} {finding.text}" for finding in findings]


def _only(findings: Any) -> Finding:
    (found,) = findings
    assert isinstance(found, Finding)
    return found


def test_a_report_is_ok_unless_something_must_be_mended() -> None:
    fine = Finding(name="a", level="ok", text="x")
    bad = Finding(name="a", level="FAIL", text="x")
    assert report([fine, Finding(name="a", level="warn", text="x")])["ok"]
    assert not report([fine, bad])["ok"]
    assert report([fine, bad])["counts"] == {"ok": 1, "warn": 0, "fail": 1}


# -- outside ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset_ms", "level"),
    [(0, "ok"), (150, "warn"), (-150, "warn"), (600, "FAIL"), (-600, "FAIL")],
)
def test_the_clock_is_held_against_the_venue(
    venue: tuple[str, Canned], offset_ms: int, level: str
) -> None:
    url, canned = venue
    canned.offset_ms = offset_ms
    road = _road(url)
    found = _only(network.venue(url, road))
    road.close()
    assert (found.name, found.level) == ("clock", level)
    assert abs(found.figures["offset_ms"] - offset_ms) < 40
    assert ("timedatectl" in found.remedy) == (level != "ok")


def test_the_doctor_refuses_the_offset_that_the_daemon_refuses() -> None:
    assert network.OFFSET_MS_MAX == CLOCK_OFFSET_MS_MAX


def test_a_venue_that_is_away_is_a_failure() -> None:
    found = _only(network.venue("http://127.0.0.1:9", _road("http://127.0.0.1:9")))
    assert (found.name, found.level) == ("venue", "FAIL")
    assert "refused" in found.text


def _key(mode: str, url: str) -> list[str]:
    road = _road(url)
    list(network.venue(url, road))
    found = _texts(network.key(mode, url, KEY, road))
    road.close()
    return found


def test_a_key_that_works_on_a_venue_that_tells_no_more(venue: tuple[str, Canned]) -> None:
    assert _key("testnet", venue[0]) == [
        "ok the key works; this venue does not tell what it may do"
    ]
    assert not any("sapi" in path for path in venue[1].asked)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dualSidePosition": True}, "FAIL the account is in hedge mode"),
        ({"multiAssetsMargin": True}, "FAIL the account is in multi-assets mode"),
        ({"canTrade": False}, "FAIL the account may not trade"),
    ],
)
def test_an_account_that_lowcap_does_not_trade_is_named(
    venue: tuple[str, Canned], changed: dict[str, Any], said: str
) -> None:
    venue[1].account |= changed
    assert said in _key("testnet", venue[0])


def test_a_key_that_the_venue_refuses(venue: tuple[str, Canned]) -> None:
    venue[1].refusal = {"code": -2015, "msg": "Invalid API-key, IP, or permissions"}
    assert _key("testnet", venue[0])[0].startswith("FAIL the key: -2015")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "ok the key may read and trade futures, from this address only"),
        ({"enableWithdrawals": True}, "FAIL the key: the key may withdraw"),
        ({"permitsUniversalTransfer": True}, "FAIL the key: the key may transfer within"),
        ({"enableFutures": False}, "FAIL the key: the key may not trade futures"),
        ({"ipRestrict": False}, "warn the key: the key works from any address"),
    ],
)
def test_with_real_money_the_rights_of_the_key_are_read(
    venue: tuple[str, Canned],
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    said: str,
) -> None:
    url, canned = venue
    monkeypatch.setitem(KNOWN_URLS, "live", VenueUrls("", "", "", url))
    canned.rights |= changed
    # The futures host is somebody else's; here it is the same server under another name.
    monkeypatch.setattr(network, "LOOPBACK", ())
    assert _key("live", url) == [said] or said in _key("live", url)[0]


def test_names_are_looked_up_all_at_once_and_failures_are_named() -> None:
    here = socket.gethostname()
    urls = {
        "feed.a.url": f"wss://{here}/x",
        "feed.b.url": f"https://{here}/y",
        "feed.c.url": "wss://no..name/x",  # no resolver is asked: it cannot be a name
        "exchange.rest_url": "http://127.0.0.1:9",
        "caps.url": "http://[::1]:9",
    }
    found = {finding.level: finding for finding in network.dns(urls)}
    assert set(found) == {"ok", "FAIL"}
    assert f"{here} (feed.a.url, feed.b.url) → " in found["ok"].text
    assert "no..name (feed.c.url): " in found["FAIL"].text
    assert "resolv.conf" in found["FAIL"].remedy
    assert _only(network.dns({})).level == "ok"


def test_a_resolver_that_hangs_does_not_hang_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_LOOKUP", "import time; time.sleep(60)")
    monkeypatch.setattr(network, "LOOKUP_WITHIN_S", 0.3)
    found = _only(network.dns({"a": "wss://somewhere.example/"}))
    assert "no answer in 0.3 s" in found.text


def test_addresses_are_those_of_the_configuration_and_of_the_known_venues() -> None:
    settings, _ = load(shipped("config.toml"), {})
    dry = network.urls_of(settings)
    assert "feed.bwe.url" in dry
    assert "feed.upbit.url" not in dry  # switched off
    assert not any(key.startswith("exchange") for key in dry)
    live = network.urls_of(attrs.evolve(settings, mode="live"))
    assert live["exchange.rest_url"] == KNOWN_URLS["live"].rest
    assert live["exchange (key rights)"] == KNOWN_URLS["live"].account
    assert "exchange (key rights)" not in network.urls_of(attrs.evolve(settings, mode="testnet"))


# -- here -------------------------------------------------------------------------


def test_limits_of_a_process_are_read_where_it_may_be_seen() -> None:
    found = _only(host.limits(os.getpid()))
    assert f"process {os.getpid()}" in found.text
    assert found.figures["files"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert "this shell" in _only(host.limits(None)).text
    assert "this shell" in _only(host.limits(2**22 + 1)).text  # there is none


def test_few_open_files_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "FILES_LEAST", 10**9)
    found = _only(host.limits(None))
    assert (found.level, "LimitNOFILE" in found.remedy) == ("FAIL", True)


def test_disk_has_room_and_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, speed = host.disk(tmp_path)
    assert room.figures["free_mb"] > 0
    assert speed.figures["sync_ms"] > 0
    assert list(tmp_path.iterdir()) == []  # nothing is left
    assert _texts(host.disk(tmp_path / "not" / "yet"))[1].startswith("warn ")
    monkeypatch.setattr(host, "FREE_MB_LEAST", 10**12)
    assert next(iter(host.disk(tmp_path))).level == "FAIL"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_not_measured(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "not measured" in _texts(host.disk(tmp_path))[1]


def test_what_others_may_read_or_change_is_named(tmp_path: Path) -> None:
    config, keys = tmp_path / "config.toml", tmp_path / "credentials"
    (tmp_path / "config.d").mkdir()
    extra = tmp_path / "config.d" / "a.toml"
    keys.mkdir(mode=0o700)
    feed = tmp_path / "feed-key"
    for path in (config, extra, keys / "api-key", feed):
        path.write_text("x")
        path.chmod(0o600)
    assert _texts(host.files(config, [keys], [feed])) == [
        f"ok {config} and 1 key files: nobody else may change or read them"
    ]
    extra.chmod(0o646)
    (keys / "api-key").chmod(0o640)
    feed.chmod(0o604)
    keys.chmod(0o770)
    assert _texts(host.files(config, [keys], [feed])) == [
        f"FAIL {extra} may be changed by everybody",
        f"FAIL {keys} may be changed by others",
        f"FAIL the key {keys / 'api-key'} is readable by others",
        f"FAIL the key {feed} is readable by others",
    ]


def test_an_open_socket_fails(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    path.touch(mode=0o660)
    path.chmod(0o660)
    assert _only(host.control_socket(path)).level == "ok"
    path.chmod(0o666)
    assert _only(host.control_socket(path)).remedy == f"chmod 660 {path}"
    assert list(host.control_socket(None)) == []


def test_groups_are_those_of_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_group", {"lowcap": 71, "lowcap-trade": 72, "lowcap-admin": 73}.get)
    monkeypatch.setattr(os, "geteuid", lambda: 4_242)
    monkeypatch.setattr(os, "getegid", lambda: 4_242)
    monkeypatch.setattr(os, "getgroups", lambda: [71, 72])
    assert _texts(host.groups()) == ["ok uid 4242: lowcap, lowcap-trade"]
    monkeypatch.setattr(os, "getgroups", lambda: [72])
    assert "is not in group lowcap" in _only(host.groups()).text
    monkeypatch.setattr(host, "_group", lambda name: None)
    assert "no group lowcap, lowcap-trade" in _only(host.groups()).text


def test_an_output_that_cannot_say_korean_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "stdout", SimpleNamespace(encoding="ANSI_X3.4-1968", isatty=lambda: False)
    )
    found = {finding.name: finding for finding in host.python_and_terminal({})}
    assert found["locale"].level == "warn"
    assert "terminal" not in found
