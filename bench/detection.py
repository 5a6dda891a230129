"""Decode and detect: one post through sixteen, 160 and 1,600 triggers, beside the plain way.

    python -m bench.detection [--json FILE]

The plain way is ``json.loads`` and one ``re`` alternation of the same phrases.
Both judge the same frames in turn, in one process.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from lowcap.config import load, shipped
from lowcap.core.clock import NS_PER_MS
from lowcap.core.messages import NewsItem
from lowcap.core.money import Side
from lowcap.detection.coins import CoinTable
from lowcap.detection.matchers.sender import Author
from lowcap.detection.matchers.text import TextMatch
from lowcap.detection.names import curated
from lowcap.detection.phrases import expand
from lowcap.detection.rules import Detector
from lowcap.detection.trigger import Trigger
from lowcap.feeds.bwe import BweDecoder
from lowcap.feeds.tree import TreeDecoder
from lowcap.settings import Settings

AT_MS = 1_770_384_600_000
COINS = 600
ROUNDS, PER_ROUND = 15, 400
BWE_START = b'{"source_name": "BWENEWS", "news_title": "'
POST = (
    "So much happened this week that it will not fit into one post. We shipped the new build to "
    "everyone, the team worked through the night, and it holds. Thanks to all who wrote in with "
    "reports, your patience was great and your notes were even better. More on Thursday, when we "
    "talk about what comes next, $SUI included."
)
# Texts that are made to be slow; each is repeated up to its length.
HARD = {
    "words": "if it could not be, it would be false and pending ",
    "tag soup": '<b><i x="1"><<a href=<br/><',
    "combining marks": "e\u0301\u0327\u0323\u0302",
    "NFKC expanders": "\ufdfa",
    "entity chains": "&amp;amp;amp;lt;&#38;#38;amp;&notit;",
    "coin names": "Sui SUI Ether Ethereum Classic Bitcoin Cash $BTC (ETH) ",
    "gaps": "order granting order granting approval of ",
    "brackets": "(((((($$$$[[[",
}


def coins() -> CoinTable:
    """Six hundred contracts: the curated coins and invented ones."""
    tickers = [*curated().coin, *(f"ZZ{n}" for n in range(COINS))][:COINS]
    return CoinTable({ticker: f"{ticker}USDT" for ticker in tickers})


def phrase_triggers(count: int) -> list[Trigger]:
    """Triggers on one account's words, each with phrases of its own."""
    chance = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"

    def phrase() -> str:
        return " ".join("".join(chance.choices(letters, k=6)) for _ in range(2))

    return [
        Trigger(
            id=f"t{number}",
            feeds=("tokyo",),
            matcher="text",
            key=f"t{number}",
            side=Side.BUY,
            match=TextMatch(
                authors=(Author(handle="elonmusk", id="44196397"),),
                any_of=(phrase(), phrase(), phrase()),
                none_of=(phrase(), phrase()),
                symbols=("BTCUSDT",),
            ),
        )
        for number in range(count)
    ]


def frame_of(body: str) -> bytes:
    """A post as Tokyo sends it, about a kilobyte for a short body."""
    return json.dumps(
        {
            "_id": "1990000000000000001",
            "title": "Elon Musk (@elonmusk)",
            "body": body,
            "link": "https://twitter.com/elonmusk/status/1990000000000000001",
            "time": AT_MS,
            "type": "direct",
            "info": {"isQuote": False, "isReply": False, "twitterId": "44196397"},
            "icon": "https://pbs.twimg.com/profile_images/1/" + "x" * 60,
            "suggestions": [{"coin": "SUI", "found": ["SUI"], "symbols": [{"exchange": "b"}] * 6}],
        }
    ).encode()


def headline_of(title: str) -> bytes:
    """A headline of BWE, where coins are looked for in every title with a good word."""
    coins_included = '", "coins_included": ["SUI"], "timestamp": 1770384600, "url": ""}'
    return (
        BWE_START
        + json.dumps(f"Exchange lists SUI {title}").encode()[1:-1]
        + (coins_included.encode())
    )


def judge_by(triggers: list[Trigger], settings: Settings) -> Callable[[bytes], object]:
    """Frame to verdict, as the daemon does it."""
    detector = Detector(triggers, settings.hedge, coins(), settings.payroll)
    enabled = frozenset(trigger.id for trigger in triggers)
    tree, bwe = TreeDecoder("tokyo"), BweDecoder("bwe")

    def judge(frame: bytes) -> object:
        decoder = bwe if frame.startswith(BWE_START) else tree
        item = decoder.decode(frame, (AT_MS + 40) * NS_PER_MS)
        assert isinstance(item, NewsItem)
        return detector.judge(item, enabled)

    return judge


