"""What types cannot show: settings that are well formed and still make no sense, or no good."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from lowcap.config_measure import measure_faults
from lowcap.config_notify import notify_faults
from lowcap.config_protect import protect_faults
from lowcap.detection.matchers.base import SYMBOL
from lowcap.detection.matchers.payroll import REGIMES
from lowcap.detection.phrases import phrase_faults
from lowcap.detection.trigger import Trigger
from lowcap.feeds.window import parse_window
from lowcap.risk.sizing import TIER_NAMES
from lowcap.settings import Caps, Feed, Settings

MODES = ("dry", "testnet", "live")
# The frame families and how each lets a key be shown (docs/feeds.md).
FEED_FORMATS: dict[str, tuple[str, ...]] = {
    "tree": ("none", "login"),
    "synoptic": ("header", "query"),
    "bwe": ("none",),
    "phoenix": ("none", "header", "login"),
    "twitter": ("bearer",),
    "upbit": ("none",),
}
_ASKED_BY_HTTP = ("twitter", "upbit")
FEED_WITHIN: dict[str, tuple[int, int]] = {
    "text_ping_s": (0, 3_600),
    "ping_s": (1, 300),
    "idle_s": (1, 86_400),
    "stale_s": (0, 604_800),
    "renew_h": (0, 168),
    "poll_s": (5, 3_600),
}
LOG_LEVELS = ("debug", "info", "warning", "error")
CHOICES: dict[str, tuple[str, ...]] = {
    "mode": MODES,
    "shutdown.positions": ("keep", "flatten"),
    "log.level": LOG_LEVELS,
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# The one source that offers no TLS (docs/feeds.md).
_PLAIN_ALLOWED = frozenset({"tokyo.treeofalpha.com"})
# Testnet needs no arming, so it may not reach the live venue by its address.
_TESTNET_HOST = re.compile(r"(?:.+\.)?binancefuture\.com|demo-[a-z0-9-]+\.binance\.com")
_LIVE_HOST = re.compile(r"(?:[a-z0-9-]+\.)*binance\.com")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")

Bound = tuple[Decimal | int, Decimal | int]
# Path of a number to the least and the largest that it may be, both allowed.
WITHIN: dict[str, Bound] = {
    "state.keep_days": (1, 36_500),
    "paper.tick_ms": (1, 3_600_000),
    "paper.step_bps": (0, 10_000),
    "paper.port": (0, 65_535),
    "caps.interval_s": (60, 86_400),
    "caps.pages": (1, 40),
    "caps.rest_h": (1, 168),
    "caps.calls_per_min_max": (1, 500),
    "order.entry_recv_window_ms": (100, 10_000),
    "order.exit_recv_window_ms": (100, 10_000),
    "order.reply_timeout_ms": (100, 10_000),
    "order.retry_backoff": (Decimal("1.1"), 3),
    "order.retries_max": (0, 2),
    "leverage.max": (1, 20),
    "protect.stop_deadline_ms": (100, 60_000),
    "limits.losing_streak_max": (0, 1_000),
    "limits.equity_floor_usd": (0, 10**12),
    "limits.drawdown_pct_max": (0, 100),
    "limits.entries_per_hour_max": (0, 1_000_000),
    "limits.entries_per_day_max": (0, 10_000_000),
    "limits.executions_per_hour_max": (0, 1_000_000),
    "limits.feed_notional_usd_max": (0, 10**12),
}
# What may be 0, off, only where nothing leaves this machine.
NEVER_OFF = ("limits.losing_streak_max", "limits.executions_per_hour_max")
ABOVE_ZERO = (
    "paper.wallet_usdt",
    "order.collar_pct",
    "sizing.scale",
    "sizing.default_usd",
    "sizing.unknown_usd",
    "sizing.signal_usd_max",
    "limits.order_notional_usd_max",
    "limits.position_notional_usd_max",
    "limits.gross_notional_usd_max",
    "limits.open_positions_max",
    "limits.day_loss_usd_max",
    "limits.entries_per_s_max",
    "limits.entries_per_min_max",
    "limits.margin_pct_max",
    "limits.price_age_ms_max",
    "limits.mark_last_pct_max",
)
AT_MOST: dict[str, int] = {
    "order.collar_pct": 5,
    "order.max_retry_slippage_pct": 5,
    "limits.margin_pct_max": 30,
    "limits.mark_last_pct_max": 100,
}

# Compiled ceilings: a configuration may lower them, never raise them, unless all is loopback.
CEILINGS: dict[str, int] = {
    "limits.order_notional_usd_max": 1_000_000,
    "limits.position_notional_usd_max": 2_000_000,
    "limits.gross_notional_usd_max": 10_000_000,
    "limits.entries_per_s_max": 5,
    "limits.entries_per_min_max": 30,
    "limits.price_age_ms_max": 3_000,
    "protect.stop_deadline_ms": 3_000,
}


def faults_of(settings: Settings) -> list[str]:
    """Every fault that types cannot show, each with its path."""
    return [
        *_words(settings),
        *_numbers(settings),
        *held_faults(settings),
        *protect_faults(settings),
        *measure_faults(settings),
        *notify_faults(settings.notify, _url_faults),
        *_exchange(settings),
        *stream_base_faults("paper.upstream_url", settings.paper.upstream_url),
        *_feeds(settings),
        *_triggers(settings),
    ]


def _words(settings: Settings) -> Iterable[str]:
    for path, known in CHOICES.items():
        if (value := str(_at(settings, path))) not in known:
            yield f"{path}: expected one of {', '.join(known)}, not {value!r}"
    for path in ("state.dir", "control.socket", "exchange.credentials_dir", "caps.key_file"):
        if "\0" in str(_at(settings, path)):
            yield f"{path}: expected a path, not text with a NUL character"
    yield from _dollars("sizing.symbol_usd", settings.sizing.symbol_usd)
    yield from _tiers(settings.sizing.tiers)
    yield from _caps(settings.caps)


def bound_faults(number_at: Callable[[str], Decimal | int | None]) -> Iterable[str]:
    """Numbers out of their bounds; ``number_at`` gives that of a path, None where there is none."""
    for path, (least, most) in WITHIN.items():
        if (number := number_at(path)) is not None and not least <= number <= most:
            yield f"{path}: expected {least} to {most}"
    for path in ABOVE_ZERO:
        if (number := number_at(path)) is not None and number <= 0:
            yield f"{path}: expected more than 0"
    for path, most in AT_MOST.items():
        if (number := number_at(path)) is not None and number > most:
            yield f"{path}: expected at most {most}"


def _numbers(settings: Settings) -> Iterable[str]:
    yield from bound_faults(partial(_at, settings))
    order = settings.order
    if order.max_retry_slippage_pct < order.collar_pct <= AT_MOST["order.collar_pct"]:
        yield "order.max_retry_slippage_pct: expected at least order.collar_pct"


def held_faults(settings: Settings) -> Iterable[str]:
    """What hangs on where ``settings`` trade: the ceilings, and what live mode must name."""
    if not _all_loopback(settings):
        for path, most in CEILINGS.items():
            if _at(settings, path) > most:
                yield f"{path}: expected at most {most} away from loopback"
        for path in NEVER_OFF:
            if _at(settings, path) == 0:
                yield f"{path}: expected 1 or more; it may be off (0) on loopback only"
    yield from _floor(settings)


def _floor(settings: Settings) -> Iterable[str]:
    """With real money the worth of the account at which all entries end must be named."""
    given = settings.exchange
    urls = (given.rest_url, given.ws_api_url, given.stream_url)
    real = settings.mode == "live" and not all(url and _host(url) in _LOOPBACK for url in urls)
    if real and settings.limits.equity_floor_usd == 0:
        yield "limits.equity_floor_usd: expected more than 0 in live mode: entries end there"


def _at(settings: Settings, path: str) -> Decimal | int:
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    number: Decimal | int = value
    return number


def _dollars(path: str, amounts: dict[str, Decimal]) -> Iterable[str]:
    for symbol, amount in amounts.items():
        if SYMBOL.fullmatch(symbol) is None:
            yield f"{path}.{symbol}: expected a symbol in capitals, like BTCUSDT"
        if amount <= 0:
            yield f"{path}.{symbol}: expected more than 0"


def _tiers(tiers: tuple[tuple[Decimal, Decimal], ...]) -> Iterable[str]:
    if not 1 <= len(tiers) <= len(TIER_NAMES):
        yield f"sizing.tiers: expected 1 to {len(TIER_NAMES)} tiers, not {len(tiers)}"
    elif tiers[-1][0] != 0:
        yield f"sizing.tiers: expected the last tier to start at 0, not {tiers[-1][0]}"
    if any(above[0] <= below[0] for above, below in pairwise(tiers)):
        yield "sizing.tiers: expected each tier to start below the one before it"
    if any(usd <= 0 for _, usd in tiers):
        yield "sizing.tiers: expected sizes above 0"


def _caps(caps: Caps) -> Iterable[str]:
    if caps.url or caps.enabled:
        yield from _url_faults("caps.url", caps.url, "http")
        if "?" in caps.url or "#" in caps.url:
            yield "caps.url: expected an address without ? and #; the key has a file of its own"
    if caps.key_env and _ENV_NAME.fullmatch(caps.key_env) is None:
        yield "caps.key_env: expected the name of an environment variable"
    if caps.key_env and caps.key_file:
        yield "caps: expected key_file or key_env, not both"


def _exchange(settings: Settings) -> Iterable[str]:
    exchange = settings.exchange
    urls = {
        "exchange.rest_url": (exchange.rest_url, "http"),
        "exchange.ws_api_url": (exchange.ws_api_url, "ws"),
        "exchange.stream_url": (exchange.stream_url, "ws"),
    }
    given = [url for url, _ in urls.values() if url]
    if given and len(given) < len(urls):
        yield "exchange: expected all of rest_url, ws_api_url, stream_url, or none"
    for path, (url, scheme) in urls.items():
        if not url:
            continue
        faults = _url_faults(path, url, scheme)
        yield from faults
        host = _host(url)
        if faults or host in _LOOPBACK:
            continue
        if settings.mode == "dry":
            yield f"{path}: dry mode trades on loopback only, not at {host}"
        if settings.mode == "live" and _LIVE_HOST.fullmatch(host) is None:
            yield f"{path}: live mode trades at binance.com or on loopback, not at {host}"
        if settings.mode == "testnet" and _TESTNET_HOST.fullmatch(host) is None:
            yield f"{path}: testnet mode trades at the testnet or on loopback, not at {host}"


def stream_base_faults(path: str, url: str) -> list[str]:
    """Faults of another venue's stream base: TLS except on this machine, and only a base."""
    if not url:
        return []
    if "?" in url or "#" in url:
        return [f"{path}: expected the base of the streams, without ? and #"]
    return _url_faults(path, url, "ws")


