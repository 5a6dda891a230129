"""Frames that a server really sent, each played through a daemon at its own time.

    LOWCAP_CORPUS=DIR python -m tests.long.real_frames

DIR holds ``real-tree-2023-03.jsonl``; it is not part of lowcap.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import trio

from lowcap.core.clock import SystemClock, iso_ms, parse_as_of
from lowcap.core.facts import FrameRefused, NewsSeen
from lowcap.net.net import SocketNet
from lowcap.paper.feedserver import CaptureLine, FeedServer, read_capture
from tests.long.rig import Process, ledger_records, wait_ready, write_config

NAME = "real-tree-2023-03.jsonl"
TOGETHER_MS = 3_000
LEAD_S = 4.0
AT_ONCE = 2


def corpus_file() -> Path | None:
    """The file, where there is a corpus."""
    folder = os.environ.get("LOWCAP_CORPUS")
    path = Path(folder) / NAME if folder else None
    return path if path is not None and path.exists() else None


def clusters(lines: list[CaptureLine]) -> list[list[CaptureLine]]:
    """Frames that lie so close that one daemon sees them all."""
    found: list[list[CaptureLine]] = []
    for line in lines:
        if found and line.t_ms - found[-1][-1].t_ms <= TOGETHER_MS:
            found[-1].append(line)
        else:
            found.append([line])
    return found


async def play(lines: list[CaptureLine]) -> list[NewsSeen]:
    """All clusters, a few at once; the decisions in order of time."""
    slots = trio.Semaphore(AT_ONCE)
    groups = clusters(lines)
    decisions: dict[int, list[NewsSeen]] = {}

    async def one(number: int) -> None:
        async with slots:
            decisions[number] = await play_cluster(groups[number])

    async with trio.open_nursery() as nursery:
        for number in range(len(groups)):
            nursery.start_soon(one, number)
    return [seen for number in range(len(groups)) for seen in decisions[number]]


async def play_cluster(lines: list[CaptureLine]) -> list[NewsSeen]:
    """One daemon, started shortly before the first frame's own time."""
    with tempfile.TemporaryDirectory(prefix="lowcap-real-") as name:
        folder = Path(name)
        as_of = f"{iso_ms(lines[0].t_ms - round(LEAD_S * 1000))}@{time.time():.6f}"
        async with trio.open_nursery() as nursery:
            feeds = FeedServer(SocketNet(), SystemClock(parse_as_of(as_of)))
            port = await nursery.start(feeds.run)
            config = write_config(folder, overlay(port))
            daemon = Process(folder, "daemon", "run", "--config", str(config), "--as-of", as_of)
            try:
                await trio.to_thread.run_sync(lambda: wait_ready(folder, active=False))
                with trio.fail_after(10):
                    while not feeds.clients("toa_news"):
                        await trio.sleep(0.02)
                await feeds.play(lines, speed=None)
                await trio.sleep(0.3)
            finally:
                code = daemon.stop()
            assert code == 0, daemon.log.read_text()[-2000:]
            assert "Traceback" not in daemon.log.read_text()
            nursery.cancel_scope.cancel()
        records = ledger_records(folder)
        refused = [r.body for r in records if isinstance(r.body, FrameRefused)]
        assert not refused, refused
        return [r.body for r in records if isinstance(r.body, NewsSeen)]


def overlay(port: int) -> dict[str, object]:
    """The news feed alone, with the post and listing triggers listening to it as well."""
    both = ["tokyo", "toa_news"]
    return {
        "feed": {
            "toa_news": {"url": f"ws://127.0.0.1:{port}/toa_news"},
            "tokyo": {"enabled": False},
            "synoptic": {"enabled": False},
        },
        "trigger": [
            {"id": "elon_btc", "feeds": both},
            {"id": "upbit_listing", "feeds": both},
        ],
    }


def judge(lines: list[CaptureLine], seen: list[NewsSeen]) -> Counter[str]:
    """Every frame has a decision and a reason; stale is said of marked titles only."""
    assert len(seen) == len(lines), f"{len(seen)} of {len(lines)} frames are in the ledger"
    assert all(fact.decision and fact.reason for fact in seen)
    stale = [fact for fact in seen if "stale" in fact.reason]
    assert all("ago]" in fact.headline for fact in stale), stale
    return Counter(f"{fact.decision}: {fact.reason}" for fact in seen)


def main() -> None:
    path = corpus_file()
    if path is None:
        sys.exit(f"set LOWCAP_CORPUS to a folder with {NAME}")
    lines = read_capture([path])
    counts = judge(lines, trio.run(play, lines))
    for reason, count in counts.most_common():
        print(f"{count:>4} {reason}")
    print(f"{len(lines)} frames, each in the ledger with a decision and its reason")


if __name__ == "__main__":
    main()