def plain_by(triggers: list[Trigger], settings: Settings) -> Callable[[bytes], object]:
    """The plain way: all phrases in one alternation over the body, coins by a pattern and a set."""
    phrases = set(expand(settings.hedge))
    for trigger in triggers:
        match = attrs.asdict(trigger.match)
        for key in ("any_of", "none_of", "buy", "sell"):
            phrases.update(expand(match.get(key) or ()))
    words = sorted((p.strip("=^*").replace("<n>", "") for p in phrases), key=len, reverse=True)
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, words)) + r")\b", re.IGNORECASE)
    cashtag = re.compile(r"\$([A-Za-z0-9]{2,10})\b")
    known = set(coins().tickers())

    def judge(frame: bytes) -> object:
        data = json.loads(frame)
        body = data.get("body") or data.get("title") or ""
        found = pattern.findall(body)
        named = [c.upper() for c in cashtag.findall(body) if c.upper() in known]
        return found, named, data["info"]["twitterId"] == "44196397"

    return judge


def measure(systems: dict[str, Callable[[bytes], object]], frame: bytes) -> dict[str, list[float]]:
    """Microseconds of each call, systems in turn, round by round; the first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in systems}
    for number in range(ROUNDS + 1):
        for name, judge in systems.items():
            found = []
            for _ in range(PER_ROUND):
                start_ns = time.perf_counter_ns()
                judge(frame)
                found.append((time.perf_counter_ns() - start_ns) / 1000)
            if number:
                times[name] += found
    return times


def spread(values: list[float]) -> dict[str, float]:
    """Median and tail, in microseconds."""
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p99": round(ordered[int(len(ordered) * 0.99)], 1),
    }


def growth(settings: Settings) -> dict[str, Any]:
    """The same post, ten and a hundred times the triggers."""
    systems: dict[str, Callable[[bytes], object]] = {}
    for count in (16, 160, 1_600):
        triggers = phrase_triggers(count)
        systems[f"lowcap, {count} phrase triggers"] = judge_by(triggers, settings)
        systems[f"plain, {count} phrase triggers"] = plain_by(triggers, settings)
    return {name: spread(values) for name, values in measure(systems, frame_of(POST)).items()}


def lengths(settings: Settings) -> dict[str, Any]:
    """Texts made to be slow, at 4 KiB and 64 KiB: milliseconds at best and their ratio."""
    judge = judge_by(list(settings.trigger), settings)
    rows = {}
    for name, piece in HARD.items():
        for kind, frame_with in (("post", frame_of), ("headline", headline_of)):
            small, large = (_least_ms(judge, frame_with(_cut(piece, n))) for n in (4, 64))
            rows[f"{name}, {kind}"] = {
                "4 KiB ms": round(small, 3),
                "64 KiB ms": round(large, 3),
                "ratio": round(large / small, 1),
            }
    return rows


def _cut(piece: str, kib: int) -> str:
    """``piece`` again and again, a little less than ``kib`` KiB of it."""
    size = kib * 1_024 - 64
    return (piece * (size // len(piece.encode()) + 1)).encode()[:size].decode("utf-8", "ignore")


def _least_ms(judge: Callable[[bytes], object], frame: bytes) -> float:
    """The least of many runs: a busy machine only adds, and most of all to long ones."""
    runs = []
    for _ in range(15):
        start_ns = time.perf_counter_ns()
        judge(frame)
        runs.append((time.perf_counter_ns() - start_ns) / 1e6)
    return min(runs)


def run() -> dict[str, Any]:
    """Everything that is printed."""
    settings, _ = load(shipped("config.toml"), {})
    sixteen = list(settings.trigger)
    systems = {"lowcap": judge_by(sixteen, settings), "plain": plain_by(sixteen, settings)}
    shipped_rows = {n: spread(v) for n, v in measure(systems, frame_of(POST)).items()}
    rows = growth(settings)
    small, large = (rows[f"lowcap, {count} phrase triggers"]["p50"] for count in (16, 1_600))
    return {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "post_characters": len(POST),
        "coins": COINS,
        "shipped_us": shipped_rows,
        "ratio_to_plain": round(shipped_rows["lowcap"]["p50"] / shipped_rows["plain"]["p50"], 2),
        "growth_us": rows,
        "growth_16_to_1600": round(large / small, 2),
        "lengths": lengths(settings),
    }


def show(result: dict[str, Any]) -> None:
    """The tables."""
    print(
        f"decode and detect a post of {result['post_characters']} characters, {result['coins']} "
        f"coins, {result['machine']}; microseconds"
    )
    print(f"{'':<32}{'p50':>8}{'p99':>8}")
    named = {f"{name}, the sixteen triggers": v for name, v in result["shipped_us"].items()}
    for name, values in (named | result["growth_us"]).items():
        print(f"{name:<32}{values['p50']:>8.1f}{values['p99']:>8.1f}")
    print(f"lowcap to plain, sixteen triggers: {result['ratio_to_plain']}")
    print(f"lowcap, 1,600 to 16 phrase triggers: {result['growth_16_to_1600']}\n")
    print(f"{'hard texts, least ms':<32}{'4 KiB':>8}{'64 KiB':>8}{'ratio':>8}")
    for name, row in result["lengths"].items():
        print(f"{name:<32}{row['4 KiB ms']:>8.3f}{row['64 KiB ms']:>8.3f}{row['ratio']:>8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the result here")
    options = parser.parse_args()
    result = run()
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
