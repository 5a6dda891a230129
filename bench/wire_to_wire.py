"""From the feed server's send of a frame to the exchange's receipt of the order.

    python -m bench.wire_to_wire [ROUNDS] [--json FILE]

Feed server and exchange live in this process, so both ends read one clock.
The daemon, the same daemon without its gate (bench.ungated), and the baseline
are processes of their own and take turns, round by round, on the same frames.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import trio

from lowcap.core.clock import SystemClock
from lowcap.core.facts import OrderSent
from lowcap.net.net import SocketNet
from lowcap.paper.auth import Account
from lowcap.paper.contracts import listed_contracts
from lowcap.paper.exchange import Exchange, ExchangeSetup
from lowcap.paper.feedserver import FeedServer
from lowcap.paper.server import PaperServer
from lowcap.paper.usage import Limits
from tests.long.rig import GUARDS_OFF, Process, call, ledger_records, wait_ready, write_config

FRAMES_PER_ROUND = 20  # as many positions as the shipped limits allow
PACE_S = 0.03
RECEIPT_WITHIN_S = 2.0
KEYS = {"api-key": "bench-key", "api-secret": "bench-secret"}
UNGATED = "ungated"
# Each system and the feed that it hears.
SYSTEMS = (("lowcap", "tokyo"), (UNGATED, UNGATED), ("baseline", "baseline"))
STAGES = ("receive", "parse", "detect", "admit", "risk", "prepare", "submit")
# Hours of trades within a minute: more than the venue allows anybody.
LIMITS = Limits().times(400)
# A trigger must fire on every frame here, so what spaces trades apart is lifted.
PROFILE: dict[str, Any] = {
    "log": {"level": "warning"},
    "sizing": {"default_usd": 500, "symbol_usd": {}},
    "limits": {
        "open_positions_max": 500,
        "entries_per_s_max": 1_000,
        "entries_per_min_max": 100_000,
        "order_notional_usd_max": 500_000,
        "position_notional_usd_max": 600_000,
        "gross_notional_usd_max": 50_000_000,
        "day_loss_usd_max": 1_000_000,
        **GUARDS_OFF,
    },
    "trigger": [{"id": "upbit_listing", "cooldown_s": 0}],
}


class Bench:
    """Both ends, and the times at which frames left and orders arrived."""

    def __init__(self) -> None:
        self.feeds = FeedServer(SocketNet(), SystemClock())
        # An account for each daemon: neither may take the other's positions for its own.
        self.exchange, self.other_exchange = self._venue(), self._venue()
        self._received_ns: list[int] = []
        self._arrived = trio.Event()
        self._first_only = False

    def _venue(self) -> PaperServer:
        venue = PaperServer(
            Exchange(ExchangeSetup(step_bps=0.1, limits=LIMITS)),
            Account(api_key=KEYS["api-key"], secret=KEYS["api-secret"]),
            SocketNet(),
            SystemClock(),
        )
        venue.on_request = self._received
        return venue

    def _received(self, method: str) -> None:
        if method == "order.place" and not self._received_ns:
            self._received_ns.append(time.perf_counter_ns())
            self._arrived.set()

    async def measure(self, feed: str, frame: bytes) -> float:
        """Send one frame; microseconds until the first order that follows arrives."""
        self._received_ns, self._arrived = [], trio.Event()
        sent_ns = time.perf_counter_ns()
        self.feeds.send(feed, frame)
        with trio.fail_after(RECEIPT_WITHIN_S):
            await self._arrived.wait()
        return (self._received_ns[0] - sent_ns) / 1000


def listing(ticker: str, number: int) -> bytes:
    """A notice of one coin, about a kilobyte as on the wire."""
    return json.dumps(
        {
            "_id": f"b{number}",
            "title": f"[거래] 코인({ticker}) KRW, USDT 마켓 디지털 자산 추가",
            "source": "Upbit",
            "url": f"https://upbit.com/service_center/notice?id={number}",
            "time": int(time.time() * 1000),
            "symbols": [f"{ticker}_USDT"],
            "suggestions": [
                {"coin": ticker, "found": [ticker], "symbols": [{"exchange": "x" * 300}]}
            ],
        },
        ensure_ascii=False,
    ).encode()


async def run(rounds: int) -> dict[str, Any]:
    """All rounds; microseconds by system, and the daemon's own work by stage."""
    bench = Bench()
    times: dict[str, list[float]] = {system: [] for system, _ in SYSTEMS}
    with tempfile.TemporaryDirectory(prefix="lowcap-bench-") as name:
        folder = Path(name)
        async with trio.open_nursery() as nursery:
            port = await nursery.start(bench.exchange.run)
            other_port = await nursery.start(bench.other_exchange.run)
            feed_port = await nursery.start(bench.feeds.run)
            daemon = Process(
                folder, "daemon", "run", "--config", str(config(folder, port, feed_port))
            )
            bare = folder / UNGATED
            bare_words = ("run", "--config", str(config(bare, other_port, feed_port, feed=UNGATED)))
            ungated = Process(bare, "daemon", *bare_words, module="bench.ungated")
            baseline = start_baseline(port, feed_port)
            try:
                for place in (folder, bare):
                    await trio.to_thread.run_sync(wait_ready, place)
                while not all(bench.feeds.clients(feed) for _, feed in SYSTEMS):
                    await trio.sleep(0.05)
                await play(bench, folder, rounds, times)
            except trio.TooSlowError:
                show_last(folder)
                raise
            finally:
                await trio.to_thread.run_sync(daemon.stop)
                await trio.to_thread.run_sync(ungated.stop)
                baseline.terminate()
                baseline.wait()
            nursery.cancel_scope.cancel()
        return summary(times, stage_times(folder), rounds)