def _feeds(settings: Settings) -> Iterable[str]:
    for name, feed in settings.feed.items():
        path = f"feed.{name}"
        if _NAME.fullmatch(name) is None:
            yield f"{path}: expected a name of letters, digits, _, - and ."
        if feed.format not in FEED_FORMATS:
            yield f"{path}.format: expected one of {', '.join(FEED_FORMATS)}, not {feed.format!r}"
        if feed.url:
            scheme = "http" if feed.format in _ASKED_BY_HTTP else "ws"
            plain_hosts = _LOOPBACK if scheme == "http" else _LOOPBACK | _PLAIN_ALLOWED
            yield from _url_faults(f"{path}.url", feed.url, scheme, plain_hosts)
            if "apikey=" in feed.url.lower():
                yield f"{path}.url: an address carries no key; keys have files of their own"
        elif feed.enabled:
            yield f"{path}.url: expected an address, or enabled = false"
        for key, (least, most) in FEED_WITHIN.items():
            if not least <= getattr(feed, key) <= most:
                yield f"{path}.{key}: expected {least} to {most}"
        try:
            parse_window(feed.hold_open)
        except ValueError as error:
            yield f"{path}.hold_open: {error}"
        yield from _feed_key(path, feed)


def _feed_key(path: str, feed: Feed) -> Iterable[str]:
    """Faults of how a feed's key is shown and where it comes from."""
    known = FEED_FORMATS.get(feed.format, (feed.auth,))
    # Servers on this machine are simulators: they let everybody in.
    if feed.auth not in known and not (feed.auth == "none" and _host(feed.url) in _LOOPBACK):
        yield f"{path}.auth: expected {' or '.join(known)} with this format, not {feed.auth!r}"
    if "\0" in feed.key_file:
        yield f"{path}.key_file: expected a path, not text with a NUL character"
    if feed.key_env and _ENV_NAME.fullmatch(feed.key_env) is None:
        yield f"{path}.key_env: expected the name of an environment variable"
    if feed.key_env and feed.key_file:
        yield f"{path}: expected key_file or key_env, not both"
    if feed.auth == "none" and (feed.key_env or feed.key_file):
        yield f"{path}.auth: none shows the key to nobody; say how, or take the key away"


