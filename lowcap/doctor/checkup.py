"""All checks in order: what the daemon says first, then what can be seen without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from lowcap import __version__
from lowcap.binance.sign import HmacSigner
from lowcap.config import load
from lowcap.config_tree import find_config, state_folder
from lowcap.control.client import Connection
from lowcap.core.errors import ConfigError, LowcapError
from lowcap.core.plain import plain
from lowcap.core.venuefile import VenueFile, read_venue_file
from lowcap.direct.road import Road
from lowcap.direct.target import CREDENTIALS_OF_ROOT, daemon_pid, find_target
from lowcap.doctor import host, network, units
from lowcap.doctor.findings import Finding, fail, ok, warn
from lowcap.settings import Settings

ASK_WITHIN_S = 5.0


@attrs.define
class Bearings:
    """What there is to look at: the daemon's word, its venue file, the configuration."""

    environ: Mapping[str, str]
    places: list[Path]
    config: Path
    place: Path | None = None
    status: Mapping[str, Any] | None = None
    told: VenueFile | None = None
    settings: Settings | None = None


def check_all(places: list[Path], config: str, environ: Mapping[str, str]) -> list[Finding]:
    """Everything that can be checked from here. ``places`` are the sockets to try, best first."""
    at = Bearings(environ, places, _config(config, environ))
    found = [*_ask_daemon(at), *_read_config(at)]
    at.told = _told(places)
    found += _clock_and_keys(at)
    if at.settings is not None:
        found += network.dns(network.urls_of(at.settings))
    found += network.time_sync()
    pid = daemon_pid(at.told) if at.told is not None else None
    found += host.limits(pid)
    found += host.disk(_state(at))
    found += host.files(at.config, _credentials(at), _key_files(at.settings))
    found += host.groups()
    found += host.control_socket(at.place)
    found += host.python_and_terminal(environ)
    found += host.journal()
    found += units.check_installed("", environ)
    return found


def _config(given: str, environ: Mapping[str, str]) -> Path:
    """The named file, else that of the installed service, else the usual places."""
    if given:
        return Path(given)
    if "LOWCAP_CONFIG" not in environ and (named := units.config_of_service(environ)):
        return Path(named)
    return find_config(environ)


def _ask_daemon(at: Bearings) -> Iterable[Finding]:
    try:
        connection = Connection(at.places, ASK_WITHIN_S)
    except LowcapError as error:
        yield warn("daemon", error.message, error.hint)
        return
    try:
        answer = connection.call("status", {})
        at.place = next((place for place in at.places if place.exists()), None)
    except LowcapError as error:
        yield fail("daemon", error.message, error.hint)
        return
    finally:
        connection.close()
    if not isinstance(answer, dict):
        yield fail("daemon", "its status is unreadable", "install one version on both sides")
        return
    at.status = answer
    if answer["version"] != __version__:
        text = f"version {plain(str(answer['version']))}, this client {__version__}"
        yield warn("daemon", text, "systemctl restart lowcapd")
    holds = "; ".join(f"{row['name']}: {plain(row['reason'])}" for row in answer["holds"])
    said = f"{answer['mode']} {answer['state']}, up {answer['uptime_s']} s"
    if answer["ledger"]["fault"]:
        yield fail("daemon", f"ledger: {plain(answer['ledger']['fault'])}", "lowcapctl logs")
    elif holds:
        yield warn("daemon", f"{said}; {holds}", "lowcapctl status")
    else:
        yield ok("daemon", said)


def _read_config(at: Bearings) -> Iterable[Finding]:
    try:
        at.settings, digest = load(at.config, at.environ)
    except ConfigError as error:
        for fault in error.faults:
            yield fail("config", f"{at.config}: {plain(fault, 400)}", error.hint)
        return
    text = f"{at.config}: {at.settings.mode} mode, hash {digest}"
    running = at.status["config_hash"] if at.status is not None else digest
    if running != digest:
        text += f"; the daemon runs {running}"
        yield warn("config", text, "systemctl reload lowcapd, or restart; or --config FILE")
    else:
        yield ok("config", text)


def _told(places: list[Path]) -> VenueFile | None:
    """What a daemon has left beside its socket, where we may read it."""
    for place in places:
        try:
            if (told := read_venue_file(place.parent)) is not None:
                return told
        except LowcapError:
            continue
    return None


def _clock_and_keys(at: Bearings) -> Iterable[Finding]:
    """The venue by the daemon's word and by our own: its clock, the way there, the keys."""
    if at.status is not None and at.status["recovered"]:
        yield network.clock_by_daemon(at.status)
    try:
        target = find_target(at.places, dict(at.environ), lambda line: None)
    except LowcapError as error:
        yield from _without_keys(at, error)
        return
    road = Road(target.venue.rest_url, target.keys[0].signer, lambda line: None)
    try:
        findings = list(network.venue(target.venue.rest_url, road))
        yield from findings
        if any(finding.name == "clock" for finding in findings):
            for given in target.keys:
                road.signer = given.signer
                yield from network.key(target.venue.mode, target.venue.rest_url, given, road)
    finally:
        road.close()


def _without_keys(at: Bearings, error: LowcapError) -> Iterable[Finding]:
    """No key that we may read: the clock can be looked at all the same."""
    settings = at.settings
    url = network.urls_of(settings).get("exchange.rest_url", "") if settings is not None else ""
    if not url:
        yield ok("venue", "the built-in exchange, inside the daemon")
        return
    try:
        road = Road(url, HmacSigner("", ""), lambda line: None)
    except LowcapError as fault:
        yield fail("venue", fault.message, fault.hint)
        return
    try:
        yield from network.venue(url, road)
    finally:
        road.close()
    yield warn("key", f"not checked: {error.message}", error.hint)


def _state(at: Bearings) -> Path:
    if at.told is not None:
        return Path(at.told.state_dir)
    given = at.settings.state.dir if at.settings is not None else ""
    if not given and (named := units.state_of_service(at.environ)):
        return Path("/var/lib") / named
    return state_folder(given, at.environ)


def _credentials(at: Bearings) -> list[Path]:
    named = at.settings.exchange.credentials_dir if at.settings is not None else ""
    return [Path(place) for place in (named, CREDENTIALS_OF_ROOT) if place]


def _key_files(settings: Settings | None) -> list[Path]:
    if settings is None:
        return []
    named = [feed.key_file for feed in settings.feed.values()] + [settings.caps.key_file]
    return [Path(name) for name in named if name]