def config(
    folder: Path,
    port: int,
    feed_port: int,
    profile: dict[str, Any] = PROFILE,
    feed: str = "tokyo",
) -> Path:
    """A bench profile, at our own servers; ``feed`` is where its first feed comes from."""
    keys = folder / "keys"
    keys.mkdir(parents=True)
    for name, text in KEYS.items():
        (keys / name).write_text(text)
        (keys / name).chmod(0o600)
    urls = {
        "rest_url": f"http://127.0.0.1:{port}",
        "ws_api_url": f"ws://127.0.0.1:{port}/ws-fapi/v1",
        "stream_url": f"ws://127.0.0.1:{port}",
        "credentials_dir": str(keys),
    }
    feeds = {
        name: {"url": f"ws://127.0.0.1:{feed_port}/{path}"}
        for name, path in (("tokyo", feed), ("toa_news", "toa_news"), ("synoptic", "synoptic"))
    }
    return write_config(folder, {"feed": feeds} | profile | {"exchange": urls})


def start_baseline(port: int, feed_port: int) -> subprocess.Popen[bytes]:
    """The baseline as a process of its own."""
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bench.baseline",
            f"ws://127.0.0.1:{feed_port}/baseline",
            f"ws://127.0.0.1:{port}/ws-fapi/v1",
        ]
    )


async def play(bench: Bench, folder: Path, rounds: int, times: dict[str, list[float]]) -> None:
    """Systems in turn; the first round warms up and does not count."""
    coins = [s.removesuffix("USDT") for s in listed_contracts() if not s.startswith("1")]
    coins.remove("BTC")  # a market's quote currency is no listed coin
    for number in range(rounds + 1):
        for system, feed in SYSTEMS:
            found = []
            for frame in range(FRAMES_PER_ROUND):
                found.append(await bench.measure(feed, listing(coins[frame], frame)))
                await trio.sleep(PACE_S)
            if number:
                times[system] += found
            if system != "baseline":
                place = folder if system == "lowcap" else folder / UNGATED
                await trio.to_thread.run_sync(partial(call, place, "close", all=True, confirm=True))
                await trio.sleep(0.5)
        print(f"round {number} of {rounds}" + (" (warm-up)" if not number else ""), file=sys.stderr)


def show_last(folder: Path) -> None:
    """What the daemon did last, where an order did not come."""
    told = [record for record in ledger_records(folder) if record.kind != "NewsSeen"]
    for record in told[-8:]:
        print(record, file=sys.stderr)


def stage_times(folder: Path) -> dict[str, list[float]]:
    """Own work by stage, as the daemon's ledger recorded it."""
    found: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for record in ledger_records(folder):
        if isinstance(record.body, OrderSent) and record.body.stages_us:
            for stage in STAGES:
                found[stage].append(record.body.stages_us[stage])
    return found


def spread(values: list[float]) -> dict[str, float]:
    """The usual points of a distribution, in microseconds."""
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p90": round(ordered[int(len(ordered) * 0.9)], 1),
        "p99": round(ordered[int(len(ordered) * 0.99)], 1),
        "max": round(ordered[-1], 1),
    }


def summary(
    times: dict[str, list[float]], stages: dict[str, list[float]], rounds: int
) -> dict[str, Any]:
    """Everything that is printed."""
    result: dict[str, Any] = {
        "frames": rounds * FRAMES_PER_ROUND,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "wire_to_wire_us": {system: spread(values) for system, values in times.items()},
        "own_work_us": {stage: spread(values) for stage, values in stages.items()},
    }
    ours, theirs = (result["wire_to_wire_us"][s]["p50"] for s in ("lowcap", "baseline"))
    result["ratio_p50"] = round(ours / theirs, 2)
    result["gate_p50_us"] = round(ours - result["wire_to_wire_us"][UNGATED]["p50"], 1)
    return result


def show(result: dict[str, Any]) -> None:
    """The table."""
    points = ("p50", "p90", "p99", "max")
    print(f"{result['frames']} frames each, {result['machine']}; microseconds")
    print(f"{'':<22}" + "".join(f"{point:>10}" for point in points))
    for system, values in result["wire_to_wire_us"].items():
        print(f"{system + ', wire to wire':<22}" + "".join(f"{values[p]:>10.1f}" for p in points))
    for stage, values in result["own_work_us"].items():
        print(f"{'  own work: ' + stage:<22}" + "".join(f"{values[p]:>10.1f}" for p in points))
    print(f"ratio of medians, lowcap to baseline: {result['ratio_p50']}")
    print(f"difference of medians, with the gate to without: {result['gate_p50_us']} µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write the result here")
    options = parser.parse_args()
    result = trio.run(run, options.rounds)
    show(result)
    text = json.dumps(result)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
