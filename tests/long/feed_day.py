"""A scripted day of all feeds under virtual time: exactly the expected signals, each once.

    python -m tests.long.feed_day

Every feed logs in, is cut three times, is mute for an hour, is flooded, sends
junk, and delivers old stories again; the same story comes by three feeds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import trio
from loguru import logger
from msgspec import Struct

from lowcap.core.facts import OrderIntended, SignalRaised
from lowcap.core.messages import Purpose
from lowcap.settings import Feed, Settings
from tests.daemon.stage import Stage, ask, in_virtual_time, parts_of, records, settings_for, until
from tests.daemon.stories import (
    Maker,
    board_listing,
    bwe_filing,
    payrolls,
    phoenix_post,
    sec_order,
    tree_filing,
    tree_listing,
    tree_post,
    x_post,
)
from tests.long.rig import GUARDS_OFF

# The day begins so that the payroll print falls on its release time, 08:30 in New York.
RELEASE_S = 1_770_384_600
PRINT_AT_H = 8.0
HOUR_S = 3_600
KEYS = {name: f"key-of-{name}" for name in ("tokyo", "toa_news", "phoenix", "synoptic", "twitter")}
COINBASE = (
    "CoinbaseAssets",
    "1100000000000000011",
    "Assets added to the roadmap: {name} ({ticker})",
)
ERIC = ("EricTrump", "39349894", "So proud of what the ${ticker} team has built")
BURN = ("worldlibertyfi", "77", "Another {ticker} burn is done, supply shrinks")
BURN_TRUMP = ("realDonaldTrump", "25073877", "WE WILL BUY BACK ${ticker}, THANK YOU!")


class Story(Struct, frozen=True):
    """A story of one feed: what it should trade, and how other feeds tell the same."""

    trigger: str
    coin: tuple[str, str]
    make: Maker
    elsewhere: tuple[tuple[str, Maker], ...] = ()


def _filings(trigger: str, make: Maker, others: Sequence[tuple[str, Maker]], coins: str) -> Any:
    pairs = (coin.replace("_", " ").split("=") for coin in coins.split())
    return [Story(trigger, (ticker, name), make, tuple(others)) for ticker, name in pairs]


TRUMP, WLFI, JOBS = ("TRUMP", "Trump"), ("WLFI", "WLFI"), ("ETH", "Ethereum")
# Five stories a feed; no coin is in two feeds' stories.
STORIES: dict[str, list[Story]] = {
    "bwe": _filings(
        *("etf_filing", bwe_filing, [("toa_news", tree_filing), ("tokyo", tree_filing)]),
        "HBAR=Hedera ADA=Cardano LTC=Litecoin DOGE=Dogecoin DOT=Polkadot",
    ),
    "tokyo": _filings(
        *("upbit_listing", tree_listing, [("toa_news", tree_listing), ("upbit", board_listing)]),
        "KAITO=카이토 PENDLE=펜들 ENA=에테나 ZRO=레이어제로 ONDO=온도",
    ),
    "toa_news": _filings(
        *("s1_trust", tree_filing, [("bwe", bwe_filing), ("tokyo", tree_filing)]),
        "XRP=XRP SOL=Solana LINK=Chainlink SUI=$SUI APT=Aptos",
    ),
    "phoenix": [
        Story("eric_trump_token", TRUMP, phoenix_post(*ERIC),
              (("tokyo", tree_post(*ERIC)), ("toa_news", tree_post(*ERIC)))),
        Story("trump_buyback_burn", WLFI, phoenix_post(*BURN)),
        Story("trump_buyback_burn", TRUMP, phoenix_post(*BURN_TRUMP)),
        Story("eric_trump_token", TRUMP, phoenix_post(*ERIC)),
        Story("trump_buyback_burn", WLFI, phoenix_post(*BURN)),
    ],
    "synoptic": [
        *_filings(
            *("sec_approval", sec_order, [("synoptic_b", sec_order), ("synoptic_c", sec_order)]),
            "BCH=Bitcoin_Cash AVAX=$AVAX",
        ),
        Story("nfp_le_50k", JOBS, payrolls, (("synoptic_b", payrolls), ("synoptic_c", payrolls))),
        *_filings("sec_approval", sec_order, [], "UNI=Uniswap ATOM=$ATOM"),
    ],
    "twitter": _filings(
        *("coinbase_roadmap", x_post(*COINBASE)),
        [("phoenix", phoenix_post(*COINBASE)), ("tokyo", tree_post(*COINBASE))],
        "JTO=Jito PYTH=Pyth TAO=Bittensor WLD=Worldcoin JUP=Jupiter",
    ),
}  # fmt: skip
# Triggers that listen to more feeds than usual, so that the same story can come three times.
MORE_FEEDS = {
    "upbit_listing": ("toa_news",),
    "s1_trust": ("tokyo",),
    "eric_trump_token": ("tokyo", "toa_news"),
    "coinbase_roadmap": ("phoenix", "tokyo"),
    "sec_approval": ("synoptic_b", "synoptic_c"),
    "nfp_le_50k": ("synoptic_b", "synoptic_c"),
}
OFFSETS_MIN = {"bwe": 0, "tokyo": 8, "toa_news": 16, "phoenix": 24, "synoptic": 32, "twitter": 40}


def day_settings(folder: Path, scale: float) -> Settings:
    """All feeds, two more of Synoptic's, and Upbit's board; cool-downs to the day's scale."""
    settings = settings_for(folder)
    extra: dict[str, Feed] = {
        name: attrs.evolve(settings.feed["synoptic"]) for name in ("synoptic_b", "synoptic_c")
    }
    feeds = settings.feed | extra
    feeds["upbit"] = attrs.evolve(feeds["upbit"], enabled=True)
    triggers = tuple(
        attrs.evolve(
            trigger,
            feeds=(*trigger.feeds, *MORE_FEEDS.get(trigger.id, ())),
            cooldown_s=max(120, round(trigger.cooldown_s * scale)),
        )
        for trigger in settings.trigger
    )
    most = settings.limits.day_loss_usd_max * 100
    limits = attrs.evolve(settings.limits, day_loss_usd_max=most, **GUARDS_OFF)
    return attrs.evolve(settings, feed=feeds, trigger=triggers, limits=limits)


