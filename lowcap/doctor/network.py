"""What lies outside: names, the venue's clock, the way there, and what the key may do."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from lowcap.binance.urls import KEY_RIGHTS, KNOWN_URLS, remark_on
from lowcap.binance.wire import AccountConfig, KeyRights
from lowcap.core.errors import LowcapError
from lowcap.core.plain import plain
from lowcap.direct.road import LOOPBACK, Refused, Road
from lowcap.direct.target import Key
from lowcap.doctor.findings import Finding, fail, ok, warn
from lowcap.settings import Settings

# The daemon takes no entries beyond this offset: see CLOCK_OFFSET_MS_MAX of the keeper.
OFFSET_MS_MAX, OFFSET_MS_GOOD = 250, 100
LOOKUP_WITHIN_S, LOOKUP_MS_GOOD = 5.0, 500.0
ROUND_TRIP_MS_GOOD = 300.0
_LOOKUP = """
import socket, sys, time
began = time.perf_counter()
try:
    found = socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM)
    print("ok", (time.perf_counter() - began) * 1000, found[0][4][0])
except (OSError, UnicodeError) as error:
    why = getattr(error, "strerror", None) or error
    print("no", (time.perf_counter() - began) * 1000, why)
"""


def urls_of(settings: Settings) -> dict[str, str]:
    """Every address outside that the configuration leads to, by its key. What is off has none."""
    found = dict(_urls_in(attrs.asdict(settings), ""))
    given = settings.exchange.rest_url
    if not given and (known := KNOWN_URLS.get(settings.mode)) is not None:
        found |= {
            "exchange.rest_url": known.rest,
            "exchange.ws_api_url": known.ws_api,
            "exchange.stream_url": known.streams,
        }
        if known.account:
            found["exchange (key rights)"] = known.account
    return found


def _urls_in(tree: Mapping[str, Any], path: str) -> Iterable[tuple[str, str]]:
    if tree.get("enabled") is False:
        return
    for key, value in tree.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from _urls_in(value, where)
        elif isinstance(value, str) and value.startswith(
            ("http://", "https://", "ws://", "wss://")
        ):
            yield where, value


def dns(urls: Mapping[str, str]) -> Iterable[Finding]:
    """Whether each host has an address, and how long it takes to learn it; all at once."""
    hosts: dict[str, list[str]] = {}
    for key, url in urls.items():
        host = urlsplit(url).hostname or ""
        if host not in LOOPBACK and not _is_address(host):
            hosts.setdefault(host, []).append(key)
    if not hosts:
        yield ok("dns", "no host outside is configured")
        return
    # Looking up cannot be told to hurry: processes of their own, which can be ended.
    asked = {
        host: subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LOOKUP, host],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        for host in hosts
    }
    give_up_s = time.monotonic() + LOOKUP_WITHIN_S
    for host, child in asked.items():
        try:
            told, _ = child.communicate(timeout=max(give_up_s - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            told = ""
        yield _looked_up(host, hosts[host], told)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _looked_up(host: str, keys: list[str], told: str) -> Finding:
    answer, took, rest = [*told.split(maxsplit=2), "", "", ""][:3]
    named = f"{plain(host)} ({', '.join(keys)})"
    if answer != "ok":
        why = plain(rest.strip()) or f"no answer in {LOOKUP_WITHIN_S:g} s"
        return fail("dns", f"{named}: {why}", "look at /etc/resolv.conf and at the firewall")
    took_ms = float(took)
    text = f"{named} → {rest.strip()} in {took_ms:.0f} ms"
    found = ok if took_ms <= LOOKUP_MS_GOOD else warn
    return found("dns", text, host=host, took_ms=round(took_ms, 1))


# -- the venue --------------------------------------------------------------------


def clock_by_daemon(status: Mapping[str, Any]) -> Finding:
    """Offset and round trip as the daemon has measured them."""
    venue = status["venue"]
    return _clock(int(venue["clock_offset_ms"]), float(venue["round_trip_ms"]), "by the daemon")


def venue(url: str, road: Road) -> Iterable[Finding]:
    """The venue's clock against ours, and the way there and back on a warm connection."""
    try:
        road.measure_clock()
        began_s = time.monotonic()  # the first has opened the connection
        road.measure_clock()
        took_ms = (time.monotonic() - began_s) * 1000
        offset_ms = round(road.venue_ms() - time.time() * 1000)
    except LowcapError as error:
        yield fail("venue", f"{url}: {error.message}", error.hint or "is the network up?")
        return
    yield _clock(offset_ms, took_ms, url)


def _clock(offset_ms: int, round_trip_ms: float, by: str) -> Finding:
    text = f"{offset_ms:+d} ms off the venue, round trip {round_trip_ms:.0f} ms ({by})"
    figures = {"offset_ms": offset_ms, "round_trip_ms": round(round_trip_ms, 1)}
    if abs(offset_ms) > OFFSET_MS_MAX:
        remedy = "set the clock: timedatectl set-ntp true"
        return fail(
            "clock", f"{text}: entries are refused beyond {OFFSET_MS_MAX}", remedy, **figures
        )
    if abs(offset_ms) > OFFSET_MS_GOOD:
        return warn("clock", text, "timedatectl set-ntp true", **figures)
    if round_trip_ms > ROUND_TRIP_MS_GOOD:
        return warn("clock", text, "a machine nearer to the venue is quicker", **figures)
    return ok("clock", text, **figures)


def time_sync() -> Iterable[Finding]:
    """Whether something keeps the clock, as far as systemd knows."""
    if shutil.which("timedatectl") is None:
        return
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=3,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return
    if done.stdout.strip() == "no":
        yield warn("clock", "nothing keeps the clock", "timedatectl set-ntp true")
    elif done.stdout.strip() == "yes":
        yield ok("clock", "kept by time synchronisation")


def key(mode: str, url: str, given: Key, road: Road) -> Iterable[Finding]:
    """Whether the key works, what the account is set to, and what the key may do."""
    try:
        config = road.get("/fapi/v1/accountConfig", {}, AccountConfig)
    except LowcapError as error:
        yield fail("key", f"{given.name}: {error.message}", error.hint)
        return
    if config.dualSidePosition:
        yield fail("key", "the account is in hedge mode", "switch it to one-way mode")
    if config.multiAssetsMargin:
        yield fail("key", "the account is in multi-assets mode", "switch it to single-asset mode")
    if not config.canTrade:
        yield fail("key", "the account may not trade", "look at the key's permissions")
        return
    if mode != "live" or urlsplit(url).hostname in LOOPBACK:
        yield ok("key", f"{given.name} works; this venue does not tell what it may do")
        return
    yield _rights(given, road)


def _rights(given: Key, measured: Road) -> Finding:
    account = KNOWN_URLS["live"].account
    road = Road(account, given.signer, lambda line: None)
    road.go_by(measured)  # another host, which does not tell the time of futures
    try:
        rights = road.get(KEY_RIGHTS, {}, KeyRights)
        remark = remark_on(rights)
    except Refused as error:
        return warn("key", f"{given.name}: {account} does not say what it may do: {error.message}")
    except LowcapError as error:
        level = fail if error.code == "key-permissions" else warn
        return level("key", f"{given.name}: {error.message}", error.hint)
    finally:
        road.close()
    if remark:
        return warn("key", f"{given.name}: {remark}")
    return ok("key", f"{given.name} may read and trade futures, from this address only")
