"""Where a log record belongs: its area, its folder, and its files in an exported tree. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

AREAS = ("trading", "signals", "feeds", "orders", "control", "system")
GENERAL_LOGS = ("app", "errors", "startup")
FEEDS = ("bwe", "tokyo", "toa_news", "phoenix", "synoptic", "twitter")
ORDER_LOGS = ("placements", "rejections", "guards", "executions", "leverage", "risk_validation")
TRADING_LOGS = ("general", "performance", "pnl")
# What a feed says that no trigger asks for has a folder of its own on this feed.
PHOENIX, PHOENIX_SIGNALS = "phoenix", "phoenix_signals"
_PAYROLL = "nfp_macro"
FOLDER_OF_TRIGGER: dict[str, str] = {
    "nfp_le_50k": _PAYROLL,
    "nfp_51k_100k": _PAYROLL,
    "nfp_125k_149k": _PAYROLL,
    "nfp_ge_150k": _PAYROLL,
    "nfp_unr_a": _PAYROLL,
    "nfp_unr_b": _PAYROLL,
    "elon_btc": "twitter_elon",
    "trump_buyback_burn": "twitter_trump",
    "eric_trump_token": "twitter_eric",
    "coinbase_roadmap": "coinbase_roadmap",
    "news_coin_mention": "news_general",
    "etf_filing": "blackrock_filings",
    "s1_trust": "s1_trust",
    "trump_reserve": "trump_reserve",
    "upbit_listing": "upbit_listings",
    "sec_approval": "sec_approval",
}
SIGNAL_FOLDERS = (*dict.fromkeys(FOLDER_OF_TRIGGER.values()), PHOENIX_SIGNALS)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_BAD = ("error", "critical")


def folder_of(trigger: str, feed: str) -> str:
    """The folder of a trigger's records: one of the shipped ones, else called like the trigger.

    Without a trigger: that of the feed where it has one, else none.
    """
    if trigger:
        return FOLDER_OF_TRIGGER.get(trigger, trigger)
    return PHOENIX_SIGNALS if feed == PHOENIX else ""


def paths_of(row: Mapping[str, object]) -> list[str]:
    """The files of the tree that a log record goes to, relative to its top."""
    area, log = str(row.get("area") or ""), str(row.get("log") or "app")
    feed, folder = str(row.get("feed") or ""), str(row.get("folder") or "")
    kind = str(row.get("kind") or "")
    paths = _by_area(area, _known(log, GENERAL_LOGS, "app"), log, feed, folder)
    if kind.startswith("news.") and feed:
        paths += _of_feed(feed, "data")
    if kind == "order.filled":
        paths.append("trading/general.log")
    if row.get("level") in _BAD:
        paths.append("general/errors.log")
    return list(dict.fromkeys(paths))


def _by_area(area: str, general: str, log: str, feed: str, folder: str) -> list[str]:
    if area == "feeds":
        return _of_feed(feed or "other", _known(log, ("connections", "data"), "connections"))
    if area == "signals":
        name = _safe(folder or "other")
        paths = [f"signals/{name}/{name}.log"]
        if log in ("detections", "processing"):
            paths.append(f"signals/{name}/{log}.log")
        return paths
    if area == "orders":
        return [f"orders/{_known(log, ORDER_LOGS, 'placements')}.log"]
    if area == "trading":
        return [f"trading/{_known(log, TRADING_LOGS, 'general')}.log"]
    return [f"general/{general}.log"]


def _of_feed(feed: str, log: str) -> list[str]:
    name = _safe(feed)
    return [f"websockets/{name}/{log}.log", f"websockets/{name}/{name}.log"]


def _known(name: str, names: tuple[str, ...], otherwise: str) -> str:
    return name if name in names else otherwise


def _safe(name: str) -> str:
    """A name that cannot leave its folder: records may come from anybody's journal."""
    return name if _NAME.fullmatch(name) else "other"


def all_paths() -> list[str]:
    """Every file of the tree as shipped, whether or not there is something to put in it."""
    return [
        *(f"general/{log}.log" for log in GENERAL_LOGS),
        *(f"websockets/{f}/{log}.log" for f in FEEDS for log in ("connections", "data", f)),
        *(
            f"signals/{name}/{log}.log"
            for name in SIGNAL_FOLDERS
            for log in (name, "detections", "processing")
        ),
        *(f"orders/{log}.log" for log in ORDER_LOGS),
        *(f"trading/{log}.log" for log in TRADING_LOGS),
    ]