class Day:
    """Plays the script and keeps the list of what should have traded."""

    def __init__(self, stage: Stage, commands: Any, scale: float) -> None:
        self.stage = stage
        self.commands = commands
        self.scale = scale
        self.expected: list[tuple[str, str]] = []
        self.start_s = trio.current_time()
        self.number = 5_000_000_000_000_000_000
        self._facts: list[Any] = []
        parts_of(commands).desk.ledger.read_with(lambda record: self._facts.append(record.body))

    async def at(self, hour: float, feed: str = "bwe") -> None:
        """Wait for an hour of the day, shifted so that feeds keep out of each other's way."""
        hours = (hour + OFFSETS_MIN[feed] / 60) * self.scale
        await trio.sleep_until(self.start_s + hours * HOUR_S)

    async def tell(self, feed: str, story: Story, by: str, make: Maker) -> None:
        self.number += 1
        self.stage.feeds.send(by, make(self.stage.now_ms(), story.coin, self.number))
        await trio.sleep(7 if by == "upbit" else 0.5)

    async def story(self, feed: str, number: int) -> None:
        """A story of a feed trades once, by whatever feeds it comes."""
        story = STORIES[feed][number]
        await self.connected(feed)
        await self.tell(feed, story, feed, story.make)
        self.expected.append((story.trigger, story.coin[0]))
        with trio.move_on_after(5):
            await until(lambda: self.signals() == self.expected)
        assert self.signals() == self.expected, (feed, number, self.newest())
        for by, make in story.elsewhere:
            await self.connected(by)
            await self.tell(feed, story, by, make)
        assert self.signals() == self.expected, (feed, number)
        await ask(self.commands, "close", all=True, confirm=True)

    async def connected(self, feed: str) -> None:
        session = parts_of(self.commands).intake.sessions[feed]
        await until(lambda: session.status.state in ("up", "stale"), within_s=120)
        await trio.sleep(1)  # what is older than its connection is a replay

    def signals(self) -> list[tuple[str, str]]:
        coins = parts_of(self.commands).flow.detector.coins
        return [
            (fact.trigger, coins.ticker(fact.symbols[0]))
            for fact in self._facts
            if isinstance(fact, SignalRaised)
        ]

    def newest(self) -> list[Any]:
        """What the ledger holds last, for the message of a failed check."""
        return self._facts[-6:]

    async def play(self, feed: str) -> None:
        """The day of one feed."""
        server, session = self.stage.feeds, parts_of(self.commands).intake.sessions[feed]
        await self.at(1, feed)
        await self.story(feed, 0)
        for hour, kind in ((2, "drop"), (4, "close"), (5, "half-open")):
            await self.at(hour, feed)
            before = session.status.connects
            server.fault(feed, kind, seconds=300)
            await until(lambda n=before: session.status.connects > n, within_s=120)  # type: ignore[misc]
            if kind == "drop":
                await self.story(feed, 1)
        # The payroll print has an hour of its own.
        await self.at(
            PRINT_AT_H if feed == "synoptic" else 6, "bwe" if feed == "synoptic" else feed
        )
        await self.story(feed, 2)
        server.fault(feed, "duplicate", count=3)
        await self.at(9, feed)
        server.fault(feed, "mute", seconds=HOUR_S * self.scale)
        await self.at(10.2, feed)
        await self.story(feed, 3)
        await self.at(11, feed)
        server.fault(feed, "stale", count=2)
        await trio.sleep(1)
        await self.connected(feed)
        frames = session.status.frames
        server.fault(feed, "flood", count=1_500)
        await until(lambda: session.status.frames >= frames + 1_500, within_s=60)
        server.fault(feed, "junk", count=45)
        await self.at(13, feed)
        await self.story(feed, 4)
        assert session.status.faults > 0, feed


