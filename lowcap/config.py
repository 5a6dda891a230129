"""Reading config.toml: layers, strict types, and every fault named by its path."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import fields
from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError
from cattrs.v import format_exception, transform_error

from lowcap.core.errors import ConfigError
from lowcap.core.money import Side
from lowcap.detection.rules import MATCHERS, AnyMatch, Trigger
from lowcap.settings import Settings

MODES = ("dry", "testnet", "live")
FEED_FORMATS = ("tree", "synoptic")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# The one source that offers no TLS (docs/feeds.md).
_PLAIN_ALLOWED = frozenset({"tokyo.treeofalpha.com"})


def load(path: Path | None, environ: Mapping[str, str]) -> tuple[Settings, str]:
    """Settings from ``path`` (or the usual places) and the hash of what they say.

    Layers: built-in defaults < the file < ``config.d/*.toml`` beside it <
    ``LOWCAP_SECTION__KEY`` environment.

    Raises:
        ConfigError: with every fault found, each with its path.
    """
    path = path or find_config(environ)
    tree = _read(path)
    for extra in sorted((path.parent / "config.d").glob("*.toml")):
        tree = _merge(tree, _read(extra))
    _apply_environment(tree, environ)
    settings = from_tree(tree)
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
    return settings, digest


def find_config(environ: Mapping[str, str]) -> Path:
    """The first configuration that exists: $LOWCAP_CONFIG, ./, /etc/lowcap/, the shipped one."""
    if named := environ.get("LOWCAP_CONFIG"):
        return Path(named)
    for place in (Path("config.toml"), Path("/etc/lowcap/config.toml")):
        if place.exists():
            return place
    return shipped("config.toml")


def shipped(name: str) -> Path:
    """A file that comes with lowcap, installed or in a checkout."""
    package = Path(__file__).parent
    installed = package / "shipped" / name
    return installed if installed.exists() else package.parent / name


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file"], hint="name one with --config") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base``: tables key by key, ``[[trigger]]`` by id, the rest replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if key == "trigger" and isinstance(old, list) and isinstance(value, list):
            by_id = {row.get("id"): row for row in old}
            for row in value:
                by_id[row.get("id")] = _merge(by_id.get(row.get("id"), {}), row)
            merged[key] = list(by_id.values())
        elif isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _apply_environment(tree: dict[str, Any], environ: Mapping[str, str]) -> None:
    """``LOWCAP_ORDER__COLLAR_PCT=2`` sets ``order.collar_pct``; the value is read as TOML."""
    for name, text in sorted(environ.items()):
        if not name.startswith("LOWCAP_") or "__" not in name:
            continue
        *sections, key = name.removeprefix("LOWCAP_").lower().split("__")
        try:
            value = tomllib.loads(f"v = {text}", parse_float=Decimal)["v"]
        except tomllib.TOMLDecodeError:
            value = text
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
        table[key] = value


def from_tree(tree: dict[str, Any]) -> Settings:
    """Settings from a parsed TOML tree.

    Raises:
        ConfigError: with every fault.
    """
    converter = _converter()
    try:
        settings = converter.structure(tree, Settings)
    except ClassValidationError as error:
        faults = transform_error(error, path="config", format_exception=_words)
        raise ConfigError([_short(fault) for fault in faults], hint=_HINT) from error
    faults = list(_check(settings))
    if faults:
        raise ConfigError(faults, hint=_HINT)
    return settings


_HINT = "lowcapd check FILE lists all faults; config.toml shows every key with its meaning"


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)

    def exactly(kind: type) -> Any:  # noqa: ANN401  # cattrs hooks are untyped
        def hook(value: Any, _: type) -> Any:  # noqa: ANN401
            if type(value) is not kind:
                raise ValueError(f"expected {_TYPE_WORDS[kind]}, not {value!r}")
            return value

        return hook

    def decimal(value: Any, _: type) -> Decimal:  # noqa: ANN401
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise ValueError(f"expected a number, not {value!r}")
        amount = Decimal(value)
        if not amount.is_finite():
            raise ValueError("expected a finite number")
        return amount

    def side(value: Any, _: type) -> Side:  # noqa: ANN401
        if value not in ("BUY", "SELL"):
            raise ValueError(f'expected "BUY" or "SELL", not {value!r}')
        return Side(value)

    def trigger(value: Any, _: type) -> Trigger:  # noqa: ANN401
        return _structure_trigger(converter, value)

    for kind in (str, int, bool):
        converter.register_structure_hook(kind, exactly(kind))
    converter.register_structure_hook(Decimal, decimal)
    converter.register_structure_hook(Side, side)
    converter.register_structure_hook(Trigger, trigger)
    return converter


_TYPE_WORDS: dict[type, str] = {str: "text", int: "a whole number", bool: "true or false"}


def _structure_trigger(converter: Converter, value: object) -> Trigger:
    """A trigger table; its ``match`` is structured by the matcher it names."""
    if not isinstance(value, dict):
        raise ValueError("expected a table")
    name = value.get("matcher")
    if name not in MATCHERS:
        raise ValueError(f"matcher: expected one of {', '.join(MATCHERS)}, not {name!r}")
    match: AnyMatch = converter.structure(value.get("match", {}), MATCHERS[name])
    rest = {key: item for key, item in value.items() if key != "match"}
    known = {field.name: field.type for field in fields(Trigger)}
    if unknown := sorted(set(rest) - set(known)):
        raise ValueError(f"unknown key {', '.join(unknown)}")
    for key in ("id", "feeds", "side", "key"):
        if key not in rest:
            raise ValueError(f"required key {key} is missing")
    made = {
        "id": converter.structure(rest["id"], str),
        "feeds": converter.structure(rest["feeds"], tuple[str, ...]),
        "side": converter.structure(rest["side"], Side),
        "key": converter.structure(rest["key"], str),
        "matcher": name,
        "match": match,
    }
    optional: dict[str, Any] = {
        "enabled": bool,
        "tier": str,
        "max_age_s": int,
        "cooldown_s": int,
        "notional_usd": dict[str, Decimal],
    }
    for key, kind in optional.items():
        if key in rest:
            made[key] = converter.structure(rest[key], kind)
    return Trigger(**made)


def _words(error: BaseException, kind: type | None) -> str:
    if isinstance(error, ForbiddenExtraKeysError):
        return "unknown key " + ", ".join(sorted(error.extra_fields))
    if isinstance(error, KeyError):
        return "required key is missing"
    if isinstance(error, ValueError):
        return str(error)
    return format_exception(error, kind)


def _short(fault: str) -> str:
    """``order.collar_pct: expected a number``, from cattrs' wording with the path at the end."""
    text, at, path = fault.rpartition(" @ ")
    if not at:
        return fault
    path = path.removeprefix("config").lstrip(".") or "config"
    return f"{path}: {text}"


def _check(settings: Settings) -> list[str]:
    """Faults that types cannot show."""
    faults: list[str] = []

    def must(holds: bool, path: str, expected: str) -> None:
        if not holds:
            faults.append(f"{path}: expected {expected}")

    must(settings.mode in MODES, "mode", "one of " + ", ".join(MODES))
    must(
        settings.shutdown.positions in ("keep", "flatten"), "shutdown.positions", "keep or flatten"
    )
    levels = ("debug", "info", "warning", "error")
    must(settings.log.level in levels, "log.level", "one of " + ", ".join(levels))
    must(0 < settings.order.collar_pct <= 5, "order.collar_pct", "more than 0 and at most 5")
    must(0 < settings.protect.stop_pct < 50, "protect.stop_pct", "more than 0 and below 50")
    shares = sum(share for share, _ in settings.protect.ladder)
    must(shares == 100, "protect.ladder", f"shares that add up to 100, not {shares}")
    must(
        all(share > 0 and distance > 0 for share, distance in settings.protect.ladder),
        "protect.ladder",
        "positive shares and distances",
    )
    must(1 <= settings.leverage.max <= 20, "leverage.max", "1 to 20")
    must(0 < settings.limits.margin_pct_max <= 30, "limits.margin_pct_max", "up to 30")
    for name in ("order_notional_usd_max", "position_notional_usd_max", "gross_notional_usd_max",
                 "day_loss_usd_max", "open_positions_max", "price_age_ms_max"):  # fmt: skip
        must(getattr(settings.limits, name) > 0, f"limits.{name}", "more than 0")
    must(settings.sizing.scale > 0, "sizing.scale", "more than 0")
    faults += _check_windows(settings) + _check_urls(settings) + _check_triggers(settings)
    return faults


def _check_windows(settings: Settings) -> list[str]:
    faults = []
    for name in ("entry_recv_window_ms", "exit_recv_window_ms", "reply_timeout_ms"):
        if not 100 <= getattr(settings.order, name) <= 10_000:
            faults.append(f"order.{name}: expected 100 to 10000")
    if not settings.limits.entries_per_min_max <= 30 and not _all_loopback(settings):
        faults.append("limits.entries_per_min_max: expected at most 30 away from loopback")
    return faults


def _check_urls(settings: Settings) -> list[str]:
    faults = []
    urls = {
        f"exchange.{name}": getattr(settings.exchange, name)
        for name in ("rest_url", "ws_api_url", "stream_url")
    }
    given = [url for url in urls.values() if url]
    if given and len(given) < len(urls):
        faults.append("exchange: expected all of rest_url, ws_api_url, stream_url, or none")
    for path, url in urls.items():
        if url:
            faults += _url_faults(path, url, ("http", "ws"))
            if settings.mode == "dry" and urlsplit(url).hostname not in _LOOPBACK:
                faults.append(f"{path}: dry mode trades on loopback only, not at {url}")
    for name, feed in settings.feed.items():
        if feed.format not in FEED_FORMATS:
            faults.append(f"feed.{name}.format: expected one of {', '.join(FEED_FORMATS)}")
        if feed.url:
            faults += _url_faults(f"feed.{name}.url", feed.url, ("ws",))
        elif feed.enabled:
            faults.append(f"feed.{name}.url: expected an address, or enabled = false")
    return faults


def _url_faults(path: str, url: str, schemes: tuple[str, ...]) -> list[str]:
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError as error:
        return [f"{path}: {error}"]
    plain, secure = set(schemes), {f"{scheme}s" for scheme in schemes}
    if parts.scheme not in plain | secure or not parts.hostname or not port_is_fine:
        return [f"{path}: expected an address like {schemes[0]}s://host/path, not {url!r}"]
    if parts.username is not None:
        return [f"{path}: an address carries no user name; keys have files of their own"]
    if parts.scheme in plain and parts.hostname not in _LOOPBACK | _PLAIN_ALLOWED:
        return [f"{path}: expected {parts.scheme}s:// away from loopback"]
    return []


def _all_loopback(settings: Settings) -> bool:
    urls = [settings.exchange.rest_url, *(feed.url for feed in settings.feed.values())]
    return all(not url or urlsplit(url).hostname in _LOOPBACK for url in urls)


def _check_triggers(settings: Settings) -> list[str]:
    faults = []
    ids = [trigger.id for trigger in settings.trigger]
    faults += [
        f"trigger {name}: defined twice" for name in sorted({i for i in ids if ids.count(i) > 1})
    ]
    for trigger in settings.trigger:
        for feed in trigger.feeds:
            if feed not in settings.feed:
                faults.append(f"trigger {trigger.id}.feeds: no feed {feed!r} is configured")
        if trigger.tier not in ("macro", "regular", "batch"):
            faults.append(f"trigger {trigger.id}.tier: expected macro, regular or batch")
        if trigger.max_age_s <= 0 or trigger.cooldown_s < 0:
            faults.append(f"trigger {trigger.id}: expected a positive age and cool-down")
    return faults


def state_dir(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Where the ledger lives: ``state.dir``, $STATE_DIRECTORY, else the XDG state folder."""
    if settings.state.dir:
        return Path(settings.state.dir)
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    base = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME", "/"), ".local/state")
    return Path(base) / "lowcap"