def _url_faults(
    path: str, url: str, scheme: str, plain_hosts: frozenset[str] = _LOOPBACK
) -> list[str]:
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError as error:
        return [f"{path}: {error}"]
    odd = not url.isascii() or not url.isprintable() or " " in url or "\\" in url
    if odd or parts.scheme not in (scheme, f"{scheme}s") or not parts.hostname or not port_is_fine:
        return [f"{path}: expected an address like {scheme}s://host/path"]
    if parts.username is not None:
        return [f"{path}: an address carries no user name; keys have files of their own"]
    if parts.scheme == scheme and parts.hostname not in plain_hosts:
        return [f"{path}: expected {scheme}s:// away from loopback, not {scheme}://"]
    return []


def _host(url: str) -> str:
    """The host of an address, lower case; empty where there is none to be read."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _all_loopback(settings: Settings) -> bool:
    """Whether nothing leaves this machine: only then may the ceilings be lifted."""
    given = settings.exchange
    urls = [given.rest_url, given.ws_api_url, given.stream_url]
    if settings.mode != "dry" and not all(urls):
        return False  # empty means the known hosts of the mode
    urls.append(settings.paper.upstream_url)
    urls += [feed.url for feed in settings.feed.values() if feed.enabled]
    return all(not url or _host(url) in _LOOPBACK for url in urls)


def _triggers(settings: Settings) -> Iterable[str]:
    ids = [trigger.id for trigger in settings.trigger]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"trigger {name}: defined twice"
    for trigger in settings.trigger:
        path = f"trigger {trigger.id}"
        yield from _one_trigger(path, trigger, settings)
        for fault in trigger.faults():
            yield f"{path}.{fault}"
    yield from phrase_faults("hedge", settings.hedge)
    if settings.payroll.macro_regime not in REGIMES:
        regime, known = settings.payroll.macro_regime, ", ".join(REGIMES)
        yield f"payroll.macro_regime: expected one of {known}, not {regime!r}"


def _one_trigger(path: str, trigger: Trigger, settings: Settings) -> Iterable[str]:
    if _NAME.fullmatch(trigger.id) is None:
        yield f"{path}.id: expected letters, digits, _, - and ."
    if not trigger.feeds:
        yield f"{path}.feeds: expected at least one feed"
    for feed in trigger.feeds:
        if feed not in settings.feed:
            yield f"{path}.feeds: no feed {feed!r} is configured"
    if len(set(trigger.feeds)) < len(trigger.feeds):
        yield f"{path}.feeds: a feed is named twice"
    yield from _dollars(f"{path}.notional_usd", trigger.notional_usd)