async def play_day(stage: Stage, scale: float) -> tuple[list[tuple[str, str]], Any]:
    """All feeds at once, each by its script; what traded, and the counters of the feeds."""
    stage.server._tick_s = 1.0
    async with stage.daemon() as commands:
        stage.server._tick_s = 2.5  # prices must be younger than 3 s; a day has many seconds
        day = Day(stage, commands, scale)
        async with trio.open_nursery() as nursery:
            for feed in STORIES:
                nursery.start_soon(day.play, feed)
        await trio.sleep(60)
        assert day.signals() == day.expected
        rows = await ask(commands, "feeds")
        return day.expected, rows


def run_day(folder: Path, scale: float) -> tuple[list[tuple[str, str]], Any]:
    """Play a day of 24 times ``scale`` hours in ``folder``; checks it against the ledger."""
    found: list[Any] = []

    async def main(stage: Stage) -> None:
        found.append(await play_day(stage, scale))

    epoch_s = RELEASE_S - round(PRINT_AT_H * scale * HOUR_S) + 2
    in_virtual_time(
        main,
        folder,
        day_settings(folder / "state", scale),
        epoch_ns=epoch_s * 10**9,
        seed=4,
        feed_keys=KEYS,
    )
    expected, rows = found[0]
    facts = [record.body for record in records(folder)]
    raised = [fact for fact in facts if isinstance(fact, SignalRaised)]
    entries = [f for f in facts if isinstance(f, OrderIntended) and f.purpose is Purpose.ENTRY]
    assert [fact.trigger for fact in raised] == [trigger for trigger, _ in expected]
    assert len(entries) == len(expected), "every signal has one entry"
    return expected, rows


def main() -> None:
    logger.remove()
    with tempfile.TemporaryDirectory(prefix="lowcap-day-") as name:
        expected, rows = run_day(Path(name), float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
    for row in rows:
        print(
            f"{row['name']:<11} {row['connects']:>4} connections {row['frames']:>6} frames "
            f"{row['news']:>6} news {row['faults']:>4} faults"
        )
    print(f"{len(expected)} stories, {len(expected)} signals, {len(expected)} entries, each once")


if __name__ == "__main__":
    main()
